"""Promise: rows are restored frozen where PostgreSQL allows it, and a table comes whole or not at all."""

import os

import pytest

import compare
import tool

ROWS = """CREATE TABLE large (id integer, body text);
INSERT INTO large SELECT n, md5('a' || n) || md5('b' || n) || md5('c' || n) FROM generate_series(1, 60000) AS n;
CREATE TABLE middle (id integer, body text);
INSERT INTO middle SELECT n, md5(n::text) || md5(n::text) FROM generate_series(1, 20000) AS n;
CREATE TABLE little (id integer, body text);
INSERT INTO little SELECT n, md5(n::text) FROM generate_series(1, 1000) AS n;"""

# Rows loaded frozen stay so: their pages are visible to all although nobody has run VACUUM.  What
# pg_class says about it ANALYZE has counted.
VISIBLE = "SELECT relallvisible = relpages AND relpages > 0 FROM pg_class WHERE oid = 'public.%s'::regclass"


@pytest.fixture
def source(server, databases):
    made = databases(server)
    made.sql(ROWS)
    return made


def frozen(database, table):
    return database.sql(VISIBLE % table) == "t"


@pytest.mark.parametrize("jobs", [1, 2])
def test_tables_are_frozen_unless_small(source, store, target, jobs):
    tool.dump(source, store)
    tool.restore(store, target, REPLICA_JOBS=jobs)
    assert frozen(target, "large") and frozen(target, "middle")
    assert not frozen(target, "little")
    compare.assert_same(source, target)


def test_a_table_above_the_fair_share_is_shared_out(source, store, target):
    """Of `large` in several volumes two workers take turns: nobody can freeze it, all rows arrive."""
    tool.dump(source, store, REPLICA_VOLUME_SIZE="64KiB")
    assert [table["name"] for table, _ in store.volumes()].count("large") > 1
    tool.restore(store, target, REPLICA_JOBS=2)
    assert not frozen(target, "large") and frozen(target, "middle")
    compare.assert_same(source, target)


def test_a_bad_volume_leaves_no_row_of_a_frozen_table(source, store, target):
    """Not of the volumes before it either."""
    tool.dump(source, store, REPLICA_VOLUME_SIZE="64KiB", REPLICA_TABLES="public.large")
    paths = [path for _, path in store.volumes()]
    assert len(paths) > 1
    with open(paths[-1], "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    result = tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_JOBS=1)
    tool.refused(result, tool.INTEGRITY, os.path.basename(paths[-1]))
    assert target.sql("SELECT count(*) FROM large") == "0"


def test_rows_through_a_root_are_not_frozen_and_not_lost(server, databases, store, target):
    """Their leaves hold rows of each other's volumes."""
    source = databases(server)
    values = ", ".join("'v%d'" % n for n in range(30))
    source.sql(
        """CREATE TYPE e AS ENUM (%s);
        CREATE TABLE hashed (k e, body text) PARTITION BY HASH (k);
        CREATE TABLE h0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE h1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        CREATE TABLE ranged (id integer, body text) PARTITION BY RANGE (id);
        CREATE TABLE r0 PARTITION OF ranged FOR VALUES FROM (0) TO (30000);
        CREATE TABLE r1 PARTITION OF ranged FOR VALUES FROM (30000) TO (90000);
        INSERT INTO hashed SELECT v, repeat(md5(n::text), 4) FROM unnest(enum_range(NULL::e)) AS v, generate_series(1, 1000) AS n;
        INSERT INTO ranged SELECT n, repeat(md5(n::text), 4) FROM generate_series(1, 60000) AS n"""
        % values
    )
    tool.dump(source, store)
    tool.restore(store, target, REPLICA_JOBS=4)
    assert frozen(target, "r0") and frozen(target, "r1")
    assert not frozen(target, "h0") and not frozen(target, "h1")
    assert compare.counts(source)["public.r0"] == compare.counts(target)["public.r0"]
    for table in ("hashed", "ranged"):
        query = "SELECT * FROM %s" % table
        assert compare.rows(source, query) == compare.rows(target, query)


def test_an_extension_keeps_its_own_rows_beside_many_of_the_user(server, databases, store, target, extension):
    """TRUNCATE would delete what CREATE EXTENSION brought."""
    extension(
        "replica_frozen",
        """CREATE TABLE conf (k text, v text, builtin boolean);
        INSERT INTO conf VALUES ('shipped', '1', true);
        SELECT pg_catalog.pg_extension_config_dump('conf', 'WHERE NOT builtin');""",
    )
    source = databases(server)
    source.sql(
        "CREATE EXTENSION replica_frozen; INSERT INTO conf"
        " SELECT 'own ' || n, repeat(md5(n::text), 4), false FROM generate_series(1, 20000) AS n"
    )
    tool.dump(source, store)
    tool.restore(store, target)
    assert compare.rows(source, "SELECT * FROM conf") == compare.rows(target, "SELECT * FROM conf")
    assert target.sql("SELECT k FROM conf WHERE builtin") == "shipped"


def test_on_18_and_13(server18, server13, databases, store):
    for server in (server13, server18):
        source, target = databases(server), databases(server)
        source.sql(ROWS)
        tool.dump(source, store)
        tool.restore(store, target)
        compare.assert_same(source, target)
        # Before 14 COPY did not say of pages what it knew of rows.
        assert frozen(target, "large") == (server.version >= 14)
        assert target.sql("SELECT DISTINCT xmin FROM large") != ""


def test_a_role_that_may_not_truncate_still_loads(source, store, target):
    """Owners stay behind, so the role owns what it made; who takes TRUNCATE away from itself gets its rows nevertheless."""
    target.server.sql("DROP ROLE IF EXISTS plain_loader; CREATE ROLE plain_loader LOGIN PASSWORD 'x'")
    target.sql("ALTER DATABASE \"%s\" OWNER TO plain_loader; GRANT ALL ON SCHEMA public TO plain_loader" % target.name)
    # What takes it away: default privileges of the role itself.
    target.sql("ALTER DEFAULT PRIVILEGES FOR ROLE plain_loader REVOKE TRUNCATE ON TABLES FROM plain_loader")
    tool.dump(source, store)
    result = tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(user="plain_loader", password="x"))
    tool.succeed(result)
    assert not frozen(target, "large")
    assert compare.counts(target) == compare.counts(source)
