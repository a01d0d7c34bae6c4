#!/bin/sh
# base-image.sh - make a base container image out of this machine's own Debian release, without any registry.
#
# usage: base-image.sh --workdir DIR --image NAME [--platform OS/ARCH] -- ENGINE [ARGS...]
#   --workdir DIR       keeps the unpacked release here as rootfs-ARCH.tar, to be used again (about 150 MB)
#   --image NAME        the image's name, such as localhost/cic/base:latest
#   --platform OS/ARCH  linux/amd64, linux/arm64 ...; default: this machine's own
#   ENGINE [ARGS...]    how to call docker or podman, such as "podman --root DIR --runroot DIR"
#
# The packages come from the mirrors in apt's own configuration, and the image asks the same mirrors, so a later
# "RUN apt-get update && apt-get install ..." works in it.
#
# Output: one sentence per step; the engine's own words only when it fails.
#
# Exit codes: 0 the image is there, 1 it could not be made, 2 wrong usage.
set -eu

PROG=base-image.sh
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# What a login shell and later apt-get calls need; everything else is for the image's own build to add.
INCLUDE=bash,ca-certificates,debian-archive-keyring
LABEL=cic.base=debian

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }

# Debian's name of a container platform's processor.
debian_arch() {
    case $1 in
        linux/amd64*) echo amd64 ;;
        linux/arm64*) echo arm64 ;;
        linux/arm/v7) echo armhf ;;
        linux/arm/v5|linux/arm/v6) echo armel ;;
        linux/386) echo i386 ;;
        linux/ppc64le) echo ppc64el ;;
        linux/riscv64) echo riscv64 ;;
        linux/s390x) echo s390x ;;
        *) die "there is no Debian for the platform \"$1\"." 2 ;;
    esac
}

own_platform() {
    case $(dpkg --print-architecture) in
        amd64) echo linux/amd64 ;;
        arm64) echo linux/arm64 ;;
        armhf) echo linux/arm/v7 ;;
        i386) echo linux/386 ;;
        ppc64el) echo linux/ppc64le ;;
        *) echo "linux/$(dpkg --print-architecture)" ;;
    esac
}

make_rootfs() {
    command -v mmdebstrap > /dev/null || die "mmdebstrap is missing: conf/setup/packages.sh demo installs it."
    suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release | tr -d '"')
    # Only Debian's own archives: a company's repository does not belong into a base image.
    "$here/mirror.sh" > "$tmp/sources.list" || exit 1
    "$here/mirror.sh" --apt > "$tmp/apt.conf"
    say "Unpacking Debian $suite ($arch) from the machine's own mirror; this takes about half a minute."
    set -- --quiet --variant=apt --mode="$mode" --architectures="$arch" --include="$INCLUDE"
    [ ! -s "$tmp/apt.conf" ] || set -- "$@" --aptopt="$tmp/apt.conf"
    # Nothing reads these inside a container.
    set -- "$@" --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright'
    # mmdebstrap copies these two from the machine, which is nobody's business.
    # shellcheck disable=SC2016 # "$1" is for mmdebstrap's shell
    set -- "$@" --customize-hook=': > "$1/etc/resolv.conf"; echo localhost > "$1/etc/hostname"'
    # mmdebstrap copies the sources.list it is given, and with --aptopt the options, into the image.
    mmdebstrap "$@" "$suite" "$tmp/rootfs.tar" - < "$tmp/sources.list" > "$tmp/log" 2>&1 || {
        cat "$tmp/log" >&2
        die "mmdebstrap failed; its own words stand above."
    }
    mv "$tmp/rootfs.tar" "$rootfs"
}

# Unpacking a release takes root, or name spaces with a range of user ids.
choose_mode() {
    if [ "$(id -u)" -eq 0 ]; then echo root; else echo unshare; fi
}

build_image() {
    say "Making the image $image; this takes about 15 seconds."
    mkdir "$tmp/context"
    ln "$rootfs" "$tmp/context/rootfs.tar" 2> /dev/null || cp "$rootfs" "$tmp/context/rootfs.tar"
    cat > "$tmp/context/Dockerfile" <<DOCKERFILE
FROM scratch
ADD rootfs.tar /
LABEL $LABEL
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["/bin/bash"]
DOCKERFILE
    "$@" buildx build --platform "$platform" -t "$image" "$tmp/context" > "$tmp/log" 2>&1 || {
        cat "$tmp/log" >&2
        die "\"$1 buildx build\" failed; its own words stand above."
    }
}

# Under a docker build container driver an image stays inside the builder; only what the engine itself knows counts.
have_image() {
    image_platform=$("$@" image inspect --format '{{.Os}}/{{.Architecture}}' "$image" 2> /dev/null) || return 1
    case $platform in "$image_platform"|"$image_platform"/*) return 0 ;; esac
    return 1
}

tidy() {
    tidy_status=$?
    trap - EXIT HUP INT TERM
    rm -rf "$tmp"
    exit "$tidy_status"
}

workdir='' image='' platform=''
while [ $# -gt 0 ]; do
    case $1 in
        --help|-h) usage; exit 0 ;;
        --workdir|--image|--platform)
            [ $# -ge 2 ] || die "$1 wants a value." 2
            case $1 in
                --workdir) workdir=$2 ;;
                --image) image=$2 ;;
                --platform) platform=$2 ;;
            esac
            shift 2 ;;
        --) shift; break ;;
        *) die "\"$1\" is not an option (--help tells more)." 2 ;;
    esac
done
[ -n "$workdir" ] || die "--workdir is missing (--help tells more)." 2
[ -n "$image" ] || die "--image is missing (--help tells more)." 2
[ $# -gt 0 ] || die "after -- the engine is missing, such as: -- docker" 2
[ -n "$platform" ] || platform=$(own_platform)
arch=$(debian_arch "$platform") || exit 2

if have_image "$@"; then exit 0; fi
"$@" version > /dev/null 2>&1 || { "$@" version >&2 || :; die "\"$1\" does not work; its own words stand above."; }

mkdir -p "$workdir"
workdir=$(CDPATH='' cd -- "$workdir" && pwd)
rootfs=$workdir/rootfs-$arch.tar
mode=$(choose_mode)
tmp=$(mktemp -d "$workdir/tmp.XXXXXX")
trap tidy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
[ -s "$rootfs" ] || make_rootfs
build_image "$@"
have_image "$@" || die "the engine built $image but does not know it afterwards. Is its builder the default one?"
say "The image $image is ready."
