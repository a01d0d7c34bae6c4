#!/bin/sh
# Goal: what a site sets is what image builds get: its archives, its mirror, its proxies, its own base image; and nothing
# of it is left in the image.
. "$(dirname "$0")/lib.sh"
REGISTRY=$top/t/data/registry
rig podman docker parts

# ---- a mirror of the site: the machine's own, behind a web server of ours
sources=$("$top/conf/setup/mirror.sh" | sed 's|.*\(https\{0,1\}://[^ ]*[^ /]\)/* .*|\1|' | sort -u)
mkdir -p "$T/mirror/tmp"
write_mirror() {
    mirror_port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 10000))
    index_port=$((mirror_port + 1))
    cat > "$T/mirror/nginx.conf" <<END
user root root;
worker_processes 1;
pid $T/mirror/nginx.pid;
error_log $T/mirror/error.log;
events { }
http {
	access_log $T/mirror/access.log;
	client_body_temp_path $T/mirror/tmp/a;
	proxy_temp_path $T/mirror/tmp/b;
	fastcgi_temp_path $T/mirror/tmp/c;
	uwsgi_temp_path $T/mirror/tmp/d;
	scgi_temp_path $T/mirror/tmp/e;
	server {
		listen 127.0.0.1:$mirror_port;
$(for source in $sources; do
    printf '		location /site/%s/ { proxy_http_version 1.1; proxy_pass %s/; }\n' "${source##*/}" "$source"
done)
	}
	server {
		listen 127.0.0.1:$index_port ssl;
		ssl_certificate $T/mirror/cert.pem;
		ssl_certificate_key $T/mirror/key.pem;
		root $T/mirror/index;
		autoindex on;
	}
}
END
}
start_mirror() {
    for try in 1 2 3 4 5 6 7 8 9 10; do
        write_mirror
        PATH=$PATH:/usr/sbin nginx -p "$T/mirror" -c "$T/mirror/nginx.conf" 2>> "$T/mirror/start.log" && return 0
    done
    echo "Bail out! nginx does not start: $(cat "$T/mirror/start.log")"
    exit 1
}
# a Python package index with a certificate that only the site's own authority vouches for
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=site-authority -keyout "$T/mirror/ca.key" \
    -out "$T/mirror/ca.pem" > "$T/mirror/openssl.log" 2>&1
openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout "$T/mirror/key.pem" -out "$T/mirror/cert.csr" \
    >> "$T/mirror/openssl.log" 2>&1
printf 'subjectAltName=IP:127.0.0.1\n' > "$T/mirror/ext"
openssl x509 -req -days 2 -in "$T/mirror/cert.csr" -CA "$T/mirror/ca.pem" -CAkey "$T/mirror/ca.key" -CAcreateserial \
    -extfile "$T/mirror/ext" -out "$T/mirror/cert.pem" >> "$T/mirror/openssl.log" 2>&1
mkdir -p "$T/mirror/index/simple/cicgreet"
cp "$top"/t/data/wheels/cicgreet-*.whl "$T/mirror/index/simple/cicgreet"
stop_mirror() { [ ! -s "$T/mirror/nginx.pid" ] || kill "$(cat "$T/mirror/nginx.pid")"; }
trap 'stop_mirror; cleanup' EXIT
start_mirror

mkdir -p "$T/archives/sub"
echo licensed > "$T/archives/sub/source.tar"
ln -s source.tar "$T/archives/sub/latest"

# env_of ENGINE - what variables the image sets
env_of() {
    case $1 in podman) program=$PODMAN ;; docker) program=$DOCKER ;; esac
    env -u DOCKER_CONFIG "$program" image inspect --format '{{.Config.Env}}' \
        "${IMAGES}cases_site_x86_64_nompi_nogpu:latest"
}
# below FOLDER... - the names the .sif has there
below() {
    sif=$T/images/cases_site_x86_64_nompi_nogpu_v_latest.sif
    unsquashfs -o "$(siftool list "$sif" | awk -F'|' '/FS/ { split($4, at, "-"); print at[1] + 0 }')" -l -d '' "$sif" "$@"
}

mirrors=
for source in $sources; do mirrors="$mirrors http://127.0.0.1:$mirror_port/site/${source##*/}"; done

for engine in ${ENGINES:-podman docker}; do
    rm -rf "$T/data" "$T/images"
    IMAGES=localhost/t$$/$engine/
    # shellcheck disable=SC2086 # words
    MORE_BUILD="  site_packages: $T/archives
network:
  http_proxy: http://127.0.0.1:9
  https_proxy: http://127.0.0.1:9
  no_proxy: 127.0.0.1,localhost
  apt_mirrors: $(yaml_words $mirrors)"
    config $engine builtin
    start
    id=$(submit cases site)
    is "$(state_at_end "$id")" FINISHED "$engine: a step is built with the site's settings"
    log=$T/data/builds/$id/log
    like "$(grep -c '/site/debian/dists/' "$T/mirror/access.log")" '[1-9]*' "$engine: packages come from the site's mirror"
    : > "$T/mirror/access.log"
    ok "$engine: post_inst.sh sees the proxy" grep -q 'proxy is http://127.0.0.1:9' "$log"
    ok "$engine: and the site's archives, beside it" grep -q 'archive says licensed' "$log"
    is "$(env_of $engine | grep -i proxy)" "" "$engine: the image keeps no proxy"
    is "$(below var/lib/apt/lists var/cache/apt tmp run | grep -vE '^/?(var(/(lib|cache)(/apt(/(lists|archives)(/partial|/lock)?)?)?)?|tmp|run(/(cic(/(in|cache))?|lock))?)?/?$')" \
        "" "$engine: and no lists, caches or files of ours"

    # the archives count: new ones, a new image
    start
    echo more > "$T/archives/more"
    id=$(submit cases site)
    is "$(state_at_end "$id")" FINISHED "$engine: another archive"
    ok "$engine: the log says what moved" grep -q 'not up to date: changed since: templates' "$T/data/builds/$id/log"
    rm "$T/archives/more"
    stop
done

# ---- an index and an authority of the site
IMAGES=localhost/t$$/index/
BASE=$BASE_IMAGE
BASE_IMAGE=$PARTS_IMAGE
rm -rf "$T/data" "$T/images"
MORE_BUILD="network:
  pip_index: https://127.0.0.1:$index_port/simple"
config podman builtin
start
id=$(submit cases index)
is "$(state_at_end "$id")" FAILED "a Python index whose certificate nobody vouches for is not believed"
is "$(api GET "/builds/$id"; printf '%s' "$body" | jq -r .cause)" pip "the cause is pip"
stop
MORE_BUILD="$MORE_BUILD
  ca_file: $T/mirror/ca.pem"
config podman builtin
start
id=$(submit cases index)
is "$(state_at_end "$id")" FINISHED "with network.ca_file it is, inside the image build"
like "$(grep -c cicgreet "$T/mirror/access.log")" '[1-9]*' "and was asked"
stop
BASE_IMAGE=$BASE

# ---- the base image, by an administrator
MORE_BUILD="  base_from: $BASE_IMAGE"
config podman builtin
mkdir -p "$T/templates"
cp -r "$top/conf/image/." "$T/templates"
cat > "$T/templates/base/Dockerfile" <<'END'
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN echo made here > /base-mark
END
sed -i -e "s|templates: .*|templates: $T/templates|" -e "s|^  base_image: .*|  base_image: ${IMAGES}own-base:1|" "$T/cic.yaml"
start
post "$(request BASE BASE)"
is "$code" 403 "the base image is not everybody's"
like "$body" '*service.admins*' "and the answer says whose it is"
sed -i "s|^  data: .*|&\n  admins: [$CIC_USER]|" "$T/cic.yaml"
stop
start
id=$(submit BASE BASE)
is "$(state_at_end "$id")" FINISHED "an administrator builds it"
is "$(status_of "$id" | field filename)" base_base_x86_64_nompi_nogpu_v_latest.sif "it has a .sif, too"
ok "and its image the configured name" "$PODMAN" image exists "${IMAGES}own-base:1"
id=$(submit cases base)
is "$(state_at_end "$id")" FINISHED "steps start from it"
ok "and see what it has" grep -q 'base says made here' "$T/data/builds/$id/log"
echo 'RUN echo made anew > /base-mark' >> "$T/templates/base/Dockerfile"
id=$(submit BASE BASE)
is "$(state_at_end "$id")" FINISHED "its template changes"
id=$(submit cases base)
is "$(state_at_end "$id")" FINISHED "and the step is built again"
ok "because of that" grep -q 'changed since: base$' "$T/data/builds/$id/log"

# ---- rebuild_on, adopt_unlabelled
sed -i "s|^build:|&\n  rebuild_on: [workflow, machine]|" "$T/cic.yaml"
stop
start
echo 'RUN echo once more > /base-mark' >> "$T/templates/base/Dockerfile"
id=$(submit BASE BASE ',"force":true')
is "$(state_at_end "$id")" FINISHED "with rebuild_on the base image is only built when forced"
id=$(submit cases base)
is "$(state_at_end "$id")" FINISHED "and steps stay as they are"
ok "the log says so" grep -q 'is up to date' "$T/data/builds/$id/log"
printf 'FROM %s\nRUN echo old > /old\n' "$BASE_IMAGE" |
    "$PODMAN" build --quiet --network host --tag "${IMAGES}cases_ok_x86_64_nompi_nogpu:latest" - > /dev/null 2>&1
sed -i "s|^build:|&\n  adopt_unlabelled: yes|" "$T/cic.yaml"
stop
start
id=$(submit cases ok)
is "$(state_at_end "$id")" FINISHED "an image of the original service is taken as it is"
ok "and not built" grep -q 'is up to date' "$T/data/builds/$id/log"
done_testing
