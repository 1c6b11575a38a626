"""Promise: a password is in no command line, no output, no object."""

import os
import threading
import time
import urllib.parse

import proxy
import servers
import tool


def watch(stop, seen):
    """Every command line of the machine, again and again."""
    while not stop.is_set():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as file:
                    line = file.read()
                if line.startswith((b"pg_dump", b"replica")) or b"replica" in line:
                    seen.add(line)
            except OSError:
                pass
        time.sleep(0.001)


def test_the_password_is_nowhere(small, store, target):
    stop, seen = threading.Event(), set()
    watcher = threading.Thread(target=watch, args=(stop, seen))
    watcher.start()
    try:
        with proxy.between(small.server.port, rate=3e6) as line:
            url = small.url(port=line.port)
            dumped = tool.succeed(
                tool.run("dump", REPLICA_FROM=url, REPLICA_TO=store.url, REPLICA_LOG_LEVEL="debug")
            )
        restored = tool.succeed(
            tool.run(
                "restore",
                REPLICA_FROM=store.url,
                REPLICA_TO=target.url(),
                REPLICA_LOG_LEVEL="debug",
            )
        )
    finally:
        stop.set()
        watcher.join()
    assert any(b"pg_dump" in line for line in seen), "the linked-in pg_dump should have been seen"
    secrets = [servers.PASSWORD, urllib.parse.quote(servers.PASSWORD, safe="")]
    text = [line.decode(errors="replace") for line in seen] + [
        dumped.err,
        dumped.out,
        restored.err,
        restored.out,
    ]
    text += [store.plain(name).decode(errors="replace") for name in store.files()]
    for each in text:
        assert not any(secret in each for secret in secrets)


def test_env_shows_no_password(small, store):
    result = tool.succeed(
        tool.run("env", REPLICA_FROM=small.url(), REPLICA_TO=store.url, PGPASSWORD=servers.PASSWORD)
    )
    assert "REPLICA_FROM" in result.out and store.url in result.out
    assert servers.PASSWORD not in result.out + result.err
    assert urllib.parse.quote(servers.PASSWORD, safe="") not in result.out + result.err


def test_a_wrong_url_is_reported_without_its_password(store):
    for url in [
        "postgres://u:hidden-secret@h:port/d",
        "postgres://u:hidden-secret@h:1/d?no_such_option=1",
        "postgres://u:hidden-secret@[h/d",
        "mysql://u:hidden-secret@h/d",
        "postgres//u:hidden-secret@h/d",
    ]:
        result = tool.run("dump", REPLICA_FROM=url, REPLICA_TO=store.url)
        assert result.code in (tool.CONFIGURATION, tool.SOURCE)
        assert "hidden-secret" not in result.err + result.out
