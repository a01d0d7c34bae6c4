#!/bin/sh
# check-spack.sh - the image build with a real Spack (make check-spack).
#
# usage: check-spack.sh TREE [podman|docker]
#   TREE   a Spack tree, such as a checkout of a release; it is copied into a base image
#
# Packages that need nothing but a C compiler are built: all of them, with one that fails in the middle, and again once
# that one is mended.  What the packages took stands in the log; the times are printed.  Takes some minutes.
. "$(dirname "$0")/lib.sh"
tree=${1:?say the folder of a Spack tree}
engine=${2:-podman}
[ -x "$tree/bin/spack" ] || { echo "Bail out! $tree/bin/spack is missing"; exit 1; }
rig "$engine"
case $engine in podman) program=$PODMAN build_args=$PODMAN_BUILD_ARGS ;; *) program=$DOCKER build_args=$DOCKER_BUILD_ARGS ;; esac

# base_with_spack - the engine keeps its layers
base_with_spack() {
    mkdir "$T/context"
    cp "$top/t/spack/Dockerfile" "$T/context"
    mkdir "$T/context/spack"
    tar -C "$tree" --exclude=./.git --exclude=./opt -cf - . | tar -C "$T/context/spack" -xf -
    # shellcheck disable=SC2086 # words
    "$program" buildx build $build_args --build-arg "BASE=$BASE_IMAGE" -t "${IMAGES}spack" "$T/context" > "$T/base.log" 2>&1 ||
        { diag "$(tail -n 30 "$T/base.log")"; echo "Bail out! the base image is not built"; exit 1; }
    rm -rf "$T/context"
    BASE_IMAGE=${IMAGES}spack
}

# source_of NAME SECONDS [DEPENDENCY...] - its archive in the catalog: a library whose function adds up the others'
source_of() {
    name=$1 seconds=$2 word=${1#cic-} calls=1 links=''
    shift 2
    folder=$T/src/$name-1.0
    mkdir -p "$folder"
    : > "$folder/$word.c"
    for other in "$@"; do
        printf 'int %s(void);\n' "${other#cic-}" >> "$folder/$word.c"
        calls="$calls + ${other#cic-}()" links="$links -l$other"
    done
    if [ "$word" = app ]; then
        printf '#include <stdio.h>\nint main(void) { return printf("%%d\\n", %s) < 0; }\n' "$calls" >> "$folder/$word.c"
        product=$name install_to=bin options=''
    else
        printf 'int %s(void) { return %s; }\n' "$word" "$calls" >> "$folder/$word.c"
        product=lib$name.so install_to=lib options='-shared -fPIC'
    fi
    cat > "$folder/Makefile" <<MAKEFILE
$product: $word.c
	date +%s.%N > times
	sleep $seconds
	\$(CC) $options -o \$@ \$^$links
	date +%s.%N >> times
install: $product
	mkdir -p \$(PREFIX)/$install_to \$(PREFIX)/share
	cp $product \$(PREFIX)/$install_to/
	cp times \$(PREFIX)/share/$name.times
MAKEFILE
    tar -C "$T/src" -czf "$T/software-catalog/src/$name-1.0.tar.gz" "$name-1.0"
}

catalog() {
    cp -r "$top/t/spack/catalog" "$T/software-catalog"
    mkdir "$T/software-catalog/src"
    source_of cic-left 4
    source_of cic-right 4
    source_of cic-tool 12
    source_of cic-core 1 cic-left cic-right
    source_of cic-app 1 cic-core cic-tool
}
base_with_spack
catalog
CATALOG=$T/software-catalog REGISTRY=$top/t/spack/registry MORE_BUILD='  jobs: 4'
config "$engine" builtin
start
log() { cat "$T/data/builds/$id/log"; }

began=$(date +%s)
id=$(submit trees app)
END_SECONDS=600
is "$(state_at_end "$id")" FINISHED "an environment of five packages is built"
diag "$(status_of "$id" | field message)"
echo "# it took $(($(date +%s) - began)) s"
done_testing
