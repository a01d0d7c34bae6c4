#!/bin/sh
# Goal: what is built, pulled, pushed and made into a .sif, for every place where an image may be, every `push`, and an
# image that is up to date or not; with docker (ENGINES="docker podman": podman, too, which takes
# several times as long) and the real registry.  And what force does.
# Each row of the table is a version of its own, so that all of them are asked for at once.  What happened is read off
# the engine and the registry, not off the service.
. "$(dirname "$0")/../lib.sh"
rig podman docker registry
REGISTRY=$T/registry step=$T/registry/push/step

remove_images() {
    "$1" images --format '{{.Repository}}:{{.Tag}}' 2> /dev/null | grep "^$IMAGES" > "$T/names.end" || return 0
    xargs "$1" rmi --force < "$T/names.end" > /dev/null 2>&1
}
end() {
    end_status=$?
    "$REGISTRY_RIG" stop "$T/docker-registry"
    remove_images "$DOCKER"
    remove_images "$PODMAN"
    (exit "$end_status")
    cleanup
}
trap end EXIT

# ---- the truth

engine_() { case $engine in docker) "$DOCKER" "$@" ;; podman) "$PODMAN" "$@" ;; esac; }
# in_engine - lines "VERSION ID" of everything the engine has under our name
in_engine() {
    engine_ images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' |
        sed -n "s|^$image:\([^ ]*\) \(sha256:\)\{0,1\}|\1 |p"
}
# manifest VERSION [CURL-ARGS...]
manifest() {
    manifest_url=http://$IMAGE_REGISTRY/v2/${image#*/}/manifests/$1
    shift
    curl --silent --header 'Accept: application/vnd.docker.distribution.manifest.v2+json' "$@" "$manifest_url"
}
# digest VERSION - "" when the registry has it not
digest() { manifest "$1" --head | tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p'; }
# put_manifest FILE VERSION
put_manifest() {
    manifest "$2" --request PUT --data-binary "@$1" --fail \
        --header 'Content-Type: application/vnd.docker.distribution.manifest.v2+json'
}
value() { sed -n "s/^$2 //p" "$1"; }    # value FILE KEY
log_of() { cat "$T/data/builds/$1/log"; }
# stages ID - those that ran, in one line
stages() { sed -n 's/^cic: stage //p' "$T/data/builds/$1/log" | paste -s -d ' ' -; }
file_of() { printf '%s/images/push_step_x86_64_nompi_nogpu_v_%s.sif' "$T" "$1"; }

# ---- the table

# rows - lines "VERSION WHERE PUSH KEY CONTAINER".  podman takes long for each word: what no engine hears of is left
# out for it.
rows() {
    row=0
    for where in registry engine both none different; do
        for container in singularity docker; do
            for key in same moved; do
                for push in true false absent; do
                    case $engine$container$push in podmandocker*|podman*absent) continue ;; esac
                    case $container$key$push in
                        singularity*|dockersametrue|dockermovedfalse) ;;
                        *) continue ;;
                    esac
                    row=$((row + 1))
                    echo "r$row $where $push $key $container"
                done
            done
        done
    done
}

# expected WHERE PUSH KEY CONTAINER
expected() {
    build=no pull=no push_it=no sif=no
    if [ "$3" = moved ] || [ "$1" = none ]; then build=yes; fi
    if [ "$2" != false ]; then
        case $build$1 in yes*|noengine|nodifferent) push_it=yes ;; esac
    fi
    if [ "$4" = singularity ]; then
        sif=yes
        if [ "$build$1" = noregistry ]; then pull=yes; fi
    fi
    echo "built $build, pulled $pull, pushed $push_it, .sif $sif"
}

# set_up VERSION WHERE PUSH KEY ... - two images have the same content: one, which the registry has, and another
set_up() {
    case $4 in same) commit=v1 ;; moved) commit=main ;; esac
    git --git-dir "$T/git/registry.git" branch "$1" "$commit"
    case $2 in registry|both|different) put_manifest "$T/manifest" "$1" ;; esac
    case $2 in
        engine|both) echo "$image:$1" >> "$T/tags.one" ;;
        different) echo "$image:$1" >> "$T/tags.other" ;;
    esac
}
tag_all() {
    for tagged in one other; do
        case $engine in
            docker) xargs -n 1 "$DOCKER" tag "$image:$tagged" < "$T/tags.$tagged" ;;
            podman) xargs "$PODMAN" tag "$image:$tagged" < "$T/tags.$tagged" ;;
        esac
    done
}

# ask_all NAME - $T/ids.NAME gets lines "VERSION ID"
ask_all() {
    while read -r version where push key container; do
        case $push in absent) push= ;; *) push=",\"push\":$push" ;; esac
        machine="{\"architecture\":\"x86_64\",\"container_engine\":\"$container\"}"
        echo "$version $(submit push step ",\"version\":\"$version\",\"machine\":$machine$push")"
    done < "$T/rows" > "$T/ids.$1"
}

# note FILE - what is where: "VERSION id", "VERSION digest" and "VERSION inode"
note() {
    in_engine > "$T/engine.$1"
    while read -r version _; do
        echo "$version $(digest "$version")" >&4
        echo "$version $(stat -c %i "$(file_of "$version")" 2> /dev/null)" >&5
    done < "$T/rows" 4> "$T/registry.$1" 5> "$T/sif.$1"
}

# happened VERSION - as expected says it
happened() {
    before=$(value "$T/engine.before" "$1") after=$(value "$T/engine.after" "$1")
    build=yes pull=no push_it=no sif=no
    case "$after" in "$one"|"$other"|'') build=no ;; esac
    if [ "$build$before" = no ] && [ -n "$after" ]; then
        # the engine's own cache may build the very same image
        if [ -n "$(value "$T/registry.before" "$1")" ]; then pull=yes; else build=yes; fi
    fi
    if [ "$(value "$T/registry.before" "$1")" != "$(value "$T/registry.after" "$1")" ]; then push_it=yes; fi
    if [ -n "$(value "$T/sif.after" "$1")" ]; then sif=yes; fi
    echo "built $build, pulled $pull, pushed $push_it, .sif $sif"
}

# message WHERE PUSH KEY CONTAINER - a pattern
message() {
    if [ "$4" = singularity ]; then return; fi
    case $(expected "$@") in
        *'pushed yes'*) echo "the image is in the registry and in the engine of *$image:*" ;;
        'built yes'*) echo "the image is in the engine of *$image:*" ;;
        *) case $1 in
            registry) echo "the image is in the registry as $image:*" ;;
            both) echo "the image is in the registry and in the engine of *$image:*" ;;
        esac ;;
    esac
}

# check_row VERSION WHERE PUSH KEY CONTAINER
check_row() {
    what="$engine: $2, push $3, key $4, $5"
    id=$(value "$T/ids.first" "$1")
    shift
    got=$(happened "$version")
    is "$got; $(status_of "$id" | field status)" "$(expected "$@"); FINISHED" "$what"
    # shellcheck disable=SC2254 # a pattern is meant
    case $(status_of "$id" | field message) in
        $(message "$@")) ;;
        *) is "$(status_of "$id" | field message)" "$(message "$@")" "$what: its message" ;;
    esac
    case $1$3 in
        none*) wanted="*no image $image:$version yet*" ;;
        *moved) wanted='*is not up to date: changed since: workflow*' ;;
        different*) wanted='*is up to date (content key*' ;;
        *) wanted='*is up to date (content key*' ;;
    esac
    case $(log_of "$id") in $wanted) ;; *) like "$(log_of "$id")" "$wanted" "$what: its log says why" ;; esac
}

# table - all rows with $engine
table() {
    # the two images, by way of the service
    id=$(submit push step ',"version":"v1"')
    is "$(state_at_end "$id")" FINISHED "$engine: an image that is nowhere is built"
    manifest v1 > "$T/manifest"
    engine_ tag "$image:v1" "$image:one"
    other_id=$(submit push step ',"version":"v1","push":false,"force":true')
    is "$(state_at_end "$other_id")" FINISHED "$engine: and once more, forced"
    engine_ tag "$image:v1" "$image:other"
    in_engine > "$T/engine.ids"
    one=$(value "$T/engine.ids" one) other=$(value "$T/engine.ids" other)
    ok "$engine: by force it is another image" test -n "$one" -a "$one" != "$other"
    is "$(stages "$other_id")" "resolve check context build convert" "$engine: push: false does not push"
    is "$(manifest v1 | sha256sum)" "$(sha256sum < "$T/manifest")" "$engine: as the registry shows"

    rows > "$T/rows"
    rm -f "$T"/tags.*
    while read -r row; do
        # shellcheck disable=SC2086 # words
        set_up $row
    done < "$T/rows"
    tag_all
    note before
    ask_all first
    while read -r version id; do state_at_end "$id"; done < "$T/ids.first" > "$T/states"
    note after
    while read -r version where push key container; do
        check_row "$version" "$where" "$push" "$key" "$container"
    done < "$T/rows"

    ask_all second
    while read -r version id; do state_at_end "$id"; done < "$T/ids.second" | sort | uniq -c > "$T/states"
    is "$(cat "$T/states")" "$(printf '%7d FINISHED' "$(wc -l < "$T/rows")")" "$engine: all of them once more"
    while read -r version id; do stages "$id"; done < "$T/ids.second" | sort | uniq -c > "$T/stages"
    is "$(cat "$T/stages")" "$(printf '%7d resolve check' "$(wc -l < "$T/rows")")" \
        "$engine: then nothing has to be done"
    for kind in engine registry sif; do sort "$T/$kind.after" > "$T/$kind.sorted"; done
    note after
    for kind in engine registry sif; do
        is "$(sort "$T/$kind.after" | diff - "$T/$kind.sorted" 2>&1)" "" "$engine: and nothing is done ($kind)"
    done
}

"$REGISTRY_RIG" start "$T/docker-registry" > "$T/settings" || exit 1
# shellcheck disable=SC1091
. "$T/settings"
for engine in ${ENGINES:-docker}; do
    rm -rf "$T/data" "$T/images" "$T/git" "$T/registry"
    mkdir -p "$step"
    cp "$top/t/data/registry/cases/ok/"* "$step"
    IMAGES=$IMAGE_REGISTRY/$engine/
    image=${IMAGES}push_step_x86_64_nompi_nogpu
    MORE_REGISTRY="  url: $IMAGE_REGISTRY"
    MORE_BUILD='  converter_level: 1'
    # podman looks for a config.json there and fails without one
    if [ "$engine" = podman ]; then unset DOCKER_CONFIG; fi
    config "$engine" builtin
    echo 'echo moved > /moved' >> "$step/post_inst.sh"
    "$top/conf/demo/repositories.sh" "$T/git" "$T/registry" > "$T/git.log"
    start
    table
    stop
done
done_testing
