#!/bin/sh
# repositories.sh - make bare git repositories out of folders, as an offline site has them.
#
# usage: repositories.sh TO FOLDER...
#   Each FOLDER becomes TO/<its name>.git with the branch main and the tag v1.  A repository whose content is right
#   already is left alone; otherwise main gets one more commit.
#
# Output: a sentence for each repository that changes.  Exit codes: 0 fine, 1 git failed, 2 wrong usage.
set -eu

case ${1-} in --help|-h) sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;; esac
[ $# -ge 2 ] || { echo "repositories.sh: say where to, and at least one folder." >&2; exit 2; }

# commits do not depend on who runs this, nor on their git settings
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=demo GIT_AUTHOR_EMAIL=demo@localhost GIT_COMMITTER_NAME=demo GIT_COMMITTER_EMAIL=demo@localhost

to=$1
shift
mkdir -p "$to"
for folder in "$@"; do
    repository=$to/$(basename "$folder").git
    [ -d "$repository" ] || git init --quiet --bare --initial-branch=main "$repository"
    export GIT_DIR="$repository" GIT_INDEX_FILE="$repository/index.new"
    git --work-tree="$folder" add --all --force .
    tree=$(git write-tree)
    rm -f "$GIT_INDEX_FILE"
    [ "$tree" = "$(git rev-parse --quiet --verify 'main^{tree}' || :)" ] && continue
    parent=$(git rev-parse --quiet --verify main || :)
    commit=$(git commit-tree "$tree" ${parent:+-p "$parent"} -m "content of $(basename "$folder")")
    git update-ref refs/heads/main "$commit"
    [ -n "$parent" ] || git update-ref refs/tags/v1 "$commit"
    printf 'committed %s to %s\n' "$(basename "$folder")" "$repository"
done
