#!/bin/sh
# registry.sh - an image registry of a test's own: the real docker-registry, on a free port of 127.0.0.1.
#
# usage: registry.sh start DIR [--password] [--tls]
#        registry.sh stop DIR     stops it; does nothing when it does not run
#   DIR          everything of the registry is kept here, its images too; two registries need two of them
#   --password   only the user it prints may push and pull
#   --tls        it speaks https, with a certificate of an authority of its own
#
# Output of start: settings, NAME=value, to be read by a shell: IMAGE_REGISTRY (127.0.0.1:port), IMAGE_REGISTRY_USER and
# IMAGE_REGISTRY_PASSWORD ('' without --password), IMAGE_REGISTRY_CA (a file; '' without --tls).  A second start of one
# that runs prints them again.
#
# Exit codes: 0 fine, 1 it does not come up (the end of DIR/log is shown), 2 wrong usage.
set -eu

PROG=registry.sh
START_SECONDS=20
STOP_SECONDS=10

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }

# our_pid - the registry's process, if it is ours and runs
our_pid() {
    [ -s "$dir/pid" ] || return 1
    pid=$(cat "$dir/pid")
    { tr '\0' '\n' < "/proc/$pid/cmdline"; } 2> /dev/null | grep -qxF -- "$dir/config.yml" || return 1
    printf '%s\n' "$pid"
}

random_word() { od -An -N12 -tx1 /dev/urandom | tr -d ' \n'; }

make_password() {
    user=cic-$(random_word | cut -c1-6) word=$(random_word)
    salt=$(random_word | cut -c1-21)
    # The registry takes bcrypt only.  The password is not an argument: those can be seen by everybody.
    printf '%s' "$word" | perl -e 'my $word = <STDIN>; print "$ARGV[0]:", crypt($word, "\$2b\$05\$$ARGV[1]."), "\n"' \
        "$user" "$salt" > "$dir/htpasswd"
    grep -q ':\$2b\$05\$' "$dir/htpasswd" || die "perl's crypt() makes no bcrypt here."
}

openssl_quiet() { openssl "$@" 2> "$dir/openssl.log" || { cat "$dir/openssl.log" >&2; die "openssl failed."; }; }

make_certificate() {
    ca=$dir/ca.pem
    openssl_quiet req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$dir/ca.key" -out "$ca" \
        -subj '/CN=authority of a test' -days 30
    openssl_quiet req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$dir/key.pem" -out "$dir/request" \
        -subj '/CN=registry of a test'
    printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n' > "$dir/extensions"
    openssl_quiet x509 -req -in "$dir/request" -CA "$ca" -CAkey "$dir/ca.key" -CAcreateserial -days 30 \
        -extfile "$dir/extensions" -out "$dir/cert.pem"
}

write_config() {
    printf 'version: 0.1\nlog:\n  level: info\n  accesslog:\n    disabled: false\n'
    printf 'storage:\n  filesystem:\n    rootdirectory: %s\n  delete:\n    enabled: true\n' "$dir/data"
    # Port 0: the system chooses one that is free.
    printf 'http:\n  addr: 127.0.0.1:0\n  secret: %s\n' "$(random_word)"
    [ -z "$ca" ] || printf '  tls:\n    certificate: %s\n    key: %s\n' "$dir/cert.pem" "$dir/key.pem"
    [ -z "$user" ] || printf 'auth:\n  htpasswd:\n    realm: a test\n    path: %s\n' "$dir/htpasswd"
}

# The port it has got stands in its log.
port() { sed -n 's/.*listening on 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' "$dir/log" | head -n 1; }

start() {
    command -v docker-registry > /dev/null ||
        die "docker-registry is missing: conf/setup/packages.sh check installs it."
    if our_pid > /dev/null; then cat "$dir/settings"; return; fi
    user='' word='' ca=''
    umask 077
    [ "$password" = no ] || make_password
    [ "$tls" = no ] || make_certificate
    write_config > "$dir/config.yml"
    : > "$dir/log"
    # In a session of its own, and without the caller's descriptors: nobody waits for it to end.
    setsid docker-registry serve "$dir/config.yml" < /dev/null > "$dir/log" 2>&1 \
        3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    started=$!
    printf '%s\n' "$started" > "$dir/pid"
    deadline=$(($(date +%s) + START_SECONDS))
    until [ -n "$(port)" ]; do
        if ! kill -0 "$started" 2> /dev/null || [ "$(date +%s)" -ge "$deadline" ]; then
            tail -n 20 "$dir/log" >&2
            stop
            die "the registry did not come up; the end of its log stands above."
        fi
        sleep 0.05
    done
    printf "IMAGE_REGISTRY='127.0.0.1:%s'\nIMAGE_REGISTRY_USER='%s'\nIMAGE_REGISTRY_PASSWORD='%s'\nIMAGE_REGISTRY_CA='%s'\n" \
        "$(port)" "$user" "$word" "$ca" > "$dir/settings"
    cat "$dir/settings"
}

stop() {
    running=$(our_pid) || return 0
    kill "$running" 2> /dev/null || :
    stop_deadline=$(($(date +%s) + STOP_SECONDS))
    while our_pid > /dev/null; do
        if [ "$(date +%s)" -ge "$stop_deadline" ]; then kill -9 "$running" 2> /dev/null || :; break; fi
        sleep 0.05
    done
    rm -f "$dir/pid"
}

case ${1:-} in --help|-h) usage; exit 0 ;; start|stop) verb=$1 ;; *) die "say start or stop (--help tells more)." 2 ;; esac
shift
[ $# -ge 1 ] || die "say one folder (--help tells more)." 2
folder=$1
shift
password=no tls=no
for option in "$@"; do
    case $verb$option in
        start--password) password=yes ;;
        start--tls) tls=yes ;;
        *) die "\"$option\" is not an option of $verb (--help tells more)." 2 ;;
    esac
done
if [ "$verb" = stop ] && [ ! -d "$folder" ]; then exit 0; fi
mkdir -p "$folder"
dir=$(CDPATH='' cd -- "$folder" && pwd)
"$verb"
