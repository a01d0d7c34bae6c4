#!/bin/sh
# Goal: troubles of the site that a build runs into are named for what they are: no disk, no engine, no network, no base
# image, no way to run a platform. Each is provoked for real.
. "$(dirname "$0")/lib.sh"
REGISTRY=$top/t/data/registry
rig podman
fills_storage=$T/small/podman
take_away() { "$top/conf/setup/podman.sh" --remove "$fills_storage"; cleanup; }
trap take_away EXIT
base=$BASE_IMAGE

# site ENGINE [PROXY] - a service with these settings, afresh
site() {
    [ "$T_STARTED" = 0 ] || stop
    rm -rf "$T/data"
    config "$1" builtin
    [ -z "${2:-}" ] || printf 'network:\n  http_proxy: %s\n  https_proxy: %s\n' "$2" "$2" >> "$T/cic.yaml"
}

# fails CAUSE WORDS WHAT STEP [MORE] - the build ends with that
fails() {
    want_cause=$1 want_words=$2 want_what=$3
    shift 3
    id=$(submit cases "$@")
    is "$(state_at_end "$id")" FAILED "$want_what: FAILED"
    api GET "/builds/$id"
    is "$(printf '%s\n' "$body" | field cause)" "$want_cause" "$want_what: its cause"
    # shellcheck disable=SC2254 # a pattern is meant
    like "$(printf '%s\n' "$body" | field message)" "$want_words" "$want_what: its message"
}
force=',"force":true'

# ---- no network, inside the image build
site podman http://127.0.0.1:1
start
# what is in apt's cache would be installed all the same
fails apt '*apt packages*a server could not be reached*127.0.0.1*' "apt cannot reach its mirror" bad_apt "$force"

# ---- no base image
BASE_IMAGE=127.0.0.1:1/nothing:latest
site podman
start
fails "base image" '*base image 127.0.0.1:1/nothing:latest*connection refused*' "podman: no registry there" ok
BASE_IMAGE=localhost/cic/nothing-of-that-name:latest
site podman
start
fails "base image" '*base image localhost/cic/nothing-of-that-name:latest*' "a base image that is nowhere" ok
BASE_IMAGE=$base

# ---- no disk, where podman keeps its images; its base image is the other one's
mkdir "$T/small"
mount -t tmpfs -o size=96m tmpfs "$T/small"
small=$("$top/conf/setup/podman.sh" --wrapper "$fills_storage")
printf '#!/bin/sh\nexec "%s" --storage-opt additionalimagestore="%s" "$@"\n' "$small" "${PODMAN%/bin/podman}/storage" > "$T/podman"
chmod 755 "$T/podman"
ENGINE_COMMAND=$T/podman
site podman
start
fails "out of disk" 'the disk is full*No space left on device*' "podman's storage is full" fills
ENGINE_COMMAND=''

# ---- a platform that nobody can run
# qemu may be set up on this machine: the service is started where it is out of sight
site podman
# shellcheck disable=SC2016 # for the shell inside
unshare --mount sh -c 'misc=/proc/sys/fs/binfmt_misc
    [ ! -d $misc ] || mount -t tmpfs tmpfs $misc || exit
    exec "$0" start "$1"' "$top/conf/demo/instance.sh" "$T"
start
fails platform '*cannot run linux/riscv64*qemu-user-static*' "a platform that nobody can run" ok \
    ',"machine":{"platform":"linux/riscv64","architecture":"riscv64"}'

# ---- docker; its settings would be podman's, too
rig docker
BASE_IMAGE=127.0.0.1:1/nothing:latest
site docker
start
fails "base image" '*base image 127.0.0.1:1/nothing:latest*connection refused*' "docker: no registry there" ok
BASE_IMAGE=$base

# ---- no engine, after the worker has started; the client is docker's own
printf '%s\n' "$DOCKER_HOST" > "$T/host"
cat > "$T/docker" <<END
#!/bin/sh
unset DOCKER_HOST
host=\$(cat "$T/host")
case \$1\$2 in buildxbuild) if [ -e "$T/gone" ]; then host=unix://$T/nobody.sock; fi ;; esac
DOCKER_HOST=\$host exec "$DOCKER" "\$@"
END
chmod 755 "$T/docker"
ENGINE_COMMAND=$T/docker
site docker
start
touch "$T/gone"
fails "engine down" '*engine does not answer*' "docker is gone when the image is to be built" ok "$force"
rm "$T/gone"
echo "unix://$T/nobody.sock" > "$T/host"
fails "engine down" '*daemon running*' "docker is gone from the beginning" ok
ENGINE_COMMAND=''

# ---- another platform, by a builder
MORE_BUILD='  platform_builders: ["linux/amd64=default"]'
site docker
start
is "$(state_at_end "$(submit cases ok "$force")")" FINISHED "a builder of docker's is used"
MORE_BUILD='  platform_builders: ["linux/amd64=nobodys-builder"]'
site docker
start
fails "image build" '*nobodys-builder*' "a builder that is not there" ok "$force"
done_testing
