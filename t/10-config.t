#!/bin/sh
# Goal: a wrong configuration is refused with every fault and its line; a right one is shown as understood.
. "$(dirname "$0")/lib.sh"
worker=$top/build/cic-worker

ok "the shipped conf/cic.yaml is right" "$worker" -n -c "$top/conf/cic.yaml"
like "$("$worker" -n -c "$top/conf/cic.yaml")" "*engine: docker*converter: singularity*" "-n prints what was understood"
ok "cic.fcgi -n takes the same file" "$top/build/cic.fcgi" -n -c "$top/conf/cic.yaml"

# every key of the program stands in the documentation, with the default it documents
"$worker" -n -c "$top/conf/cic.yaml" > "$T/full"
sed -e '/^ *#/d' -e '/^$/d' "$top/conf/cic.yaml" | grep -E '_repository|base_image|^[a-z]' > "$T/required.yaml"
is "$("$worker" -n -c "$T/required.yaml" 2>&1 | diff "$T/full" -)" "" "each value in conf/cic.yaml is the default"
is "$(grep -c ':' "$T/full")" "$(sed -e '/^ *#/d' "$top/conf/cic.yaml" | grep -c ':')" "no key is undocumented"

cat > "$T/bad.yaml" <<'END'
service:
  data: relative/path
  threads: many
  colour: blue
repositories:
  workflow_repository: https://user:secret@example.org/r.git
  software_repository: --upload-pack=evil
build:
  base_image: -v
  engine: dcoker
  engine_args: word
weather: {}
END
faults=$("$worker" -n -c "$T/bad.yaml" 2>&1)
is "$?" 1 "a wrong file gives exit status 1"
for fault in ':2: service.data' ':3: service.threads' ':4: unknown key service.colour' \
    ':6: repositories.workflow_repository' ':7: repositories.software_repository' ':9: build.base_image' \
    ':10: build.engine' ':11: build.engine_args' ':12: unknown group "weather"'; do
    like "$faults" "*$fault*" "reported with its line: $fault"
done
like "$faults" "*dcoker*docker*" "the nearest known word is offered"
is "$(printf '%s' "$faults" | grep -c secret)" 0 "a password is not repeated"
sed 's|workflow_repository: .*|workflow_repository: https://s3cr3t-token@example.org/r.git|' "$top/conf/cic.yaml" > "$T/token.yaml"
is "$("$worker" -n -c "$T/token.yaml" 2>&1 | grep -c s3cr3t)" 0 "nor is a token in a URL"
cat > "$T/machines.yaml" <<'END'
repositories: {workflow_repository: /w, software_repository: /s}
build: {base_image: debian:12}
machines:
  good: {architecture: rome, description: "a machine"}
  bad:
    architecture: rmoe
  wrong:
    platform: linux/arm64
    architecture: zen2
    colour: blue
  Capital: {architecture: zen2}
  none: {mpi: openmpi}
END
faults=$("$worker" -n -c "$T/machines.yaml" 2>&1)
for fault in ':6: machines.bad.architecture*rome' ':10: machines.wrong.colour: unknown key' ':11: machines.Capital' \
    ':12: machines.none.architecture: missing'; do
    like "$faults" "*$fault*" "a machine: $fault"
done
is "$(printf '%s\n' "$faults" | wc -l)" 4 "and nothing else is wrong"
sed -i -e '/^  bad:/,$d' "$T/machines.yaml"
like "$("$worker" -n -c "$T/machines.yaml")" '*"good":*description: "a machine"*architecture: "rome"*mpi: ""*' "-n prints machines"
printf 'service:\n\tdata: /x\n' > "$T/tab.yaml"
like "$("$worker" -n -c "$T/tab.yaml" 2>&1)" "*line 2 column 1*" "a file that is no YAML: line and column"
like "$("$worker" -n -c "$T/missing.yaml" 2>&1)" "*missing.yaml*No such file*" "a file that is not there"

for program in cic.fcgi cic-worker cic-build; do
    like "$("$top/build/$program" --help)" "usage: $program*Exit status*" "$program --help"
    like "$("$top/build/$program" --version)" "$program [0-9]*" "$program --version"
    "$top/build/$program" --no-such-option > /dev/null 2>&1
    is "$?" 2 "$program with a wrong option: exit status 2"
done

# a worker that cannot work says which line to change
sed -e "s|data: .*|data: $T/data|" -e "s|images_location: .*|images_location: $T/images|" \
    -e "s|templates: .*|templates: $top/conf/image|" -e 's|converter_command: .*|converter_command: /no/such/converter|' \
    "$top/conf/cic.yaml" > "$T/noconv.yaml"
like "$("$worker" -c "$T/noconv.yaml" 2>&1)" "*build.converter*/no/such/converter*builtin*" "a missing converter is named"
sed -e 's|converter: .*|converter: builtin|' -e 's|engine_command: .*|engine_command: /no/such/engine|' \
    "$T/noconv.yaml" > "$T/noengine.yaml"
like "$("$worker" -c "$T/noengine.yaml" 2>&1)" "*build.engine*/no/such/engine*" "a missing engine is named"
done_testing
