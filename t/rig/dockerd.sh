#!/bin/sh
# dockerd.sh - a docker engine of the tests' own, apart from any other on the machine.
#
# usage: dockerd.sh start DIR    starts it, or finds it running, and waits until it answers
#        dockerd.sh stop DIR     stops it and everything it started; does nothing when it does not run
#   DIR   everything of the engine is kept here (its images too, so a second start has them still)
#
# Output of start: the value for DOCKER_HOST, such as unix:///.../docker.sock. Needs root.
#
# The engine comes up with no bridge and changes no firewall rule: containers and builds have the network of the
# machine ("docker buildx build --network host") or none.
#
# Exit codes: 0 fine, 1 it does not come up (the end of DIR/dockerd.log is shown), 2 wrong usage.
set -eu

PROG=dockerd.sh
START_SECONDS=60
STOP_SECONDS=20

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }

# A socket's path may have 107 bytes at most, and containerd adds a few folders of its own below exec-root.
short_dir() {
    if [ "${#dir}" -le 60 ]; then printf '%s\n' "$dir"; return; fi
    printf '/run/cic-dockerd-%s\n' "$(printf '%s' "$dir" | cksum | cut -d' ' -f1)"
}

# arguments PID - one a line; nothing when the process has gone
arguments() { { tr '\0' '\n' < "/proc/$1/cmdline"; } 2> /dev/null || :; }

# daemon_pid - the engine's process, if it is ours and runs
daemon_pid() {
    [ -s "$dir/docker.pid" ] || return 1
    pid=$(cat "$dir/docker.pid")
    arguments "$pid" | grep -qxF -- "$dir/data" || return 1
    printf '%s\n' "$pid"
}

answers() { DOCKER_HOST=$host /usr/bin/docker version > /dev/null 2>&1; }

# Where no systemd runs nobody may have mounted the cgroup controllers; docker wants at least "devices".
mount_cgroups() {
    if [ ! -e /sys/fs/cgroup/cgroup.controllers ] && [ ! -d /sys/fs/cgroup/devices ]; then
        mountpoint -q /sys/fs/cgroup || mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
        awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups | while read -r controller; do
            mkdir -p "/sys/fs/cgroup/$controller"
            mountpoint -q "/sys/fs/cgroup/$controller" ||
                mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" || :
        done
    fi
}

start() {
    [ "$(id -u)" -eq 0 ] || die "starting a docker engine needs root."
    for needed in /usr/sbin/dockerd /usr/bin/docker; do
        [ -x "$needed" ] || die "$needed is missing: conf/setup/packages.sh check installs it."
    done
    if daemon_pid > /dev/null && answers; then printf '%s\n' "$host"; return; fi
    stop
    mkdir -p "$dir/data" "$short/exec"
    mount_cgroups
    # An empty configuration file, so that the machine's own /etc/docker/daemon.json does not count.
    printf '{}\n' > "$dir/daemon.json"
    # In a session of its own: a ctrl-C for the tests must not reach it. Descriptors of the caller are closed, so that
    # nobody waits for the engine to end or for a lock it never meant to hold.
    setsid /usr/sbin/dockerd --config-file "$dir/daemon.json" --data-root "$dir/data" --exec-root "$short/exec" \
        --pidfile "$dir/docker.pid" --host "$host" --group root \
        --bridge none --iptables=false --ip6tables=false --ip-masq=false \
        < /dev/null > "$dir/dockerd.log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    started=$!
    deadline=$(($(date +%s) + START_SECONDS))
    until answers; do
        if ! kill -0 "$started" 2> /dev/null || [ "$(date +%s)" -ge "$deadline" ]; then
            tail -n 20 "$dir/dockerd.log" >&2
            stop
            die "the docker engine did not come up; the end of its log stands above."
        fi
        sleep 0.2
    done
    printf '%s\n' "$host"
}

# Everything that belongs to this engine: its containerd, the shims, the processes in its containers.
# The shims leave the engine's process tree, but each has the engine's folder among its arguments.
our_processes() {
    for proc in /proc/[0-9]*; do
        arguments "${proc#/proc/}" | grep -qF -e "$short/exec" -e "$dir/data" || continue
        printf '%s\n' "${proc#/proc/}"
    done | grep -vx "$$" || :
}

# descendants PID - every process below it
descendants() {
    { cat /proc/[0-9]*/status 2> /dev/null || :; } | awk -v top="$1" '
        $1 == "Pid:" { pid = $2 }
        $1 == "PPid:" { parent[pid] = $2 }
        END {
            below[top] = 1
            do {
                found = 0
                for (p in parent) if (!(p in below) && (parent[p] in below)) { below[p] = 1; found = 1; print p }
            } while (found)
        }'
}

# wait_gone PID SECONDS
wait_gone() {
    gone_deadline=$(($(date +%s) + $2))
    while [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2> /dev/null; do
        [ "$(date +%s)" -lt "$gone_deadline" ] || return 1
        sleep 0.1
    done
}

stop() {
    if running=$(daemon_pid); then
        # A container that ignores SIGTERM would be waited for.
        for container in $(DOCKER_HOST=$host timeout 10 /usr/bin/docker ps -q 2> /dev/null); do
            DOCKER_HOST=$host timeout 10 /usr/bin/docker kill "$container" > /dev/null 2>&1 || :
        done
        kill "$running"
        wait_gone "$running" "$STOP_SECONDS" || kill -9 "$running" || :
    fi
    # What a killed engine left behind: its helpers, and the containers that are their children.
    left_behind=
    for helper in $(our_processes); do
        if engine_program "$helper"; then left_behind="$left_behind $helper $(descendants "$helper")"; fi
    done
    for left in $left_behind; do kill -9 "$left" 2> /dev/null || :; done
    for left in $left_behind; do wait_gone "$left" 5 || :; done
    # Mounts too: of the engine's own folders only. The data folder itself is one (mounted onto itself).
    awk -v a="$dir/data/" -v b="$short/exec/" 'index($5 "/", a) == 1 || index($5 "/", b) == 1 { print $5 }' \
        /proc/self/mountinfo | sort -r | while read -r mounted; do umount "$mounted" 2> /dev/null || :; done
    rm -f "$dir/docker.pid" "$short/docker.sock"
    if [ "$short" != "$dir" ]; then rm -rf "$short"; else rm -rf "$dir/exec"; fi
}

# Only the engine's own programs: an editor or a grep may name the same folder.
engine_program() {
    case $(cat "/proc/$1/comm" 2> /dev/null) in dockerd|containerd*|runc*|docker-proxy|docker-init) return 0 ;; esac
    return 1
}

case ${1:-} in --help|-h) usage; exit 0 ;; start|stop) ;; *) die "say start or stop (--help tells more)." 2 ;; esac
[ $# -eq 2 ] || die "say one folder (--help tells more)." 2
if [ "$1" = stop ] && [ ! -d "$2" ]; then exit 0; fi
mkdir -p "$2"
dir=$(CDPATH='' cd -- "$2" && pwd)
short=$(short_dir)
host=unix://$short/docker.sock
"$1"
