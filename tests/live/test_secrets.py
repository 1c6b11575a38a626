"""Promise: a password is in no command line, no output, no object; and a row in no sentence."""

import contextlib
import os
import subprocess
import threading
import time
import urllib.parse

import pytest

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


URIS = [
    "postgres://u:12/hidden-secret@h/d",
    "postgres://u:hidden-secret/x@h/db",
    "postgres://u:x/hidden-secret@h/db",
    "postgres://u:hidden-secret@x@h/d",
    "postgres://u:x@hidden-secret@h/d",
    "postgres://u:x@hidden-secret/x@h/d",
    "postgres://u:x?hidden-secret@h/d",
    "postgres://h?user=u@hidden-secret",
    "postgres://u:hidden-secret%zz@h/d",
    "postgres://u:hidden-secret x@h/d",
    "postgres://[hidden-secret/d",
    "postgres://h/d?passwrod=hidden-secret",
    "postgres://h/d?Password=hidden-secret",
    "postgres://h/d?hidden-secret",
    "postgres://h/d?hidden-secret=1",
    "postgres://h/d?password=x=hidden-secret",
    "postgresql://h/d?ssl=hidden-secret",
]
SHOWN_NEVER = [
    "postgres://h/d?password=hidden-secret",
    "postgres://h/d?p%61ssword=hidden-secret",
    "postgres://h/d?sslpassword=hidden-secret",
    "postgres://h/d?scram_client_key=hidden-secret",
    "postgres://h/d?oauth_client_secret=hidden-secret",
    "postgres://h/d?options=-c%20my.token%3Dhidden-secret",
]


def test_a_uri_that_can_be_misread_is_refused_unseen(store):
    """libpq would take a piece of the password for a host, and quote it."""
    for uri in URIS:
        for name, other in (("REPLICA_FROM", "REPLICA_TO"), ("REPLICA_TO", "REPLICA_FROM")):
            for command in ("check", "env", None):
                result = tool.run(command, **{name: uri, other: store.url})
                assert result.code == tool.CONFIGURATION and "can be read in one way only" in result.err, (uri, result)
                assert "hidden" not in result.err + result.out, uri
    for uri in SHOWN_NEVER:
        result = tool.succeed(tool.run("env", REPLICA_FROM=uri, REPLICA_TO=store.url))
        assert "hidden" not in result.err + result.out and "postgres://h/d" in result.out, uri
    assert "perhaps it is meant to be password" in tool.run("dump", REPLICA_FROM=URIS[11], REPLICA_TO=store.url).err
    print("%d URIs refused, %d shown without their secret" % (len(URIS), len(SHOWN_NEVER)))


# ---- rows --------------------------------------------------------------------------------------------------------

CARD = "4111-1111-1111-1111"
ELSEWHERE = """CREATE FUNCTION fine(text) RETURNS bool IMMUTABLE LANGUAGE sql
    AS $$ SELECT pg_catalog.current_database() LIKE 'source %%' $$;
CREATE FUNCTION number(text) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT CASE WHEN
    pg_catalog.current_database() LIKE 'source %%' THEN 1 ELSE $1::int END $$;
CREATE FUNCTION raises(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
    IF pg_catalog.current_database() NOT LIKE 'source %%' THEN RAISE 'no' USING DETAIL = $1; END IF; RETURN true; END $$;
CREATE TABLE cards (card text%s); INSERT INTO cards VALUES ('%s');
"""
ROWS = {
    "a row that a CHECK refuses": (" CHECK (fine(card))", "", "violates check constraint"),
    "a value of a stored generated column": (", n int GENERATED ALWAYS AS (number(card)) STORED", "", "invalid input"),
    "a value of an index": ("", "CREATE INDEX ON cards (number(card))", "invalid input syntax for type integer"),
    "what a function says": (" CHECK (raises(card))", "", "no"),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_are_in_no_sentence(server, databases, store, case):
    """DETAIL and CONTEXT show rows, and so does what is said of a value; at debug level they may."""
    column, more, words = ROWS[case]
    source, target = databases(server, "source " + os.urandom(4).hex()), databases(server)
    source.sql(ELSEWHERE % (column, CARD) + more)
    tool.dump(source, store)
    copy = {"REPLICA_FROM": source.url(), "REPLICA_TO": target.url(), "REPLICA_CLEAN": "yes"}
    restore = {**copy, "REPLICA_FROM": store.url}
    for command, variables in (("restore", restore), ("copy", copy)):
        result = tool.run(command, **variables)
        tool.refused(result, tool.TARGET, words)
        assert CARD not in result.err, result.err
    told = tool.run("restore", REPLICA_LOG_LEVEL="debug", **restore)
    assert told.code == tool.TARGET and CARD in told.err


# ---- memory ------------------------------------------------------------------------------------------------------


def test_memory_is_hidden_from_others(small, room):
    """Neither replica nor its pg_dump leaves a core, or shows its environment to the same user's other processes."""
    folder = os.path.join(room, "hidden")
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    reader = tool.as_nobody() or []
    seen = set()
    with proxy.between(small.server.port, rate=1e6) as line:
        process = tool.start("dump", wrapper=reader, REPLICA_FROM=small.url(port=line.port), REPLICA_TO="file://" + folder)
        while process.poll() is None:
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open("/proc/%s/stat" % pid) as file:
                        name, fields = file.read().rsplit(")", 1)
                    with open("/proc/%s/cmdline" % pid, "rb") as file:
                        command = file.read().split(b"\0")[0]
                except OSError:
                    continue
                ours = int(pid) == process.pid or int(fields.split()[1]) == process.pid
                if not ours or os.path.basename(command) not in (b"replica", b"pg_dump"):
                    continue
                read = subprocess.run(reader + ["cat", "/proc/%s/environ" % pid], capture_output=True)
                with contextlib.suppress(OSError):
                    with open("/proc/%s/limits" % pid) as file:
                        limits = file.read()
                    # Between fork and main() there is a moment in which it is neither.
                    if "Max core file size        0                    0" in limits and read.returncode != 0:
                        seen.add(os.path.basename(command))
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert seen == {b"replica", b"pg_dump"}, seen


# ---- passwords within the schema ---------------------------------------------------------------------------------

# In the order of the options' names, as pg_dump writes them.
FOREIGN = r"""
CREATE FOREIGN DATA WRAPPER w OPTIONS ("Fetch" 'all', api_token 'hidden-a');
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS ("Password" 'hidden-b', dbname 'd''x',
    dsn 'DRIVER=x;UID=u;PWD=hidden-c', host 'h', odd E'a\\b', url 'jdbc:x://u:hidden-d@h/');
CREATE SERVER plain FOREIGN DATA WRAPPER w OPTIONS (host 'h', key_column 'k');
CREATE USER MAPPING FOR postgres SERVER s OPTIONS (password 'hidden-''e''', "user" 'u', whatever E'hidden\\f');
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (passcode 'hidden-g');
CREATE USER MAPPING FOR PUBLIC SERVER plain;
CREATE FOREIGN TABLE f (a int OPTIONS (key 'true', secret_of_column 'hidden-h'), b text DEFAULT 'OPTIONS (password ''x'')')
    SERVER s OPTIONS (program 'curl -H "Authorization: hidden-i"', "table" 't');
CREATE PUBLICATION p;
CREATE SUBSCRIPTION kv CONNECTION 'host=h dbname=''a b'' password=''hidden-j \''k'' user=u options=''-c x.y=1''' PUBLICATION p, "q r"
    WITH (connect = false, slot_name = 'slot');
CREATE SUBSCRIPTION uri CONNECTION 'postgres://u:hidden-l@h:1/d?sslpassword=hidden-m&sslmode=require' PUBLICATION p
    WITH (connect = false);
CREATE SUBSCRIPTION bare CONNECTION 'host=h user=u' PUBLICATION p WITH (connect = false);
"""
SAID = ["api_token", '"Password", dsn, url', "password, whatever", "passcode", "secret_of_column of «ALTER FOREIGN TABLE ONLY public.f", "program of", "password of",
        "«CREATE SUBSCRIPTION kv»", "«CREATE USER MAPPING FOR public SERVER s»", "password, sslpassword"]


@pytest.fixture
def foreign(any_server, databases):
    database = databases(any_server)
    database.sql(FOREIGN)
    yield database
    subscriptions_end(database)


@pytest.fixture(params=["13", "debian", "18"])
def any_server(request):
    return request.getfixturevalue("server" if request.param == "debian" else "server" + request.param)


def subscriptions_end(database):
    for name in database.sql("SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid"
                             " WHERE datname = current_database()").split():
        database.sql("ALTER SUBSCRIPTION %s SET (slot_name = NONE); DROP SUBSCRIPTION %s" % (name, name))


HELD = """SELECT coalesce(string_agg(x::text, E'\n' ORDER BY x::text), '') FROM (
    SELECT fdwname || fdwoptions::text FROM pg_foreign_data_wrapper
    UNION ALL SELECT srvname || srvoptions::text FROM pg_foreign_server
    UNION ALL SELECT srvname || usename || umoptions::text FROM pg_user_mappings WHERE umoptions IS NOT NULL
    UNION ALL SELECT ftoptions::text FROM pg_foreign_table
    UNION ALL SELECT attname || attfdwoptions::text FROM pg_attribute WHERE attfdwoptions IS NOT NULL
    UNION ALL SELECT subname || subconninfo || subenabled::text || coalesce(subslotname, '') FROM pg_subscription s
        JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()) AS t(x)"""


def test_passwords_of_the_schema_stay_behind(foreign, any_server, databases, store):
    dumped = tool.dump(foreign, store)
    text = "".join(store.plain(name).decode() for name in store.files())
    assert "hidden" not in text + dumped.err
    for words in SAID:
        assert words in dumped.err, words
    assert dumped.err.count("leaving out") == 8 and "«CREATE SERVER plain" not in dumped.err
    exported = tool.succeed(tool.run("export", REPLICA_FROM=store.url))
    copied, restored = databases(any_server), databases(any_server)
    try:
        told = tool.succeed(tool.run("copy", REPLICA_FROM=foreign.url(), REPLICA_TO=copied.url()))
        assert "hidden" not in told.err + exported.out and told.err.count("leaving out") == 8
        tool.restore(store, restored)
        held = restored.sql(HELD)
        assert held == copied.sql(HELD) and "hidden" not in held
        for words in ("host=h", "dbname=d'x", "key_column=k", "user=u", "key=true", "a\\\\b", "password='left-out'"):
            assert words in held, (words, held)
        assert restored.sql("SELECT bool_or(subenabled) FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid"
                            " WHERE datname = current_database()") == "f"
        assert restored.sql("SELECT count(*) FROM pg_user_mappings") == "3"
    finally:
        for database in (copied, restored):
            subscriptions_end(database)


def test_passwords_travel_when_asked_for(foreign, any_server, databases, store):
    asked = {"REPLICA_SECRETS": "yes"}
    assert "leaving out" not in tool.dump(foreign, store, **asked).err
    quiet = tool.succeed(tool.run("export", REPLICA_FROM=store.url))
    assert "hidden" not in quiet.out and quiet.err.count("leaving out") == 8
    assert "hidden-b" in tool.succeed(tool.run("export", REPLICA_FROM=store.url, **asked)).out
    restored, stripped = databases(any_server), databases(any_server)
    try:
        tool.restore(store, restored, **asked)
        assert restored.sql(HELD) == foreign.sql(HELD)
        tool.restore(store, stripped)
        assert "hidden" not in stripped.sql(HELD)
    finally:
        for database in (restored, stripped):
            subscriptions_end(database)
