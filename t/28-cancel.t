#!/bin/sh
# Goal: cancel, retry and DELETE of builds. A build that was cancelled ends as one whoever is killed meanwhile, nothing
# of it is left or published, and what is shown of a build that had ended before is the truth.
# First with a cic-build of our own, whose stages last as long as we want; then with podman's and docker's.
. "$(dirname "$0")/lib.sh"
REGISTRY=$top/t/data/registry
PODMAN='' PODMAN_BUILD_ARGS='' BASE_IMAGE=none

# ---- a worker with another cic-build beside it, and an engine that has nothing
mkdir "$T/bin" "$T/hold"
cp "$top/build/cic-worker" "$top/build/cic.fcgi" "$T/bin"
cat > "$T/bin/cic-build" <<END
#!/bin/sh
# Called as cic-build --config FILE --build FOLDER. It stays in a stage while the stage's name is a file in hold/.
folder=\$4 id=\${4##*/}
echo \$\$ > "\$folder/lock"
attempt=\$(jq .build.attempt "\$folder/job.json")
echo "\$id" >> $T/starts
stage() {
    printf '{"event":"state","state":"%s"}\n{"event":"progress","progress":{"stage":"%s"}}\n' "\$1" "\$2"
    while [ -e "$T/hold/\$2" ]; do sleep 0.02; done
}
stage STARTED resolve
stage BUILDING build
stage CONVERTING convert
case \$(jq -r .build.request.step_id "\$folder/job.json") in
    fails) echo '{"event":"failed","cause":"apt","message":"no such package"}' ;;
    *)
        tmp=$T/images/.\$id-\$attempt.tmp
        echo "an image by \$id" > "\$tmp"
        printf '{"event":"finished","message":"","sha256":"%s","size":%d}\n' \
            "\$(sha256sum < "\$tmp" | cut -d' ' -f1)" "\$(stat -c %s "\$tmp")" ;;
esac
while [ -e "$T/hold/end" ]; do sleep 0.02; done
END
printf '#!/bin/sh\necho "$*" >> %s/engine.calls\n' "$T" > "$T/engine"
chmod 755 "$T/bin/cic-build" "$T/engine"
ENGINE_COMMAND=$T/engine
MORE_BUILD='  max_concurrent_builds: 1'
MORE_LIMITS='  pending_per_user: 3'
config podman builtin
sed -i "s|^service:|service:\n  admins: [root]|" "$T/cic.yaml"
CIC_BIN=$T/bin
export CIC_BIN
start
add_user ann bob root
admin=root

cancel() { api POST "/builds/$1/cancel"; result=$(printf '%s\n' "$body" | field result 2> /dev/null); }
record() { api GET "/builds/$1"; printf '%s\n' "$body" | jq -r "$2"; }
stage_is() { [ "$(record "$1" .progress.stage)" = "$2" ]; }
hold() { for stage; do touch "$T/hold/$stage"; done; }
release() { rm -f "$T"/hold/*; }
file_of() { echo "$T/images/w_$1_x86_64_nompi_nogpu_v_latest.sif"; }
starts() { grep -c "$1" "$T/starts"; }
problem() { printf '%s\n' "$body" | jq -r .type; }
freeze_worker() { kill -STOP "$(pid_of cic-worker)"; }
thaw_worker() { kill -CONT "$(pid_of cic-worker)"; }
# ended_cancelled ID WHAT [BY] - and nothing is left of it
ended_cancelled() {
    is "$(state_at_end "$1"): $(status_of "$1" | field message)" "FAILED: cancelled by ${3:-demo}" "$2: its end"
    is "$(record "$1" '[.cause, .attempt, .excerpt, .publishing, .queue_position] | join(" ")')" \
        "cancelled $(starts "$1")  false " "$2: its record"
    is "$(find "$T/images" -name ".$1*"; grep -ls "by $1" "$T"/images/*)" "" "$2: nothing of it is published or left"
}

# ---- at each state
hold resolve
running=$(submit w running)
wait_for 20 stage_is "$running" resolve
id=$(submit w waits)
next=$(submit w next)
is "$(record "$running" .queue_position) $(record "$id" .queue_position) $(record "$next" .queue_position)" "null 1 2" \
    "places in the queue"
cancel "$id"
is "$code $result" "200 cancelled" "a build that waits"
is "$(state_of "$id"): $(status_of "$id" | field message)" "FAILED: cancelled by demo" "ends at once"
is "$(record "$next" .queue_position)" 1 "the next one moves up"
cancel "$id"
is "$code $(problem)" "409 urn:cic:problem:conflict" "a second time: 409"
release
is "$(state_at_end "$running") $(state_at_end "$next")" "FINISHED FINISHED" "the others end well"
is "$(starts "$id")" 0 "it was never started"
is "$(record "$running" '[.stages | keys_unsorted[]] | join(" ")')" "resolve build convert publish" "the stages of a build"
is "$(record "$running" '[.stages[]] | . == sort and .[0] > 1600000000000')" true "with the times at which they began"
cancel "$running"
is "$code" 409 "a build that has ended: 409"

for stage in resolve build convert; do
    hold $stage
    id=$(submit w "$stage")
    wait_for 20 stage_is "$id" "$stage"
    cancel "$id"
    is "$code $result" "202 cancelling" "at stage $stage"
    ended_cancelled "$id" "at stage $stage"
    release
    is "$(record "$id" '[.stages | keys_unsorted[]] | last')" "$stage" "at stage $stage: the last one begun"
done
cancel 00000000-0000-4000-8000-000000000000
is "$code $(problem)" "404 urn:cic:problem:no-such-build" "a build that is not there"
cancel "$id/x"
is "$code" 404 "no such address"
api GET "/builds/$id/cancel"
is "$code" 405 "only POST cancels"

# ---- owners
hold build
id=$(submit w owned)
as ann cancel "$id"
is "$code $(problem)" "404 urn:cic:problem:no-such-build" "who did not ask may not"
as ann api POST "/builds/$id/retry"
is "$code" 404 "nor retry"
as ann api DELETE "/builds/$id"
is "$code" 404 "nor delete"
is "$(as ann submit w owned)" "$id" "he asks for the same"
wait_for 20 stage_is "$id" build
as ann cancel "$id"
is "$code $result" "200 left" "and leaves again"
is "$(as ann record "$id" .id) $(record "$id" '.owners | join(" ")')" "null demo" "it is no more in his list"
like "$(state_of "$id")" BUILDING "and goes on"
release
is "$(state_at_end "$id")" FINISHED "to a good end"
hold build
id=$(submit w all)
as ann submit w all > "$T/out"
wait_for 20 stage_is "$id" build
as $admin cancel "$id"
is "$code $result" "202 cancelling" "an administrator ends it for all"
ended_cancelled "$id" "an administrator" $admin
is "$(as ann record "$id" .message)" "cancelled by $admin" "all who asked are told"
release

# ---- who asks for the same while it is being ended gets another build
hold build
id=$(submit w again)
wait_for 20 stage_is "$id" build
freeze_worker
cancel "$id"
next=$(submit w again)
ok "asked for again while it is being ended: another build" test -n "$next" -a "$next" != "$id"
is "$(record "$next" '[.state, .queue_position] | join(" ")')" "PENDING 1" "which waits for its turn"
thaw_worker
ended_cancelled "$id" "meanwhile the old one"
wait_for 20 stage_is "$next" build
is "$(as ann submit w again)" "$next" "and the next who asks joins the new one"
release
is "$(state_at_end "$next") $(cat "$(file_of again)")" "FINISHED an image by $next" "which ends well"
is "$(record "$next" .reruns) $(starts "$next")" "1 2" "and was made again for who joined late"

# ---- who is killed between the request and the end
hold build
id=$(submit w killed)
wait_for 20 stage_is "$id" build
build=$(cat "$T/data/builds/$id/lock")
freeze_worker
cancel "$id"
kill -KILL "$(pid_of cic-worker)"
ok "the worker is killed: cic-build goes on" test -d "/proc/$build"
is "$(state_of "$id")" BUILDING "and the state is told"
restart_worker
ended_cancelled "$id" "the worker is killed"
ok "the worker is killed: cic-build is gone" is_gone "$build"
id=$(submit w killed)
wait_for 20 stage_is "$id" build
freeze_worker
cancel "$id"
kill -KILL "$(cat "$T/data/builds/$id/lock")"
thaw_worker
ended_cancelled "$id" "cic-build is killed"
is "$(starts "$id")" 1 "and not started again"
id=$(submit w killed)
wait_for 20 stage_is "$id" build
cancel "$id"
kill -KILL "$(pid_of cic-worker)" "$(cat "$T/data/builds/$id/lock")"
restart_worker
ended_cancelled "$id" "both are killed"
release

# done, and the worker has not seen it
hold end
id=$(submit w unseen)
made() { grep -q finished "$T/data/builds/$id/journal-1"; }
wait_for 20 made
freeze_worker
release
wait_for 20 is_gone "$(cat "$T/data/builds/$id/lock")"
cancel "$id"
is "$code" 202 "done, but not yet published"
kill -KILL "$(pid_of cic-worker)"
restart_worker
ended_cancelled "$id" "done, but not yet published"

# ---- against the end of a build, many times
id=$(submit w race)
is "$(state_at_end "$id")" FINISHED "a first one"
n=0 wrong=0 late=0 cancelled=0 before=$(cat "$(file_of race)")
while [ $n -lt "${RACES:-60}" ]; do
    id=$(submit w race ',"force":true')
    # at once, at any moment of the tenth of a second that it takes, and when it has just told its end
    case $((n % 3)) in
        1) wait_for 20 test -s "$T/data/builds/$id/journal-1"; sleep "0.0$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')" ;;
        2) wait_for 20 grep -q finished "$T/data/builds/$id/journal-1" ;;
    esac
    cancel "$id"
    case $code in 200|202) cancelled=$((cancelled + 1)) ;; *) late=$((late + 1)) ;; esac
    case "$code $(state_at_end "$id") $(cat "$(file_of race)")" in
        "200 FAILED $before"|"202 FAILED $before"|"409 FINISHED an image by $id") ;;
        *) wrong=$((wrong + 1)); diag "$code $(status_of "$id") $(cat "$(file_of race)")" ;;
    esac
    before=$(cat "$(file_of race)")
    n=$((n + 1))
done
echo "# $cancelled were cancelled, for $late it was too late"
is "$wrong" 0 "cancelled or FINISHED: always what the answer said, and the file is of a build that FINISHED"
ok "both happened" test $cancelled -gt 0 -a $late -gt 0
is "$(sha256sum < "$(file_of race)" | cut -d' ' -f1)" "$(cut -d' ' -f1 < "$(file_of race).sha256")" "the file fits its checksum"

# ---- retry
retry() { api POST "/builds/$1/retry"; printf '%s\n' "$body" | field id; }
for step in next fails waits; do
    case $step in
        next) wanted=FINISHED old=$(submit w next) ;;
        fails) wanted=FAILED old=$(submit w fails ',"force":true') ;;
        waits) wanted=FINISHED; hold build; old=$(submit w waits); cancel "$old" ;;
    esac
    state_at_end "$old" > "$T/out"
    release
    id=$(retry "$old")
    ok "retry of $step, $(state_of "$old"): another build" test -n "$id" -a "$id" != "$old"
    is "$(state_at_end "$id")" "$wanted" "which ends $wanted"
    is "$(record "$id" .request)" "$(record "$old" .request)" "of the same request"
done
hold build
id=$(submit w fails ',"force":true')
retry "$id" > "$T/out"
is "$code $(problem)" "409 urn:cic:problem:conflict" "retry of one that has not ended: 409"
release
state_at_end "$id" > "$T/out"
hold build
again=$(submit w fails ',"force":true')
is "$(retry "$id")" "$again" "retry joins who asked for the same"
as $admin retry "$id" > "$T/out"
is "$(cat "$T/out") $(as $admin record "$again" '.owners | join(" ")')" "$again demo root" "an administrator may retry, for himself"
release
state_at_end "$again" > "$T/out"
hold build
running=$(submit w running)
wait_for 20 stage_is "$running" build
waiting=$(submit w a; submit w b; submit w c)
retry "$old" > "$T/out"
is "$code $(problem)" "429 urn:cic:problem:quota" "retry with too many that wait: 429"
like "$headers" '*Retry-After: *' "with Retry-After"
cancel "$(printf '%s\n' "$waiting" | tail -n 1)"
id=$(retry "$old")
ok "retry when one of them was cancelled: 200" test -n "$id"
release
is "$(state_at_end "$id")" FINISHED "which is built in its turn"

# ---- DELETE
hide() { api DELETE "/builds/$1"; }
hold build
id=$(submit w hidden)
as ann submit w hidden > "$T/out"
wait_for 20 stage_is "$id" build
hide "$id"
is "$code $(problem)" "409 urn:cic:problem:conflict" "DELETE of one that has not ended: 409"
release
state_at_end "$id" > "$T/out"
status=$(status_of "$id")
hide "$id"
is "$code ${#body}" "204 0" "DELETE: 204"
is "$(printf '%s\n' "$headers" | grep -ci '^content-length')" 0 "with no length, as such an answer has no body"
is "$(record "$id" .status)" 404 "it is not in his list"
hide "$id"
is "$code" 404 "a second time: 404"
ok "the log is there for the other owner" test -e "$T/data/builds/$id/log"
is "$(as ann record "$id" '.owners | join(" ")')" ann "who has it"
as ann hide "$id"
is "$code" 204 "he deletes it, too"
no_folder() { [ ! -e "$T/data/builds/$id" ]; }
ok "its folder goes" wait_for 20 no_folder
is "$(as $admin record "$id" .status)" 404 "and its record"
is "$(status_of "$id")" "$status" "the status stays as it was"
ok "and the file" test -s "$(file_of hidden)"
id=$(submit w hidden)
as ann submit w hidden > "$T/out"
state_at_end "$id" > "$T/out"
as $admin hide "$id"
is "$code $(record "$id" .status)" "204 404" "an administrator who did not ask deletes it for all"
ok "with its folder" wait_for 20 no_folder
hold build
id=$(submit w hidden)
wait_for 20 stage_is "$id" build
cancel "$id"
state_at_end "$id" > "$T/out"
stop
hide_stopped() { hide "$id"; [ "$code" = 204 ]; }
release
start
ok "a cancelled one is deleted, too" hide_stopped
ok "with its folder, wherever it came from" wait_for 20 no_folder
stop

# ---- a site that has a registry, and then has it no more
cp "$T/cic.yaml" "$T/without.yaml"
sed -i "s|^registry:|&\n  url: 127.0.0.1:1|; s|images_prefix: .*|images_prefix: 127.0.0.1:1/|" "$T/cic.yaml"
start
id=$(submit w pushed)
is "$(state_at_end "$id") $(record "$id" .request.push)" "FINISHED true" "a build that was pushed"
stop
cp "$T/without.yaml" "$T/cic.yaml"
start
api GET "/builds/$id"
is "$code $(printf '%s\n' "$body" | jq .request.push)" "200 true" "without a registry its record is still to be read"
api GET '/builds?limit=1'
is "$(printf '%s\n' "$body" | jq -r '.builds[].id')" "$id" "and in the list"
api GET '/images?q=pushed'
is "$(printf '%s\n' "$body" | jq -r '.images[].build')" "$id" "and so is its file"
retry "$id" > "$T/out"
is "$code $(problem) $(printf '%s\n' "$body" | jq -r .field)" "400 urn:cic:problem:bad-request push" \
    "but it cannot be asked for again"
hide "$id"
is "$code" 204 "it can be deleted"
stop

# ---- a real build, with each engine
unset CIC_BIN
MORE_BUILD='' MORE_LIMITS=''
ENGINE_COMMAND=''
# shellcheck disable=SC2009 # those whose words begin so
left() { ps -eo args | grep -c '^sleep 733\.25'; }
all_run() { [ "$(left)" -ge 4 ]; }
none_left() { [ "$(left)" = 0 ]; }
containers() {
    "$1" ps --all --quiet --filter "label=cic.build=$2"
    [ "$1" != "$PODMAN" ] || "$1" ps --all --external --quiet
}
for engine in ${ENGINES:-podman docker}; do
    rig "$engine"
    rm -rf "$T/data" "$T/images"
    config "$engine" builtin
    start
    case $engine in podman) program=$PODMAN ;; docker) program=$DOCKER ;; esac
    before=$(containers "$program" none)
    for round in 'the worker that started it' 'the next worker'; do
        id=$(submit cases children ',"force":true')
        ok "$engine: the build has children" wait_for 120 all_run
        if [ "$round" = 'the next worker' ]; then
            kill -KILL "$(pid_of cic-worker)"
            restart_worker
        fi
        begin=$(date +%s%N)
        cancel "$id"
        is "$code" 202 "$engine, $round: cancelled"
        ok "$engine, $round: no process is left within ten seconds" wait_for 10 none_left
        has_failed() { has_state "$id" FAILED; }
        ok "$engine, $round: it ends" wait_for 10 has_failed
        echo "# $engine, $round: $((($(date +%s%N) - begin) / 1000000)) ms"
        is "$(status_of "$id" | field message)" "cancelled by $CIC_USER" "$engine, $round: and says so"
        is "$(containers "$program" "$id")" "$before" "$engine, $round: no container is left"
        is "$(find "$T/data/builds/$id/work" "$T/images" -type f 2> /dev/null)" "" "$engine, $round: nor a file"
    done
    is "$(state_at_end "$(submit cases ok)")" FINISHED "$engine: the next build is well"
    id=$(submit cases ok ',"force":true')
    wait_for 120 grep -q '^cic: converting' "$T/data/builds/$id/log"
    cancel "$id"
    case "$code $(state_at_end "$id")" in
        '202 FAILED'|'409 FINISHED') report 0 "$engine: while it is converted" ;;
        *) report 1 "$engine: while it is converted"; diag "$code $(status_of "$id")" ;;
    esac
    is "$(find "$T/images" -name '.*'; [ "$engine" != podman ] || "$PODMAN" image mount | grep "$IMAGES")" "" \
        "$engine: neither a file nor a mount is left of that"
    stop
done
done_testing
