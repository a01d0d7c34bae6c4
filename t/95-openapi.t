#!/bin/sh
# Goal: conf/openapi.json is a description that holds: of its own, and for every answer that the tests before this one
# have got (t/lib.sh records them in build/answers/).
. "$(dirname "$0")/lib.sh"
description=$top/conf/openapi.json
ok "it is OpenAPI 3.1" "$top/t/openapi.py" "$description"
set -- "$ANSWERS"/*.jsonl
ok "there are answers" test -s "$1"
ok "they are as described" "$top/t/openapi.py" "$description" "$@"

# what does not fit is found
# unfit WORDS WHAT METHOD PATH STATUS TYPE BODY
unfit() {
    jq -cn --arg method "$3" --arg path "$4" --argjson status "$5" --arg type "$6" --arg body "$7" \
        '{method: $method, path: $path, status: $status, type: $type, body: $body}' > "$T/answer.jsonl"
    like "$("$top/t/openapi.py" "$description" "$T/answer.jsonl")" "1 answers*$1*" "$2"
}
json=application/json id=00000000-0000-4000-8000-000000000000
unfit '*the address is not described*' "an address that is not described" GET /nothing 200 $json '{}'
unfit '*the method is not described*' "a method that is not described" PUT "/build/$id" 200 $json '{}'
unfit '*status 418*' "a status that is not described" GET "/build/$id" 418 $json '{}'
unfit '*content type text/html*' "a content type that is not described" GET "/build/$id" 200 text/html '<p>'
unfit '*message*required*' "a member that is missing" GET "/build/$id" 200 $json '{"filename":null,"image_id":null,"status":"PENDING"}'
unfit '*CANCELLED*' "a state that is not described" GET "/build/$id" 200 $json \
    '{"filename":null,"image_id":null,"message":null,"status":"CANCELLED"}'
unfit '*is no JSON*' "what is no JSON" GET "/build/$id" 200 $json '{'
unfit '*has a body*' "a body where there should be none" DELETE "/builds/$id" 204 $json '{}'
unfit '*too long*' "a download's error with a body" GET /images/download/a.sif 404 application/octet-stream '<p>'
unfit '*urn:cic:problem*' "a kind of problem that is not described" GET "/build/$id" 404 application/problem+json \
    '{"type":"urn:cic:problem:lost-it","title":"Not Found","status":404,"detail":"x"}'
jq 'del(.components.schemas.State)' "$description" > "$T/broken.json"
like "$("$top/t/openapi.py" "$T/broken.json")" '*leads nowhere*' "a reference that leads nowhere"
jq '.components.schemas.State = {"type": "nothing"}' "$description" > "$T/broken.json"
ok "a schema that is none" sh -c "! '$top/t/openapi.py' '$T/broken.json'"

# it is given to everybody
standin
config podman builtin
start
curl --silent --output "$T/served.json" "$CIC_URL$PREFIX/openapi.json"
ok "GET /openapi.json gives it, without a password" cmp "$T/served.json" "$description"
done_testing
