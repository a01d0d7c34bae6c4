#!/bin/sh
# Goal: who polls through nginx never sees that cic.fcgi or the worker is replaced, killed or restarted, and many who
# come at once are all answered.  The engine is a gate that holds the build; nothing is built.
. "$(dirname "$0")/lib.sh"
rig podman
cat > "$T/engine" <<END
#!/bin/sh
case "\$*" in
    'buildx build --help') ;;
    'buildx build '*)
        while [ -e $T/hold ]; do sleep 0.1; done
        exit 1 ;;
esac
exec $PODMAN "\$@"
END
chmod +x "$T/engine"
touch "$T/hold"
ENGINE_COMMAND=$T/engine
config podman builtin
start
export CIC_URL CIC_USER CIC_PASSWORD

# somebody else holds the socket, as systemd would
kill "$(pid_of cic.fcgi)"
wait_for 10 is_gone "$(pid_of cic.fcgi)"
setsid "$top/t/rig/socket_holder.pl" "$T/fcgi.sock" "$T/master.pid" "$top/build/cic.fcgi" --config "$T/cic.yaml" \
    >> "$T/log/cic.fcgi.log" 2>&1 < /dev/null &
echo $! > "$T/cic.fcgi.pid"
wait_for 10 test -s "$T/master.pid"
child() { pgrep -P "$(pid_of master)"; }
new_child() { fresh=$(child) && [ -n "$fresh" ] && [ "$fresh" != "$1" ]; }
new_master() { [ "$(pid_of master)" != "$1" ] && child; }
ok "cic.fcgi serves from a socket that somebody else holds" wait_for 20 child

id=$(submit minimal_workflow wordcount)
ok "a build runs" wait_for 60 has_state "$id" BUILDING
ended=$(submit nothing nothing)
state_at_end "$ended" > "$T/out"

# clients NAME ARGS... - until clients_end
clients() {
    clients_name=$1
    shift
    "$top/t/rig/pollers.pl" "$@" > "$T/$clients_name.out" 2>&1 &
    echo $! > "$T/$clients_name.pid"
    wait_for 20 test -s "$T/$clients_name.out"
}
ready() { [ -s "$T/$1.out" ]; }
finished() { grep -q ^last "$T/$1.out"; }
# clients_end NAME WHAT - all answers were 200
clients_end() {
    kill "$(pid_of "$1")"
    wait_for 40 finished "$1"
    is "$(grep -c '^[0-9]' "$T/$1.out") $(grep -o '^200' "$T/$1.out")" "1 200" "$2: every answer is 200"
    diag_answers=$(tr '\n' ' ' < "$T/$1.out")
    echo "# $1: $diag_answers"
    ok "$2: none took 30 s" awk '/^longest/ { exit $2 >= 30000 }' "$T/$1.out"
}
clients quick --clients 50 --pause 20 "/build/$id" "/build/$ended"
clients patient --clients 50 --agent ansible-httpget "/build/$id"

# repeat N COMMAND...
repeat() {
    repeat_left=$1
    shift
    while [ "$repeat_left" -gt 0 ]; do
        "$@" || return 1
        repeat_left=$((repeat_left - 1))
    done
}
hup() { old=$(child); kill -HUP "$(pid_of master)"; wait_for 20 new_child "$old"; }
kill_child() { old=$(child | head -n 1); kill -KILL "$old"; wait_for 20 new_child "$old"; }
restart_master() { old=$(pid_of master); kill "$1" "$old"; wait_for 20 new_master "$old"; }
new_worker() { kill "$(pid_of cic-worker)"; restart_worker; }

ok "the child is replaced 20 times" repeat 20 hup
ok "the child is killed 5 times" repeat 5 kill_child
ok "the worker is restarted 5 times" repeat 5 new_worker
ok "cic.fcgi is restarted 3 times" repeat 3 restart_master -TERM
ok "cic.fcgi is killed once" restart_master -KILL
ok "and its child is replaced once more" hup
clients_end quick "50 who ask again and again"
clients_end patient "50 who are held"
is "$(state_of "$id")" BUILDING "the build still runs"

# many at once
"$top/t/rig/pollers.pl" --clients 500 --once "/build/$id" "/build/$ended" > "$T/burst.out" 2>&1
is "$(grep '^[0-9]' "$T/burst.out")" "200 500" "500 at once: all are answered"

# what nginx does when a child dies with a request in its hands: one that always does, and notes what it had
rm "$T/hold"
kill "$(pid_of cic.fcgi)"
wait_for 10 is_gone "$(pid_of cic.fcgi)"
setsid "$top/t/rig/socket_holder.pl" "$T/fcgi.sock" "$T/master.pid" perl -e '
    open my $log, ">>", $ARGV[0] or die;
    $log->autoflush(1);
    open my $listen, "<&=0" or die;
    while (accept my $peer, $listen) { sysread $peer, my $text, 65536; print $log $text =~ /REQUEST_METHOD(GET|POST)/, "\n"; close $peer }
' "$T/methods" >> "$T/log/cic.fcgi.log" 2>&1 < /dev/null &
echo $! > "$T/cic.fcgi.pid"
wait_for 10 test -e "$T/methods"
post "$(request posted once)"
is "$code $(cat "$T/methods")" "503 POST" "a POST that was sent is not sent again: 503"
: > "$T/methods"
api GET "/build/$id"
is "$code $(grep -c GET "$T/methods")" "503 8" "a GET is tried eight times"
kill "$(pid_of cic.fcgi)"
done_testing
