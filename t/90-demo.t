#!/bin/sh
# Goal: `make demo` in this checkout brings a user from nothing to an image that runs, a second one is quick and changes
# nothing, and `make demo-stop` ends all of it.  A run/ that is there already is left alone: the demo gets a copy of
# the checkout.
. "$(dirname "$0")/lib.sh"
rig apptainer
# a copy as git would clone it, what is not committed yet included
mkdir "$T/c"
(cd "$top" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$T/c" 2> /dev/null)
cd "$T/c" || exit 1
export PATH="${APPTAINER%/*}:$PATH"     # a machine where apptainer is installed

make demo > "$T/first" 2>&1 < /dev/null
is "$?" 0 "make demo: exit status 0"
first=$(cat "$T/first")
for state in BUILDING FINISHED; do like "$first" "*--> $state*" "the state $state is shown"; done
like "$first" '*cic: stage build*cic: step apt*cic: step post_inst*' "the log is shown"
like "$first" '*FS (Squashfs*' "the proof: siftool list"
like "$first" '*usr/local/bin/wordcount*' "the proof: the program inside"
like "$first" '*apptainer exec*3 rose*' "the proof: it runs"
like "$first" '*make demo-stop*' "how to stop is said"
is "$(stat -c %a run/demo.env)" 600 "run/demo.env is private"
. ./run/demo.env
like "$CIC_URL $CIC_USER" 'http://127.0.0.1:* demo' "address and user are in it"
is "$(curl -s -o /dev/null -w '%{http_code}' "$CIC_URL/image_creation/health")" 200 "the service is up"
./cic_cli build conf/demo/banner.json --wait > "$T/next" 2>&1 < /dev/null
is "$?" 0 "what it says to try next works: an image by cic_cli"
like "$(./cic_cli images)" '*text_tools_banner_*' "which is there then"

before=$(md5sum run/cic.yaml run/demo.env run/images/*.sif; cat run/*.pid; git --git-dir run/git/workflow-registry.git rev-parse main)
make demo > "$T/second" 2>&1 < /dev/null
is "$?" 0 "make demo again: exit status 0"
after=$(md5sum run/cic.yaml run/demo.env run/images/*.sif; cat run/*.pid; git --git-dir run/git/workflow-registry.git rev-parse main)
is "$after" "$before" "it changes nothing that is right"
like "$(cat "$T/second")" '*is up to date*' "and builds nothing"

make demo-stop > "$T/stop" 2>&1
is "$?" 0 "make demo-stop: exit status 0"
left() { ps -eo args | grep -F "$T/c/" | grep -v grep; }
is "$(left)" "" "no process is left"
make demo-clean > "$T/clean" 2>&1
is "$? $(ls -d run 2> /dev/null)" "0 " "make demo-clean removes run/"
done_testing
