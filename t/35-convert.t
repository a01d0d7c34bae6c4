#!/bin/sh
# Goal: the built-in converter makes of an image exactly the tree that apptainer makes of it, whatever is in it and
# whatever it comes from; the same image always gives the same bytes; and the objects around it are what they must be.
. "$(dirname "$0")/lib.sh"
rig podman docker apptainer
. "$top/t/convert.sh"
context=$T/context
mkdir "$context"
cp "$top"/t/data/convert/* "$(command -v setcap || echo /usr/sbin/setcap)" "$context"
gcc -static -O1 -o "$context/show" "$top/t/data/run/show.c"
arch=$(dpkg --print-architecture)

# ---- as apptainer does it

# alike LIST - without what is allowed to differ from apptainer's, each for its reason:
alike() {
    awk '
        # Files of its own: apptainer stamps them with the time of its build, we with the time of the image.
        $1 ~ /^\.(singularity\.d(\/.*)?|exec|run|shell|test)$|^(environment|singularity)$/ { $6 = "-" }
        # These scripts and texts are by each converter itself; t/36-runtime.t compares what they do.
        $1 ~ /^\.singularity\.d\// && $2 == "file" { $5 = $9 = "-" }
        # Empty, from an old version of singularity.
        $1 == ".singularity.d/env/94-appsbase.sh" { next }
        # The top folder is not in an export; apptainer touches the other three.
        $1 ~ /^(\.|etc|etc\/hosts|etc\/resolv\.conf)$/ { $6 = "-" }
        # Folders that docker, before it exports, and apptainer make or touch as mount points.
        $1 ~ /^(dev|proc|sys|home|root|tmp|var|var\/tmp)$/ { $6 = "-" }
        # Docker lays its own over these before it exports: we have the same in all images, below.
        $1 ~ /^(dev\/(console|pts|shm)|etc\/(hostname|mtab))$/ { next }
        { print }' "$1"
}

# same_as_apptainer NAME WHAT - as it is in $T/reference.sif
same_as_apptainer() {
    ok "$2: unsquashfs reads what apptainer made" tree "$T/reference.sif" "$T/reference.list"
    ok "$2: we make one, too" convert "docker-daemon://$1" "$T/ours.sif" --force
    ok "$2: unsquashfs reads it, and has no word to say" tree "$T/ours.sif" "$T/ours.list"
    alike "$T/reference.list" > "$T/reference.alike"
    alike "$T/ours.list" > "$T/ours.alike"
    is "$(diff "$T/reference.alike" "$T/ours.alike" | head -n 20)" "" \
        "$2: the same types, modes, owners, sizes, times, targets, devices, hard links, contents, capabilities"
    ok "$2: the same bytes by docker's API" same_by_api "docker-daemon://$1" "$T/ours.sif"
    created=$(date -d "$("$DOCKER" image inspect -f '{{.Created}}' "$1")" +%s)
    empty=$(printf '' | sha256sum | cut -d' ' -f1)
    is "$(grep -E '^(dev/(console|pts|shm)|etc/(hostname|mtab)) ' "$T/ours.list")" "dev/pts dir 00755 0:0 - $created - - - -
dev/shm dir 00755 0:0 - $created - - - -
etc/hostname file 00644 0:0 0 $created - - $empty -
etc/mtab link 00777 0:0 - $created /proc/mounts - - -" "$2: what docker lays over an image is the same in all images"
    is "$(awk '$1 ~ /^\.$|^\.singularity|^(dev|etc|proc|sys)$/ { print $6 }' "$T/ours.list" | sort -u)" "$created" \
        "$2: what is made is as old as the image"
}

ok "docker builds an image of everything" build_image "${IMAGES}everything" "$context" --target everything
# this takes a minute, in which something else is done
reference "${IMAGES}everything:latest" "$T/reference.sif" &
reference_pid=$!

# Larger than 4 GiB; apptainer needs minutes for that, but what must be in it is known.
ok "docker builds an image with a sparse file of 4500 MiB" build_image "${IMAGES}sparse" "$context" --target sparse
ok "sparse: converted from docker" convert "docker-daemon://${IMAGES}sparse" "$T/sparse.sif"
ok "sparse: unsquashfs reads it" unpack "$T/sparse.sif"
# has OFFSET BYTES - NULs as -
has() { perl -e 'open F, "<", shift or die; seek F, shift, 0; read F, $x, shift or die; $x =~ s/\0/-/g; print $x' "$FS/x/sparse" "$@"; }
# all_there WHAT
all_there() {
    is "$(stat -c %s "$FS/x/sparse") $(has 0 6) $(has 2147483645 14) $(has 4294967289 14) $(has 4718591996 4)" \
        "4718592000 begin- -around 2 GiB- -around 4 GiB- -end" "$1: the file is as long as it was, and all is where it was"
    ok "$1: and still has its holes" test "$(du -m "$FS/x/sparse" | cut -f1)" -lt 5
}
all_there sparse
# the engine's export has no holes: 4500 MiB of zeros
same_by_api() { convert_by_api "$1" "$T/api.sif" && cmp "$2" "$T/api.sif"; }
ok "sparse: the same bytes by docker's API" same_by_api "docker-daemon://${IMAGES}sparse" "$T/sparse.sif"
"$DOCKER" rmi "${IMAGES}sparse" > "$T/rmi.log"

wait $reference_pid
is "$?" 0 "everything: apptainer makes a .sif"
same_as_apptainer "${IMAGES}everything:latest" everything
is "$(grep -c '^x/small/.* file ' "$T/ours.list") $(grep -c '^x/wide/.* file ' "$T/ours.list")" "100001 49999" "everything: all is there"
like "$(grep '^x/modes/capable ' "$T/ours.list")" '* security.capability=*' "everything: capabilities, too"
ok "the base image: apptainer makes a .sif" reference "$BASE_IMAGE" "$T/reference.sif"
same_as_apptainer "$BASE_IMAGE" "the base image"
ok "docker builds an image of one static file" build_image "${IMAGES}static" "$context" --target static
ok "one static file: apptainer makes a .sif" reference "${IMAGES}static:latest" "$T/reference.sif"
same_as_apptainer "${IMAGES}static:latest" "one static file"

# ---- the same bytes

ok "docker builds an image of what is odd" build_image "${IMAGES}odd" "$context" --target odd
odd=${IMAGES}odd
same() { convert "$1" "$T/again.sif" --force --threads "$2" && cmp "$T/odd.sif" "$T/again.sif"; }
ok "odd: converted from docker" convert "docker-daemon://$odd" "$T/odd.sif"
for threads in 1 4; do ok "odd: the same bytes with $threads threads" same "docker-daemon://$odd" $threads; done
ok "odd: the same bytes by docker's API" same_by_api "docker-daemon://$odd" "$T/odd.sif"
ok "docker saves it" "$DOCKER" save -o "$T/odd.tar" "$odd"
ok "podman takes it" to_podman "$odd"
ok "odd: the same bytes from podman" same "podman://$odd" 2
"$DOCKER" rmi "$odd" "${IMAGES}everything" > "$T/rmi.log"
"$DOCKER" load -i "$T/odd.tar" > "$T/load.log"
ok "odd: the same bytes when docker has loaded it anew" same "docker-daemon://$odd" 2
is "$(left_over "$odd")" "" "no container and no mount is left"

# ---- the same tree

# saved SOURCE WHAT [OPTIONS...] - only the definition and the label of the same text may differ
saved() {
    saved_from=$1 saved_what=$2
    shift 2
    ok "$saved_what: converted" convert "$saved_from" "$T/saved.sif" --force "$@"
    ok "$saved_what: unsquashfs reads it" tree "$T/saved.sif" "$T/saved.list"
    is "$(cut_texts "$T/saved.list" | diff "$T/odd.cut" - | head -n 20)" "" "$saved_what: the same tree as from docker"
}
cut_texts() { sed -E 's/^(\.singularity\.d\/(Singularity|labels\.json) .*) [0-9]+ ([0-9]+ - -) [0-9a-f]+ -$/\1 \3/' "$1"; }
tree "$T/odd.sif" "$T/odd.list"
cut_texts "$T/odd.list" > "$T/odd.cut"
push() { DOCKER_CONFIG='' "$PODMAN" push --quiet --compression-format "$1" "$odd" "$2"; }

saved "docker-archive:$T/odd.tar" "docker save"
ok "podman saves it" "$PODMAN" save --quiet --format docker-archive -o "$T/podman.tar" "$odd"
saved "docker-archive:$T/podman.tar" "podman save"
ok "podman saves it, gzip" push gzip "oci-archive:$T/gzip.tar"
saved "oci-archive:$T/gzip.tar" "an OCI archive, gzip"
ok "podman saves it, zstd" push zstd "oci:$T/zstd"
saved "oci:$T/zstd" "an OCI layout, zstd"
ok "docker saves two images" "$DOCKER" save -o "$T/two.tar" "$odd" "$BASE_IMAGE"
saved "docker-archive:$T/two.tar:$odd:latest" "one of two images in an archive"
like "$(convert "docker-archive:$T/two.tar" "$T/none.sif" 2>&1)" "cic-build: $T/two.tar: *more than one image*$BASE_IMAGE*" \
    "when it is not said which, those that are there are named"

# Indexes by hand, around the layers that are there: this machine's platform in an index in the index, and two others.
cd "$T/zstd" || exit 1
# blob TYPE [MEMBERS] - standard input into the layout; prints its descriptor
blob() {
    cat > "$T/blob"
    blob_sum=$(sha256sum < "$T/blob" | cut -d' ' -f1)
    jq -nc --arg type "$1" --arg digest "sha256:$blob_sum" --argjson size "$(stat -c %s "$T/blob")" --argjson more "${2:-{\}}" \
        '{mediaType: $type, digest: $digest, size: $size} + $more'
    mv "$T/blob" "blobs/sha256/$blob_sum"
}
oci=application/vnd.oci.image
of() { jq -r "$1" | sed 's|^sha256:|blobs/sha256/|'; }
index() { jq -sc '{schemaVersion: 2, manifests: .}'; }
real=$(jq -c '.manifests[0]' index.json)
manifest=$(printf '%s' "$real" | of .digest)
# another platform: the same image without its last layer
config=$(jq '.architecture = "s390x" | del(.variant, .rootfs.diff_ids[-1], .history)' "$(of .config.digest < "$manifest")" |
    blob $oci.config.v1+json)
other=$(jq --argjson config "$config" '.config = $config | del(.layers[-1])' "$manifest" |
    blob $oci.manifest.v1+json '{"platform": {"os": "linux", "architecture": "s390x"}}')
note=$(printf '{"layers": [], "config": %s}' "$config" |
    blob $oci.manifest.v1+json '{"platform": {"os": "unknown", "architecture": "unknown"}}')
real=$(printf '%s' "$real" | jq -c --arg arch "$arch" 'del(.annotations) | .platform = {os: "linux", architecture: $arch}')
inner=$(printf '%s' "$note $other $real" | index | blob $oci.index.v1+json '{"annotations": {"org.opencontainers.image.ref.name": "all"}}')
printf '%s' "$inner $note" | index > index.json
cd "$top" || exit 1
saved "oci:$T/zstd" "an index in an index"
saved "oci:$T/zstd:all" "an index in an index, by its name"
saved "oci:$T/zstd" "an index in an index, by its platform" --platform "linux/$arch"
ok "another platform in it" convert "oci:$T/zstd" "$T/other.sif" --platform linux/s390x
ok "another platform in it: unsquashfs reads it" tree "$T/other.sif" "$T/other.list"
is "$(diff "$T/odd.list" "$T/other.list" | grep -cE '^> x/later/opaque/sub |^< x/links/one-in-another-layer ')" 2 \
    "another platform in it: the tree is that one's"
like "$(siftool list "$T/other.sif")" '*FS (Squashfs/\*System/s390x)*' "another platform in it: and the .sif is for it"
like "$(convert "oci:$T/zstd" "$T/none.sif" --platform linux/riscv64 2>&1)" \
    "cic-build: $T/zstd: *no image for linux/riscv64; there are: *linux/s390x*linux/$arch*" "a platform that is not in it: those in it are named"

# tar's own ways to say where the holes are
mkdir -p "$T/holes/x" "$T/sparse/blobs/sha256"
truncate -s 4500M "$T/holes/x/sparse"
for at in 0:begin '2147483646:around 2 GiB' '4294967290:around 4 GiB' 4718591997:end; do
    printf '%s' "${at#*:}" | dd of="$T/holes/x/sparse" bs=1M seek="${at%%:*}" oflag=seek_bytes conv=notrunc status=none
done
cd "$T/sparse" || exit 1
for format in gnu posix; do
    tar -C "$T/holes" --sparse --format $format --owner 0 --group 0 --mode a+r -cf "$T/layer.tar" x
    layer=$(blob $oci.layer.v1.tar < "$T/layer.tar")
    config=$(printf '%s' "$layer" | jq -c --arg arch "$arch" '{os: "linux", architecture: $arch, rootfs: {type: "layers", diff_ids: [.digest]}}' |
        blob $oci.config.v1+json)
    printf '{"schemaVersion": 2, "config": %s, "layers": [%s]}' "$config" "$layer" | blob $oci.manifest.v1+json | index > index.json
    ok "holes in the $format format of tar: converted" convert "oci:$T/sparse" "$T/holes.sif" --force
    ok "holes in the $format format of tar: unsquashfs reads it" unpack "$T/holes.sif"
    all_there "holes in the $format format of tar"
done
cd "$top" || exit 1

# ---- objects

# objects FILE - number and type of each, and the name of what is no file system
objects() {
    siftool list "$1" | awk -F'|' '$1 ~ /^[0-9]/ { print $1 + 0, $5 }' | sed 's/ (.*//' | while read -r number type; do
        printf '%s %s;' "$type" "$(siftool info "$number" "$1" | sed -n 's/^ *Name: *//p')"
    done
}
is "$(objects "$T/odd.sif")" "Def.FILE ;JSON.Generic inspect-metadata.json;JSON.Generic oci-config.json;FS ;JSON.Generic cic-build.json;" \
    "the objects of a .sif, and their names"
id=$("$DOCKER" image inspect -f '{{.Id}}' "$odd")
is "$(siftool dump 1 "$T/odd.sif")" "bootstrap: docker-daemon
from: $odd" "the definition says what it was made from"
is "$(siftool dump 2 "$T/odd.sif" | jq -c '[.type, (.data.attributes | keys)]')" \
    '["container",["deffile","environment","labels","runscript","startscript"]]' "inspect-metadata.json is what it must be"
is "$(siftool dump 3 "$T/odd.sif" | jq -c '[.Cmd, .Env[1]]')" '[["/bin/bash"],"LC_ALL=C"]' "oci-config.json is the image's"
is "$(siftool dump 5 "$T/odd.sif" | jq -c '[keys, .image_id, (.tools | keys)]')" \
    "[[\"image_id\",\"tools\"],\"$id\",[\"cic\",\"libarchive\",\"libdeflate\"]]" "cic-build.json names image and tools"
printf '{"request": {"workflow": "w"}, "key": [1, null, "\\u00e9"]}' > "$T/describe.json"
mkdir "$T/lock"
printf '{"_meta": {"file-type": "spack-lockfile"}, "roots": [], "concrete_specs": {}}\n' > "$T/lock/spack.lock"
printf 'FROM %s\nCOPY spack.lock /opt/spack/\n' "$odd" > "$T/lock/Dockerfile"
build_image "${IMAGES}lock" "$T/lock"
ok "a description and a lock file are embedded" convert "docker-daemon://${IMAGES}lock" "$T/lock.sif" --describe "$T/describe.json" \
    --spack-lock opt/spack/spack.lock
is "$(siftool dump 5 "$T/lock.sif" | jq -c '[keys, .request.workflow, .key, .spack_lock]')" \
    '[["image_id","key","request","spack_lock","tools"],"w",[1,null,"é"],{"_meta":{"file-type":"spack-lockfile"},"roots":[],"concrete_specs":{}}]' \
    "both are in cic-build.json"
"$DOCKER" rmi "${IMAGES}lock" "$odd" "${IMAGES}static" > "$T/rmi.log"
"$PODMAN" rmi "$odd" > "$T/rmi.log" 2>&1
done_testing
