# downloads.sh - what a client may rely on when it downloads, whatever the web server; read by tests after lib.sh.
#
# Public: download_files downloads replaced_download header

# header NAME - of the last answer
header() { printf '%s\n' "$headers" | sed -n "s/^$1: *//Ip" | paste -s -d ' '; }

# The files that the others ask for.
download_files() {
    printf 0123456789 > "$T/images/a_b.sif"
    printf 'sum\n' > "$T/images/a_b.sif.sha256"
    printf 'secret' > "$T/images/.a_b.tmp"
    # an ETag of what has just been written may be a weak one
    touch -d '2 hours ago' "$T/images/a_b.sif"
}

# downloads WHO STATUS - as api asks now; STATUS is what POST is answered, "" when that does not matter
downloads() {
    api GET /images/download/a_b.sif --compressed
    is "$code $body" "200 0123456789" "$1: a file"
    is "$(header content-length) [$(header content-encoding)] $(header content-type)" "10 [] application/octet-stream" "$1: its length, no compression"
    is "$(header content-disposition) $(header x-content-type-options)" "attachment nosniff" "$1: as attachment"
    tag=$(header etag)
    api GET /images/download/a_b.sif.sha256
    is "$code $body" "200 sum" "$1: its checksum"
    api HEAD /images/download/a_b.sif --head
    is "$code $(header content-length)" "200 10" "$1: HEAD"
    api GET /images/download/a_b.sif --header 'Range: bytes=4-'
    is "$code $body $(header content-range)" "206 456789 bytes 4-9/10" "$1: a range"
    api GET /images/download/a_b.sif --header 'Range: bytes=4-' --header "If-Range: $tag"
    is "$code $body" "206 456789" "$1: If-Range with its ETag"
    api GET /images/download/a_b.sif --header 'Range: bytes=4-' --header 'If-Range: "other"'
    is "$code $body" "200 0123456789" "$1: If-Range with another one: all of it"
    api GET /images/download/a_b.sif --header 'Range: bytes=0-1,3-4'
    is "$code $body" "200 0123456789" "$1: several ranges: all of it"
    api GET /images/download/a_b.sif --header 'Range: bytes=40-'
    is "$code [$body]" "416 []" "$1: past the end: 416, no body"
    for path in nothing.sif .a_b.tmp x.tmp '' nothing.sif.sha256 a_b.sif/x A.sif "$(printf '%0300d' 0).sif" ../../cic.yaml ..%2fcic.yaml; do
        api GET "/images/download/$path" --path-as-is
        case $path in
            ..*) is "$code" 404 "$1: $path: 404" ;;
            *) is "$code [$body]" "404 []" "$1: $(printf '%.20s' "$path"): 404, no body" ;;
        esac
    done
    [ -n "$2" ] || return 0
    api POST /images/download/a_b.sif --data x
    is "$code [$body]" "$2 []" "$1: POST: $2, no body"
}

# An open download keeps the old bytes when the file is replaced.
replaced_download() {
    head -c 3000000 /dev/zero | tr '\0' a > "$T/images/big.sif"
    curl --silent --user "$CIC_USER:$CIC_PASSWORD" --limit-rate 3M --output "$T/big.got" "$CIC_URL$PREFIX/images/download/big.sif" &
    slow=$!
    wait_for 10 test -s "$T/big.got"
    head -c 3000000 /dev/zero | tr '\0' b > "$T/images/new"
    mv "$T/images/new" "$T/images/big.sif"
    wait "$slow"
    is "$(tr -d a < "$T/big.got" | wc -c) $(wc -c < "$T/big.got")" "0 3000000" "a file replaced on the way: the old one to its end"
}
