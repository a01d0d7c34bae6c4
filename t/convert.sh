# convert.sh - what the tests of the converter share; read after lib.sh and after rig podman docker apptainer.
#
# Public: convert convert_by_api left_over build_image to_podman unpack tree reference
# Variables: CIC_BUILD (the program), FS (where unpack unpacks), LABEL (of containers that convert makes)

CIC_BUILD=$(cd "$top" && cd "${BUILD:-build}" && pwd)/cic-build
LABEL=$(basename "$T")

cat > "$T/podman.yaml" <<END
repositories:
  workflow_repository: $T/x
  software_repository: $T/x
build:
  base_image: x
  engine: podman
  engine_command: ${PODMAN:-}
END

# convert SOURCE FILE [OPTIONS...] - quietly
convert() {
    convert_from=$1 convert_to=$2
    shift 2
    "$CIC_BUILD" --quiet --config "$T/podman.yaml" --label "$LABEL" \
        --convert "$convert_from" --output "$convert_to" "$@"
}

# convert_by_api SOURCE FILE [OPTIONS...] - as a user who may use docker's socket and nothing else; as root the layers are
# read where docker has them
convert_by_api() {
    mkdir -p "$T/nobody"
    chmod 755 "$T"
    chmod 777 "$T/nobody"
    api_from=$1 api_to=$2
    shift 2
    env HOME=/ setpriv --reuid 65534 --regid 0 --clear-groups "$CIC_BUILD" --quiet --label "$LABEL" \
        --convert "$api_from" --output "$T/nobody/$(basename "$api_to")" "$@" && mv -f "$T/nobody/$(basename "$api_to")" "$api_to"
}

# left_over NAME - what is still there of convert in an engine: a container, a mount of NAME
left_over() {
    "$DOCKER" ps -aq --filter "label=cic.build=$LABEL"
    "$PODMAN" image mount | grep -F "$1"
}

# build_image NAME DIR [ARGS...] - with docker
build_image() {
    build_name=$1 build_dir=$2
    shift 2
    # shellcheck disable=SC2086 # words
    "$DOCKER" buildx build --load --progress plain $DOCKER_BUILD_ARGS --build-arg "BASE=$BASE_IMAGE" --tag "$build_name" "$@" \
        "$build_dir" > "$T/build.log" 2>&1 || { diag "$(tail -n 20 "$T/build.log")"; return 1; }
}

# to_podman NAME - from docker, with the same id
to_podman() { "$DOCKER" save "$1" | "$PODMAN" load > "$T/load.log" 2>&1; }

# Many small files are unpacked in memory, where that may be done.  lib.sh takes it down.
mkdir "$T/small"
mount -t tmpfs -o mode=755 tmpfs "$T/small" 2> /dev/null || :
FS=$T/small/root APPTAINER_TMPDIR=$T/small
export APPTAINER_TMPDIR

# unpack FILE - into $FS; fails with what unsquashfs said that is more than a count
unpack() {
    rm -rf "$FS"
    unpack_at=$(siftool list "$1" | awk -F'|' '/FS/ { split($4, at, "-"); print at[1] + 0 }')
    unsquashfs -strict-errors -no-progress -xattrs -offset "$unpack_at" -dest "$FS" "$1" > "$T/unpack.log" 2>&1 &&
        ! grep -vE '^$|^Parallel unsquashfs|inodes \([0-9]+ blocks\) to write$|^created [0-9]+ [a-z]+$' "$T/unpack.log"
}

# tree FILE LIST - unpacked, everything about every file goes to LIST (t/rig/tree.pl)
tree() { unpack "$1" && perl "$top/t/rig/tree.pl" "$FS" > "$2"; }

# reference NAME FILE - what apptainer makes of docker's image
reference() {
    "$APPTAINER" build --disable-cache --force "$2" "docker-daemon://$1" > "$T/reference.log" 2>&1 ||
        { diag "$(cat "$T/reference.log")"; return 1; }
}
