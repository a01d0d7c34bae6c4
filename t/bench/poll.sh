#!/bin/sh
# poll.sh - what polls cost, held ones and plain ones, in one run on this machine.
#
# usage: poll.sh
#
# Through nginx and cic.fcgi, with 500 polls held: by how much the longest was held longer than it asked; how long a
# change takes to reach all of them; the p99 of a POST for a new build, and what it is to the p99 with none held, medians of five
# rounds each in turn.  Then the plain status poll, requests a second and p99, beside echo.c, a FastCGI program that does
# nothing, behind the same nginx configuration in as many threads; medians of five rounds, in turn.
#
# Needs what "make check" installs.  Exit codes: 0 all within the limits, 1 not, or something failed.
. "$(dirname "$0")/../lib.sh"
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
threads=8
held=500
rig podman
# shellcheck disable=SC2034 # config reads it
MORE_LIMITS='  pending_per_user: 0'    # one user asks for thousands
config podman builtin
sed -i "s/^service:/service:\n  threads: $threads/" "$T/cic.yaml"
start
kill "$(pid_of cic-worker)"    # nothing is built
export CIC_URL CIC_USER CIC_PASSWORD
BENCH_AUTH=$(printf '%s:%s' "$CIC_USER" "$CIC_PASSWORD" | base64 -w 0)
export BENCH_AUTH

# echo.c in the same server, under an address of its own
"$top/build/t/echo" "$T/echo.sock" $threads &
echo_pid=$!
# libfcgi catches SIGTERM and goes on
trap 'rc=$?; kill -KILL "$echo_pid" 2> /dev/null; (exit "$rc"); cleanup' EXIT
sed -n -e "s|$T/fcgi.sock|$T/echo.sock|" -e 's/cic_fcgi/echo_fcgi/' -e '/^upstream/,/^}/p' "$T/nginx/cic-http.conf" \
    > "$T/echo-http.conf"
sed -n -e '/^location .image_creation. {/,/^}/{s|/image_creation/|/echo/|;s/pass cic_/pass echo_/;p}' "$T/nginx/cic.conf" \
    > "$T/echo.conf"
sed -i -e "s|^.*/cic-http.conf;|&include $T/echo-http.conf;|" -e "s|^.*/cic.conf;|&include $T/echo.conf;|" "$T/nginx.conf"
kill -HUP "$(pid_of nginx)"
echo_answers() { curl --silent --fail --user "$CIC_USER:$CIC_PASSWORD" "$CIC_URL/echo/build/1"; }
wait_for 10 echo_answers || { echo "poll.sh: echo does not answer" >&2; exit 1; }

# load NAME PATH CONNECTIONS SECONDS - appends "requests-a-second p99-in-us errors" to $T/NAME
load() {
    wrk --threads 1 --connections "$3" --duration "$4" --timeout 30 --script "$top/t/bench/poll.lua" "$CIC_URL$2" \
        > "$T/wrk.out" || { cat "$T/wrk.out" >&2; exit 1; }
    sed -n 's/^RESULT //p' "$T/wrk.out" >> "$T/$1"
}
# median NAME COLUMN
median() { cut -d' ' -f"$2" "$T/$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
value() { sed -n "s/^$2 //p" "$T/$1"; }
# are_held - each holds a descriptor of cic.fcgi
are_held() { [ "$(find "/proc/$(pgrep -P "$(pid_of cic.fcgi)")/fd" -mindepth 1 | wc -l)" -gt $held ]; }
# hold NAME PATH - so many polls, in the background, until they are answered
hold() {
    "$top/t/rig/pollers.pl" --clients $held --once "$2" > "$T/$1" &
    wait_for 30 are_held
}
ended() { grep -q ^last "$T/$1"; }

id=$(submit bench held)
round=0
while [ $round -lt 5 ]; do
    round=$((round + 1))
    BENCH_POST=alone$round load post "$PREFIX/build" 1 5
    hold "held$round" "/build/$id?wait=10"
    BENCH_POST=beside$round load beside "$PREFIX/build" 1 5
    wait_for 40 ended "held$round"
    value "held$round" longest >> "$T/longest"
    grep -qx "200 $held" "$T/held$round" || { cat "$T/held$round" >&2; exit 1; }
done

# a change: somebody joins, which only the record tells.  All of them get a record, the longer of the two answers
round=0
while [ $round -lt 5 ]; do
    round=$((round + 1))
    printf 'user%s:%s\n' $round "$(printf '%s' pw | openssl passwd -apr1 -stdin)" >> "$T/htpasswd"
    api GET "/builds/$id"
    hold told "/builds/$id?wait=25&since=$(printf '%s' "$body" | jq .rev)"
    curl --silent --output "$T/out" --user "user$round:pw" --header 'Content-Type: application/json' \
        --data "$(request bench held)" "$CIC_URL$PREFIX/build"
    from=$(date +%s%N)    # it is in the store
    wait_for 40 ended told
    echo $(($(value told last) - from / 1000000)) >> "$T/told.ms"
done

round=0
while [ $round -lt 5 ]; do
    round=$((round + 1))
    load echo /echo/build/1 16 4
    load status "$PREFIX/build/$id" 16 4
done

missed=0
# limit TEXT VALUE MOST
limit() {
    awk -v text="$1" -v value="$2" -v most="$3" 'BEGIN {
        printf "%-60s %9.4g  at most %-9.4g %s\n", text, value, most, value <= most ? "yes" : "NO"; exit value > most }' ||
        missed=1
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print a / b }'; }
most() { sort -n "$T/$1" | tail -n 1; }
printf 'medians of 5 rounds, %s processors, %s threads of cic.fcgi\n' "$(nproc)" $threads
printf 'POST for a new build, p99: %s us; with %s polls held: %s us\n' "$(median post 2)" $held "$(median beside 2)"
printf 'plain status poll: %s requests/s, p99 %s us; a program that does nothing: %s requests/s, p99 %s us\n' \
    "$(median status 1)" "$(median status 2)" "$(median echo 1)" "$(median echo 2)"
limit "errors" "$(cat "$T/post" "$T/beside" "$T/status" "$T/echo" | awk '{ n += $3 } END { print n }')" 0
limit "longest of $held polls held, ms beyond what it asked" "$(($(most longest) - 10000))" 500
limit "a change told to the last of $held, ms" "$(median told.ms 1)" 200
limit "p99 of POST with $held held, of none held" "$(ratio "$(median beside 2)" "$(median post 2)")" 2
limit "requests/s of nothing, of the status poll" "$(ratio "$(median echo 1)" "$(median status 1)")" 1.25
limit "p99 of the status poll, of nothing" "$(ratio "$(median status 2)" "$(median echo 2)")" 1.5
T_COUNT=1
exit $missed
