"""Promise: SIGTERM and SIGINT end any run within ten seconds, with 143 and 130, and leave nothing behind."""

import contextlib
import os
import select
import signal
import threading
import time

import pytest

import proxy
import tool

SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
ENDS_WITHIN = 10
WAITS = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"


def stopped(process, number, code):
    begin = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    seconds = time.monotonic() - begin
    assert process.returncode == code, err.decode(errors="replace")
    assert seconds < ENDS_WITHIN
    return err.decode(errors="replace")


def nothing_left(store):
    assert store.complete() == []
    assert [name for name in store.files() if name.endswith((".zst", ".sql", ".tmp"))] == []


def has_begun(store):
    """Wait until something of the dump is in the store."""
    deadline = time.monotonic() + 15
    while not store.files():
        assert time.monotonic() < deadline, "nothing comes into the store"
        time.sleep(0.01)


@pytest.mark.parametrize("number, code", SIGNALS)
def test_in_the_middle_of_a_dump(big, store, number, code):
    source, _ = big
    with proxy.between(source.server.port, rate=30e6) as line:
        process = tool.start("dump", REPLICA_FROM=source.url(port=line.port), REPLICA_TO=store.url)
        line.wait_passed(15e6)
        has_begun(store)
        stopped(process, number, code)
    nothing_left(store)
    source.sessions_end()


@pytest.mark.parametrize("number, code", SIGNALS)
def test_in_the_middle_of_a_restore(big, store, target, number, code):
    _, source = big
    tool.dump(source, store)
    with proxy.between(target.server.port, rate=20e6) as line:
        process = tool.start(
            "restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(port=line.port)
        )
        line.wait_passed(10e6)
        stopped(process, number, code)
    target.sessions_end()
    tool.restore(store, target, REPLICA_CLEAN="yes")


@contextlib.contextmanager
def locked(database, table):
    """Another session holds the table, as a long ALTER would."""
    ready, done = threading.Event(), threading.Event()

    def hold():
        database.server.psql(
            ["-c", "BEGIN; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)" % table],
            database.name,
            check=False,
        )

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    database.eventually(
        "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
        " AND locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        "t",
    )
    try:
        yield
    finally:
        database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
        )
        thread.join()


def test_while_waiting_for_a_lock(databases, server, store):
    source = databases(server)
    source.sql("CREATE TABLE busy (a integer)")
    with locked(source, "busy"):
        process = tool.start("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url)
        source.eventually(WAITS, "t")
        assert process.poll() is None
        stopped(process, signal.SIGTERM, 143)
    nothing_left(store)


def test_a_lock_that_is_given_back_in_time(databases, server, store):
    source = databases(server)
    source.sql("CREATE TABLE busy (a integer); INSERT INTO busy VALUES (1)")
    with locked(source, "busy"):
        process = tool.start("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url)
        source.eventually(WAITS, "t")
        assert process.poll() is None
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert store.manifest()["rows"] == 1


def test_while_a_statement_of_the_restore_runs(databases, server, store, target):
    """An index whose function sleeps: the server is told to cancel it."""
    source = databases(server)
    source.sql("""CREATE TABLE slow (a integer); INSERT INTO slow VALUES (1);
        CREATE FUNCTION nap(a integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$
        BEGIN IF current_database() <> '%s' THEN PERFORM pg_sleep(60); END IF; RETURN a; END $$;
        CREATE INDEX ON slow (nap(a))""" % source.name)
    tool.dump(source, store)
    process = tool.start("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url())
    target.eventually(
        "SELECT count(*) > 0 FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'CREATE INDEX%'",
        "t",
    )
    stopped(process, signal.SIGTERM, 143)
    target.sessions_end()


def test_while_nobody_reads_the_export(shop, store):
    tool.dump(shop, store)
    read_end, write_end = os.pipe()
    process = tool.start("export", stdout=write_end, REPLICA_FROM=store.url, REPLICA_TO="stdout:")
    os.close(write_end)
    assert select.select([read_end], [], [], 30)[0], "the export does not begin"
    time.sleep(0.5)
    stopped(process, signal.SIGTERM, 143)
    os.close(read_end)


def test_a_second_signal_does_no_harm(big, store):
    source, _ = big
    with proxy.between(source.server.port, rate=30e6) as line:
        process = tool.start("dump", REPLICA_FROM=source.url(port=line.port), REPLICA_TO=store.url)
        line.wait_passed(10e6)
        process.send_signal(signal.SIGTERM)
        stopped(process, signal.SIGTERM, 143)
    nothing_left(store)
