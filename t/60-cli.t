#!/bin/sh
# Goal: cic_cli takes the original's words and prints what the original prints; its password is in no argument list.
. "$(dirname "$0")/lib.sh"
REGISTRY=$top/t/data/registry
rig podman
config podman builtin
start
request cases ok > "$T/request.json"
file=cases_ok_x86_64_nompi_nogpu_v_latest.sif
cd "$T" || exit 1

for shell in dash bash; do
    cli() { "$shell" "$top/cic_cli" "$CIC_USER" "$CIC_PASSWORD" "$CIC_URL" "$@"; }
    answer=$(cli build request.json)
    like "$answer" 'Response:
{"id":"????????-????-????-????-????????????"}*' "$shell: build prints Response: and the id"
    id=$(printf '%s\n' "$answer" | tail -n +2 | field id)
    ok "$shell: the build ends" test "$(state_at_end "$id")" = FINISHED
    is "$(cli status "$id")" "Response:
{\"filename\":\"$file\",\"image_id\":\"${IMAGES}cases_ok_x86_64_nompi_nogpu:latest\",\"message\":null,\"status\":\"FINISHED\"}" \
        "$shell: status prints the four keys in their order"
    rm -f "$file"
    ok "$shell: download" cli download "$file"
    ok "$shell: the file is what the service has" cmp "$file" "$T/images/$file"
    answer=$(cli download nothing.sif 2>&1)
    is "$? $(ls -A | grep -c nothing)" "1 0" "$shell: a file that is not there: exit status 1, nothing saved"
    answer=$(cli status 00000000-0000-4000-8000-000000000000)
    is "$?" 1 "$shell: an unknown build: exit status 1"
    like "$answer" '*no build has the id*' "$shell: and the server's words"
    "$shell" "$top/cic_cli" "$CIC_USER" wrong "$CIC_URL" status "$id" > out 2>&1
    is "$?" 1 "$shell: a wrong password: exit status 1"
    cli build no-such-file > out 2>&1
    is "$?" 2 "$shell: no such request file: exit status 2"
    cli frobnicate x > out 2>&1
    is "$?" 2 "$shell: an unknown action: exit status 2"
    cli download ../etc/passwd > out 2>&1
    is "$?" 2 "$shell: a path is no file name"
    "$shell" "$top/cic_cli" u p "http://127.0.0.1:1" status "$id" > out 2>&1
    is "$?" 1 "$shell: nobody listens: exit status 1"
done
like "$("$top/cic_cli" --help)" 'usage: cic_cli USER PASSWORD URL build*' "--help"

# a password with everything that means something to shells and to curl
# shellcheck disable=SC2016 # literally
odd='a"b\c $d`e'"'"'f:g %s é'
printf 'odd:%s\n' "$(printf '%s' "$odd" | openssl passwd -apr1 -stdin)" >> "$T/htpasswd"
like "$("$top/cic_cli" odd "$odd" "$CIC_URL" status "$id")" '*FINISHED*' "an odd password works"

# curl's arguments, seen by everybody on the machine
mkdir "$T/bin"
# shellcheck disable=SC2016
printf '#!/bin/sh\nprintf "%%s\\n" "$@" > "%s/argv"\nexec %s "$@"\n' "$T" "$(command -v curl)" > "$T/bin/curl"
chmod +x "$T/bin/curl"
PATH=$T/bin:$PATH "$top/cic_cli" "$CIC_USER" "$CIC_PASSWORD" "$CIC_URL" status "$id" > out
is "$(grep -c -e "$CIC_PASSWORD" "$T/argv") $(grep -c . "$T/argv")" "0 $(grep -c . "$T/argv")" "the password is not among curl's arguments"
is "$(grep -cxE -e '-k|--insecure' "$T/argv")" 0 "certificates are verified"
done_testing
