#!/bin/sh
# Goal: kill -9 of every program at every state.  Each accepted build still ends, none is lost, none is built twice at
# once, and what can be downloaded is whole.
# The engine is the real podman behind a gate: a script that waits while a file exists, so that a state can be held.
. "$(dirname "$0")/lib.sh"
REGISTRY=$top/t/data/registry
rig podman
cat > "$T/engine" <<END
#!/bin/sh
# The gate. It notes every build, and whether another one of the same folder still runs.
case "\$*" in
    'buildx build --help') ;;
    'buildx build '*)
        for last; do :; done
        mark=$T/calls.\$(printf '%s' "\$last" | cksum | cut -d' ' -f1)
        if [ -s "\$mark" ] && grep -qs '^State:.[RSDT]' "/proc/\$(tail -n 1 "\$mark")/status"; then
            echo "twice: \$last" >> $T/twice
        fi
        echo \$\$ >> "\$mark"
        while [ -e $T/hold.build ]; do sleep 0.05; done ;;
    'export '*) while [ -e $T/hold.convert ]; do sleep 0.05; done ;;
esac
exec $PODMAN "\$@"
END
chmod +x "$T/engine"
ENGINE_COMMAND=$T/engine
config podman builtin
start

file=cases_ok_x86_64_nompi_nogpu_v_latest.sif
# every build is forced, so that each one really builds
force=',"force":true'
clean_slate() { rm -f "$T"/hold.* "$T"/calls.* "$T"/images/*; }
builds() { cat "$T"/calls.* 2> /dev/null | wc -l; }
kill_worker() { kill -KILL "$(pid_of cic-worker)"; wait_for 10 is_gone "$(pid_of cic-worker)"; }
build_pid() { cat "$T/data/builds/$1/lock"; }
tmp_of() { printf '%s/images/.%s-%s.tmp' "$T" "$1" "${2:-1}"; }
journal_ended() { grep -q '"finished"' "$T/data/builds/$1/journal-${2:-1}"; }

# whole WHAT - the file is downloadable, is a SIF and fits its checksum
whole() {
    code=$(curl --silent --user "$CIC_USER:$CIC_PASSWORD" --output "$T/got.sif" --write-out '%{http_code}' \
        "$CIC_URL$PREFIX/images/download/$file")
    is "$code $(sha256sum < "$T/got.sif" | cut -d' ' -f1)" "200 $(cut -d' ' -f1 < "$T/images/$file.sha256")" "$1: the file is whole"
    ok "$1: and a SIF" siftool list "$T/got.sif"
}
# hold STATE ID - keep the build in that state
hold() {
    case $1 in
        STARTED) # the lock over the registry's mirror, as another build's fetch would have it
            perl -MFcntl -e '$l = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0);
                for (@ARGV) { open $f{$_}, "+>>", $_ or die; fcntl $f{$_}, F_SETLK, $l or die } open G, ">", "'"$T"'/hold.ready"; sleep 1 while -e "'"$T"'/hold.mirror"' \
                "$T"/data/mirrors/*.lock & ;;
    esac
}

# ended_alone - a build, $id, whose cic-build ended while no worker was there
ended_alone() {
    clean_slate
    touch "$T/hold.convert"
    id=$(submit cases ok "$force")
    wait_for 60 has_state "$id" CONVERTING
    kill_worker
    rm -f "$T/hold.convert"
    wait_for 60 journal_ended "$id"
}

# A first build makes mirrors and warms the layers.
id=$(submit cases ok)
is "$(state_at_end "$id")" FINISHED "a build without accidents"
whole "without accidents"

for state in STARTED BUILDING CONVERTING; do
    clean_slate
    case $state in
        STARTED) touch "$T/hold.mirror"; hold STARTED; wait_for 10 test -e "$T/hold.ready" ;;
        BUILDING) touch "$T/hold.build" ;;
        CONVERTING) touch "$T/hold.convert" ;;
    esac
    id=$(submit cases ok "$force")
    ok "worker killed in $state: the build is there" wait_for 60 has_state "$id" $state
    kill_worker
    is "$(state_of "$id")" $state "worker killed in $state: the state is still told"
    api GET "/images/download/$file"
    is "$code" 404 "worker killed in $state: no partial file can be downloaded"
    restart_worker
    rm -f "$T"/hold.*
    is "$(state_at_end "$id")" FINISHED "worker killed in $state: it ends FINISHED"
    is "$(builds)" 1 "worker killed in $state: it was built once"
    whole "worker killed in $state"
done

# the worker is away while cic-build ends
ended_alone
ok "no worker: cic-build ends alone" journal_ended "$id"
is "$(state_of "$id")" CONVERTING "no worker: the build is not called finished"
api GET "/images/download/$file"
is "$code" 404 "no worker: nothing is published"
restart_worker
is "$(state_at_end "$id") $(builds)" "FINISHED 1" "the next worker publishes what is there"
whole "published later"

# killed between rename and transaction
ended_alone
mv "$(tmp_of "$id")" "$T/images/$file"
restart_worker
is "$(state_at_end "$id") $(builds)" "FINISHED 1" "killed after the rename: the next worker finishes"
whole "killed after the rename"

# what is to be published is damaged
ended_alone
truncate -s -4096 "$(tmp_of "$id")"
restart_worker
is "$(state_at_end "$id")" FAILED "a file that is shorter than it was: FAILED"
api GET "/images/download/$file"
is "$code" 404 "and it is not published"

# cic-build is killed
clean_slate
touch "$T/hold.build"
id=$(submit cases ok "$force")
wait_for 60 has_state "$id" BUILDING
wait_for 60 test "$(builds)" -ge 1
# shellcheck disable=SC2010
is "$(ls -l "/proc/$(build_pid "$id")/fd" | grep -c 'data\.mdb')" 0 "cic-build does not hold the store open"
kill -KILL "$(build_pid "$id")"
second_start() { [ "$(builds)" -ge 2 ]; }
ok "cic-build killed: it is started again" wait_for 60 second_start
rm -f "$T/hold.build"
is "$(state_at_end "$id")" FINISHED "cic-build killed: it ends FINISHED"
whole "cic-build killed"

# cic-build and worker are killed at once
clean_slate
touch "$T/hold.build"
id=$(submit cases ok "$force")
wait_for 60 has_state "$id" BUILDING
kill -KILL "$(pid_of cic-worker)" "$(build_pid "$id")"
restart_worker
rm -f "$T/hold.build"
is "$(state_at_end "$id")" FINISHED "both killed: it ends FINISHED"
whole "both killed"

# it dies every time
clean_slate
touch "$T/hold.build"
id=$(submit cases ok "$force")
die_again() { kill -KILL "$(build_pid "$id")" 2> /dev/null; has_ended "$id"; }
ok "cic-build dies every time: the build ends" wait_for 120 die_again
like "$(status_of "$id" | field message)" '*died 3 times*' "and says so"
rm -f "$T/hold.build"

# cic.fcgi is killed right after its 200
clean_slate
kill_worker
id=$(submit cases ok "$force")
pkill -KILL -P "$(pid_of cic.fcgi)"
answers() { has_state "$id" PENDING; }
ok "the serving child is killed after a 200: another one knows the build" wait_for 20 answers
id2=$(submit cases ok "$force,\"version\":\"v1\"")
kill -KILL "$(pid_of cic.fcgi)"
wait_for 10 is_gone "$(pid_of cic.fcgi)"
start
is "$(state_at_end "$id") $(state_at_end "$id2")" "FINISHED FINISHED" "cic.fcgi is killed after a 200: both builds end FINISHED"

# a new cic.fcgi takes over under load
touch "$T/polling"
(while [ -e "$T/polling" ]; do api GET "/build/$id"; echo "$code" >> "$T/codes"; done) &
for again in 1 2 3; do
    kill -HUP "$(pid_of cic.fcgi)"
    taken_over() { [ "$(grep -c 'takes over' "$T/log/cic.fcgi.log")" -ge $again ]; }
    wait_for 20 taken_over
done
rm "$T/polling"
wait $!
is "$(sort -u "$T/codes")" 200 "SIGHUP three times: every poll is answered 200"

like "$("$top/build/cic-worker" -c "$T/cic.yaml" 2>&1)" '*another cic-worker works on*' "a second worker is refused"
is "$(cat "$T/twice" 2> /dev/null)" "" "nothing was built twice at once"
is "$(find "$T/images" -name '.*.tmp')" "" "no temporary file is left"
done_testing
