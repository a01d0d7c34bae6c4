#!/bin/sh
# What runs inside the image build, one part at a time: inner.sh PART [FOLDER] INPUTS
#
#   apt              install the packages in apt.list
#   spack FOLDER     install FOLDER/spack.yaml, and keep every package in the build cache
#   post_inst FOLDER run FOLDER/post_inst.sh, from the working directory
#   profile FOLDER   remove what only building needed; write the login profile
#   pip FOLDER       install pip.list, or FOLDER/requirements.txt
#   package …        one Spack package; for the makefile that `spack` writes
#
# Beside this file lie the part's lists and the site's settings, one file each; in
# /run/cic/cache its cache.  INPUTS is a digest of them that only engines look at.
#
# Lines that begin with "cic: " tell the service how far the build came; the last
# "cic: step" before a failure names the part that failed.
set -eu
# one stream: engines read two side by side and mix up what came first
exec 2>&1

here=$(dirname "$0")
cache=/run/cic/cache
# Spack settings of ours; gone when the step ends
scope=/tmp/cic-spack

# setting NAME - the first line of a site setting; nothing when there is none
setting() { if [ -s "$here/$1" ]; then head -n 1 "$here/$1"; fi; }

die() {
    printf '%s\n' "$1"
    exit 1
}

# The site's certificate authorities beside the image's own, for this step alone.
trust_site() {
    [ -s "$here/ca.pem" ] || return 0
    bundle=/tmp/cic-ca.pem
    cat /etc/ssl/certs/ca-certificates.crt "$here/ca.pem" > "$bundle" 2> /dev/null || cat "$here/ca.pem" > "$bundle"
    trap 'rm -f "$bundle"' EXIT
    export SSL_CERT_FILE="$bundle" CURL_CA_BUNDLE="$bundle" REQUESTS_CA_BUNDLE="$bundle" PIP_CERT="$bundle" \
        GIT_SSL_CAINFO="$bundle"
}

# ---- apt

# Mirrors of the site in a list of sources of our own: an address of the image's sources that ends in the same word as a
# mirror is replaced by it.  Prints apt's options.
site_sources() {
    [ -s "$here/apt_mirrors" ] || return 0
    lists=/tmp/cic-apt
    mkdir -p "$lists/sources.list.d"
    cp /etc/apt/sources.list "$lists/" 2> /dev/null || : > "$lists/sources.list"
    cp /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources "$lists/sources.list.d/" 2> /dev/null || :
    while read -r mirror; do
        word=${mirror%/} word=${word##*/}
        sed -i -E "s#https?://[^ ]*/$word/?( |\$)#$mirror\\1#g" "$lists/sources.list" "$lists"/sources.list.d/* 2> /dev/null || :
    done < "$here/apt_mirrors"
    printf '%s\n' "-oDir::Etc::sourcelist=$lists/sources.list" "-oDir::Etc::sourceparts=$lists/sources.list.d"
}

step_apt() {
    export DEBIAN_FRONTEND=noninteractive
    # packages and lists stay in the cache, in folders of ours: nothing has to be cleaned away in the image
    mkdir -p "$cache/archives/partial" "$cache/lists/partial"
    chown _apt "$cache/archives/partial" "$cache/lists/partial" 2> /dev/null || :
    set -- -q "-oDir::Cache=$cache" "-oDir::Cache::archives=archives" "-oDir::State::lists=$cache/lists" \
        -oAPT::Keep-Downloaded-Packages=true -oDpkg::Use-Pty=0
    for option in $(site_sources); do set -- "$@" "$option"; done
    [ ! -s "$here/ca.pem" ] || set -- "$@" "-oAcquire::https::CaInfo=$SSL_CERT_FILE"
    apt-get "$@" update
    # recommended packages are wanted: workflow authors rely on them
    xargs -a "$here/apt.list" apt-get "$@" install -y --
    apt-get "$@" autoclean > /dev/null
    rm -rf /tmp/cic-apt
}

# ---- Spack

find_spack() {
    command -v spack > /dev/null && return 0
    PATH=$PATH:${SPACK_ROOT:-/opt/spack}/bin
    command -v spack > /dev/null ||
        die "The base image has no program spack (in PATH, \$SPACK_ROOT/bin or /opt/spack/bin)."
}

# ours ARGS... - spack with the catalog's configuration and our own
ours() { spack -C /.spack -C "$scope" "$@"; }

# Where finished packages are kept.
mirror() { if [ -s "$here/mirror" ]; then setting mirror; else echo "file://$cache"; fi; }

write_scope() {
    mkdir -p "$scope" "$cache/build_cache"
    printf "mirrors:\n  cic: '%s'\n" "$(mirror)" > "$scope/mirrors.yaml"
    printf 'config:\n  build_jobs: %s\n' "$jobs" > "$scope/config.yaml"
}

# find_moving - the packages whose sources their recipe does not pin (a branch, an archive without checksum), and those that
# depend on them, into a list.  Their hash says nothing of the sources: from a cache they would never be newer.
find_moving() {
    cat > "$scope/moving.py" <<'PYTHON'
import spack.environment
import spack.fetch_strategy

known = {}


def moves(spec):
    if spec.external:
        return False
    if spec.dag_hash() not in known:
        try:
            fetcher = spack.fetch_strategy.for_package_version(spec.package)
            known[spec.dag_hash()] = spec.package.has_code and not fetcher.source_id()
        except Exception:
            known[spec.dag_hash()] = True
    return known[spec.dag_hash()]


for spec in spack.environment.active_environment().all_specs():
    if any(moves(node) for node in spec.traverse()):
        print(spec.dag_hash())
PYTHON
    if ! ours -e "$env" python "$scope/moving.py" > "$scope/moving"; then
        echo 'This Spack does not tell which sources are pinned: all packages are built, and none is kept.'
        echo '.*' > "$scope/moving"
    fi
}

# moves HASH - is it one of them?
moves() { printf '%s\n' "$1" | grep -qx -f "$scope/moving"; }

# keep HASH - into the build cache, unless it is there; that a package cannot be kept is no reason to fail
keep() {
    # Spack 1 calls the folder v3
    [ -z "$(find "$cache/build_cache" "$cache/v3" -name "*-$1.spec.*" 2> /dev/null)" ] || return 0
    # a build that was killed may have left a package without its .spec file; a site's mirror is others' as well
    if [ -s "$here/mirror" ]; then set -- "$1"; else set -- "$1" --force; fi
    hash=$1 said=$scope/push-$1.log
    shift
    ours buildcache push --unsigned "$@" --only=package cic "/$hash" > "$said" 2>&1 && return 0
    # Spack before 0.19
    ours buildcache create --unsigned --allow-root "$@" --only=package --mirror-url "$(mirror)" "/$hash" \
        > /dev/null 2>&1 && return 0
    grep -qi 'external' "$said" ||
        printf 'package %s is not kept in the build cache: %s\n' "$hash" "$(tail -n 1 "$said")"
}

# stage_of HASH - where the package was built; nothing when it came from the build cache
stage_of() {
    for log in /tmp/*/spack-stage/*-"$1"/spack-build-out.txt; do
        if [ -f "$log" ]; then dirname "$log"; fi
    done
}

# keep_stage HASH - post_inst.sh looks into the stages: one that was left by building goes into the cache, and comes back
# where the package does
keep_stage() {
    [ -s "$here/stages" ] || return 0
    stage=$(stage_of "$1") kept=$cache/stages/$1.tar.gz
    if [ -n "$stage" ]; then
        mkdir -p "$cache/stages"
        new=$(mktemp "$cache/stages/new.XXXXXX")
        tar -C / -czf "$new" "${stage#/}" && mv "$new" "$kept"
    elif [ -f "$kept" ]; then
        tar -C / -xzf "$kept"
    fi
}

# install_options HASH - one whose sources move has to be built, and one whose stage is wanted and not kept
install_options() {
    printf '%s\n' --no-check-signature --no-checksum --keep-stage
    if moves "$1" || { [ -s "$here/stages" ] && [ ! -f "$cache/stages/$1.tar.gz" ]; }; then echo --no-cache; fi
}

# show_log ID HASH - the end of a package's build log; of the first that fails: two at once would be mixed
show_log() {
    log=$(stage_of "$2")/spack-build-out.txt
    if [ ! -f "$log" ] || ! mkdir "$scope/shown" 2> /dev/null; then return 0; fi
    printf 'cic: log %s begin\n' "$1"
    tail -n 200 "$log"
    printf '\ncic: log %s end\n' "$1"
}

# The makefile calls this in the place of spack: -e FOLDER install … /HASH
step_package() {
    env=$2
    for hash in "$@"; do :; done
    hash=${hash#/}
    id=$(grep -e "-$hash\$" "$scope/ids") || id=unknown-$hash
    printf 'cic: package %s building\n' "$id"
    # shellcheck disable=SC2046 # words
    if ours -c config:install_status:false -e "$env" install $(install_options "$hash") --only-concrete --only=package \
        "/$hash"; then
        if ! moves "$hash"; then
            keep "$hash"
            keep_stage "$hash" || printf 'the stage of %s is not kept\n' "$id"
        fi
        printf 'cic: package %s done\n' "$id"
        return 0
    fi
    printf 'cic: package %s failed\n' "$id"
    show_log "$id" "$hash"
    return 1
}

# write_makefile - how the packages depend on each other, as Spack from 0.20 on tells; false when it does not
write_makefile() {
    command -v make > /dev/null || return 1
    ours -e "$env" env depfile -o "$scope/env.mk" --make-prefix cic > /dev/null 2>&1 || return 1
    # each package waits for its dependencies themselves: the targets between them are jobs of their own, and make overlooks
    # now and then that one has ended, until another does
    sed -i -e '/^cic\/install\/[^%:]*: cic\/install-deps\//d' -e 's,^cic/install-deps/\([^%]\),cic/install/\1,' "$scope/env.mk"
    sed -n 's,^cic/SPACK_PACKAGE_IDS := *,,p' "$scope/env.mk" | tr ' ' '\n' | sed '/^$/d' > "$scope/ids"
    printf 'SPACK = sh %s package\ninclude env.mk\n' "$here/inner.sh" > "$scope/Makefile"
    [ -s "$scope/ids" ]
}

# Independent packages are built at once, and each is kept as soon as it is there.
install_side_by_side() {
    printf 'cic: part install %d\n' "$(wc -l < "$scope/ids")"
    # what runs when another package fails is finished, and kept
    make --no-print-directory -C "$scope" -j "$jobs" cic/all
    ours -e "$env" env view regenerate
}

# An older Spack: all in one, kept afterwards even when it failed.  One package that moves, and none comes from the cache.
install_in_turn() {
    status=0
    echo 'This Spack does not tell how packages depend on each other: they are built one after the other.'
    # shellcheck disable=SC2046 # words
    ours -e "$env" install --fail-fast $(install_options "$(head -n 1 "$scope/moving")") -j "$jobs" || status=$?
    installed=$(ours find --format '{hash}' 2> /dev/null | tr '\n' ' ')
    for hash in $installed; do moves "$hash" || keep "$hash"; done
    [ "$status" = 0 ] || show_unfinished
    return "$status"
}

# What has a stage and is not in $installed.
show_unfinished() {
    for stage in /tmp/*/spack-stage/spack-stage-*; do
        id=${stage##*/spack-stage-}
        case " $installed" in *" ${id##*-} "*) continue ;; esac
        printf 'cic: package %s failed\n' "$id"
        show_log "$id" "${id##*-}"
    done
}

step_spack() {
    env=$1
    find_spack
    jobs=$(setting jobs)
    jobs=${jobs:-2}
    write_scope
    cat "$env/spack.yaml"
    spack -C /.spack compiler find
    spack -C /.spack external find
    printf 'cic: part concretize\n'
    ours -e "$env" concretize
    find_moving
    if write_makefile; then install_side_by_side; else install_in_turn; fi
    rm -rf "$scope"
}

# ---- the rest

step_post_inst() { sh "$1/post_inst.sh"; }

# The folder name holds the Python version, so it is asked for, not assumed.
python_version() {
    for python in /opt/view/bin/python3 python3; do
        command -v "$python" > /dev/null || continue
        "$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' && return 0
    done
}

step_profile() {
    profile=/etc/profile.d/z10_spack_environment.sh
    mkdir -p /etc/profile.d /.singularity.d/env
    if [ -f "$1/spack.yaml" ]; then
        find_spack
        spack -C /.spack -e "$1" gc -y
        spack -C /.spack env activate --sh "$1" >> "$profile"
    fi
    version=$(python_version)
    {
        [ -z "$version" ] || printf 'export PYTHONPATH="%s${PYTHONPATH:+:$PYTHONPATH}"\n' \
            "/opt/view/local/lib/python$version/site-packages/"
        printf 'export PATH="/usr/local/bin:$PATH"\n'
    } >> "$profile"
    # the entry point reads the profile for `run`; this is for `exec`
    printf '. %s\n' "$profile" > /.singularity.d/env/91-cic-environment.sh
}

# Called from a login shell, so that the Spack environment's Python is the one.
step_pip() {
    python=$(command -v python || command -v python3) ||
        die "There is no python: pip packages need one, from apt (python3-pip) or Spack (py-pip)."
    "$python" -m pip --version || die "$python has no pip: add python3-pip to apt, or py-pip to the Spack specs."
    # the image is the environment: nothing of a distribution's is in the way
    export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
        PIP_CACHE_DIR="$cache" PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
    index=$(setting pip_index)
    [ -z "$index" ] || export PIP_INDEX_URL="$index"
    if [ -f "$here/pip.list" ]; then "$python" -m pip install -r "$here/pip.list"
    else "$python" -m pip install -r "$1/requirements.txt"
    fi
}

case $1 in
package) ;;
*)
    printf 'cic: step %s\n' "$1"
    trust_site ;;
esac
step=$1
shift
case $step in
apt|spack|post_inst|profile|pip|package) "step_$step" "$@" ;;
*) die "inner.sh: unknown part $step" ;;
esac
