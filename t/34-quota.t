#!/bin/sh
# Goal: the site's machines may be asked for by name; a dry run tells what a request would come to and changes nothing;
# and nobody fills the queue alone, while what exists already is never refused.
. "$(dirname "$0")/lib.sh"
standin
touch "$STAND/parts"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
# shellcheck disable=SC2034 # config reads them
MORE_SERVICE='  admins: [boss]
  service_accounts: [portal]' MORE_LIMITS='  pending_per_user: 3'
config podman builtin
sed -i 's|^repositories:|&\n  refresh: 1|' "$T/cic.yaml"
cat >> "$T/cic.yaml" <<'END'
machines:
  mn5:
    description: MareNostrum 5, "general purpose"
    architecture: sapphirerapids
    mpi: openmpi@4
  rome-docker: {architecture: rome, container_engine: docker, platform: linux/amd64, gpu: cuda@12}
END
start
add_user other boss portal
queued() { curl --silent "$CIC_URL$PREFIX/health" | jq .queued; }
# of FILTER - of the last answer, by jq
of() { printf '%s\n' "$body" | jq -c "$1"; }
# dry JSON - a dry run
dry() { api POST '/build?dry_run=1' --header 'Content-Type: application/json' --data-binary "$1"; }

# ---- machines
api GET /machines
is "$code $(of keys_unsorted)" '200 ["platforms","default_platform","container_engines","architectures","profiles"]' "GET /machines"
is "$(of '[.default_platform, .container_engines, (.platforms | index("linux/arm64") != null)]')" \
    '["linux/amd64",["singularity","docker"],true]' "platforms and engines"
is "$(of '.architectures[] | select(.name == "zen2")')" \
    '{"name":"zen2","family":"x86_64","platform":"linux/amd64","aliases":["rome","znver2"]}' "an architecture and its other names"
is "$(of '[.architectures[] | select(.family == "aarch64" and .platform != "linux/arm64")]')" '[]' "a family is of one platform"
is "$(of '.profiles[0]')" '{"name":"mn5","description":"MareNostrum 5, \"general purpose\"","machine":{"platform":"linux/amd64","architecture":"sapphirerapids","container_engine":"singularity","mpi":"openmpi@4","gpu":""}}' \
    "a machine of the site, as a request would say it"
is "$(of '[.profiles[].name]')" '["mn5","rome-docker"]' "all of them"
kill "$(pid_of cic-worker)"
wait_for 10 is_gone "$(pid_of cic-worker)"
post '{"machine":"mn5","workflow":"a","step_id":"b"}'
id=$(printf '%s' "$body" | field id)
post '{"machine":{"architecture":"sapphirerapids","mpi":"openmpi@4"},"workflow":"a","step_id":"b"}'
is "$code $(printf '%s' "$body" | field id)" "200 $id" "a request by a machine's name is the one that spells it out"
api GET "/builds/$id"
is "$(of .request.machine.architecture)" '"sapphirerapids"' "the record has the machine, not its name"
for bad in nowhere '' MN5; do
    post "{\"machine\":\"$bad\",\"workflow\":\"a\",\"step_id\":\"b\"}"
    is "$code $(of '[.type, .field]')" '400 ["urn:cic:problem:bad-request","machine"]' "a machine \"$bad\": 400"
    like "$body" '*there are mn5, rome-docker*' "and which there are"
done

# ---- a dry run, before there is anything
before=$(queued)
dry '{"machine":"rome-docker","workflow":"Minimal","step_id":"wordcount"}'
is "$code $(of keys_unsorted)" '200 ["would","reason","id","image","filename","content_key","workflow_commit","catalog_commit","request","target","last_seconds"]' \
    "a dry run's members"
is "$(of '[.would, .id, .filename, .content_key, .target, .last_seconds]')" '["build",null,null,null,"zen2",null]' \
    "a build, of a docker image"
like "$(of .image)" '"*/minimal_wordcount_rome_nompi_cuda_12:latest"' "the name it would have"
is "$(of '.request | [.step_id, .machine.architecture, .machine.container_engine, .force]')" '["wordcount","rome","docker",false]' \
    "the request in full"
dry '{"machine":"mn5","workflow":"a","step_id":"b"}'
is "$(of '[.would, .id]')" "[\"attach\",\"$id\"]" "the same in flight: which one"
dry '{"machine":"mn5","workflow":"a"}'
is "$code $(of .field)" '400 "step_id"' "a bad request is a bad request"
dry "$(request BASE BASE)"
is "$code" 403 "the base image: not for everybody"
as boss dry "$(request BASE BASE)"
is "$code" 200 "but for administrators"
for value in 2 x -1; do
    api POST "/build?dry_run=$value" --header 'Content-Type: application/json' --data "$(request a b)"
    is "$code $(of .field)" '400 "dry_run"' "dry_run=$value: 400"
done
api POST '/build/?dry_run=1' --header 'Content-Type: application/json' --data "$(request a b)"
is "$code $(of .would)" '200 "build"' "/build/ takes it, too"
is "$(queued)" "$before" "nothing was queued"
api POST '/build?dry_run=0' --header 'Content-Type: application/json' --data "$(request a c)"
is "$code $(of keys)" '200 ["id"]' "dry_run=0 is a request like others"

# ---- the life of an image
restart_worker
knows() { api GET /catalog && [ "$(of .workflow_commit)" = "\"$1\"" ]; }
head_of() { git --git-dir "$T/git/$1.git" rev-parse main; }
ok "the commits are known" wait_for 20 knows "$(head_of workflow-registry)"
good=$(request minimal_workflow wordcount)
dry "$good"
is "$(of '[.would, .reason, .workflow_commit, .catalog_commit]')" \
    "[\"build\",\"no such image yet\",\"$(head_of workflow-registry)\",\"$(head_of software-catalog)\"]" "no image, known commits"
post "$good"
id=$(printf '%s' "$body" | field id)
is "$(state_at_end "$id")" FINISHED "it is built"
api GET "/builds/$id"
key=$(of .content_key)
dry "$good"
is "$(of '[.would, .id, .last_seconds != null]')" '["nothing",null,true]' "now nothing would be done"
like "$(of .reason)" '"this image exists since 20??-??-??T??:??:??Z and nothing has changed"' "and why"
is "$(of .content_key) $(of .filename)" "$key \"minimal_workflow_wordcount_x86_64_nompi_nogpu_v_latest.sif\"" "its content key and file"
dry "$(request minimal_workflow wordcount ',"force":true')"
is "$(of '[.would, .reason]')" '["build","force is set"]' "with force it would be built"
dry "$(request minimal_workflow wordcount ",\"version\":\"v1\"")"
is "$(of '[.would, .reason, .workflow_commit]')" "[\"build\",\"no such image yet\",\"$(git --git-dir "$T/git/workflow-registry.git" rev-parse v1)\"]" \
    "another version is another image"
mv "$T/images" "$T/away"
dry "$good"
is "$(of .reason)" '"the image'\''s file is gone"' "without its file it is no image"
mv "$T/away" "$T/images"

# the registry moves on, the step does not: its image is looked at once
old=$(head_of workflow-registry)
g() { git --git-dir "$T/git/workflow-registry.git" -c user.name=t -c user.email=t@localhost "$@"; }
g update-ref refs/heads/main "$(g commit-tree -p main -m same 'main^{tree}')"
new=$(head_of workflow-registry)
ok "the new commit is seen" wait_for 20 knows "$new"
dry "$good"
is "$(of '[.would, .reason]')" "[\"build\",\"the workflow has moved from $(printf '%.12s' "$old") to $(printf '%.12s' "$new")\"]" \
    "the workflow has moved"
is "$(of .last_seconds | grep -cE '^[0-9]+$')" 1 "and how long it took the last time"
sum=$(sha256sum "$T/images/"*.sif)
is "$(state_at_end "$(submit minimal_workflow wordcount)")" FINISHED "asked for, it is found to be the same"
is "$(sha256sum "$T/images/"*.sif)" "$sum" "the file stays"
dry "$good"
is "$(of .would)" '"nothing"' "and then there is nothing to be done"

# ---- quotas; nobody works
kill "$(pid_of cic-worker)"
wait_for 10 is_gone "$(pid_of cic-worker)"
for n in 1 2 3; do
    post "$(request quota "s$n")"
    is "$code" 200 "build $n waits"
done
first=$(queued)
post "$(request quota s4)"
is "$code $(of .type)" '429 "urn:cic:problem:quota"' "one more: 429"
like "$headers" '*Retry-After: 60*' "with Retry-After"
like "$(of .detail)" '*3 of your builds wait*3*' "how many wait, and how many may"
is "$(queued)" "$first" "nothing was queued"
post "$(request quota s2)"
is "$code" 200 "joining is no new build"
dry "$(request quota s4)"
is "$code $(of .would)" '200 "build"' "a dry run is answered"
post "$good"
is "$code" 200 "what exists is not refused"
post "$(request quota s4)"
is "$code" 429 "the others still are"
as other post "$(request quota s1)"
as other post "$(request quota s4)"
is "$code" 200 "somebody else may; what he joined does not count for him"
as other post "$(request quota s5)"
as other post "$(request quota s6)"
as other post "$(request quota s7)"
is "$code" 429 "up to his own quota"
for user in boss portal; do
    for n in 1 2 3 4; do as "$user" post "$(request "$user" "s$n")"; done
    is "$code" 200 "no quota for $user"
done

# 0 is no quota
sed -i 's|pending_per_user: 3|pending_per_user: 0|' "$T/cic.yaml"
kill -HUP "$(pid_of cic.fcgi)"
takes() { post "$(request quota s8)"; [ "$code" = 200 ]; }
ok "pending_per_user 0: any number" wait_for 10 takes
done_testing
