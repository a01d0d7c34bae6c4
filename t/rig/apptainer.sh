#!/bin/sh
# apptainer.sh - a real apptainer for the tests, in a small Debian of its own.
#
# usage: apptainer.sh DIR
#   DIR   gets DIR/bin/apptainer, DIR/bin/singularity (the same) and DIR/root (about 300 MB)
#
# Only Debian's unstable release packages apptainer, and its C library is newer than that of Debian 12. So that release
# is unpacked into DIR/root, from the machine's own mirror, and DIR/bin/apptainer enters it. Needs root.
#
# Output: one sentence when something is made. Exit codes: 0 it is there, 1 it is not, 2 wrong usage.
set -eu

PROG=apptainer.sh
setup=$(CDPATH='' cd -- "$(dirname -- "$0")/../../conf/setup" && pwd)
SUITE=sid

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }

make_root() {
    [ "$(id -u)" -eq 0 ] || die "unpacking Debian $SUITE needs root."
    command -v mmdebstrap > /dev/null || die "mmdebstrap is missing: conf/setup/packages.sh demo installs it."
    debian=$("$setup/mirror.sh" --main) || exit 1
    printf '%s: unpacking Debian %s with apptainer; this takes about half a minute.\n' "$PROG" "$SUITE"
    "$setup/mirror.sh" --apt > "$tmp/apt.conf"
    # A mirror's copy of the unstable release may be past its date.
    mmdebstrap --quiet --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' --aptopt="$tmp/apt.conf" \
        --include=apptainer,squashfuse,fuse2fs \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        "$SUITE" "$tmp/root" "$debian" > "$tmp/log" 2>&1 || {
        cat "$tmp/log" >&2
        die "mmdebstrap failed; its own words stand above."
    }
    # exec and run look up the user they run as.
    printf 'cic:x:1000:1000::/tmp:/bin/sh\n' >> "$tmp/root/etc/passwd"
    printf 'cic:x:1000:\n' >> "$tmp/root/etc/group"
    for host_file in hosts resolv.conf localtime; do
        rm -f "$tmp/root/etc/$host_file"
        : > "$tmp/root/etc/$host_file"
    done
    cp "$tmp/root/usr/share/zoneinfo/Etc/UTC" "$tmp/root/etc/localtime" 2> /dev/null || :
    rm -rf "$tmp/root/var/cache/apt" "$tmp/root/var/lib/apt/lists"
    mv "$tmp/root" "$dir/root"
}

make_wrapper() {
    mkdir -p "$dir/bin" "$dir/cache" "$dir/config"
    cat > "$tmp/apptainer" <<'WRAPPER'
#!/bin/sh
# Runs apptainer inside the small Debian beside this file, with the machine's own files at their own paths.
# Written by t/rig/apptainer.sh.
set -eu
root=$(dirname -- "$(readlink -f -- "$0")")/../root
root=$(CDPATH='' cd -- "$root" && pwd)

# The subcommand is the first word that is not an option; -c takes a value.
command='' skip=no
for word in "$@"; do
    if [ "$skip" = yes ]; then skip=no; continue; fi
    case $word in
        -c|--config) skip=yes ;;
        -*) ;;
        *) command=$word; break ;;
    esac
done

# reveal PATH - when PATH lies in a folder that the small Debian has itself, the folder it is in is shown as well
reveal() {
    case $1 in /var/*|/etc/*|/usr/*) ;; *) return 0 ;; esac
    case $1 in /var/tmp/*) return 0 ;; esac
    shown=$1
    [ -d "$shown" ] || shown=$(dirname -- "$shown")
    [ -d "$shown" ] || return 0
    case $shown in /var|/var/lib|/etc|/usr|/usr/*) ;; *) bind "$shown" "$shown" ;; esac
}

words=$#
# The words of bwrap are put after apptainer's own and brought to the front at the end.
bind() { binds="$binds
$1
$2"; }
binds=
for top in /*; do
    case $top in
        /bin|/sbin|/lib|/lib32|/lib64|/libx32|/usr|/etc|/var|/dev|/proc|/boot|/lost+found) ;;
        *) if [ -d "$top" ] && [ ! -L "$top" ]; then bind "$top" "$top"; fi ;;
    esac
done
bind /var/tmp /var/tmp
bind "${root%/root}" "${root%/root}"
reveal "$(pwd -P)"
for word in "$@"; do
    word=${word#docker-archive:}; word=${word#oci-archive:}; word=${word#oci:}; word=${word#--*=}
    case $word in /*) reveal "${word%%:*}" ;; esac
done
for word in "${TMPDIR:-}" "${HOME:-}" "${APPTAINER_TMPDIR:-}" "${APPTAINER_CACHEDIR:-}"; do
    case $word in /*) reveal "$word" ;; esac
done
case ${DOCKER_HOST:-} in unix:///*) reveal "${DOCKER_HOST#unix://}" ;; esac

IFS='
'
set -f
for bound in $binds; do
    if [ -n "${from:-}" ]; then set -- "$@" --bind "$from" "$bound"; from=; else from=$bound; fi
done
for name in hosts resolv.conf localtime; do
    if [ -f "/etc/$name" ]; then set -- "$@" --ro-bind "/etc/$name" "/etc/$name"; fi
done
# As root, running a container asks for CAP_SYS_RESOURCE, which root in a sandbox may lack; as a user it does not.
case $command in
    exec|run|shell|test|instance) set -- "$@" --unshare-user --uid 1000 --gid 1000 ;;
esac
# Not into the home folder of whoever runs the tests.
set -- "$@" --setenv APPTAINER_CACHEDIR "${APPTAINER_CACHEDIR:-${root%/root}/cache}" \
    --setenv APPTAINER_CONFIGDIR "${APPTAINER_CONFIGDIR:-${root%/root}/config}"
set -- "$@" --chdir "$(pwd -P)" --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin -- apptainer
while [ "$words" -gt 0 ]; do
    set -- "$@" "$1"
    shift
    words=$((words - 1))
done
exec bwrap --bind "$root" / --dev-bind /dev /dev --proc /proc "$@"
WRAPPER
    chmod 755 "$tmp/apptainer"
    mv "$tmp/apptainer" "$dir/bin/apptainer"
    ln -sf apptainer "$dir/bin/singularity"
}

tidy() {
    tidy_status=$?
    trap - EXIT HUP INT TERM
    rm -rf "$tmp"
    exit "$tidy_status"
}

case ${1:-} in --help|-h) usage; exit 0 ;; esac
[ $# -eq 1 ] || die "say one folder (--help tells more)." 2
command -v bwrap > /dev/null || die "bwrap is missing: conf/setup/packages.sh check installs bubblewrap."
mkdir -p "$1"
dir=$(CDPATH='' cd -- "$1" && pwd)
tmp=$(mktemp -d "$dir/tmp.XXXXXX")
trap tidy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
[ -d "$dir/root" ] || make_root
# Written each time: it costs nothing, and so it is never older than this script.
make_wrapper
