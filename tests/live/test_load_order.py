"""Promise: rows that are computed or checked by functions which read other tables come when those are there."""

import collections
import os
import re
import subprocess

import pytest

import compare
import servers
import tool

ROWS = 300
LOOKUP_ROWS = 1500

# As people declare them; what stands in the bodies, no catalog knows.  Not in SQL: PostgreSQL puts such bodies into the
# CREATE TABLE that calls them, which fails for a table that pg_dump makes before the one that they read.
FUNCTIONS = """
CREATE TABLE rates (cur text PRIMARY KEY, rate numeric); INSERT INTO rates VALUES ('EUR', 2), ('USD', 3);
CREATE TABLE lookup (id integer PRIMARY KEY, filler text);
INSERT INTO lookup SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, %d) AS i;
CREATE FUNCTION rate_of(text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RETURN (SELECT rate FROM public.rates WHERE cur = $1); END$$;
CREATE FUNCTION known(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RETURN EXISTS (SELECT FROM public.rates WHERE cur = $1); END$$;
CREATE FUNCTION known_too(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT public.known($1)';
CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2 AND public.known($1)';
CREATE OPERATOR =~= (LEFTARG = text, RIGHTARG = text, FUNCTION = same);
CREATE FUNCTION filler_of(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RETURN (SELECT left(filler, 8) FROM public.lookup WHERE id = $1); END$$;
CREATE DOMAIN currency AS text CHECK (known_too(VALUE)); CREATE DOMAIN euro AS currency;
CREATE TYPE money_t AS (amount numeric, cur currency); CREATE TYPE span AS RANGE (subtype = currency);
CREATE TYPE cents AS (v integer);
CREATE FUNCTION cents(text) RETURNS cents LANGUAGE sql IMMUTABLE AS
  'SELECT row(coalesce(public.rate_of($1), 0) * 100)::public.cents';
CREATE CAST (text AS cents) WITH FUNCTION cents(text);
""" % LOOKUP_ROWS

# Each table in schemas before and behind what it needs: in the latter pg_dump's own order is right, too.
LATE = """
CREATE SCHEMA %(s)s; SET search_path = %(s)s, public;
CREATE TABLE generated (amount numeric, cur text, total numeric GENERATED ALWAYS AS (amount * rate_of(cur)) STORED);
INSERT INTO generated SELECT i, 'EUR' FROM generate_series(1, %(n)d) AS i;
CREATE TABLE by_cast (cur text, c cents GENERATED ALWAYS AS (cur::cents) STORED);
INSERT INTO by_cast SELECT 'USD' FROM generate_series(1, %(n)d);
CREATE TABLE chained (id integer, a text GENERATED ALWAYS AS (filler_of(id)) STORED);
INSERT INTO chained SELECT i FROM generate_series(1, %(n)d) AS i;
CREATE FUNCTION link(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  $$BEGIN RETURN (SELECT a FROM %(s)s.chained WHERE id = $1); END$$;
CREATE TABLE chained_on (id integer, a text GENERATED ALWAYS AS (link(id %% 10 + 1)) STORED);
INSERT INTO chained_on SELECT i FROM generate_series(1, %(n)d) AS i;
CREATE TABLE checked (cur text CHECK (known(cur))); INSERT INTO checked SELECT 'EUR' FROM generate_series(1, %(n)d);
CREATE TABLE by_operator (cur text, CHECK (cur =~= cur)); INSERT INTO by_operator SELECT cur FROM checked;
CREATE TABLE by_domain (cur currency); INSERT INTO by_domain SELECT cur FROM checked;
CREATE TABLE nested (cur euro); INSERT INTO nested SELECT cur FROM checked;
CREATE TABLE arrays (cur euro[]); INSERT INTO arrays SELECT ARRAY[cur::euro] FROM checked;
CREATE TABLE composite (m money_t); INSERT INTO composite SELECT ROW(1, cur)::money_t FROM checked;
CREATE TABLE composites (m money_t[]); INSERT INTO composites SELECT ARRAY[ROW(1, cur)::money_t] FROM checked;
CREATE TABLE ranges (r span); INSERT INTO ranges SELECT span('EUR', 'USD') FROM checked;
CREATE TABLE of_rows (r by_domain); INSERT INTO of_rows SELECT ROW(cur)::by_domain FROM checked;
CREATE TABLE heir (x integer) INHERITS (checked); INSERT INTO heir SELECT cur, 1 FROM ONLY checked;
CREATE TABLE parts (cur text, n integer) PARTITION BY RANGE (rate_of(cur));
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (2) TO (3);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (3) TO (4) PARTITION BY LIST (n);
CREATE TABLE parts_3_1 PARTITION OF parts_3 FOR VALUES IN (1); CREATE TABLE parts_3_2 PARTITION OF parts_3 DEFAULT;
INSERT INTO parts SELECT CASE i %% 2 WHEN 0 THEN 'EUR' ELSE 'USD' END, i %% 3 FROM generate_series(1, %(n)d) AS i;
CREATE TABLE one_checked (id integer) PARTITION BY LIST (id);
CREATE TABLE one_checked_1 PARTITION OF one_checked FOR VALUES IN (1);
CREATE TABLE one_checked_2 PARTITION OF one_checked (CHECK (filler_of(id) IS NOT NULL)) FOR VALUES IN (2);
INSERT INTO one_checked SELECT i %% 2 + 1 FROM generate_series(1, %(n)d) AS i;
"""
BUILT_IN = """CREATE TABLE a.built_in (x text
  CHECK (query_to_xml('SELECT rate FROM public.rates', true, false, '')::text ~ '<rate>3'));
INSERT INTO a.built_in SELECT repeat('x', 100) FROM generate_series(1, %d);""" % ROWS
LATE_TABLES = sorted(re.findall("CREATE TABLE (\\w+) (?!.*PARTITION BY)", LATE))

# What users' functions are called for on other occasions, and what they can't be called for.
EARLY = """
CREATE SCHEMA early; SET search_path = early, public;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE triggered (a integer); CREATE TRIGGER t BEFORE INSERT ON triggered EXECUTE FUNCTION touch();
CREATE TABLE by_default (a numeric DEFAULT rate_of('EUR') CHECK (a > 0), b timestamptz CHECK (b < now()));
CREATE DOMAIN defaulted AS numeric DEFAULT rate_of('EUR') CHECK (VALUE > 0); CREATE TABLE of_defaulted (a defaulted);
CREATE TABLE indexed (a text); CREATE INDEX ON indexed (rate_of(a));
CREATE TABLE lax (a text); INSERT INTO lax VALUES ('none'); ALTER TABLE lax ADD CHECK (known(a)) NOT VALID;
CREATE TABLE plain (id integer PRIMARY KEY CHECK (id > 0), twice integer GENERATED ALWAYS AS (id * 2) STORED);
CREATE VIEW seen AS SELECT rate_of(cur) FROM rates; CREATE TABLE refers (id integer REFERENCES plain);
CREATE TABLE clocked (at timestamptz CHECK (at < clock_timestamp()), n integer CHECK (char_length(n::text) < 9));
"""


@pytest.fixture(scope="module")
def ordered(request):
    """ordered(fixture): the tables of all this on that server, for reading only."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = request.getfixturevalue(name).create("load order", "template0")
            made[name].sql(FUNCTIONS)
            for schema in ["a", "z"]:
                made[name].sql(LATE % {"s": schema, "n": ROWS})
            made[name].sql(BUILT_IN + EARLY)
        return made[name]

    yield make
    for database in made.values():
        database.drop()


def late_ones(manifest):
    tables = [table for table in manifest["tables"] if "late" in table]
    return {"%s.%s" % (table["schema"], table["name"]): table["late"] for table in tables}


@pytest.mark.parametrize("name", ["server13", "server", "server18"])
def test_they_come_last_and_one_by_one(ordered, name, databases, store, request):
    server, source = request.getfixturevalue(name), ordered(name)
    result = tool.dump(source, store)
    late = late_ones(store.manifest())
    wanted = sorted(["%s.%s" % (schema, table) for schema in "az" for table in LATE_TABLES] + ["a.built_in"])
    assert sorted(late) == wanted
    assert sorted(late, key=late.get) == wanted, "pg_dump's order is that of schema and name"
    assert "%d tables come after all others, one by one" % len(wanted) in result.err
    for jobs in [1, 4]:
        target = databases(server)
        tool.restore(store, target, REPLICA_JOBS=jobs)
        compare.assert_same(source, target)
    print("%s: %d kinds of tables, each before and behind what it needs" % (name, len(LATE_TABLES)))


def test_what_else_users_functions_are_for_comes_at_any_time(server, databases, store):
    source = databases(server)
    source.sql(FUNCTIONS + EARLY)
    assert "after all others" not in tool.dump(source, store).err
    assert late_ones(store.manifest()) == {}


@pytest.mark.parametrize("jobs", [1, 4])
def test_by_copy(ordered, server, target, jobs):
    ends = {"REPLICA_FROM": ordered("server").url(), "REPLICA_TO": target.url()}
    tool.succeed(tool.run("copy", REPLICA_JOBS=jobs, **ends))
    compare.assert_same(ordered("server"), target)


def test_by_export(ordered, server, target, store):
    tool.dump(ordered("server"), store)
    text = tool.succeed(tool.run("export", REPLICA_FROM=store.url)).out
    server.psql(["-f", "-"], target.name, text=text)
    compare.assert_same(ordered("server"), target)


def test_by_the_documents_own_recipe(ordered, server, databases, store):
    """Section 10 of docs/format.md, as it stands there; with more than nine volumes, and of several each."""
    with open(os.path.join(servers.ROOT, "docs", "format.md")) as file:
        recipe = re.search("```sh\ncd dump-[0-9]+\n(.*?)# Look at one volume", file.read(), re.DOTALL)[1]
    target = databases(server, "by hand")
    tool.dump(ordered("server"), store, REPLICA_VOLUME_SIZE="64KiB")
    assert collections.Counter(table["name"] for table, _ in store.volumes())["lookup"] > 1
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", recipe.replace("-d target", "-d 'by hand'")],
        cwd=store.dump_path(),
        env={"PATH": os.environ["PATH"], "PGHOST": server.socket, "PGPORT": str(server.port), "PGUSER": "postgres"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    compare.assert_same(ordered("server"), target)


def test_the_second_reader_knows_the_order(ordered, store):
    tool.dump(ordered("server"), store)
    reader = os.path.join(servers.ROOT, "tests", "format_reader.py")
    command = ["/usr/bin/python3", reader, store.path, "--check", "--order"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    tables = sorted(store.manifest()["tables"], key=lambda table: table.get("late", 0))
    names = [volume["name"] for table in tables for volume in table["volumes"]]
    assert len(names) > 9 and lines[: len(names)] == names


def test_in_many_volumes_beside_frozen_loads(ordered, databases, store, request):
    """What is read is loaded frozen, in several volumes; so is much else; and a large late table is cut in ranges."""
    server = request.getfixturevalue("server18")
    source = databases(server)
    source.sql(FUNCTIONS)
    source.sql(
        "CREATE TABLE heavy (id integer, pad text, a text GENERATED ALWAYS AS (filler_of(id)) STORED);"
        "INSERT INTO heavy SELECT i %% %d + 1, repeat(md5(i::text), 32) FROM generate_series(1, 5000) AS i"
        % LOOKUP_ROWS
    )
    tool.dump(source, store, REPLICA_VOLUME_SIZE="256KiB", REPLICA_JOBS=4, REPLICA_COMPRESS="none")
    volumes = collections.Counter(table["name"] for table, _ in store.volumes())
    assert volumes["heavy"] > 9 and volumes["lookup"] > 3
    for jobs in [1, 4]:
        target = databases(server)
        tool.restore(store, target, REPLICA_JOBS=jobs)
        assert target.sql("SELECT count(*), count(a) FROM heavy") == "5000|5000"
        compare.assert_same(source, target)
    target = databases(server)
    tool.succeed(tool.run("copy", REPLICA_FROM=source.url(), REPLICA_TO=target.url(), REPLICA_JOBS=4))
    compare.assert_same(source, target)


def test_masked_rows_find_their_partition_by_what_is_there(ordered, target, store):
    """The key is masked, so rows go through the root, which asks the function for each; and all leaves come late."""
    rule = "z.parts*.cur fixed(USD)\nz.one_checked*.id fixed(2)"
    tool.dump(ordered("server"), store, REPLICA_TRANSFORM=rule)
    assert {"z.one_checked_1", "z.one_checked_2"} < set(late_ones(store.manifest()))
    tool.restore(store, target, REPLICA_JOBS=4)
    assert target.sql("SELECT count(*) FROM z.parts_3") == str(ROWS)
    assert target.sql("SELECT count(*) FROM z.one_checked_2") == str(ROWS)


def test_nothing_but_late_tables(server, databases, store):
    source, restored, copied = [databases(server) for _ in range(3)]
    source.sql(
        "CREATE FUNCTION f(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';"
        "CREATE TABLE t (a integer, b integer GENERATED ALWAYS AS (f(a)) STORED);"
        "INSERT INTO t SELECT generate_series(1, 100)"
    )
    tool.dump(source, store)
    tool.restore(store, restored)
    tool.succeed(tool.run("copy", REPLICA_FROM=source.url(), REPLICA_TO=copied.url()))
    for target in [restored, copied]:
        compare.assert_same(source, target)


def test_a_function_sees_what_is_masked(ordered, target, store):
    rule = "public.rates.rate fixed(5)"
    tool.dump(ordered("server"), store, REPLICA_TRANSFORM=rule, REPLICA_SKIP_TABLES="a.*, z.parts")
    tool.restore(store, target, REPLICA_JOBS=4)
    assert target.sql("SELECT sum(total) = 5 * sum(amount) FROM z.generated") == "t"


def test_an_extensions_tables_come_in_the_order_of_its_keys(server, databases, store, extension):
    """They have their keys before the rows come; so pg_dump sorts them, too, and so they are loaded here."""
    extension(
        "with_keys",
        """CREATE TABLE @extschema@.m (id integer PRIMARY KEY);
        CREATE TABLE @extschema@.a (id integer PRIMARY KEY, m integer REFERENCES @extschema@.m, pad text);
        CREATE TABLE @extschema@.z (id integer PRIMARY KEY);
        ALTER TABLE @extschema@.m ADD z integer REFERENCES @extschema@.z;
        CREATE TABLE @extschema@.alone (id integer);
        SELECT pg_extension_config_dump('@extschema@.m', '');
        SELECT pg_extension_config_dump('@extschema@.a', '');
        SELECT pg_extension_config_dump('@extschema@.z', '');
        SELECT pg_extension_config_dump('@extschema@.alone', '');""",
    )
    source = databases(server)
    source.sql("CREATE EXTENSION with_keys; INSERT INTO z SELECT generate_series(1, 100)")
    source.sql("INSERT INTO m SELECT id, id FROM z")
    source.sql("INSERT INTO a SELECT i, i % 100 + 1, repeat('x', 100) FROM generate_series(1, 5000) AS i")
    tool.dump(source, store)
    assert late_ones(store.manifest()) == {"public.z": 1, "public.m": 2, "public.a": 3}
    restored, copied = databases(server), databases(server)
    tool.restore(store, restored, REPLICA_JOBS=4)
    tool.succeed(tool.run("copy", REPLICA_FROM=source.url(), REPLICA_TO=copied.url(), REPLICA_JOBS=4))
    for target in [restored, copied]:
        compare.assert_same(source, target)


def test_extensions_that_only_look_at_their_arguments(server, databases, store):
    """A CHECK over citext is common; what a user's function makes of one is another matter."""
    source = databases(server)
    source.sql("CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE DOMAIN email AS citext CHECK (VALUE ~ '@')")
    source.sql("CREATE TABLE people (mail email, h hstore CHECK (h ? 'a'))")
    tool.dump(source, store)
    assert late_ones(store.manifest()) == {}
    source.sql("CREATE FUNCTION f(citext) RETURNS boolean LANGUAGE sql AS 'SELECT true'")
    source.sql("ALTER DOMAIN email ADD CHECK (f(VALUE))")
    tool.dump(source, store)
    assert late_ones(store.manifest()) == {"public.people": 1}


def test_a_type_of_ones_own(server, databases, store):
    """Its input may read what it likes; only that of an extension's types is taken to look at nothing."""
    source = databases(server)
    source.sql(
        "CREATE TYPE word; CREATE FUNCTION word_in(cstring) RETURNS word LANGUAGE internal IMMUTABLE STRICT AS 'textin';"
        "CREATE FUNCTION word_out(word) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';"
        "CREATE TYPE word (INPUT = word_in, OUTPUT = word_out, LIKE = text);"
        "CREATE TABLE words (w word[]); CREATE TABLE t (a text)"
    )
    tool.dump(source, store)
    assert late_ones(store.manifest()) == {"public.words": 1}


def test_a_store_without_order_is_read_as_before(small, store, target):
    tool.dump(small, store)
    assert late_ones(store.manifest()) == {}
    tool.restore(store, target)
    compare.assert_same(small, target)
