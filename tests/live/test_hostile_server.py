"""Promise: a server that lies about rows, counts, lengths or itself is noticed; nothing of it is stored or loaded as if
it were well, and nobody waits for it deaf to SIGTERM.

A proxy stands before a real server and changes its messages (liar.py): as the source of a dump and of a copy, and as
the destination of a restore.
"""

import collections
import itertools
import signal
import struct
import time

import pytest

import liar
import tool
from liar import error, message

Lie = collections.namedtuple("Lie", "name lie codes")
SOURCE, COPIES, TARGET = [], [], []


def at_row(number, change):
    """A lie about one row of the source: change makes bytes of its body."""

    def lie(kind, body, seen):
        if kind == b"d" and body.startswith(b"row "):
            seen["rows"] += 1
            if seen["rows"] == number:
                return change(body)
        return None

    return lie


def row(name, change, codes=(3,)):
    SOURCE.append(Lie(name, at_row(50, change), codes))
    COPIES.append(Lie(name, at_row(50, change), (*codes, 6)))


def instead(wanted, change, where=lambda body: True):
    """A lie about each message of this kind."""
    return lambda kind, body, seen: change(body) if kind == wanted and where(body) else None


def is_copy_tag(body):
    return body.startswith(b"COPY ")


row("an end mark", lambda body: message(b"d", b"\\.\n"))
row("an end mark before the row", lambda body: message(b"d", b"\\.\n" + body))
row("an end mark behind a field", lambda body: message(b"d", body[:-1] + b"\\.\n"))
row("an end mark with a carriage return", lambda body: message(b"d", b"\\.\r\n"))
row("a row without its newline", lambda body: message(b"d", body[:-1]))
row("a last byte that is a backslash", lambda body: message(b"d", body[:-1] + b"\\"))
row("two rows in one message", lambda body: message(b"d", body + body))
row("one row in two messages", lambda body: message(b"d", body[:3]) + message(b"d", body[3:]))
row("an empty message", lambda body: message(b"d") + message(b"d", body))
row("a zero byte", lambda body: message(b"d", body[:-1] + b"\0\n"))
row("a carriage return", lambda body: message(b"d", body[:-1] + b"\r\n"))
row("a command of psql", lambda body: message(b"d", b"\\! touch /tmp/canary\n"))
row("a newline behind a backslash", lambda body: message(b"d", body[:-1] + b"\\\n"))
row("a row that is missing", lambda body: b"")
row("a row twice", lambda body: message(b"d", body) * 2)
row("a length of 2 GiB", lambda body: b"d\x7f\xff\xff\xff" + body + liar.CUT)
row("a length of 3", lambda body: b"d\0\0\0\3" + body)
row("a message that nobody knows", lambda body: message(b"!", body))
row("a notice of 1 MiB", lambda body: error(b"x" * 1048576, b"NOTICE", b"N") + message(b"d", body))
row("an error", lambda body: error(b"enough") + liar.CUT)
# With a tag that fits nobody could tell: a server may always know fewer rows than it has.
row("a COPY that is done early", lambda body: message(b"c") + message(b"C", b"COPY 100\0") + message(b"Z", b"I"))
row("a thousand notices, and a row less", lambda body: error(b"well", b"NOTICE", b"N") * 1000)

for name, tag in [("more rows", b"COPY 99999"), ("fewer rows", b"COPY 1"), ("no number", b"COPY"), ("words", b"COPY x"),
                  ("another statement", b"INSERT 0 1")]:  # fmt: skip
    each = Lie("a tag of " + name, instead(b"C", lambda body, tag=tag: message(b"C", tag + b"\0"), is_copy_tag), (3,))
    SOURCE.append(each)
SOURCE.append(Lie("no tag", instead(b"C", lambda body: b"", is_copy_tag), (3,)))
SOURCE.append(Lie("endless tags", instead(b"C", lambda body: itertools.repeat(message(b"C", body) * 100), is_copy_tag), (3,)))
SOURCE.append(Lie("a COPY the other way", instead(b"H", lambda body: message(b"G", body)), (3,)))
SOURCE.append(Lie("a COPY both ways", instead(b"H", lambda body: message(b"W", body)), (3,)))
SOURCE.append(Lie("endless errors", instead(b"H", lambda body: itertools.repeat(error(b"no") * 100)), (3,)))
SOURCE.append(Lie("an error of a length that never comes", instead(b"H", lambda body: b"E\x3f\0\0\0" + liar.CUT), (3,)))


def status(wanted, value):
    """The server says this of itself."""

    def change(body):
        return message(b"S", wanted + b"\0" + value + b"\0") if body.startswith(wanted + b"\0") else message(b"S", body)

    return instead(b"S", change)


SOURCE.append(Lie("an encoding with a statement in it", status(b"server_encoding", b"UTF8'; DROP TABLE t; --"), (3,)))
SOURCE.append(Lie("an encoding of clients alone", status(b"server_encoding", b"SJIS"), (3,)))
SOURCE.append(Lie("an encoding with a newline", status(b"server_encoding", b"UTF8\n\\! id"), (3,)))
SOURCE.append(Lie("a version that is none", status(b"server_version", b"new"), (3,)))


def is_create(body):
    return body.startswith(b"CREATE TABLE")


TARGET += [
    Lie("a tag of more rows", instead(b"C", lambda body: message(b"C", b"COPY 99999\0"), is_copy_tag), (6,)),
    Lie("a tag of fewer rows", instead(b"C", lambda body: message(b"C", b"COPY 1\0"), is_copy_tag), (6,)),
    Lie("a tag without a number", instead(b"C", lambda body: message(b"C", b"COPY\0"), is_copy_tag), (6,)),
    Lie("no tag", instead(b"C", lambda body: b"", is_copy_tag), (4,)),
    Lie("a COPY that nobody asked for", instead(b"C", lambda body: message(b"G", b"\0\0\0"), is_create), (6,)),
    Lie("rows that nobody asked for", instead(b"C", lambda body: message(b"H", b"\0\0\0"), is_create), (6,)),
    Lie("a COPY both ways", instead(b"C", lambda body: message(b"W", b"\0\0\0"), is_create), (6,)),
    Lie("two answers to a statement", instead(b"C", lambda body: message(b"C", body) * 2, is_create), (6,)),
    Lie("endless answers", instead(b"C", lambda body: itertools.repeat(message(b"C", body) * 100), is_create), (4, 6)),
    Lie("endless errors", instead(b"C", lambda body: itertools.repeat(error(b"no") * 100), is_create), (4,)),
    Lie("an encoding in the middle", instead(b"C", lambda body: message(b"S", b"client_encoding\0SJIS\0")
        + message(b"C", body), is_create), (6,)),
    Lie("backslashes in the middle", instead(b"C", lambda body: message(b"S", b"standard_conforming_strings\0off\0")
        + message(b"C", body), is_create), (6,)),
    Lie("another encoding among rows", instead(b"C", lambda body: message(b"S", b"client_encoding\0SJIS\0")
        + message(b"C", body), is_copy_tag), (4,)),
    Lie("an encoding that no database has", status(b"server_encoding", b"GBK"), (4,)),
]  # fmt: skip


def left_open(kind, body, seen):
    """A transaction that goes on behind CREATE TABLE."""
    if kind == b"C" and is_create(body):
        seen["created"] = True
    if kind == b"Z" and seen.pop("created", False):
        return message(b"Z", b"T")
    return None


TARGET.append(Lie("a transaction left open", left_open, (6,)))


@pytest.fixture(scope="module")
def source(server):
    database = server.create("hostile source")
    database.sql("CREATE TABLE t (a text); INSERT INTO t SELECT 'row ' || n FROM generate_series(1, 100) n")
    yield database
    database.drop()


def url(database, port):
    return database.url(port=port, sslmode="disable", gssencmode="disable")


def tried(lies, what, run, capsys):
    failures = []
    for each in lies:
        begin = time.monotonic()
        try:
            result, left = run(each)
        except AssertionError as hanging:
            failures.append("%s: %s" % (each.name, hanging))
            continue
        if time.monotonic() - begin > 20:
            failures.append("%s: takes too long" % each.name)
        if result.code not in each.codes:
            failures.append("%s: exit %d instead of %s: %s" % (each.name, result.code, each.codes, result.err))
        if left:
            failures.append("%s: %s is there" % (each.name, left))
    with capsys.disabled():
        print("\n%s: %d cases, %d failures" % (what, len(lies), len(failures)))
    assert not failures, "\n\n".join(failures)


def test_a_source_that_lies(server, source, store, capsys):
    def run(each):
        with liar.before(server.port, each.lie) as proxy:
            result = tool.run("dump", 30, REPLICA_FROM=url(source, proxy.port), REPLICA_TO=store.url)
        return result, store.complete()

    tried(SOURCE, "hostile source of a dump", run, capsys)


def test_a_source_that_lies_to_a_copy(server, source, databases, capsys):
    """As text, which rows with a user's type are."""
    source.sql("CREATE TYPE mood AS ENUM ('good'); ALTER TABLE t ADD b mood DEFAULT 'good'")

    def run(each):
        target = databases(server)
        with liar.before(server.port, each.lie) as proxy:
            result = tool.run("copy", 30, REPLICA_FROM=url(source, proxy.port), REPLICA_TO=target.url())
        return result, None

    try:
        tried(COPIES, "hostile source of a copy", run, capsys)
    finally:
        source.sql("ALTER TABLE t DROP b; DROP TYPE mood")


def test_a_destination_that_lies(server, source, store, databases, capsys):
    tool.dump(source, store)

    def run(each):
        target = databases(server)
        with liar.before(server.port, each.lie) as proxy:
            result = tool.run("restore", 30, REPLICA_FROM=store.url, REPLICA_TO=url(target, proxy.port))
        return result, None

    tried(TARGET, "hostile destination of a restore", run, capsys)


@pytest.mark.parametrize("kind", [b"d", b"H", b"T"])
def test_who_never_stops_talking_is_left(server, source, store, kind):
    """Notices without end in front of a row, an answer, a description of rows."""
    flood = instead(kind, lambda body: itertools.repeat(error(b"well", b"NOTICE", b"N") * 100))
    with liar.before(server.port, flood) as proxy:
        process = tool.start("dump", REPLICA_FROM=url(source, proxy.port), REPLICA_TO=store.url)
        time.sleep(1.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=15)
    assert process.returncode == 143, err
    assert not store.complete()
