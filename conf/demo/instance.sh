#!/bin/sh
# instance.sh - a private instance of the service on loopback, as a plain user or root, without systemd.
#
# usage: instance.sh start DIR    DIR holds cic.yaml; nginx, cic.fcgi and cic-worker are started unless they run
#        instance.sh stop DIR     end them and the builds they left running
#
# start makes in DIR: nginx.conf, nginx/, htpasswd, instance.env (CIC_URL, CIC_USER, CIC_PASSWORD; mode 0600), log/, *.pid,
# fcgi.sock.  Port and password are chosen once and kept in instance.env.
#
# Output: nothing when all is well.  Exit codes: 0 fine, 1 something did not start (the message says what, with the
# end of its log), 2 wrong usage.
set -eu

PROG=instance.sh
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
bin=${CIC_BIN:-$top/build}
PATH=$PATH:/usr/sbin:/sbin     # nginx is there, and plain users have it not

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }

# words_of PID - its command line; nothing when it has gone
words_of() { { tr '\0' ' ' < "/proc/$1/cmdline"; } 2> /dev/null || :; }

# alive NAME WORD - does the process in DIR/NAME.pid run, and is it the one we mean?
alive() {
    [ -s "$dir/$1.pid" ] || return 1
    pid=$(cat "$dir/$1.pid" 2> /dev/null) || return 1
    case $(words_of "$pid") in *"$2"*) return 0 ;; *) return 1 ;; esac
}

# wait_for SECONDS COMMAND... - until it succeeds
wait_for() {
    tries=$(($1 * 10))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

failed() {
    tail -n 5 "$dir/log/$1.log" >&2 || :
    die "$1 did not start; the end of $dir/log/$1.log stands above."
}

# A number between 20000 and 29999; nginx finds out whether it is free.
random_port() { echo $((20000 + $(od -An -N2 -tu2 /dev/urandom) % 10000)); }

write_credentials() {
    [ ! -s "$dir/instance.env" ] || return 0
    password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077; printf 'CIC_URL=%s\nCIC_USER=%s\nCIC_PASSWORD=%s\n' \
        "http://127.0.0.1:$(random_port)" demo "$password" > "$dir/instance.env")
}

# value KEY - of cic.yaml
value() { sed -n "s/^  $1: *//p" "$dir/cic.yaml" | tr -d '"'; }

# adapt FILE - a shipped snippet with the paths of this instance
adapt() {
    sed -e "s|/etc/cic/htpasswd|$dir/htpasswd|" -e "s|/run/cic/fcgi.sock|$dir/fcgi.sock|" \
        -e "s|/var/lib/cic/images/|$(value images_location)/|" -e "s|/var/lib/cic/builds/|$(value data)/builds/|" \
        -e "s|/var/log/nginx/|$dir/log/|" -e "s|/usr/local/share/cic/nginx/|$dir/nginx/|" \
        -e "s|/usr/local/share/cic/openapi.json|$top/conf/openapi.json|" -e "s|/usr/local/bin/cic_cli|$top/cic_cli|" "$1"
}

write_nginx() {
    # shellcheck disable=SC1091 # written above
    . "$dir/instance.env"
    (umask 077; printf '%s:%s\n' "$CIC_USER" "$(printf '%s' "$CIC_PASSWORD" | openssl passwd -apr1 -stdin)" \
        > "$dir/htpasswd")
    for snippet in cic.conf cic-http.conf cic-private.conf cic-public.conf; do
        adapt "$top/nginx/$snippet" > "$dir/nginx/$snippet"
    done
    # as root, nginx would read the files as somebody who may not enter this folder
    if [ "$(id -u)" -eq 0 ]; then user='user root root;'; else user=''; fi
    # a held status poll takes two connections
    # shellcheck disable=SC3045 # dash and bash have it
    files=$(ulimit -H -n)
    case $files in unlimited) files=16384 ;; *) [ "$files" -lt 16384 ] || files=16384 ;; esac
    cat > "$dir/nginx.conf" <<END
$user
worker_processes 1;
worker_rlimit_nofile $files;
pid $dir/nginx.pid;
error_log $dir/log/nginx.log;
events { worker_connections $((files / 2)); }
http {
	include $dir/nginx/cic-http.conf;
	client_body_temp_path $dir/tmp/body;
	proxy_temp_path $dir/tmp/proxy;
	fastcgi_temp_path $dir/tmp/fastcgi;
	uwsgi_temp_path $dir/tmp/uwsgi;
	scgi_temp_path $dir/tmp/scgi;
	sendfile on;
	server {
		listen ${CIC_URL#http://} backlog=4096;
		include $dir/nginx/cic.conf;
	}
}
END
}

try_nginx() { nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/log/nginx.log" 2>> "$dir/log/nginx.log"; }

start_nginx() {
    alive nginx "$dir/nginx.conf" && return 0
    write_nginx
    tries=20
    until try_nginx; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] && tail -n 3 "$dir/log/nginx.log" | grep -q 'Address already in use' || failed nginx
        # somebody has that port: another one
        sed -i "s|^CIC_URL=.*|CIC_URL=http://127.0.0.1:$(random_port)|" "$dir/instance.env"
        write_nginx
    done
    wait_for 10 alive nginx "$dir/nginx.conf" || failed nginx
}

start_fcgi() {
    alive cic.fcgi "$dir/cic.yaml" && return 0
    setsid "$bin/cic.fcgi" --config "$dir/cic.yaml" --socket "$dir/fcgi.sock" >> "$dir/log/cic.fcgi.log" 2>&1 < /dev/null &
    echo $! > "$dir/cic.fcgi.pid"
}

start_worker() {
    alive cic-worker "$dir/cic.yaml" && return 0
    (umask 0027; exec setsid "$bin/cic-worker" --config "$dir/cic.yaml" >> "$dir/log/cic-worker.log" 2>&1 < /dev/null) &
    echo $! > "$dir/cic-worker.pid"
}

healthy() { curl --silent --fail --output /dev/null "$CIC_URL/image_creation/health"; }
# healthy, or somebody has ended and waiting is of no use
settled() { healthy || ! alive cic.fcgi "$dir/cic.yaml" || ! alive cic-worker "$dir/cic.yaml"; }

start() {
    [ -s "$dir/cic.yaml" ] || die "$dir/cic.yaml is missing."
    [ "${#dir}" -le 95 ] || die "the path $dir is too long for a Unix socket in it; use a shorter one."
    mkdir -p "$dir/log" "$dir/tmp" "$dir/nginx"
    write_credentials
    start_worker
    start_fcgi
    start_nginx
    # shellcheck disable=SC1091
    . "$dir/instance.env"
    wait_for 30 settled || :
    healthy && return 0
    alive cic-worker "$dir/cic.yaml" || failed cic-worker
    failed cic.fcgi
}

# end NAME WORD - TERM, ten seconds, KILL
end() {
    alive "$1" "$2" || { rm -f "$dir/$1.pid"; return 0; }
    kill "$pid" 2> /dev/null || :
    wait_for 10 gone "$1" "$2" || kill -KILL "$pid" 2> /dev/null || :
    rm -f "$dir/$1.pid"
}
gone() { ! alive "$1" "$2"; }

# Builds outlive their worker; their lock files name them.
end_builds() {
    for lock in "$dir"/data/builds/*/lock; do
        [ -s "$lock" ] || continue
        pid=$(cat "$lock")
        case $(words_of "$pid") in
            *cic-build*"${lock%/lock}"*) kill "$pid" || : ;;
        esac
    done
}

stop() {
    end nginx "$dir/nginx.conf"
    end cic.fcgi "$dir/cic.yaml"
    end cic-worker "$dir/cic.yaml"
    end_builds
}

case ${1-} in
    --help|-h) usage; exit 0 ;;
    start|stop) ;;
    *) die "say start or stop (--help tells more)." 2 ;;
esac
[ $# -eq 2 ] || die "say one folder (--help tells more)." 2
[ -d "$2" ] || { [ "$1" = stop ] && exit 0; die "there is no folder $2."; }
dir=$(CDPATH='' cd -- "$2" && pwd)
"$1"
