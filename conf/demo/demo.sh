#!/bin/sh
# demo.sh - the service's main job on this machine: from a request to a .sif that runs.
#
# usage: demo.sh start    install what is missing, start a private instance under run/, build, download, prove
#        demo.sh stop     end the instance
#        demo.sh clean    end it and remove run/
#
# Nothing outside run/ is touched, installed packages and podman's lock file in /dev/shm aside.  A second start takes
# seconds: what is right already is left alone.
#
# Exit codes: 0 the proof was shown, 1 something failed (said in a sentence), 2 wrong usage.
set -eu

PROG=demo.sh
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH='' cd -- "$here/../.." && pwd)
run=$top/run
setup=$top/conf/setup
BASE=localhost/cic/base:latest

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
die() { printf '\n%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }
step() { printf '\n== %s\n' "$1"; }

step_packages() {
    step "Packages and programs"
    "$setup/packages.sh" build demo
    make -C "$top" --no-print-directory --silent all || die "compiling failed; the compiler's words stand above."
    echo "cic.fcgi, cic-worker and cic-build are in build/"
}

step_engine() {
    step "Container engine: podman with storage of its own (no daemon)"
    podman=$("$setup/podman.sh" --wrapper "$run/podman") || exit 1
    step "Base image: Debian packages instead of Docker Hub"
    "$setup/base-image.sh" --workdir "$run/base" --image "$BASE" -- "$podman"
    build_args=$("$setup/podman.sh" --build-args "$BASE" "$run/podman")
}

step_repositories() {
    step "Workflow registry and software catalog: two git repositories"
    "$here/repositories.sh" "$run/git" "$here/workflow-registry" "$here/software-catalog"
    ls -d "$run"/git/*.git
}

# One word a line to ["a", "b"].
yaml_list() { sed -e 's/.*/"&"/' | paste -s -d, - | sed -e 's/.*/[&]/'; }

write_config() {
    cat > "$run/cic.yaml.new" <<END
# Written by conf/demo/demo.sh; conf/cic.yaml explains every key.
service:
  data: $run/data
repositories:
  workflow_repository: $run/git/workflow-registry.git
  software_repository: $run/git/software-catalog.git
registry:
  images_prefix: localhost/cic/
build:
  base_image: $BASE
  engine: podman
  engine_command: $podman
  engine_build_args: $(printf '%s\n' "$build_args" | yaml_list)
  converter: builtin
  images_location: $run/images
  templates: $top/conf/image
END
    if cmp -s "$run/cic.yaml.new" "$run/cic.yaml"; then
        rm "$run/cic.yaml.new"
        return 0
    fi
    "$here/instance.sh" stop "$run"     # the next start reads the new one
    mv "$run/cic.yaml.new" "$run/cic.yaml"
}

step_service() {
    step "Service: nginx with a password, cic.fcgi, cic-worker"
    write_config
    "$here/instance.sh" start "$run"
    # shellcheck disable=SC1091 # written by instance.sh
    . "$run/instance.env"
    # exported, so that cic_cli finds them
    (umask 077; sed 's/^/export /' "$run/instance.env" > "$run/demo.env")
    echo "listening on $CIC_URL/image_creation/"
}

cli() { "$top/cic_cli" "$CIC_USER" "$CIC_PASSWORD" "$CIC_URL" "$@"; }
# field NAME - out of the JSON that cic_cli printed
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# Show the log as it grows and every change of state, until the end.
watch_build() {
    log=$run/data/builds/$1/log shown=0 last=''
    while :; do
        answer=$(cli status "$1") || die "the status could not be read: $answer"
        if [ -f "$log" ]; then
            lines=$(wc -l < "$log")
            [ "$lines" -le "$shown" ] || sed -n "$((shown + 1)),${lines}s/^/    /p" "$log"
            shown=$lines
        fi
        state=$(printf '%s\n' "$answer" | field status)
        [ "$state" = "$last" ] || printf '  --> %s\n' "$state"
        last=$state
        case $state in
            FINISHED) return 0 ;;
            FAILED) die "the build failed: $(printf '%s\n' "$answer" | field message)" ;;
        esac
        sleep 0.2
    done
}

step_build() {
    step "Request: cic_cli USER PASSWORD $CIC_URL build conf/demo/request.json"
    sed "s/\"x86_64\"/\"$(uname -m)\"/; s|linux/amd64|$(platform)|" "$here/request.json" > "$run/request.json"
    cat "$run/request.json"
    answer=$(cli build "$run/request.json") || die "the request was refused: $answer"
    printf '%s\n' "$answer"
    watch_build "$(printf '%s\n' "$answer" | field id)"
    file=$(printf "%s\n" "$answer" | field filename)
}

platform() {
    case $(uname -m) in
        x86_64) echo linux/amd64 ;;
        aarch64) echo linux/arm64 ;;
        *) echo "linux/$(uname -m)" ;;
    esac
}

step_download() {
    step "Download: cic_cli USER PASSWORD $CIC_URL download $file"
    mkdir -p "$run/download"
    (cd "$run/download" && cli download "$file")
    sif=$run/download/$file
}

# Where the squashfs begins: its row in siftool's table.
squashfs_offset() { siftool list "$sif" | awk -F'|' '/FS/ { split($4, at, "-"); print at[1] + 0 }'; }

step_proof() {
    step "Proof: what is inside"
    siftool list "$sif"
    offset=$(squashfs_offset)
    unsquashfs -o "$offset" -ll "$sif" > "$run/listing" 2> /dev/null
    grep -E 'usr/local/bin/wordcount|usr/bin/gawk|singularity.d/runscript' "$run/listing" ||
        die "the installed program is not in the image."
    for runtime in apptainer singularity; do
        command -v "$runtime" > /dev/null || continue
        echo "$runtime exec $file wordcount:"
        printf 'a rose is a rose is a rose\n' | "$runtime" exec "$sif" wordcount
        return 0
    done
    echo "(neither apptainer nor singularity is installed here, so the image is not run)"
}

say_end() {
    cat <<END

== Done. The service runs until "make demo-stop".
   address   $CIC_URL/image_creation/
   user      $CIC_USER
   password  $CIC_PASSWORD      (also in run/demo.env)

   Try next:
     . run/demo.env
     ./cic_cli build conf/demo/banner.json --wait
     ./cic_cli images
     ./cic_cli help
     tail -f run/log/cic-worker.log
END
}

start() {
    mkdir -p "$run"
    step_packages
    step_engine
    step_repositories
    step_service
    step_build
    step_download
    step_proof
    say_end
}

stop() {
    [ -d "$run" ] || { echo "nothing to stop: there is no run/"; return 0; }
    "$here/instance.sh" stop "$run"
    "$setup/podman.sh" --stop "$run/podman"
    echo "stopped"
}

clean() {
    stop
    "$setup/podman.sh" --remove "$run/podman"
    rm -rf "$run"
}

case ${1-} in
    --help|-h) usage ;;
    start|stop|clean) "$1" ;;
    *) die "say start, stop or clean (--help tells more)." 2 ;;
esac
