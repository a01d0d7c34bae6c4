#!/bin/sh
# Goal: GET /builds/<id>/log gives owners and administrators the log as it is now, whole or in part; by nginx after the
# ownership check, by cic.fcgi where no web server takes it over; and nobody else sees one.
# No image is built: the workflow does not exist, and lines are added to its log by hand.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/downloads.sh"
rig podman
config podman builtin
sed -i "s|^  data: .*|&\n  web_group: www-data\n  admins: [root_of_all]|" "$T/cic.yaml"
start
# an administrator's settings that would do harm to a file that grows
sed -i 's|^http {|&\n\topen_file_cache max=100 inactive=60s;\n\topen_file_cache_valid 60s;\n\topen_file_cache_min_uses 1;\n\tgzip on;\n\tgzip_types *;\n\tgzip_min_length 1;|' \
    "$T/nginx.conf"
old=$(pgrep -P "$(pid_of nginx)")
kill -HUP "$(pid_of nginx)"
wait_for 10 is_gone "$old"
add_user other root_of_all
password=$CIC_PASSWORD demo=$CIC_USER
become() { CIC_USER=$1 CIC_PASSWORD=$2; }

id=$(submit nowhere nothing)
is "$(state_at_end "$id")" FAILED "a build that fails at once"
log=$T/data/builds/$id/log
size=$(stat -c %s "$log")

# ---- by nginx
get() { api GET "/builds/$id/log" "$@"; }
get
is "$code $body" "200 $(cat "$log")" "the log"
is "$(header content-type)" "text/plain; charset=utf-8" "as text"
is "$(header x-content-type-options)" nosniff "and nothing else"
is "$(header content-length) $(header content-encoding)" "$size " "with its length"
get --compressed
is "$(header content-encoding) $(header content-length)" " $size" "never compressed"
is "$(header cic-owner)$(header x-accel-redirect)" "" "nothing of the handing over gets out"
api HEAD "/builds/$id/log" --head
is "$code $(header content-length)" "200 $size" "HEAD"
printf 'one more line\n' >> "$log"
get --header "Range: bytes=$size-"
is "$code $body $(header content-range)" "206 one more line bytes $size-$((size + 13))/$((size + 14))" "what has come since"
get --header "Range: bytes=$((size + 14))-"
like "$code $(header content-type) $(printf '%s' "$body" | field type)" "416 application/problem+json* urn:cic:problem:range" "nothing more yet: 416"
get --header "Range: bytes=-5"
is "$code $body" "206 line" "the last bytes"
get --header 'Range: bytes=0-1,3-4'
is "$code" 200 "several ranges: all of it"

# ---- whose it is
become other pw
get
is "$code $(printf '%s' "$body" | field type)" "404 urn:cic:problem:no-such-build" "somebody else: 404"
api GET /builds/00000000-0000-4000-8000-000000000000/log
is "$code $(printf '%s' "$body" | field type)" "404 urn:cic:problem:no-such-build" "as for what is not there"
become root_of_all pw
get
is "$code" 200 "an administrator"
become "$demo" wrong
get
is "$code" 401 "a wrong password: 401"
become "$demo" "$password"
api POST /tokens --header 'Content-Type: application/json' --data '{"name":"log"}'
become "$(printf '%s' "$body" | field token)" x
get
is "$code" 200 "its owner's token"
is "$(tail -n 1 "$T/log/access.log" | cut -d' ' -f3)" "$demo" "the access log has the owner"
become "$demo" "$password"
api POST "/builds/$id/log" --header 'Content-Type: application/json' --data '{}'
is "$code" 405 "POST: 405"

# ---- tricks
for path in /builds//log /builds/../log /builds/.././log "/builds/$id/log/" "/builds/$id/../$id/log" "/builds/$id%2flog" "/builds/$id/journal-1" \
    "/builds/$id/cic.yaml" "/builds/..%2f..%2fcic.yaml/log" "/builds/$id/log%0a" "/builds/%2e%2e/log" "/builds/$id./log" "/internal/log/$id" \
    "/builds/x/log" "/internal/log/../../cic.yaml"; do
    api GET "$path" --path-as-is
    like "$code" '4??' "$path: $code"
    is "$(printf '%s' "$body" | grep -c 'cic:\|root:')" "$(printf '%s' "$body" | grep -c urn:cic:problem)" "and nothing of a file"
done
api GET "/builds/$(printf '%s' "$id" | tr 'a-f' 'A-F')/log"
is "$code" 200 "an id in capitals is the same build"

# ---- rights
is "$(stat -c '%a' "$T/data/builds") $(stat -c '%a' "$T/data/builds/$id")" "711 711" "folders may be passed through, not listed"
is "$(stat -c '%a %G' "$log")" "640 www-data" "the log is the web server's to read"
is "$(find "$T/data/builds/$id" -mindepth 1 -perm /007)" "" "nothing else is anybody's"
chmod 711 "$T"
ok "the web server's user reads it" setpriv --reuid www-data --regid www-data --clear-groups cat "$log"
is "$(setpriv --reuid www-data --regid www-data --clear-groups cat "$T/data/builds/$id/cic.yaml" 2>&1 | grep -c 'denied')" 1 "and not the settings"
is "$(setpriv --reuid nobody --regid nogroup --clear-groups cat "$log" 2>&1 | grep -c denied)" 1 "another user does not"

# ---- by cic.fcgi itself
# direct URI [NAME=VALUE...] - headers in $headers, body in $body, status in $code
direct() {
    direct_uri=$1
    shift
    env -i REQUEST_METHOD=GET REMOTE_USER="$demo" REQUEST_URI="$PREFIX$direct_uri" "$@" \
        cgi-fcgi -bind -connect "$T/fcgi.sock" < /dev/null > "$T/answer"
    headers=$(sed '/^\r*$/q' "$T/answer" | tr -d '\r')
    sed '1,/^\r*$/d' "$T/answer" > "$T/last"
    code=$(header status | cut -c 1-3) body=$(cat "$T/last")
}
direct "/builds/$id/log"
is "$code $(cmp "$T/last" "$log" 2>&1) $(header content-length)" "200  $((size + 14))" "cic.fcgi serves it itself"
is "$(header content-type) $(header x-content-type-options)" "text/plain; charset=utf-8 nosniff" "as text"
tag=$(header etag)
direct "/builds/$id/log" HTTP_RANGE="bytes=$size-" HTTP_IF_RANGE="$tag"
is "$code $body $(header content-range) $(header content-length)" "206 one more line bytes $size-$((size + 13))/$((size + 14)) 14" "a range"
direct "/builds/$id/log" HTTP_RANGE="bytes=0-0"
is "$code $(wc -c < "$T/last")" "206 1" "one byte"
direct "/builds/$id/log" HTTP_RANGE="bytes=-14"
is "$code $body" "206 one more line" "the last bytes"
direct "/builds/$id/log" HTTP_RANGE="bytes=-99999999"
is "$code $(header content-range)" "206 bytes 0-$((size + 13))/$((size + 14))" "more than there are"
direct "/builds/$id/log" HTTP_RANGE="bytes=$((size + 14))-"
is "$code $(header content-range)" "416 bytes */$((size + 14))" "past the end: 416"
direct "/builds/$id/log" HTTP_RANGE="bytes=-0"
is "$code" 416 "no bytes: 416"
for range in 'bytes=0-1,3-4' 'lines=1-2' 'bytes=' 'bytes=-' 'bytes=a-b' 'bytes=5-4' 'bytes=1-2x' 'bytes=99999999999999999999-' \
    'bytes=0-99999999999999999999' 'bytes=--5' 'bytes= 1-2' "bytes=0-$(printf '%080d' 1)"; do
    direct "/builds/$id/log" HTTP_RANGE="$range"
    is "$code $(wc -c < "$T/last")" "200 $((size + 14))" "what is no range, $(printf '%.30s' "$range"): all of it"
done
direct "/builds/$id/log" REQUEST_METHOD=HEAD
is "$code $(header content-length) $(wc -c < "$T/last")" "200 $((size + 14)) 0" "HEAD"
printf 'and one\n' >> "$log"
direct "/builds/$id/log" HTTP_RANGE="bytes=3-" HTTP_IF_RANGE="$tag"
is "$code $(header content-length)" "200 $((size + 22))" "If-Range of a log that has grown: all of it"
direct "/builds/$id/log" REMOTE_USER=other
is "$code" 404 "not for others"
direct "/builds/$id/log" CIC_HANDOFF=X-Sendfile
is "$code $(header x-sendfile) [$(cat "$T/last")]" "200 $log []" "X-Sendfile, where the web server says so"
direct "/builds/$id/log" CIC_HANDOFF=X-Accel-Redirect
is "$code $(header x-accel-redirect) [$(cat "$T/last")]" "200 $PREFIX/internal/log/$id []" "or X-Accel-Redirect"

# a log of any size takes little memory
truncate -s 300M "$log"
child=$(pgrep -P "$(pid_of cic.fcgi)")
direct "/builds/$id/log"
is "$code $(wc -c < "$T/last")" "200 314572800" "300 MiB"
direct "/builds/$id/log" HTTP_RANGE="bytes=-10"
is "$code $(wc -c < "$T/last")" "206 10" "the end of them"
peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$child/status")
ok "in $peak KiB" test "$peak" -lt 65536
: > "$T/answer"

# ---- no log, a log that is none
rm "$log"
get
is "$code $(printf '%s' "$body" | field type)" "404 urn:cic:problem:not-found" "no log: 404"
ln -s /etc/passwd "$log"
get
is "$code" 404 "a link is no log"
direct "/builds/$id/log"
is "$code" 404 "for cic.fcgi neither"
rm "$log"
mkdir "$log"
get
is "$code" 404 "a folder is none"
rmdir "$log"

# ---- the group
stop
sed -i 's|web_group: .*|web_group: no_such_group|' "$T/cic.yaml"
like "$("$top/build/cic-worker" --config "$T/cic.yaml" 2>&1)" '*service.web_group*no_such_group*' "a group that is not there: the worker says so"
done_testing
