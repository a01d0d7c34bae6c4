#!/bin/sh
# Goal: apt, Spack, post_inst.sh, profile and pip, as parts of one image, with each of docker and podman: in the order and
# with the environment that authors know; nothing of ours is left in the image; no work is done twice, not even after a
# failure or a kill; and a failure says which part it was.
# Spack is a stand-in that refuses what Spack would (t/rig/spack-standin); make check-spack runs a real one.
. "$(dirname "$0")/lib.sh"
rig podman docker apptainer parts
PLAIN_BASE=$BASE_IMAGE
REGISTRY=$T/registry CATALOG=$T/software-catalog
step=$REGISTRY/parts
docker_only=',"machine":{"architecture":"x86_64","container_engine":"docker"}'

# log, count WORDS... - of the last build
log() { cat "$T/data/builds/$id/log"; }
count() { log | grep -c -e "$*"; }
# The caches that the last build's RUN lines name: NAME … (podman and docker both print the lines).
cache_names() { log | sed -n 's/.*--mount=type=cache,id=\([^,]*\),.*/\1/p' | sort -u | tr '\n' ' '; }
# built, extracted - packages, sorted, in one line
built() { log | sed -n 's/.*==> No binary for \([a-z]*\)-.*/\1/p' | sort | tr '\n' ' '; }
extracted() { log | sed -n 's/.*==> Extracting \([a-z]*\)-.*/\1/p' | sort | tr '\n' ' '; }
commit() { "$top/conf/demo/repositories.sh" "$T/git" "$REGISTRY" "$CATALOG" > "$T/git.log"; }
# change FILE SED-SCRIPT
change() { sed -i "$2" "$1"; commit; }

# build STEP [MORE] - a docker image; sets id and state
build() {
    id=$(submit parts "$1" "$docker_only${2:-}")
    state=$(state_at_end "$id")
}
finished() {
    is "$state" FINISHED "$1"
    [ "$state" = FINISHED ] || diag "$(status_of "$id" | field message)"
}
# fails WORDS WHAT
fails() { like "$state: $(status_of "$id" | field message)" "FAILED: $1" "$2"; }

# inside FILE VERB WORDS... - what apptainer prints; on a loaded machine its FUSE mount is late now and then
inside() {
    for try in 1 2 3; do
        if inside_out=$("$APPTAINER" "$@" 2> "$T/apptainer.err"); then break; fi
        diag "apptainer $1, try $try: $(cat "$T/apptainer.err")"
    done
    printf '%s\n' "$inside_out"
}

begin() {
    rm -rf "$T/data" "$T/images" "$T/git"
    rm -rf "$REGISTRY" "$CATALOG"
    cp -r "$top/t/data/parts/registry" "$REGISTRY"
    cp -r "$top/t/data/parts/catalog" "$CATALOG"
    # caches of this run alone: they go by the base image
    # shellcheck disable=SC2086 # words
    "$program" buildx build $build_args --label "cic.test=$T" -t "${IMAGES}base" - > "$T/base.log" 2>&1 <<DOCKERFILE
FROM $PARTS_IMAGE
DOCKERFILE
    BASE_IMAGE=${IMAGES}base
    MORE_BUILD="  jobs: 4
  site_packages: $top/t/data/wheels"
    config "$engine" builtin
    start
}

# ---- one step with all of the parts

all_parts() {
    id=$(submit parts all)
    state=$(state_at_end "$id")
    finished "$engine: a step with apt, Spack, post_inst.sh and pip is built"
    file=$T/images/$(status_of "$id" | field filename)
    is "$(log | sed -n 's/^\(#[0-9]* [0-9.]* \)\{0,1\}cic: \(step\|part\) \([a-z_]*\).*/\3/p' | tr '\n' ' ')" \
        "apt spack concretize install post_inst profile pip " "$engine: in the order that authors know"
    is "$(log | sed -n 's/.*post_inst: //p')" "in /packages, hello is Hello, world!
app 1.0, built with maker 1.0
examples in 1 stage
pip has 0 files
cache 0 mounted 0" "$engine: post_inst.sh sees packages, what only building needs and stages; not pip's modules, nor a cache"
    is "$(built)" "app core left maker right " "$engine: each package is built once"
    base_id=$("$program" image inspect --format '{{.Id}}' "$BASE_IMAGE")
    base_id=$(printf '%.12s' "${base_id#sha256:}")
    is "$(cache_names | sed 's/\(cic-pip-[^ ]*\)-[0-9a-f]* /\1-WORKFLOW /')" \
        "cic-apt-x86_64-$base_id cic-pip-x86_64-$base_id-WORKFLOW cic-spack-x86_64-$base_id " \
        "$engine: caches are of the target and base image; where an author's code runs, of the workflow"
    offset=$(siftool list "$file" | awk -F'|' '/FS/ { split($4, at, "-"); print at[1] + 0 }')
    unsquashfs -no-progress -o "$offset" -d "$T/root" "$file" > "$T/unsquashfs.log" 2>&1
    is "$(find "$T/root/tmp" "$T/root/etc" "$T/root/var/lib/apt/lists" "$T/root/var/cache/apt" "$T/root/root/.cache" \
        \( -name '*cic*' -o -name '*.deb' -o -name '*Packages*' -o -name '*.bin' -o -name 'pip' -o -name http \) \
        -printf '%P\n' 2> /dev/null)" "" "$engine: nothing of ours is left in the image"
    is "$(find "$T/root/run/cic" -type f 2> /dev/null)" "" "$engine: but empty folders, where the engine mounted something"
    is "$(ls "$T/root/opt/view/bin" | tr '\n' ' ')" "app core left right " "$engine: what only building needed is gone"
    rm -rf "$T/root"
    runs "$file" "$engine, builtin"
}

# The same image, converted by apptainer.
by_apptainer() {
    stop
    CONVERTER_COMMAND=$APPTAINER
    config "$engine" apptainer
    start
    rm -f "$file" "$file.sha256"
    id=$(submit parts all)
    state=$(state_at_end "$id")
    finished "$engine: converted by apptainer"
    runs "$file" "$engine, apptainer"
    stop
    CONVERTER_COMMAND=''
    config "$engine" builtin
    start
}

# runs FILE NAME - with the Spack environment and pip's module, by `run` and by `exec`
runs() {
    is "$(inside exec "$1" sh -c 'printenv SPACK_ENV; app; python3 -m cicgreet; hello -g hi')" "/all
app 1.0
greetings
hi" "$2: exec sees the Spack environment and the Python module"
    is "$(inside run "$1" app) $(inside run "$1" python3 -m cicgreet) $(inside run "$1" printenv SPACK_ENV)" \
        "app 1.0 greetings /all" "$2: run sees them"
    like "$(inside exec "$1" sh -c 'echo $PYTHONPATH:$PATH')" "/opt/view/local/lib/python3.*/site-packages/:/usr/local/bin:/opt/view/bin:*" \
        "$2: PYTHONPATH and PATH are the original's"
}

# ---- nothing is done twice

caches() {
    change "$step/all/eflows4hpc.yaml" 's/- \.\//- .\/.\//'
    build all
    finished "$engine: another pip line"
    is "$(built)$(extracted)$(count 'Setting up hello')" 0 "$engine: runs pip alone"
    is "$(count 'cic: step pip')" 1 "$engine: and pip it runs"
    change "$step/all/eflows4hpc.yaml" 's/- hello/&\n  - ed/'
    build all
    finished "$engine: another apt line"
    is "$(log | sed -n 's/.*Need to get \([^ ]*\) .*/\1/p; s/.*Get:\([0-9]*\) .* \(hello\) .*/again \2/p' | grep again)" "" \
        "$engine: does not fetch what was fetched before"
    is "$(built)" "" "$engine: and builds no Spack package again"
    is "$(extracted)" "app core left maker right " "$engine: they come from the build cache"
    like "$(log)" "*examples in 1 stage*" "$engine: with their stages, where post_inst.sh looks for them"
    build all ',"force":true'
    finished "$engine: by force"
    is "$(count 'cic: step')" 5 "$engine: every part runs again"
    is "$(built)$(count 'Get:.*hello')" 0 "$engine: and takes packages from caches"
}

requirements() {
    build own
    finished "$engine: requirements.txt, and the registry's own spack.yaml"
    is "$(built)" "tool " "$engine: it is installed"
    is "$(count 'Successfully installed cicgreet')" 1 "$engine: so are the requirements"
    like " $(cache_names)" "* cic-spack-x86_64-$base_id-*" "$engine: its packages are kept for this workflow alone"
}

# A branch's newest commit is wanted, and the hash of a package does not tell which that was.
moving_sources() {
    change "$CATALOG/cfg/graph" 's/^right.*/& moving/'
    build plain
    finished "$engine: a package whose sources are a branch"
    is "$(built): $(extracted)" "app right : core left maker " "$engine: it and what depends on it are built"
    build plain ',"force":true'
    finished "$engine: once more"
    is "$(built): $(extracted)" "app right : core left maker " "$engine: they are built again"
    echo no-python > "$CATALOG/cfg/mode"
    change "$CATALOG/cfg/graph" 's/ moving//'
    build plain
    finished "$engine: a Spack that does not tell which sources are pinned"
    is "$(built)" "app core left maker right " "$engine: everything is built"
    rm "$CATALOG/cfg/mode"
    commit
}

# ---- failures

failures() {
    build bad_pip
    fails "installing the Python packages failed*nothing-1.0-py3-none-any.whl*" "$engine: pip fails: its own words"
    build bad_spec
    fails "Spack cannot concretize the environment: Package 'nowhere' not found." "$engine: Spack finds no solution: its words"
    # left is fast and core fails after it, while right is being built
    change "$CATALOG/cfg/graph" 's/^core .*/& fails/; s/left 1.0/left 2.0/; s/right 1.0 2/right 2.0 6/'
    build plain
    fails "Spack package core@1.0 does not build: error: unknown type name 'flot' (core.c:7)" "$engine: a package fails: its name and error"
    like "$(cat "$T/data/builds/$id/package.log")" "*core.c:7:3: error: unknown type name*" "$engine: its log is kept"
    like "$(log)" "*cic: package core-1.0-* failed*cic: package right-2.0-* done*" "$engine: what was being built then is finished"
    change "$CATALOG/cfg/graph" 's/ fails//'
    build plain
    finished "$engine: mended"
    is "$(built): $(extracted)" "app core : left maker right " "$engine: the second try begins with the one that failed"
}

killed() {
    change "$CATALOG/cfg/graph" 's/left 2.0/left 3.0/; s/right 2.0 6/right 3.0 20/'
    id=$(submit parts plain "$docker_only")
    left_is_kept() { log | grep -q 'cic: package left-3.0-.* done'; }
    ok "$engine: left is there while right is being built" wait_for 60 left_is_kept
    change "$CATALOG/cfg/graph" 's/right 3.0 20/right 3.0 1/'
    pid=$(cat "$T/data/builds/$id/lock")
    # shellcheck disable=SC2046 # words
    kill -KILL $(pgrep -P "$pid") "$pid"
    state=$(state_at_end "$id")
    finished "$engine: a build that is killed in the middle is started again"
    is "$(log | sed '1,/cic: package left-3.0-.* done/d' | sed -n 's/.*==> Extracting \(left\)-.*/\1/p')" left \
        "$engine: and takes from the cache what was finished"
}

old_spack() {
    echo "$1" > "$CATALOG/cfg/mode"
    change "$CATALOG/cfg/graph" "s/^left [0-9.]*/left $2/; s/^core [^ ]*/core $2/; s/^core .*/& fails/"
    build plain
    fails "Spack package core@$2 does not build: error: unknown type name 'flot' (core.c:7)" "$engine, $1 Spack: the failed package"
    like "$(cat "$T/data/builds/$id/package.log")" "*core.c:7:3: error: unknown type name*" "$engine, $1 Spack: its log is kept"
    change "$CATALOG/cfg/graph" 's/ fails//'
    build plain
    finished "$engine, $1 Spack: mended"
    is "$(built)" "app core " "$engine, $1 Spack: what was finished was kept"
}

without_spack() {
    stop
    BASE_IMAGE=$PLAIN_BASE
    config "$engine" builtin
    start
    build plain
    fails "Spack failed: The base image has no program spack (in PATH, *" "$engine: a base image without Spack: one sentence"
}

for engine in ${ENGINES:-podman docker}; do
    case $engine in
        podman) program=$PODMAN build_args=$PODMAN_BUILD_ARGS ;;
        docker) program=$DOCKER build_args=$DOCKER_BUILD_ARGS ;;
    esac
    begin
    all_parts
    [ "$engine" = podman ] || by_apptainer
    caches
    requirements
    moving_sources
    failures
    killed
    old_spack old 4.0
    old_spack no-ids 5.0
    without_spack
    stop
done
done_testing
