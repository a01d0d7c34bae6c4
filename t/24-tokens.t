#!/bin/sh
# Goal: an API token is its owner, for the API and for downloads, until it expires or is revoked; nobody can forge an
# owner; and the token itself stands in no log and not in the store.
# No build is run here: the worker is stopped at once.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/downloads.sh"
rig podman
config podman builtin
start
kill "$(pid_of cic-worker)"
json='Content-Type: application/json'
password=$CIC_PASSWORD demo=$CIC_USER
add_user other
download_files
day=86400000

# become USER [PASSWORD] - who asks from here on
become() { CIC_USER=$1 CIC_PASSWORD=${2-anything}; }
tokens() { api POST /tokens --header "$json" --data-binary "$1"; }
# answer STATUS WORDS WHAT
answer() { like "$code $body" "$1 $2" "$3"; }
whoami() { api GET /whoami "$@"; }
listed() { api GET /tokens; printf '%s' "$body" | jq ".tokens | length"; }

# ---- made and used
whoami
is "$code $body" "200 {\"user\":\"$demo\",\"admin\":false,\"token\":false}" "whoami with a password"
tokens '{"name":"laptop","days":90}'
is "$code $(printf '%s' "$body" | jq -c keys_unsorted)" '201 ["id","name","token","created","expires"]' "a token: 201"
token=$(printf '%s' "$body" | field token) id=$(printf '%s' "$body" | field id)
is "$(printf '%s' "$token" | grep -cE '^cic_[A-Za-z0-9_-]{43}$')" 1 "cic_ and 43 characters"
is "$(printf '%s' "$body" | jq '.expires - .created')" "$((90 * day))" "for 90 days"
is "$(listed)" 1 "it is listed"
api GET /tokens
is "$(printf '%s' "$body" | jq -c '.tokens[0] | [keys_unsorted, .id, .name]')" \
    "[[\"id\",\"name\",\"created\",\"expires\"],\"$id\",\"laptop\"]" "without the token itself"
build=$(submit nowhere nothing)

become "$token"
whoami
is "$code $body" "200 {\"user\":\"$demo\",\"admin\":false,\"token\":true}" "whoami with the token, any password"
become "$token" ''
whoami
is "$code" 200 "or none"
is "$(submit nowhere nothing)" "$build" "a build asked for with the token is its owner's"
api GET "/builds/$build"
is "$code $(printf '%s' "$body" | jq -c .owners)" "200 [\"$demo\"]" "and so is its record"
is "$(header cic-owner)" "" "what the log is told does not get out"
api GET "/build/$build"
is "$code" 200 "the status of a build"
downloads token 405
replaced_download
become "$demo" "$password"
downloads password 405
become "$token" ''

# ---- what it is not
token_2=${token%?}$(case $token in *A) echo B ;; *) echo A ;; esac)
for bad in "$token_2" "${token%?}" "${token}A" cic_ cic_nobody; do
    become "$bad"
    api GET "/build/$build"
    answer 401 '*urn:cic:problem:unauthorized*' "no token, $(printf '%s' "$bad" | wc -c) bytes: 401"
    is "$(header www-authenticate)" 'Basic realm="image creation"' "with the challenge"
    api GET /images/download/a_b.sif
    is "$code [$body] $(header www-authenticate)" '401 [] Basic realm="image creation"' "its download: 401, no body, the challenge"
done
as ''
whoami
is "$code $(printf '%s' "$body" | field type)" "401 urn:cic:problem:unauthorized" "no name: 401, as a problem"
like "$headers" '*WWW-Authenticate: Basic*' "with the challenge"
become "$demo" "$token"
whoami
is "$code" 401 "a token is no password"

# ---- forged
# a header or a parameter is not an owner; nginx's own addresses are not there for others
become "$token_2"
whoami --header 'Cic-Owner: other' --header 'Remote-User: other' --header 'Remote_User: other' \
    --header 'X-Remote-User: other' --header 'Cic-Handoff: X-Accel-Redirect'
is "$code" 401 "no header makes an owner"
become "$demo" "$password"
whoami --header 'Cic-Owner: other' --header 'Remote-User: other' --header 'Remote_User: other' --header 'REMOTE-USER: other'
is "$(printf '%s' "$body" | field user)" "$demo" "nor another one"
api GET '/whoami?REMOTE_USER=other&user=other'
is "$(printf '%s' "$body" | field user)" "$demo" "nor does a query"
# a user of that name in the password file
printf '%s:%s\n' cic_ann "$(printf '%s' pw | openssl passwd -apr1 -stdin)" >> "$T/htpasswd"
become cic_ann pw
whoami
is "$code" 401 "a user named like a token is nobody"
api GET /images/download/a_b.sif
is "$code" 401 "and downloads nothing"
become "$demo" "$password"
for path in /internal/token /internal/ /internal "/internal/log/$build" /%69nternal/token /x/../internal/token //internal/token \
    "/internal/token?x" "/internal/log/$build?" /internal%2ftoken; do
    api GET "$path" --path-as-is
    is "$code" 404 "$path from outside: 404"
done
# nginx takes it for /health and asks no name; nobody has one there
for who in "$token" "$demo"; do
    become "$who" "$password"
    api GET '/builds/..%2fhealth' --path-as-is
    is "$code $(header cic-owner)" "401 " "an address that only nginx takes for an open one: 401"
done
# straight to cic.fcgi, as a wrong web server would
fcgi() {
    env -i "$@" REQUEST_METHOD=GET REQUEST_URI="$PREFIX/whoami" cgi-fcgi -bind -connect "$T/fcgi.sock" < /dev/null |
        tr -d '\r' | sed -n 's/^Status: //p; s/^{"user":"\([^"]*\)".*/\1/p; s/^Cic-Owner/&/p' | paste -s -d ' '
}
basic() { printf 'Basic %s' "$(printf '%s' "$1" | base64 -w 0)"; }
is "$(fcgi HTTP_AUTHORIZATION="$(basic "$demo:$password")")" "401 Unauthorized" "an unchecked password names nobody"
is "$(fcgi HTTP_AUTHORIZATION="$(basic "$token:x")")" "200 OK Cic-Owner: $demo $demo" "an unchecked token names its owner"
is "$(fcgi HTTP_AUTHORIZATION="basic   $(printf '%s' "$token:x" | base64 -w 0)")" "200 OK Cic-Owner: $demo $demo" "scheme in lower case"
for bad in Basic 'Basic ' 'Basic =' 'Basic Y2lj' 'Basic Y2ljXw==' "Bearer $token" "Basic $token" "$(basic "x$token:x")" \
    "$(basic "$(printf '%0500d' 0)")" "$(basic "$(printf 'cic_%0500d' 0)")" "$(basic "$(printf 'cic_\r\nCic-Owner: x')")"; do
    is "$(fcgi HTTP_AUTHORIZATION="$bad")" "401 Unauthorized" "Authorization $(printf '%.20s' "$bad" | tr -d '\r\n'): 401"
done
is "$(fcgi REMOTE_USER="$(printf 'a\r\nCic-Owner: x')")" "400 Bad Request" "a line end in a user name: 400"
is "$(fcgi REMOTE_USER="$(printf '%0300d' 0)")" "400 Bad Request" "a user name too long: 400"
is "$(fcgi REMOTE_USER="$demo" HTTP_AUTHORIZATION="$(basic "$token_2:x")")" "200 OK Cic-Owner: $demo $demo" \
    "who was checked counts, not what is beside it"
is "$(fcgi REMOTE_USER="$token_2" HTTP_AUTHORIZATION="$(basic "$token:x")")" "401 Unauthorized" "even when it is no token"

# ---- what a request may say
become "$demo" "$password"
bad() { tokens "$1"; answer 400 "$2" "$3"; }
bad '{}' '*"field":"name"*' "no name: 400"
bad '{"name":""}' '*"field":"name"*' "an empty name"
bad '{"name":7}' '*"field":"name"*' "a number as name"
bad "{\"name\":\"$(printf '%065d' 0)\"}" '*64 bytes*"field":"name"*' "a name too long"
bad '{"name":"a\r\nSet-Cookie: x"}' '*control*"field":"name"*' "CR and LF in a name"
bad '{"name":"a\u0000"}' '*NUL*' "NUL in a name"
bad '{"name":"a\u0085b"}' '*control*' "a C1 control in a name"
bad '{"name":"a","days":0}' '*1 to 365*"field":"days"*' "no day"
bad '{"name":"a","days":366}' '*"field":"days"*' "more than a year"
bad '{"name":"a","days":1.5}' '*"field":"days"*' "a day and a half"
bad '{"name":"a","days":"90"}' '*"field":"days"*' "days as text"
bad '[]' '*an object*' "an array"
bad 'x' '*not JSON*' "no JSON"
api POST /tokens
answer 411 '*length-required*' "no body: 411"
is "$(listed)" 1 "nothing was made"
tokens '{"name":"<b>\"é"}'
is "$code $(printf '%s' "$body" | field name)" '201 <b>"é' "any other text is a name"
is "$(printf '%s' "$body" | jq '.expires - .created')" "$((90 * day))" "for 90 days, when nothing is said"
second=$(printf '%s' "$body" | field token) second_id=$(printf '%s' "$body" | field id)

# ---- a token with a token
tokens '{"name":"short","days":1}'
short=$(printf '%s' "$body" | field token) ends=$(printf '%s' "$body" | jq .expires)
become "$short"
tokens '{"name":"long","days":2}'
answer 403 '*forbidden*outlive*' "a token makes none that outlives it"
tokens '{"name":"child"}'
is "$code $(printf '%s' "$body" | jq .expires)" "201 $ends" "nothing said: as long as it lives"

# ---- others
become other pw
is "$(listed)" 0 "another user sees none of them"
for path in "/tokens/$id" /tokens/x /tokens/../build "/tokens/%2e" /tokens/00000000-0000-4000-8000-000000000000; do
    api DELETE "$path" --path-as-is
    is "$code" 404 "he deletes none: $path"
done
api DELETE /tokens
is "$code" 405 "nor all of them"
api GET "/tokens/$id"
is "$code" 405 "GET of one: 405"
become "$token"
whoami
is "$code" 200 "and it lives on"

# ---- revoked
become "$second"
api DELETE "/tokens/$second_id"
is "$code [$body]" "204 []" "a token revokes itself"
whoami
is "$code" 401 "and is none at once"
become "$demo" "$password"
api DELETE "/tokens/$id"
is "$code" 204 "revoked with the password"
become "$token"
whoami
is "$code" 401 "the API: 401"
api GET /images/download/a_b.sif
is "$code [$body]" "401 []" "a download: 401"
become "$demo" "$password"
api DELETE "/tokens/$id"
is "$code" 404 "a second time: 404"

# ---- expired: its time in the store is set back, in place
perl -e 'my ($file, $ends) = @ARGV; open my $f, "+<", $file or die; local $/; my $all = <$f>; my $n = 0;
    while ($all =~ /"expires":\Q$ends\E/g) { seek $f, pos($all) - 13, 0; print $f "1000000000000"; $n++ } exit !$n' \
    "$T/data/db/data.mdb" "$ends"
is "$(listed)" 0 "expired ones are not listed"
become "$short"
whoami
answer 401 '*expired*' "the API: 401"
api GET /images/download/a_b.sif
is "$code [$body]" "401 []" "a download: 401"

# ---- fifty
become "$demo" "$password"
made=0
while [ "$made" -lt 50 ]; do
    tokens "{\"name\":\"t$made\"}"
    [ "$code" = 201 ] || break
    made=$((made + 1))
done
is "$made" 50 "fifty tokens"
tokens '{"name":"more"}'
answer 409 '*conflict*50 tokens*' "and no more: 409"
is "$(listed)" 50 "they are listed"

# ---- without cic.fcgi: a download by password does not need it
kill "$(pid_of cic.fcgi)"
wait_for 10 is_gone "$(pid_of cic.fcgi)"
become "$demo" "$password"
api GET /images/download/a_b.sif
is "$code $body" "200 0123456789" "cic.fcgi is away: a download by password"
become "$token"
api GET /images/download/a_b.sif
is "$code [$body]" "500 []" "by token: 500, no body"
api GET "/build/$build"
is "$code $(printf '%s' "$body" | field type)" "503 urn:cic:problem:unavailable" "a status: 503"
start

# ---- a server block that is content with an address
# again - nginx, when no process with the old configuration is left
again() {
    old=$(pgrep -P "$(pid_of nginx)")
    kill -HUP "$(pid_of nginx)"
    wait_for 10 is_gone "$old"
}
sed -i 's|^\tserver {|&\n\t\tsatisfy any;\n\t\tallow all;|' "$T/nginx.conf"
again
for who in "$demo:wrong" nobody:x :x cic_nobody:x; do
    become "${who%:*}" "${who#*:}"
    whoami
    is "$code" 401 "\"satisfy any\" around us lets in nobody: $who"
    api GET /images/download/a_b.sif
    is "$code [$body]" "401 []" "nor to downloads"
done

# ---- open to everybody
for file in cic_cli conf/openapi.json; do
    [ -e "$top/$file" ] || continue
    code=$(curl --silent --output "$T/out" --write-out '%{http_code}' "$CIC_URL$PREFIX/$(basename "$file")")
    is "$code $(cmp "$T/out" "$top/$file" && echo same)" "200 same" "$file, without a password"
done
sed -i 's|cic-private.conf|cic-public.conf|' "$T/nginx/cic.conf"
ok "one line opens the downloads" again
as None None
api GET /images/download/a_b.sif
is "$code $body" "200 0123456789" "public: wrong credentials do no harm"
become cic_nobody
api GET /images/download/a_b.sif
is "$code" 200 "nor does what is no token"
api GET /images/download/nothing.sif
is "$code [$body]" "404 []" "404 has no body"
whoami
is "$code" 401 "the API stays closed"

# ---- what the logs say
is "$(grep -rlF -e "$token" -e "$second" -e "$short" -e "$token_2" "$T/log" "$T/data" | wc -l)" 0 "no token in any log or in the store"
is "$(grep -rlF -e "$(printf '%s' "$token:" | base64 -w 0 | cut -c 1-40)" "$T/log" | wc -l)" 0 "nor as it is sent"
is "$(grep -rlF -e "$password" "$T/log" "$T/data" | wc -l)" 0 "nor the password"
like "$(grep 'GET /image_creation/images/download/a_b.sif' "$T/log/access.log" | cut -d' ' -f3 | sort -u | paste -s -d ' ')" \
    "- $demo" "the access log has owners of downloads"
is "$(cut -d' ' -f3 "$T/log/access.log" | sort -u | paste -s -d ' ')" "- $demo other" "and nobody but owners"
like "$(cat "$T/log/cic.fcgi.log")" "*token $id: made by $demo*token $id: revoked by $demo*" "cic.fcgi's log has their ids"
done_testing
