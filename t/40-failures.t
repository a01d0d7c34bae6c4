#!/bin/sh
# Goal: a build that fails says why in one sentence, and a build that does not fail is never called failed.
. "$(dirname "$0")/lib.sh"
REGISTRY=$top/t/data/registry
rig podman
config podman builtin
start

# ends_with STATE WORDS WHAT WORKFLOW STEP [MORE]
ends_with() {
    want_state=$1 want_words=$2 want_what=$3
    shift 3
    id=$(submit "$@")
    state=$(state_at_end "$id")
    like "$state: $(status_of "$id" | field message)" "$want_state: $want_words" "$want_what"
}
ends_with FINISHED '' "a log with the word error: in it is no failure" cases ok
is "$(ls -A "$T/data/builds/$id/work" 2>&1 | wc -l)" 1 "the build context is removed afterwards"
ends_with FAILED '*workflow nowhere*it has cases*' "a workflow that is not there: what there is" nowhere step
ends_with FAILED '*cases has no step nostep*bad_apt*' "a step that is not there: what there is" cases nostep
ends_with FAILED '*no branch or tag v9*there are main, v1*' "a version that is not there: what there is" cases ok ',"version":"v9"'
ends_with FAILED '*no file eflows4hpc.yaml*' "a step without a description" cases no_file
ends_with FAILED '*eflows4hpc.yaml*line 2 column*' "a description that is no YAML: line and column" cases bad_yaml
ends_with FAILED '*line 3 column*--allow-downgrades*' "an option in a package list" cases bad_package
ends_with FAILED '*spack*' "what this service does not build yet is said, not left out" cases wants_spack
ends_with FAILED '*symbolic link*' "a description that is a link out of the registry" cases link
ends_with FAILED '*apt*Unable to locate package no-such-package-anywhere*' "a package that is not there" cases bad_apt
shows_why() { like "$(cat "$T/data/builds/$id/journal-1")" '*"step_name":"apt"*"excerpt":"E: Unable to locate*' "$1"; }
shows_why "the journal has the step and the lines that show why"
ends_with FAILED '*post_inst.sh failed*licence server does not answer*' "a post_inst.sh that fails: its last words" cases bad_post
is "$(find "$T/images" -type f -name '*bad*' -o -name '.*' -type f)" "" "no file of a failed build is left"

# versions
ends_with FINISHED '' "a tag" cases ok ',"version":"v1"'
is "$(status_of "$id" | field filename)" cases_ok_x86_64_nompi_nogpu_v_v1.sif "the version is in the name"
commit=$(git --git-dir "$T/git/registry.git" rev-parse main)
ends_with FINISHED '' "a commit" cases ok ",\"version\":\"$commit\""
ends_with FINISHED '*in the engine*' "a docker image only: where it is" cases ok ',"machine":{"architecture":"zen2","container_engine":"docker"}'

# limits
stop
MORE_LIMITS='  stall_timeout: 6'
config podman builtin
start
id=$(submit cases slow)
ok "a step that prints nothing is ended" test "$(state_at_end "$id")" = FAILED
like "$(status_of "$id" | field message)" '*printed nothing for 6 s*' "and the message says so"
slow_is_gone() { ! ps -eo args | grep -q '^sleep 611\.5'; }
ok "with all its processes" wait_for 10 slow_is_gone
stop
MORE_LIMITS='  build_timeout: 8'
config podman builtin
start
id=$(submit cases slow)
ok "a build that takes too long is ended" test "$(state_at_end "$id")" = FAILED
like "$(status_of "$id" | field message)" '*took longer than*' "and the message says so"
MORE_LIMITS=''

# docker's log looks different
stop
rig docker
config docker builtin
start
ends_with FAILED '*apt*Unable to locate package no-such-package-anywhere*' "docker: a package that is not there" cases bad_apt
shows_why "docker: the same"
ends_with FAILED '*post_inst.sh failed*licence server does not answer*' "docker: the last words of post_inst.sh" cases bad_post
ends_with FINISHED '' "docker: the word error: is no failure" cases ok
done_testing
