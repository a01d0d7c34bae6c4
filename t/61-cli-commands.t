#!/bin/sh
# Goal: every command of cic_cli does what its help says, with the real service, under dash and bash.
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2034 # config reads it
REGISTRY=$top/t/data/registry
rig podman
config podman builtin
start
printf 'other:%s\n' "$(printf pw | openssl passwd -apr1 -stdin)" >> "$T/htpasswd"
export CIC_URL CIC_USER CIC_PASSWORD
unset CIC_TOKEN
HOME=$T TMPDIR=$T
export HOME TMPDIR
mkdir "$T/here"
cd "$T/here" || exit 1
newline='
'

# cli WORDS... - sets rc, out, err
cli() {
    rc=0
    "$shell" "$top/cic_cli" "$@" > "$T/out" 2> "$T/err" < "${INPUT:-/dev/null}" || rc=$?
    out=$(cat "$T/out") err=$(cat "$T/err")
}
# other WORDS... - as another user
other() {
    me=$CIC_USER my_password=$CIC_PASSWORD
    CIC_USER=other CIC_PASSWORD=pw
    cli "$@"
    CIC_USER=$me CIC_PASSWORD=$my_password
}
# ends PID - sets rc to its exit status
ends() {
    wait_for 30 is_gone "$1" || kill "$1"
    rc=0
    wait "$1" || rc=$?
}
uuid='????????-????-????-????-????????????'
log_of() { cat "$T/data/builds/$1/log"; }
log_has() { grep -q "$2" "$T/data/builds/$1/log"; }

is "$("$top/cic_cli" --version)" "cic_cli $(sed -n 's/^#define CIC_VERSION "\(.*\)"/\1/p' "$top/lib/version.h")" "its version is the service's"

for shell in dash bash; do
    # ---- a request of options, and of a file
    cli build --workflow cases --step ok --arch x86_64
    like "$rc $out" "0 $uuid" "$shell: build prints the id and nothing else"
    first=$out
    is "$(state_at_end "$first")" FINISHED "$shell: and it is built"
    request cases ok ',"machine":{"architecture":"zen2","mpi":"openmpi@4"}' > r.json
    INPUT=r.json cli build - --arch x86_64 --mpi= --force --wait
    file=cases_ok_x86_64_nompi_nogpu_v_latest.sif
    like "$rc $out" "0 $uuid${newline}FINISHED  $file  * MB  in *" "$shell: options win over the JSON of standard input; --wait sees it finished"
    id=$(printf '%s\n' "$out" | head -n 1)
    api GET "/builds/$id"
    is "$(printf '%s' "$body" | jq -c '[.request.force, .request.machine.architecture]')" '[true,"x86_64"]' "$shell: the service has them"
    cli build r.json --workflow 'ca"s\e'
    like "$rc $err" '1 cic_cli: workflow*' "$shell: quotes and backslashes reach the service"
    cli build r.json --arch zen99
    like "$rc $err" '1 cic_cli: machine.architecture*zen*' "$shell: what is wrong with a request is said"
    cli build --workflow cases --step bad_post --arch x86_64 --wait
    like "$rc $err" '1 *build '"$uuid"' failed: *post_inst.sh failed*    the licence server does not answer*cic_cli logs *' \
        "$shell: a build that fails: why, with the lines that show it"
    failed=$out
    cli build r.json --quiet
    is "$rc $err" "0 " "$shell: --quiet: no hints"
    id_of_file=$out
    cli build r.json --json
    is "$out" "{\"id\":\"$id_of_file\"}" "$shell: --json: the answer as it came; the same request has the same id"
    cli cancel "$id_of_file" -q

    # ---- looking
    cli status "$id"
    like "$rc $out" "0 build     $id${newline}state     FINISHED${newline}*step      cases/ok, version *machine   x86_64, *file      $file, * MB*sha256    *asked     * ago${newline}took      *" \
        "$shell: status for people"
    cli status "$failed"
    like "$rc $out" "0 *state     FAILED (post_inst*)*message * failed*    the licence server does not answer" "$shell: of a failed one, too"
    cli status "$id" --json
    is "$out" "$(curl --silent --user "$CIC_USER:$CIC_PASSWORD" "$CIC_URL$PREFIX/builds/$id")" "$shell: or as it came"
    other status "$id"
    like "$rc $out" "0 state     FINISHED*file      $file" "$shell: of somebody else's build what everybody may see"
    cli status 00000000-0000-4000-8000-000000000000 --wait
    like "$rc $err" '1 cic_cli: no build has the id*' "$shell: of no build: 1"
    cli list
    like "$rc $out" "0 ID *STATE *WORKFLOW/STEP *ARCH *AGE*$id  FINISHED  *cases/ok *x86_64 *" "$shell: list"
    is "$(printf '%s\n' "$out" | awk '{ print length($0) }' | sort -u | wc -l)" 1 "$shell: its lines are of one length"
    cli list --state FAILED --limit=1
    like "$rc $(printf '%s\n' "$out" | wc -l) $out" "0 2 ID*$failed  FAILED *" "$shell: list --state --limit"
    cli list --limit 1
    like "$err" 'there are more*' "$shell: and that there are more"
    other list
    is "$rc $out$err" "0 no builds" "$shell: others have their own"
    cli images CASES_OK
    like "$rc $out" "0 FILE *SIZE *AGE${newline}*$file  *MB *" "$shell: images, by a part of their name"
    cli images no-such-thing
    is "$rc $out$err" "0 no images with no-such-thing in their name" "$shell: or none"
    rm -f "$file"
    cli download "$file"
    like "$rc $out $(cmp "$file" "$T/images/$file" 2>&1)" "0 saved $file, * MB " "$shell: download"

    # ---- the server's address
    for address in "$CIC_URL/" "$CIC_URL/image_creation" "$CIC_URL/image_creation/"; do
        cli status "$id" --url "$address"
        is "$rc" 0 "$shell: the address may be $address"
    done

    # ---- usage
    for words in '' frobnicate list\ x status 'status --wait' 'list --wait' 'list --limit 0' 'list --limit x' 'list --state' 'build' 'build /nonexistent' \
        'build --workflow x' 'download a b' 'download ../x' 'status a/b' '--frobnicate list' 'token make x' 'build r.json --machine m --arch x'; do
        # shellcheck disable=SC2086 # words
        cli $words
        like "$rc $err" '2 ?*' "$shell: wrong usage: cic_cli $words"
    done
    for command in build status logs list cancel retry delete images download catalog machines tokens token whoami; do
        cli $command --help
        like "$rc $out" "0 usage: cic_cli *$command*" "$shell: $command --help"
    done

    # ---- without building
    cli build r.json --arch x86_64 --mpi= --dry-run
    like "$rc $out" "0 would *nothing*because *file *$file*" "$shell: --dry-run"

    # ---- a build that runs
    cli build --workflow cases --step slow --arch x86_64
    slow=$out
    ok "$shell: it runs" wait_for 60 log_has "$slow" 'slow step begins'
    "$shell" "$top/cic_cli" logs "$slow" -f > "$T/followed" 2>&1 &
    follower=$!
    ok "$shell: logs -f shows what it prints" wait_for 20 grep -q 'slow step begins' "$T/followed"
    "$shell" "$top/cic_cli" status "$slow" --wait > "$T/waited" 2>&1 &
    waiter=$!
    ok "$shell: --wait shows the step" wait_for 20 grep -q '^build [0-9]*/[0-9]* ' "$T/waited"
    cli list --state running
    like "$rc $out" "0 *$slow  BUILDING *" "$shell: list --state running"
    cli delete "$slow"
    like "$rc $err" '1 cic_cli: ?*' "$shell: it cannot be deleted now"
    cli cancel "$slow"
    is "$rc $out" "0 being cancelled; it ends within 10 s" "$shell: cancel"
    ends "$waiter"
    like "$rc $(cat "$T/waited")" "1 *build $slow failed: cancelled by $CIC_USER*" "$shell: --wait tells that it was cancelled"
    ends "$follower"
    is "$rc" 0 "$shell: logs -f ends with the build"
    log_of "$slow" | sed 's/\r$//' > "$T/wanted"
    ok "$shell: and has shown all of it, once" cmp "$T/followed" "$T/wanted"
    is "$(awk -v path="$PREFIX/builds/$slow/log" '$7 == path && $9 == 206 { n += $10 } END { print n }' "$T/log/access.log")" \
        "$(log_of "$slow" | wc -c)" "$shell: no byte was fetched twice"
    cli logs "$slow"
    is "$rc $out" "0 $(cat "$T/wanted")" "$shell: logs of what has ended"
    cli cancel "$slow"
    like "$rc $err" '1 cic_cli: ?*' "$shell: what has ended cannot be cancelled"
    cli retry "$failed" --wait
    like "$rc $out $err" "1 $uuid *failed: *post_inst.sh*" "$shell: retry is a new build"
    cli delete "$failed"
    is "$rc $out" "0 " "$shell: delete"
    cli list
    is "$(printf '%s\n' "$out" | grep -c "$failed")" 0 "$shell: it is out of the list"

    # ---- what there is to ask for
    cli catalog
    like "$rc $out" "0 WORKFLOW *STEPS*cases *ok*versions: *main*" "$shell: catalog"
    cli machines
    like "$rc $out" "0 ARCHITECTURE *FAMILY *PLATFORM *ALSO CALLED*zen2 *rome*platforms: linux/amd64*engines: singularity, docker*" "$shell: machines"

    # ---- who
    cli whoami
    is "$rc $out" "0 $CIC_USER" "$shell: whoami"
    cli token create "my laptop" --days 7
    like "$rc $out" "0 cic_*" "$shell: token create prints the token"
    CIC_TOKEN=$out
    cli tokens
    like "$rc $out" "0 ID *NAME *AGE *GOOD FOR${newline}* my laptop  *[67] days" "$shell: tokens"
    is "$(printf '%s' "$out" | grep -c "$CIC_TOKEN")" 0 "$shell: shows it no more"
    token_id=$(printf '%s\n' "$out" | awk '/my laptop/ { print $1 }')
    export CIC_TOKEN
    cli whoami
    is "$rc $out" "0 $CIC_USER, by a token" "$shell: it stands for the user"
    cli token revoke "$token_id"
    is "$rc" 0 "$shell: token revoke"
    cli whoami
    like "$rc $err" '1 cic_cli: *token is wrong*' "$shell: then it is worthless"
    unset CIC_TOKEN
    cli token create x --days 366
    is "$rc" 2 "$shell: a token is good for a year at most"
done

# ---- how users get it
curl --silent --fail --output cic_cli "$CIC_URL$PREFIX/cic_cli"
ok "the service hands it out, without a password" cmp cic_cli "$top/cic_cli"

# ---- completion
cat > "$T/complete.bash" <<'END'
# complete.bash WORD... - what bash would offer for the last one
. "$TOP/conf/completion/cic_cli.bash"
cic_cli() { "$TOP/cic_cli" "$@"; }
COMP_WORDS=(cic_cli "$@") COMP_CWORD=$#
_cic_cli cic_cli "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[*]}"
END
offers() { TOP=$top bash "$T/complete.bash" "$@"; }
is "$(offers sta)" "status" "completion: commands"
like "$(offers build --w)" "--wait --workflow" "completion: options of a command"
is "$(offers list --state FI)" "FINISHED" "completion: states"
like "$(offers status "$(printf %.8s "$id")")" "$id" "completion: ids"
is "$(offers download cases_ok_x86_64_n)" "cases_ok_x86_64_nompi_nogpu_v_latest.sif" "completion: images"
is "$(offers logs "$id" '')" "" "completion: one id is enough"
is "$(CIC_PASSWORD=wrong offers status '')" "" "completion: a server that says no offers nothing"
done_testing
