#!/bin/sh
# Goal: what docker and podman push to a real registry is found there: the same digest, id and label; with and without a
# password, by http and https; and what is not there is not.
. "$(dirname "$0")/lib.sh"
rig podman docker registry

end() {
    end_status=$?
    for ended in open closed secure; do "$REGISTRY_RIG" stop "$T/$ended"; done
    for tag in $tags; do "$DOCKER" rmi --force "$tag"; "$PODMAN" rmi --force "$tag"; done > /dev/null 2>&1
    (exit "$end_status")
    cleanup
}
tags=''
trap end EXIT

# registry NAME [OPTIONS] - start one; its settings are those of find, docker and podman from then on
registry() {
    registry_name=$1
    shift
    "$REGISTRY_RIG" start "$T/$registry_name" "$@" > "$T/settings" || exit 1
    # shellcheck disable=SC1091
    . "$T/settings"
    export IMAGE_REGISTRY_USER IMAGE_REGISTRY_PASSWORD IMAGE_REGISTRY_CA
    auth=$(printf '%s:%s' "$IMAGE_REGISTRY_USER" "$IMAGE_REGISTRY_PASSWORD" | base64 | tr -d '\n')
    mkdir -p "$T/auth"
    printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$IMAGE_REGISTRY" "$auth" > "$T/auth/config.json"
    image=$IMAGE_REGISTRY/team/prog
    tags="$tags $image:docker $image:podman"
}

give_up() { diag "$(tail -n 20 "$1")"; exit 1; }

# push_both - one image from each engine; sets digest and id of both
push_both() {
    "$DOCKER" tag "$IMAGES"registry "$image:docker" || exit 1
    "$DOCKER" --config "$T/auth" push --quiet "$image:docker" > "$T/push.log" 2>&1 || give_up "$T/push.log"
    docker_digest=$("$DOCKER" image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image:docker" |
        sed -n "s,^$image@,,p")
    docker_id=$("$DOCKER" image inspect --format '{{.Id}}' "$image:docker")
    "$PODMAN" tag "$IMAGES"registry "$image:podman" || exit 1
    "$PODMAN" push --quiet --tls-verify=false --authfile "$T/auth/config.json" --digestfile "$T/digest" \
        "$image:podman" > "$T/push.log" 2>&1 || give_up "$T/push.log"
    podman_digest=$(cat "$T/digest")
    podman_id=sha256:$("$PODMAN" image inspect --format '{{.Id}}' "$image:podman")
}

find_image() { "$T/find" "$1" linux/amd64 2> "$T/find.log"; }

# both_found WHERE - what was pushed is what is found
both_found() {
    is "$(find_image "$image:docker")" "$docker_digest
$docker_id
docker" "$1: what docker pushed"
    is "$(find_image "$image:podman")" "$podman_digest
$podman_id
podman" "$1: what podman pushed"
    is "$(find_image "$image@$podman_digest" | head -n 1)" "$podman_digest" "$1: by its digest"
    like "$(find_image "$image:none")" "2 image *not have it*" "$1: a tag that is not there"
}

build=${BUILD:-$top/build}
case $build in /*) ;; *) build=$top/$build ;; esac
gcc -std=c11 -D_GNU_SOURCE -iquote "$top/lib" -o "$T/find" "$top/t/data/registry/find.c" "$build/libcic.a" \
    -lcurl -lcjson -lcrypto -larchive -pthread || exit 1
mkdir "$T/context"
echo hello > "$T/context/hello"
printf 'FROM scratch\nARG BY\nLABEL cic.test=$BY\nCOPY hello /\n' > "$T/context/Dockerfile"
# shellcheck disable=SC2086 # words
"$DOCKER" buildx build $DOCKER_BUILD_ARGS --platform linux/amd64 --load --build-arg BY=docker --tag "$IMAGES"registry \
    "$T/context" > "$T/build.log" 2>&1 &&
    "$PODMAN" build $PODMAN_BUILD_ARGS --layers=false --platform linux/amd64 --build-arg BY=podman \
        --tag "$IMAGES"registry "$T/context" >> "$T/build.log" 2>&1 || give_up "$T/build.log"
tags="$tags ${IMAGES}registry"

registry open
push_both
both_found "without a password"
like "$("$T/find" "$image:docker" linux/arm64 2> /dev/null)" "2 *linux/amd64, not for linux/arm64" "for another platform"

registry closed --password
push_both
both_found "with a password"
IMAGE_REGISTRY_PASSWORD=wrong
like "$(find_image "$image:docker")" "6 *refuses user*" "a wrong password"
IMAGE_REGISTRY_USER=''
like "$(find_image "$image:docker")" "6 *wants a user and a password*" "no password"

registry secure --password --tls
push_both
both_found "with a password, by https"
is "$(grep -c https:// "$T/find.log")" 2 "https is spoken, as the log says"
is "$(grep -cF "$IMAGE_REGISTRY_PASSWORD" "$T/find.log")" 0 "the password is not in the log"
"$REGISTRY_RIG" stop "$T/secure"
like "$(find_image "$image:docker")" "5 *onnect*" "when it is down"
done_testing
