#!/bin/sh
# Goal: whatever goes wrong with a conversion, from hostile archives to a signal, ends in one line that says what and
# where, the exit status that is promised, no part of a file, no container and no mount.
. "$(dirname "$0")/lib.sh"
rig podman docker apptainer
. "$top/t/convert.sh"
out=$T/out
mkdir "$out"
# what a run that was killed has left
"$PODMAN" image umount --force "$BASE_IMAGE" > "$T/umount.log" 2>&1

# fails STATUS PATTERN WHAT SOURCE [OPTIONS...] - with one line on standard error, and nothing is left
fails() {
    fails_status=$1 fails_pattern=$2 fails_what=$3 fails_source=$4
    shift 4
    convert "$fails_source" "$out/x.sif" "$@" > "$T/said" 2>&1
    is "$?" "$fails_status" "$fails_what: exit status $fails_status"
    like "$(cat "$T/said")" "$fails_pattern" "$fails_what: the message"
    is "$(wc -l < "$T/said")" 1 "$fails_what: one line"
    is "$(ls -A "$out")" "" "$fails_what: no file"
}

# ---- hostile layers, in an archive that is right

# entry: perl's own tar, so that every byte can be wrong
cat > "$T/tar.pm" <<'END'
package main;
sub header {
    my %e = (type => "0", mode => 0644, size => 0, link => "", @_);
    my $h = pack("a100 a8 a8 a8 a12 a12 A8 a1 a100 a6 a2 a32 a32 a8 a8 a155 x12", $e{name}, sprintf("%07o", $e{mode}),
        "0000000", "0000000", $e{octal} // sprintf("%011o", $e{size}), "00000000000", "", $e{type}, $e{link}, "ustar",
        "00", "", "", "", "", "");
    substr($h, 148, 8) = sprintf("%06o\0 ", unpack("%32C*", $h));
    return $h;
}
sub file { my ($name, $data) = @_; header(name => $name, size => length $data) . padded($data) }
sub folder { header(name => $_[0], type => "5", mode => 0755) }
sub hardlink { header(name => $_[0], type => "1", link => $_[1]) }
sub symlink_ { header(name => $_[0], type => "2", link => $_[1]) }
sub padded { my $d = shift; $d . "\0" x (-length($d) % 512) }
sub pax { my $all = ""; while (my ($key, $value) = splice @_, 0, 2) { my $n = length($key) + length($value) + 3;
    $all .= $n + length($n + length $n) . " $key=$value\n" }
    header(name => "pax", type => "x", size => length $all) . padded($all) }
sub end { "\0" x 1024 }
1;
END
# saved PERL - a `docker save` archive of one layer, which the perl prints
saved() {
    mkdir -p "$T/saved"
    perl -I "$T" -Mtar -e "binmode STDOUT; $1" > "$T/saved/layer.tar"
    printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$(sha256sum < "$T/saved/layer.tar" | cut -d' ' -f1)" > "$T/saved/config.json"
    printf '[{"Config":"config.json","RepoTags":["t:1"],"Layers":["layer.tar"]}]' > "$T/saved/manifest.json"
    tar -C "$T/saved" -cf "$T/saved.tar" manifest.json config.json layer.tar
}
# hostile WHAT PATTERN PERL
hostile() {
    saved "$3"
    fails 1 "cic-build: docker-archive:$T/saved.tar: *$2*" "$1" "docker-archive:$T/saved.tar"
}
saved 'print file("/etc/absolute", "text"), end'
ok "a leading slash is nothing" convert "docker-archive:$T/saved.tar" "$out/x.sif"
rm -f "$out/x.sif"
hostile "a stream that ends in a file" 'after entry "b"*' 'print file("a", "1"), header(name => "b", size => 99999), "little"'
hostile "a header that is cut" 'after entry "a"*' 'print file("a", "1"), substr(header(name => "b"), 0, 200)'
hostile "a size that overflows" 'after entry "a": *size*' 'print file("a", ""), header(name => "big", octal => "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), end'
hostile "a negative size" 'after entry "a": *negative size*' 'print file("a", ""), header(name => "small", octal => "\xff" x 12), end'
hostile "2 TiB of holes" '"sparse": more than 1 TiB*' \
    'print pax("GNU.sparse.major", 1, "GNU.sparse.minor", 0, "GNU.sparse.name", "sparse", "GNU.sparse.realsize", 2 ** 41),
    file("x", padded("1\n0\n0\n")), end'
hostile "two dots" '"../../etc/passwd" contains ".."*' 'print file("../../etc/passwd", "x"), end'
hostile "two dots in a hard link" '"l" to "../../etc/passwd"*missing*' 'print hardlink("l", "../../etc/passwd"), end'
hostile "a hard link to itself" '"l" to "l", which is missing*' 'print hardlink("l", "l"), end'
hostile "hard links in a circle" '"a" to "b", which is missing*' 'print hardlink("a", "b"), hardlink("b", "a"), end'
hostile "a path twice" 'path "./twice" comes twice*' 'print file("twice", "1"), file("./twice", "2"), end'
hostile "a path through a symbolic link" 'path "d/passwd" leads through "d"*' 'print symlink_("d", "/etc"), file("d/passwd", "x"), end'
hostile "a loop of links used as a folder" 'path "a/x" leads through "a"*' \
    'print symlink_("a", "b"), symlink_("b", "a"), file("a/x", "x"), end'
hostile "600,000 names in one folder" 'path "d/5*": more than 500000 names in one directory*' \
    'print header(name => "d/$_") for 1 .. 600000; print end'
hostile "a pax record of 100 MB" '*' \
    'print header(name => "pax", type => "x", size => 100 << 20), "100000000 path=", "a" x ((100 << 20) - 15), file("a", ""), end'
hostile "a path of 5000 bytes" 'is too long*' 'print pax("path", "a/" x 2500), file("a", ""), end'
hostile "a name that would be a line" 'path "x?x0acic-build: fine" comes twice*' 'print file("x\ncic-build: fine", "") x 2, end'
hostile "noise" '*' 'srand 1; print map { chr rand 256 } 1 .. 100000'
# whiteouts with nothing below them: in the engine they are devices that the kernel lists and does not show
saved 'print folder("kept"), file("kept/.wh.nothing", ""), file(".wh.gone", ""), file("there", "1"), end'
"$DOCKER" load -i "$T/saved.tar" > "$T/load.log"
ok "whiteouts that hide nothing, from docker's layers" convert docker-daemon://t:1 "$out/x.sif"
ok "they can be read" unpack "$out/x.sif"
is "$(cd "$FS" && ls -d gone kept/* there 2> /dev/null)" there "and are not in it"
rm -rf "$FS"
"$DOCKER" rmi t:1 > "$T/rmi.log"
rm -f "$out/x.sif"
hostile "an empty image" 'the image has no files*' 'print end'

# ---- damaged archives

saved 'print file("a", "x" x 100000), end'
printf y | dd of="$T/saved.tar" bs=1 seek=$(($(grep -abo xxxxxxxx "$T/saved.tar" | head -n 1 | cut -d: -f1) + 5000)) \
    conv=notrunc 2> /dev/null
fails 1 "cic-build: docker-archive:$T/saved.tar: *layer.tar: damaged: its sha256 is * and should be *" "one byte of a layer" "docker-archive:$T/saved.tar"
head -c 20000 "$T/saved.tar" > "$T/cut.tar"
fails 1 "cic-build: $T/cut.tar: *" "an archive that is cut" "docker-archive:$T/cut.tar"
gzip -k "$T/cut.tar"
fails 1 "cic-build: $T/cut.tar.gz: *compressed; gunzip it first*" "an archive compressed as a whole" "docker-archive:$T/cut.tar.gz"
fails 1 "cic-build: $T/none.tar: *No such file*" "no archive" "docker-archive:$T/none.tar"
fails 1 "cic-build: $T/out: this is no OCI layout*" "a folder that is no layout" "oci:$out"
rm -rf "$T/saved" "$T"/*.tar "$T"/*.gz

# ---- engines

fails 1 "cic-build: image localhost/none:1: docker says: *o such image*" "no image in docker" docker-daemon://localhost/none:1
fails 1 "cic-build: the engine has no image localhost/none:1*" "no image in podman" podman://localhost/none:1
fails 1 "cic-build: *no image name*" "an address instead of a name" 'docker-daemon://../containers/json?x='
real=$DOCKER_HOST
DOCKER_HOST=unix://$T/none.sock
fails 1 "cic-build: *no connection to docker at $T/none.sock: No such file*" "no engine" "docker-daemon://$BASE_IMAGE"

# An engine that answers as docker does, up to the export, of which it sends only so much, and ends as it is told.
cat > "$T/engine.pl" <<'END'
use IO::Socket::UNIX;
my ($path, $tar, $bytes, $how) = @ARGV;
my $l = IO::Socket::UNIX->new(Local => $path, Listen => 8) or die $!;
$SIG{TERM} = sub { exit };
while (my $c = $l->accept) {
    my ($first, $len) = scalar <$c>;
    while (defined(my $line = <$c>)) { $len = $1 if $line =~ /^content-length: (\d+)/i; last if $line =~ /^\r?$/ }
    read $c, my $body, $len if $len;
    my ($status, $answer) = $first =~ /^POST/ ? (201, '{"Id":"' . "c" x 64 . '"}') : $first =~ /^DELETE/ ? (204, "") :
        $first =~ m{/info} ? (200, "{}") : (200, '{"Id":"sha256:' . "1" x 64 . '","Config":{}}');
    if ($first =~ /export/) {
        open my $f, "<", $tar; read $f, my $data, $bytes;
        printf $c "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", length $data, $data;
        print $c "0\r\n\r\n" if $how eq "politely";
        print $c "zzz\r\n" if $how eq "nonsense";
    } else {
        print $c "HTTP/1.1 $status X\r\nContent-Length: ", length $answer, "\r\nConnection: close\r\n\r\n", $answer;
    }
    close $c;
}
END
perl -I "$T" -Mtar -e 'print file("first", "x" x 300000), file("second", "y" x 300000), end' > "$T/whole.tar"
# engine BYTES HOW WHAT PATTERN
engine() {
    perl "$T/engine.pl" "$T/e.sock" "$T/whole.tar" "$1" "$2" &
    engine_pid=$!
    wait_for 10 test -S "$T/e.sock"
    DOCKER_HOST=unix://$T/e.sock
    if [ -n "$4" ]; then fails 1 "$4" "$3" docker-daemon://any:1; else ok "$3" convert docker-daemon://any:1 "$out/x.sif"; fi
    kill "$engine_pid"
    wait "$engine_pid" 2> /dev/null
    rm -f "$T/e.sock" "$out/x.sif"
}
engine 999999999 politely "an engine that sends all is fine" ''
engine 400000 suddenly "an engine that is killed in the middle" 'cic-build: tar: *entry "second": export: docker ended the connection*'
engine 400000 politely "an engine that stops as if that were all" 'cic-build: tar: at or after entry "second"*'
engine 300544 politely "an engine that stops between two files" 'cic-build: tar: cut short after entry "first"*'
engine 400000 nonsense "an engine that sends nonsense" 'cic-build: tar: *entry "second": export: docker ended the connection*'
DOCKER_HOST=$real

# A remote engine: no socket, so its client is the relay.  Only what the client says of its context is not real.
cat > "$T/docker" <<END
#!/bin/sh
case \$1 in context) echo tcp://127.0.0.1:1 ;; *) DOCKER_HOST=$DOCKER_HOST exec $DOCKER "\$@" ;; esac
END
chmod 755 "$T/docker"
sed -e 's/engine: podman/engine: docker/' -e "s|engine_command: .*|engine_command: $T/docker|" "$T/podman.yaml" > "$T/remote.yaml"
by_client() { (unset DOCKER_HOST; convert "docker-daemon://$BASE_IMAGE" "$out/client.sif" -c "$T/remote.yaml"); }
ok "by docker's client" by_client
ok "as root from docker" convert "docker-daemon://$BASE_IMAGE" "$out/layers.sif"
mkdir -m 777 "$out/nobody"
chmod 755 "$T"
ok "without root, by the engine's API" env HOME=/ setpriv --reuid 65534 --regid 0 --clear-groups "$CIC_BUILD" --quiet \
    --convert "docker-daemon://$BASE_IMAGE" --output "$out/nobody/api.sif"
ok "the same bytes by the client as from the layers" cmp "$out/client.sif" "$out/layers.sif"
ok "and by the API" cmp "$out/nobody/api.sif" "$out/layers.sif"
rm -rf "${out:?}"/*

# ---- the output

convert "docker-daemon://$BASE_IMAGE" "$out/x.sif"
sum=$(sha256sum < "$out/x.sif")
like "$(convert "docker-daemon://$BASE_IMAGE" "$out/x.sif" 2>&1)" "cic-build: $out/x.sif exists; --force replaces it" "a file that exists is not replaced"
convert docker-daemon://localhost/none:1 "$out/x.sif" --force 2> /dev/null
is "$(sha256sum < "$out/x.sif")" "$sum" "not even by --force, when there is nothing to replace it with"
echo old > "$out/x.sif"
ok "with --force it is" convert "docker-daemon://$BASE_IMAGE" "$out/x.sif" --force
is "$(sha256sum < "$out/x.sif")" "$sum" "by the same bytes"
rm -f "$out/x.sif"
like "$(convert "docker-daemon://$BASE_IMAGE" "$T/no/x.sif" 2>&1)" "cic-build: $T/no/x.sif: No such file or directory" "no folder for the output"
mkdir -p "$T/small"
mountpoint -q "$T/small" || mount -t tmpfs tmpfs "$T/small"
mount -o remount,size=8m "$T/small"
like "$(convert "docker-daemon://$BASE_IMAGE" "$T/small/x.sif" 2>&1)" "cic-build: $T/small/x.sif: squashfs: write file data: No space left on device*" "a full disk"
is "$(ls -A "$T/small")" "" "a full disk: no file"
# shellcheck disable=SC3045 # dash has it
limited() { (ulimit -f 4096; convert "docker-daemon://$BASE_IMAGE" "$out/x.sif" 2>&1); }
like "$(limited)" "cic-build: squashfs: write file data: File too large" "a limit on the size of files"
is "$(ls -A "$out")" "" "a limit on the size of files: no file"
mount -o remount,ro "$T/small"
like "$(convert "docker-daemon://$BASE_IMAGE" "$T/small/x.sif" 2>&1)" "cic-build: $T/small/x.sif: Read-only file system" "an output folder that is read-only"
mount -o remount,rw "$T/small"
is "$(left_over "$BASE_IMAGE")" "" "nothing is left in an engine after all that"

# ---- signals

# An image large enough to be met in the middle, a folder of its own for each.
# started_writing PID - into a file of $out that has no name yet; it has a megabyte already
started_writing() {
    for fd in "/proc/$1/fd"/*; do
        case $(readlink "$fd") in "$out/#"*) [ "$(stat -L -c %s "$fd")" -lt 1000000 ] || return 0 ;; esac
    done
    return 1
}
# slow SOURCE [COMMAND...] - begin such a conversion, as the command, when it is met at work, goes on
slow() {
    slow_source=$1
    shift
    # a shell lets what it starts behind itself ignore SIGINT, and nohup SIGHUP
    env --default-signal=INT,HUP,TERM HOME=/ "$@" "$CIC_BUILD" --config "$T/podman.yaml" --label "$LABEL" --level 12 --threads 1 \
        --convert "$slow_source" --output "$out/x.sif" 2> "$T/said" &
    slow_pid=$!
    wait_for 20 started_writing "$slow_pid"
}
as_nobody='setpriv --reuid 65534 --regid 0 --clear-groups'
# stopped SIGNAL STATUS WHAT SOURCE [COMMAND...]
stopped() {
    stopped_signal=$1 stopped_status=$2 stopped_what="$3, $1"
    shift 3
    if slow "$@"; then report 0 "$stopped_what: it is met at work"; else report 1 "$stopped_what: it is met at work"; fi
    kill -"$stopped_signal" "$slow_pid"
    wait "$slow_pid" 2> /dev/null
    is "$?" "$stopped_status" "$stopped_what: exit status $stopped_status"
    is "$(ls -A "$out")" "" "$stopped_what: no file"
    [ "$stopped_signal" != KILL ] || return
    like "$(cat "$T/said")" "cic-build: stopped by signal $((stopped_status - 128)); $out/x.sif was not written" "$stopped_what: the message"
    is "$(left_over "$BASE_IMAGE")" "" "$stopped_what: nothing left in the engine"
}
chmod 777 "$out"
for signal in 'INT 130' 'TERM 143' 'HUP 129' 'KILL 137'; do
    # shellcheck disable=SC2086 # words
    {
        stopped $signal "docker's layers" "docker-daemon://$BASE_IMAGE"
        stopped $signal "docker's API" "docker-daemon://$BASE_IMAGE" $as_nobody
        stopped $signal podman "podman://$BASE_IMAGE"
    }
done
"$DOCKER" ps -aq --filter "label=cic.build=$LABEL" | xargs -r "$DOCKER" rm -f > "$T/rm.log"
"$PODMAN" image umount "$BASE_IMAGE" > "$T/umount.log" 2>&1

# ---- an engine of docker's own that is killed

other=$("$top/t/rig/dockerd.sh" start "$T/dockerd")
"$DOCKER" save "$BASE_IMAGE" | DOCKER_HOST=$other "$DOCKER" load > "$T/load.log"
# shellcheck disable=SC2086 # words
DOCKER_HOST=$other slow "docker-daemon://$BASE_IMAGE" $as_nobody
# held, so that the engine has not sent everything
kill -STOP "$slow_pid"
kill -KILL "$(cat "$T/dockerd/docker.pid")"
kill -CONT "$slow_pid"
wait "$slow_pid"
is "$?" 1 "docker is killed in the middle: exit status 1"
like "$(tail -n 1 "$T/said")" 'cic-build: tar: after entry "*": export: docker ended the connection: *' "docker is killed in the middle: the message"
like "$(head -n -1 "$T/said")" 'cic-build: left behind: remove a container: no connection to docker at *' "and before it, that its container is still there"
is "$(ls -A "$out")" "" "docker is killed in the middle: no file"
"$top/t/rig/dockerd.sh" stop "$T/dockerd"

# ---- words

# wrong PATTERN WORDS...
wrong() {
    wrong_pattern=$1
    shift
    "$CIC_BUILD" "$@" > "$T/said" 2>&1
    is "$?" 2 "$*: exit status 2"
    like "$(cat "$T/said")" "$wrong_pattern" "$*: says what is wrong"
}
wrong "usage: cic-build --convert SOURCE*" --convert oci:x
wrong "*no source of an image; it is docker-daemon://NAME*" --convert docker://x --output "$out/x.sif"
wrong "*--level: \"13\" is not a number from 1 to 12*" --convert oci:x --output "$out/x.sif" --level 13
wrong "*--threads: \"all\" is not a number*" --convert oci:x --output "$out/x.sif" --threads all
ok "--help" "$CIC_BUILD" --convert --help
is "$(ls -A "$out")" "" "and no file"
done_testing
