#!/bin/sh
# Build the vendor libraries of one target:  vendor/recipe.sh static|native OUT [TRIPLE]
#
#   static   against musl, for build/replica
#   native   against the machine's own C library, for the unit tests and their sanitizers
#   OUT      receives include/, lib/, and for static bin/musl-gcc
#   TRIPLE   a cross compiler's prefix, such as aarch64-linux-gnu
#
# Each library has its own short recipe beside this file.  It is built again only when its source, its recipe, the flags
# or the compiler have changed; the stamp in OUT/stamp holds their common hash.
set -eu
cd "$(dirname "$0")/.."

target=$1
mkdir -p "$2/stamp" "$2/include" "$2/lib" build/vendor
OUT=$(cd "$2" && pwd)
TRIPLE=${3:-}
work=$PWD/build/vendor/$(basename "$OUT")
tools=${TRIPLE:+$TRIPLE-}

# One at a time: two targets share the sources, and each already uses every core.
exec 9>build/vendor/.busy
flock 9
unset MAKEFLAGS MFLAGS MAKELEVEL
JOBS=$(nproc)

CC=${tools}gcc
CFLAGS="-O2 -g -ffunction-sections -fdata-sections -fstack-protector-strong -ffile-prefix-map=$work=/vendor"
LDFLAGS=
libraries="bearssl zstd postgresql"
if [ "$target" = static ]; then
    libraries="musl $libraries"
    CFLAGS="$CFLAGS -fno-pie"
    LDFLAGS="-static -no-pie"
fi
export OUT TRIPLE JOBS CC CFLAGS LDFLAGS target
export AR="${tools}ar" RANLIB="${tools}ranlib" LD="${tools}ld" OBJCOPY="${tools}objcopy"

# Say what is done and how long it took; when it fails, show how its log ends.
step() {
    sentence=$1 log=$2
    shift 2
    echo "vendor: $sentence ..."
    start=$(date +%s)
    if ("$@") >"$log" 2>&1; then
        echo "vendor: $sentence took $(($(date +%s) - start)) s"
    else
        echo "vendor: $sentence failed:"
        tail -n 30 "$log" | cut -c 1-200
        echo "vendor: the whole log is $log"
        exit 1
    fi
}

unpack_and_build() {
    rm -rf "${work:?}/$1" && mkdir -p "$work/$1" &&
        tar -xf "$2" -C "$work/$1" --strip-components=1 &&
        cd "$work/$1" && sh -eux "$OLDPWD/vendor/$1.sh"
}

# Everything hangs on the compiler and the flags; the libraries of a static target hang on its musl, too.
base=$({ $CC --version; echo "$CFLAGS $LDFLAGS"; pwd; } | sha256sum)
versions=$(mktemp)
trap 'rm -f "$versions"' EXIT
echo "/* Written by vendor/recipe.sh. */" >"$versions"
[ "$target" = static ] || echo '#define VENDOR_MUSL_VERSION "none"' >>"$versions"

for name in $libraries; do
    source=$(vendor/fetch.sh "$name")
    read -r version sha256 tarball <<END
$source
END
    echo "#define VENDOR_$(echo "$name" | tr a-z A-Z)_VERSION \"$version\"" >>"$versions"
    key=$({ echo "$base $sha256"; cat "vendor/$name.sh"; } | sha256sum)
    if [ "$(cat "$OUT/stamp/$name" 2>/dev/null)" != "$key" ]; then
        mkdir -p "$work"
        rm -f "$OUT/stamp/$name"
        step "$name $version for $(basename "$OUT")" "$work/$name.log" unpack_and_build "$name" "$tarball"
        echo "$key" >"$OUT/stamp/$name"
    fi
    if [ "$name" = musl ]; then
        base=$key
        CC=$OUT/bin/musl-gcc
    fi
done

cmp -s "$versions" "$OUT/include/vendor_versions.h" || cp "$versions" "$OUT/include/vendor_versions.h"
