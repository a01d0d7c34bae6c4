#!/bin/sh
# Goal: what existing clients rely on holds, with the programs they are made of.  The test names begin with the line of
# the contract that they hold (README, "Existing clients").  27-ansible.t has the deployments.
# The engine is a stand-in, so that every state can be held.
. "$(dirname "$0")/lib.sh"
data=$top/t/data/contract
END_SECONDS=30
standin
echo payload > "$STAND/root/bin/payload"
config podman builtin
start
export CIC_USER CIC_PASSWORD

# ask METHOD PATH [JSON] - by python-requests: status, redirects, body
ask() { ask_method=$1 ask_path=$2; shift 2; "$data/ask.py" "$ask_method" "$CIC_URL$PREFIX$ask_path" "$@"; }
# hold WHAT..., let_go - the engine's gates
hold() { for gate; do touch "$STAND/hold.$gate"; done; }
let_go() { rm -f "$STAND"/hold.* "$STAND"/fail.*; }
# restart - with other settings
restart() { stop; config podman builtin; start; }
# reload_nginx - after its configuration was changed
reload_nginx() {
    nginx_pid=$(pid_of nginx)
    workers=$(pgrep -P "$nginx_pid" | tr '\n' ' ')
    kill -HUP "$nginx_pid"
    for worker in $workers; do wait_for 10 is_gone "$worker"; done
}
# by_wget ID, by_requests ID, by_curl ID, by_cic_cli ID - the status as each of them gets it
printf 'user=%s\npassword=%s\n' "$CIC_USER" "$CIC_PASSWORD" > "$T/wgetrc"
by_curl() { status_of "$1"; }
by_wget() { wget --config="$T/wgetrc" --quiet --tries=1 --timeout=30 --output-document=- "$CIC_URL$PREFIX/build/$1"; }
by_requests() { ask GET "/build/$1" | sed -n 's/^200 0 //p'; }
by_cic_cli() { "$top/cic_cli" "$CIC_USER" "$CIC_PASSWORD" "$CIC_URL" status "$1"; }
keys='["filename","image_id","message","status"]'

# everybody_sees ID STATE - and all that holds for an answer in any state
everybody_sees() {
    api GET "/build/$1"
    is "$code" 200 "contract 4: $2 is told with 200"
    is "$(printf '%s' "$body" | jq -c keys_unsorted)" "$keys" "contract 7: $2: four keys are there"
    is "$(printf '%s' "$body" | field status)" "$2" "contract 9: $2 is called that"
    for client in wget requests; do
        is "$("by_$client" "$1" | jq -r .status)" "$2" "contract 4: $client gets $2 as JSON"
    done
}
# failed_with ID WORDS CAUSE WHAT - FAILED, and why; the finer word stands in the record
failed_with() {
    is "$(state_at_end "$1")" FAILED "contract 8: $4 is told as FAILED"
    like "$(status_of "$1" | field message)" "$2" "contract 8: $4: the message says so"
    api GET "/builds/$1"
    is "$(printf '%s' "$body" | field cause)" "$3" "contract 8: $4: the record has the finer word"
    everybody_sees "$1" FAILED
}

# ---- asking
is "$(sed -n 's/^ *prefix://p' "$T/cic.yaml")" "" "contract 1: no prefix is configured here"
good=$(request minimal_workflow wordcount)
for path in /build /build/; do
    like "$(ask POST "$path" "$good")" '200 0 {"id":"????????-????-????-????-????????????"}' \
        "contract 1: /image_creation$path is where to ask"
    like "$(ask POST "$path" "$good")" '200 0 *' "contract 2: POST $path is answered itself, by no redirect"
done
id=$(submit minimal_workflow wordcount)
finished=$id
is "$(state_at_end "$id")" FINISHED "contract 7: a build ends FINISHED"
file=$(status_of "$id" | field filename)
is "$file" minimal_workflow_wordcount_x86_64_nompi_nogpu_v_latest.sif "contract 20: FINISHED has a file name"
ok "contract 20: of letters, digits and ._- alone" sh -c "printf '%s' '$file' | grep -qxE '[a-z0-9._-]+'"
everybody_sees "$id" FINISHED
post "$good"
is "$code $(printf '%s' "$body" | jq -r '.id | length')" "200 36" "contract 3: asked again when all is there: 200 and an id"
is "$(state_at_end "$(printf '%s' "$body" | field id)")" FINISHED "contract 10: and it is FINISHED without a build"

# what is built for an alias is what is built for the micro-architecture
key_of() {
    id=$(submit minimal_workflow wordcount ',"machine":{"architecture":"'"$1"'"}')
    state_at_end "$id" > "$T/out"
    api GET "/builds/$id"
    printf '%s' "$body" | jq -r '.content_key + " " + .file'
}
for pair in rome=zen2 milan=zen3 genoa=zen4; do
    key=$(key_of "${pair#*=}")
    is "$(key_of "${pair%=*}")" "${key% *} minimal_workflow_wordcount_${pair%=*}_nompi_nogpu_v_latest.sif" \
        "contract 13: ${pair%=*} is ${pair#*=} under its own name"
done

# ---- every state
worker() { wait_for 10 is_gone "$(pid_of cic-worker)"; }
kill "$(pid_of cic-worker)"
worker
hold inspect build convert
id=$(submit minimal_workflow wordcount ',"force":"true"')
everybody_sees "$id" PENDING
is "$(submit minimal_workflow wordcount ',"force":true')" "$id" "contract 10: the same request attaches to the build in flight"
start
wait_for 20 has_state "$id" STARTED
everybody_sees "$id" STARTED
rm "$STAND/hold.inspect"
wait_for 20 has_state "$id" BUILDING
everybody_sees "$id" BUILDING
is "$(submit minimal_workflow wordcount ',"force":"TRUE"')" "$id" "contract 10: also when it is BUILDING"
rm "$STAND/hold.build"
wait_for 20 has_state "$id" CONVERTING
everybody_sees "$id" CONVERTING
rm "$STAND/hold.convert"
is "$(state_at_end "$id")" FINISHED "contract 4: and FINISHED in the end"

# ---- a poll is always answered
hold build
id=$(submit minimal_workflow wordcount ',"force":true')
wait_for 20 has_state "$id" BUILDING
# poll_until_gone FILE - polls go on while it exists; their codes are in FILE.codes
poll_until_gone() {
    while [ -e "$1" ]; do
        curl --silent --max-time 30 --user "$CIC_USER:$CIC_PASSWORD" --output "$1.out.$2" --write-out '%{http_code}\n' \
            "$CIC_URL$PREFIX/build/$id" >> "$1.codes"
    done
}
# polled_while WHAT COMMAND... - four clients poll meanwhile, and all they ever get is 200
polled_while() {
    polled_what=$1
    shift
    : > "$T/polling.codes"
    touch "$T/polling"
    pollers=''
    for poller in 1 2 3 4; do poll_until_gone "$T/polling" $poller & pollers="$pollers $!"; done
    has_polled() { [ "$(wc -l < "$T/polling.codes")" -gt "$1" ]; }
    wait_for 20 has_polled 20
    "$@"
    before=$(wc -l < "$T/polling.codes")
    wait_for 20 has_polled $((before + 20))
    rm "$T/polling"
    for poller in $pollers; do wait "$poller"; done
    is "$(sort "$T/polling.codes" | uniq -c | awk '$2 != 200')" "" "contract 5: every poll gets 200 while $polled_what"
}
# reread - cic.fcgi takes new settings
takeovers() { grep -c 'takes over' "$T/log/cic.fcgi.log"; }
has_taken_over() { [ "$(takeovers)" -gt "$1" ]; }
reread() { before_reread=$(takeovers); kill -HUP "$(pid_of cic.fcgi)"; wait_for 20 has_taken_over "$before_reread"; }
child() { pgrep -P "$(pid_of cic.fcgi)"; }
another_child() { [ -n "$(child)" ] && [ "$(child)" != "$1" ]; }
kill_child() {
    for again in 1 2 3 4 5; do
        dead=$(child)
        kill -KILL "$dead"
        wait_for 20 another_child "$dead"
    done
}
kill_worker() { kill -KILL "$(pid_of cic-worker)"; worker; }
# park - a deployment's look at the build, which is held while nothing changes
park() {
    curl --silent --max-time 30 --user-agent ansible-httpget --user "$CIC_USER:$CIC_PASSWORD" --output "$T/parked.out" \
        --write-out '%{http_code}' "$CIC_URL$PREFIX/build/$id" > "$T/parked" &
    parked=$!
}
polled_while "cic.fcgi reads its configuration anew" reread
park
polled_while "the serving process is killed" kill_child
wait "$parked"
is "$(cat "$T/parked")" 200 "contract 6: a look that is held meanwhile is answered in 30 s"
polled_while "the worker is killed" kill_worker
everybody_sees "$id" BUILDING
sed -i 's/min_free_space: .*/min_free_space: 1000000000/' "$T/cic.yaml"
reread
post "$(request minimal_workflow wordcount ',"version":"main"')"
is "$code" 507 "contract 5: no disk is free: nothing more is taken"
everybody_sees "$id" BUILDING
let_go
restart

# ---- ends that are none of the old ones'
echo 'E: Unable to locate package nothing' > "$STAND/fail.build"
failed_with "$(submit minimal_workflow wordcount ',"force":true')" '?*' "image build" "a build that fails"
let_go
hold build
id=$(submit minimal_workflow wordcount ',"force":true')
die_again() { kill -KILL "$(cat "$T/data/builds/$id/lock")" 2> /dev/null; has_ended "$id"; }
ok "contract 8: a build whose processes die ends" wait_for 60 die_again
failed_with "$id" '*died 3 times*' "lost worker" "a lost build"
MORE_LIMITS='  build_timeout: 1'
restart
failed_with "$(submit minimal_workflow wordcount ',"force":true')" '*took longer than*' "timed out" "an expired build"
MORE_LIMITS='  stall_timeout: 1'
restart
failed_with "$(submit minimal_workflow wordcount ',"force":true')" '*printed nothing*' stalled "a build that stalls"
MORE_LIMITS=''
restart
id=$(submit minimal_workflow wordcount ',"force":true')
wait_for 20 has_state "$id" BUILDING
api POST "/builds/$id/cancel"
failed_with "$id" "cancelled by $CIC_USER" cancelled "a cancelled build"
let_go

# ---- what a request may look like; no worker, so that nothing is built
kill "$(pid_of cic-worker)"
worker
# record_of JQ - of the build that the last POST gave
record_of() {
    api GET "/builds/$(printf '%s' "$body" | field id)"
    printf '%s' "$body" | jq -r "$1"
}
# takes LINE WHAT JSON JQ WANTED - taken, and understood as that
takes() {
    post "$3"
    is "$code" 200 "contract $1: $2 is taken"
    is "$(record_of "$4")" "$5" "contract $1: $2 is understood"
}
for value in true '"true"' '"True"' '"TRUE"'; do
    takes 11 "force $value" "$(request a b ",\"force\":$value")" .request.force true
done
for value in false '"false"' '"False"'; do
    takes 11 "force $value" "$(request a b ",\"force\":$value")" .request.force false
    takes 11 "push $value" "$(request a b ",\"push\":$value")" .request.push false
done
image='.image | sub(".*/"; "")'
takes 12 "an absent mpi and gpu" '{"machine":{"architecture":"zen2"},"workflow":"a","step_id":"b"}' "$image" a_b_zen2_nompi_nogpu:latest
takes 12 "an empty mpi and gpu" '{"machine":{"architecture":"zen2","mpi":"","gpu":""},"workflow":"a","step_id":"b"}' \
    "$image" a_b_zen2_nompi_nogpu:latest
takes 12 "an empty platform" '{"machine":{"architecture":"zen2","platform":""},"workflow":"a","step_id":"b"}' \
    .request.machine.platform linux/amd64
for pair in rome=zen2 milan=zen3 genoa=zen4; do
    takes 13 "${pair%=*}" '{"machine":{"architecture":"'"${pair%=*}"'"},"workflow":"a","step_id":"b"}' \
        "$image" "a_b_${pair%=*}_nompi_nogpu:latest"
done
takes 14 "no container engine" '{"machine":{"architecture":"zen2"},"workflow":"a","step_id":"b"}' \
    '.file + " " + .request.machine.container_engine' 'a_b_zen2_nompi_nogpu_v_latest.sif singularity'
takes 20 "a deployment's mpi and gpu" \
    '{"machine":{"platform":"linux/amd64","architecture":"rome","container_engine":"singularity","mpi":"openmpi@4","gpu":"cuda@10.2"},"workflow":"Minimal_Workflow","step_id":"wordcount","force":"false"}' \
    .file minimal_workflow_wordcount_rome_openmpi_4_cuda_10.2_v_latest.sif
takes 20 "a version" "$(request a b ',"version":"1.0-rc1"')" .file a_b_x86_64_nompi_nogpu_v_1.0-rc1.sif
post "$(request BASE BASE)"
is "$code" 403 "contract 21: BASE and BASE mean the base image, which is not everybody's"
MORE_SERVICE="  admins: [$CIC_USER]"
config podman builtin
reread
post "$(request BASE BASE)"
is "$code" 200 "contract 21: an administrator may ask for it"
is "$(record_of .image)" base:latest "contract 21: it is the base image"

# ---- who is who
code=$(curl --silent --output "$T/out" --dump-header "$T/h" --write-out '%{http_code}' "$CIC_URL$PREFIX/build/$finished")
like "$code $(cat "$T/h")" '401 *WWW-Authenticate: Basic *' "contract 15: nobody: 401 with a Basic challenge"
like "$(CIC_PASSWORD=wrong ask GET "/build/$finished")" '401 *' "contract 15: a wrong password: 401"
is "$(by_wget "$finished" | jq -r .status)" FINISHED "contract 15: wget answers the challenge"

post_token='{"name":"contract"}'
token=$(ask POST /tokens "$post_token" | sed -n 's/^201 0 //p' | jq -r .token)
like "$(CIC_USER=$token CIC_PASSWORD=anything ask GET "/build/$finished")" '200 0 *"FINISHED"*' \
    "contract 15: a token as the user, with any password"

# ---- one account for many deployments
asks() { post "$(request a "step$1")"; }
# several of this test's are waiting
MORE_SERVICE='' MORE_LIMITS='  pending_per_user: 2'     # administrators have no quota
config podman builtin
reread
asks 2
like "$code $headers" '429 *Retry-After: *' "contract 16: somebody who has too many builds waiting is told to wait"
post "$(request a b)"
is "$code" 200 "contract 16: but not who joins a build"
api GET "/build/$(printf '%s' "$body" | field id)"
is "$code" 200 "contract 16: nor who looks at one"
MORE_SERVICE="  service_accounts: [$CIC_USER]"
config podman builtin
reread
asks 2
is "$code" 200 "contract 16: an account that many share has no such limit"

# ---- the command line client
printf '%s' "$good" > "$T/request.json"
"$top/cic_cli" "$CIC_USER" "$CIC_PASSWORD" "$CIC_URL" build "$T/request.json" > "$T/out"
like "$(tr '\n' ' ' < "$T/out")" 'Response: {"id":"*"} *' "contract 22: cic_cli build prints the body as it is"
by_cic_cli "$finished" > "$T/out"
is "$(head -n 2 "$T/out" | tr '\n' ' ')" "Response: $(status_of "$finished") " "contract 22: cic_cli status prints the body as it is"
like "$(sed -n 2p "$T/out")" '{"filename":"*.sif","image_id":"*","message":null,"status":"FINISHED"}' \
    "contract 22: sorted keys, no message is null"
(cd "$T" && "$top/cic_cli" "$CIC_USER" "$CIC_PASSWORD" "$CIC_URL" download "$file" > out)
ok "contract 22: cic_cli downloads" cmp "$T/$file" "$T/images/$file"
rm -f "$T/$file"

# ---- errors old clients only know as "not 200"
like "$(ask GET /build/00000000-0000-4000-8000-000000000000)" '404 0 {*"status":404*}' "contract 23: an unknown id: 404, JSON"
like "$(ask POST /build/ '{"machine":{"architecture":"nonsense"},"workflow":"a","step_id":"b"}')" '400 0 {*"status":400*}' \
    "contract 23: an unknown architecture: 400, JSON"
like "$(CIC_USER='' ask GET "/build/$finished")" '401 0 {*"status":401*}' "contract 23: no user: 401, JSON"

# ---- downloads
big=cut_off_x86_64_nompi_nogpu_v_latest.sif
head -c 12000000 /dev/urandom > "$T/images/$big"
url=$CIC_URL$PREFIX/images/download/$big
port=${CIC_URL##*:}
# cut BYTES TIMES - a proxy that cuts; $cut_url is the file behind it
cut() {
    mkfifo "$T/cut.port"
    "$top/t/rig/cut_proxy.pl" "$port" "$1" "$2" > "$T/cut.port" &
    cut_pid=$!
    read -r cut_port < "$T/cut.port"
    rm "$T/cut.port"
    cut_url=http://127.0.0.1:$cut_port$PREFIX/images/download/$big
}
whole() { ok "$1: the file is whole" cmp "$2" "$T/images/$big"; rm -f "$2"; }
curl --silent --user "$CIC_USER:$CIC_PASSWORD" --dump-header "$T/h" --output "$T/got" --header 'Accept-Encoding: gzip, deflate' "$url"
like "$(tr -d '\r' < "$T/h")" '*Content-Length: 12000000*' "contract 17: a download tells its length"
is "$(grep -ci content-encoding "$T/h")" 0 "contract 17: it is not compressed"
whole "contract 17: curl" "$T/got"

cut 5000000 1
wget --config="$T/wgetrc" --quiet --tries=1 --continue --output-document="$T/got" "$cut_url"
is "$(wc -c < "$T/got" | awk '{ print ($1 > 0 && $1 < 12000000) }')" 1 "contract 17: wget is cut off"
wget --config="$T/wgetrc" --quiet --tries=1 --continue --output-document="$T/got" "$cut_url"
like "$(tail -n 1 "$T/log/access.log")" '*" 206 *' "contract 17: wget -c asks for the rest"
whole "contract 17: wget -c" "$T/got"
kill "$cut_pid"

cut 5000000 1
curl --silent --user "$CIC_USER:$CIC_PASSWORD" --output "$T/got" "$cut_url"
is "$?" 18 "contract 17: curl is cut off"
curl --silent --user "$CIC_USER:$CIC_PASSWORD" --output "$T/got" --continue-at - "$cut_url"
whole "contract 17: curl -C -" "$T/got"
kill "$cut_pid"

cut 1100000 10
"$data/transfer.py" "$cut_url" "$T/got" > "$T/out"
is "$(jq -c .statuses "$T/out")" '[200,206,206,206,206,206,206,206,206,206,206]' "contract 17: python-requests: ten resumes"
whole "contract 17: python-requests, cut off ten times" "$T/got"
kill "$cut_pid"

# replaced while it is under way; larger than what sockets hold
etag() { curl --silent --user "$CIC_USER:$CIC_PASSWORD" --head "$url" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p'; }
part() { # of the file, if it is still the one of that tag
    api GET "/images/download/$big" --range 0-9 --header "If-Range: $1"
    printf '%s %s' "$code" "$(printf '%s\n' "$headers" | sed -n 's/^Content-Length: //p')"
}
head -c 60000000 /dev/urandom > "$T/images/$big"
cp "$T/images/$big" "$T/old"
old_etag=$(etag)
touch "$T/pause"
PAUSE=$T/pause "$data/transfer.py" "$url" "$T/got" > "$T/out" &
transfer=$!
wait_for 20 test -e "$T/pause.reached"
head -c 50000000 /dev/urandom > "$T/images/.new"
mv "$T/images/.new" "$T/images/$big"
rm "$T/pause"
wait "$transfer"
is "$(jq -c . "$T/out")" '{"wanted":60000000,"got":60000000,"statuses":[200]}' "contract 17: a new file under the name: the transfer goes on"
ok "contract 17: and gets the old bytes, whole" cmp "$T/got" "$T/old"
rm -f "$T/old" "$T/got"
ok "contract 17: the new file has another ETag" test "$(etag)" != "$old_etag"
is "$(part "$(etag)")" "206 10" "contract 17: If-Range with its ETag: a part"
is "$(part "$old_etag")" "200 50000000" "contract 17: If-Range with the old ETag: the new file whole"

# saved LINE STATUS WHAT [NAME=VALUE...] - what the pipeline makes of an error is an empty file
saved() {
    saved_line=$1 saved_status=$2 saved_what=$3
    shift 3
    env "$@" "$data/transfer.py" "$saved_url" "$T/got" > "$T/out"
    is "$(jq -c .statuses "$T/out") $(wc -c < "$T/got")" "[$saved_status] 0" "contract $saved_line: $saved_what: $saved_status, no body"
}
saved_url=$CIC_URL$PREFIX/images/download/nothing.sif
saved 18 404 "a file that is not there"
saved_url=$CIC_URL$PREFIX/images/download/no%20name
saved 18 404 "what is no file name"
saved_url=$url
saved 18 401 "a wrong password" CIC_PASSWORD=wrong
saved 19 401 "None:None, downloads being private" CIC_USER=None CIC_PASSWORD=None
api GET "/images/download/$big" --header 'Range: bytes=60000000-'
is "$code ${#body}" "416 0" "contract 18: a part past the end: 416, no body"
api POST "/images/download/$big"
is "$code ${#body}" "405 0" "contract 18: POST to a file: 405, no body"

# public downloads: one line of the web server's configuration
sed -i 's/cic-private/cic-public/' "$T/nginx/cic.conf"
reload_nginx
for who in None:None "$CIC_USER:$CIC_PASSWORD" :; do
    CIC_USER=${who%:*} CIC_PASSWORD=${who#*:} "$data/transfer.py" "$url" "$T/got" > "$T/out"
    is "$(jq -c .statuses "$T/out")" '[200]' "contract 19: downloads being public: ${who%:*} gets the file"
done
whole "contract 19: public" "$T/got"
saved_url=$CIC_URL$PREFIX/images/download/nothing.sif
saved 19 404 "downloads being public: a file that is not there"
like "$(CIC_USER=None CIC_PASSWORD=None ask GET "/build/$finished")" '401 *' "contract 19: the API stays private"
done_testing
