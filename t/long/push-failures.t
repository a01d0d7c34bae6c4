#!/bin/sh
# Goal: the registry's password is nowhere but where it must be; who may not push hears of it before anything is built;
# and a registry that fails in any way makes a build FAILED with a true sentence, after which only the push is left.
. "$(dirname "$0")/../lib.sh"
rig podman docker registry
REGISTRY=$top/t/data/registry

remove_images() {
    "$1" images --format '{{.Repository}}:{{.Tag}}' 2> /dev/null | grep "^127.*/$key_of_test/" > "$T/names.end" ||
        return 0
    xargs "$1" rmi --force < "$T/names.end" > /dev/null 2>&1
}
key_of_test=$(basename "$T" | tr 'A-Z.' 'a-z-')
end() {
    end_status=$?
    touch "$T/spy.end"
    [ -z "${proxy:-}" ] || kill "$proxy" 2> /dev/null
    for ended in open closed secure; do "$REGISTRY_RIG" stop "$T/$ended"; done
    remove_images "$DOCKER"
    remove_images "$PODMAN"
    (exit "$end_status")
    cleanup
}
trap end EXIT
engine_() { case $engine in docker) "$DOCKER" "$@" ;; podman) env -u DOCKER_CONFIG "$PODMAN" "$@" ;; esac; }
stages() { sed -n 's/^cic: stage //p' "$T/data/builds/$1/log" | paste -s -d ' ' -; }
detail() { api GET "/builds/$1"; printf '%s\n' "$body"; }

# service ENGINE - a new one with an empty store, where the registry's settings are $MORE_REGISTRY
service() {
    engine=$1
    rm -rf "$T/data" "$T/images"
    MORE_BUILD="  converter_level: 1
${NETWORK:-}"
    (
        # podman looks for a config.json there and fails without one
        if [ "$engine" = podman ]; then unset DOCKER_CONFIG; fi
        config "$engine" builtin
        start
    ) || exit 1
    T_STARTED=1
    # shellcheck disable=SC1091
    . "$T/instance.env"
}
# registry NAME [OPTIONS]
registry() {
    registry_name=$1
    shift
    "$REGISTRY_RIG" start "$T/$registry_name" "$@" > "$T/settings" || exit 1
    # shellcheck disable=SC1091
    . "$T/settings"
    IMAGES=$IMAGE_REGISTRY/$key_of_test/
    image=${IMAGES}cases_ok_x86_64_nompi_nogpu
}
# ends ID WANTED-STATE CAUSE SENTENCE STAGES WHAT
ends() {
    got=$(state_at_end "$1")
    like "$got, $(detail "$1" | jq -r '.cause // ""'): $(status_of "$1" | field message)" "$2, $3: $4" "$6"
    like "$(stages "$1")" "$5" "$6: its stages"
}

# ---- the password

# spy - notes every process that shows one of the secrets in its arguments or environment
spy() {
    while [ ! -e "$T/spy.end" ]; do
        grep -lsaFf "$T/secrets" /proc/[0-9]*/cmdline /proc/[0-9]*/environ >> "$T/spied"
        echo >> "$T/spy.rounds"
    done
}
own_files() {
    (cd "$DOCKER_CONFIG" && find . -path ./buildx -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}
# left_over - files that hold a secret
left_over() { grep -rlaFf "$T/secrets" "$T/data" "$T/images" "$T/log" | LC_ALL=C sort; }

password() {
    registry closed --password
    printf '%s\n' "$IMAGE_REGISTRY_PASSWORD" > "$T/token"
    # as it is, and as it is written into a login
    printf '%s\n%s\n' "$IMAGE_REGISTRY_PASSWORD" \
        "$(printf '%s:%s' "$IMAGE_REGISTRY_USER" "$IMAGE_REGISTRY_PASSWORD" | base64 -w 0)" > "$T/secrets"
    login="  url: $IMAGE_REGISTRY
  user: $IMAGE_REGISTRY_USER"
    MORE_REGISTRY="$login
  token_file: $T/token"
    own_files > "$T/own.before"
    service "$1"
    rm -f "$T"/spied "$T"/spy.*
    : > "$T/spied"
    spy &
    spy=$!
    id=$(submit cases ok)
    ends "$id" FINISHED '' '' 'resolve check context build push convert' "$engine: with a password"
    touch "$T/spy.end"
    wait "$spy"
    is "$(sort -u "$T/spied")" "" "$engine: no process shows it in its arguments or environment"
    ok "$engine: somebody has looked" test "$(wc -l < "$T/spy.rounds")" -gt 5
    is "$(left_over)" "" "$engine: it is in no file, neither log nor store"
    is "$(find "$T/data/builds/$id/work" -name config.json 2> /dev/null)" "" "$engine: the login is removed"
    own_files > "$T/own.after"
    is "$(diff "$T/own.before" "$T/own.after")" "" "$engine: docker's own folder is as it was"
    id=$(submit cases ok ',"force":true,"push":false')
    ends "$id" FINISHED '' '' 'resolve check context build convert' "$engine: forced, and not pushed"
    id=$(submit cases ok)
    ends "$id" FINISHED '' '' 'resolve check push' "$engine: then only pushed"

    echo wrong > "$T/token"
    id=$(submit cases ok ',"version":"v1"')
    ends "$id" FAILED 'push refused' '*registry.user, registry.token_file: *refuses user*' 'resolve check' \
        "$engine: a wrong password"
    is "$(engine_ images --quiet "$image:v1")" "" "$engine: nothing is built then"
    rm "$T/token"
    id=$(submit cases ok ',"version":"v1"')
    ends "$id" FAILED 'push refused' '*registry.token_file*' 'resolve check' "$engine: no password file"
    stop
}

# in_line - the password in the configuration; and the base image is in the registry, too
in_line() {
    "$DOCKER" tag "$BASE_IMAGE" "${IMAGES}base:latest" || exit 1
    mkdir -p "$T/auth"
    printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$IMAGE_REGISTRY" "$(tail -n 1 "$T/secrets")" > "$T/auth/config.json"
    "$DOCKER" --config "$T/auth" push --quiet "${IMAGES}base:latest" > "$T/push.log" 2>&1 || diag "$(cat "$T/push.log")"
    rm -rf "$T/auth"
    "$DOCKER" rmi "${IMAGES}base:latest" > /dev/null
    MORE_REGISTRY="$login
  token: $IMAGE_REGISTRY_PASSWORD"
    site_base=$BASE_IMAGE BASE_IMAGE=${IMAGES}base:latest
    service docker
    BASE_IMAGE=$site_base
    id=$(submit cases ok)
    ends "$id" FINISHED '' '' '*resolve check*' "docker: the base image comes out of the same registry"
    is "$(left_over)" "$T/data/builds/$id/cic.yaml" \
        "docker: the password is in the build's copy of the configuration only"
    is "$(stat -c %a "$T/data/builds/$id/cic.yaml")" 600 "docker: which nobody else may read"
    stop
}

# ---- an authority of the site's own

secure() {
    registry secure --password --tls
    printf '%s\n' "$IMAGE_REGISTRY_PASSWORD" > "$T/token"
    MORE_REGISTRY="  url: $IMAGE_REGISTRY
  user: $IMAGE_REGISTRY_USER
  token_file: $T/token"
    for secured in podman docker; do
        NETWORK="network:
  ca_file: $IMAGE_REGISTRY_CA"
        service $secured
        NETWORK=
        id=$(submit cases ok)
        ends "$id" FINISHED '' '' '*push convert' "$engine: by https, with an authority of the site's own"
        engine_ rmi --force "$image:latest" > /dev/null
        rm -f "$T"/images/*
        id=$(submit cases ok)
        ends "$id" FINISHED '' '' 'resolve check pull convert' "$engine: and back"
        stop
    done
    "$REGISTRY_RIG" stop "$T/secure"
}

# ---- a registry that fails

start_proxy() {
    rm -f "$T/proxy.port"
    : > "$T/rules"
    perl "$top/t/rig/fault_proxy.pl" "$T/rules" "${IMAGE_REGISTRY#*:}" > "$T/proxy.port" 2> "$T/proxy.log" &
    proxy=$!
    wait_for 10 test -s "$T/proxy.port"
    IMAGE_REGISTRY=127.0.0.1:$(cat "$T/proxy.port")
    IMAGES=$IMAGE_REGISTRY/$key_of_test/
    image=${IMAGES}cases_ok_x86_64_nompi_nogpu
}
# fails RULE CAUSE SENTENCE STAGES AGAIN WHAT - and a request without the fault does the stages AGAIN.  A version each.
number=0
fails() {
    number=$((number + 1))
    git --git-dir "$T/git/registry.git" branch "$engine$number" v1
    echo "$1" > "$T/rules"
    id=$(submit cases ok ",\"version\":\"$engine$number\"")
    ends "$id" FAILED "$2" "$3" "$4" "$engine: $6"
    : > "$T/rules"
    id=$(submit cases ok ",\"version\":\"$engine$number\"")
    ends "$id" FINISHED '' '' "$5" "$engine: $6, and then does not"
}
built='resolve check context build push' before='resolve check'
whole='resolve check context build push convert' rest='resolve check push convert'

faults() {
    id=$(submit cases ok)
    is "$(state_at_end "$id")" FINISHED "$engine: through the proxy"
    fails '.* . 401' 'push refused' '*registry.user, registry.token: *wants a user*' "$before" "$whole" "401 for ever"
    fails '(HEAD|GET) /manifests/ 500' registry '*status 500*' "$before" "$whole" "500"
    fails 'GET /manifests/ cut' registry '*' "$built" 'resolve check convert' "half a manifest"
    fails '(POST|PATCH|PUT) . 403' 'push refused' '*push ended with status*denied*' "$built" "$rest" "403 for a push"
    fails 'PUT /manifests/ 500' registry '*push ended with status*' "$built" "$rest" "500 for the manifest"
    fails 'PUT /manifests/ 401' 'push refused' '*push ended with status*' "$built" "$rest" "401 for the manifest"

    echo 'HEAD /manifests/ 429*2' > "$T/rules"
    git --git-dir "$T/git/registry.git" branch "$engine-busy" v1
    id=$(submit cases ok ",\"version\":\"$engine-busy\"")
    ends "$id" FINISHED '' '' "$whole" "$engine: busy (429) for a while is waited for"

    echo '(HEAD|GET) . 500' > "$T/rules"
    git --git-dir "$T/git/registry.git" branch "$engine-down" v1
    id=$(submit cases ok ",\"version\":\"$engine-down\",\"push\":false")
    ends "$id" FINISHED '' '' 'resolve check context build convert' \
        "$engine: who does not push is built without the registry"
    like "$(cat "$T/data/builds/$id/log")" '*done without the registry: *status 500*' "$engine: as its log says"

    # killed in the middle of a push
    echo 'PUT /manifests/ hang' > "$T/rules"
    git --git-dir "$T/git/registry.git" branch "$engine-killed" v1
    id=$(submit cases ok ",\"version\":\"$engine-killed\"")
    pushes() { grep -q '^cic: pushing' "$T/data/builds/$id/log"; }
    ok "$engine: a push hangs" wait_for 60 pushes
    kill -KILL "$(cat "$T/data/builds/$id/lock")"
    : > "$T/rules"
    ends "$id" FINISHED '' '' "$built $rest" "$engine: killed while it pushes, it is pushed without building again"
}

hanging() {
    number=$((number + 1))
    stop
    MORE_LIMITS='  build_timeout: 40
  stall_timeout: 6'
    service "$engine"
    MORE_LIMITS=
    fails 'PUT /manifests/ hang' '*' '*printed nothing for 6 s*' "$built" "$rest" "a push that hangs"
    fails 'HEAD /manifests/ hang' registry '*seconds*' "$before" "$whole" "no answer"
    kill "$proxy"
    wait "$proxy" 2> /dev/null
    proxy=
    git --git-dir "$T/git/registry.git" branch "$engine-gone" v1
    id=$(submit cases ok ",\"version\":\"$engine-gone\"")
    ends "$id" FAILED registry '*onnect*' 'resolve check' "$engine: a registry that is gone"
}

for engine in ${ENGINES:-docker podman}; do
    password "$engine"
    [ "$engine" != docker ] || in_line
    "$REGISTRY_RIG" stop "$T/closed"
    rm -rf "$T/closed"
done
secure
for engine in ${ENGINES:-docker podman}; do
    registry open
    start_proxy
    MORE_REGISTRY="  url: $IMAGE_REGISTRY"
    service "$engine"
    faults
    hanging
    stop
done
done_testing
