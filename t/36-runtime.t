#!/bin/sh
# Goal: a .sif of the built-in converter behaves as apptainer's own of the same image does: exec, run, shell, test,
# inspect, over entry points, commands, arguments and variables; and it can be signed.
. "$(dirname "$0")/lib.sh"
rig podman docker apptainer
. "$top/t/convert.sh"
# as in every .sif; and nobody's keys
APPTAINER_CONFIGDIR=$T/apptainer
export APPTAINER_CONFIGDIR
newline='one
two'
mkdir "$T/context" "$T/apptainer"
cp "$top"/t/data/run/Dockerfile "$(command -v busybox)" "$T/context"
gcc -static -O1 -o "$T/context/show" "$top/t/data/run/show.c"

# asked FILE VERB [OPTIONS] -- [ARGS] - what apptainer prints, and its exit status.  On a loaded machine its FUSE mount is
# late now and then, and it gives up: then it is asked again.
asked() {
    asked_file=$1 asked_verb=$2 asked_words=$# asked_seen=no
    for word in "$@"; do
        if [ $asked_seen = no ] && [ "$word" = -- ]; then asked_seen=yes word=$asked_file; fi
        set -- "$@" "$word"
    done
    shift $((asked_words + 2))
    for asked_try in 1 2 3; do
        asked_out=$("$APPTAINER" "$asked_verb" "$@" < "${IN:-/dev/null}" 2> "$T/apptainer.err")
        asked_status=$?
        grep -qE 'bwrap:|squashfuse|mount' "$T/apptainer.err" || break
        diag "apptainer $asked_verb, try $asked_try: $(cat "$T/apptainer.err")"
    done
    printf '%s\nstatus %s\n' "$asked_out" "$asked_status"
}

# both WHAT IMAGE VERB [OPTIONS] -- [ARGS] - the same from both files
ran=0
both() {
    both_what=$1 both_image=$2
    shift 2
    reference_says=$(asked "$T/$both_image.reference.sif" "$@")
    mv "$T/apptainer.err" "$T/reference.err"
    we_say=$(asked "$T/$both_image.sif" "$@")
    case $we_say in *'
status 0') ran=$((ran + 1)) ;; esac
    is "$we_say" "$reference_says" "$both_image: $(printf '%s' "$both_what" | tr '\n' '/')"
    [ "$we_say" = "$reference_says" ] || diag "$(tail "$T/reference.err" "$T/apptainer.err")"
}

for image in none none-words none-line words-none words-words words-line line-none line-words line-line config hard static; do
    build_image "$IMAGES$image" "$T/context" --target $image --build-arg "NEWLINE=$newline" || exit 1
    reference "$IMAGES$image:latest" "$T/$image.reference.sif" || exit 1
    ok "$image: converted" convert "docker-daemon://$IMAGES$image:latest" "$T/$image.sif"
done

# ---- entry point and command

for image in none-words none-line words-none words-words words-line line-none line-words line-line static; do
    both "run" $image run --
    both "run with arguments" $image run -- plain 'two  words'
done
both "run with arguments" none run -- show plain 'two  words'
echo 'echo a shell "$T_NAME"; exit 3' > "$T/in"
is "$(IN=$T/in asked "$T/none.sif" run --)" "a shell value
status 3" "none: run without anything to run is a shell (apptainer's prints variables and does nothing)"

# each as the only argument, so that one that ends the evaluation hides no other; spaces show
for word in 'q"q' "it's" 'a "b" c' '$T_NAME' '$HOME' '`echo x`' '$(echo x)' '\$T_NAME' 'back\slash' "$newline" 'é☃' '' '*' '--help' '--' 'a;b&c' '  two  '; do
    both "run with <$word>" words-none run -- "$word"
done
both "run with several" words-none run -- a '' "b  c" '$T_NAME' ''
both "run with several" line-words run -- a '' "b  c" '$T_NAME' ''
for image in none-words words-none words-words line-words static; do both "run without evaluation" $image run --no-eval --; done
for image in none-words words-words static; do
    both "run with arguments, without evaluation" $image run --no-eval -- /bin/show '$T_NAME' '`echo x`' 'q"q' "it's" 'back\slash' "$newline" ''
done
both "run of what is not there" none run -- nothing

# ---- variables, and what native runtimes do not look at

both "exec" config exec -- show
both "exec with arguments" config exec -- show 'two  words' '$T_NAME' 'q"q' "$newline" '' '`echo x`'
both "exec of a shell" config exec -- /bin/sh -c 'show "$T_UTF8" "$@"; exit 7' x '$T_NAME'
both "run" config run --
both "exec with variables" config exec --env 'T_UTF8=other value' --env 'T_NEW=$new' --env PATH=/opt/mine:/bin -- show
T_SPACES=host T_MORE=host both "exec with the host's variables" config exec -- show
T_SPACES=host T_MORE=host both "exec without the host's variables" config exec --cleanenv -- show
APPTAINERENV_T_UTF8=x SINGULARITYENV_T_EMPTY=y APPTAINERENV_PREPEND_PATH=/first APPTAINERENV_APPEND_PATH=/last \
    both "exec with variables for the container" config exec -- show
APPTAINERENV_PATH=/only:/bin both "exec with a path for the container" config exec -- show
both "exec, contained" config exec --containall -- show
both "exec in a folder" config exec --pwd /srv -- show
both "the user is the one outside" config exec -- id -u
both "LD_LIBRARY_PATH" config exec -- /bin/sh -c 'echo "$LD_LIBRARY_PATH"'
# the engine itself is the judge of what the values are
is "$(asked "$T/hard.sif" exec -- show | grep -v '^{PATH=\|^in \|^status')" \
    "$("$DOCKER" run --rm --network none --label "cic.build=$LABEL" --entrypoint show "${IMAGES}hard" | grep -v '^{PATH=\|^in ')" \
    "hard: exec: variables are as docker has them, whatever is in them"
is "$(asked "$T/hard.sif" run -- '$T_DOLLAR' | sed -n 2p)" '[$HOME ${HOME} $$ $(echo no)]' "hard: run: their values are not evaluated"

# ---- shell, test, no shell

echo 'show from a shell; echo "$0"; exit 3' > "$T/in"
IN=$T/in both "shell" config shell --
IN=$T/in both "another shell" config shell --shell /bin/ash --
echo "show 'a shell of words' \$T_NAME" > "$T/in"
both "shell with a command" config shell -- -c 'show x'
# the sentence that there is no test is each image's own
is "$(asked "$T/config.sif" test -- | tail -n 1)" "$(asked "$T/config.reference.sif" test -- | tail -n 1)" "config: test"
both "exec of what is not there" static exec -- nothing
both "exec" static exec -- /opt/show '$T_NAME' ''
both "shell where there is none" static shell --

# ---- inspect

# inspected IMAGE OPTIONS - without time and version of the build
inspected() {
    is "$(asked "$T/$1.sif" inspect "$2" -- | sed -E '/build-date|\.version/d')" \
        "$(asked "$T/$1.reference.sif" inspect "$2" -- | sed -E '/build-date|\.version/d')" "$1: inspect $2"
}
for image in config static; do
    for option in --labels --deffile --environment --test --helpfile; do
        [ $option = --environment ] || inspected $image $option
    done
done
is "$(asked "$T/static.sif" inspect --environment -- | grep export)" "$(asked "$T/static.reference.sif" inspect --environment -- | grep export)" \
    "static: inspect --environment, but for comments"
like "$(asked "$T/static.sif" inspect --runscript --)" "#!/bin/sh
OCI_ENTRYPOINT='\"/opt/show\" \"entry\"'
OCI_CMD='\"cmd\" \"two words\"'
*status 0" "static: inspect --runscript"
# the same members, of the same types, and the same values of those that are the image's
shape() { asked "$T/$1" inspect --all -- | sed '$d' | jq -c '[.type, (.data.attributes | keys), .data.attributes.deffile, (.data.attributes.environment | keys)]'; }
is "$(shape static.sif)" "$(shape static.reference.sif)" "static: inspect --all has the same members"
is "$(asked "$T/config.sif" inspect --labels --json -- | sed '$d' | jq -r '.data.attributes.labels["org.label-schema.build-date"]')" \
    "$("$DOCKER" image inspect -f '{{.Created}}' "${IMAGES}config")" "config: the label of the date is the image's"

# ---- signatures

mkdir "$T/keys"
ok "apptainer makes a key" "$APPTAINER" key newpair --password= --name tester --email tester@example.org --comment '' --push=false --bit-length 2048
cp "$T/config.sif" "$T/signed.sif"
ok "it signs our file" "$APPTAINER" sign "$T/signed.sif"
like "$("$APPTAINER" verify --local "$T/signed.sif" 2>&1)" "*Objects verified:*1  *Def.FILE*4  *FS*5  *JSON.Generic*Verified signature*" "and finds it whole"
is "$(asked "$T/signed.sif" exec -- show x | sed -n 1p)" "[x]" "a signed file still runs"
openssl genpkey -algorithm ed25519 -out "$T/private.pem" 2> "$T/openssl.log"
openssl pkey -in "$T/private.pem" -pubout -out "$T/public.pem"
cp "$T/config.sif" "$T/pem.sif"
ok "it signs it with a key of openssl" "$APPTAINER" sign --key "$T/private.pem" "$T/pem.sif"
ok "and finds it whole" "$APPTAINER" verify --key "$T/public.pem" "$T/pem.sif"
# one byte in the middle of the file system
perl -e 'open F, "+<", $ARGV[0]; seek F, 200000, 0; read F, $x, 1; seek F, 200000, 0; print F $x ^ "\x01"' "$T/signed.sif"
like "$("$APPTAINER" verify --local "$T/signed.sif" 2>&1)" "*Failed to verify container*integrity compromised: 4*" "one byte of the file system is changed: it does not"

ok "enough of all this did run" test "$ran" -ge 50
for image in none none-words none-line words-none words-words words-line line-none line-words line-line config hard static; do
    "$DOCKER" rmi "$IMAGES$image" > "$T/rmi.log"
done
done_testing
