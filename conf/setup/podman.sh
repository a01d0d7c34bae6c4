#!/bin/sh
# podman.sh - how to call podman so that it keeps everything of ours in one folder and apart from other uses of it.
#
# usage: podman.sh DIR                      the words to put between "podman" and its command
#        podman.sh --build-args IMAGE DIR   the words for "podman buildx build"; tries one empty RUN in IMAGE first,
#                                           which takes about a second, and remembers the answer in DIR
#        podman.sh --env DIR                settings (NAME=VALUE) that keep podman from reading or writing the user's
#                                           own podman files
#        podman.sh --wrapper DIR            writes DIR/bin/podman, which calls podman with these words and settings, and
#                                           prints its path: the simplest way to use all this
#        podman.sh --stop DIR               ends the process that podman left running for DIR
#        podman.sh --remove DIR             does that, and removes its files
#   DIR   a folder that is only ours; made when missing. Everything goes there, save for podman's lock file in
#         /dev/shm and, where DIR's path is long, a small folder in /run (root) or /tmp: podman refuses to keep its
#         run-time files under a path of more than 50 characters.
#
# Output: one word a line, with no quotes; nothing else on standard output.
#
# Exit codes: 0 fine, 1 podman is missing or fails, 2 wrong usage, 3 podman cannot work for this user on this machine
# and root is needed (one sentence on standard error says why).
set -eu

PROG=podman.sh

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }
no_rootless() { die "podman without root does not work here: $1" 3; }

# A folder of ours with a short path, for podman's run-time files.
run_root() {
    if [ "${#dir}" -le 46 ]; then printf '%s/run\n' "$dir"; return; fi
    if [ "$uid" -eq 0 ]; then run_parent=/run; else run_parent=/tmp; fi
    printf '%s/cic-podman-%s-%s\n' "$run_parent" "$uid" "$(printf '%s' "$dir" | cksum | cut -d' ' -f1)"
}

# The name in /tmp can be guessed, so another user could have put something there.
make_private() {
    (umask 077; mkdir -p "$1") || die "the folder $1 cannot be made."
    if [ -L "$1" ] || [ "$(stat -c %u "$1")" != "$uid" ]; then die "$1 belongs to somebody else."; fi
}

# Users without root need name spaces and a range of user ids of their own.
check_rootless() {
    [ "$uid" -ne 0 ] || return 0
    user=$(id -un)
    command -v newuidmap > /dev/null || no_rootless "the package uidmap is missing."
    unshare --user --map-root-user true 2> /dev/null ||
        no_rootless "this machine does not let plain users make user name spaces."
    for ids in /etc/subuid /etc/subgid; do
        awk -F: -v name="$user" -v id="$uid" '($1 == name || $1 == id) && $3 >= 65536 { found = 1 }
            END { exit !found }' "$ids" 2> /dev/null ||
            no_rootless "$ids gives the user $user no range of 65536 ids (usermod --add-subuids, --add-subgids)."
    done
    # The real thing, once: unshare calls newuidmap and newgidmap just as podman does.
    unshare --user --map-auto --map-root-user true 2> /dev/null ||
        no_rootless "newuidmap may not map the ids of user $user."
}

# crun refuses machines that mix cgroup v1 and v2; runc takes both, but is the worse choice where all is v2.
runtime() {
    if [ "$(stat -f -c %T /sys/fs/cgroup 2> /dev/null)" = cgroup2fs ] && command -v crun > /dev/null; then echo crun
    elif command -v runc > /dev/null; then echo runc
    else echo crun; fi
}

# Overlay does not stack on overlay (a demo inside a container), and plain users may mount it since Linux 5.13.
storage() {
    case $(stat -f -c %T "$dir") in
        overlayfs|nfs*|fuseblk|lustre|gpfs)
            printf '%s\n' --storage-driver vfs
            return ;;
    esac
    printf '%s\n' --storage-driver overlay
    [ "$uid" -ne 0 ] || return 0
    uname -r | awk -F. '{ exit !($1 < 5 || ($1 == 5 && $2 + 0 < 13)) }' || return 0
    if command -v fuse-overlayfs > /dev/null; then
        printf '%s\n' --storage-opt "overlay.mount_program=$(command -v fuse-overlayfs)"
    fi
}

# cgroupfs and an events file: neither systemd nor its journal need to run.
global_args() {
    printf '%s\n' --root "$dir/storage" --runroot "$run" --tmpdir "$dir/tmp" --network-config-dir "$dir/networks"
    printf '%s\n' --cgroup-manager cgroupfs --events-backend file --log-level error
    printf '%s\n' --runtime "$(runtime)"
    storage
}

environment() {
    mkdir -p "$dir/config" "$dir/data" "$dir/scratch"
    printf '%s\n' "XDG_RUNTIME_DIR=$run" "XDG_CONFIG_HOME=$dir/config" "XDG_DATA_HOME=$dir/data" \
        "TMPDIR=$dir/scratch"
}

# our_podman ARGS... - podman with the words above
our_podman() {
    old_ifs=$IFS
    IFS='
'
    # shellcheck disable=SC2046 # one word a line
    set -- $(environment) podman $(global_args) "$@"
    IFS=$old_ifs
    env "$@"
}

# Quotes each line of standard input as one word of a shell.
quoted() { sed -e "s/'/'\\\\''/g" -e "s/^/'/" -e "s/\$/'/" | tr '\n' ' '; }

wrapper() {
    mkdir -p "$dir/bin"
    {
        printf '#!/bin/sh\n# podman with storage of its own, written by conf/setup/podman.sh\n'
        printf 'exec env %spodman %s"$@"\n' "$(environment | quoted)" "$(global_args | quoted)"
    } > "$dir/bin/podman.new"
    chmod 755 "$dir/bin/podman.new"
    mv "$dir/bin/podman.new" "$dir/bin/podman"
    printf '%s\n' "$dir/bin/podman"
}

# Host network for RUN: nothing is set up outside our folder, and it works where slirp4netns or netavark cannot (no
# /dev/net/tun, no iptables). The runtime (oci) isolates RUN properly. Inside most containers it cannot run at all, or
# podman may not raise the limits it likes to raise; then chroot and the limits there are will have to do.
build_args() {
    remembered=$dir/build-args
    if [ ! -s "$remembered" ]; then
        mkdir -p "$dir/probe"
        printf 'FROM %s\nRUN true\n' "$image" > "$dir/probe/Dockerfile"
        limits="--ulimit nofile=$(own_limit nofile) --ulimit nproc=$(own_limit nproc)"
        # shellcheck disable=SC2086 # four words
        if probe --isolation oci; then :
        elif probe --isolation oci $limits; then :
        elif probe --isolation chroot; then :
        elif probe --isolation chroot $limits; then :
        else cat "$dir/probe/log" >&2; die "podman cannot run a command in $image; its own words stand above."
        fi
        rm -rf "$dir/probe"
    fi
    cat "$remembered"
}

# own_limit NAME - this process's soft and hard limit, the way podman wants them
own_limit() {
    prlimit --pid $$ "--$1" --raw --noheadings --output SOFT,HARD | sed -e 's/unlimited/-1/g' -e 's/  */:/'
}

# probe ARGS... - builds with these; when that works they are the ones to remember
probe() {
    our_podman buildx build --no-cache --network host "$@" "$dir/probe" > "$dir/probe/log" 2>&1 || return 1
    our_podman rmi "$(tail -n 1 "$dir/probe/log")" > /dev/null 2>&1 || :
    printf '%s\n' --network host "$@" > "$remembered"
}

# The process that keeps a plain user's name space.
stop() {
    for pause_pid_file in "$dir/tmp/pause.pid" "$run/libpod/tmp/pause.pid"; do
        [ -s "$pause_pid_file" ] || continue
        pause_pid=$(cat "$pause_pid_file")
        case $({ tr '\0' ' ' < "/proc/$pause_pid/cmdline"; } 2> /dev/null || :) in
            catatonit*|podman*) kill "$pause_pid" 2> /dev/null || : ;;
        esac
    done
}

# Without root the files belong to mapped ids, which only "podman unshare" may remove.
remove() {
    [ -d "$dir" ] || return 0
    if command -v podman > /dev/null && [ -d "$dir/storage" ]; then
        our_podman rm --all --force > /dev/null 2>&1 || :
        our_podman umount --all > /dev/null 2>&1 || :
        if [ "$uid" -ne 0 ]; then our_podman unshare rm -rf "$dir/storage" 2> /dev/null || :; fi
    fi
    stop
    if [ "$uid" -eq 0 ]; then
        # Mounts of builds that were killed.
        awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mounted; do
            umount "$mounted" || :
        done
    fi
    # By name: should DIR hold something else after all, that stays.
    for ours in bin storage tmp networks config data scratch probe build-args; do rm -rf "${dir:?}/$ours"; done
    rm -rf "$run"
    rmdir "$dir" 2> /dev/null || :
}

action=print_args image=''
while [ $# -gt 0 ]; do
    case $1 in
        --help|-h) usage; exit 0 ;;
        --env) action=print_env; shift ;;
        --wrapper) action=wrapper; shift ;;
        --stop) action=stop; shift ;;
        --remove) action=remove; shift ;;
        --build-args)
            [ $# -ge 2 ] || die "--build-args wants the name of an image." 2
            action=build_args image=$2
            shift 2 ;;
        -*) die "\"$1\" is not an option (--help tells more)." 2 ;;
        *) break ;;
    esac
done
[ $# -eq 1 ] || die "say one folder (--help tells more)." 2
uid=$(id -u)
case $action in stop|remove) [ -d "$1" ] || exit 0 ;; esac
mkdir -p "$1"
dir=$(CDPATH='' cd -- "$1" && pwd)
case $dir in *'
'*|/) die "podman's folder cannot be \"$dir\"." 2 ;; esac
run=$(run_root)
case $action in stop|remove) "$action"; exit 0 ;; esac
command -v podman > /dev/null || die "podman is missing: conf/setup/packages.sh demo installs it."
check_rootless
make_private "$run"
case $action in
    print_args) global_args ;;
    print_env) environment ;;
    wrapper) wrapper ;;
    build_args) build_args ;;
esac
