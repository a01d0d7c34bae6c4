#!/bin/sh
# service.sh - how long a request takes, from POST to FINISHED, and what of it is ours.
#
# usage: service.sh [ENGINE...]      podman and docker
#
# The step has apt, pip (a wheel of its own) and post_inst.sh.  Measured, medians of five:
#   unchanged       nothing is to be done
#   first           everything is to be built, package caches warm
#   pip line        another pip line
#   force           the same again with force
#   ours            of "first" for container_engine docker, what is left without the engine's `buildx build`
# Needs what "make check" installs, and root.  Exit codes: 0 measured, 1 something failed.
. "$(dirname "$0")/../lib.sh"
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
rig parts podman docker
REGISTRY=$T/registry
mkdir -p "$REGISTRY/bench/step"
cat > "$REGISTRY/bench/step/eflows4hpc.yaml" <<END
apt: [hello]
pip: [./cicgreet-1.0-py3-none-any.whl]
END
echo 'echo done' > "$REGISTRY/bench/step/post_inst.sh"

now() { date +%s%N; }
# until_end ID - polls ten times faster than a test
until_end() {
    while :; do
        answer=$(curl --silent --user "$CIC_USER:$CIC_PASSWORD" "$CIC_URL$PREFIX/build/$1")
        case $answer in *FINISHED*|*FAILED*) return ;; esac
        sleep 0.01
    done
}
# timed NAME [MEMBERS] - one request; appends milliseconds to $T/NAME
timed() {
    from=$(now)
    timed_id=$(submit bench step "${2:-}")
    until_end "$timed_id"
    to=$(now)
    case $answer in *FINISHED*) ;; *) echo "# $answer" >&2; tail -n 5 "$T/data/builds/$timed_id/log" >&2; dmesg 2>/dev/null | tail -n 3 >&2; exit 1 ;; esac
    echo $(((to - from) / 1000000)) >> "$T/$1"
}
median() { sort -n "$T/$1" | awk '{ v[NR] = $1 } END { printf "%.2f", v[int((NR + 1) / 2)] / 1000 }'; }
commit() { "$top/conf/demo/repositories.sh" "$T/git" "$REGISTRY" > /dev/null; }

# the engine's program, noting how long `buildx build` took
wrap() {
    cat > "$T/engine" <<END
#!/bin/sh
from=\$(date +%s%N)
"$1" "\$@"
status=\$?
case " \$* " in *" buildx build --"*) echo \$(((\$(date +%s%N) - from) / 1000000)) >> "$T/buildx" ;; esac
exit \$status
END
    chmod 755 "$T/engine"
}

for engine in ${*:-podman docker}; do
    rm -rf "$T/data" "$T/images" "$T/git"
    rm -f "$T/unchanged" "$T/pip" "$T/force" "$T/ours"
    IMAGES=localhost/t$$/bench-$engine/
    case $engine in podman) wrap "$PODMAN" ;; docker) wrap "$DOCKER" ;; esac
    MORE_BUILD="  site_packages: $top/t/data/wheels"
    ENGINE_COMMAND=$T/engine BASE_IMAGE=$PARTS_IMAGE config "$engine" builtin
    start
    timed warm
    for n in 1 2 3 4 5; do timed unchanged; done
    for n in 1 2 3 4 5; do
        printf '# %s\n' "$n" >> "$REGISTRY/bench/step/eflows4hpc.yaml"
        commit
        timed pip
    done
    for n in 1 2 3 4 5; do timed force ',"force":true'; done
    for n in 1 2 3 4 5; do
        rm -f "$T/buildx" "$T/all"
        printf '# %s\n' "$n" >> "$REGISTRY/bench/step/eflows4hpc.yaml"
        commit
        timed all ',"machine":{"architecture":"zen2","container_engine":"docker"}'
        echo $(($(cat "$T/all") - $(cat "$T/buildx"))) >> "$T/ours"
    done
    printf '%-8s unchanged %s s, another pip line %s s, force %s s, ours beside buildx build %s s\n' "$engine" \
        "$(median unchanged)" "$(median pip)" "$(median force)" "$(median ours)"
    stop
done
T_COUNT=1
