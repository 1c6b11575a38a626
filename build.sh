#!/usr/bin/env bash
# Installs what the build needs (Debian 12 or later, as root or with sudo), then makes.
#
#   ./build.sh          build/replica
#   ./build.sh image    build/replica-VERSION-ARCH.oci.tar, an image for podman load or docker load
#   ./build.sh demo     builds, then dumps, masks and restores a sample database
#   ./build.sh test     everything that CI runs
#   ./build.sh bench    replica beside its peers; docs/benchmarks.md says what and how long
#   ./build.sh bench-1tb    1 TB through 512 MB on one CPU
#   ./build.sh clean    removes what was built, but not the vendor libraries
set -eu
cd "$(dirname "$0")"

BUILD_PACKAGES="gcc libc6-dev make binutils flex bison perl dpkg-dev xz-utils bzip2 ca-certificates
    debian-archive-keyring util-linux"
SERVER_PACKAGES="postgresql postgresql-contrib procps zstd"
GATEWAY_PACKAGES="radosgw ceph-mon ceph-osd ceph-common"
TEST_PACKAGES="$SERVER_PACKAGES libcmocka-dev python3 python3-pytest python3-yaml python3-pip git openssl iproute2 pgbouncer
    podman buildah runc rclone $GATEWAY_PACKAGES"
BENCH_PACKAGES="$SERVER_PACKAGES python3 util-linux gnuplot-nox age pgcopydb rclone $GATEWAY_PACKAGES"
# Where ARM is another machine, its binary is crossed and emulated.
[ "$(uname -m)" = aarch64 ] ||
    TEST_PACKAGES="$TEST_PACKAGES gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static"

require_debian() {
    local ID="" VERSION_ID="" PRETTY_NAME="this system"
    [ ! -r /etc/os-release ] || . /etc/os-release
    # Testing and unstable have no VERSION_ID.
    if [ "$ID" != debian ] || [ "${VERSION_ID:-99}" -lt 12 ]; then
        echo "build.sh needs Debian 12 or later; this is $PRETTY_NAME" >&2
        exit 1
    fi
}

# Only what is missing is installed, so a second run needs no network.
install_packages() {
    local missing="" package root=""
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "build.sh must be root, or have sudo, to install:$missing" >&2; exit 1; }
        root=sudo
    fi
    echo "installing$missing"
    mkdir -p build
    # shellcheck disable=SC2086
    if ! { $root apt-get -o DPkg::Lock::Timeout=300 update &&
        $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
            $missing; } >build/apt.log 2>&1; then
        tail -n 30 build/apt.log
        echo "unable to install the packages; the whole log is build/apt.log" >&2
        exit 1
    fi
}

require_debian
mode=${1:-build}
case $mode in
    build | image) packages=$BUILD_PACKAGES ;;
    demo) packages="$BUILD_PACKAGES $SERVER_PACKAGES" ;;
    test) packages="$BUILD_PACKAGES $TEST_PACKAGES" ;;
    bench | bench-1tb) packages="$BUILD_PACKAGES $BENCH_PACKAGES" ;;
    clean) exec make clean ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
# shellcheck disable=SC2086
install_packages $packages
jobs=-j$(nproc)

case $mode in
    build) make "$jobs" ;;
    image) make "$jobs" image ;;
    demo) make "$jobs" && bash bench/demo.sh ;;
    test) make "$jobs" test ;;
    bench | bench-1tb) make "$jobs" && make "$mode" ;;
esac
