#!/bin/sh
# Goal: on a terminal cic_cli asks for what it was not told, echoes no password, leaves the terminal as it was however it
# ends, rewrites one line while it waits, and says after Ctrl-C that the build goes on.  Credentials come from the
# environment, from ~/.netrc, or from there.
. "$(dirname "$0")/lib.sh"

mkdir "$T/bad" "$T/home"
perl "$top/t/rig/bad_server.pl" "$T/bad" &
bad_pid=$!
wait_for 10 test -s "$T/bad/port"
CIC_URL=http://127.0.0.1:$(cat "$T/bad/port")
HOME=$T/home TMPDIR=$T TERM=xterm
export CIC_URL HOME TMPDIR TERM
unset CIC_TOKEN CIC_USER CIC_PASSWORD

reply() { printf 'HTTP/1.1 %s\nContent-Type: application/json\n\n%s\n' "$2" "$3" > "$T/bad/$1"; }
record() {
    printf '{"id":"%s","rev":%s,"state":"%s","message":"","excerpt":"","file":"a.sif","size":1500000,"created":%s000,"started":1,"ended":2001,"progress":{"stage":"build","step":%s,"steps":9,"step_name":"spack","package":"a-package-with-a-name-that-is-longer-than-any-terminal-is-wide-and-does-not-end-before-it","packages_done":1,"packages":112,"output":0},"request":{"workflow":"w","step_id":"s","machine":{"architecture":"zen3"}}}' \
        "$id" "$2" "$1" "$(($(date +%s) - 75))" "$2"
}
# on_terminal WORDS... - a shell on a terminal runs cic_cli with them, then tells the exit status and the terminal's state.
# What is typed goes to descriptor 9, what is seen is in $T/seen.
on_terminal() {
    rm -f "$T/keys" "$T/seen" "$T/after"
    mkfifo "$T/keys"
    # the shell lives through Ctrl-C to tell what is left
    cat > "$T/session.sh" <<END
trap : INT
"$shell" "$top/cic_cli" $*
echo "status \$?"
stty -a > "$T/after"
END
    # in the background a shell has Ctrl-C ignored
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' script -qfec "sh $T/session.sh" "$T/seen" < "$T/keys" > /dev/null 2>&1 &
    terminal_pid=$!
    exec 9> "$T/keys"
}
sees() { wait_for 10 grep -qF -- "$1" "$T/seen"; }
type_keys() { printf '%b' "$1" >&9; }
# the end of the session: sets seen, and echo ("yes": the terminal echoes what is typed)
hang_up() {
    wait_for 20 test -s "$T/after" || kill "$terminal_pid"
    exec 9>&-
    wait "$terminal_pid"
    seen=$(tr -d '\r' < "$T/seen" | sed -e '/^Script /d')
    if grep -q '[; ]echo[; ]' "$T/after"; then echo=yes; else echo=no; fi
}
last_user() { tail -n 1 "$T/bad/requests" | cut -d' ' -f4; }

for shell in dash bash; do
    # the stand-in counts requests for each address
    id=1b4e28ba-2fa1-41d2-883f-00000000$shell
    rm -f "$T"/bad/GET* "$T/home/.netrc"
    reply GET_image_creation_whoami '200 OK' '{"user":"demo","admin":false,"token":false}'

    on_terminal whoami
    sees 'User for 127.0.0.1: '
    type_keys 'dora\n'
    sees 'Password of dora: '
    type_keys 's3cr3t\n'
    hang_up
    like "$seen" '*demo
status 0*' "$shell: user and password are asked for"
    is "$(last_user) $(printf '%s' "$seen" | grep -c s3cr3t) $echo" "dora 0 yes" "$shell: the password is not echoed, and then the terminal echoes again"

    CIC_USER=anna
    export CIC_USER
    on_terminal whoami
    sees 'Password of anna: '
    type_keys '\003'
    hang_up
    like "$seen $echo" '*status 130* yes' "$shell: Ctrl-C at the prompt: the terminal echoes again"
    unset CIC_USER

    on_terminal whoami --no-prompt
    hang_up
    like "$seen" '*no credentials: set CIC_TOKEN*status 2*' "$shell: --no-prompt: it is said what to set"
    setsid "$shell" "$top/cic_cli" whoami > "$T/out" 2>&1 < /dev/null
    like "$? $(cat "$T/out")" '2 *no credentials: set CIC_TOKEN*' "$shell: without a terminal, too"

    printf 'machine other login x password y\nmachine 127.0.0.1\n  login nora password n3trc\n' > "$T/home/.netrc"
    chmod 600 "$T/home/.netrc"
    "$shell" "$top/cic_cli" whoami > "$T/out" 2>&1 < /dev/null
    is "$? $(last_user)" "0 nora" "$shell: ~/.netrc"
    CIC_USER=anna CIC_PASSWORD='' "$shell" "$top/cic_cli" whoami > "$T/out" 2>&1 < /dev/null
    is "$? $(last_user)" "0 anna" "$shell: CIC_USER wins; a password may be empty"
    CIC_USER=anna CIC_PASSWORD=x CIC_TOKEN=cic_abc "$shell" "$top/cic_cli" whoami > "$T/out" 2>&1 < /dev/null
    is "$? $(last_user)" "0 cic_abc" "$shell: CIC_TOKEN wins over both"
    "$shell" "$top/cic_cli" whoami --url "http://me:pw@127.0.0.1" > "$T/out" 2>&1
    is "$?" 2 "$shell: no password in the address"

    # one line, as wide as the terminal, written anew
    reply "GET_image_creation_builds_$id.1" '200 OK' "$(record BUILDING 1)"
    reply "GET_image_creation_builds_$id.2" '200 OK' "$(record BUILDING 2)"
    reply "GET_image_creation_builds_$id" '200 OK' "$(record FINISHED 3)"
    on_terminal "status $id --wait"
    hang_up
    like "$seen" '*FINISHED  a.sif  1.5 MB  in 2 s*status 0*' "$shell: --wait ends with the file"
    is "$(grep -c '[[]1:1[5-9]] build [12]/9 spack, package 1/112: a-package' "$T/seen") $(tr '\r' '\n' < "$T/seen" |
        sed "s/$(printf '\033')\\[K//g" | awk '/^\[1:/ { n++; if (length($0) > 79) long++ } END { print n, long + 0 }')" "1 2 0" \
        "$shell: progress is one line, no longer than the terminal is wide"

    reply "GET_image_creation_builds_$id" '200 OK' "$(record BUILDING 3)"
    on_terminal "status $id --wait"
    sees 'build 3/9'
    type_keys '\003'
    hang_up
    like "$seen $echo" "*the build goes on.*cic_cli status $id --wait*cic_cli cancel $id*status 130* yes" "$shell: Ctrl-C: the build goes on, and how to look at it"
    is "$(find "$T" -maxdepth 1 -name 'cic_cli.*')" "" "$shell: nothing is left behind"
    rm -f "$T/home/.netrc"
done
kill "$bad_pid"
done_testing
