#!/bin/sh
# Goal: whatever a registry holds, what is built is what git says, nothing outside the build is read or written, and a
# damaged copy of the registry heals itself.
. "$(dirname "$0")/lib.sh"
rig podman
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
w=$T/registry
git init --quiet --initial-branch=main "$w"
cd "$w" || exit 1
commit() {
    git add --all --force . && git -c user.name=t -c user.email=t@localhost commit --quiet --message "$1"
}
mkdir -p odd/step
echo 'apt: []' > odd/step/eflows4hpc.yaml
printf 'cat /odd.txt 2> /dev/null\nls -la /step\n' > odd/step/post_inst.sh
ln -s /etc/shadow odd/step/absolute
ln -s ../../../../../../etc/hostname odd/step/upward
ln -s nowhere odd/step/dangling
printf 'kept\n' > 'odd/step/a name
with a newline'
printf 'kept\n' > odd/step/-rf
printf 'kept\n' > odd/step/ignored.txt
printf 'kept $Id$\n' > odd/step/subst.txt
printf '*.txt export-ignore export-subst\n' > odd/step/.gitattributes
printf '*\n' > odd/step/.dockerignore
git update-index --add --cacheinfo "160000,$(printf '%040d' 1),odd/step/submodule"
commit first
git -c user.name=t -c user.email=t@localhost tag --annotate --message annotated v1
mkdir other
echo 'apt: []' > odd/step/second.txt
commit second
git branch twin
git tag twin v1
git branch feature/x
cd "$T" || exit 1

config podman builtin
sed -i "s|workflow_repository: .*|workflow_repository: $w|" "$T/cic.yaml"
start
# unpacked STEP-FILE - the finished build's file, unpacked to $T/root
unpacked() {
    rm -rf "$T/root"
    sif=$T/images/$1
    unsquashfs -o "$(siftool list "$sif" | awk -F'|' '/FS/ { split($4, at, "-"); print at[1] + 0 }')" \
        -d "$T/root" "$sif" step > "$T/unsquashfs.log" 2>&1
}

id=$(submit odd step)
is "$(state_at_end "$id")" FINISHED "an odd step is built"
unpacked odd_step_x86_64_nompi_nogpu_v_latest.sif
is "$(readlink "$T/root/step/absolute") $(readlink "$T/root/step/upward") $(readlink "$T/root/step/dangling")" \
    "/etc/shadow ../../../../../../etc/hostname nowhere" "links are links, not what they point to"
is "$(cat "$T/root/step/a name
with a newline" "$T/root/step/-rf" "$T/root/step/ignored.txt")" "kept
kept
kept" "odd names are kept, and export-ignore has no say"
# shellcheck disable=SC2016
is "$(cat "$T/root/step/subst.txt")" 'kept $Id$' "nor has export-subst"
ok "a .dockerignore of the step is a file like others" test -f "$T/root/step/.dockerignore"
ok "a submodule is left out, and nobody asks for it" test ! -e "$T/root/step/submodule"
ok "the newest commit is what was built" test -f "$T/root/step/second.txt"

id=$(submit odd step ',"version":"v1"')
is "$(state_at_end "$id")" FINISHED "an annotated tag"
unpacked odd_step_x86_64_nompi_nogpu_v_v1.sif
ok "is the commit it points to" test ! -e "$T/root/step/second.txt"
id=$(submit odd step ',"version":"twin"')
is "$(state_at_end "$id")" FINISHED "a name that is a branch and a tag"
unpacked odd_step_x86_64_nompi_nogpu_v_twin.sif
ok "is the branch" test -f "$T/root/step/second.txt"
id=$(submit odd step ',"version":"feature/x"')
is "$(state_at_end "$id")" FINISHED "a branch with a slash"
like "$(status_of "$id" | field filename)" "odd_step_x86_64_nompi_nogpu_????????_v_feature-x.sif" "has a name without one"

id=$(submit odd step ",\"version\":\"$(git -C "$w" rev-parse main~0)\"")
is "$(state_at_end "$id")" FINISHED "the commit that a branch is at"
old=$(git -C "$w" rev-parse 'v1^{commit}')
id=$(submit odd nostep ",\"version\":\"$(printf '%.9s' "$old")\"")
is "$(state_at_end "$id") $(status_of "$id" | field message)" \
    "FAILED workflow odd has no step nostep at commit $(printf '%.12s' "$old"); it has step" \
    "so is one behind it, by its first digits"
(cd "$w" && git checkout --quiet --detach && echo x > odd/step/fork && commit stray && git checkout --quiet main)
stray=$(git -C "$w" reflog --format=%H | sed -n 2p)
git -C "$w" config uploadpack.allowAnySHA1InWant true
id=$(submit odd step ",\"version\":\"$stray\"")
is "$(state_at_end "$id")" FAILED "a commit that is on no branch is not built, though the server would give it"
like "$(status_of "$id" | field message)" "*no branch or tag has or contains commit $stray*" "and the message says so"

# damage: to the mirror of single commits, not the one with the history
mirror=$(for m in "$T"/data/mirrors/????????????????.git; do
    git --git-dir "$m" cat-file -e "$(git -C "$w" rev-parse main)" 2> /dev/null && echo "$m"; done)
git -C "$w" commit --quiet --allow-empty -m third 2> /dev/null ||
    git -C "$w" -c user.name=t -c user.email=t@localhost commit --quiet --allow-empty --message third
touch "$mirror/shallow.lock"
id=$(submit odd step)
is "$(state_at_end "$id")" FINISHED "a shallow.lock left by a killed git is in nobody's way"
for pack in "$mirror"/objects/pack/*.pack; do : > "$pack.new"; mv -f "$pack.new" "$pack"; done
id=$(submit odd step ',"force":true')
is "$(state_at_end "$id")" FINISHED "a damaged copy of the registry is made again"
rm "$mirror/HEAD"
id=$(submit odd step ',"force":true')
is "$(state_at_end "$id")" FINISHED "so is one that is no repository any more"

# ten at once on one registry
for n in 1 2 3 4 5 6 7 8 9 10; do git -C "$w" branch "b$n" main; done
ids=$(for n in 1 2 3 4 5 6 7 8 9 10; do submit odd nostep ",\"version\":\"b$n\""; done)
for id in $ids; do state_at_end "$id"; status_of "$id" | field message; done > "$T/states"
is "$(sort -u "$T/states" | grep -v FAILED | sed 's/commit [0-9a-f]*/commit X/')" \
    "workflow odd has no step nostep at commit X; it has step" "ten builds at once each read it"

is "$(grep -c 'processes' "$T/log/cic-worker.log")" 0 "and none is taken for what another one left"

mv "$w" "$T/gone"
id=$(submit odd step)
is "$(state_at_end "$id")" FAILED "the registry is gone"
like "$(status_of "$id" | field message)" "*workflow registry*cannot be read*" "and the message says so"
done_testing
