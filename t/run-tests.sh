#!/bin/sh
# run-tests.sh - run the tests under prove.
#
# usage: run-tests.sh            unit tests, fuzz corpora and t/*.t
#        run-tests.sh unit       unit tests and fuzz corpora only
#        run-tests.sh long       t/long/*.t: what takes minutes
#        run-tests.sh FILE...    these
#
# With CI set, a skipped test is a failure.  $BUILD is the folder of the programs (build).
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$top"
build=${BUILD:-build}

units() {
    for unit in "$build"/t/test_*; do [ ! -x "$unit" ] || printf '%s\n' "$unit"; done
    for target in "$build"/t/fuzz_*; do [ ! -x "$target" ] || printf '%s\n' "$target"; done
}

case ${1-} in
    '') set -- $(units) t/*.t ;;
    unit) set -- $(units) ;;
    long) set -- t/long/*.t ;;
    --help|-h) sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;;
esac
[ $# -gt 0 ] || { echo "run-tests.sh: there are no tests." >&2; exit 1; }

trap '"$top/t/rig/rig.sh" stop' EXIT
trap 'exit 130' INT TERM HUP
rm -rf "$build/answers"     # what t/lib.sh records for t/95-openapi.t
log=$(mktemp)
status=0
prove --timer "$@" 2>&1 | tee "$log" || status=1
grep -q '^Result: PASS' "$log" || status=1
if [ -n "${CI:-}" ] && grep -qiE 'skipped' "$log"; then
    echo "a test was skipped: that counts as a failure here" >&2
    status=1
fi
rm -f "$log"
exit "$status"
