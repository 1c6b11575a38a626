"""Promise: data on stdout, words on stderr, progress where it helps, nothing left lying about."""

import json
import os
import pty
import re
import shutil
import stat
import subprocess
import threading

import pytest

import proxy
import sample
import tool
from servers import ROOT


def test_the_binary_is_static():
    text = subprocess.run(
        ["readelf", "-W", "-l", "-d", tool.SOURCE_BINARY],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "INTERP" not in text and "NEEDED" not in text
    assert "There is no dynamic section" in text
    assert os.path.getsize(tool.SOURCE_BINARY) <= 4 * 1024 * 1024


def test_it_needs_nothing_but_itself(small, room):
    """As in an image with one file: the binary, what a container runtime adds (/proc, /dev/urandom) and a
    mounted store; another user, no /tmp, no /etc, no shell, no HOME."""
    root = os.path.join(room, "empty-root")
    os.makedirs(root + "/proc")
    os.makedirs(root + "/store")
    shutil.copy(tool.binary, root + "/replica")
    if (
        os.getuid() != 0
        or subprocess.run(
            ["mount", "-t", "proc", "proc", root + "/proc"], capture_output=True
        ).returncode
        != 0
    ):
        pytest.skip("only root can change the root directory")
    try:
        os.mkdir(root + "/dev")
        os.mknod(root + "/dev/urandom", 0o444 | stat.S_IFCHR, os.makedev(1, 9))
        os.chmod(root + "/dev/urandom", 0o444)
        os.chown(root + "/store", 65532, 65532)
        result = subprocess.run(
            ["/usr/sbin/chroot", "--userspec=65532:65532", root, "/replica", "dump"],
            capture_output=True,
            text=True,
            env={"REPLICA_FROM": small.url(), "REPLICA_TO": "file:///store"},
            timeout=60,
        )
        assert result.returncode == 0, result.stderr
        assert tool.Store(root + "/store").manifest()["rows"] == sample.SMALL_ROWS
    finally:
        subprocess.run(["umount", root + "/proc"], check=True)


def test_stdout_is_for_data(small, store, target):
    dumped = tool.dump(small, store)
    restored = tool.restore(store, target)
    assert dumped.out == "" and restored.out == ""
    assert dumped.err and "\x1b" not in dumped.err and "\r" not in dumped.err
    listed = tool.succeed(tool.run("list", REPLICA_FROM=store.url))
    assert store.complete()[0] in listed.out and "small" in listed.out and "complete" in listed.out
    shown = tool.succeed(tool.run("show", REPLICA_FROM=store.url))
    assert "public.visits" in shown.out and str(sample.SMALL_VISITS) in shown.out


def test_silence_when_only_errors_are_wanted(small, store, target):
    assert tool.dump(small, store, REPLICA_LOG_LEVEL="error").err == ""
    assert tool.restore(store, target, REPLICA_LOG_LEVEL="error").err == ""


def test_json_lines(small, store):
    result = tool.dump(small, store, REPLICA_LOG_FORMAT="json", REPLICA_LOG_LEVEL="debug")
    lines = [json.loads(line) for line in result.err.splitlines()]
    assert lines and all({"time", "level", "message"} <= set(line) for line in lines)
    failed = tool.run(
        "dump",
        REPLICA_FROM=small.url(password="wrong"),
        REPLICA_TO=store.url,
        REPLICA_LOG_FORMAT="json",
    )
    lines = [json.loads(line) for line in failed.err.splitlines()]
    assert lines[-1]["level"] == "error" and "password" in lines[-1]["message"]


def test_json_of_list_and_show(small, store):
    tool.dump(small, store)
    entry = tool.listed(store)["dumps"][0]
    assert (
        entry["state"] == "complete"
        and entry["rows"] == sample.SMALL_ROWS
        and entry["database"] == "small"
    )
    shown = json.loads(
        tool.succeed(tool.run("show", REPLICA_FROM=store.url, REPLICA_LOG_FORMAT="json")).out
    )
    assert shown == store.manifest()


def test_one_error_is_one_line(small, store):
    result = tool.run("dump", REPLICA_FROM=small.url(password="wrong"), REPLICA_TO=store.url)
    assert len([line for line in result.err.splitlines() if "error" in line]) == 1


def on_terminal(command, **variables):
    """Run with a terminal as stderr; returns what the terminal got."""
    leader, follower = pty.openpty()
    process = tool.start(command, stderr=follower, **variables)
    os.close(follower)
    got = []

    def read():
        try:
            while data := os.read(leader, 4096):
                got.append(data)
        except OSError:
            pass

    reader = threading.Thread(target=read)
    reader.start()
    process.communicate(timeout=60)
    reader.join()
    os.close(leader)
    assert process.returncode == 0, b"".join(got)
    return b"".join(got).decode()


def test_a_live_line_on_a_terminal(small, store):
    with proxy.between(small.server.port, rate=2e6) as line:
        got = on_terminal("dump", REPLICA_FROM=small.url(port=line.port), REPLICA_TO=store.url)
    assert "\r" in got and re.search(r"dump +\d+/5 tables", got) and "rows" in got and "/s" in got
    with proxy.between(small.server.port, rate=2e6) as line:
        got = on_terminal(
            "dump",
            REPLICA_FROM=small.url(port=line.port),
            REPLICA_TO=store.url,
            REPLICA_PROGRESS="no",
        )
    assert not re.search(r"\d+/5 tables", got)


def test_a_line_every_ten_seconds_elsewhere(small, store):
    with proxy.between(small.server.port, rate=100e3) as line:
        timer = threading.Timer(15, line.free)
        timer.start()
        result = tool.succeed(
            tool.run("dump", REPLICA_FROM=small.url(port=line.port), REPLICA_TO=store.url)
        )
        timer.cancel()
    lines = [each for each in result.err.splitlines() if re.search(r"\d+/5 tables", each)]
    assert len(lines) == 1 and result.seconds > 10


def test_nothing_is_left_lying_about(small, store, target):
    before = set(os.listdir("/tmp"))
    tool.dump(small, store)
    tool.restore(store, target)
    new = [
        name for name in set(os.listdir("/tmp")) - before if "replica" in name or "pg_dump" in name
    ]
    assert new == []
    assert not [name for name in store.files() if "tmp" in name or name.startswith(".")]


def test_references_are_printed():
    version = tool.succeed(tool.run("--version")).out
    for word in ["replica", "PostgreSQL", "zstd", "BearSSL", "musl"]:
        assert word.lower() in version.lower()
    assert tool.run("version").out == version
    assert "REPLICA_FROM" in tool.succeed(tool.run("--help")).out
    transformers = tool.succeed(tool.run("transformers")).out
    for name in [
        "transient",
        "random",
        "random-date",
        "first-name",
        "email",
        "keep-first-char",
        "phone-number",
        "credit-card",
        "redacted",
        "null",
        "fixed",
    ]:
        assert re.search(r"^\s*%s\b" % name, transformers, re.M), name


def test_the_reference_of_variables_is_fresh():
    with open(os.path.join(ROOT, "docs", "configuration.md")) as file:
        assert tool.succeed(tool.run(["env", "--markdown"])).out == file.read()
