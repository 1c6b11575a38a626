"""Promise: event triggers come last: nothing that a restore, a copy or psql does makes them fire."""

import hashlib
import os

import pytest

import compare
import tool

# It writes a row for every command, and so for REFRESH, which pg_dump writes behind it.
WRITER = """
CREATE TABLE audit (at serial, tag text);
CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.audit (tag) VALUES (tg_tag); END$$;
CREATE TABLE t (id integer PRIMARY KEY, v integer);
INSERT INTO t SELECT i, i FROM generate_series(1, 100) AS i;
CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t;
CREATE MATERIALIZED VIEW m2 AS SELECT n FROM m;
CREATE EVENT TRIGGER "note it" ON ddl_command_end EXECUTE FUNCTION note();
COMMENT ON EVENT TRIGGER "note it" IS 'CREATE EVENT TRIGGER stands here, too';
CREATE EVENT TRIGGER early ON ddl_command_start WHEN TAG IN ('REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION note();
ALTER EVENT TRIGGER early ENABLE ALWAYS;
CREATE EVENT TRIGGER asleep ON sql_drop EXECUTE FUNCTION note();
ALTER EVENT TRIGGER asleep DISABLE;
TRUNCATE audit;
"""

TRIGGERS = "SELECT string_agg(evtname || evtevent || evtenabled::text || evtowner::regrole::text, ',' ORDER BY evtname) FROM pg_event_trigger"

# A refusal is an event trigger, too: this one lets nobody refresh.
REFUSER = """
CREATE TABLE t (id integer); INSERT INTO t VALUES (1);
CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not here'; END$$;
CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no();
"""


@pytest.fixture(params=["server13", "server", "server18"])
def any_server(request):
    return request.getfixturevalue(request.param)


def source(server, databases, sql):
    made = databases(server)
    made.sql(sql)
    return made


def psql_stdin(database, text):
    database.server.psql(["-f", "-"], database.name, text=text.decode())


def rewrite(store, path, old, new):
    """Put other bytes of the same length into an object, and its digest into the manifest."""
    assert len(old) == len(new) and old != new
    with open(path, "wb") as file:
        file.write(new)
    manifest = os.path.join(store.dump_path(), "manifest.json")
    with open(manifest) as file:
        text = file.read()
    before, after = hashlib.sha256(old).hexdigest(), hashlib.sha256(new).hexdigest()
    assert text.count(before) == 1
    with open(manifest, "w") as file:
        file.write(text.replace(before, after))


def check(target):
    assert target.sql("SELECT count(*) FROM audit") == "0"
    assert target.sql("SELECT n FROM m2") == "100"
    assert target.sql("SELECT obj_description(oid) FROM pg_event_trigger WHERE evtname = 'note it'") == (
        "CREATE EVENT TRIGGER stands here, too"
    )


def test_one_that_writes(any_server, databases, store):
    made = source(any_server, databases, WRITER)
    restored, copied, exported = [databases(any_server) for _ in range(3)]
    tool.dump(made, store)
    tool.restore(store, restored)
    check(restored)
    tool.succeed(tool.run("copy", REPLICA_FROM=made.url(), REPLICA_TO=copied.url()))
    check(copied)
    psql_stdin(exported, tool.succeed(tool.run("export", REPLICA_FROM=store.url)).out.encode())
    check(exported)
    for target in (restored, copied, exported):
        assert target.sql(TRIGGERS) == made.sql(TRIGGERS)
    compare.assert_same(made, restored)


def test_they_stand_last_in_the_store(server, databases, store):
    """So whoever restores by hand is right, too."""
    tool.dump(source(server, databases, WRITER), store, REPLICA_COMPRESS="none")
    text = store.plain(store.complete()[-1] + "/post-data.sql").decode()
    begin = text.index("CREATE EVENT TRIGGER")
    assert text[begin:].count("EVENT TRIGGER") >= 9
    statements = [line for line in text[begin:].splitlines() if line and not line.startswith(" ")]
    assert all("EVENT TRIGGER" in line for line in statements), statements


def test_a_store_from_before(server, databases, store):
    """Written with the triggers before the refreshes, as pg_dump has it: restore and export mend it."""
    tool.dump(source(server, databases, WRITER), store, REPLICA_COMPRESS="none")
    path = store.file(store.complete()[-1] + "/post-data.sql")
    text = store.plain(store.complete()[-1] + "/post-data.sql").decode()
    begin, refresh = text.index("\nCREATE EVENT TRIGGER") + 1, text.index("\nREFRESH") + 1
    assert refresh < begin
    rewrite(store, path, text.encode(), (text[:refresh] + text[begin:] + text[refresh:begin]).encode())
    target, other = databases(server), databases(server)
    tool.restore(store, target)
    check(target)
    psql_stdin(other, tool.succeed(tool.run("export", REPLICA_FROM=store.url)).out.encode())
    check(other)


def test_one_that_refuses(server, databases, store):
    made, target, other = source(server, databases, REFUSER), databases(server), databases(server)
    tool.dump(made, store)
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM m") == "1"
    tool.succeed(tool.run("copy", REPLICA_FROM=made.url(), REPLICA_TO=other.url()))
    assert other.sql("SELECT evtname FROM pg_event_trigger") == "no"


def test_one_for_logins(server18, databases, store):
    """Whoever counts the rows logs in for it."""
    made = source(
        server18,
        databases,
        "CREATE TABLE audit (who text); CREATE FUNCTION came() RETURNS event_trigger SECURITY DEFINER LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO public.audit VALUES (session_user); END$$; CREATE TABLE t (id integer);"
        " INSERT INTO t SELECT generate_series(1, 10); CREATE EVENT TRIGGER came ON login EXECUTE FUNCTION came();"
        " ALTER EVENT TRIGGER came DISABLE",
    )
    tool.dump(made, store, REPLICA_COMPRESS="none")
    # The source's own would fire while it is dumped, so it sleeps there and wakes in the store.
    path = store.file(store.complete()[-1] + "/post-data.sql")
    with open(path, "rb") as file:
        text = file.read()
    assert text.count(b"ALTER EVENT TRIGGER came DISABLE;") == 1
    patched = text.replace(b"ALTER EVENT TRIGGER came DISABLE;", b"ALTER EVENT TRIGGER came ENABLE ;")
    rewrite(store, path, text, patched)
    target = databases(server18)
    tool.restore(store, target, REPLICA_JOBS=4)
    assert target.sql("ALTER EVENT TRIGGER came DISABLE; SELECT count(*) FROM audit") == "1"


def test_where_there_are_some_already(server, databases, store):
    """REPLICA_CLEAN drops them first, so that they do not see the rest go."""
    made, target = source(server, databases, WRITER), databases(server)
    tool.dump(made, store)
    for _ in range(2):
        tool.restore(store, target, REPLICA_CLEAN="yes")
        check(target)
    tool.succeed(tool.run("copy", REPLICA_FROM=made.url(), REPLICA_TO=target.url(), REPLICA_CLEAN="yes"))
    check(target)


def test_owners_may_stay_away(server, databases, store):
    made, target = source(server, databases, WRITER), databases(server)
    tool.dump(made, store)
    tool.restore(store, target, REPLICA_OWNERS="no")
    assert target.sql(TRIGGERS) == made.sql(TRIGGERS)
