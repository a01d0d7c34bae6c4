#!/bin/sh
# Goal: the whole way, nginx, cic.fcgi, LMDB, cic-worker, cic-build, engine, converter, download by nginx, with each of
# docker and podman, and each of apptainer and the built-in converter; and what is inside is the same from all four.
. "$(dirname "$0")/lib.sh"
rig podman docker apptainer
# apptainer's files are the reference; these differ on purpose (README, "The converters"; t/35-convert.t looks closer)
NOT_COMPARED='/\.singularity\.d(/|$)|^\./(\.exec|\.run|\.shell|\.test|environment|singularity|dev/console|etc/hostname|etc/mtab) '
# these tell when an image was built, and each of the four is built
TIMES='^\./var/(log/|cache/ldconfig/)'

# list FOLDER - every path with type, mode, owner, size of a file, target of a link
list() {
    (cd "$1" && find . -printf '%p %y %m %U:%G %l ' \( -type f -printf '%s\n' -o -printf '\n' \)) |
        grep -vE "$NOT_COMPARED|$TIMES" | LC_ALL=C sort
}
# contents FOLDER - and what the files hold
contents() {
    (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) |
        sed 's/^\([0-9a-f]*\)  \(.*\)/\2 \1/' | grep -vE "$NOT_COMPARED|$TIMES"
}

# inside exec|run FILE ARGS... - what apptainer prints. On a loaded machine its FUSE mount is late now and then, and it
# gives up: then, and only when it fails itself, it is asked again, and what it said is shown.
inside() {
    for try in 1 2 3; do
        if inside_out=$("$APPTAINER" "$@" 2> "$T/apptainer.err"); then break; fi
        diag "apptainer $1, try $try: $(cat "$T/apptainer.err")"
    done
    printf '%s\n' "$inside_out"
}

# through ENGINE CONVERTER - one build; leaves $T/NAME.sif and the unpacked $T/NAME.root
through() {
    name=$1-$2
    rm -rf "$T/data" "$T/images" "$T/git"
    CONVERTER_COMMAND='' IMAGES=localhost/t$$/$name/
    [ "$2" = builtin ] || CONVERTER_COMMAND=$APPTAINER
    config "$1" "$2"
    start
    id=$(submit minimal_workflow wordcount)
    state=$(state_at_end "$id")
    is "$state" FINISHED "$name: the build is FINISHED"
    if [ "$state" != FINISHED ]; then diag "$(status_of "$id")"; show_logs; stop; return; fi
    file=$(status_of "$id" | field filename)
    is "$file" minimal_workflow_wordcount_x86_64_nompi_nogpu_v_latest.sif "$name: under its name"
    (cd "$T" && "$top/cic_cli" "$CIC_USER" "$CIC_PASSWORD" "$CIC_URL" download "$file") > "$T/cli.out" 2>&1
    is "$?" 0 "$name: cic_cli downloads it"
    mv "$T/$file" "$T/$name.sif"
    api GET "/images/download/$file.sha256"
    is "${body%% *}" "$(sha256sum < "$T/$name.sif" | cut -d' ' -f1)" "$name: its checksum beside it is right"
    is "$(find "$T/images" -type f | LC_ALL=C sort | tr '\n' ' ')" "$T/images/$file $T/images/$file.sha256 " \
        "$name: nothing else is left in the images folder"
    ok "$name: siftool reads it" siftool list "$T/$name.sif"
    offset=$(siftool list "$T/$name.sif" | awk -F'|' '/FS/ { split($4, at, "-"); print at[1] + 0 }')
    ok "$name: unsquashfs reads all of it" unsquashfs -o "$offset" -d "$T/$name.root" "$T/$name.sif"
    is "$(inside exec "$T/$name.sif" sh -c 'echo b a b | wordcount' | tr -s ' \n' ' ')" " 2 b 1 a " \
        "$name: apptainer exec runs the installed program"
    # shellcheck disable=SC2016 # for the shell inside
    is "$(inside run "$T/$name.sif" echo 'hello $((1+1))')" "hello 2" \
        "$name: apptainer run goes through the entry point"
    stop
}
for engine in docker podman; do
    for converter in apptainer builtin; do through $engine $converter; done
    list "$T/$engine-apptainer.root" > "$T/a.list"
    list "$T/$engine-builtin.root" > "$T/b.list"
    is "$(diff "$T/a.list" "$T/b.list")" "" "$engine: the same paths, types, modes, owners, sizes and links from both converters"
    contents "$T/$engine-apptainer.root" > "$T/a.sums"
    contents "$T/$engine-builtin.root" > "$T/b.sums"
    is "$(diff "$T/a.sums" "$T/b.sums")" "" "$engine: the same contents from both converters"
    ok "$engine: something was compared" test "$(wc -l < "$T/b.sums")" -gt 1000
done

# a hard link in the image is one in the .sif
is "$(cd "$T/podman-builtin.root" && stat -c %h usr/bin/perl)" "$(cd "$T/podman-apptainer.root" && stat -c %h usr/bin/perl)" \
    "hard links are hard links"

# ---- what a .sif says of itself
about() { siftool dump "$(siftool list "$1" | awk -F'|' '/JSON/ { id = $1 } END { print id + 0 }')" "$1"; }
for engine in docker podman; do
    about "$T/$engine-builtin.sif" > "$T/about.json"
    is "$(jq -r '[.request.workflow, .request.step_id, .request.machine.architecture, .engine] | join(" ")' "$T/about.json")" \
        "minimal_workflow wordcount x86_64 $engine" "$engine: cic-build.json has the request and the engine"
    is "$(jq -r '[.workflow_commit, .workflow_tree, .catalog_commit, .catalog_tree, .content_key, .base_digest, .image_id,
        .tools.cic] | map(length) | join(" ")' "$T/about.json")" "40 40 40 40 64 71 71 5" \
        "$engine: and commits, trees, content key, digests, versions"
    is "$(jq -r .spack_lock "$T/about.json")" null "$engine: and no spack.lock where there is none"
done
rm -rf "$T/data" "$T/images" "$T/git"
REGISTRY=$top/t/data/registry IMAGES=localhost/t$$/lock/
config podman builtin
start
id=$(submit cases lock)
is "$(state_at_end "$id")" FINISHED "a step that leaves a spack.lock is built"
about "$T/images/$(status_of "$id" | field filename)" > "$T/about.json"
is "$(jq -r '.spack_lock.roots[0].spec' "$T/about.json")" zlib "its lock is in cic-build.json"
is "$(jq -r .workflow_commit "$T/about.json")" "$(git --git-dir "$T/git/registry.git" rev-parse HEAD)" "the commit is the registry's"
stop
done_testing
