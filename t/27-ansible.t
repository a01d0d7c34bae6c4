#!/bin/sh
# Goal: deployments go through: Ansible's uri asks for an image and looks how far it is until it has ended, and
# python-requests downloads what the last answer names.  Test names begin with the line of the contract (README,
# "Existing clients").  The first build is a real one; then a stand-in holds the states.
. "$(dirname "$0")/lib.sh"
data=$top/t/data/contract
rig podman
config podman builtin
start
export CIC_USER CIC_PASSWORD
export ANSIBLE_HOME="$T/ansible" ANSIBLE_LOCALHOST_WARNING=False ANSIBLE_INVENTORY_UNPARSED_WARNING=False ANSIBLE_NOCOLOR=1

deployment='{"machine":{"platform":"linux/amd64","architecture":"x86_64","container_engine":"singularity","mpi":"","gpu":""},"workflow":"minimal_workflow","step_id":"wordcount","force":"false"}'
forced=$(printf '%s' "$deployment" | jq -c '.force = "true"')

# deploy NAME REQUEST PAUSE - play it; what it says goes to $T/NAME.log, the last answer to $T/NAME.json
deploy() {
    (umask 077; jq -n --arg url "$CIC_URL$PREFIX" --arg user "$CIC_USER" --arg password "$CIC_PASSWORD" --argjson request "$2" \
        --arg pause "$3" --arg answer "$T/$1.json" '{service_url: $url, service_user: $user, service_password: $password,
        request: $request, pause: ($pause | tonumber), answer_file: $answer}' > "$T/$1.vars.json")
    ansible-playbook --extra-vars "@$T/$1.vars.json" "$data/deploy.yaml" > "$T/$1.log" 2>&1 < /dev/null
}
# in_background NAME REQUEST PAUSE - $deploying is its process
in_background() { deploy "$@" & deploying=$!; wait_for 60 says "$1" id=; }
says() { grep -q "seen $2" "$T/$1.log"; }
# said NAME - the states that deployment has seen, each once
said() { sed -n 's/.*seen status=\([A-Z]*\).*/\1/p' "$T/$1.log" | uniq | tr '\n' ' '; }
# last NAME - the last of them
last() { sed -n 's/.*seen status=\([A-Z]*\).*/\1/p' "$T/$1.log" | tail -n 1; }
id_of() { sed -n 's/.*seen id=\([0-9a-f-]*\).*/\1/p' "$T/$1.log"; }
polls_of() { grep -c "GET $PREFIX/build/$(id_of "$1") .*ansible-httpget" "$T/log/access.log"; }
worker() { wait_for 10 is_gone "$(pid_of cic-worker)"; }
child() { pgrep -P "$(pid_of cic.fcgi)"; }
another_child() { [ -n "$(child)" ] && [ "$(child)" != "$1" ]; }

# ---- end to end
deploy real "$deployment" 1
is "$?" 0 "contract 3: a deployment goes through"
file=$(jq -r .file "$T/real.json")
is "$file" minimal_workflow_wordcount_x86_64_nompi_nogpu_v_latest.sif "contract 20: the last answer names the file"
is "$(last real)" FINISHED "contract 4: it has seen the build end"
is "$(awk -v path="$PREFIX/build/" '$6 == "\"POST" && $7 == path { print $9 }' "$T/log/access.log")" 200 \
    "contract 2: it posts to /image_creation/build/ and gets its 200 there"
"$data/transfer.py" "$CIC_URL$PREFIX/images/download/$file" "$T/got.sif" > "$T/out"
is "$(jq -c .statuses "$T/out") $(sha256sum < "$T/got.sif")" "[200] $(cut -d' ' -f1 < "$T/images/$file.sha256")  -" \
    "contract 17: python-requests downloads it, and it fits the checksum"
ok "contract 17: it is a SIF" siftool list "$T/got.sif"

# ---- every state; a poll is answered after a second when nothing changes
stop
rm -rf "$T/data" "$T/images"
standin
echo payload > "$STAND/root/bin/payload"
let_go() { rm -f "$STAND"/hold.* "$STAND"/fail.*; }
hold() { for gate; do touch "$STAND/hold.$gate"; done; }
MORE_SERVICE='  long_poll_seconds: 1'
config podman builtin
start
kill "$(pid_of cic-worker)"
worker
hold inspect build convert
in_background states "$forced" 0
ok "contract 4: Ansible sees PENDING" wait_for 60 says states status=PENDING
start
ok "contract 4: Ansible sees STARTED" wait_for 60 says states status=STARTED
rm "$STAND/hold.inspect"
ok "contract 4: Ansible sees BUILDING" wait_for 60 says states status=BUILDING
rm "$STAND/hold.build"
ok "contract 4: Ansible sees CONVERTING" wait_for 60 says states status=CONVERTING
rm "$STAND/hold.convert"
wait "$deploying"
is "$? $(said states)" "0 PENDING STARTED BUILDING CONVERTING FINISHED " "contract 4: Ansible sees FINISHED, after all of them"
echo 'E: Unable to locate package nothing' > "$STAND/fail.build"
deploy fails "$forced" 0
is "$?" 2 "contract 8: a build that fails ends the deployment"
like "$(cat "$T/fails.log")" '*the image cannot be had: *' "contract 8: which says why"
is "$(last fails)" FAILED "contract 8: Ansible sees FAILED"
let_go

# ---- what must not end a deployment
hold build
in_background troubled "$forced" 0
wait_for 60 says troubled status=BUILDING
for again in 1 2 3; do
    dead=$(child)
    kill -KILL "$dead"
    wait_for 20 another_child "$dead"
done
kill -KILL "$(pid_of cic-worker)"
worker
polled_again() { [ "$(polls_of troubled)" -gt "$1" ]; }
ok "contract 5: it polls on without worker" wait_for 60 polled_again $(($(polls_of troubled) + 2))
start
let_go
wait "$deploying"
is "$? $(last troubled)" "0 FINISHED" \
    "contract 5: programs that die under it do not end a deployment"
is "$(awk -v path="$PREFIX/build/" 'index($7, path) == 1 && $9 != 200' "$T/log/access.log")" "" \
    "contract 5: all it ever got was 200"

# ---- a deployment again
hold build
in_background first "$forced" 0
wait_for 60 says first status=BUILDING
in_background second "$forced" 0
is "$(id_of second)" "$(id_of first)" "contract 10: a deployment attaches to the build of another one"
let_go
wait
is "$(last second)" FINISHED "contract 10: and sees its end"
deploy again "$deployment" 0
is "$? $(last again)" "0 FINISHED" "contract 10: what is there already is FINISHED at once"
ok "contract 10: in four looks at most" test "$(polls_of again)" -le 4

# ---- how many looks a long build takes: as configured by itself
stop
MORE_SERVICE=''
config podman builtin
start
hold build
in_background long "$forced" 0
wait_for 60 says long status=BUILDING
sleep 15
let_go
wait "$deploying"
is "$? $(last long)" "0 FINISHED" "contract 10: a build of many seconds"
ok "contract 10: takes eight looks at most" test "$(polls_of long)" -le 8
diag "polls of a build of 15 s: $(polls_of long)"
done_testing
