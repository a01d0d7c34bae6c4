#!/bin/sh
# Goal: images of another platform, arm64: under emulation by podman and by docker, and on another engine that the
# configuration names for it; each is FINISHED, is what it says it is, and leaves the host's own image alone.
. "$(dirname "$0")/../lib.sh"
REGISTRY=$top/t/data/registry
END_SECONDS=300
rig podman docker apptainer arm64
arm64() { printf ',"machine":{"platform":"linux/arm64","architecture":"%s"}' "$1"; }

# is_arm64 FILE WHAT - by its header and by what is in it
is_arm64() {
    # three bytes behind the start line, the magic word and the version
    is "$(dd if="$1" bs=1 skip=45 count=2 2> /dev/null)" 04 "$2: the .sif is arm64's by its header"
    offset=$(siftool list "$1" | awk -F'|' '/FS/ { split($4, at, "-"); print at[1] + 0 }')
    rm -rf "$T/root"
    ok "$2: it unpacks" unsquashfs -q -n -o "$offset" -d "$T/root" "$1" machine usr/bin/hello
    is "$(cat "$T/root/machine")" aarch64 "$2: post_inst.sh ran on aarch64"
    # ELF's e_machine, 183: EM_AARCH64
    is "$(od -An -tu2 -j18 -N2 "$T/root/usr/bin/hello" | tr -d ' ')" 183 "$2: apt installed arm64's program"
}
log_of() { cat "$T/data/builds/$1/log"; }

# through ENGINE - the host's image and arm64's of one step, side by side
through() {
    rm -rf "$T/data" "$T/images"
    MORE_BUILD="  platform_base_images: [\"linux/arm64=$ARM64_IMAGE\"]"
    config "$1" builtin
    start
    own=$(submit cases foreign)
    is "$(state_at_end "$own")" FINISHED "$1: the host's own image is FINISHED"
    before=$(sha256sum < "$T/images/cases_foreign_x86_64_nompi_nogpu_v_latest.sif")
    id=$(submit cases foreign "$(arm64 graviton2)")
    is "$(state_at_end "$id")" FINISHED "$1: arm64's is FINISHED"
    like "$(log_of "$id")" '*emulates linux/arm64*' "$1: its log says that it is emulated"
    case $(log_of "$own") in *emulates*) said=yes ;; *) said=no ;; esac
    is "$said" no "$1: and that of the host's own does not"
    is "$(status_of "$id" | field filename)" cases_foreign_graviton2_nompi_nogpu_v_latest.sif "$1: the asked word is in its name"
    is_arm64 "$T/images/cases_foreign_graviton2_nompi_nogpu_v_latest.sif" "$1"
    is "$(state_at_end "$(submit cases foreign)")" FINISHED "$1: the host's own is asked for again"
    is "$(sha256sum < "$T/images/cases_foreign_x86_64_nompi_nogpu_v_latest.sif")" "$before" "$1: and is the one it was"
    is "$(state_at_end "$(submit cases foreign "$(arm64 graviton2)")")" FINISHED "$1: arm64's is asked for again"
    post "$(request cases foreign "$(arm64 zen2)")"
    is "$code" 400 "$1: zen2 on arm64 is refused at once"
    stop
}
through podman
through docker

# ---- an engine elsewhere: a second docker, which alone has the base image under this name
second=$("$top/t/rig/dockerd.sh" start "$T/second")
stop_second() { "$top/t/rig/dockerd.sh" stop "$T/second"; cleanup; }
trap stop_second EXIT
"$DOCKER" save "$ARM64_IMAGE" | "$DOCKER" --host "$second" load > "$T/load.log"
"$DOCKER" --host "$second" tag "$ARM64_IMAGE" localhost/cic/elsewhere:latest
cp -r "$DOCKER_CONFIG" "$T/docker-config"
DOCKER_CONFIG=$T/docker-config
"$DOCKER" context create farm --docker "host=$second" > "$T/context.log" 2>&1

# elsewhere CONVERTER
elsewhere() {
    rm -rf "$T/data" "$T/images"
    MORE_BUILD='  platform_base_images: ["linux/arm64=localhost/cic/elsewhere:latest"]
  platform_contexts: ["linux/arm64=farm"]'
    CONVERTER_COMMAND=''
    [ "$1" = builtin ] || CONVERTER_COMMAND=$APPTAINER
    config docker "$1"
    start
    id=$(submit cases foreign "$(arm64 a64fx)")
    is "$(state_at_end "$id")" FINISHED "context, $1: a build on another engine is FINISHED"
    is_arm64 "$T/images/cases_foreign_a64fx_nompi_nogpu_v_latest.sif" "context, $1"
    image=$(status_of "$id" | field image_id)
    ok "context, $1: the image is there" "$DOCKER" --host "$second" image inspect "$image"
    is "$("$DOCKER" image inspect --format '{{.Id}}' "$image" 2> /dev/null)" "" "context, $1: and not here"
    is "$(state_at_end "$(submit cases foreign "$(arm64 a64fx)")")" FINISHED "context, $1: it is found again"
    is "$(ls -A "$T/data/builds/$id/work" 2>&1 | wc -l)" 1 "context, $1: no archive is left"
    stop
}
elsewhere builtin
elsewhere apptainer
done_testing
