#!/bin/sh
# Goal: what the store promises, seen from outside: no room, no store, the same request twice, the same name twice,
# builds side by side and in turn; and cic.fcgi under other supervisors.
. "$(dirname "$0")/lib.sh"
REGISTRY=$top/t/data/registry
rig podman
cat > "$T/engine" <<END
#!/bin/sh
# The real podman behind a gate.
case "\$*" in
    'buildx build --help') ;;
    'buildx build '*)
        echo begin >> $T/calls
        while [ -e $T/hold.build ]; do sleep 0.05; done ;;
esac
exec $PODMAN "\$@"
END
chmod +x "$T/engine"
ENGINE_COMMAND=$T/engine
MORE_BUILD='  max_concurrent_builds: 2'
config podman builtin
start
calls() { grep -c . "$T/calls" 2> /dev/null; }

# the same request again and again
touch "$T/hold.build"
id=$(submit cases ok)
wait_for 60 has_state "$id" BUILDING
printf 'other:%s\n' "$(printf 'word' | openssl passwd -apr1 -stdin)" >> "$T/htpasswd"
again=$(curl -s -u other:word -H 'Content-Type: application/json' -d "$(request cases ok)" "$CIC_URL$PREFIX/build" | field id)
is "$again" "$id" "the same request in flight, from somebody else: the same id"

# it joined late, so the registry is looked at once more, and it has moved
cp -r "$REGISTRY" "$T/moved"
mv "$T/moved" "$T/registry"
echo 'echo changed' >> "$T/registry/cases/ok/post_inst.sh"
"$top/conf/demo/repositories.sh" "$T/git" "$T/registry" > "$T/git.log"
rm "$T/hold.build"
is "$(state_at_end "$id") $(calls)" "FINISHED 2" "joined late and the registry moved: built again before it ends"
same=$(submit cases ok)
ok "a finished request again is another build" test "$same" != "$id"
is "$(state_at_end "$same") $(calls)" "FINISHED 2" "which finds nothing to do"
rm "$T/images/cases_ok_x86_64_nompi_nogpu_v_latest.sif"
same=$(submit cases ok)
is "$(state_at_end "$same") $(calls)" "FINISHED 2" "a .sif that is missing is made again without a build"
ok "and is there" test -s "$T/images/cases_ok_x86_64_nompi_nogpu_v_latest.sif"
same=$(submit cases ok ',"force":true')
is "$(state_at_end "$same") $(calls)" "FINISHED 3" "force builds all the same"
is "$(stat -c %a "$T/images" "$T/data/db" | tr '\n' ' ')" "755 2770 " "the folders are for those who need them"

# it joined a build that fails, and the fault is mended meanwhile
touch "$T/hold.build"
id=$(submit cases bad_post)
wait_for 60 has_state "$id" BUILDING
echo 'true' > "$T/registry/cases/bad_post/post_inst.sh"
"$top/conf/demo/repositories.sh" "$T/git" "$T/registry" > "$T/git.log"
is "$(submit cases bad_post)" "$id" "who mended the fault joins the build that has it"
rm "$T/hold.build"
is "$(state_at_end "$id")" FINISHED "and it ends with what was mended"

# asking again and again does not keep a build from ending
id=$(submit cases ok ',"version":"v1"')
ask_again() { submit cases ok ',"version":"v1"' > "$T/again"; has_ended "$id"; }
ok "a build ends however often it is asked for" wait_for 120 ask_again

# somebody edits the configuration, badly; the worker has its own copy
echo 'weather: fine' >> "$T/cic.yaml"
id=$(submit cases ok ',"version":"main"')
is "$(state_at_end "$id")" FINISHED "a fault in a configuration nobody has loaded yet hurts no build"
sed -i '$d' "$T/cic.yaml"

# in turn: two requests for one output name; side by side: two names
touch "$T/hold.build"
first=$(submit cases ok ',"force":true,"version":"v1"')
wait_for 60 has_state "$first" BUILDING
second=$(submit cases ok ',"force":false,"version":"v1"')
third=$(submit cases ok ',"force":true,"version":"main"')
ok "another name is built side by side" wait_for 60 has_state "$third" BUILDING
is "$(state_of "$second")" PENDING "the same name waits for its turn"
fourth=$(submit cases slow)
is "$(state_of "$fourth")" PENDING "no more than max_concurrent_builds at once"
# one name, two meanings: a_b + c and a + b_c; both wait
one=$(submit a_b c)
two=$(submit a b_c)
is "$(status_of "$one" | field image_id)" "${IMAGES}a_b_c_x86_64_nompi_nogpu:latest" "the first has the name"
like "$(status_of "$two" | field image_id)" "${IMAGES}a_b_c_x86_64_nompi_nogpu_????????:latest" "the second has a suffix"
rm "$T/hold.build"
is "$(state_at_end "$first") $(state_at_end "$second") $(state_at_end "$third")" "FINISHED FINISHED FINISHED" "all end"
wait_for 60 has_state "$fourth" BUILDING
stop
ok "stopping leaves no process of a build" test -z "$(ps -eo args | grep '^sleep 611\.5')"

# no room
sed -i 's/min_free_space: .*/min_free_space: 2000000000/' "$T/cic.yaml"
start
post "$(request cases ok ',"version":"full"')"
is "$code" 507 "no room on the disk: 507"
like "$headers" '*Retry-After: *' "with Retry-After"
api GET "/build/$id"
is "$code" 200 "a status is still told"
stop
# one user fills it
sed -i 's/min_free_space: .*/min_free_space: 0\n  pending_per_user: 0/' "$T/cic.yaml"
if [ "$(id -u)" = 0 ]; then
    # a real full disk: the store on a file system of 320 KiB
    mkdir "$T/small"
    mount -t tmpfs -o size=320k none "$T/small"
    sed -i "s|^  data: .*|  data: $T/small|" "$T/cic.yaml"
    mkdir -p "$T/small/db"
    "$top/build/cic.fcgi" -c "$T/cic.yaml" -s "$T/small.sock" 2> "$T/log/small.log" &
    small=$!
    # by_fcgi BODY - one request without a web server; sets answer
    by_fcgi() {
        answer=$(printf '%s' "$1" | REQUEST_METHOD=POST REQUEST_URI=$PREFIX/build CONTENT_TYPE=application/json \
            CONTENT_LENGTH=${#1} REMOTE_USER=demo cgi-fcgi -bind -connect "$T/small.sock")
    }
    wait_for 10 test -S "$T/small.sock"
    n=0
    while [ $n -lt 2000 ]; do
        by_fcgi "$(request cases "s$n")"
        case $answer in *'"id"'*) printf '%s\n' "$answer" | tail -n 1 | field id >> "$T/ids" ;; *) break ;; esac
        n=$((n + 1))
    done
    like "$answer" '*Status: 507*' "a full file system: 507"
    ok "after some were accepted" test $n -gt 10
    lost=0
    while read -r accepted; do
        REQUEST_METHOD=GET REQUEST_URI=$PREFIX/build/$accepted REMOTE_USER=demo \
            cgi-fcgi -bind -connect "$T/small.sock" | grep -q PENDING || lost=$((lost + 1))
    done < "$T/ids"
    is "$lost" 0 "every accepted one is still there"
    kill "$small"
    wait "$small"
    is "$?" 0 "cic.fcgi ends with status 0 on SIGTERM"
    umount "$T/small"
fi

# no store
sed -i "s|^  data: .*|  data: $T/data2|" "$T/cic.yaml"
mkdir -p "$T/data2/db"
head -c 65536 /dev/urandom > "$T/data2/db/data.mdb"
spawn-fcgi -s "$T/spawned.sock" -P "$T/spawned.pid" -- "$top/build/cic.fcgi" -c "$T/cic.yaml" > "$T/spawn.out" 2>&1
ok "cic.fcgi runs under spawn-fcgi" wait_for 10 test -S "$T/spawned.sock"
ask_spawned() {
    answer=$(printf '%s' "$1" | REQUEST_METHOD=POST REQUEST_URI=$PREFIX/build CONTENT_TYPE=application/json \
        CONTENT_LENGTH=${#1} REMOTE_USER="${2-demo}" cgi-fcgi -bind -connect "$T/spawned.sock")
}
ask_spawned "$(request cases ok)"
like "$answer" '*Status: 503*Retry-After: *' "a store that cannot be read: 503 with Retry-After"
rm -r "$T/data2"
ask_spawned "$(request cases ok)"
like "$answer" '*Status: 503*' "a store that is not there: 503"
mkdir -p "$T/data2/db"
ask_spawned "$(request cases ok)"
like "$answer" '*Status: 200*"id"*' "and 200 as soon as it is"
ask_spawned "$(request cases ok)" ''
like "$answer" '*Status: 401*WWW-Authenticate: Basic*' "a web server that names no user: 401"
pid=$(cat "$T/spawned.pid")
kill "$pid"
ok "it ends on SIGTERM" wait_for 10 is_gone "$pid"

# a listening socket on descriptor 0, as a systemd socket unit hands it over
perl -MSocket -e '
    socket S, AF_UNIX, SOCK_STREAM, 0 or die; bind S, pack_sockaddr_un($ARGV[0]) or die; listen S, 128;
    open STDIN, "<&S" or die; exec @ARGV[1 .. $#ARGV] or die' \
    "$T/fd0.sock" "$top/build/cic.fcgi" -c "$T/cic.yaml" 2> "$T/log/fd0.log" &
pid=$!
ready() { grep -q ready "$T/log/fd0.log"; }
wait_for 10 ready
like "$(REQUEST_METHOD=GET REQUEST_URI=$PREFIX/health cgi-fcgi -bind -connect "$T/fd0.sock")" '*"store":true*' \
    "cic.fcgi takes a listening socket on descriptor 0"
kill $pid
wait $pid
is "$?" 0 "and ends on SIGTERM with status 0"
like "$("$top/build/cic.fcgi" -c "$T/cic.yaml" < /dev/null 2>&1)" '*no listening socket*' "without one it says what to do"
done_testing
