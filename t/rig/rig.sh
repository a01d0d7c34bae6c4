#!/bin/sh
# rig.sh - have a real component ready for the tests, and say how to use it.
#
# usage: rig.sh podman|docker|apptainer|registry|parts|arm64
#                                                  make it ready; prints settings, NAME=value, to be read by a shell
#        rig.sh stop                               end what "docker" and "podman" started, undo what "arm64" set
#
#   podman      PODMAN (a program with storage of its own), PODMAN_BUILD_ARGS
#   docker      DOCKER (likewise), DOCKER_HOST, DOCKER_CONFIG, DOCKER_BUILD_ARGS
#   apptainer   APPTAINER
#   parts       PARTS_IMAGE (in both engines: a base image with pip and t/rig/spack-standin)
#   registry    REGISTRY_RIG, a program: see registry.sh, which each test starts and stops for itself
#   arm64       ARM64_IMAGE, a base image that both engines have; the kernel runs its programs by qemu (binfmt.sh).
#               Unpacking it takes two to three minutes, once
# Both engines have the base image BASE_IMAGE.  Everything is kept in build/rig, or in the folder $CIC_RIG; what is
# there is used again.
#
# Exit codes: 0 fine, 1 it cannot be had (a sentence says why), 2 wrong usage.
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
rig=${CIC_RIG:-$top/build/rig}
base=localhost/cic/base:latest
arm64_base=localhost/cic/base-arm64:latest

# Progress is for people; standard output is for the settings.
base_image() { "$top/conf/setup/base-image.sh" --workdir "$rig/base" --image "$base" -- "$@" >&2; }

podman() {
    program=$("$top/conf/setup/podman.sh" --wrapper "$rig/podman")
    base_image "$program"
    words=$("$top/conf/setup/podman.sh" --build-args "$base" "$rig/podman" | tr '\n' ' ')
    printf "PODMAN='%s'\nPODMAN_BUILD_ARGS='%s'\nBASE_IMAGE='%s'\n" "$program" "$words" "$base"
}

docker() {
    "$top/t/rig/buildx.sh" "$rig/docker" >&2
    DOCKER_CONFIG=$rig/docker
    DOCKER_HOST=$("$top/t/rig/dockerd.sh" start "$rig/dockerd")
    export DOCKER_CONFIG DOCKER_HOST
    base_image /usr/bin/docker
    printf "DOCKER='/usr/bin/docker'\nDOCKER_HOST='%s'\nDOCKER_CONFIG='%s'\n" "$DOCKER_HOST" "$DOCKER_CONFIG"
    printf "DOCKER_BUILD_ARGS='--network host'\nBASE_IMAGE='%s'\nexport DOCKER_HOST DOCKER_CONFIG\n" "$base"
}

apptainer() {
    "$top/t/rig/apptainer.sh" "$rig/apptainer" >&2
    printf "APPTAINER='%s'\n" "$rig/apptainer/bin/apptainer"
}

arm64() {
    "$top/t/rig/binfmt.sh" start aarch64 "$rig/binfmt" >&2
    for engine in podman docker; do
        settings=$("$engine")
        (
            PODMAN=''
            eval "$settings"
            "$top/conf/setup/base-image.sh" --workdir "$rig/base" --image "$arm64_base" --platform linux/arm64 -- \
                "${PODMAN:-$DOCKER}" >&2
        )
    done
    printf "ARM64_IMAGE='%s'\n" "$arm64_base"
}

registry() {
    if ! command -v docker-registry > /dev/null; then
        echo "rig.sh: docker-registry is missing: conf/setup/packages.sh check installs it." >&2
        exit 1
    fi
    printf "REGISTRY_RIG='%s'\n" "$top/t/rig/registry.sh"
}

# parts_image PROGRAM BUILD-ARGS... - a new one when what it is made of has changed
parts_image() {
    program=$1
    shift
    if "$program" image inspect "$parts" > "$rig/parts.log" 2>&1; then return 0; fi
    echo "rig.sh: making the image $parts; this takes about a minute." >&2
    context=$(mktemp -d "$rig/parts.XXXXXX")
    cp "$top/t/rig/parts.Dockerfile" "$top/t/rig/spack-standin" "$context"
    "$program" buildx build "$@" --build-arg "BASE=$base" -t "$parts" -f "$context/parts.Dockerfile" "$context" \
        > "$rig/parts.log" 2>&1 || { cat "$rig/parts.log" >&2; rm -rf "$context"; exit 1; }
    rm -rf "$context"
}

parts() {
    parts=localhost/cic/parts:$(cat "$top/t/rig/parts.Dockerfile" "$top/t/rig/spack-standin" | cksum | cut -d' ' -f1)
    eval "$(podman; docker)"
    # shellcheck disable=SC2086 # words
    {
        parts_image "$PODMAN" $PODMAN_BUILD_ARGS
        parts_image "$DOCKER" $DOCKER_BUILD_ARGS
    }
    printf "PARTS_IMAGE='%s'\n" "$parts"
}

stop() {
    "$top/t/rig/dockerd.sh" stop "$rig/dockerd" >&2
    "$top/conf/setup/podman.sh" --stop "$rig/podman" >&2
    "$top/t/rig/binfmt.sh" stop "$rig/binfmt" >&2
}

mkdir -p "$rig"
case ${1-} in
    podman|docker|apptainer|registry|parts|arm64|stop) "$1" ;;
    --help|-h) sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0" ;;
    *) echo "rig.sh: say podman, docker, apptainer, registry, parts, arm64 or stop (--help tells more)." >&2; exit 2 ;;
esac
