#!/bin/sh
# buildx.sh - put docker's buildx plugin into a private docker configuration.
#
# usage: buildx.sh DIR
#   DIR   becomes usable as DOCKER_CONFIG: the plugin is DIR/cli-plugins/docker-buildx
#
# Debian 13 packages the plugin and only a link is made. Debian 12 does not: that one package is fetched from
# Debian 13 (it needs nothing that Debian 12 lacks) through the machine's own mirror, checked by apt with Debian's
# keys, and unpacked into DIR; the machine's own package sources stay as they are.
#
# Output: one sentence when something is fetched. Exit codes: 0 the plugin is there, 1 it is not, 2 wrong usage.
set -eu

PROG=buildx.sh
setup=$(CDPATH='' cd -- "$(dirname -- "$0")/../../conf/setup" && pwd)
FROM_SUITE=trixie

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }

# private_apt COMMAND... - apt-get with lists, cache and sources of our own
private_apt() {
    apt-get -q -o Dir::Etc::sourcelist="$tmp/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$tmp/lists" -o Dir::State::status="$tmp/status" -o Dir::Cache="$tmp/cache" \
        -o APT::Sandbox::User=root "$@"
}

fetch() {
    debian=$("$setup/mirror.sh" --main) || exit 1
    printf '%s: fetching docker-buildx from Debian %s; this takes a few seconds.\n' "$PROG" "$FROM_SUITE"
    mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/unpacked"
    : > "$tmp/status"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$debian" "$FROM_SUITE" \
        > "$tmp/sources.list"
    { private_apt update && cd "$tmp" && private_apt download docker-buildx; } > "$tmp/log" 2>&1 || {
        cat "$tmp/log" >&2
        die "docker-buildx could not be fetched; apt's own words stand above."
    }
    dpkg-deb -x "$tmp"/docker-buildx_*.deb "$tmp/unpacked"
    fetched=$(find "$tmp/unpacked" -type f -path '*/cli-plugins/docker-buildx' | head -n 1)
    [ -n "$fetched" ] || die "the package docker-buildx holds no docker-buildx."
    mv "$fetched" "$plugin"
}

tidy() {
    tidy_status=$?
    trap - EXIT HUP INT TERM
    rm -rf "$tmp"
    exit "$tidy_status"
}

case ${1:-} in --help|-h) usage; exit 0 ;; esac
[ $# -eq 1 ] || die "say one folder (--help tells more)." 2
mkdir -p "$1/cli-plugins"
dir=$(CDPATH='' cd -- "$1" && pwd)
plugin=$dir/cli-plugins/docker-buildx
[ ! -x "$plugin" ] || exit 0
for packaged in /usr/libexec/docker/cli-plugins/docker-buildx /usr/lib/docker/cli-plugins/docker-buildx; do
    if [ -x "$packaged" ]; then ln -sf "$packaged" "$plugin"; exit 0; fi
done
tmp=$(mktemp -d "$dir/tmp.XXXXXX")
trap tidy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
fetch
