#!/bin/sh
# binfmt.sh - have the kernel run another processor's programs by qemu, and undo that.
#
# usage: binfmt.sh start NAME DIR   NAME as qemu has it, such as aarch64; nothing changes where that is set up already
#        binfmt.sh stop DIR         takes back what "start" did; does nothing when it did nothing
#   DIR   what was done is remembered here
#
# The setting is the whole machine's: containers see it, too. Needs root, and the package qemu-user-static.
#
# Exit codes: 0 fine, 1 it cannot be had (a sentence says why), 2 wrong usage.
set -eu

PROG=binfmt.sh
misc=/proc/sys/fs/binfmt_misc

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }

# F: the kernel opened qemu when it was registered, so that a container needs none of its own.
is_ready() {
    [ "$(head -n 1 "$misc/qemu-$name" 2> /dev/null)" = enabled ] && grep -q '^flags:.*F' "$misc/qemu-$name"
}

start() {
    if is_ready; then return; fi
    [ "$(id -u)" -eq 0 ] || die "telling the kernel about qemu needs root."
    line=/usr/lib/binfmt.d/qemu-$name.conf
    [ -s "$line" ] || die "$line is missing: conf/setup/packages.sh check installs it."
    [ ! -e "$misc/qemu-$name" ] || die "$misc/qemu-$name is there but switched off, or without the flag F."
    mkdir -p "$dir"
    # Where systemd does not run, nobody may have mounted it.
    if [ ! -e "$misc/register" ]; then
        mount -t binfmt_misc binfmt_misc "$misc" || die "binfmt_misc cannot be mounted here."
        : > "$dir/binfmt-mounted"
    fi
    grep -v '^#' "$line" > "$misc/register" || die "the kernel does not take $line."
    echo "$name" >> "$dir/binfmt-registered"
    is_ready || die "$misc/qemu-$name is not what it should be."
}

stop() {
    if [ -s "$dir/binfmt-registered" ]; then
        while read -r name; do
            if [ -e "$misc/qemu-$name" ]; then echo -1 > "$misc/qemu-$name"; fi
        done < "$dir/binfmt-registered"
    fi
    if [ -e "$dir/binfmt-mounted" ] && mountpoint -q "$misc"; then umount "$misc"; fi
    rm -f "$dir/binfmt-registered" "$dir/binfmt-mounted"
}

case ${1:-} in
    --help|-h) usage ;;
    start) [ $# -eq 3 ] || die "start wants a name and a folder (--help tells more)." 2
           name=$2 dir=$3
           start ;;
    stop) [ $# -eq 2 ] || die "stop wants a folder (--help tells more)." 2
          dir=$2
          stop ;;
    *) die "say start or stop (--help tells more)." 2 ;;
esac
