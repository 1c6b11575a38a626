#!/bin/bash
# demo.sh - the whole way of the data, before your eyes: a throw-away PostgreSQL, a sample shop, a masked
# dump into a directory, and a restore into a second database.  ./build.sh demo calls it after the build.
#
# Everything lies in one temporary directory, which is removed at the end, also after a failure.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
replica=${REPLICA_BINARY:-$root/build/replica}
work=$(mktemp -d "${TMPDIR:-/tmp}/replica-demo.XXXXXX")

cleanup()
{
    local status=$?
    trap - EXIT
    "$root/tests/postgres.sh" stop "$work/server" || true
    rm -rf "$work"
    [ "$status" = 0 ] || echo "demo: failed with exit status $status" >&2
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say()
{
    printf '\n== %s\n\n' "$*"
}

fail()
{
    echo "demo: $*" >&2
    exit 1
}

indent()
{
    sed 's/^/   /'
}

now_ms()
{
    date +%s%3N
}

query()
{
    psql -X -A -t -q -v ON_ERROR_STOP=1 -d "$1" -c "$2"
}

# Run replica with nothing but its own variables, and show them first: they are all its user writes.
run_replica()
{
    local variable
    for variable in "${@:2}"; do
        printf '   %s\n' "${variable%%$'\n'*}"
        [ "$variable" = "${variable#*$'\n'}" ] || printf '%s\n' "${variable#*$'\n'}" | sed 's/^ */       /'
    done
    printf '   $ replica %s\n\n' "$1"
    env -i "${@:2}" "$replica" "$1" 2>&1 | indent
}

# "table rows", one line each, for every table that holds rows itself.
row_counts()
{
    local database=$1 tables
    tables=$(query "$database" "SELECT string_agg(format('SELECT %L::text COLLATE \"C\", count(*) FROM ONLY %I.%I',
            format('%I.%I', n.nspname, c.relname), n.nspname, c.relname), ' UNION ALL ')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'")
    query "$database" "SELECT replace(a, E'\n', ' ') || '|' || b FROM ($tables ORDER BY 1) AS t (a, b)"
}

load_sample()
{
    local version file
    version=$(query postgres "SHOW server_version_num")
    query postgres "CREATE DATABASE shop"
    query postgres "CREATE DATABASE shop_masked"
    for file in roles shop zoo zoo_14 zoo_15 zoo_18; do
        [[ $file != zoo_* ]] || [ "$version" -ge "${file#zoo_}0000" ] || continue
        psql -X -q -v ON_ERROR_STOP=1 -d shop -o /dev/null -f "$root/tests/sample/$file.sql"
    done
    query shop "ANALYZE"
}

rules='public.customers.first_name   first-name
public.customers.last_name    random
public.customers.email        email(domain=masked.example)
public.customers.phone        phone-number
public.customers.birth_date   random-date
public.customers.card_number  credit-card
public.customers.national_id  random
public.customers.notes        null
public.payments.iban          keep-first-char
public.staff.password         redacted
public.staff.salary           random'

# The same customers on both sides, a line before and a line after, column by column.
before_and_after()
{
    local columns="id, first_name, last_name, email, phone, birth_date::text, card_number, national_id::text"
    local side
    for side in shop shop_masked; do
        query "$side" "COPY (SELECT $columns, '$side' FROM public.customers WHERE id IN (86, 13337, 29999) ORDER BY id) TO STDOUT (NULL '-')"
    done | sort -s -n -k 1,1 | awk -F '\t' '
        BEGIN {
            split("first_name last_name email phone birth_date card_number national_id", names, " ")
            printf "   %-9s %-12s   %-36s    %s\n", "customer", "column", "before", "after"
        }
        NR % 2 == 1 { for (i = 1; i <= NF; i++) before[i] = $i; next }
        { for (i = 2; i < NF; i++) {
              # awk counts bytes on some systems, so the width is padded by hand.
              width = before[i]; gsub(/[\200-\277]/, "", width)
              printf "   %-9s %-12s   %s%*s -> %s\n", i == 2 ? $1 : "", names[i - 1], before[i], 36 - length(width), "", $i
              if (before[i] == $i && before[i] != "-") exit 1 } }'
}

check_counts()
{
    row_counts shop >"$work/before"
    row_counts shop_masked >"$work/after"
    diff "$work/before" "$work/after" || fail "the restored database has not the rows that the source has"
    awk -F '|' '$2 >= 1000 { printf "   %-36s %9d  =  %9d\n", $1, $2, $2 } $2 < 1000 { small++; few += $2 } { all += $2 }
        END { printf "   %-36s %9d  =  %9d\n", small " smaller tables", few, few; printf "   %-36s %9d  =  %9d\n", NR " tables in all", all, all
              if (all < 300000) exit 1 }' "$work/before" || fail "the sample has too few rows"
}

# No original may be found, neither at the destination nor in any object of the store.
check_masked()
{
    local originals
    query shop "COPY (SELECT email FROM public.customers UNION ALL SELECT card_number FROM public.customers
        WHERE card_number IS NOT NULL UNION ALL SELECT iban FROM public.payments) TO STDOUT" >"$work/originals"
    originals=$(wc -l <"$work/originals")
    [ "$originals" -gt 100000 ] || fail "the sample has too few originals to look for"
    psql -X -q -d shop_masked -c "COPY (SELECT c.*, '|' FROM public.customers c) TO STDOUT" -c "COPY public.payments TO STDOUT" >"$work/restored"
    if LC_ALL=C grep -q -F -f "$work/originals" "$work/restored"; then
        fail "an original value is in the restored database"
    fi
    find "$work/store" -name '*.zst' -exec zstd -dcq {} + >"$work/stored"
    if LC_ALL=C grep -q -F -f "$work/originals" "$work/stored"; then
        fail "an original value is in the store"
    fi
    echo "   $originals e-mail addresses, card numbers and IBANs looked for: none is in the store, none at the destination"
}

throughput()
{
    local bytes rows
    bytes=$(env -i REPLICA_FROM="file://$work/store" REPLICA_LOG_FORMAT=json "$replica" list | grep -o '"plain_bytes":[0-9]*' | cut -d : -f 2)
    rows=$(awk -F '|' '{ all += $2 } END { print all }' "$work/before")
    awk -v bytes="$bytes" -v rows="$rows" -v dump="$1" -v restore="$2" 'BEGIN {
        printf "   dump     %6.2f s  %7.1f MiB/s  %9d rows/s\n", dump / 1000, bytes / 1048576 / (dump / 1000), rows / (dump / 1000)
        printf "   restore  %6.2f s  %7.1f MiB/s  %9d rows/s   (indexes and constraints included)\n", restore / 1000,
            bytes / 1048576 / (restore / 1000), rows / (restore / 1000) }'
}

main()
{
    local begin dump_ms restore_ms
    [ -x "$replica" ] || fail "$replica is not there; ./build.sh builds it"
    # The server's user must pass through, and replica's user write below it.
    chmod 755 "$work"

    say "A throw-away PostgreSQL, and a sample shop"
    begin=$(now_ms)
    "$root/tests/postgres.sh" start "$work/server"
    # shellcheck disable=SC1091  # written by postgres.sh
    . "$work/server/env"
    load_sample
    printf '   PostgreSQL %s, %s of data, ready in %s s\n' "$(query postgres 'SHOW server_version' | cut -d ' ' -f 1)" \
        "$(query shop 'SELECT pg_size_pretty(pg_database_size(current_database()))')" "$((($(now_ms) - begin + 500) / 1000))"

    say "Dump it, masked, into a directory"
    mkdir "$work/store"
    begin=$(now_ms)
    run_replica dump "REPLICA_FROM=postgres://postgres@127.0.0.1:$PGPORT/shop" "REPLICA_TO=file://$work/store" \
        "REPLICA_TRANSFORM=$rules"
    dump_ms=$(($(now_ms) - begin))

    say "What the store holds"
    run_replica list "REPLICA_FROM=file://$work/store"
    echo
    run_replica show "REPLICA_FROM=file://$work/store" >"$work/shown"
    grep -v '^ *\(Awkward "Zoo"\|zoo[_ ]1.\)\.' "$work/shown" | cut -c -160
    echo "   ... and $(grep -c '^ *\(Awkward "Zoo"\|zoo[_ ]1.\)\.' "$work/shown") awkward tables of the zoo"

    say "Restore it into a second database"
    begin=$(now_ms)
    run_replica restore "REPLICA_FROM=file://$work/store" "REPLICA_TO=postgres://postgres@127.0.0.1:$PGPORT/shop_masked"
    restore_ms=$(($(now_ms) - begin))

    say "Some customers, before and after"
    before_and_after || fail "a masked column still holds its original value"

    say "Rows on both sides"
    check_counts

    say "Originals looked for"
    check_masked

    say "Throughput"
    throughput "$dump_ms" "$restore_ms"
    echo
    echo "Done; everything that was made is removed again."
}

main
