#!/bin/sh
# Goal: limits.memory and limits.processes hold for what runs in an image build, for it alone, and leave nothing behind;
# where they cannot hold, the worker does not start.
. "$(dirname "$0")/lib.sh"
REGISTRY=$top/t/data/registry
rig podman
MORE_LIMITS='  memory: 200
  processes: 100'
case $PODMAN_BUILD_ARGS in
    *'isolation oci'*) config podman builtin; start ;;
    *) echo "Bail out! podman has no isolation oci on this machine"; exit 1 ;;
esac
# groups ID - what is left of its control group, in any hierarchy
groups() { find /sys/fs/cgroup -maxdepth 3 -name "cic-$1"; }
message() { status_of "$1" | field message; }

eats=$(submit cases eats)
forks=$(submit cases forks)
fine=$(submit cases ok)
is "$(state_at_end "$eats")" FAILED "a step that eats memory is FAILED"
like "$(message "$eats")" '*memory*200 MiB*limits.memory*' "the message says so, and the limit"
is "$(api GET "/builds/$eats"; printf '%s' "$body" | field cause)" "out of memory" "it has a cause of its own"
is "$(state_at_end "$forks")" FAILED "a step that starts 200 processes is FAILED"
like "$(message "$forks")" '*100 processes*limits.processes*' "the message says so, and the limit"
is "$(state_at_end "$fine")" FINISHED "the build beside them is FINISHED"
no_sleepers() { ! ps -eo args | grep -q '^sleep 97\.25'; }
ok "none of the processes is left" wait_for 10 no_sleepers
for id in $eats $forks $fine; do is "$(groups "$id")" "" "the control group is gone"; done

# cic-build dies in the middle
stop
MORE_LIMITS='  memory: 200
  max_attempts: 1'
config podman builtin
start
id=$(submit cases slow)
begins() { grep -q '^slow step begins' "$T/data/builds/$1/log"; }
ok "a build with a group runs" wait_for 60 begins "$id"
ok "it has a group" test -n "$(groups "$id")"
kill -KILL "$(cat "$T/data/builds/$id/lock")"
is "$(state_at_end "$id")" FAILED "its cic-build is killed: it is FAILED"
is "$(groups "$id")" "" "and the group is gone"
stop

# refused FAULT WHAT - the worker of this configuration ends by itself and says why
refused() {
    "$top/build/cic-worker" --config "$T/cic.yaml" > "$T/refused" 2>&1 < /dev/null
    is "$?" 1 "$2"
    like "$(cat "$T/refused")" "$1" "and why"
}
PODMAN_BUILD_ARGS='--network host --isolation chroot'
config podman builtin
refused '*limits.memory*--isolation chroot*' "podman with isolation chroot: the worker does not start"
rig docker
config docker builtin
case $("$DOCKER" version --format '{{.Server.Version}}') in
    [0-9].*|1[0-9].*|2[0-2].*)
        refused '*limits.memory*docker 23*' "docker before 23: the worker does not start" ;;
    *)  start
        is "$(state_at_end "$(submit cases eats)")" FAILED "docker: a step that eats memory is FAILED" ;;
esac
done_testing
