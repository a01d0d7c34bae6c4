#!/bin/sh
# What runs inside the image build, one step at a time: inner.sh STEP [ARG]
#
#   apt          install the packages in apt.list beside this file
#   post_inst F  run F/post_inst.sh, from the working directory, if it exists
#   profile      write the login profile that the entry point reads
#
# The line "cic: step NAME" tells the service how far the build came; the last
# one before a failure names what failed.
set -eu
# one stream: engines read two side by side and mix up what came first
exec 2>&1

here=$(dirname "$0")

step_apt() {
    [ -s "$here/apt.list" ] || return 0
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    # recommended packages are wanted: workflow authors rely on them
    xargs -a "$here/apt.list" apt-get -q -o Dpkg::Use-Pty=0 install -y --
    apt-get clean
    rm -rf /var/lib/apt/lists/*
}

step_post_inst() {
    [ -f "$1/post_inst.sh" ] || return 0
    sh "$1/post_inst.sh"
}

# The folder name holds the Python version, so it is asked for, not assumed.
step_profile() {
    profile=/etc/profile.d/z10_spack_environment.sh
    mkdir -p /etc/profile.d
    python=$(command -v python3 || true)
    {
        if [ -n "$python" ]; then
            version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            printf 'export PYTHONPATH="%s${PYTHONPATH:+:$PYTHONPATH}"\n' \
                "/opt/view/local/lib/python$version/site-packages/"
        fi
        printf 'export PATH="/usr/local/bin:$PATH"\n'
    } >> "$profile"
}

printf 'cic: step %s\n' "$1"
case $1 in
apt) step_apt ;;
post_inst) step_post_inst "$2" ;;
profile) step_profile ;;
*)
    printf 'inner.sh: unknown step %s\n' "$1" >&2
    exit 2
    ;;
esac
