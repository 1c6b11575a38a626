#!/bin/bash
# run.sh - replica's dump beside what one would use without it, on one server, in turn.  make bench calls it.
#
#   raw       psql, COPY of every table to /dev/null: the floor, nothing can be faster over one connection
#   replica   replica dump into a directory, REPLICA_JOBS=1, zstd:3
#   rules     the same with three columns masked
#   jobs      replica as it is installed: as many jobs as there are CPUs
#   pg_dump   pg_dump | zstd -3 into a file
#   custom    pg_dump -Fc into a file (gzip, as is its default); only with BENCH_CUSTOM=yes, it is slow
#
# and, where radosgw and rclone are installed, to one S3 gateway (Ceph's, in memory, plain HTTP, on the same CPUs):
#
#   s3        replica dump to the gateway, REPLICA_JOBS=1, zstd:3
#   s3jobs    the same as it is installed
#   rclone    pg_dump | zstd -3 | rclone rcat
#
# BENCH_MB=1000      COPY text of the wide table in MB; the narrow one has a fifth of it
# BENCH_ROUNDS=5     how often each is run; round by round, so that a change of the machine's pace meets all
# BENCH_CUSTOM=no
# BENCH_S3=yes
# REPLICA_BINARY=build/replica
#
# The server and its data stay in build/bench for the next run; build/bench/result.json holds every figure.
# Exits 1 when a contender fails or a dump does not hold what the tables hold.  Missed targets are printed.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
replica=${REPLICA_BINARY:-$root/build/replica}
bench=$root/build/bench
server=$bench/server
work=$bench/run
megabytes=${BENCH_MB:-1000}
rounds=${BENCH_ROUNDS:-5}
tables=(people accounts)
unset "${!REPLICA_@}" "${!AWS_@}" "${!RCLONE_@}" # nobody's own settings shall be measured
rules='public.people.last_name  random
public.people.email      email
public.people.phone      phone-number'

cleanup()
{
    local status=$?
    trap - EXIT
    stop_gateway
    stop_server || true
    rm -rf "$work"
    exit "$status"
}

say()
{
    printf '%s\n' "$*" >&2
}

fail()
{
    say "bench: $*"
    exit 1
}

# ---- the server and its data ----------------------------------------------------------------------

# tests/postgres.sh removes a server when it stops it; this one is stopped and kept.
control()
{
    local owner
    owner=$(stat -c %U "$server/data")
    if [ "$owner" = "$(id -un)" ]; then
        (cd "$server" && "$(cat bin)/pg_ctl" -D "$server/data" "$@" 9>&-)
    else
        (cd "$server" && setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups "$(cat bin)/pg_ctl" -D "$server/data" "$@" 9>&-)
    fi >/dev/null
}

stop_server()
{
    [ ! -f "$server/data/postmaster.pid" ] || control -m fast -w stop
}

load_data()
{
    # Bytes of a row, measured; what comes of them is measured again.
    local wide_rows=$((megabytes * 1000000 / 525)) narrow_rows=$((megabytes * 1000000 / 5 / 19))
    say "loading $wide_rows wide and $narrow_rows narrow rows; minutes, once"
    createdb bench
    PGDATABASE=bench psql -X -q -v ON_ERROR_STOP=1 -v wide_rows="$wide_rows" -v narrow_rows="$narrow_rows" \
        -f "$root/bench/data.sql" >/dev/null
}

# The data depend on these alone.
data_key()
{
    echo "$megabytes"
    "$("$root/tests/postgres.sh" bin)/postgres" --version
    sha256sum <"$root/bench/data.sql"
}

start_server()
{
    if [ ! -f "$server/key" ] || [ "$(data_key)" != "$(cat "$server/key")" ] ||
        ! { control status || control -w -l "$server/log" start; }; then
        "$root/tests/postgres.sh" stop "$server"
        "$root/tests/postgres.sh" start "$server" '' 'synchronize_seqscans = off' 9>&-
        # shellcheck disable=SC1091  # written by postgres.sh
        . "$server/env"
        load_data
        data_key >"$server/key"
    fi
    # shellcheck disable=SC1091
    . "$server/env"
    export PGDATABASE=bench
    postmaster=$(head -n 1 "$server/data/postmaster.pid")
}

# ---- the gateway ----------------------------------------------------------------------------------

gateway=''

# Why there is nothing to measure against; empty when there is.
gateway_missing()
{
    local name
    [ "${BENCH_S3:-yes}" = yes ] || { echo "BENCH_S3=$BENCH_S3"; return; }
    for name in radosgw ceph-mon ceph-osd radosgw-admin rclone; do
        command -v "$name" >/dev/null || { echo "$name is not there"; return; }
    done
}

start_gateway()
{
    mkdir "$work/gateway"
    python3 -B "$root/tests/live/gateways.py" rgw "$work/gateway" 9>&- 2>"$work/gateway/log" &
    gateway=$!
    until [ -f "$work/gateway/env" ]; do
        kill -0 "$gateway" 2>/dev/null || { tail -n 20 "$work/gateway/log" >&2; fail "the gateway does not start"; }
        sleep 0.1
    done
    # shellcheck disable=SC1091  # written by gateways.py
    . "$work/gateway/env"
    export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_GATEWAY_TYPE=s3 RCLONE_CONFIG_GATEWAY_PROVIDER=Ceph
    export RCLONE_CONFIG_GATEWAY_ENDPOINT=$S3_ENDPOINT RCLONE_CONFIG_GATEWAY_ACCESS_KEY_ID=$S3_ACCESS
    export RCLONE_CONFIG_GATEWAY_SECRET_ACCESS_KEY=$S3_SECRET
    export AWS_ENDPOINT_URL_S3=$S3_ENDPOINT AWS_ACCESS_KEY_ID=$S3_ACCESS AWS_SECRET_ACCESS_KEY=$S3_SECRET AWS_REGION=default
}

stop_gateway()
{
    [ -n "$gateway" ] || return 0
    kill "$gateway" 2>/dev/null || true
    wait "$gateway" || true
    gateway=''
}

# What was deleted stays in the gateway's memory until it is collected.
empty_bucket()
{
    rclone delete -q gateway:bench
    radosgw-admin -c "$work/gateway/ceph/ceph.conf" gc process --include-all >/dev/null 2>&1
}

# ---- the contenders -------------------------------------------------------------------------------

measure()
{
    python3 "$root/bench/measure.py" "$postmaster" "$@" 2>"$work/log" || {
        tail -n 20 "$work/log" >&2
        fail "$1 failed"
    }
}

run_raw()
{
    local table copies=()
    for table in "${tables[@]}"; do
        copies+=(-c "COPY $table TO STDOUT")
    done
    measure raw /dev/null psql -X -q "${copies[@]}"
}

run_replica()
{
    REPLICA_FROM=postgres: REPLICA_TO="file://$work/out" REPLICA_JOBS=${2-1} REPLICA_COMPRESS=zstd:3 \
        measure "${1:-replica}" /dev/null "$replica" dump
    check_rows "$work/out"
}

run_jobs()
{
    run_replica jobs '' # empty is not set
}

run_rules()
{
    REPLICA_TRANSFORM=$rules run_replica rules
}

run_pg_dump()
{
    measure pg_dump "$work/out/dump.sql.zst" pg_dump '|' zstd -3 -q -c
}

run_custom()
{
    measure custom "$work/out/dump" pg_dump -Fc
}

run_s3()
{
    REPLICA_FROM=postgres: REPLICA_TO=s3://bench/out REPLICA_JOBS=${2-1} REPLICA_COMPRESS=zstd:3 \
        measure "${1:-s3}" /dev/null "$replica" dump
    rclone copy -q --include 'dump-*/manifest.json' gateway:bench/out "$work/check"
    check_rows "$work/check"
    rm -rf "$work/check"
}

run_s3jobs()
{
    run_s3 s3jobs ''
}

run_rclone()
{
    measure rclone /dev/null pg_dump '|' zstd -3 -q -c '|' rclone rcat -q gateway:bench/dump.sql.zst
}

# Into the bucket, or into the directory.
is_s3()
{
    [ "$1" = s3 ] || [ "$1" = s3jobs ] || [ "$1" = rclone ]
}

stored_bytes()
{
    if is_s3 "$1"; then
        rclone size --json gateway:bench | python3 -c 'import json, sys; print(json.load(sys.stdin)["bytes"])'
    elif [ -n "$(ls -A "$work/out")" ]; then
        du -sb --apparent-size "$work/out" | cut -f 1
    fi
}

# Each begins with an empty directory or bucket, and without pages of another one to be written.
contend()
{
    local name=$1 before bytes
    rm -rf "$work/out"
    mkdir "$work/out"
    ! is_s3 "$name" || empty_bucket
    sync
    before=$(wc -l <"$work/runs")
    "run_$name" >>"$work/runs"
    [ "$(wc -l <"$work/runs")" = $((before + 1)) ] || fail "$name was not measured"
    bytes=$(stored_bytes "$name")
    [ -z "$bytes" ] || echo "$name $bytes" >>"$work/stored"
}

# ---- what must be right ---------------------------------------------------------------------------

# check_rows DIR: the manifest of the only dump in it names the rows that the server counts.
check_rows()
{
    python3 - "$1" "$work/counts" <<'PYTHON' || fail "the manifest does not name the rows that the server counts"
import glob, json, sys
[manifest] = glob.glob(sys.argv[1] + "/dump-*/manifest.json")
wanted = {name: int(rows) for name, rows in (line.split() for line in open(sys.argv[2]))}
found = {table["name"]: table["rows"] for table in json.load(open(manifest))["tables"]}
sys.exit(found != wanted)
PYTHON
}

# The rows of a table as a dump holds them, out of its volumes by stock tools.
stored_rows()
{
    python3 - "$work/out" "$1" <<'PYTHON' | while read -r volume; do zstd -dcq "$volume" | sed -e '1,/^COPY /d' -e '$d'; done
import glob, json, os, sys
[manifest] = glob.glob(sys.argv[1] + "/dump-*/manifest.json")
for table in json.load(open(manifest))["tables"]:
    if table["name"] == sys.argv[2]:
        for volume in table["volumes"]:
            print(os.path.join(os.path.dirname(manifest), volume["name"]))
PYTHON
}

# Once, unmeasured, and first, so that it warms the server as well: every byte of COPY is in the dump; with
# rules, every row is.
verify_dumps()
{
    local table
    : >"$work/counts"
    : >"$work/bytes"
    for table in "${tables[@]}"; do
        psql -X -q -c "COPY $table TO STDOUT" | sha256sum >"$work/sum.$table"
        psql -X -q -c "COPY $table TO STDOUT" | wc -c >>"$work/bytes"
        echo "$table $(psql -X -A -t -c "SELECT count(*) FROM $table")" >>"$work/counts"
    done
    run_replica >/dev/null
    for table in "${tables[@]}"; do
        stored_rows "$table" | sha256sum | cmp -s - "$work/sum.$table" || fail "the dump of $table is not what COPY gives"
    done
    rm -rf "$work/out"
    run_rules >/dev/null
    for table in "${tables[@]}"; do
        [ "$table $(stored_rows "$table" | wc -l)" = "$(grep "^$table " "$work/counts")" ] ||
            fail "the masked dump of $table has not the rows that the server counts"
    done
    rm -rf "$work/out"
    [ -z "$gateway" ] || verify_s3
}

# What rclone reads back of replica's dump, and of its own.
verify_s3()
{
    local table
    run_s3 >/dev/null
    rclone copy -q gateway:bench/out "$work/out"
    for table in "${tables[@]}"; do
        stored_rows "$table" | sha256sum | cmp -s - "$work/sum.$table" || fail "the dump of $table in the bucket is not what COPY gives"
    done
    rm -rf "$work/out"
    empty_bucket
    run_rclone >/dev/null
    rclone cat gateway:bench/dump.sql.zst | zstd -tq || fail "what rclone has put is not what zstd wrote"
}

# ---- the run --------------------------------------------------------------------------------------

write_facts()
{
    {
        echo "replica	$("$replica" version | sed 's/  */ /' | paste -sd ',' | sed 's/,/, /g')"
        echo "psql	$(psql --version)"
        echo "pg_dump	$(pg_dump --version)"
        echo "zstd	$(zstd --version | grep -o 'v[0-9.]*')"
        echo "server	$(psql -X -A -t -c 'SHOW server_version'), over its Unix socket, on the same machine"
        echo "cpu	$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) usable, the same ones for all"
        echo "memory	$(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)"
        echo "kernel	$(uname -sr)"
        echo "load	$(cut -d ' ' -f 1-3 /proc/loadavg) before the first round"
        [ -z "$gateway" ] || echo "gateway	radosgw $(radosgw --version | sed 's/^ceph version \([0-9.]*\).*/\1/'), in memory, HTTP, on the same CPUs; $(rclone version | head -n 1)"
        echo "rounds	$rounds"
        echo "tables	$(sed 's/$/ rows/' "$work/counts" | paste -sd ',' | sed 's/,/, /')"
        echo "copy_bytes	$(awk '{ all += $1 } END { printf "%d", all }' "$work/bytes")"
    } >"$work/facts"
}

main()
{
    local contenders=(raw replica rules jobs pg_dump) round name missing
    [ -x "$replica" ] || fail "$replica is not there; make builds it"
    [ "${BENCH_CUSTOM:-no}" != yes ] || contenders+=(custom)
    missing=$(gateway_missing)
    [ -n "$missing" ] || contenders+=(s3 s3jobs rclone)
    for name in psql pg_dump zstd python3; do
        command -v "$name" >/dev/null || fail "$name is not there; apt-get install postgresql zstd python3"
    done
    mkdir -p "$bench"
    exec 9>"$bench/.busy"
    flock -n 9 || fail "another benchmark is running"
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    rm -rf "$work"
    mkdir "$work"
    : >"$work/runs"
    : >"$work/stored"
    start_server
    if [ -z "$missing" ]; then
        start_gateway
    else
        say "no S3 is measured: $missing"
    fi
    say "checking that the dumps hold what the tables hold"
    mkdir "$work/out"
    verify_dumps
    write_facts
    for ((round = 1; round <= rounds; round++)); do
        say "round $round of $rounds: ${contenders[*]}"
        for name in "${contenders[@]}"; do
            contend "$name"
        done
    done
    python3 "$root/bench/report.py" "$work" "$bench/result.json"
}

main
