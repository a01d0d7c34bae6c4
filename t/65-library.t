#!/bin/sh
# Goal: cic-build --request makes a .sif on one's own machine, without the service: from a registry or a local folder,
# with each engine; however it ends, the exit status says how and nothing is left; and a terminal is never harmed.
. "$(dirname "$0")/lib.sh"
rig podman
REGISTRY=$top/t/data/registry
config podman builtin
cp "$T/cic.yaml" "$T/podman.yaml"
mkdir "$T/out" "$T/tmp" "$T/step"
export XDG_CACHE_HOME="$T/cache" TMPDIR="$T/tmp" CIC_CONFIG="$T/cic.yaml" TERM=xterm
unset NO_COLOR
esc=$(printf '\033')

# build REQUEST [OPTIONS...] - sets rc, out, err
build() {
    printf '%s\n' "$1" > "$T/request.json"
    shift
    (cd "$T/out" && exec "$top/build/cic-build" --request "$T/request.json" "$@") > "$T/stdout" 2> "$T/stderr"
    rc=$?
    out=$(cat "$T/stdout") err=$(cat "$T/stderr")
}
# nothing_left WHAT - no temporary folder, no process, no half of a file
nothing_left() {
    is "$(find "$T/tmp" "$T/out" -mindepth 1 ! -name '*.sif' ! -name '*.sif.sha256')" "" "$1: no file is left"
    is "$(ps -eo args | grep -c "[s]leep 6$$\.5")" 0 "$1: no process is left"
}
no_files() { rm -rf "$T/out" && mkdir "$T/out"; }
# in_sif FILE PATH - the content of a path in it
in_sif() {
    unsquashfs -cat -o "$(siftool list "$1" | awk -F'|' '/FS/ { split($4, at, "-"); print at[1] + 0 }')" "$1" "$2"
}

# ---- from a registry
name=cases_ok_x86_64_nompi_nogpu_v_latest.sif
build "$(request cases ok)"
is "$rc" 0 "a step of a registry is built"
[ "$rc" = 0 ] || diag "$err"
is "$out" "$T/out/$name" "the path of the .sif is all that is on standard output"
ok "its checksum is right" sh -c "cd '$T/out' && sha256sum -c --quiet '$name.sha256'"
ok "siftool reads it" siftool list "$T/out/$name"
like "$err" "*cic: stage resolve*cic: stage build*cic: stage convert*done in *$name*sha256 *run *" "the log and how it ended are on standard error"
like "$err" "*error: this line is no failure*" "with what the step prints"
case $err in *"$esc"*) r=1 ;; *) r=0 ;; esac
is "$r" 0 "no colours where there is no terminal"
nothing_left "success"
ok "copies of the registries are in the cache folder" test -d "$T/cache/cic/mirrors"
is "$(stat -c %a "$T/out/$name")" 644 "others may read the .sif"

# ---- JSON, quiet
build "$(request cases ok)" --json --quiet --output "$T/out"
is "$rc $err" "0 " "--quiet: nothing on standard error"
is "$(printf '%s\n' "$out" | jq -r 'keys_unsorted | join(" ")')" "file sha256 size image image_id status cause message" "--json: its members"
is "$(printf '%s\n' "$out" | jq -r '[.file, .sha256, .size, .status, .cause] | join(" ")')" \
    "$T/out/$name $(sha256sum < "$T/out/$name" | cut -d' ' -f1) $(stat -c %s "$T/out/$name") FINISHED " "--json: the file"
like "$(printf '%s\n' "$out" | field image_id)" "sha256:*" "--json: the image"

# ---- from a folder
printf 'apt: []\n' > "$T/step/eflows4hpc.yaml"
printf 'one\n' > "$T/step/mine.txt"
cp -r "$T/step" "$T/other"
printf 'two\n' > "$T/other/mine.txt"
build "$(request w s ',"path":"../step"')"
is "$rc $(in_sif "$out" s/mine.txt)" "0 one" "path in the request: the folder on this machine, from the current one"
like "$out" "$T/out/w_s_x86_64_nompi_nogpu_v_latest.sif" "the name is the request's"
build "$(request w s ',"path":"../step"')" --path "$T/other"
is "$rc $(in_sif "$out" s/mine.txt)" "0 two" "--path wins"
build "$(request w s)" --path "$T/nowhere"
is "$rc" 2 "--path: no such folder"
like "$err" "*--path*$T/nowhere*No such file*" "and the message says so"

# ---- what is wrong before it begins
no_files
# wrong STATUS WORDS WHAT REQUEST [OPTIONS...]
wrong() {
    want_rc=$1 want_words=$2 want_what=$3
    shift 3
    build "$@"
    is "$rc" "$want_rc" "$want_what: exit status"
    like "$err" "$want_words" "$want_what: the message"
}
wrong 2 "*machine.architecture: *zen33*zen3*" "an unknown word" '{"machine":{"architecture":"zen33"},"workflow":"w","step_id":"s"}'
wrong 2 "*request.json: *line 2 column*" "no JSON" '{"machine":
{"architecture" "zen3"}}'
wrong 2 "*step_id: missing*" "a field that is missing" '{"machine":{"architecture":"zen3"},"workflow":"w"}'
wrong 2 "*push: *" "push without a registry" "$(request w s ',"push":true')"
wrong 2 "*--output: $T/nowhere*" "no folder for the output" "$(request cases ok)" --output "$T/nowhere"
wrong 2 "*usage: cic-build --request*" "an unknown option" "$(request cases ok)" --nonsense
build "$(request w s ',"machine":{}')" --json
is "$rc $(printf '%s\n' "$out" | jq -r '[.status, .cause] | join(" ")')" "2 FAILED request" "--json tells of it, too"
wrong 3 "*$T/nowhere.yaml*" "no such configuration" "$(request cases ok)" --config "$T/nowhere.yaml"
printf 'build:\n  egnine: docker\n' > "$T/bad.yaml"
wrong 3 "*bad.yaml:2: unknown key build.egnine*repositories.workflow_repository is missing*" "faults in the configuration" \
    "$(request cases ok)" --config "$T/bad.yaml"
CIC_CONFIG=$T/bad.yaml
wrong 3 "*bad.yaml:2:*" "the configuration of CIC_CONFIG" "$(request cases ok)"
if [ ! -r /etc/cic/cic.yaml ]; then
    CIC_CONFIG=
    wrong 3 "*no configuration: *--config*base_image: *" "none at all: what the least is" "$(request cases ok)"
fi
CIC_CONFIG=$T/cic.yaml
sed "s|engine_command: .*|engine_command: $T/no-podman|" "$T/podman.yaml" > "$T/cic.yaml"
wrong 3 "*$T/no-podman*" "an engine that is not there" "$(request cases ok)"
sed "s|converter: .*|converter: apptainer|; s|converter_command: .*|converter_command: no-apptainer|" "$T/podman.yaml" > "$T/cic.yaml"
wrong 3 "*no-apptainer*converter: builtin*" "a converter that is not there" "$(request cases ok)"
build "$(request cases ok ',"machine":{"architecture":"x86_64","container_engine":"docker"}')"
is "$rc $out" "0 ${IMAGES}cases_ok_x86_64_nompi_nogpu:latest" "without a .sif it is not needed; the image's name is printed"
like "$err" "*in the engine of this machine*run *" "and the end says where it is"
cp "$T/podman.yaml" "$T/cic.yaml"
is "$(ls -A "$T/out" "$T/tmp")" "$T/out:

$T/tmp:" "none of these left anything"
ok "--help is no error" "$top/build/cic-build" --request --help

# ---- a step that fails
build "$(request cases bad_post)"
is "$rc $out" "1 " "a step that fails: exit status 1, nothing on standard output"
like "$err" "*failed after *at stage build: post_inst*licence server does not answer*| *--keep*" "the end says where, why, and shows it"
nothing_left "failure"
is "$(ls -A "$T/out")" "" "failure: no .sif"
build "$(request cases bad_post)" --keep --quiet --json
is "$rc $(printf '%s\n' "$out" | jq -r '[.file, .status, .cause] | join(" ")')" "1  FAILED post_inst" "--json: the cause"
kept=$(printf '%s\n' "$err" | sed -n 's/^ *kept *//p')
ok "--keep: the whole log is there" grep -q 'cic: stage build' "$kept/log"
rm -rf "$kept"
build "$(request cases nowhere)"
is "$rc" 1 "a step that is not there"
like "$err" "*cases has no step nowhere*" "and the message says so"

# ---- ended from outside
printf 'echo ready; sleep 6%s.5\n' $$ > "$T/step/post_inst.sh"
request w slow > "$T/request.json"
# ended SIGNAL - start, wait until the step runs, send it; sets rc, err.  Not by "&" alone: that ignores SIGINT
ended() {
    (cd "$T/out" && exec perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$top/build/cic-build" \
        --request "$T/request.json" --path "$T/step") > "$T/stdout" 2> "$T/stderr" &
    pid=$!
    ok "SIG$1: the step runs" wait_for 60 grep -q '^ready' "$T/stderr"
    kill "-$1" "$pid"
    wait "$pid"
    rc=$? err=$(cat "$T/stderr")
    like "$err" "*failed after *stopped by signal*" "SIG$1: it says so"
    nothing_left "SIG$1"
    is "$(ls -A "$T/out")" "" "SIG$1: no .sif"
}
ended INT
is "$rc" 130 "SIGINT: exit status"
ended TERM
is "$rc" 143 "SIGTERM: exit status"
MORE_LIMITS='  build_timeout: 6'
config podman builtin
build "$(request w slow)" --path "$T/step"
is "$rc" 1 "a build that takes too long fails"
like "$err" "*timed out*took longer than*" "and the message says so"
nothing_left "too long"
MORE_LIMITS=''
cp "$T/podman.yaml" "$T/cic.yaml"

# ---- a terminal
# terminal OPTIONS... - what a terminal would be sent
terminal() {
    printf '%s\n' "$top/build/cic-build --request $T/request.json --output $T/out --path $T/step $*" > "$T/command"
    script -qefc "sh $T/command" /dev/null
}
printf 'printf "\\033]0;title\\007 \\302\\233 31m grün \\033[31mred\\n"\n' > "$T/step/post_inst.sh"
request w slow ',"force":true' > "$T/request.json"
seen=$(terminal < /dev/null)
like "$seen" "*${esc}\[1;36mcic: stage build${esc}\[0m*" "on a terminal, our lines are coloured"
like "$seen" "*\[0:0?\] build *" "a line tells how far it is"
like "$seen" "*grün*" "text of other languages is kept"
is "$(printf '%s' "$seen" | sed "s/$esc\[[0-9;]*m//g" | LC_ALL=C tr -d '\r\n' | LC_ALL=C grep -c "[[:cntrl:]]")" 0 \
    "no other control byte of the log reaches it"
is "$(printf '%s' "$seen" | LC_ALL=C grep -c "$(printf '\302\233')")" 0 "nor one in two bytes"
request w slow > "$T/request.json"
for way in NO_COLOR=1 TERM=dumb; do
    case $(export "$way"; terminal < /dev/null) in *"$esc"*) r=1 ;; *) r=0 ;; esac
    is "$r" 0 "$way: no colours"
done
case $(terminal --no-color < /dev/null) in *"$esc"*) r=1 ;; *) r=0 ;; esac
is "$r" 0 "--no-color: no colours"
like "$(TERM=dumb; export TERM; terminal < /dev/null)" "*cic: stage convert*done in*" "TERM=dumb: plain lines"
case $(TERM=dumb terminal < /dev/null) in *"[0:0"*) r=1 ;; *) r=0 ;; esac
is "$r" 0 "TERM=dumb: no line that changes"

# Ctrl-C in the middle: the terminal tells everybody in the foreground
no_files
printf 'echo ready; sleep 6%s.5\n' $$ > "$T/step/post_inst.sh"
printf '%s\n' "exec $top/build/cic-build --request $T/request.json --output $T/out --path $T/step" > "$T/command"
mkfifo "$T/keys"
perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' script -qefc "sh $T/command" /dev/null < "$T/keys" > "$T/seen" &
pid=$!
exec 9> "$T/keys"
ok "Ctrl-C: the step runs" wait_for 60 grep -q '^ready' "$T/seen"
printf '\003' >&9
wait_for 30 is_gone "$pid" || kill "$pid"
wait "$pid"
is "$?" 130 "Ctrl-C: exit status"
exec 9>&-
like "$(cat "$T/seen")" "*stopped by signal 2*" "Ctrl-C: it says so"
nothing_left "Ctrl-C"

# ---- the base image is one's own business here
cp -r "$top/conf/image" "$T/templates"
# shellcheck disable=SC2016 # docker's
printf 'ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo made > /made\n' > "$T/templates/base/Dockerfile"
sed "s|base_image: .*|base_image: ${IMAGES}base:own|; s|templates: .*|templates: $T/templates\n  base_from: $BASE_IMAGE|" \
    "$T/podman.yaml" > "$T/cic.yaml"
build "$(request BASE BASE)"
is "$rc $(in_sif "$out" made)" "0 made" "BASE/BASE builds the base image"

# ---- docker
rig docker
config docker builtin
no_files
build "$(request cases ok)"
is "$rc" 0 "docker: a step is built"
[ "$rc" = 0 ] || diag "$err"
ok "docker: siftool reads it" siftool list "$out"
nothing_left "docker"
done_testing
