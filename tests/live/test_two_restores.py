"""Promise: a destination is one run's alone; a second restore or copy into it is told so, and changes nothing."""

import json
import signal
import subprocess

import pytest

import compare
import proxy
import tool

LOCKED = 7
# As docs/operations.md has it, for those who look for it themselves.
HOLDERS = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 1919250540
    AND objid = 1768120577 AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def ends(store, target):
    return {"REPLICA_FROM": store.url, "REPLICA_TO": target.url(), "REPLICA_CLEAN": "yes"}


@pytest.fixture
def going(small, small_store, target):
    """A restore that stands still in its first moment: somebody holds a table that it will drop."""
    target.sql("CREATE TABLE held (a integer); INSERT INTO held VALUES (1)")
    locker = subprocess.Popen(
        ["psql", "-X", "-q", "-h", target.server.socket, "-p", str(target.server.port), "-U", "postgres", "-d", target.name],
        stdin=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"})
    locker.stdin.write(b"BEGIN; LOCK TABLE held IN ACCESS SHARE MODE;\n")
    locker.stdin.flush()
    target.eventually("SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass", "1")
    process = tool.start("restore", **ends(small_store, target))
    try:
        target.eventually(HOLDERS, "1", 10)
        target.eventually("SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass AND NOT granted", "1")
        yield process, lambda: locker.stdin.close()
    finally:
        for left in (locker, process):
            left.kill()
            left.wait()


@pytest.mark.parametrize("second", ["restore", "copy"])
def test_a_second_one_is_refused(going, small, small_store, target, second):
    first, go_on = going
    source = {"restore": small_store, "copy": small}[second]
    from_ = source.url if second == "restore" else source.url()
    variables = {**ends(small_store, target), "REPLICA_FROM": from_}
    tool.refused(tool.run(second, **variables), LOCKED, "another restore or copy", target.name, "nothing was changed")
    assert target.sql("SELECT count(*) FROM pg_class WHERE relname = 'held'") == "1"
    checked = tool.run("check", REPLICA_LOG_FORMAT="json", **variables)
    said = {line["check"]: line for line in json.loads(checked.out)["checks"]}
    assert checked.code == LOCKED and "another restore or copy" in said["destination"]["text"]
    go_on()
    _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    compare.assert_same(small, target, "-O", "-x")
    assert target.sql(HOLDERS) == "0"


def test_one_that_is_killed_lets_go(going, small, small_store, target):
    first, go_on = going
    first.send_signal(signal.SIGKILL)
    first.wait()
    # Its server's process still waits for the table, and would drop it: the claim rightly stands.
    tool.refused(tool.run("restore", **ends(small_store, target)), LOCKED, "under way")
    go_on()
    tool.succeed(tool.run("restore", **ends(small_store, target)))
    compare.assert_same(small, target, "-O", "-x")


def test_right_after_a_kill(small, small_store, target):
    """Killed amid its rows, its connections are gone with it: the next one need not wait for anybody."""
    line = proxy.Proxy(target.server.port, rate=200_000)
    process = tool.start("restore", **{**ends(small_store, target), "REPLICA_TO": target.url(port=line.port)})
    target.eventually("SELECT count(*) > 0 FROM pg_stat_activity WHERE query ~ '^COPY' AND datname = current_database()", "t")
    process.kill()
    process.communicate()
    tool.restore(small_store, target, REPLICA_CLEAN="yes")
    compare.assert_same(small, target, "-O", "-x")


def test_four_at_once_end_with_one_whole_database(small, small_store, target):
    runs = [tool.start("restore", **ends(small_store, target)) for _ in range(4)]
    codes = []
    for process in runs:
        _, err = process.communicate(timeout=60)
        codes.append(process.returncode)
        assert process.returncode in (0, LOCKED), err
    assert 0 in codes
    compare.assert_same(small, target, "-O", "-x")


def test_databases_of_one_server_do_not_hold_each_other_up(going, small, small_store, server, databases):
    other = databases(server)
    tool.restore(small_store, other)
    compare.assert_same(small, other, "-O", "-x")
