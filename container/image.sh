#!/bin/sh
# The image as one OCI archive, without a daemon and without root:  container/image.sh BINARY ARCH VERSION OUTPUT
#
#   BINARY    the static executable
#   ARCH      as compilers name it: x86_64, aarch64
#   OUTPUT    the archive; podman load, docker load (25 or later) and skopeo copy oci-archive:OUTPUT take it
#
#     oci-layout
#     index.json ─▶ blobs/sha256/<manifest> ─▶ <config>
#                                           └▶ <layer>: a tar with one file, gzipped
#
# The same binary gives the same bytes: every time is 0 (or SOURCE_DATE_EPOCH), every owner is 0, every list is sorted.
# What the image says of itself stands in Containerfile too; tests/live/test_image.py compares the two.
set -eu
export LC_ALL=C

binary=$1 version=$3 output=$4
time=${SOURCE_DATE_EPOCH:-0}
created=$(date -u -d "@$time" +%Y-%m-%dT%H:%M:%SZ)
case $2 in
    x86_64) architecture=amd64 variant= ;;
    aarch64) architecture=arm64 variant='"variant":"v8",' ;;
    *) echo "image.sh knows x86_64 and aarch64, not $2" >&2; exit 1 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
blobs=$work/image/blobs/sha256
mkdir -p "$work/layer" "$blobs"

# pack FOLDER NAME...: a tar on stdout that depends on names, modes and contents alone.
pack() {
    folder=$1
    shift
    tar --create --directory="$folder" --format=ustar --sort=name --mtime="@$time" \
        --owner=0 --group=0 --numeric-owner "$@"
}

digest_of() {
    sha256sum "$1" | cut -d ' ' -f 1
}

# blob FILE: move it to where its digest says; prints "sha256:…","size":… for a descriptor.
blob() {
    digest=$(digest_of "$1")
    size=$(stat -c %s "$1")
    mv "$1" "$blobs/$digest"
    printf '"digest":"sha256:%s","size":%s' "$digest" "$size"
}

install -m 0755 "$binary" "$work/layer/replica"
pack "$work/layer" replica >"$work/layer.tar"
layer_plain=$(digest_of "$work/layer.tar")
gzip -9 -n "$work/layer.tar"
layer=$(blob "$work/layer.tar.gz")

cat >"$work/config" <<END
{"created":"$created","architecture":"$architecture",${variant}"os":"linux",\
"config":{"User":"65532:65532","Entrypoint":["/replica"],"WorkingDir":"/","Labels":{\
"org.opencontainers.image.description":"PostgreSQL into a store and back: masked, compressed, checked",\
"org.opencontainers.image.title":"replica",\
"org.opencontainers.image.version":"$version"}},\
"rootfs":{"type":"layers","diff_ids":["sha256:$layer_plain"]},\
"history":[{"created":"$created","comment":"the one file"}]}
END
config=$(blob "$work/config")

cat >"$work/manifest" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",\
"config":{"mediaType":"application/vnd.oci.image.config.v1+json",$config},\
"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",$layer}]}
END
manifest=$(blob "$work/manifest")

cat >"$work/image/index.json" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[\
{"mediaType":"application/vnd.oci.image.manifest.v1+json",$manifest,\
"platform":{"architecture":"$architecture",${variant}"os":"linux"},\
"annotations":{"org.opencontainers.image.ref.name":"replica:$version"}}]}
END
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/image/oci-layout"

find "$work/image" -exec chmod u=rwX,go=rX {} +
pack "$work/image" blobs index.json oci-layout >"$output.tmp"
mv "$output.tmp" "$output"
echo "image    $output, $(stat -c %s "$output") bytes; the executable inside $(stat -c %s "$binary")"
echo "digest   $(echo "$manifest" | cut -d '"' -f 4)"
