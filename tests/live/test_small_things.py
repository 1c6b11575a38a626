"""Promise: small mistakes of others, and of the user, end in a sentence that helps, and not in silence."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import time

import pytest

import tool

FUTURE = ["dump-18446744073709551615", "dump-9999999999999", "dump-%d" % ((time.time() + 3 * 86400) * 1000)]


@pytest.mark.parametrize("name", FUTURE)
@pytest.mark.parametrize("whole", [True, False])
def test_a_dump_of_the_future_is_not_the_latest(small_store, small, target, name, whole):
    """It hides no dump that is made now, nor takes the next one's name."""
    path = small_store.file(name)
    if whole:
        shutil.copytree(small_store.dump_path(), path)
        with open(os.path.join(path, "manifest.json")) as file:
            manifest = json.load(file)
        manifest.update(name=name, created_at=int(name[5:]))
        with open(os.path.join(path, "manifest.json"), "w") as file:
            json.dump(manifest, file)
    else:
        os.mkdir(path)
    tool.dump(small, small_store)
    result = tool.restore(small_store, target)
    latest = sorted(each for each in os.listdir(small_store.path) if re.match(r"dump-\d{13}$", each) and each not in FUTURE)[-1]
    assert "restored %s into" % latest in result.err, result.err
    assert ("%s in" % name in result.err and "made in the future" in result.err) == whole
    listed = {each["name"]: each["state"] for each in tool.listed(small_store)["dumps"]}
    assert listed[name] == ("complete" if whole else "incomplete")
    for form in ("text", "json"):
        tool.succeed(tool.run("list", REPLICA_FROM=small_store.url, REPLICA_LOG_FORMAT=form))


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "directory"])
def test_a_lock_that_is_no_file(small, store, kind):
    """A link would have a file made, or locked, wherever it points to."""
    elsewhere = store.path + "-elsewhere"
    lock = store.file(".lock")
    if kind == "link":
        with open(elsewhere, "w"):
            pass
    if kind in ("link", "dangling"):
        os.symlink(elsewhere, lock)
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        os.mkdir(lock)
    result = tool.run("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url)
    tool.refused(result, tool.STORE, "/.lock", "itself is complete")
    assert os.path.exists(elsewhere) == (kind == "link")
    with contextlib.suppress(FileNotFoundError):
        os.remove(elsewhere)


@pytest.mark.long
def test_a_lock_that_is_held_for_ever(small, store):
    with open(store.file(".lock"), "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = tool.run("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url)
    tool.refused(result, 7, "waiting for", "/.lock is still held by another process after 60 s", "itself is complete")


@pytest.mark.long
def test_a_source_that_is_stopped(server, databases, store):
    """It is waited for, and the log says so; when it goes on, so does the dump."""
    source = databases(server)
    source.sql("CREATE TABLE t AS SELECT n, repeat('x', 1000) FROM generate_series(1, 200000) AS n")
    process = tool.start("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url, REPLICA_JOBS=1)
    pids = []
    try:
        while not pids and process.poll() is None:
            found = source.sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%COPY%'"
                               " AND pid <> pg_backend_pid()")
            pids = [int(pid) for pid in found.split()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(64)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0 and pids
    assert b"the source has sent nothing for 60 s" in said


@pytest.mark.parametrize("rule,says", [
    ("public.t.a email domain=keep", "parameters stand in brackets: email(domain=keep)"),
    ("public.t.a redacted width = 3", "parameters stand in brackets: redacted(width = 3)"),
    ("public.t.a email keep", "nothing is expected behind the transformer"),
    ("public.t.a random x=1", "nothing is expected behind the transformer"),
])
def test_a_parameter_without_brackets(small, store, rule, says):
    result = tool.run("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url, REPLICA_TRANSFORM=rule)
    tool.refused(result, tool.CONFIGURATION, says)


def test_help_shows_a_parameter_in_brackets():
    assert "email(domain=keep)" in tool.succeed(tool.run("transformers")).out


def test_one_of_a_kind(server, databases, store, target):
    source = databases(server)
    source.sql("CREATE TABLE t (a text); INSERT INTO t VALUES ('x')")
    ends = {"REPLICA_FROM": source.url(), "REPLICA_TO": store.url, "REPLICA_TRANSFORM": "public.t.a random"}
    said = tool.succeed(tool.run("check", **ends)).out + tool.succeed(tool.run("dump", **ends)).err
    said += tool.restore(store, target).err + tool.succeed(tool.run("export", REPLICA_FROM=store.url)).err
    assert "1 table, 1 rule" in said and "1 table, 1 row" in said
    assert not re.search(r"\b1 (tables|rules|rows|columns|workers|statements|objects)\b", said), said


def test_an_argument_too_many():
    tool.refused(tool.run(["list", "all"]), tool.CONFIGURATION, "unexpected argument 'all'")
