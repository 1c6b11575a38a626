#!/bin/bash
# postgres.sh - a throw-away PostgreSQL server for the demo, the benchmark and the live tests.
#
#   tests/postgres.sh start DIR [BIN] [LINE...]   make a cluster in DIR and start it
#   tests/postgres.sh stop DIR                    stop it and remove DIR
#   tests/postgres.sh bin                         print where Debian's newest server binaries lie
#
# DIR must not exist yet, or be empty.  BIN holds initdb, pg_ctl and postgres; without it (or with '')
# Debian's newest are taken.  Each LINE is appended to postgresql.conf.  When start returns 0 the server
# answers, and DIR/env can be sourced: it sets PGHOST (the socket directory), PGPORT and PGUSER; the same
# port listens on 127.0.0.1.
#
# The superuser is called postgres.  POSTGRES_PASSWORD, when set, is its password, and TCP connections
# must then give it (scram-sha-256); the socket always trusts.  POSTGRES_INITDB holds more arguments for
# initdb (default: -E UTF8 --locale=C.UTF-8).  POSTGRES_PRIMARY is the DIR of another server: then this one
# becomes its hot standby.
#
# As root the server runs as the user postgres, or nobody.  Durability is off: a crash loses the data, a
# test is faster.  System clusters are never touched.
set -euo pipefail

die()
{
    echo "postgres.sh: $*" >&2
    exit 1
}

# Run something as the user that the server runs as; PostgreSQL refuses to be root.
as_server()
{
    if [ "$(id -u)" != 0 ]; then
        "$@"
    else
        setpriv --reuid "$server_user" --regid "$(id -g "$server_user")" --clear-groups \
            env -u XDG_RUNTIME_DIR HOME=/nonexistent "$@"
    fi
}

debian_bin()
{
    local newest
    newest=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sort -V | tail -n 1)
    [ -x "$newest/bin/initdb" ] || die "no PostgreSQL server found below /usr/lib/postgresql"
    echo "$newest/bin"
}

port_is_free()
{
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

write_configuration()
{
    local dir=$1 port=$2
    shift 2
    cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir/socket'
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
jit = off
wal_level = logical
max_wal_size = 4GB
shared_buffers = 128MB
max_connections = 60
max_locks_per_transaction = 256
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] %q%a@%d '
CONF
    for line in "$@"; do
        echo "$line" >>"$dir/data/postgresql.conf"
    done
}

write_access()
{
    local dir=$1 tcp=trust
    [ -z "${POSTGRES_PASSWORD:-}" ] || tcp=scram-sha-256
    cat >"$dir/data/pg_hba.conf" <<CONF
local all all trust
local replication all trust
host all all 127.0.0.1/32 $tcp
CONF
}

# Another process may take the port between our look and the server's bind, so a few ports are tried.
start_server()
{
    local dir=$1 bin=$2 attempt port
    shift 2
    cp "$dir/data/postgresql.conf" "$dir/postgresql.conf.initdb"
    for attempt in 1 2 3 4 5; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        port_is_free "$port" || continue
        cp "$dir/postgresql.conf.initdb" "$dir/data/postgresql.conf"
        write_configuration "$dir" "$port" "$@"
        if as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start >"$dir/pg_ctl.log" 2>&1; then
            printf 'export PGHOST=%s PGPORT=%s PGUSER=postgres\n' "$dir/socket" "$port" >"$dir/env"
            return
        fi
        grep -qi 'could not bind\|in use' "$dir/log" || break
    done
    tail -n 20 "$dir/pg_ctl.log" "$dir/log" >&2
    die "the server in $dir did not start"
}

make_cluster()
{
    local dir=$1 bin=$2 password=$3
    # shellcheck disable=SC2086  # several words are meant
    (cd "$dir" && as_server "$bin/initdb" -D "$dir/data" -U postgres -N --pwfile="$password" \
        --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB:--E UTF8 --locale=C.UTF-8}) >"$dir/initdb.log" 2>&1 || {
        tail -n 20 "$dir/initdb.log" >&2
        die "initdb failed"
    }
}

make_standby()
{
    local dir=$1 bin=$2 primary=$3
    # shellcheck disable=SC1091  # written by another run of this script
    (cd "$dir" && . "$primary/env" && as_server env PGHOST="$PGHOST" PGPORT="$PGPORT" PGUSER="$PGUSER" \
        "$bin/pg_basebackup" -D "$dir/data" -R -c fast -N) >"$dir/basebackup.log" 2>&1 || {
        tail -n 20 "$dir/basebackup.log" >&2
        die "pg_basebackup failed"
    }
}

start()
{
    local dir=$1 bin=${2:-} password
    shift $(($# > 1 ? 2 : 1))
    [ -n "$bin" ] || bin=$(debian_bin)
    if [ -e "$dir" ]; then
        [ -z "$(ls -A "$dir")" ] || die "$dir is not empty"
    fi
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    [ ${#dir} -lt 80 ] || die "$dir is too long a path for a socket"
    echo "$bin" >"$dir/bin"
    if [ "$(id -u)" = 0 ]; then
        chown -R "$server_user" "$dir"
    fi
    # A checkout below /root cannot be read by the server's user: bring the binaries to where it can.
    if ! as_server test -x "$bin/postgres"; then
        cp -a "$(dirname "$bin")" "$dir/postgres"
        bin=$dir/postgres/$(basename "$bin")
        chmod -R go+rX "$dir/postgres"
        echo "$bin" >"$dir/bin"
    fi
    as_server mkdir -m 755 "$dir/socket"
    password=$dir/password
    (umask 077 && printf '%s\n' "${POSTGRES_PASSWORD:-unused}" >"$password")
    [ "$(id -u)" != 0 ] || chown "$server_user" "$password"
    if [ -n "${POSTGRES_PRIMARY:-}" ]; then
        make_standby "$dir" "$bin" "$POSTGRES_PRIMARY"
    else
        make_cluster "$dir" "$bin" "$password"
    fi
    rm -f "$password"
    write_access "$dir"
    (cd "$dir" && start_server "$dir" "$bin" "$@")
}

stop()
{
    local dir=$1
    [ -d "$dir" ] || return 0
    [ -f "$dir/bin" ] || die "$dir was not made by postgres.sh"
    if [ -f "$dir/data/postmaster.pid" ]; then
        (cd "$dir" && as_server "$(cat "$dir/bin")/pg_ctl" -D "$dir/data" -m immediate -w stop) >/dev/null || true
    fi
    rm -rf "$dir"
}

server_user=postgres
id "$server_user" >/dev/null 2>&1 || server_user=nobody

case "${1:-}:$#" in
start:0 | start:1 | stop:1) die "which directory?" ;;
start:*) shift && start "$@" ;;
stop:2) stop "$2" ;;
bin:1) debian_bin ;;
*) die "usage: $0 start DIR [BIN] [LINE...] | stop DIR | bin" ;;
esac
