#!/bin/sh
# Goal: whatever a server, a network or a terminal does to cic_cli, it says so in a sentence, its exit status is right,
# a file is saved only when it is the right one, and no secret is seen by others.
. "$(dirname "$0")/lib.sh"

mkdir "$T/bad" "$T/here" "$T/home"
perl "$top/t/rig/bad_server.pl" "$T/bad" &
bad_pid=$!
wait_for 10 test -s "$T/bad/port"
CIC_URL=http://127.0.0.1:$(cat "$T/bad/port")
CIC_USER=demo CIC_PASSWORD=s3cr3t-of-demo HOME=$T/home TMPDIR=$T
export CIC_URL CIC_USER CIC_PASSWORD HOME TMPDIR
unset CIC_TOKEN
cd "$T/here" || exit 1
id=1b4e28ba-2fa1-41d2-883f-0016d3cca427

# reply NAME STATUS BODY [HEADER]
reply() { printf 'HTTP/1.1 %s\nContent-Type: application/json\n%s\n%s\n' "$2" "${4+$4$newline}" "$3" > "$T/bad/$1"; }
newline='
'
# serve FILE-ON-DISK NAME - to be downloaded, with its checksum
serve() {
    printf '%s\n' "$1" > "$T/bad/GET_image_creation_images_download_$2.file"
    reply "GET_image_creation_images_download_$2.sha256" '200 OK' "$(sha256sum < "$1" | cut -d' ' -f1)  $2"
}
# cli WORDS... - sets rc, out, err
cli() {
    rc=0
    "$shell" "$top/cic_cli" "$@" > "$T/out" 2> "$T/err" < /dev/null || rc=$?
    out=$(cat "$T/out") err=$(cat "$T/err")
}
requests() { cat "$T/bad/requests" 2> /dev/null; }
forget() { rm -f "$T/bad/requests" "$T"/bad/*.part; }
# record STATE REV PACKAGES - of the build $id
record() {
    printf '{"id":"%s","rev":%s,"state":"%s","message":"%s","excerpt":"","file":"a.sif","size":1500000,"created":1,"started":1,"ended":2001,"progress":{"stage":"build","step":4,"steps":9,"step_name":"spack","package":"hdf5","packages_done":%s,"packages":112,"output":0},"request":{"workflow":"w","step_id":"s","machine":{"architecture":"zen3"}}}' \
        "$id" "$2" "$1" "${4-}" "$3"
}

# ---- the parser, taken out of the program
sed -n '/^json_flat() {/,/^}/p' "$top/cic_cli" > "$T/json_flat.sh"
# shellcheck disable=SC1091 # just written
. "$T/json_flat.sh"
# json TEXT - what it makes of it: one line, | and ~ for newline and tab
json() { printf '%s' "$1" | json_flat > "$T/flat" && tr '\n\t' '|~' < "$T/flat"; }
is "$(json '{"a":"b","c":[1,-2.5e3,true,null,{}],"d":{"e":[]}}')" '~o|a~sb|c.0~n1|c.1~n-2.5e3|c.2~btrue|c.3~z|c.4~o|c~a5|d~o|d.e~a0|' \
    "JSON: objects, arrays, literals"
is "$(json '"a\"b\\\\c\/\u0041\u00e9\u20ac\ud83d\ude00 \ud800x\udc00 \n"')" '~sa"b\\\\c/Aé€😀 �x� \n|' \
    "JSON: escapes, pairs of surrogates and lone ones"
is "$(json '{"x":"\u001b[31mred\u001b[0m\u009b2J\u0000\u0007\u007f!"}')" '~o|x~sred2J!|' "JSON: nothing that steers a terminal"
for text in '"\302\302\233\233[2J"' '"\302\\b\23312J"' '"\302\\u001b\23312J"' '"\302\302\\b\233\233"'; do
    # shellcheck disable=SC2059 # a format is meant
    json "$(printf "$text")" > "$T/out"
    ok "JSON: nor what steers it once that is gone: $text" test -z "$(LC_ALL=C tr -cd '\302\233' < "$T/out")"
done
is "$(json '{"a\\":["\\\"","","],"],"b\"{":"\\"}')" '~o|a\\.0~s\\"|a\\.1~s|a\\.2~s],|a\\~a3|b"{~s\\|' \
    "JSON: quotes, backslashes and brackets in strings"
is "$(json ' [ 1 ,
 2 ] ')" '0~n1|1~n2|~a2|' "JSON: blanks and newlines"
deep=$(awk 'BEGIN { for (i = 0; i < 5000; i++) printf "["; for (i = 0; i < 5000; i++) printf "]" }')
taken=''
# shellcheck disable=SC1003 # backslashes are meant
for text in '' '{' '{"a"}' '{"a":}' '{"a" 1}' '[1,]' '{,}' '{"a":1,}' 01 tru '"a' '"a\' '"a\"' '"\x"' '"\u12"' '"\u12g4"' '{"a":1}}' '{} x' \
    '[1 2]' NaN +1 1. "['a']" '["a""b"]' '{1:2}' '[}' "$deep"; do
    if json "$text" > "$T/out"; then taken="$taken $text"; fi
done
is "$taken" "" "JSON: what is none is refused"

for shell in dash bash; do
    rm -rf "$T/bad"/GET* "$T/bad"/POST* "$T/here"/* "$T/here"/.[!.]*
    forget

    # ---- answers nobody wants
    reply GET_image_creation_whoami '429 Too Many Requests' '{"detail":"at most 10 builds at once"}' 'Retry-After: 7'
    cli whoami
    is "$rc $err" "1 cic_cli: at most 10 builds at once; try again in 7 s" "$shell: 429"
    reply GET_image_creation_whoami '401 Unauthorized' ''
    cli whoami
    like "$rc $err" '1 cic_cli: user, password or token is wrong*' "$shell: 401"
    reply GET_image_creation_whoami '302 Found' '' 'Location: /image_creation/elsewhere'
    forget
    cli whoami
    like "$rc $err $(requests | wc -l)" '1 cic_cli: *sends us elsewhere, /image_creation/elsewhere;* 1' "$shell: a redirect is not followed"
    printf 'HTTP/1.1 502 Bad Gateway\nContent-Type: text/html\n\n<html>no</html>\n' > "$T/bad/GET_image_creation_whoami"
    cli whoami
    is "$rc $err" "1 cic_cli: the server failed (status 502)" "$shell: a page of a web server"
    printf 'HTTP/1.1 200 OK\nContent-Type: text/html\n\n<html>welcome</html>\n' > "$T/bad/GET_image_creation_whoami"
    cli whoami
    like "$rc $err" '1 cic_cli: *no JSON*' "$shell: 200 with something else"
    reply GET_image_creation_whoami '404 Not Found' '{"detail":"\u001b]0;title\u0007\u001b[2Jnothing\nhere\u009b"}'
    cli whoami
    is "$rc $err" "1 cic_cli: ]0;titlenothing here" "$shell: what the server says has no control characters"
    cli whoami --json
    is "$rc $out" "1 $(tail -n +4 "$T/bad/GET_image_creation_whoami")" "$shell: --json: the answer as it came, also when it is a no"
    printf 'HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\n\n{"user":"demo","admin":false,"token":true}\n' > "$T/bad/GET_image_creation_whoami"
    cli whoami
    like "$rc $out" '1*' "$shell: an answer that is not HTTP's is no yes"

    # ---- no answers
    cli whoami --url http://127.0.0.1:1
    like "$rc $err" '3 cic_cli: nobody answers at http://127.0.0.1:1/*' "$shell: nobody listens: 3"
    cli whoami --url http://no-such-host.invalid
    like "$rc $err" '3 cic_cli: no machine is called no-such-host.invalid*' "$shell: no such name: 3"
    echo 30 > "$T/bad/GET_image_creation_catalog.wait"
    cli catalog --timeout 1
    like "$rc $err" '3 cic_cli: *does not answer in time*' "$shell: no answer in time: 3"
    kill "$bad_pid"
    wait "$bad_pid" 2> /dev/null
    rm -f "$T/bad/port" "$T/bad"/*.wait
    perl "$top/t/rig/bad_server.pl" "$T/bad" &
    bad_pid=$!
    wait_for 10 test -s "$T/bad/port"
    CIC_URL=http://127.0.0.1:$(cat "$T/bad/port")
    cli whoami --url "https://127.0.0.1:$(cat "$T/bad/port")"
    like "$rc $err" '3 cic_cli: no secure connection to*' "$shell: no TLS there: 3"

    # ---- where the service is
    for folder in site front_image_creation image_creation; do
        reply "GET_${folder}_whoami" '200 OK' "{\"user\":\"$folder\",\"admin\":false,\"token\":false}"
    done
    reply GET_site_health '200 OK' '{"status":"ok"}'
    for path in '' /image_creation /site /site/ /front /front/image_creation; do
        cli whoami --url "$CIC_URL$path"
        printf '%s ' "$out"
    done > "$T/users"
    is "$(cat "$T/users")" "image_creation image_creation site site front_image_creation front_image_creation " \
        "$shell: with the prefix, without it, with one of the site's own, behind a folder"

    # ---- certificates
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/tls.key" -out "$T/tls.crt" -days 2 -subj /CN=localhost \
        -addext 'subjectAltName=IP:127.0.0.1' 2> /dev/null
    rm -f "$T/tls.log"
    openssl s_server -www -accept 127.0.0.1:0 -cert "$T/tls.crt" -key "$T/tls.key" > "$T/tls.log" 2>&1 &
    tls_pid=$!
    wait_for 20 grep -q '^ACCEPT .*:[0-9]' "$T/tls.log"
    tls=https://127.0.0.1:$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$T/tls.log")
    cli whoami --url "$tls"
    like "$rc $err" '3 cic_cli: the certificate of 127.0.0.1 is not trusted: *--cacert FILE' "$shell: a certificate that nobody knows: 3"
    cli whoami --url "$tls" --cacert "$T/tls.crt"
    like "$rc $err" '1 *no JSON*' "$shell: --cacert"
    cli whoami --url "$tls" -k
    like "$rc $err" '1 *no JSON*' "$shell: -k"
    kill "$tls_pid"

    # ---- waiting through bad moments
    reply "GET_image_creation_builds_$id.1" '200 OK' "$(record BUILDING 1 1)"
    reply "GET_image_creation_builds_$id.2" '503 Service Unavailable' '{"detail":"being started"}' 'Retry-After: 1'
    reply "GET_image_creation_builds_$id.3" '200 OK' "$(record BUILDING 2 1)"
    reply "GET_image_creation_builds_$id.4" '200 OK' "$(record BUILDING 3 2)"
    reply "GET_image_creation_builds_$id" '200 OK' "$(record FINISHED 4 112)"
    forget
    cli status $id --wait
    is "$rc $out" "0 FINISHED  a.sif  1.5 MB  in 2 s" "$shell: --wait goes on after a 503"
    is "$err" "build 4/9 spack, package 1/112: hdf5
no answer from the server; trying again
build 4/9 spack, package 2/112: hdf5
to get it:  cic_cli download a.sif" "$shell: without a terminal a line for each change"
    is "$(requests | cut -d' ' -f2 | cut -d'?' -f2 | tr '\n' ' ')" \
        "/image_creation/builds/$id wait=25&since=1 wait=25&since=1 wait=25&since=2 wait=25&since=3 " "$shell: asks to be told of changes"
    reply "GET_image_creation_builds_$id" '503 Service Unavailable' '{"detail":"being started"}' 'Retry-After: 1'
    CIC_GIVE_UP=2
    export CIC_GIVE_UP
    cli status $id --wait
    unset CIC_GIVE_UP
    like "$rc $err" "1 *the build goes on; later:  cic_cli status $id --wait
cic_cli: being started; try again in 1 s" "$shell: but not for ever"
    reply "GET_image_creation_builds_$id" '200 OK' "$(record FAILED 4 112 '\u001b[1mbroken')"
    cli status $id --wait
    like "$rc $err" "1 cic_cli: build $id failed: broken*" "$shell: FAILED: 1"

    # ---- downloads
    head -c 300000 /dev/urandom > "$T/image"
    head -c 300000 /dev/urandom > "$T/image2"
    serve "$T/image" cut.sif
    echo 100001 > "$T/bad/GET_image_creation_images_download_cut.sif.cut"
    forget
    cli download cut.sif
    is "$rc $(cmp cut.sif "$T/image" 2>&1) $(ls -A)" "0  cut.sif" "$shell: a connection that breaks: resumed"
    is "$(requests | awk '{ print $3 }' | tr '\n' ' ')" "- - bytes=100001- bytes=200002- " "$shell: from where it broke"
    cli download cut.sif
    like "$rc $err" "0 cut.sif is there already*" "$shell: what is there is not fetched again"
    rm -f cut.sif
    head -c 250000 "$T/image" > .cut.sif.part
    forget
    cli download cut.sif --output x.sif
    is "$rc $(cmp x.sif "$T/image" 2>&1) $(requests | wc -l)" "0  4" "$shell: --output: a part of another name is not taken"
    rm -f x.sif
    forget
    cli download cut.sif
    is "$rc $(cmp cut.sif "$T/image" 2>&1) $(requests | tail -n 1)" "0  GET /image_creation/images/download/cut.sif bytes=250000- demo" \
        "$shell: what an earlier call got is kept"
    rm -f cut.sif
    head -c 350000 /dev/zero > .cut.sif.part
    cli download cut.sif
    is "$rc $(cmp cut.sif "$T/image" 2>&1)" "0 " "$shell: a part that is too long is thrown away"

    serve "$T/image" dead.sif
    echo 0 > "$T/bad/GET_image_creation_images_download_dead.sif.cut"
    printf abc > .dead.sif.part
    cli download dead.sif
    like "$rc $(cat .dead.sif.part) $err" '3 abc *is kept*no answer*' "$shell: nothing more comes: 3, and the part is kept"
    rm -f .dead.sif.part

    serve "$T/image2" rebuilt.sif
    head -c 100000 "$T/image" > .rebuilt.sif.part
    cli download rebuilt.sif
    like "$rc $(cmp rebuilt.sif "$T/image2" 2>&1) $err" '0  *starting again*' "$shell: a resume across a rebuild: noticed, started again"

    serve "$T/image" norange.sif
    : > "$T/bad/GET_image_creation_images_download_norange.sif.norange"
    head -c 100 "$T/image" > .norange.sif.part
    cli download norange.sif
    is "$rc $(cmp norange.sif "$T/image" 2>&1)" "0 " "$shell: a server without ranges"

    serve "$T/image" wrong.sif
    reply GET_image_creation_images_download_wrong.sif.sha256 '200 OK' "$(sha256sum < /dev/null | cut -d' ' -f1)  wrong.sif"
    cli download wrong.sif
    like "$rc $err $(find . -name '*wrong*')" '1 *checksum of wrong.sif is wrong, again and again*saved ' "$shell: never the right one: nothing is saved"
    cli download nothing.sif
    like "$rc $err" '1 cic_cli: there is no image nothing.sif*cic_cli images' "$shell: no such image"
    cli download ../x
    is "$rc" 2 "$shell: a path is no file name"
    : > "$T/bad/GET_image_creation_images_download_gone.sif.file"
    cli download cut.sif --output /nonexistent/x
    like "$rc $err" '1 *cannot be written*' "$shell: a folder that is not there"

    # ---- logs
    printf '\033[31mred\033[0m \033]0;title\007a\033]2;t\033\\b\rsecond\r\nc\302\302\033\233\302\233\233d\b\033(B\302\251\n' > "$T/log"
    name=GET_image_creation_builds_${id}_log
    echo "$T/log" > "$T/bad/$name.file"
    cli logs $id
    is "$rc $out" "0 red ab${newline}second${newline}cd©" "$shell: logs: no escape sequences"
    cli logs $id --color
    is "$out" "$(printf '\033[31mred\033[0m ab\nsecond\ncd©')" "$shell: logs --color: colours stay, no other"
    cli logs $id
    is "$(tail -n 2 "$T/bad/requests" | cut -d' ' -f3 | tr '\n' ' ')" "bytes=0-4194303 bytes=$(($(wc -c < "$T/log")))-$(($(wc -c < "$T/log") + 4194303)) " \
        "$shell: logs are fetched in ranges"
    : > "$T/bad/$name.norange"
    reply "GET_image_creation_builds_$id" '200 OK' "$(record FINISHED 4 112)"
    cli logs $id -f
    is "$rc $out" "0 red ab${newline}second${newline}cd©" "$shell: logs -f: a server without ranges: nothing twice"
    rm -f "$T/bad/$name.norange" "$T/bad/$name.file"
    reply "$name" '404 Not Found' '{"detail":"there is no log yet"}'
    cli logs $id
    is "$rc $err" "1 cic_cli: there is no log yet" "$shell: no log yet"

    # ---- lists: a page on which nothing is that is wanted is not the last one
    reply GET_image_creation_builds.1 '200 OK' '{"builds":[],"next":"9"}'
    reply GET_image_creation_builds '200 OK' '{"builds":[{"id":"old","state":"FAILED"}],"next":null}'
    cli list --state FAILED
    like "$rc $out $err" '0 *old *FAILED* ' "$shell: an empty page, and a next one"
    is "$(tail -n 1 "$T/bad/requests" | cut -d' ' -f2)" '/image_creation/builds?limit=50&cursor=9&state=FAILED' "$shell: which is asked for"

    # ---- what bash completes is run with the line it is put into
    # shellcheck disable=SC2016 # no expansion is meant
    reply GET_image_creation_images '200 OK' '{"images":[{"file":"x$(id).sif","size":1,"created":1},{"file":"xy.sif","size":1,"created":1}],"next":null}'
    # shellcheck disable=SC2016 # bash's
    is "$(bash -c '. "$0/conf/completion/cic_cli.bash"
        COMP_WORDS=(cic_cli download x) COMP_CWORD=2
        _cic_cli "$0/cic_cli" x download
        echo "${COMPREPLY[*]}"' "$top")" xy.sif "$shell: completion: no name that is none"

    # ---- secrets: looked for among all programs' arguments and their environment while curl runs
    CIC_TOKEN=cic_t0ken
    export CIC_TOKEN
    for command in whoami catalog; do echo 2 > "$T/bad/GET_image_creation_$command.wait"; done
    reply POST_image_creation_build '200 OK' '{"id":"'$id'"}'
    echo 2 > "$T/bad/POST_image_creation_build.wait"
    echo '{"workflow":"w-of-request"}' > r.json
    seen=''
    for words in whoami "build r.json"; do
        # shellcheck disable=SC2086 # words
        "$shell" "$top/cic_cli" $words > "$T/out" 2> "$T/err" &
        cli_pid=$!
        wait_for 10 pgrep -P "$cli_pid"
        sees_curl() { pgrep -f -- "curl -q --config - .*$(cat "$T/bad/port")" > "$T/curls"; }
        wait_for 10 sees_curl
        cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\0' '\n' > "$T/cmdlines"
        seen="$seen$(grep -cE 'cic_t0ken|s3cr3t-of-demo|w-of-request' "$T/cmdlines") "
        while read -r pid; do
            if tr '\0' '\n' 2> /dev/null < "/proc/$pid/environ" | grep -qE 'cic_t0ken|s3cr3t-of-demo'; then seen="$seen curl's environment"; fi
        done < "$T/curls"
        seen="$seen$(grep -c -- '^curl$' "$T/cmdlines") "
        wait "$cli_pid"
    done
    like "$seen" '0 [1-9] 0 [1-9] ' "$shell: no secret is in any program's arguments while curl runs"
    is "$(requests | tail -n 1)" "POST /image_creation/build - cic_t0ken" "$shell: a token is the user's name"
    unset CIC_TOKEN
    rm -f "$T"/bad/*.wait
    cli build r.json --dry-run
    like "$rc $err" "1 cic_cli: *has taken the request: build $id" "$shell: a server that knows no dry run"
done
kill "$bad_pid"
done_testing
