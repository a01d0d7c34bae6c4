#!/bin/sh
# convert.sh - the built-in converter beside apptainer, in one run on this machine.
#
# usage: convert.sh [--runs N]     each way N times, in turn (5)
#
# The same image, Debian with a compiler and Python, is converted
#   by apptainer from docker                          the peer
#   from docker as root                               its layers mounted and read
#   from docker without root                          by the engine's API
#   from podman, and from a `docker save` archive
# and exported by docker to nothing, which is how fast an engine gives an image away at all.  Then the memory of images
# of many small files.  Printed: medians of time and peak memory, sizes, and what they are to the limits of the project.
#
# Needs what "make check" installs, and root.  Exit codes: 0 all within the limits, 1 not, or something failed.
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
runs=5
case ${1-} in
    --runs) runs=$2 ;;
    --help|-h) sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;;
    '') ;;
    *) echo "convert.sh: --help tells more." >&2; exit 2 ;;
esac
T=$(mktemp -d /tmp/cic-bench.XXXXXX)
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM HUP
build=$top/build/cic-build
image=localhost/cic/bench:latest

for component in podman docker apptainer; do
    "$top/t/rig/rig.sh" "$component" > "$T/$component.env"
    # shellcheck disable=SC1090
    . "$T/$component.env"
done

have_images() {
    "$DOCKER" image inspect $image > /dev/null 2>&1 && "$PODMAN" image inspect $image > /dev/null 2>&1
}
make_images() {
    echo "Building the image; this takes a minute." >&2
    # shellcheck disable=SC2086 # words
    "$DOCKER" buildx build $DOCKER_BUILD_ARGS --load --tag $image - > "$T/log" 2>&1 <<END || { cat "$T/log" >&2; exit 1; }
FROM $BASE_IMAGE
RUN apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
    gcc g++ libc6-dev python3 git && apt-get clean && rm -rf /var/lib/apt/lists/*
END
}
have_images || make_images
"$DOCKER" save $image > "$T/saved.tar"
"$PODMAN" image inspect $image > /dev/null 2>&1 || "$PODMAN" load --quiet --input "$T/saved.tar" > /dev/null
printf '%s\n' "repositories:" "  workflow_repository: $T/none" "  software_repository: $T/none" "build:" \
    "  base_image: none" "  engine: podman" "  engine_command: $PODMAN" > "$T/podman.yaml"
chmod 755 "$T" && mkdir -m 777 "$T/nobody"

# measure NAME COMMAND... - appends "seconds KiB" to $T/NAME.runs
measure() {
    measured=$1
    sync    # nobody writes what another one left
    shift
    /usr/bin/time --quiet --format '%e %M' --output "$T/time" "$@" > "$T/log" 2>&1 || { cat "$T/log" >&2; exit 1; }
    cat "$T/time" >> "$T/$measured.runs"
}
# median NAME COLUMN
median() { cut -d' ' -f"$2" "$T/$1.runs" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

one_round() {
    rm -f "$T/apptainer.sif"
    measure apptainer "$APPTAINER" build --disable-cache "$T/apptainer.sif" "docker-daemon://$image"
    measure docker "$build" --convert "docker-daemon://$image" --output "$T/docker.sif" --force --quiet
    measure api setpriv --reuid 65534 --regid 0 --clear-groups \
        "$build" --convert "docker-daemon://$image" --output "$T/nobody/api.sif" --force --quiet
    measure podman "$build" --convert "podman://$image" --output "$T/podman.sif" --force --quiet -c "$T/podman.yaml"
    measure archive "$build" --convert "docker-archive:$T/saved.tar" --output "$T/archive.sif" --force --quiet
    container=$("$DOCKER" create $image /none)
    measure export sh -c '"$1" export "$2" > /dev/null' sh "$DOCKER" "$container"
    "$DOCKER" rm "$container" > /dev/null
}
round=1
while [ "$round" -le "$runs" ]; do
    echo "round $round of $runs" >&2
    one_round
    round=$((round + 1))
done
cmp "$T/docker.sif" "$T/podman.sif"
cmp "$T/docker.sif" "$T/nobody/api.sif"

# many N - converts an archive of N files of 20 bytes
many() {
    perl -e 'my $n = shift; my $s = sub { my ($name, $data, $type) = @_;
        my $h = pack("a100 a8 a8 a8 a12 a12 A8 a1 a100 a6 a2 a32 a32 a8 a8 a155 x12", $name, "0000644", "0000000",
            "0000000", sprintf("%011o", length $data), "00000000000", "", $type, "", "ustar", "00", "", "", "", "", "");
        substr($h, 148, 8) = sprintf("%06o\0 ", unpack("%32C*", $h));
        print $h, $data, "\0" x (-length($data) % 512) };
        $s->(sprintf("opt/env/pkg%03d/module%02d/source_%07d.py", $_ % 500, $_ / 500 % 40, $_), sprintf("# file %012d", $_), "0")
            for 1 .. $n; print "\0" x 1024' "$1" > "$T/layer.tar"
    digest=$(sha256sum < "$T/layer.tar" | cut -d' ' -f1)
    printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$digest" > "$T/config.json"
    printf '[{"Config":"config.json","RepoTags":["many:1"],"Layers":["layer.tar"]}]' > "$T/manifest.json"
    tar -C "$T" -cf "$T/many.tar" manifest.json config.json layer.tar
    measure "many$1" "$build" --convert "docker-archive:$T/many.tar" --output "$T/many.sif" --force --quiet
}
many 100000
many 500000

size() { stat -c %s "$1"; }
# row TEXT NAME FILE
row() {
    awk -v text="$1" -v s="$(median "$2" 1)" -v kb="$(median "$2" 2)" -v ref="$(median apptainer 1)" \
        -v bytes="$([ -z "$3" ] || size "$3")" 'BEGIN {
        printf "%-44s %7.2f s  1/%-5.1f %6.0f MB  %s\n", text, s, ref / s, kb / 1024,
            bytes == "" ? "" : sprintf("%.1f MB", bytes / 1e6) }'
}
# limit TEXT VALUE MOST
limit() {
    awk -v text="$1" -v value="$2" -v most="$3" 'BEGIN {
        printf "%-60s %9.4g  at most %-9.4g %s\n", text, value, most, value <= most ? "yes" : "NO"; exit value > most }' ||
        missed=1
}
ratio() { awk -v a="$(median "$1" 1)" -v b="$(median "$2" 1)" 'BEGIN { print a / b }'; }

missed=0
printf 'medians of %s runs, %s processors, image of %s\n' "$runs" "$(nproc)" \
    "$("$DOCKER" image inspect --format '{{.Size}}' $image | awk '{ printf "%.0f MB", $1 / 1e6 }')"
printf '%-44s %9s  %-7s %9s  %s\n' '' time ratio memory size
row 'apptainer build docker-daemon://' apptainer "$T/apptainer.sif"
row 'ours, docker-daemon:// as root (layers)' docker "$T/docker.sif"
row 'ours, docker-daemon:// without root (API)' api "$T/nobody/api.sif"
row 'ours, podman://' podman "$T/podman.sif"
row 'ours, docker-archive:' archive "$T/archive.sif"
row 'docker export to nothing' export ''
row 'ours, 100,000 small files' many100000 ''
row 'ours, 500,000 small files' many500000 ''
echo
limit 'docker as root, of apptainer' "$(ratio docker apptainer)" 0.08333
limit 'docker by its API, of apptainer' "$(ratio api apptainer)" 0.1111
limit 'podman, of apptainer' "$(ratio podman apptainer)" 0.08333
limit 'docker as root, of the export to nothing' "$(ratio docker export)" 2
limit 'podman, of the export to nothing' "$(ratio podman export)" 2
limit 'size, of apptainer' "$(awk -v a="$(size "$T/docker.sif")" -v b="$(size "$T/apptainer.sif")" 'BEGIN { print a / b }')" 1
limit 'memory, MB, the image above' "$(median docker 2 | awk '{ print $1 / 1024 }')" 128
limit 'memory, MB, 500,000 files' "$(median many500000 2 | awk '{ print $1 / 1024 }')" 128
exit $missed
