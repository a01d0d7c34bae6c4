#!/bin/sh
# Goal: every request gets the answer the README promises, through nginx and cic.fcgi; nothing bad is queued.
# No build is run here: the worker is stopped at once.
. "$(dirname "$0")/lib.sh"
rig podman
config podman builtin
start
kill "$(pid_of cic-worker)"
queued() { curl --silent "$CIC_URL$PREFIX/health" | jq .queued; }
good=$(request minimal_workflow wordcount)
json='Content-Type: application/json'

post "$good"
is "$code" 200 "a good request: 200"
like "$body" '{"id":"????????-????-????-????-????????????"}' "and an id"
id=$(printf '%s' "$body" | field id)
api POST /build/ --header "$json" --data "$good"
is "$code $(printf '%s' "$body" | field id)" "200 $id" "POST /build/ works too; the same request gets the same id"
api GET "/build/$id"
is "$code" 200 "the status of a known id: 200"
is "$body" '{"filename":null,"image_id":"'"$IMAGES"'minimal_workflow_wordcount_x86_64_nompi_nogpu:latest","message":null,"status":"PENDING"}' \
    "four keys in the old order"
like "$headers" '*Content-Type: application/json*' "it is JSON"
is "$(queued)" 1 "one build is queued"

# refused METHOD PATH STATUS WORDS WHAT [CURL-ARGS...]
refused() {
    refused_status=$3 refused_words=$4 refused_what=$5 refused_method=$1 refused_path=$2
    shift 5
    api "$refused_method" "$refused_path" "$@"
    like "$code $body" "$refused_status $refused_words" "$refused_what: $refused_status"
}
# bad STATUS WORDS WHAT JSON
bad() {
    refused POST /build "$1" "$2" "$3" --header "$json" --data-binary "$4"
    like "$headers" '*application/problem+json*' "$3: as problem+json"
}
machine='"machine":{"architecture":"x86_64"}'
bad 400 '*not JSON*' "not JSON" 'hello'
bad 400 '*object*array*' "an array" '[]'
bad 400 '*machine*missing*' "no machine" '{"workflow":"a","step_id":"b"}'
bad 400 '*machine*an object*a string*' "machine a string" '{"machine":"x","workflow":"a","step_id":"b"}'
bad 400 '*machine.architecture*' "no architecture" '{"machine":{},"workflow":"a","step_id":"b"}'
bad 400 '*machine.architecture*empty*' "empty architecture" '{"machine":{"architecture":""},"workflow":"a","step_id":"b"}'
bad 400 '*workflow*missing*' "no workflow" "{$machine,\"step_id\":\"b\"}"
bad 400 '*step_id*a string*a number*' "step_id a number" "{$machine,\"workflow\":\"a\",\"step_id\":1}"
bad 400 '*machine.architecture*skylakee*skylake*' "unknown architecture" '{"machine":{"architecture":"skylakee"},"workflow":"a","step_id":"b"}'
bad 400 '*machine.platform*linux/amd64*' "unknown platform" '{"machine":{"architecture":"x86_64","platform":"linux/amd65"},"workflow":"a","step_id":"b"}'
bad 400 '*machine.architecture*linux/arm64*' "an architecture the platform cannot run" '{"machine":{"architecture":"zen2","platform":"linux/arm64"},"workflow":"a","step_id":"b"}'
bad 400 '*container_engine*singularity*' "unknown engine" '{"machine":{"architecture":"x86_64","container_engine":"singularty"},"workflow":"a","step_id":"b"}'
bad 400 '*workflow*' "../ in a name" "{$machine,\"workflow\":\"../etc\",\"step_id\":\"b\"}"
bad 400 '*step_id*' "a slash in a name" "{$machine,\"workflow\":\"a\",\"step_id\":\"b/c\"}"
bad 400 '*workflow*0x20*' "a space in a name" "{$machine,\"workflow\":\"a b\",\"step_id\":\"b\"}"
bad 400 '*step_id*' "a control byte in a name" "{$machine,\"workflow\":\"a\",\"step_id\":\"b\\u0007\"}"
bad 400 '*workflow*' "a name like an option" "{$machine,\"workflow\":\"--help\",\"step_id\":\"b\"}"
bad 400 '*workflow*64*' "a name too long" "{$machine,\"workflow\":\"$(printf '%065d' 0)\",\"step_id\":\"b\"}"
bad 400 '*version*' "a version like an option" "{$machine,\"workflow\":\"a\",\"step_id\":\"b\",\"version\":\"-x\"}"
bad 400 '*version*' "a version with .." "{$machine,\"workflow\":\"a\",\"step_id\":\"b\",\"version\":\"a..b\"}"
bad 400 '*machine.mpi*' "an MPI that is no spec" '{"machine":{"architecture":"x86_64","mpi":"$(id)"},"workflow":"a","step_id":"b"}'
bad 400 '*force*' "force neither true nor false" "{$machine,\"workflow\":\"a\",\"step_id\":\"b\",\"force\":\"yes\"}"
bad 400 '*wants false*' "Python's False" "{$machine,\"workflow\":\"a\",\"step_id\":\"b\",\"force\":False}"
bad 400 '*push*registry*' "push without a registry" "{$machine,\"workflow\":\"a\",\"step_id\":\"b\",\"push\":true}"
bad 400 '*path*' "path" "{$machine,\"workflow\":\"a\",\"step_id\":\"b\",\"path\":\"/etc\"}"
bad 400 '*twice*' "a key twice" "{$machine,\"workflow\":\"a\",\"step_id\":\"b\",\"step_id\":\"c\"}"
bad 400 '*after the end*' "text after the object" "$good x"
bad 400 '*Workflow*workflow*' "a key in the wrong case" "{$machine,\"Workflow\":\"a\",\"step_id\":\"b\"}"
bad 400 '*NUL*' "NUL in a string" "{$machine,\"workflow\":\"a\\u0000\",\"step_id\":\"b\"}"
printf '{"workflow":"\377"}' > "$T/utf8"
bad 400 '*UTF-8*' "invalid UTF-8" "@$T/utf8"
bad 403 '*BASE*' "the base image" "{$machine,\"workflow\":\"BASE\",\"step_id\":\"BASE\"}"
bad 400 '*line 1 column 1*' "an empty body" ''

head -c 65537 /dev/zero | tr '\0' ' ' > "$T/big"
refused POST /build 413 '*65536*' "64 KiB and a byte" --header "$json" --data-binary "@$T/big"
head -c 2000000 /dev/zero | tr '\0' ' ' > "$T/huge"
refused POST /build 413 '*65536*' "two megabytes" --header "$json" --data-binary "@$T/huge"
refused POST /build 415 '*application/json*' "another content type" --data "$good"
refused PUT /build 405 '*POST*' "PUT /build" --header "$json" --data "$good"
like "$headers" '*Allow: POST*' "with Allow"
refused DELETE "/build/$id" 405 '*GET*' "DELETE /build/<id>"
refused GET /build 405 '*POST*' "GET /build"
refused GET /nothing 404 '*' "an unknown path"
refused GET /build/00000000-0000-4000-8000-000000000000 404 '*' "an unknown id"
refused GET /build/../../etc/passwd 404 '*' "a path as an id" --path-as-is
refused GET "/build/$id/" 404 '*' "something after the id"
refused GET "/build/%2e%2e" 404 '*' "escapes in an id"

is "$(queued)" 1 "still one build is queued"

code=$(curl --silent --output "$T/out" --dump-header "$T/h" --write-out '%{http_code}' "$CIC_URL$PREFIX/build/$id")
is "$code" 401 "no password: 401"
like "$(cat "$T/h")" '*WWW-Authenticate: Basic*' "with a Basic challenge"
code=$(curl --silent --output "$T/out" --write-out '%{http_code}' --user "$CIC_USER:wrong" --header "$json" --data "$good" "$CIC_URL$PREFIX/build")
is "$code" 401 "a wrong password: 401"

# what old clients send, to the letter
post '{"machine":{"platform":"linux/amd64","architecture":"rome","container_engine":"singularity","mpi":"openmpi@4","gpu":"cuda@10.2"},"workflow":"minimal_workflow","step_id":"wordcount","force":"false"}'
is "$code" 200 "a deployment's request: an alias, force as a string"
like "$(status_of "$(printf '%s' "$body" | field id)" | field image_id)" '*/minimal_workflow_wordcount_rome_openmpi_4_cuda_10.2:latest' \
    "the asked-for word stays in the name"
post '{"machine":{"platform":"","architecture":"skylake","mpi":"","gpu":""},"workflow":"a","step_id":"b","push":"False","force":"TRUE","extra":1}'
is "$code" 200 "empty values, other cases and unknown keys are taken"
like "$(status_of "$(printf '%s' "$body" | field id)" | field image_id)" '*/a_b_skylake_nompi_nogpu:latest' "empty is none"

# the whole record, for who asked
id=$(printf '%s' "$body" | field id)
api GET "/builds/$id"
is "$code $(printf '%s' "$body" | jq -r '[.state, .request.force, .owners[0], .progress.stage] | join(" ")')" \
    "200 PENDING true $CIC_USER " "a build's record"
api GET "/builds/00000000-0000-4000-8000-000000000000"
is "$code" 404 "a build that is not there has none"
add_user other
code=$(curl --silent --output "$T/out" --write-out '%{http_code}' --user other:pw "$CIC_URL$PREFIX/builds/$id")
is "$code" 404 "somebody else's is as if it were not there"
code=$(curl --silent --output "$T/out" --write-out '%{http_code}' --user other:pw --header "$json" \
    --data '{"machine":{"architecture":"skylake"},"workflow":"a","step_id":"b","force":true}' "$CIC_URL$PREFIX/build")
is "$code $(jq -r .id "$T/out")" "200 $id" "until he asks for the same"
curl --silent --output "$T/out" --user other:pw "$CIC_URL$PREFIX/builds/$id"
is "$(jq -c .owners "$T/out")" '["other"]' "and is not told who else did"
for sample in "$top"/../shared/samples/requests/*.json; do
    [ -e "$sample" ] || continue
    post "@$sample"
    case $sample in
        *ftrt_power9*) like "$code $body" '400 *line 3*' "$(basename "$sample"): refused with the place" ;;
        *) is "$code" 200 "$(basename "$sample"): taken" ;;
    esac
done

is "$(curl --silent --output "$T/out" --write-out '%{http_code}' "$CIC_URL$PREFIX/health")" 503 "health without a worker: 503"
is "$(jq -c '[.status,.worker,.store]' "$T/out")" '["failing",false,true]' "and what is missing"
is "$(grep -c 'etc/passwd\|wordcount.*{' "$T/log/cic.fcgi.log")" 0 "bad requests are not logged raw"

# a downloader saves whatever body it gets: an error has none
for path in nothing.sif .hidden.tmp x.tmp '' nothing.sif.sha256; do
    api GET "/images/download/$path" --path-as-is
    is "$code ${#body}" "404 0" "download of \"$path\": 404, no body"
done
for path in ../../cic.yaml ..%2f..%2fcic.yaml a.sif/../../../cic.yaml; do
    api GET "/images/download/$path" --path-as-is
    is "$code" 404 "the way out of the folder, $path: 404"
done
code=$(curl --silent --output "$T/out" --dump-header "$T/h" --write-out '%{http_code} %{size_download}' "$CIC_URL$PREFIX/images/download/a.sif")
is "$code" "401 0" "download without a password: 401, no body"
like "$(cat "$T/h")" '*WWW-Authenticate: Basic*' "with a challenge (wget waits for it)"

# downloads come from the folder, whole or in part
printf '0123456789' > "$T/images/a_b.sif"
api GET /images/download/a_b.sif
is "$code $body" "200 0123456789" "a file in the images folder"
like "$headers" '*Content-Type: application/octet-stream*' "as octet-stream"
like "$headers" '*Content-Disposition: attachment*' "as attachment"
like "$headers" '*Content-Length: 10*' "with its length"
api GET /images/download/a_b.sif --header 'Range: bytes=4-' --compressed
is "$code $body" "206 456789" "a range of it, for a resumed download"
api GET /images/download/a_b.sif --header 'Range: bytes=40-'
is "$code ${#body}" "416 0" "a range past the end: 416, no body"
done_testing
