#!/bin/sh
# Goal: GET /catalog tells what the registries hold and nothing that a request could not say; a registry that is hostile,
# gone or does not answer spoils neither that nor builds.
. "$(dirname "$0")/lib.sh"
standin
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
w=$T/registry
git init --quiet --initial-branch=main "$w"
in_w() { git -C "$w" -c user.name=t -c user.email=t@localhost "$@"; }
commit() { in_w add --all --force . && in_w commit --quiet --message "$1"; }
# step PATH [FILE] - a folder with a description
step() { mkdir -p "$w/$1" && echo 'apt: []' > "$w/$1/${2:-eflows4hpc.yaml}"; }
step minimal/wordcount
step minimal/old spack.yaml
step minimal/both && step minimal/both spack.yaml
step Pillar_II/esm-1.0
commit first
in_w tag --annotate --message annotated v1
echo x > "$w/README"
step minimal/second
commit second
head=$(in_w rev-parse main) first=$(in_w rev-parse 'refs/tags/v1^{commit}')
in_w branch feature/x
in_w branch v1
in_w tag plain "$first"

config podman builtin
sed -i -e "s|workflow_repository: .*|workflow_repository: $w|" -e "s|^repositories:|&\n  refresh: 2|" "$T/cic.yaml"
start
catalog=$(git --git-dir "$T/git/software-catalog.git" rev-parse main)

# said FILTER - by jq, of the catalog
said() { api GET /catalog; printf '%s\n' "$body" | jq -c "$1"; }
is_said() { [ "$(said "$1")" = "$2" ]; }
# becomes FILTER WANTED WHAT - within some refreshes
becomes() { wait_for 30 is_said "$1" "$2" || :; is "$(said "$1")" "$2" "$3"; }

becomes '.updated != null' true "the worker looks when it starts"
api GET /catalog
is "$code" 200 "GET /catalog: 200"
is "$(said keys_unsorted)" '["updated","error","workflow_commit","catalog_commit","versions","workflows"]' "with these keys"
is "$(said '[.error, .workflow_commit, .catalog_commit]')" "[null,\"$head\",\"$catalog\"]" "the commits of both"
is "$(said '.updated > 1600000000000')" true "the time is milliseconds since 1970"
is "$(said '[.versions[] | .name + " " + .kind]')" '["feature/x branch","main branch","v1 branch","plain tag"]' \
    "branches and tags; of a branch and a tag of one name the one that a build takes"
is "$(said '[.versions[] | select(.name == "plain" or .name == "main") | .commit]')" "[\"$head\",\"$first\"]" \
    "with their commits, an annotated tag's is what it points to"
is "$(said .workflows)" '[{"name":"Pillar_II","steps":["esm-1.0"]},{"name":"minimal","steps":["both","second","wordcount"]}]' \
    "workflows and their steps"
code=$(curl --silent --output "$T/out" --write-out '%{http_code}' "$CIC_URL$PREFIX/catalog")
is "$code" 401 "not without a password"
api POST /catalog
is "$code" 405 "nor by POST"

# ---- what nobody can ask for
step 'minimal/a name'
step 'minimal/-option'
step 'minimal/ünï'
step ".hidden/step"
step 'new
line/step'
step "minimal/$(printf '%065d' 0)"
mkdir -p "$w/minimal/empty" "$w/minimal/deep/er"
echo x > "$w/minimal/empty/README"
echo 'apt: []' > "$w/minimal/deep/er/eflows4hpc.yaml"
echo 'apt: []' > "$w/minimal/eflows4hpc.yaml"
mkdir -p "$w/minimal/linked" "$w/minimal/folder/eflows4hpc.yaml"
ln -s ../wordcount/eflows4hpc.yaml "$w/minimal/linked/eflows4hpc.yaml"
echo x > "$w/minimal/folder/eflows4hpc.yaml/x"
ln -s wordcount "$w/minimal/link"
in_w update-index --add --cacheinfo "160000,$(printf '%040d' 1),minimal/submodule"
step minimal/third
commit hostile
in_w update-ref "refs/heads/b';drop" main
in_w update-ref refs/heads/latest main
in_w update-ref "refs/heads/$(printf '%0129d' 0)" main
in_w update-ref refs/tags/-t main
in_w update-ref refs/pull/1/head main
becomes '[.workflows[] | select(.name == "minimal") | .steps[]]' '["both","second","third","wordcount"]' \
    "what changed is seen, and only what a request could say"
is "$(said '[.workflows[].name]')" '["Pillar_II","minimal"]' "of workflows, too"
becomes '[.versions[].name]' '["feature/x","main","v1","plain"]' "and of versions"

# ten thousand of each, and a folder with more names than we read
blob=$(in_w rev-parse HEAD:minimal/wordcount/eflows4hpc.yaml)
step_tree=$(printf '100644 blob %s\teflows4hpc.yaml\n' "$blob" | in_w mktree)
# steps N FORMAT - a tree of N of them
steps() {
    awk -v n="$1" -v format="040000 tree $step_tree\t$2\n" 'BEGIN { for (i = 1; i <= n; i++) printf format, i }' | in_w mktree
}
many=$(steps 12000 s%06d) huge=$(steps 60000 %060d)
top_tree=$(printf '040000 tree %s\thuge\n040000 tree %s\tmany\n040000 tree %s\tzoo\n' "$huge" "$many" \
    "$(in_w rev-parse HEAD:minimal)" | in_w mktree)
in_w update-ref refs/heads/main "$(in_w commit-tree -m many "$top_tree")"
seq -f "create refs/heads/n%06.0f $head" 12000 | in_w update-ref --stdin
becomes '[.workflows[] | .name + " " + (.steps | length | tostring)]' '["many 10000"]' "ten thousand steps, no more"
becomes '.versions | length' 10000 "ten thousand versions"
becomes .error null "and that is no error"
is "$(said '[.workflows[0].steps[0], .workflows[0].steps[9999]]')" '["s000001","s010000"]' "the first ones"

# ---- a registry that is gone, then one that never answers
mv "$w" "$T/gone"
becomes '.error | test("workflow registry.*cannot be read")' true "a registry that is gone is told"
is "$(said '[.updated != null, (.versions | length)]')" '[true,10000]' "what was known stays"
mv "$T/gone" "$w"
in_w update-ref refs/heads/main "$head"
becomes '[.error, .workflow_commit]' "[null,\"$head\"]" "it is back"
mv "$T/git/software-catalog.git" "$T/gone"
becomes '.error | test("software catalog.*cannot be read")' true "so is a software catalog"
mv "$T/gone" "$T/git/software-catalog.git"
becomes .error null "that is back, too"
is "$(grep -c "another\|processes" "$T/log/cic-worker.log")" 0 "no two looks got into each other's way"

# a server that takes connections and says nothing
kill "$(pid_of cic-worker)"
wait_for 10 is_gone "$(pid_of cic-worker)"
perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die;
    open my $f, ">", "$ARGV[0].new"; print $f $s->sockport, "\n"; close $f; rename "$ARGV[0].new", $ARGV[0]; sleep 600' "$T/port" &
silent=$!
trap 'kill $silent; cleanup' EXIT
wait_for 10 test -s "$T/port"
sed -i -e "s|workflow_repository: .*|workflow_repository: http://127.0.0.1:$(cat "$T/port")/r.git|" \
    -e "s|^limits:|&\n  git_timeout: 3|" "$T/cic.yaml"
restart_worker
helpers() { pgrep -f "$(cat "$T/port")/r.git" > "$T/pids"; }
ok "git waits for a server that says nothing" wait_for 10 helpers
becomes '.error | test("did not answer|took longer than")' true "and is ended after limits.git_timeout"
kill "$(pid_of cic-worker)"
wait_for 10 is_gone "$(pid_of cic-worker)"
gone() { ! helpers; }
ok "with the worker a look ends, too" wait_for 10 gone

# ---- plain folders, and 0: only at the start
sed -i -e "s|workflow_repository: .*|workflow_repository: $T/folder|" -e 's|refresh: 2|refresh: 0|' "$T/cic.yaml"
w=$T/folder
step plain/one
restart_worker
becomes '[.versions, .workflows]' '[[],[{"name":"plain","steps":["one"]}]]' "a plain folder has steps and no versions"
before=$(said .updated)
step plain/two
id=$(submit plain nostep)
is "$(state_at_end "$id")" FAILED "a build that ends"
is "$(said .updated)" "$before" "refresh 0: nobody looks again"
ok "a folder's commit is named" is_said '.workflow_commit | length' 40
done_testing
