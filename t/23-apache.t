#!/bin/sh
# Goal: the service behind Apache as behind nginx: requests, polls, tokens, logs, downloads that old clients can live
# with; no request is lost while cic.fcgi is started again; no forged owner, no token in a log.
# Apache's processes run as www-data, so that rights count.  No image is built: the workflow does not exist.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/downloads.sh"
apache=/usr/sbin/apache2 modules=/usr/lib/apache2/modules
for needed in "$apache" "$modules/mod_xsendfile.so"; do
    [ -e "$needed" ] || { echo "Bail out! $needed is missing: conf/setup/packages.sh check installs it"; exit 1; }
done
rig podman
config podman builtin
sed -i "s|^  data: .*|&\n  web_group: www-data|" "$T/cic.yaml"
start
demo=$CIC_USER password=$CIC_PASSWORD
json='Content-Type: application/json'

# ---- Apache, and a cic.fcgi whose socket is kept by somebody else, as by systemd
stop_apache() { [ ! -s "$T/apache.pid" ] || kill "$(cat "$T/apache.pid")"; }
stop_all() { stop_apache; kill "$keeper" 2> /dev/null; cleanup; }
trap stop_all EXIT
start_keeper() {
    rm -f "$T/kept.sock"
    # shellcheck disable=SC2016 # for perl
    perl -MIO::Socket::UNIX -e 'my ($path, $pid) = splice @ARGV, 0, 2;
        my $s = IO::Socket::UNIX->new(Local => $path, Listen => 1024) or die $!;
        chown -1, scalar getgrnam("www-data"), $path; chmod 0660, $path; open STDIN, "<&", $s; close $s;
        $SIG{TERM} = sub { kill "TERM", $child; exit };
        while (1) { $child = fork; exec @ARGV unless $child; open my $f, ">", $pid; print $f $child; close $f; waitpid $child, 0 }' \
        "$T/kept.sock" "$T/kept.pid" "$top/build/cic.fcgi" --config "$T/cic.yaml" >> "$T/log/kept.log" 2>&1 &
    keeper=$!
    wait_for 10 test -S "$T/kept.sock"
}
start_keeper
chmod 711 "$T"
chgrp www-data "$T/htpasswd"
chmod 640 "$T/htpasswd"
mkdir "$T/apache"
for snippet in cic cic-private cic-public; do
    sed -e "s|/etc/cic/htpasswd|$T/htpasswd|" -e "s|/run/cic/fcgi.sock|$T/kept.sock|" -e "s|/var/lib/cic/images/|$T/images/|" \
        -e "s|/var/lib/cic/builds/|$T/data/builds/|" -e "s|/usr/local/share/cic/apache/|$T/apache/|" \
        -e "s|/usr/local/share/cic/openapi.json|$top/conf/openapi.json|" -e "s|/usr/local/bin/cic_cli|$top/cic_cli|" \
        "$top/conf/apache/$snippet.conf" > "$T/apache/$snippet.conf"
done
# write_apache MODULE... - with these beside the usual ones
write_apache() {
    for module in mpm_event authn_core authz_core alias auth_basic authn_file authz_user deflate env filter headers mime proxy proxy_fcgi \
        setenvif "$@"; do
        echo "LoadModule ${module}_module $modules/mod_$module.so"
    done > "$T/apache.conf"
    cat >> "$T/apache.conf" <<END
ServerRoot $T/apache
ServerName localhost
Listen 127.0.0.1:$port
PidFile $T/apache.pid
ErrorLog $T/log/apache.log
User www-data
Group www-data
Mutex file:$T/apache default
DocumentRoot $T/apache
TypesConfig /etc/mime.types
SetOutputFilter DEFLATE
<VirtualHost *>
	Include $T/apache/cic.conf
	CustomLog $T/log/apache-access.log cic
</VirtualHost>
END
}
# start_apache MODULE... - on a port that is free
start_apache() {
    for try in 1 2 3 4 5 6 7 8 9 10; do
        port=$((30000 + $(od -An -N2 -tu2 /dev/urandom) % 10000))
        write_apache "$@"
        "$apache" -f "$T/apache.conf" -k start 2>> "$T/log/apache.log" && break
        [ "$try" -lt 10 ] || { diag "$(cat "$T/log/apache.log")"; echo "Bail out! apache does not start"; exit 1; }
    done
    CIC_URL=http://127.0.0.1:$port
    wait_for 10 curl --silent --fail "$CIC_URL$PREFIX/health"
}
become() { CIC_USER=$1 CIC_PASSWORD=${2-anything}; }
start_apache xsendfile

# ---- requests and polls
post "$(request nowhere nothing)"
like "$code $body" '200 {"id":"????????-????-????-????-????????????"}' "POST /build: 200 and an id"
id=$(printf '%s' "$body" | field id)
api POST /build/ --header "$json" --data "$(request nowhere nothing)"
is "$code $(header location)" "200 " "POST /build/: 200, no redirect"
is "$(state_at_end "$id")" FAILED "the build ends"
api GET "/build/$id"
is "$code $(printf '%s' "$body" | jq -c keys_unsorted)" '200 ["filename","image_id","message","status"]' "its status"
is "$(header content-length) $(header content-type)" "$((${#body} + 1)) application/json" "with its length"
is "$(header cic-owner)" "" "what the log is told does not get out"
head -c 65537 /dev/zero | tr '\0' ' ' > "$T/big"
api POST /build --header "$json" --data-binary "@$T/big"
is "$code $(printf '%s' "$body" | field type)" "413 urn:cic:problem:too-large" "64 KiB and a byte: 413"
head -c 2000000 /dev/zero | tr '\0' ' ' > "$T/huge"
api POST /build --header "$json" --data-binary "@$T/huge"
is "$code" 413 "two megabytes: 413"
for file in cic_cli conf/openapi.json; do
    [ -e "$top/$file" ] || continue
    code=$(curl --silent --output "$T/out" --write-out '%{http_code}' "$CIC_URL$PREFIX/$(basename "$file")")
    is "$code $(cmp "$T/out" "$top/$file" && echo same)" "200 same" "$file, without a password"
done

# ---- who is asking
challenge='Basic realm="image creation"'
for who in "$demo:wrong" nobody:x :x; do
    become "${who%:*}" "${who#*:}"
    api GET "/build/$id"
    is "$code $(header www-authenticate) $(printf '%s' "$body" | field type)" "401 $challenge urn:cic:problem:unauthorized" "$who: 401, the challenge"
    is "$(header content-type)" application/problem+json "as a problem"
    api GET /images/download/a_b.sif
    is "$code [$body] $(header www-authenticate)" "401 [] $challenge" "its download: 401, no body, the challenge"
done
code=$(curl --silent --output "$T/out" --write-out '%{http_code} %{size_download}' "$CIC_URL$PREFIX/images/download/a_b.sif")
is "$code" "401 0" "no name at all: 401, no body"
become "$demo" "$password"
api POST /tokens --header "$json" --data '{"name":"laptop"}'
token=$(printf '%s' "$body" | field token) token_id=$(printf '%s' "$body" | field id)
is "$code" 201 "a token"
become "$token"
api GET /whoami --header 'Cic-Owner: other' --header 'Remote-User: other' --header 'Remote_User: other' --header 'Cic-Token: 1'
is "$code $body" "200 {\"user\":\"$demo\",\"admin\":false,\"token\":true}" "a token is its owner, whatever headers say"
api GET "/build/$id"
is "$code" 200 "it polls"
printf 'cic_ann:%s\n' "$(printf '%s' pw | openssl passwd -apr1 -stdin)" >> "$T/htpasswd"
for bad in "${token%?}" cic_ cic_ann; do
    become "$bad" pw
    api GET /whoami --header 'Cic-Owner: demo' --header 'Remote-User: demo'
    is "$code $(header www-authenticate)" "401 $challenge" "no token: 401, the challenge"
    api GET /images/download/a_b.sif
    is "$code [$body] $(header www-authenticate)" "401 [] $challenge" "its download: 401, no body, the challenge"
done
# raw AUTHORIZATION PATH - status and user of whoami
raw() { curl --silent --header "Authorization: $1" "$CIC_URL$PREFIX$2" | jq -r '.user // .status'; }
sent=$(printf '%s' "$token:x" | base64 -w 0) good=$(printf '%s' "$demo:$password" | base64 -w 0)
is "$(raw "bASIC   $sent" /whoami)" "$demo" "another spelling of Basic"
is "$(raw "Basic 	$sent" /whoami)" "$demo" "a tab"
is "$(raw "Basic Y2ljXw==, Basic $good" /whoami)" 401 "a token that is none, and a password behind it"
is "$(raw "Bearer $token" /whoami)" 401 "Bearer is not ours"
is "$(raw "Basic $sent" '/health/../whoami')" "$demo" "a way round"
is "$(curl --silent --path-as-is --output "$T/out" --write-out '%{http_code}' "$CIC_URL$PREFIX/health/../whoami")" 401 "for those without a name it is none"
for path in "/health%2f..%2fwhoami" "/build/$(printf '%0300d' 0)" "/$(printf '%0250d' 0)/$(printf '%0250d' 0)" "/builds/..%2f../log" "/internal/log/$id"; do
    become "$demo" "$password"
    api GET "$path" --path-as-is
    is "$code" 404 "$(printf '%.40s' "$path"): 404"
done

# ---- downloads, with password and token
download_files
downloads password 405
become "$token"
downloads token 405
become "$demo" "$password"
replaced_download

# ---- the log of a build
log=$T/data/builds/$id/log
logs() {
    api GET "/builds/$id/log" --compressed
    is "$code $body" "200 $(cat "$log")" "$1: the log"
    is "$(header content-type) $(header x-content-type-options) [$(header content-encoding)] $(header content-length)" \
        "text/plain; charset=utf-8 nosniff [] $(stat -c %s "$log")" "$1: as text, with its length"
    api GET "/builds/$id/log" --header 'Range: bytes=5-9'
    is "$code $body" "206 stage" "$1: a part of it"
    size=$(stat -c %s "$log")
    api GET "/builds/$id/log" --header "Range: bytes=$size-"
    is "$code $(printf '%s' "$body" | field type)" "416 urn:cic:problem:range" "$1: nothing more yet"
    printf 'more\n' >> "$log"
    api GET "/builds/$id/log" --header "Range: bytes=$size-"
    is "$code $body" "206 more" "$1: what has come since"
    is "$(header x-sendfile)" "" "$1: its path does not get out"
}
logs password
printf 'other:%s\n' "$(printf '%s' pw | openssl passwd -apr1 -stdin)" >> "$T/htpasswd"
become other pw
api GET "/builds/$id/log"
is "$code $(printf '%s' "$body" | field type)" "404 urn:cic:problem:no-such-build" "not for others"
become "$token"
logs token

# ---- restarts: the socket stays, and so do the requests
become "$demo" "$password"
polls() {
    : > "$T/codes"
    while [ ! -e "$T/enough" ]; do
        curl --silent --max-time 20 --user "$CIC_USER:$CIC_PASSWORD" --output /dev/null --write-out '%{http_code}\n' "$CIC_URL$PREFIX/build/$id" >> "$T/codes"
    done
}
new_child() { [ "$(cat "$T/kept.pid")" != "$old" ] && [ -n "$(cat "$T/kept.pid")" ]; }
polls &
poller=$!
for turn in 1 2 3 4 5; do
    diag "restart $turn"
    old=$(cat "$T/kept.pid")
    kill "$old"
    wait_for 10 new_child
    seen=$(wc -l < "$T/codes")
    # and some answers by the new one
    wait_for 20 sh -c "[ \$(wc -l < '$T/codes') -gt $((seen + 3)) ]"
    kill -HUP "$(cat "$T/kept.pid")"
done
touch "$T/enough"
wait "$poller"
is "$(sort -u "$T/codes")" 200 "$(wc -l < "$T/codes") polls over five restarts: all 200"

# ---- revoked
api DELETE "/tokens/$token_id"
is "$code [$body]" "204 []" "revoked"
become "$token"
api GET /whoami
is "$code" 401 "the API: 401"
api GET /images/download/a_b.sif
is "$code [$body]" "401 []" "a download: 401, no body"
api GET "/builds/$id/log"
is "$code" 401 "a log: 401"

# ---- without mod_xsendfile cic.fcgi sends what Apache would
stop_apache
wait_for 10 test ! -e "$T/apache.pid"
become "$demo" "$password"
sed -i 's|^  web_group: .*|  web_group: ""|' "$T/cic.yaml"
start_apache
api POST /tokens --header "$json" --data '{"name":"again"}'
again=$(printf '%s' "$body" | field token)
become "$again"
downloads "token, no xsendfile" ""
logs "token, no xsendfile"

# ---- away
kill "$keeper"
wait "$keeper"
become "$demo" "$password"
api GET "/build/$id"
is "$code $(printf '%s' "$body" | field type) $(header retry-after)" "503 urn:cic:problem:unavailable 5" "cic.fcgi is away: 503, a problem, Retry-After"
api GET /images/download/a_b.sif
is "$code $body" "200 0123456789" "a download by password needs none"
become "$again"
api GET /images/download/a_b.sif
is "$code [$body]" "503 []" "one by token does: 503, no body"

become "$demo" "$password"
start_keeper
back() { api GET "/build/$id"; [ "$code" = 200 ]; }
ok "cic.fcgi is back: so are the answers, soon" wait_for 10 back

# ---- open to everybody
sed -i 's|cic-private.conf|cic-public.conf|' "$T/apache/cic.conf"
stop_apache
wait_for 10 test ! -e "$T/apache.pid"
"$apache" -f "$T/apache.conf" -k start
wait_for 10 curl --silent --fail "$CIC_URL$PREFIX/cic_cli"
for who in None:None cic_nobody:x "$again:x" "$demo:$password"; do
    become "${who%:*}" "${who#*:}"
    api GET /images/download/a_b.sif
    is "$code $body" "200 0123456789" "public: $(printf '%.8s' "$who") downloads"
done
is "$(curl --silent "$CIC_URL$PREFIX/images/download/a_b.sif")" 0123456789 "and who says no name"
api GET /images/download/nothing.sif
is "$code [$body]" "404 []" "404 has no body"
code=$(curl --silent --output "$T/out" --write-out '%{http_code}' "$CIC_URL$PREFIX/whoami")
is "$code" 401 "the API stays closed"

# ---- what the logs say
is "$(grep -rlF -e "$token" -e "${token%?}" -e "$again" -e "$sent" -e "$password" "$T/log" "$T/data" | wc -l)" 0 "no token and no password in a log or the store"
is "$(cut -d' ' -f3 "$T/log/apache-access.log" | sort -u | paste -s -d ' ')" "- $demo other" "the access log has owners alone"
is "$(grep '/images/download/a_b.sif HTTP/1.1" 200' "$T/log/apache-access.log" | cut -d' ' -f3 | sort -u | paste -s -d ' ')" "- $demo" "of downloads, too"
done_testing
