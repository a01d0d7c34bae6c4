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
rig "$engine" apptainer
case $engine in podman) program=$PODMAN build_args=$PODMAN_BUILD_ARGS ;; *) program=$DOCKER build_args=$DOCKER_BUILD_ARGS ;; esac

# base_with_spack - the engine keeps its layers; the label makes it another image, so that its caches are empty
base_with_spack() {
    mkdir "$T/context"
    cp "$top/t/spack/Dockerfile" "$T/context"
    mkdir "$T/context/spack"
    tar -C "$tree" --exclude=./.git --exclude=./opt -cf - . | tar -C "$T/context/spack" -xf -
    # shellcheck disable=SC2086 # words
    "$program" buildx build $build_args --label "cic.test=$T" --build-arg "BASE=$BASE_IMAGE" -t "${IMAGES}spack" "$T/context" > "$T/base.log" 2>&1 ||
        { diag "$(tail -n 30 "$T/base.log")"; echo "Bail out! the base image is not built"; exit 1; }
    rm -rf "$T/context"
    BASE_IMAGE=${IMAGES}spack
}

# source_of NAME VERSION SECONDS [DEPENDENCY...] - its archive in the catalog: a function that adds up the others'
source_of() {
    name=$1 version=$2 seconds=$3 word=${1#cic-} calls=1 links=''
    shift 3
    folder=$T/src/$name-$version
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
	sleep $seconds
	\$(CC) $options -o \$@ \$^$links
install: $product
	mkdir -p \$(PREFIX)/$install_to
	cp $product \$(PREFIX)/$install_to/
MAKEFILE
    pack "$name" "$version"
}
# pack NAME VERSION - and pin it in its recipe; the program's stays unpinned, as a branch's would be
pack() {
    archive=$CATALOG/src/$1-$2.tar.gz
    tar -C "$T/src" --sort=name --mtime=@0 --owner=0 --group=0 -cf - "$1-$2" | gzip -n > "$archive"
    [ "$1" = cic-app ] ||
        sed -i "s/version(.*/version(\"$2\", sha256=\"$(sha256sum < "$archive" | cut -d' ' -f1)\")/" "$CATALOG/packages/$1/package.py"
}

# catalog VERSION - with all packages in this version, committed
catalog() {
    rm -rf "$CATALOG"
    cp -r "$top/t/spack/catalog" "$CATALOG"
    sed -i "s/1\.0/$1/" "$CATALOG"/packages/*/package.py
    mkdir "$CATALOG/src"
    source_of cic-left "$1" 4
    source_of cic-right "$1" 4
    source_of cic-tool "$1" 20
    source_of cic-core "$1" 1 cic-left cic-right
    source_of cic-app "$1" 1 cic-core cic-tool
}
commit() { "$top/conf/demo/repositories.sh" "$T/git" "$REGISTRY" "$CATALOG" > "$T/git.log"; }

# build MORE WANTED-STATE WHAT - and its time
build() {
    began=$(date +%s)
    id=$(submit trees app "$1")
    state=$(state_at_end "$id")
    is "$state" "$2" "$3"
    [ "$state" = "$2" ] || diag "$(status_of "$id" | field message)"
    echo "# it took $(($(date +%s) - began)) s"
}
log() { cat "$T/data/builds/$id/log"; }
# packages that were compiled, that came from the build cache
built() { log | sed -n 's/.*==> No binary for \(cic-[a-z]*\)-.*/\1/p; s/.*==> \(cic-[a-z]*\): Executing phase: .build.*/\1/p' | sort -u | tr '\n' ' '; }
extracted() { log | sed -n 's/.*==> Extracting \(cic-[a-z]*\)-.*/\1/p' | sort -u | tr '\n' ' '; }

END_SECONDS=900
REGISTRY=$top/t/spack/registry CATALOG=$T/software-catalog MORE_BUILD='  jobs: 4'
base_with_spack
catalog 1.0
config "$engine" builtin
start

build '' FINISHED "an environment of five packages is built"
is "$(built): $(extracted)" "cic-app cic-core cic-left cic-right cic-tool : " "each of them is compiled"
like "$(log)" "*cic-tool-1.0-* building*cic-left-1.0-* done*cic-tool-1.0-* done*" "those that do not depend on each other at the same time"
like "$(log)" "*post_inst: /opt/view/bin/cic-app says 5*left by building: 5*" "post_inst.sh runs what is installed, and finds the stages"
like "$(log)" "*cic: step profile*Successfully uninstalled gmake*" "what only building needed is removed afterwards"
file=$T/images/$(status_of "$id" | field filename)
is "$("$APPTAINER" run "$file" cic-app 2> "$T/apptainer.err")" 5 "run finds the program"
is "$("$APPTAINER" exec "$file" sh -c 'cic-app; command -v cic-app; echo $SPACK_ENV' 2> "$T/apptainer.err")" "5
/opt/view/bin/cic-app
/app" "exec finds it in the view, and the environment is active"

catalog 1.1
echo 'flot broken;' >> "$T/src/cic-core-1.1/core.c"
pack cic-core 1.1
commit
build '' FAILED "one of them does not compile"
like "$(status_of "$id" | field message)" "Spack package cic-core@1.1 does not build: error: unknown type name 'flot'*(core.c:*" \
    "the message names it, and the compiler's error"
like "$(cat "$T/data/builds/$id/package.log")" "*unknown type name*" "its log is kept"
like "$(log)" "*cic-core-1.1-* failed*cic-tool-1.1-* done*" "what was being compiled then is finished"

catalog 1.1
commit
build '' FINISHED "mended"
is "$(built): $(extracted)" "cic-app cic-core : cic-left cic-right cic-tool " "the second try takes from the build cache what was finished"

build ',"force":true' FINISHED "by force"
is "$(built): $(extracted)" "cic-app : cic-core cic-left cic-right cic-tool " \
    "what is pinned comes from the build cache; what is not is compiled"
like "$(log)" "*post_inst: /opt/view/bin/cic-app says 5*left by building: 5*" "with their stages"
done_testing
