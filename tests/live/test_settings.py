"""Promise: what a role or a database has been set to changes no value, loses no row and ends no run, at either end."""

import hashlib
import json
import os
import subprocess

import pytest

import compare
import servers
import tool

# As hostile as each can be, with the version that brought it.  A session's or a transaction's timeout much shorter
# than these lets nobody connect.
HOSTILE = [
    ("array_nulls", "off", 13),
    ("standard_conforming_strings", "off", 13),
    ("backslash_quote", "off", 13),
    ("transform_null_equals", "on", 13),
    ("DateStyle", "'German, DMY'", 13),
    ("IntervalStyle", "sql_standard", 13),
    ("extra_float_digits", "-9", 13),
    ("bytea_output", "escape", 13),
    ("xmloption", "document", 13),
    ("quote_all_identifiers", "on", 13),
    ("TimeZone", "'Asia/Kathmandu'", 13),
    ("client_encoding", "LATIN1", 13),
    ("search_path", "hostile, pg_catalog", 13),
    ("row_security", "on", 13),
    ("check_function_bodies", "on", 13),
    ("client_min_messages", "debug3", 13),
    ("exit_on_error", "on", 13),
    ("gin_fuzzy_search_limit", "1", 13),
    ("synchronize_seqscans", "on", 13),
    ("default_transaction_read_only", "on", 13),
    ("default_transaction_isolation", "serializable", 13),
    ("default_transaction_deferrable", "on", 13),
    ("session_replication_role", "replica", 13),
    ("zero_damaged_pages", "on", 13),
    ("ignore_checksum_failure", "on", 13),
    ("allow_system_table_mods", "on", 13),
    ("lock_timeout", "1", 13),
    ("statement_timeout", "500", 13),
    ("idle_in_transaction_session_timeout", "1", 13),
    ("idle_session_timeout", "500", 14),
    ("transaction_timeout", "500", 17),
]

# No XML here: the npm servers are built without it.
TREASURE = r"""
CREATE SCHEMA hostile;
CREATE TABLE t (id int PRIMARY KEY, a text[], n int[], i interval, f float8, r real, b bytea, d date, z timestamptz,
    j jsonb, s text DEFAULT E'back\\slash ''quoted''', CONSTRAINT odd CHECK (s <> 'a\b' OR s = NULL));
INSERT INTO t SELECT n, ARRAY['a', NULL, 'NULL', E'b\\c'], ARRAY[n, NULL], make_interval(0, -n, 0, n, -n, n, -0.5),
    pi() * n / 7, pi() / n, decode('00ff5c27', 'hex'), '2001-02-03'::date + n, '2001-02-03 04:05:06.789+00'::timestamptz,
    '{"k": [null, "NULL"]}', E'x\\y\tz' FROM generate_series(1, 500) AS n;
CREATE TABLE child (t int REFERENCES t, note text);
INSERT INTO child SELECT n, 'note' FROM generate_series(1, 500) AS n;
CREATE FUNCTION said() RETURNS text LANGUAGE sql AS $$ SELECT 'a\b'::text $$;
CREATE VIEW v AS SELECT id, 'c\d' AS s, a FROM t WHERE s <> 'e\f';
CREATE INDEX ON t USING gin (a);
CREATE MATERIALIZED VIEW m AS SELECT * FROM v WHERE a @> ARRAY['a'];
CREATE SEQUENCE q; SELECT setval('q', 77);
SELECT lo_from_bytea(4711, decode('5c00ff27', 'hex'));
"""


def hostile(database, unless=()):
    for name, value, since in HOSTILE:
        if database.server.version >= since and name not in unless:
            database.server.sql('ALTER DATABASE "%s" SET %s = %s' % (database.name, name, value))


def peaceful(*databases):
    for database in databases:
        database.server.sql('ALTER DATABASE "%s" RESET ALL' % database.name)


@pytest.fixture(params=["13", "debian", "18"])
def any_server(request):
    return request.getfixturevalue("server" if request.param == "debian" else "server" + request.param)


@pytest.fixture
def treasure(any_server, databases):
    database = databases(any_server)
    database.sql(TREASURE)
    return database


def test_every_setting_at_a_source(treasure, any_server, databases, store):
    hostile(treasure)
    tool.dump(treasure, store)
    copied, restored = databases(any_server), databases(any_server)
    tool.succeed(tool.run("copy", REPLICA_FROM=treasure.url(), REPLICA_TO=copied.url()))
    tool.restore(store, restored)
    peaceful(treasure)
    for other in (copied, restored):
        compare.assert_same(treasure, other)
    scripts = [store.plain(name).decode() for name in store.files() if "-data.sql" in name]
    assert len(scripts) == 2 and not any("standard_conforming_strings = off" in script for script in scripts)
    print("%d settings at a source of PostgreSQL %d" % (len(HOSTILE), any_server.version))


def test_every_setting_at_a_destination(treasure, any_server, databases, store):
    tool.dump(treasure, store)
    copied, restored = databases(any_server), databases(any_server)
    for other in (copied, restored):
        hostile(other)
    tool.succeed(tool.run("copy", REPLICA_FROM=treasure.url(), REPLICA_TO=copied.url()))
    tool.restore(store, restored)
    peaceful(copied, restored)
    for other in (copied, restored):
        compare.assert_same(treasure, other)
    print("%d settings at a destination of PostgreSQL %d" % (len(HOSTILE), any_server.version))


def test_a_role_that_is_set_as_a_database_is(server, databases, store):
    source, target = databases(server), databases(server)
    source.sql(TREASURE)
    server.sql("""CREATE ROLE odd LOGIN SUPERUSER PASSWORD 'x'; ALTER ROLE odd SET statement_timeout = 1;
        ALTER ROLE odd SET array_nulls = off; ALTER ROLE odd SET extra_float_digits = -5""")
    try:
        for _ in range(3):
            tool.succeed(tool.run("copy", REPLICA_FROM=source.url("odd", "x"), REPLICA_TO=target.url("odd", "x"),
                                  REPLICA_CLEAN="yes"))
        target.sql("REASSIGN OWNED BY odd TO postgres")
        compare.assert_same(source, target)
    finally:
        target.drop()
        server.sql("DROP ROLE odd")


GENTLE = ("array_nulls", "transform_null_equals", "DateStyle", "IntervalStyle", "default_transaction_read_only",
          "default_transaction_isolation", "gin_fuzzy_search_limit", "extra_float_digits", "bytea_output",
          "standard_conforming_strings", "quote_all_identifiers", "client_encoding", "session_replication_role")


def test_export_into_a_database_of_its_own_settings(treasure, any_server, databases, store):
    """psql knows nothing of us: what it runs says itself how it is to be read."""
    tool.dump(treasure, store)
    target = databases(any_server)
    hostile(target, {name for name, _, _ in HOSTILE} - set(GENTLE))
    exported = tool.succeed(tool.run("export", REPLICA_FROM=store.url))
    target.sql(exported.out)
    peaceful(target)
    compare.assert_same(treasure, target)


def test_by_hand_as_the_format_says(server, databases, store):
    """docs/format.md section 10: volumes are guarded by PGOPTIONS."""
    source, target = databases(server), databases(server)
    source.sql(TREASURE)
    tool.dump(source, store)
    hostile(target, {name for name, _, _ in HOSTILE} - set(GENTLE))
    with open(os.path.join(servers.ROOT, "docs", "format.md")) as file:
        line = next(line for line in file if line.startswith("export PGOPTIONS="))
    environment = {"PATH": os.environ["PATH"], "PGOPTIONS": line.split("'")[1], "PGHOST": server.socket,
                   "PGPORT": str(server.port), "PGUSER": "postgres", "PGDATABASE": target.name}
    names = [name for name in store.files() if name.endswith(".sql.zst")]
    for end in ("/pre-data.sql.zst", "", "/data.sql.zst", "/post-data.sql.zst"):
        for name in names:
            if name.endswith(end) if end else name.split("/")[-1][0].isdigit():
                subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], input=store.plain(name), env=environment,
                               check=True, stdout=subprocess.DEVNULL)
    peaceful(target)
    compare.assert_same(source, target)


def test_a_script_that_changes_its_session(server, databases, store):
    """A stored script may set what it likes; what is counted, loaded and run after it is ours again."""
    treasure = databases(server)
    treasure.sql(TREASURE)
    tool.dump(treasure, store, REPLICA_COMPRESS="none")
    name, manifest = list(store.manifests().items())[-1]
    path = store.file(name + "/pre-data.sql")
    with open(path, "a") as file:
        file.write("SET array_nulls = off;\nSET search_path = hostile;\nSET default_transaction_read_only = on;\n")
    reseal(store, name, manifest, "pre_data", path)
    target = databases(server)
    tool.restore(store, target)
    compare.assert_same(treasure, target)


def reseal(store, name, manifest, member, path):
    with open(path, "rb") as file:
        data = file.read()
    more = len(data) - manifest[member]["stored_bytes"]
    manifest[member].update(stored_bytes=len(data), plain_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    manifest["stored_bytes"] += more
    manifest["plain_bytes"] += more
    with open(store.file(name + "/manifest.json"), "w") as file:
        json.dump(manifest, file)


def test_a_damaged_page_is_no_empty_page(server, databases, store):
    """zero_damaged_pages at a source: the rows of a page vanish without an error, and the dump says it is done."""
    template = databases(server)
    template.sql("CREATE TABLE d (a int, b text); INSERT INTO d SELECT n, repeat('x', 100) FROM generate_series(1, 500) n")
    server.sql("CHECKPOINT")
    damaged = databases(server, template=template.name)
    path = os.path.join(server.directory, "data", template.sql("SELECT pg_relation_filepath('d')"))
    path = path.replace("/%s/" % template.sql("SELECT oid FROM pg_database WHERE datname = current_database()"),
                        "/%s/" % server.sql("SELECT oid FROM pg_database WHERE datname = '%s'" % damaged.name))
    with open(path, "r+b") as file:
        file.seek(8192 + 8)
        file.write(b"\xff" * 40)
    server.sql('ALTER DATABASE "%s" SET zero_damaged_pages = on' % damaged.name)
    result = tool.run("dump", REPLICA_FROM=damaged.url(), REPLICA_TO=store.url)
    tool.refused(result, tool.SOURCE, "invalid page")
    assert store.complete() == []


@pytest.mark.parametrize("name", ["zero_damaged_pages", "ignore_checksum_failure"])
def test_a_role_that_may_not_turn_it_off_is_refused(server, databases, store, name):
    source = databases(server)
    source.sql("CREATE TABLE t (a int)")
    server.sql("CREATE ROLE plain LOGIN PASSWORD 'x'; GRANT pg_read_all_data TO plain;"
               'ALTER DATABASE "%s" SET %s = on' % (source.name, name))
    try:
        for command in ("dump", "check"):
            result = tool.run(command, REPLICA_FROM=source.url("plain", "x"), REPLICA_TO=store.url)
            assert result.code == tool.SOURCE and name + " is on at the source" in result.err + result.out
        tool.dump(source, store)
    finally:
        server.sql("DROP ROLE plain")


def test_a_destination_that_keeps_a_wish_from_us_is_warned_of(server, databases, small_store):
    target = databases(server)
    server.sql("""CREATE ROLE plain LOGIN PASSWORD 'x'; ALTER DATABASE "%s" OWNER TO plain;
        ALTER DATABASE "%s" SET session_replication_role = replica""" % (target.name, target.name))
    try:
        result = tool.run("restore", REPLICA_FROM=small_store.url, REPLICA_TO=target.url("plain", "x"))
        line = "session_replication_role is replica at the destination, and role plain may not set it to origin"
        assert result.err.count(line) == 1, result.err
    finally:
        target.drop()
        server.sql("DROP ROLE plain")


def test_money_is_written_in_one_locale(server, databases, store):
    """These machines know no other locale than C, so what can be seen is which one holds at both ends."""
    source, target = databases(server), databases(server)
    source.sql("CREATE TABLE cash (a money DEFAULT '-1234.5'); INSERT INTO cash VALUES ('-1234.56'), (NULL)")
    for database in (source, target):
        server.sql("""ALTER DATABASE "%s" SET lc_monetary = 'POSIX'""" % database.name)
        database.sql("CREATE FUNCTION locale() RETURNS text LANGUAGE sql AS 'SELECT current_setting(''lc_monetary'')'")
    source.sql("CREATE MATERIALIZED VIEW m AS SELECT locale() AS held")
    target.sql("DROP FUNCTION locale()")
    tool.dump(source, store)
    assert store.manifest()["lc_monetary"] == "C"
    tool.restore(store, target)
    assert target.sql("SELECT held FROM m") == "C"
    peaceful(source, target)
    assert target.sql("SELECT a FROM cash") == source.sql("SELECT a FROM cash")
