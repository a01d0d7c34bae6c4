# lib.sh - what every t/*.t begins with:
#
#	. "$(dirname "$0")/lib.sh"
#	rig podman                       # settings of t/rig/rig.sh, as variables
#	config podman builtin            # writes $T/cic.yaml
#	start                            # nginx, cic.fcgi, cic-worker; CIC_URL, CIC_USER, CIC_PASSWORD
#	id=$(submit minimal_workflow wordcount)
#	is "$(state_at_end "$id")" FINISHED "it is built"
#	done_testing
#
# Each script has a folder of its own, $T, removed at the end unless T_KEEP=1.  Whatever start started is stopped.
# A test prints what it got when it fails; when one failed, the end of the logs follows.
#
# Public: rig standin config start stop restart_worker add_user as api submit status_of field state_at_end wait_for ok is
# like done_testing
# Variables: top (checkout), T, code, body and headers (of the last api call)

set -u
# t/long/ is one folder further down
top=$(dirname -- "$0")
[ -e "$top/lib.sh" ] || top=$top/..
top=$(CDPATH='' cd -- "$top/.." && pwd)
T=$(mktemp -d "${TMPDIR:-/tmp}/cic-t.XXXXXX")
# image names of this test alone; they have no capitals
IMAGES=localhost/t$(printf '%s' "$T" | cksum | cut -d' ' -f1)/
T_COUNT=0 T_FAILED=0 T_STARTED=0
PREFIX=/image_creation
ANSWERS=$top/${BUILD:-build}/answers    # for 95-openapi.t

cleanup() {
    rc=$?
    [ "$T_STARTED" = 0 ] || "$top/conf/demo/instance.sh" stop "$T"
    [ "$T_COUNT" -gt 0 ] || rc=1
    if [ -d "$T/small" ]; then umount "$T/small" 2> /dev/null; fi
    if [ "${T_KEEP:-0}" = 1 ]; then echo "# kept $T"; else rm -rf "$T"; fi
    exit "$rc"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# ---- TAP

# report RESULT WHAT - RESULT 0 is a pass
report() {
    T_COUNT=$((T_COUNT + 1))
    if [ "$1" = 0 ]; then
        printf 'ok %d - %s\n' "$T_COUNT" "$2"
    else
        T_FAILED=$((T_FAILED + 1))
        printf 'not ok %d - %s\n' "$T_COUNT" "$2"
    fi
}
diag() { printf '%s\n' "$1" | sed 's/^/#   /' >&2; }

# ok WHAT COMMAND... - the command succeeds
ok() {
    ok_what=$1
    shift
    if ok_output=$("$@" 2>&1); then report 0 "$ok_what"; else report 1 "$ok_what"; diag "$* gave: $ok_output"; fi
}

# is GOT WANTED WHAT
is() {
    if [ "$1" = "$2" ]; then report 0 "$3"; else report 1 "$3"; diag "got:    $1"; diag "wanted: $2"; fi
}

# like GOT PATTERN WHAT - a shell pattern
like() {
    # shellcheck disable=SC2254 # a pattern is meant
    case $1 in
        $2) report 0 "$3" ;;
        *) report 1 "$3"; diag "got:    $1"; diag "wanted: $2" ;;
    esac
}

done_testing() {
    if [ "$T_STARTED" = 1 ]; then check_logs; fi
    printf '1..%d\n' "$T_COUNT"
    [ "$T_FAILED" = 0 ] || show_logs
    [ "$T_FAILED" = 0 ]
}

# Whatever a test did, no program may have crashed on the way.
check_logs() {
    bad=$(grep -hE 'Sanitizer|assert|signal (6|11)|damaged' "$T"/log/*.log 2> /dev/null || :)
    is "$bad" "" "no crash in any log"
}

show_logs() {
    for log in "$T"/log/*.log "$T"/data/builds/*/log; do
        [ -s "$log" ] || continue
        diag "--- the end of $log"
        diag "$(tail -n 15 "$log")"
    done
}

# wait_for SECONDS COMMAND... - poll until it succeeds
wait_for() {
    wait_tries=$(($1 * 20))
    shift
    until "$@" > /dev/null 2>&1; do
        wait_tries=$((wait_tries - 1))
        [ "$wait_tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

# ---- the service

# rig COMPONENT... - real ones; without them the test cannot run at all
rig() {
    for component in "$@"; do
        if ! settings=$("$top/t/rig/rig.sh" "$component" 2> "$T/rig.log"); then
            diag "$(cat "$T/rig.log")"
            echo "Bail out! $component is not to be had"
            exit 1
        fi
        eval "$settings"
    done
}

# standin - in place of `rig podman`: an engine that builds nothing (t/rig/engine-standin); its folder is $STAND
standin() {
    STAND=$T/stand
    mkdir -p "$STAND/root/bin"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$top/t/rig/engine-standin" "$STAND" > "$T/engine"
    chmod 755 "$T/engine"
    PODMAN=$T/engine PODMAN_BUILD_ARGS='' BASE_IMAGE=base:latest
}

# yaml_words WORD... - ["a", "b"]
yaml_words() { printf '"%s", ' "$@" | sed -e 's/^"", $//' -e 's/, $//' -e 's/.*/[&]/'; }

# config ENGINE CONVERTER - the settings of $T; extra lines of the groups registry, build and limits in
# $MORE_REGISTRY, $MORE_BUILD, $MORE_LIMITS; of service in $MORE_SERVICE
config() {
    case $1 in
        podman) engine_command=${ENGINE_COMMAND:-$PODMAN} build_args=$PODMAN_BUILD_ARGS ;;
        docker) engine_command=${ENGINE_COMMAND:-$DOCKER} build_args=$DOCKER_BUILD_ARGS ;;
    esac
    [ -d "$T/git" ] || "$top/conf/demo/repositories.sh" "$T/git" "${REGISTRY:-$top/conf/demo/workflow-registry}" \
        "${CATALOG:-$top/conf/demo/software-catalog}" > "$T/git.log"
    # shellcheck disable=SC2086 # words
    cat > "$T/cic.yaml" <<END
service:
  data: $T/data
${MORE_SERVICE:-}
repositories:
  workflow_repository: $T/git/$(basename "${REGISTRY:-workflow-registry}").git
  software_repository: $T/git/software-catalog.git
registry:
  images_prefix: $IMAGES
${MORE_REGISTRY:-}
build:
  base_image: $BASE_IMAGE
  engine: $1
  engine_command: $engine_command
  engine_build_args: $(yaml_words $build_args)
  converter: $2
  converter_command: ${CONVERTER_COMMAND:-\"\"}
  images_location: $T/images
  templates: $top/conf/image
${MORE_BUILD:-}
limits:
  min_free_space: 16
${MORE_LIMITS:-}
END
}

start() {
    T_STARTED=1
    "$top/conf/demo/instance.sh" start "$T" || { echo "Bail out! the service does not start"; exit 1; }
    # shellcheck disable=SC1091
    . "$T/instance.env"
}
stop() { "$top/conf/demo/instance.sh" stop "$T"; }

pid_of() { cat "$T/$1.pid"; }
is_gone() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }

# restart_worker - after somebody killed it
restart_worker() { wait_for 10 is_gone "$(pid_of cic-worker)"; start; }

# api METHOD PATH [CURL-ARGS...] - sets code, body, headers
api() {
    api_method=$1 api_path=$2
    shift 2
    code=$(curl --silent --max-time 30 --user "$CIC_USER:$CIC_PASSWORD" --request "$api_method" \
        --dump-header "$T/headers" --output "$T/body" --write-out '%{http_code}' \
        "$@" "$CIC_URL$PREFIX$api_path") || code=000
    body=$(cat "$T/body" 2> /dev/null)
    headers=$(tr -d '\r' < "$T/headers" 2> /dev/null)
    record_answer "$api_method" "$api_path"
    rm -f "$T/body" "$T/headers"
}

# record_answer METHOD PATH - the last call's answer, a line in a file of this test; files and logs without their bodies.
# Several may be at it at once: a line is one write.
record_answer() {
    mkdir -p "$ANSWERS"
    record_type=$(printf '%s\n' "$headers" | sed -n 's/^[Cc]ontent-[Tt]ype: *//p' | tail -n 1)
    case $code$record_type in
        [45]??*|*json*) record_body=$T/body ;;
        *) record_body=/dev/null ;;
    esac
    [ "$code" = 000 ] || jq -cn --arg method "$1" --arg path "$2" --arg status "$code" --arg type "$record_type" \
        --rawfile body "$record_body" '{method: $method, path: $path, status: ($status | tonumber), type: $type, body: $body}' |
        dd of="$ANSWERS/$(basename "$0" .t).jsonl" oflag=append conv=notrunc bs=1M iflag=fullblock status=none
}

# add_user NAME... - more users of the web server, each with the password "pw"
add_user() {
    for new_user in "$@"; do
        printf '%s:%s\n' "$new_user" "$(printf '%s' pw | openssl passwd -apr1 -stdin)" >> "$T/htpasswd"
    done
}

# as USER COMMAND... - the api as somebody else
as() {
    as_user=$CIC_USER as_password=$CIC_PASSWORD CIC_USER=$1 CIC_PASSWORD=pw
    shift
    "$@"
    CIC_USER=$as_user CIC_PASSWORD=$as_password
}

# post JSON [CURL-ARGS...]
post() {
    post_body=$1
    shift
    api POST /build --header 'Content-Type: application/json' --data-binary "$post_body" "$@"
}

# request WORKFLOW STEP [MORE-MEMBERS] - the JSON; a machine among the members replaces the usual one
request() {
    case ${3:-} in
        *'"machine"'*) printf '{"workflow":"%s","step_id":"%s"%s}' "$1" "$2" "$3" ;;
        *) printf '{"machine":{"architecture":"x86_64"},"workflow":"%s","step_id":"%s"%s}' "$1" "$2" "${3:-}" ;;
    esac
}

# field NAME - of the flat JSON on standard input; null is empty
field() { jq -r --arg name "$1" '.[$name] // ""'; }

# submit WORKFLOW STEP [MORE-MEMBERS] - prints the id
submit() {
    post "$(request "$@")"
    [ "$code" = 200 ] || diag "POST gave $code $body"
    printf '%s\n' "$body" | field id
}

# status_of ID - prints the JSON
status_of() { api GET "/build/$1"; printf '%s\n' "$body"; }
state_of() { status_of "$1" | field status; }
has_ended() { case $(state_of "$1") in FINISHED|FAILED) ;; *) return 1 ;; esac; }
has_state() { [ "$(state_of "$1")" = "$2" ]; }
# state_at_end ID - waits for it
state_at_end() { wait_for "${END_SECONDS:-180}" has_ended "$1"; state_of "$1"; }
