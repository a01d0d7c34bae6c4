#!/bin/sh
# mirror.sh - which Debian mirrors this machine's apt uses, so that other scripts need to name none.
#
# usage: mirror.sh           the sources of this machine's own Debian release, as lines for a sources.list
#        mirror.sh --main    only the address of Debian's main archive (where all its releases are)
#        mirror.sh --apt     what apt was told about proxies and archives past their date, as lines for an apt.conf
#
# Works before the first "apt-get update" too. Only Debian's own archives are named, not other repositories that the
# machine may use, and no CD.
#
# Exit codes: 0 fine, 1 apt knows no such mirror, 2 wrong usage.
set -eu

PROG=mirror.sh
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
die() { printf '%s: %s\n' "$PROG" "$1" >&2; exit "${2:-1}"; }

# Every source as "address|release as written|code name|component|origin". What apt has not fetched yet it prints as
# "$(ORIGIN)".
# shellcheck disable=SC2016 # apt fills these in
targets() {
    apt-get indextargets --no-release-info \
        --format '$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)|$(ORIGIN)' 'Created-By: Packages'
}

# Cloud images of Debian say "mirror+file:/a/list"; the first address in that list is as good as any.
plain_addresses() {
    while IFS='|' read -r address rest; do
        case $address in
            mirror+file:/*)
                list=${address#mirror+file:}
                list=/${list#"${list%%[!/]*}"}
                address=$(awk '/^https?:/ { print $1; exit }' "${list%/}" 2> /dev/null) || continue ;;
        esac
        case $address in http://*|https://*) printf '%s|%s\n' "${address%/}/" "$rest" ;; esac
    done
}

# Of these, Debian's for this release: lines of "address release component".
ours() {
    targets | plain_addresses | awk -F'|' -v suite="$suite" '
        {
            known = $5 !~ /^[$]/ && $5 != ""
            if (known && $5 != "Debian") next
            if (!known && $1 !~ /debian/) next
            name = known ? $3 : $2
            sub(/\/updates$/, "-security", name)
            if (name == suite || name == suite "-updates" || name == suite "-security")
                if (!seen[$1, name, $4]++) print $1, name, $4
        }'
}

sources() {
    ours | awk -v keyring="$KEYRING" '
        { key = $1 " " $2; if (!(key in parts)) order[++n] = key; parts[key] = parts[key] " " $3 }
        END { for (i = 1; i <= n; i++) print "deb [signed-by=" keyring "] " order[i] parts[order[i]] }'
}

action=sources
case ${1:-} in
    --help|-h) usage; exit 0 ;;
    --main) action=main; shift ;;
    --apt) action=apt; shift ;;
esac
[ $# -eq 0 ] || die "\"$1\" is not an option (--help tells more)." 2
if [ "$action" = apt ]; then
    apt-config dump | grep -E '^Acquire::(http|https)::Proxy |^Acquire::Check-(Valid-Until|Date) ' || :
    exit 0
fi
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release | tr -d '"')
[ -n "$suite" ] || die "/etc/os-release names no Debian release; Debian 12 or 13 is needed."
case $action in
    main) found=$(ours | awk -v suite="$suite" '$2 == suite { print $1; exit }') ;;
    *) found=$(sources) ;;
esac
[ -n "$found" ] || die "apt has no Debian mirror for \"$suite\" in its sources; please add one to /etc/apt/sources.list."
printf '%s\n' "$found"
