#!/bin/sh
# Goal: a site's git servers are reached the way the site wants it: by https with its own authority and a password, by
# ssh with a key, through a proxy or around it; where that does not work, the message says why and what to change; and
# the password is nowhere but where it belongs.
. "$(dirname "$0")/lib.sh"
rig podman
config podman builtin
catalog=$T/git/software-catalog.git
if ! net=$("$top/t/rig/network.sh" start "$T/net" "$T/git" 2> "$T/net.log"); then
    diag "$(cat "$T/net.log")"
    "$top/t/rig/network.sh" stop "$T/net"
    echo 'Bail out! the network is not to be had'
    exit 1
fi
trap '"$top/t/rig/network.sh" stop "$T/net"; cleanup' EXIT
eval "$net"
unset http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY SSH_AUTH_SOCK
cp "$T/cic.yaml" "$T/plain.yaml"
(umask 077; printf '%s\n' "$NET_TOKEN" > "$T/token")
printf 'wrong-%s\n' "$NET_TOKEN" > "$T/wrong"
: > "$T/nobody"
https=https://$NET_HTTPS
private=$https/private/workflow-registry.git
open=$https/open/workflow-registry.git

# site URL [repositories.KEY=VALUE|network.KEY=VALUE|limits.KEY=VALUE...] - the settings, and a worker that has them
site() {
    sed -e "s|workflow_repository: .*|workflow_repository: $1|" \
        -e "s|software_repository: .*|software_repository: $catalog|" "$T/plain.yaml" > "$T/cic.yaml"
    shift
    for pair in "$@"; do
        group=${pair%%.*}
        key=${pair#*.}
        grep -q "^$group:" "$T/cic.yaml" || echo "$group:" >> "$T/cic.yaml"
        sed -i "s|^$group:|&\n  ${key%%=*}: ${key#*=}|" "$T/cic.yaml"
    done
    if [ "$T_STARTED" = 1 ]; then
        kill "$(pid_of cic-worker)"
        restart_worker
    else
        start
    fi
}
# What a build says that gets as far as the registry: no engine is needed for that.
said() {
    id=$(submit minimal_workflow nostep)
    state_at_end "$id" > "$T/state"
    status_of "$id" | field message
}
reached='workflow minimal_workflow has no step nostep at commit *; it has wordcount'

# ---- https

site "$open"
like "$(said)" "*the repository $open cannot be read: *ertificate*network.ca_file*" "an unknown authority"
site "$open" "network.ca_file=$T/cic.yaml"
like "$(said)" "*network.ca_file: $T/cic.yaml holds no certificate*" "a file of authorities without any"
site "$open" "network.ca_file=$NET_CA"
like "$(said)" "$reached" "with its authority it is trusted"
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
    is "$(grep -c BEGIN "$T/data/mirrors/authorities.pem")" \
        "$(($(grep -c BEGIN /etc/ssl/certs/ca-certificates.crt) + 1))" "beside the system's"
fi
site "$private" "network.ca_file=$NET_CA"
like "$(said)" "*the server asks for a password: see repositories.git_token_file*" "a password that is not configured"
site "$private" "network.ca_file=$NET_CA" "repositories.git_user=$NET_USER" "repositories.git_token_file=$T/wrong"
like "$(said)" "*Authentication failed*the server refuses the password*" "a wrong password"
site "$private" "network.ca_file=$NET_CA" "repositories.git_user=$NET_USER" "repositories.git_token_file=$T/gone"
like "$(said)" "*repositories.git_token_file: $T/gone: No such file*" "a password file that is not there"
site "$private" "network.ca_file=$NET_CA" "repositories.git_user=$NET_USER" "repositories.git_token_file=$T/nobody"
like "$(said)" "*repositories.git_token_file: the first line of $T/nobody is no password*" "one with nothing in it"

: > "$NET_SEEN"
site "$private" "network.ca_file=$NET_CA" "repositories.git_user=$NET_USER" "repositories.git_token_file=$T/token"
like "$(said)" "$reached" "the right password"
ok "git was at work when the command lines were read" grep -q "git remote-https.*$private\|git-remote-https.*$private" "$NET_SEEN"
basic=$(printf '%s:%s' "$NET_USER" "$NET_TOKEN" | openssl base64 -A)
is "$(grep -rlF -e "$NET_TOKEN" -e "$basic" "$T/data" "$T/log" "$NET_SEEN" 2> /dev/null)" "" \
    "it is in no command line, log, record or mirror"

site "$https/forbidden/x.git" "network.ca_file=$NET_CA"
like "$(said)" "*error: 403; *" "what nobody may read"
: > "$NET_REQUESTS"
site "$https/elsewhere/workflow-registry.git" "network.ca_file=$NET_CA" "repositories.git_user=$NET_USER" \
    "repositories.git_token_file=$T/token"
like "$(said)" "*the server asks for a password*" "a server that sends on to another host"
ok "which is asked" grep -q "^localhost - GET /private/.* 401" "$NET_REQUESTS"
is "$(grep "^localhost $NET_USER" "$NET_REQUESTS")" "" "but does not get the password"

# the user's own helper has nothing to say where a password is configured
mkdir "$T/home"
printf '[credential]\n\thelper = "!f() { touch %s/asked; }; f"\n' "$T" > "$T/home/.gitconfig"
(
    HOME=$T/home
    export HOME
    site "$private" "network.ca_file=$NET_CA" "repositories.git_user=$NET_USER" "repositories.git_token_file=$T/wrong"
)
like "$(said)" "*the server refuses the password*" "a wrong password again"
ok "and nobody else is asked for one" test ! -e "$T/asked"

# ---- no way there

site "https://$(printf 'a%.0s' $(seq 70)).example/x.git"
like "$(said)" "*Could not resolve host*" "a name that nobody knows"
site "https://$NET_SILENT/x.git" "limits.git_timeout=2"
like "$(said)" "*git took longer than 2 s*" "a server that says nothing"

# ---- proxies

# asked WHAT - how often the proxy was
asked() { grep -c "Request.*$1" "$NET_PROXY_LOG" || :; }
site "$open" "network.ca_file=$NET_CA" "network.https_proxy=http://$NET_PROXY"
like "$(said)" "$reached" "https through a proxy"
ok "which was asked" [ "$(asked "CONNECT $NET_HTTPS")" -gt 0 ]
before=$(asked "$NET_HTTPS")
site "$open" "network.ca_file=$NET_CA" "network.https_proxy=http://$NET_PROXY" "network.no_proxy=127.0.0.1"
like "$(said)" "$reached" "a host that needs none"
is "$(asked "$NET_HTTPS")" "$before" "is asked directly"
site "http://$NET_HTTP/open/workflow-registry.git" "network.http_proxy=http://$NET_PROXY"
like "$(said)" "$reached" "http through a proxy"
ok "which was asked as well" [ "$(asked "GET http://$NET_HTTP")" -gt 0 ]
site "$open" "network.ca_file=$NET_CA" "network.https_proxy=http://127.0.0.1:1"
like "$(said)" "*the repository $open cannot be read: *" "a proxy that is not there"
site "$open" "network.ca_file=$NET_CA" "network.https_proxy=http://$NET_HTTP"
like "$(said)" "*CONNECT tunnel failed*; see network.http_proxy*" "one that is no proxy"

# ---- ssh

by_ssh=ssh://$NET_SSH$T/git/workflow-registry.git
site "$by_ssh" "repositories.git_ssh_key=$NET_SSH_KEY" "repositories.git_known_hosts=$NET_KNOWN_HOSTS"
like "$(said)" "$reached" "ssh with a key"
site "$by_ssh" "repositories.git_ssh_key=$NET_SSH_KEY" "repositories.git_known_hosts=$T/nobody"
like "$(said)" "*Host key verification failed; *repositories.git_known_hosts" "a host that is not known"
is "$(cat "$T/nobody")" "" "does not become known"
ssh-keygen -q -t ed25519 -N '' -C '' -f "$T/other_key"
site "$by_ssh" "repositories.git_ssh_key=$T/other_key" "repositories.git_known_hosts=$NET_KNOWN_HOSTS"
like "$(said)" "*Permission denied (*repositories.git_ssh_key" "a key that is not let in"
cp "$NET_SSH_KEY" "$T/a key"
site "$by_ssh" "repositories.git_ssh_key=$T/a key" "repositories.git_known_hosts=$NET_KNOWN_HOSTS"
like "$(said)" "*repositories.git_ssh_key: $T/a key: use an absolute path of letters*" "a name that ssh would take apart"

# ---- a whole build, and a plain folder as the catalog

catalog=$T/catalog
cp -R "$top/conf/demo/software-catalog" "$catalog"
site "$private" "network.ca_file=$NET_CA" "repositories.git_user=$NET_USER" "repositories.git_token_file=$T/token"
id=$(submit minimal_workflow wordcount)
is "$(state_at_end "$id")" FINISHED "a build from a private registry and a folder"
first=$(sed -n 's/.*software catalog: latest is commit //p' "$T/data/builds/$id/log")
id=$(submit minimal_workflow wordcount)
is "$(state_at_end "$id") $(sed -n 's/.*software catalog: latest is commit //p' "$T/data/builds/$id/log")" \
    "FINISHED $first" "the same folder is the same version"
echo new > "$T/catalog/new"
id=$(submit minimal_workflow wordcount)
is "$(state_at_end "$id")" FINISHED "a changed one"
ok "is another" [ "$(sed -n 's/.*software catalog: latest is commit //p' "$T/data/builds/$id/log")" != "$first" ]
is "$(grep -rlF -e "$NET_TOKEN" -e "$basic" "$T/data" "$T/log" "$T/images" 2> /dev/null)" "" "the password is in none of it"
done_testing
