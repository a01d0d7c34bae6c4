#!/bin/sh
# packages.sh - install the Debian packages that building, demo and tests need.
#
# usage: packages.sh [--dry-run] GROUP...
#   GROUP       build   what the compiler needs
#               demo    what "make demo" runs
#               check   everything the tests need (includes build and demo)
#   --dry-run   only say what is missing; needs no root and no network
#
# Output: nothing at all when everything is there; otherwise, on standard output, each missing package with its reason,
# then apt's own words. Uses sudo when not root.
#
# Exit codes: 0 all is there now (with --dry-run: nothing is missing), 1 packages are missing or could not be
# installed, 2 wrong usage.
#
# No daemon is started or enabled by this: several of the packages (nginx, podman, docker.io) would do so by
# themselves. Daemons that were on the machine before stay as they were.
set -eu

PROG=packages.sh

usage() {
    sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"
}

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }

# One package a line: group, package, the first Debian release that has it (or needs it) and the last one, why.
table() {
    cat <<'TABLE'
build gcc                   -  -  the C compiler
build make                  -  -  runs the build
build pkg-config            -  -  finds the libraries
build libc6-dev             -  -  C headers
build libfcgi-dev           -  -  FastCGI: how the web server talks to us
build libcjson-dev          -  -  JSON
build uuid-dev              -  -  build ids
build liblmdb-dev           -  -  the database of builds
build libcurl4-openssl-dev  -  -  talks to the docker engine and to image registries
build libyaml-dev           -  -  reads cic.yaml
build libsquashfs-dev       -  -  writes the file system inside a .sif
build libdeflate-dev        -  -  packs that file system
build libarchive-dev        -  -  reads container layers
build libssl-dev            -  -  checksums
demo  nginx                 -  -  the web server in front of the service
demo  spawn-fcgi            -  -  starts the FastCGI program
demo  podman                -  -  builds container images without a daemon
demo  netavark              -  -  podman asks for it, even where no network is set up
demo  crun                  -  -  runs containers (pure cgroup v2 machines)
demo  runc                  -  -  runs containers (machines that still have cgroup v1)
demo  uidmap                -  -  user ids for podman without root
demo  slirp4netns           -  -  network for podman without root
demo  passt                13  -  network for podman without root, the newer kind
demo  fuse-overlayfs        -  -  podman's storage without root on older kernels
demo  catatonit             -  -  keeps podman's name spaces without root
demo  mmdebstrap            -  -  makes the base image from Debian packages
demo  debian-archive-keyring - -  checks those packages
demo  git                   -  -  fetches workflows
demo  curl                  -  -  shows the service's answers
demo  openssl               -  -  certificate and passwords of the demo
demo  ca-certificates       -  -  trusts https servers
demo  siftool               -  -  looks into a .sif
demo  squashfs-tools        -  -  looks into the file system of a .sif
check libcmocka-dev         -  -  unit tests
check libfcgi-bin           -  -  cgi-fcgi: talks to a FastCGI program without a web server
check perl                  -  -  prove, which runs the tests
check fcgiwrap              -  -  a git server by https, in a test
check tinyproxy-bin         -  -  a proxy, in a test
check openssh-server        -  -  a git server by ssh, in a test
check jq                    -  -  reads JSON answers
check procps                -  -  ps and pkill: what runs, and whose child it is
check ansible-core          -  -  a deployment's playbook, which existing clients are
check python3-requests      -  -  downloads as a data pipeline does
check python3-jsonschema    -  -  holds answers against the description of the API
check wget                  -  -  downloads that are taken up again
check docker.io             -  -  the docker engine, started privately by the tests
check docker-cli           13  -  the docker client, a package of its own since Debian 13
check docker-buildx        13  -  docker's buildx (Debian 12 has none: t/rig/buildx.sh)
check iptables              -  -  the docker engine wants it
check docker-registry       -  -  an image registry, started privately by the tests
check libio-socket-ssl-perl -  -  an https server that misbehaves, in a test
check apache2               -  -  the other web server, started privately by a test
check libapache2-mod-xsendfile -  -  sends files that cic.fcgi names
check libcap2-bin           -  -  setcap: a program with capabilities, in a test image
check busybox-static        -  -  a shell that needs nothing else, in a test image
check qemu-user-static      -  -  runs another processor's programs, for images of other platforms
check arch-test             -  -  mmdebstrap asks it whether that works
check time                  -  -  seconds and memory, for make bench
check wrk                   -  -  loads the service with requests, for make bench
check bubblewrap            -  -  enters the private root that holds apptainer
TABLE
}

# Debian's release number; testing and sid have none and count as newest.
release() {
    v=$(sed -n 's/^VERSION_ID="\{0,1\}\([0-9]*\).*/\1/p' /etc/os-release)
    printf '%s\n' "${v:-99}"
}

# wanted GROUP... - "package why..." lines of these groups on this release
wanted() {
    table | awk -v groups=" $* " -v rel="$(release)" '
        index(groups, " check ") { all = 1 }
        (all || index(groups, " " $1 " ")) && ($3 == "-" || rel >= $3) && ($4 == "-" || rel <= $4) {
            line = $2
            for (i = 5; i <= NF; i++) line = line " " $i
            print line
        }'
}

# Of the lines "package why..." on standard input, those whose package is not installed.
only_missing() {
    sed 's/^/want /' | {
        dpkg-query -W -f 'have ${Package} ${db:Status-Status}\n' 2>/dev/null | grep ' installed$' || :
        cat
    } | awk '$1 == "have" { have[$2] = 1; next } !($2 in have) { sub(/^want /, ""); print }'
}

# What is enabled now, one symlink a line. Both systemd's links and those of System V init.
enabled_links() {
    find /etc/systemd/system /etc/systemd/user -path '*.wants/*' -type l 2>/dev/null || :
    find /etc/systemd/system /etc/systemd/user -path '*.requires/*' -type l 2>/dev/null || :
    find /etc/rc?.d -name 'S*' -type l 2>/dev/null || :
}

# Every service name the machine knows now: these keep being handled as the machine's owner wants.
known_services() {
    for known_dir in /etc/init.d /lib/systemd/system /usr/lib/systemd/system /etc/systemd/system; do
        [ -d "$known_dir" ] && ls "$known_dir"
    done | sort -u
}

# ---- what runs as root ------------------------------------------------------------------------------------------

POLICY=/usr/sbin/policy-rc.d
SAVED=/usr/sbin/policy-rc.d.before-cic
MARK='written by packages.sh of the image creation service'

# Debian's packages ask this script before they start a daemon. Ours says no for services that are new and passes
# the question on to the script that was there before, if there was one.
policy_on() {
    policy_off                          # an earlier run may have been killed
    if [ -e "$POLICY" ] || [ -L "$POLICY" ]; then mv "$POLICY" "$SAVED"; fi
    cat > "$POLICY" <<POLICY_END
#!/bin/sh
# $MARK; it goes away when that ends
[ "\$1" = --list ] && exit 0
[ "\$1" = --quiet ] && shift
if [ -r '$tmp/known' ] && ! grep -qxF -e "\$1" -e "\$1.service" '$tmp/known'; then exit 101; fi
[ -x '$SAVED' ] && exec '$SAVED' "\$@"
exit 0
POLICY_END
    chmod 755 "$POLICY"
}

policy_off() {
    if grep -qsF "$MARK" "$POLICY"; then rm -f "$POLICY"; fi
    if [ -e "$SAVED" ] || [ -L "$SAVED" ]; then mv "$SAVED" "$POLICY"; fi
}

# Units and init scripts of packages which were not there before: lines of "kind unit package".
new_units() {
    dpkg-query -W -f '${Package}\n' | sort > "$tmp/packages.after"
    comm -13 "$tmp/packages" "$tmp/packages.after" | while read -r new_package; do
        { dpkg-query -L "$new_package" 2>/dev/null || :; } |
            sed -n -e "s,^.*/systemd/system/\([^/]*\)\$,system \1 $new_package,p" \
                -e "s,^.*/systemd/user/\([^/]*\)\$,user \1 $new_package,p" \
                -e "s,^/etc/init\.d/\([^/]*\)\$,sysv \1 $new_package,p"
    done | sort -u
}

# A daemon that was not there before and is enabled now is disabled again; all others are left alone.
# deb-systemd-helper works where systemd does not run, and remembers our choice for the package's next upgrade; it
# wants to be told for which package it is called.
disable_new() {
    enabled_links | sort > "$tmp/links.after"
    comm -13 "$tmp/links" "$tmp/links.after" > "$tmp/links.new"
    [ -s "$tmp/links.new" ] || return 0
    new_units > "$tmp/units"
    switched_off=
    while read -r kind unit unit_package; do
        case $kind in
            system) is_new "/etc/systemd/system/" "/$unit" || continue
                    DPKG_MAINTSCRIPT_PACKAGE=$unit_package deb-systemd-helper disable "$unit" ;;
            user)   is_new "/etc/systemd/user/" "/$unit" || continue
                    DPKG_MAINTSCRIPT_PACKAGE=$unit_package deb-systemd-helper --user disable "$unit" ;;
            sysv)   is_new /etc/rc "/S[0-9][0-9]$unit" || continue
                    update-rc.d "$unit" disable ;;
        esac > /dev/null || say "Please switch off yourself, it did not work here: $unit"
        switched_off="$switched_off $unit"
    done < "$tmp/units"
    [ -z "$switched_off" ] || say "Services that came with the packages and are left switched off:$switched_off"
    if [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi
}

# is_new START END - is there a new link with this start and this end?
is_new() { grep -q "^$1.*$2\$" "$tmp/links.new"; }

tidy() {
    tidy_status=$?
    trap - EXIT HUP INT TERM
    policy_off
    rm -rf "$tmp"
    exit "$tidy_status"
}

# install PACKAGE... as root, with the daemons kept quiet
install_all() {
    tmp=$(mktemp -d)
    trap tidy EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    dpkg-query -W -f '${Package}\n' | sort > "$tmp/packages"
    enabled_links | sort > "$tmp/links"
    known_services > "$tmp/known"
    policy_on
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    apt-get -q update || die "apt-get update failed. Is a Debian mirror reachable?"
    install_status=0
    apt-get -q install -y --no-install-recommends "$@" || install_status=1
    disable_new
    [ "$install_status" -eq 0 ] || die "apt-get could not install everything; its own message stands above."
}

# ---- main -------------------------------------------------------------------------------------------------------

dry_run=no
groups=
while [ $# -gt 0 ]; do
    case $1 in
        --help|-h) usage; exit 0 ;;
        --dry-run) dry_run=yes ;;
        --as-root)  # this script's own second half, started by itself through sudo
            shift
            [ "$(id -u)" -eq 0 ] || die "--as-root is for this script's own use." 2
            install_all "$@"
            exit 0 ;;
        build|demo|check) groups="$groups $1" ;;
        *) printf '%s: "%s" is not a group. The groups are build, demo and check.\n' "$PROG" "$1" >&2; exit 2 ;;
    esac
    shift
done
[ -n "$groups" ] || die "say which group: build, demo or check (--help tells more)." 2
for needed in dpkg-query apt-get; do
    command -v "$needed" > /dev/null || die "this machine has no $needed. Debian 12 or 13 is needed."
done

# shellcheck disable=SC2086 # the groups are single words
missing=$(wanted $groups | only_missing)
[ -n "$missing" ] || exit 0

if [ "$dry_run" = yes ]; then say "These Debian packages are missing:"
else say "These Debian packages are missing and will be installed now (one to three minutes):"; fi
printf '%s\n' "$missing" | while read -r name why; do printf '  %-24s %s\n' "$name" "$why"; done
[ "$dry_run" = no ] || exit 1

names=$(printf '%s\n' "$missing" | awk '{ print $1 }')
self=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/$(basename -- "$0")
# shellcheck disable=SC2086 # package names are single words
if [ "$(id -u)" -eq 0 ]; then
    "$self" --as-root $names
elif command -v sudo > /dev/null; then
    say "This needs root: sudo may ask for your password."
    sudo -- "$self" --as-root $names
else
    die "installing needs root and there is no sudo here. Please run this as root, then try again:
  $self$groups"
fi
