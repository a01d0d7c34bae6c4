#!/bin/sh
# network.sh - a site's network on loopback: git servers by https, http and ssh, and a proxy.
#
# usage: network.sh start DIR REPOSITORIES   REPOSITORIES is a folder of bare repositories
#        network.sh stop DIR                 end what was started; does nothing when nothing runs
#
# Everything is kept in DIR. start prints settings, NAME=value, to be read by a shell:
#
#   NET_HTTPS, NET_HTTP    127.0.0.1:PORT; below it
#                            /open/NAME.git       for everybody
#                            /private/NAME.git    for NET_USER with NET_TOKEN
#                            /forbidden/          403
#                            /elsewhere/NAME.git  sends on to https://localhost:PORT/private/, another host to a client
#   NET_CA                 the authority of the https server, PEM
#   NET_REQUESTS           log of the web server: host, user or "-", request, status
#   NET_SEEN               what /private/ saw: the command lines of every process of the machine meanwhile
#   NET_PROXY              127.0.0.1:PORT of a proxy, and NET_PROXY_LOG
#   NET_SSH                USER@127.0.0.1:PORT, and NET_SSH_KEY, NET_KNOWN_HOSTS
#   NET_SILENT             127.0.0.1:PORT of somebody who takes connections and says nothing
#
# Exit codes: 0 fine, 1 something did not start (a sentence says what), 2 wrong usage.
set -eu

PROG=network.sh
PATH=$PATH:/usr/sbin:/sbin
TRIES=20

die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }
# A number between 30000 and 39999; who listens finds out whether it is free.
random_port() { echo $((30000 + $(od -An -N2 -tu2 /dev/urandom) % 10000)); }

# wait_for SECONDS COMMAND... - until it succeeds
wait_for() {
    tries=$(($1 * 20))
    shift
    until "$@" > /dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}
alive() { [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status"; }
gone() { ! alive "$1"; }
# accepts PORT - does somebody listen there?
accepts() { perl -MIO::Socket::INET -e 'IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or exit 1' "$1"; }
settled() { gone "$pid" || accepts "$port"; }

# serve NAME WRITE-CONFIG COMMAND... - start a server on a free port: WRITE-CONFIG writes its settings for $port
serve() {
    name=$1 write=$2
    shift 2
    left=$TRIES
    while :; do
        port=$(random_port)
        ! accepts "$port" || continue
        "$write"
        setsid "$@" >> "$dir/$name.log" 2>&1 < /dev/null &
        pid=$!
        echo "$pid" > "$dir/$name.pid"
        wait_for 10 settled || :
        if alive "$pid" && accepts "$port"; then return; fi
        kill "$pid" 2> /dev/null || :
        left=$((left - 1))
        [ "$left" -gt 0 ] || { tail -n 5 "$dir/$name.log" >&2; die "$name did not start; the end of its log stands above."; }
    done
}

write_port() { echo "$port" > "$dir/silent.port"; }

# ---- certificates, passwords, keys

secrets() {
    token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    printf 'site:%s\n' "$(printf '%s' "$token" | openssl passwd -apr1 -stdin)" > "$dir/htpasswd"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=authority of a test' -keyout "$dir/ca.key" \
        -out "$dir/ca.pem" 2> /dev/null
    openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout "$dir/server.key" -out "$dir/server.csr" 2> /dev/null
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > "$dir/server.ext"
    openssl x509 -req -days 2 -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
        -extfile "$dir/server.ext" -out "$dir/server.pem" 2> /dev/null
    for key in host_key user_key; do ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/$key"; done
}

# ---- git by https and http

# git's own server; first it looks around for what must not be seen.
write_cgi() {
    cat > "$dir/git.cgi" <<END
#!/bin/sh
case \$REQUEST_URI in /private/*) cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\\0' ' ' >> '$dir/seen' ;; esac
exec git http-backend
END
    chmod 755 "$dir/git.cgi"
}

write_nginx() {
    http_port=$((port < 39999 ? port + 1 : port - 1))
    # as root, nginx would read the files as somebody who may not enter this folder
    if [ "$(id -u)" -eq 0 ]; then user='user root root;'; else user=''; fi
    cat > "$dir/git.conf" <<END
	fastcgi_pass unix:$dir/cgi.sock;
	fastcgi_param SCRIPT_FILENAME $dir/git.cgi;
	fastcgi_param REQUEST_URI \$uri;
	fastcgi_param REQUEST_METHOD \$request_method;
	fastcgi_param QUERY_STRING \$query_string;
	fastcgi_param CONTENT_TYPE \$content_type;
	fastcgi_param HTTP_GIT_PROTOCOL \$http_git_protocol;
	fastcgi_param HTTP_CONTENT_ENCODING \$http_content_encoding;
	fastcgi_param GIT_PROJECT_ROOT $repositories;
	fastcgi_param GIT_HTTP_EXPORT_ALL 1;
	fastcgi_param REMOTE_ADDR \$remote_addr;
END
    cat > "$dir/nginx.conf" <<END
$user
daemon off;
worker_processes 1;
pid $dir/nginx.own.pid;
events { worker_connections 64; }
http {
	log_format who '\$host \$remote_user \$request \$status';
	access_log $dir/requests who;
	client_body_temp_path $dir/body;
	proxy_temp_path $dir/body;
	fastcgi_temp_path $dir/body;
	uwsgi_temp_path $dir/body;
	scgi_temp_path $dir/body;
	server {
		listen 127.0.0.1:$port ssl;
		listen 127.0.0.1:$http_port;
		ssl_certificate $dir/server.pem;
		ssl_certificate_key $dir/server.key;
		location ~ ^/open(/.*)\$ {
			fastcgi_param PATH_INFO \$1;
			include $dir/git.conf;
		}
		location ~ ^/private(/.*)\$ {
			auth_basic site;
			auth_basic_user_file $dir/htpasswd;
			fastcgi_param PATH_INFO \$1;
			include $dir/git.conf;
		}
		location /forbidden/ { return 403; }
		location ~ ^/elsewhere(/.*)\$ { return 302 https://localhost:$port/private\$1?\$args; }
	}
}
END
}

start_web() {
    write_cgi
    setsid fcgiwrap -s "unix:$dir/cgi.sock" >> "$dir/fcgiwrap.log" 2>&1 < /dev/null &
    echo $! > "$dir/fcgiwrap.pid"
    wait_for 10 test -S "$dir/cgi.sock" || die "fcgiwrap did not start; see $dir/fcgiwrap.log."
    serve nginx write_nginx nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/nginx.log"
    https=$port http=$http_port
}

# ---- the proxy

write_proxy() {
    printf 'Port %s\nListen 127.0.0.1\nAllow 127.0.0.1\nLogFile "%s"\nLogLevel Connect\nTimeout 60\nMaxClients 20\n' \
        "$port" "$dir/proxy.requests" > "$dir/proxy.conf"
}

# ---- ssh

write_sshd() {
    # with PAM, root may come in by key even where root has no password
    if [ "$(id -u)" -eq 0 ]; then pam=yes; else pam=no; fi
    cat > "$dir/sshd.conf" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $dir/host_key
PidFile none
AuthorizedKeysFile $dir/user_key.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM $pam
END
    printf '[127.0.0.1]:%s %s\n' "$port" "$(cat "$dir/host_key.pub")" > "$dir/known_hosts"
}

# ---- the whole

start() {
    umask 077
    mkdir -p "$dir"
    secrets
    start_web
    serve proxy write_proxy tinyproxy -d -c "$dir/proxy.conf"
    proxy=$port
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd     # sshd keeps an empty folder there
    serve sshd write_sshd "$(command -v sshd)" -D -e -f "$dir/sshd.conf"
    ssh=$port
    # shellcheck disable=SC2016 # perl
    serve silent write_port perl -MIO::Socket::INET -e 'open $f, "<", shift; chomp($port = <$f>);
        $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1:$port") or die; while () { push @all, $s->accept }' \
        "$dir/silent.port"
    cat <<END
NET_HTTPS='127.0.0.1:$https'
NET_HTTP='127.0.0.1:$http'
NET_CA='$dir/ca.pem'
NET_USER='site'
NET_TOKEN='$token'
NET_REQUESTS='$dir/requests'
NET_SEEN='$dir/seen'
NET_PROXY='127.0.0.1:$proxy'
NET_PROXY_LOG='$dir/proxy.requests'
NET_SSH='$(id -un)@127.0.0.1:$ssh'
NET_SSH_KEY='$dir/user_key'
NET_KNOWN_HOSTS='$dir/known_hosts'
NET_SILENT='127.0.0.1:$port'
END
}

stop() {
    for file in "$dir"/nginx.pid "$dir"/fcgiwrap.pid "$dir"/proxy.pid "$dir"/sshd.pid "$dir"/silent.pid; do
        [ -s "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2> /dev/null || :
        wait_for 10 gone "$pid" || kill -KILL "$pid" 2> /dev/null || :
        rm -f "$file"
    done
}

case ${1-} in
    start) [ $# -eq 3 ] || die "start wants DIR and REPOSITORIES." 2
           dir=$2 repositories=$3
           start ;;
    stop)  [ $# -eq 2 ] || die "stop wants DIR." 2
           dir=$2
           stop ;;
    --help|-h) sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0" ;;
    *) die "say start or stop (--help tells more)." 2 ;;
esac
