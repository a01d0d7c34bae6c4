#!/bin/sh
# Goal: a status poll that waits is answered when its build changes or its time is up, and holds nothing up meanwhile;
# through nginx.  No image is built: the worker is stopped, or has a workflow that does not exist.
. "$(dirname "$0")/lib.sh"
rig podman
config podman builtin
sed -i 's/^service:/service:\n  threads: 2\n  long_poll_seconds: 25/' "$T/cic.yaml"
start
export CIC_URL CIC_USER CIC_PASSWORD
kill "$(pid_of cic-worker)"
wait_for 10 is_gone "$(pid_of cic-worker)"
id=$(submit nothing nothing)
child() { pgrep -P "$(pid_of cic.fcgi)"; }
descriptors() { find "/proc/$(child)/fd" -mindepth 1 | wc -l; }
before=$(descriptors)
few_descriptors() { [ "$(descriptors)" -le "$before" ]; }
# parked N - so many requests are parked; each is a descriptor
parked() { [ "$(descriptors)" -ge $((before + $1)) ]; }

# ask NAME PATH [CURL-ARGS...] - in the background; its code, seconds and body are in $T/NAME.*
ask() {
    ask_name=$1 ask_path=$2
    shift 2
    curl --silent --max-time 40 --user "$CIC_USER:$CIC_PASSWORD" --output "$T/$ask_name.body" \
        --write-out '%{http_code} %{time_total}\n' "$@" "$CIC_URL$PREFIX$ask_path" > "$T/$ask_name.out" &
}
answered() { [ -s "$T/$1.out" ]; }
code_of() { cut -d' ' -f1 "$T/$1.out"; }
# between FROM TO NAME - seconds it took
between() { awk -v from="$1" -v to="$2" '{ exit !($2 >= from && $2 < to) }' "$T/$3.out"; }
etag() { printf '%s\n' "$headers" | sed -n 's/^ETag: "\([0-9]*\)"$/\1/ip'; }

api GET "/build/$id"
is "$code $(etag)" "200 1" "a status has a revision, as ETag"
api GET "/build/$id?wait=2"
is "$code $(printf '%s' "$body" | field status)" "200 PENDING" "wait=2: the present state when the time is up"
ask two "/build/$id?wait=2&since=1"
wait_for 20 answered two
ok "not before" between 1.9 20 two
ask other "/build/$id?wait=25&since=7"
wait_for 40 answered other
ok "since another revision: at once" between 0 15 other
for bad in 'wait=x' 'wait=-1' 'wait=' 'wait=1.5' 'wait=1&wait=2' 'wait=5&since=x' 'wait=99999999999999999999'; do
    api GET "/build/$id?$bad"
    is "$code" 400 "$bad: 400"
    api GET "/builds/$id?$bad"
    is "$code" 400 "$bad: 400, of the record too"
done
ask unknown '/build/00000000-0000-4000-8000-000000000000?wait=25'
ask unknown2 '/builds/00000000-0000-4000-8000-000000000000?wait=25'
wait_for 40 answered unknown
wait_for 40 answered unknown2
ok "an unknown id: at once" between 0 15 unknown
is "$(code_of unknown) $(code_of unknown2)" "404 404" "with 404"

# who is known to poll is held without being asked
ask ansible "/build/$id" --user-agent ansible-httpget
ask ansible0 "/build/$id?wait=0" --user-agent ansible-httpget
ask curl "/build/$id" --user-agent xansible-httpget
wait_for 40 answered curl
wait_for 40 answered ansible0
is "$(code_of curl) $(code_of ansible0)" "200 200" "others are not, nor who says wait=0"
ok "at once" between 0 15 curl
ok "ansible-httpget is" wait_for 10 parked 1

# the web server sends a request again when the child that had it dies: it is not held a second time
again=$(timeout 15 env REQUEST_METHOD=GET "REQUEST_URI=$PREFIX/build/$id?wait=25" "REMOTE_USER=$CIC_USER" \
    "CIC_ARRIVED=$(($(date +%s) - 24)).000" cgi-fcgi -bind -connect "$T/fcgi.sock")
like "$again" 'Status: 200 OK*PENDING*' "a wait counts from the request's arrival at the web server"

# two threads, forty polls
n=0
while [ $n -lt 40 ]; do
    ask "many$n" "/build/$id?wait=25"
    n=$((n + 1))
done
ok "forty polls are parked" wait_for 10 parked 40
post "$(request nothing more)"
is "$code" 200 "a request is answered meanwhile, though there are two threads"

# the record's revision counts what the status does not tell
api GET "/builds/$id"
rev=$(printf '%s' "$body" | jq .rev)
is "$(etag)" "$rev" "a record's revision is its ETag"
ask record "/builds/$id?wait=25&since=$rev"
add_user other
ok "a poll of the record is parked" wait_for 10 parked 42
curl --silent --output "$T/out" --user other:pw --header 'Content-Type: application/json' \
    --data "$(request nothing nothing)" "$CIC_URL$PREFIX/build"
is "$(jq -r .id "$T/out")" "$id" "somebody joins"
wait_for 40 answered record
is "$(code_of record) $(jq .rev "$T/record.body")" "200 $((rev + 1))" "the record is told"
ok "before the time is up" between 0 20 record
ok "the polls of the status are not" parked 40
api GET "/build/$id"
is "$(etag)" 1 "whose revision is the same"

# a client that goes away
n=0
pids=
while [ $n -lt 20 ]; do
    curl --silent --max-time 30 --user "$CIC_USER:$CIC_PASSWORD" --output "$T/out" \
        "$CIC_URL$PREFIX/build/$id?wait=25" &
    pids="$pids $!"
    n=$((n + 1))
done
ok "twenty more are parked" wait_for 10 parked 61
# shellcheck disable=SC2086 # numbers
kill $pids
no_gone() { [ "$(descriptors)" -le $((before + 41)) ]; }
ok "when their clients go, so do they" wait_for 10 no_gone

# a new child takes over: what is parked is answered
kill -HUP "$(pid_of cic.fcgi)"
all_answered() { [ "$(cat "$T"/many*.out | wc -l)" = 40 ]; }
ok "the forty are answered when the child is replaced" wait_for 15 all_answered
is "$(cat "$T"/many*.out | cut -d' ' -f1 | sort | uniq -c | tr -s ' ')" " 40 200" "with 200"
is "$(jq -r .status "$T/many7.body")" PENDING "with the present state"
wait_for 10 answered ansible
ok "before their time was up" between 0 20 ansible
is "$(code_of ansible)" 200 "the held poll too"

# a change, made by another process
ask limit "/build/$id?wait=99999"
is "$(wait_for 30 answered limit; code_of limit)" 200 "wait=99999 is answered"
ok "after 25 seconds" between 24.9 40 limit
before=$(descriptors)
ask status "/build/$id?wait=25"
ask since "/build/$id?wait=25&since=1"
ok "two are parked" wait_for 10 parked 2
start
wait_for 40 answered status
wait_for 40 answered since
ok "a change of the status is told" test "$(jq -r .status "$T/status.body")" != PENDING
ok "before the time is up" between 0 20 status
is "$(code_of status) $(code_of since)" "200 200" "with 200"

is "$(state_at_end "$id")" FAILED "the build ends"
ask ended "/build/$id?wait=25"
ask ended2 "/builds/$id?wait=25"
wait_for 40 answered ended
wait_for 40 answered ended2
ok "an ended build is not waited for" between 0 15 ended
ok "nor its record" between 0 15 ended2
ok "no descriptor is left behind" wait_for 30 few_descriptors
done_testing
