"""Promise: without rules, what is restored is what was dumped; pg_dump finds no difference, in no byte."""

import pytest

import compare
import sample
import tool

EVERYTHING = {"REPLICA_OWNERS": "yes", "REPLICA_PRIVILEGES": "yes"}


def round_trip(source, store, target, selection=None, **variables):
    """selection: variables that are the dump's alone; a restore refuses them."""
    tool.dump(source, store, **variables, **(selection or {}))
    tool.restore(store, target, **variables)


def test_the_shipped_sample(shop, store, target):
    round_trip(shop, store, target, **EVERYTHING)
    compare.assert_same(shop, target)
    assert sum(compare.counts(target).values()) >= 300000


@pytest.mark.parametrize("name", ["pagila", "northwind"])
def test_a_well_known_sample(server, name, store, databases, target):
    source = sample.load_shared(server, name)
    if source is None:
        pytest.skip("%s is not at hand" % name)
    try:
        round_trip(source, store, target, **EVERYTHING)
        compare.assert_same(source, target)
        assert sum(compare.counts(target).values()) > 3000
    finally:
        source.drop()


def test_owners_and_privileges_stay_behind_unless_asked_for(shop, store, target):
    round_trip(shop, store, target, {"REPLICA_SKIP_DATA": "*.*"})
    compare.assert_same(shop, target, "-s", "-O", "-x")
    owners = target.sql(
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(pg_|info)'"
    )
    assert owners == "postgres"
    assert target.sql("SELECT relacl FROM pg_class WHERE oid = 'public.orders'::regclass") == ""


def test_an_empty_database(databases, server, store, target):
    source = databases(server)
    round_trip(source, store, target)
    compare.assert_same(source, target)
    assert store.manifest()["tables"] == []


def test_a_database_with_an_awkward_name(databases, server, store):
    names = ['it\'s "a" \\ d?b & 100% = 😀/', "select"]
    source, target = databases(server, names[0]), databases(server, names[1])
    source.sql("CREATE TABLE t (a text); INSERT INTO t VALUES ('x')")
    round_trip(source, store, target)
    compare.assert_same(source, target)
    assert store.manifest()["database"] == names[0]


def test_through_a_unix_socket_and_by_libpq_variables_alone(small, store, target):
    tool.succeed(tool.run("dump", REPLICA_FROM=small.socket_url(), REPLICA_TO=store.url))
    tool.succeed(
        tool.run(
            "restore",
            REPLICA_FROM=store.url,
            REPLICA_TO="postgres:",
            PGHOST=target.server.socket,
            PGPORT=target.server.port,
            PGUSER="postgres",
            PGDATABASE=target.name,
        )
    )
    compare.assert_same(small, target)


def test_the_command_is_inferred(small, store, target):
    tool.succeed(tool.run(REPLICA_FROM=small.url(), REPLICA_TO=store.url))
    tool.succeed(tool.run(REPLICA_FROM=store.url, REPLICA_TO=target.url()))
    compare.assert_same(small, target)


def test_enums_as_hash_keys_find_their_partition(databases, server, store, target):
    """An enum hashes by its oid, so at the destination a row may belong to another leaf."""
    source = databases(server)
    values = ", ".join("'v%d'" % n for n in range(30))
    source.sql(
        """CREATE TYPE e AS ENUM (%s);
        CREATE TABLE hashed (k e, n integer) PARTITION BY HASH (k);
        CREATE TABLE h0 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 0);
        CREATE TABLE h1 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 1);
        CREATE TABLE h2 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 2);
        INSERT INTO hashed SELECT v, n FROM unnest(enum_range(NULL::e)) AS v, generate_series(1, 20) AS n"""
        % values
    )
    round_trip(source, store, target)
    compare.assert_same(source, target, "-s")
    assert compare.rows(source, "SELECT * FROM hashed") == compare.rows(
        target, "SELECT * FROM hashed"
    )
    assert target.sql("SELECT count(*) FROM hashed WHERE k = 'v7'") == "20"


def test_matviews_are_filled_in_their_order_and_unfilled_ones_stay_so(shop, store, target):
    round_trip(shop, store, target, {"REPLICA_TABLES": '"Awkward ""Zoo""".*'})
    state = "SELECT relname, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY 1"
    assert target.sql(state) == "Never filled|f\na_second|t\nz_first|t"
    assert target.sql('SELECT total FROM "Awkward ""Zoo""".a_second') == "35"


def test_sequences_and_identities_go_on_where_they_were(shop, store, target):
    round_trip(shop, store, target)
    zoo = '"Awkward ""Zoo"""'
    for query in [
        "SELECT last_value, is_called FROM %s.set_back",
        'SELECT last_value, is_called FROM %s."Called ""once"""',
        "SELECT last_value, is_called FROM %s.never_called",
        'SELECT last_value FROM %s."Own ""Seq"""',
        "SELECT last_value FROM %s.identities_a_seq",
    ]:
        assert shop.sql(query % zoo) == target.sql(query % zoo), query
    target.sql(
        "INSERT INTO public.customers (first_name, last_name, email, national_id, created_at)"
        " VALUES ('a', 'b', 'c@d', 'x', now())"
    )
    assert target.sql("SELECT max(id) FROM public.customers") == "30001"


def test_large_objects_with_owner_grant_and_comment(shop, store, target):
    round_trip(shop, store, target, **EVERYTHING)
    query = """SELECT m.oid, pg_get_userbyid(lomowner), lomacl, md5(lo_get(m.oid)), length(lo_get(m.oid)),
        obj_description(m.oid, 'pg_largeobject') FROM pg_largeobject_metadata m ORDER BY 1"""
    assert target.sql(query) == shop.sql(query)
    assert (
        target.sql("SELECT max(length(lo_get(oid))) > 1048576 FROM pg_largeobject_metadata") == "t"
    )
    assert target.sql("SELECT length(lo_get(4200002))") == "0"


def test_the_planner_knows_the_restored_tables(shop, store, target):
    """Restored means analyzed: no first query pays for it."""
    round_trip(shop, store, target, {"REPLICA_TABLES": "public.orders"})
    assert (
        target.sql("SELECT reltuples FROM pg_class WHERE oid = 'public.orders'::regclass")
        == "80000"
    )
    assert target.sql("SELECT count(*) > 3 FROM pg_stats WHERE tablename = 'orders'") == "t"


def test_an_extension_s_own_rows(server, databases, store, target, extension):
    """What an extension registers as configuration goes along, under the condition it gave; the rest of its
    tables belongs to CREATE EXTENSION."""
    extension(
        "replica_test",
        """CREATE TABLE conf (k text, v text, builtin boolean);
        INSERT INTO conf VALUES ('shipped', '1', true);
        CREATE TABLE plain (k text);
        INSERT INTO plain VALUES ('shipped');
        SELECT pg_catalog.pg_extension_config_dump('conf', 'WHERE NOT builtin');""",
    )
    source = databases(server)
    source.sql("""CREATE EXTENSION replica_test; INSERT INTO conf VALUES ('own', '2', false);
                  INSERT INTO plain VALUES ('lost, as with pg_dump')""")
    round_trip(source, store, target)
    compare.assert_same(source, target)
    assert target.sql("SELECT k FROM conf ORDER BY 1") == "own\nshipped"
    assert target.sql("SELECT k FROM plain") == "shipped"
