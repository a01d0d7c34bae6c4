#!/bin/sh
# Goal: whoever asks sees their own builds, newest first, page by page, whatever is added meanwhile; and every image that
# can be downloaded, no other.
. "$(dirname "$0")/lib.sh"
rig podman
# shellcheck disable=SC2034 # config reads it
MORE_SERVICE='  admins: [boss]'
config podman builtin
start
add_user other boss
# names - of the builds in $body, by their step
names() { printf '%s' "$body" | jq -r '[.builds[].request.step_id] | join(" ")'; }
next() { printf '%s' "$body" | jq -r '.next'; }
images() { printf '%s' "$body" | jq -r '[.images[].file] | join(" ")'; }

# images: one that is really built
file=minimal_workflow_wordcount_x86_64_nompi_nogpu_v_latest.sif
api GET /images
is "$code $body" '200 {"images":[],"next":null}' "no images yet"
id=$(submit minimal_workflow wordcount)
is "$(state_at_end "$id")" FINISHED "an image is built"
api GET /images
is "$code $(images)" "200 $file" "it is in the list"
is "$(printf '%s' "$body" | jq -r '.images[0] | [.size, .sha256, .url, .build, .request.workflow, (.owners == null)] | map(tostring) | join(" ")')" \
    "$(stat -c %s "$T/images/$file") $(sha256sum "$T/images/$file" | cut -d' ' -f1) $PREFIX/images/download/$file $id minimal_workflow true" \
    "with size, checksum, address, build and request; nobody's names"
is "$(printf '%s' "$body" | jq -r '.images[0].image')" "${IMAGES}minimal_workflow_wordcount_x86_64_nompi_nogpu:latest" \
    "and the container image's name"
api GET "/images/$file"
is "$code $(printf '%s' "$body" | jq -r .file)" "200 $file" "the image alone"
as boss api GET "/images/$file"
is "$(printf '%s' "$body" | jq -c .owners)" "[\"$CIC_USER\"]" "an administrator sees who asked"
for wrong in minimal nothing.sif "${file}x" a; do
    api GET "/images/$wrong"
    is "$code $(printf '%s' "$body" | jq -r .type)" "404 urn:cic:problem:not-found" "an image called $wrong: 404"
done
api GET '/images?workflow=minimal_workflow&step=wordcount&architecture=x86_64&q=count_x'
is "$(images)" "$file" "found by all its properties"
for query in workflow=other step=other architecture=zen2 q=zzz "cursor=n"; do
    api GET "/images?$query"
    is "$code $(images)" "200 " "not by $query"
done
mv "$T/images/$file" "$T/away"
api GET /images
is "$(images)" "" "a file that is gone is not listed"
api GET "/images/$file"
is "$code" 404 "nor found"
head -c 100 "$T/away" > "$T/images/$file"
api GET /images
is "$(images)" "" "one of another size is not what the record tells of"
mv "$T/away" "$T/images/$file"

# builds: no worker from here on
kill "$(pid_of cic-worker)"
for n in 1 2 3 4 5 6 7; do submit w "s$n" > "$T/id$n"; done
as other submit w theirs > "$T/theirs"
as other submit w s3 > "$T/id3"
api GET /builds
is "$code $(names) $(next)" "200 s7 s6 s5 s4 s3 s2 s1 wordcount null" "one's own builds, newest first"
is "$(printf '%s' "$body" | jq -c '[.builds[4].owners, .builds[7].state, .builds[0].state]')" \
    "[[\"$CIC_USER\"],\"FINISHED\",\"PENDING\"]" "with state; other owners are not told"
as other api GET /builds
is "$(names)" "theirs s3" "who joined a build has it, too"
api GET '/builds?limit=3'
is "$(names)" "s7 s6 s5" "a page"
cursor=$(next)
for n in 8 9; do submit w "s$n" > "$T/id$n"; done
api GET "/builds?limit=3&cursor=$cursor"
is "$(names)" "s4 s3 s2" "the next one, though builds were added"
api GET "/builds?limit=3&cursor=$(next)"
is "$(names) $(next)" "s1 wordcount null" "the last one says so"
api GET '/builds?limit=2&workflow=minimal_workflow'
is "$(names) $(next)" "wordcount null" "those of a workflow"
api GET '/builds?step=s4'
is "$(names)" "s4" "those of a step"
api GET '/builds?state=FINISHED,FAILED'
is "$(names)" "wordcount" "those in certain states"
api GET '/builds?state=ended'
is "$(names)" "wordcount" "those that have ended"
api GET '/builds?state=running'
is "$(names)" "" "those that run"
api GET '/builds?all=1'
is "$code $(printf '%s' "$body" | jq -r .type)" "403 urn:cic:problem:forbidden" "everybody's: not for everybody"
as boss api GET '/builds?all=1&limit=4'
is "$(names)" "s9 s8 theirs s7" "but for administrators"
is "$(printf '%s' "$body" | jq -c '[.builds[].owners[0]]')" "[\"$CIC_USER\",\"$CIC_USER\",\"other\",\"$CIC_USER\"]" "with names"
as boss api GET /builds
is "$(names)" "" "who have none of their own"

# refused FIELD QUERY
refused() {
    api GET "/builds?$2"
    is "$code $(printf '%s' "$body" | jq -r '.type + " " + .field')" "400 urn:cic:problem:bad-request $1" "/builds?$2: 400"
}
refused limit limit=0
refused limit limit=201
refused limit limit=x
refused limit limit=
refused limit 'limit=1&limit=2'
refused limit limit=99999999999999999999
refused state state=running,gone
refused cursor cursor=x
refused cursor cursor=0
refused cursor cursor=-1
refused step step=%00
refused step step=%zz
refused step step=%0a
refused workflow "workflow=$(printf '%065d' 0)"
refused all all=2
api GET "/builds?x=$(printf '%02000d' 0)"
is "$code" 400 "a query that is too long"
api GET '/builds?step=%73%34&unknown=1'
is "$(names)" "s4" "escapes are decoded, what is not known is ignored"

api GET /metrics
is "$code" 200 "metrics"
like "$headers" '*Content-Type: text/plain; version=0.0.4*' "as Prometheus wants them"
is "$(printf '%s\n' "$body" | grep -E '^cic_(builds|images|worker)[a-z_]* ' | grep -v bytes)" "cic_worker_up 0
cic_builds_queued 10
cic_builds_running 0
cic_builds 11
cic_images 1" "count what there is"
is "$(curl --silent --output "$T/out" --write-out '%{http_code}' "$CIC_URL$PREFIX/metrics")" 200 "without a password"
done_testing
