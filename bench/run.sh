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
# BENCH_MB=1000      COPY text of the wide table in MB; the narrow one has a fifth of it
# BENCH_ROUNDS=5     how often each is run; round by round, so that a change of the machine's pace meets all
# BENCH_CUSTOM=no
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
unset "${!REPLICA_@}" # nobody's own settings shall be measured
rules='public.people.last_name  random
public.people.email      email
public.people.phone      phone-number'

cleanup()
{
    local status=$?
    trap - EXIT
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
    check_rows
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

# Each begins with an empty directory and without pages of another one to be written.
contend()
{
    local name=$1 before
    rm -rf "$work/out"
    mkdir "$work/out"
    sync
    before=$(wc -l <"$work/runs")
    "run_$name" >>"$work/runs"
    [ "$(wc -l <"$work/runs")" = $((before + 1)) ] || fail "$name was not measured"
    [ -z "$(ls -A "$work/out")" ] || echo "$name $(du -sb --apparent-size "$work/out" | cut -f 1)" >>"$work/stored"
}

# ---- what must be right ---------------------------------------------------------------------------

# The manifest of the only dump in the store names the rows that the server counts.
check_rows()
{
    python3 - "$work/out" "$work/counts" <<'PYTHON' || fail "the manifest does not name the rows that the server counts"
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
        echo "rounds	$rounds"
        echo "tables	$(sed 's/$/ rows/' "$work/counts" | paste -sd ',' | sed 's/,/, /')"
        echo "copy_bytes	$(awk '{ all += $1 } END { printf "%d", all }' "$work/bytes")"
    } >"$work/facts"
}

main()
{
    local contenders=(raw replica rules jobs pg_dump) round name
    [ -x "$replica" ] || fail "$replica is not there; make builds it"
    [ "${BENCH_CUSTOM:-no}" != yes ] || contenders+=(custom)
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
