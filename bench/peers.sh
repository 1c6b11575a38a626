#!/bin/bash
# peers.sh - builds the peers that no package of Debian has into build/bench/peers, by the ordinary Go client.
#
#     bench/peers.sh          what is there already stays
#
# A peer that cannot be built is no error: NAME.absent says why, and the benchmark names it as absent.
# They are built as dependencies of an empty module rather than by go install NAME@VERSION, which also asks for the
# list of all versions; not every proxy gives it out.
set -euo pipefail

cd "$(dirname "$0")/.."
peers=$PWD/build/bench/peers
mkdir -p "$peers"

# build NAME PACKAGE MODULE LEAST VERSION...: the first of the versions that can be had.  LEAST names modules that must be
# at least so new, where what its own go.mod names does not compile with the Go that is here.
build()
{
    local name=$1 package=$2 module=$3 least=$4 version work word require reason="go is not installed"
    shift 4
    [ ! -x "$peers/$name" ] || return 0
    rm -f "$peers/$name.absent"
    if command -v go >/dev/null; then
        for version in "$@"; do
            work=$(mktemp -d)
            require=()
            for word in "$module@$version" $least; do
                require+=(-require "$word")
            done
            echo "building $name $version; minutes, once" >&2
            if (cd "$work" && go mod init bench/peer && go mod edit "${require[@]}" &&
                GOFLAGS=-mod=mod CGO_ENABLED=0 go build -o "$peers/$name" "$package") >"$peers/$name.log" 2>&1; then
                echo "$name $version${least:+ with $least} ($(go version | cut -d ' ' -f 3))" >"$peers/$name.version"
                rm -rf "$work"
                return 0
            fi
            rm -rf "$work"
        done
        reason="none of its versions $* could be built by go"
    fi
    echo "$reason" >"$peers/$name.absent"
    echo "$name is absent: $reason" >&2
}

build greenmask github.com/greenmaskio/greenmask/cmd/greenmask github.com/greenmaskio/greenmask '' v0.2.22
build pgstream github.com/xataio/pgstream github.com/xataio/pgstream github.com/bytedance/sonic@v1.15.0 v1.4.1 v0.9.5
