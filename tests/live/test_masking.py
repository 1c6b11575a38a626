"""Promise: with rules exactly the ruled columns differ, and no original is found anywhere in the store."""

import os
import subprocess

import pytest

import compare
import tool

# Every value is one of a kind and long, so that finding it, whatever is drawn, means finding the original.
SENTINELS = '''
CREATE SCHEMA "Odd ""schema""";
CREATE TABLE "Odd ""schema"""."My.Table" (id integer PRIMARY KEY, "First name" text, keep text, "e.mail" varchar(60) UNIQUE,
    phone text, card text, born date, seen timestamptz, amount numeric(14,2), pin bigint, code char(20), secret text,
    letter text, note text);
INSERT INTO "Odd ""schema"""."My.Table" SELECT n, 'fn' || md5('f' || n), 'kept' || n, 'em' || md5('e' || n) || '@post.example',
    '+33' || (611000000000 + n * 7919), (4000000000000000 + n * 104729::bigint)::text, date '1900-01-01' + n,
    timestamptz '1950-01-01 01:02:03.456789+00' + n * interval '1 hour', 700000000000 + n + 0.37, 7000000000000000000 + n,
    'cd' || substr(md5('c' || n), 1, 18), 'se' || md5('s' || n) || E'\\t\\n\\\\', 'le' || md5('l' || n),
    CASE WHEN n % 3 = 0 THEN NULL ELSE 'no' || md5('n' || n) END
    FROM generate_series(1, 3000) AS n;
'''
TABLE = '"Odd ""schema"""."My.Table"'
RULES = {
    '"First name"': "first-name",
    '"e.mail"': "email",
    "phone": "phone-number",
    "card": "credit-card",
    "born": "random-date",
    "seen": "random-date",
    "amount": "random",
    "pin": "random",
    "code": "random",
    "secret": "redacted",
    "letter": "keep-first-char",
    "note": "fixed(nothing)",
}


@pytest.fixture(scope="module")
def sentinels(server):
    database = server.create("sentinels")
    database.sql(SENTINELS)
    yield database
    database.drop()


def column(database, name, table=TABLE):
    values = compare.rows(database, "SELECT id, %s FROM %s" % (name, table))
    return dict(row.split("\t", 1) for row in values)


def test_exactly_the_ruled_columns_differ(sentinels, store, target):
    rules = "\n".join(
        "%s.%s  %s  # a comment" % (TABLE, name, rule) for name, rule in RULES.items()
    )
    tool.dump(sentinels, store, REPLICA_TRANSFORM=rules)
    tool.restore(store, target)
    for name in ["id", "keep"]:
        assert column(sentinels, name) == column(target, name)
    for name in RULES:
        before, after = column(sentinels, name), column(target, name)
        assert before.keys() == after.keys()
        for key, value in before.items():
            assert (value == "\\N") == (after[key] == "\\N"), (name, value, after[key])
            assert value == "\\N" or value != after[key], (name, value)
    compare.assert_same(sentinels, target, "-s")


def found_in(originals, path):
    """Which of the originals stand anywhere in a file; grep looks for all of them in one pass."""
    done = subprocess.run(
        ["grep", "-a", "-o", "-F", "-f", "-", path],
        input="\n".join(originals).encode(),
        capture_output=True,
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.decode().split()


def test_no_original_is_found_in_the_store(sentinels, store, room):
    rules = ";".join("%s.%s %s" % (TABLE, name, rule) for name, rule in RULES.items())
    tool.dump(sentinels, store, REPLICA_TRANSFORM=rules)
    everything = os.path.join(room, "everything")
    with open(everything, "wb") as file:
        for name in store.files():
            file.write(store.plain(name) + b"\n" + store.read(name) + b"\n")
    originals = {value for name in RULES for value in column(sentinels, name).values()} - {"\\N"}
    assert len(originals) > 30000
    assert found_in(originals, everything) == []
    assert found_in(["kept2999"], everything) == ["kept2999"]


def test_the_manifest_says_what_was_ruled(sentinels, store):
    tool.dump(sentinels, store, REPLICA_TRANSFORM=TABLE + ".phone phone-number")
    ruled = {
        (t["name"], c["name"]): c["rule"]
        for t in store.manifest()["tables"]
        for c in t["columns"]
        if c.get("rule")
    }
    assert ruled == {("My.Table", "phone"): "phone-number"}


def test_a_rule_on_a_parent_holds_for_every_child(shop, store, target):
    tool.dump(
        shop,
        store,
        REPLICA_TABLES='public.order_lines*, "Awkward ""Zoo"""."Child ""one""", "Awkward ""Zoo""".*parent, "Awkward ""Zoo""".grand_child,'
        " public.orders, public.products, public.customers, public.staff",
        REPLICA_TRANSFORM='''
              public.order_lines.price  fixed(1.23)
              "Awkward ""Zoo""".parent.kind  fixed(masked)''',
    )
    tool.restore(store, target)
    assert target.sql("SELECT DISTINCT price FROM public.order_lines") == "1.23"
    assert target.sql('SELECT DISTINCT kind FROM "Awkward ""Zoo""".parent') == "masked"
    counts = (
        'SELECT tableoid::regclass, count(*) FROM "Awkward ""Zoo""".parent GROUP BY 1 ORDER BY 1'
    )
    assert shop.sql("SELECT count(*) FROM public.order_lines") == target.sql(
        "SELECT count(*) FROM public.order_lines"
    )
    assert sorted(shop.sql(counts).split("\n")) == sorted(target.sql(counts).split("\n"))


def test_null_and_fixed_serve_any_type(server, databases, store, target):
    source = databases(server)
    source.sql("""CREATE TABLE t (id integer, j jsonb, a text[], b bytea, i inet, n integer);
        INSERT INTO t VALUES (1, '{"secret": 1}', '{secret}', 'secret', '10.1.2.3', NULL)""")
    tool.dump(
        source,
        store,
        REPLICA_TRANSFORM="""public.t.j fixed({})
        public.t.a null
        public.t.b fixed(\\x00)
        public.t.i fixed(::1)
        public.t.n fixed(3)""",
    )
    tool.restore(store, target)
    assert target.sql("SELECT * FROM t") == "1|{}||\\x00|::1|"


KINDS = """
CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (a integer, b "mood");
CREATE DOMAIN some_json AS jsonb CHECK (VALUE ? 'a'); CREATE DOMAIN tags AS text[] CHECK (cardinality(VALUE) < 3);
CREATE TABLE kinds (id integer, json json, jsonb jsonb, mood mood, bytes bytea, words varchar(3)[], at time(0), net inet,
    bits bit(3), pair pair, range int4range, object some_json, tags tags, long interval day to second, moods mood[]);
INSERT INTO kinds VALUES (1, '1', '{}', 'sad', 'x', '{a}', '1:00', '::1', '111', '(1,glad)', '[1,2)', '{"a": 1}', '{x}', '2 days', '{sad}');
"""
TAKEN = {
    "json": '[1]', "jsonb": '{"hidden": "\\u00e9"}', "mood": "glad", "bytes": "\\x00ff", "words": "{abc,NULL}", "at": "12:00",
    "net": "10.0.0.0/8", "bits": "101", "pair": "(1,sad)", "range": "[1,4)", "object": '{"a": null}', "tags": "{a,b}",
    "long": "1 day", "moods": "{sad,glad}",
}
REFUSED = {
    "json": "hidden", "jsonb": "hidden", "mood": "hidden", "bytes": "\\x0", "words": "{abcd}", "at": "25:00", "net": "hidden",
    "bits": "1010", "pair": "(1,hidden)", "range": "[4,1)", "object": '{"b": null}', "tags": "{a,b,c}", "long": "hidden",
    "moods": "{glad,bad}",
}


def fixed_rules(values):
    return "\n".join("public.kinds.%s fixed('%s')" % item for item in values.items())


def test_a_fixed_value_of_any_type_is_tried_before_the_first_byte(server, databases, store, target):
    source = databases(server)
    source.sql(KINDS)
    for command in ["dump", "check"]:
        ends = {"REPLICA_FROM": source.url(), "REPLICA_TO": store.url}
        for name, value in REFUSED.items():
            result = tool.run(command, REPLICA_TRANSFORM=fixed_rules({name: value}), **ends)
            tool.refused(result, tool.CONFIGURATION, "line 1", "column \"%s\" of" % name, value, "the server is unable")
        result = tool.run(command, REPLICA_TRANSFORM=fixed_rules(REFUSED), **ends)
        tool.refused(result, tool.CONFIGURATION, "line 1", "line 2", "line 3")
    assert store.files() == []
    tool.dump(source, store, REPLICA_TRANSFORM=fixed_rules(TAKEN))
    tool.restore(store, target)
    assert target.sql("SELECT json, mood, bits, moods, pair FROM kinds") == "[1]|glad|101|{sad,glad}|(1,sad)"


def test_a_wildcard_rule(shop, store):
    tool.dump(shop, store, REPLICA_TABLES="public.staff", REPLICA_TRANSFORM="*.*.password redacted")
    plain = b"".join(store.plain(name) for name in store.files())
    assert shop.sql("SELECT password FROM public.staff WHERE id = 7").encode() not in plain
    assert b"Employee 7" in plain


@pytest.mark.parametrize(
    "rule, phrases",
    [
        ("public.no_such.email email", ["no_such"]),
        ("public.customers.emial email", ["emial"]),
        ("public.customers.email emial", ["emial", "email"]),
        ("public.customers.email", ["public.customers.email"]),
        ("public.customers.birth_date email", ["birth_date", "email"]),
        ("public.products.attributes random", ["attributes", "random"]),
        ("public.customers.last_name null", ["last_name", "null"]),
        ("public.customers.email email; public.customers.email random", ["customers.email"]),
        ("*.*.no_such_column random", ["no_such_column"]),
        ('public."customers.email email', ["customers"]),
        ("public.customers.credit_limit fixed(not a number)", ["credit_limit"]),
        ("public.products.with_tax random", ["with_tax"]),
    ],
)
def test_a_wrong_rule_stops_before_the_first_byte(shop, store, rule, phrases):
    result = tool.run("dump", REPLICA_FROM=shop.url(), REPLICA_TO=store.url, REPLICA_TRANSFORM=rule)
    tool.refused(result, tool.CONFIGURATION, *phrases)
    assert store.files() == []


def test_all_wrong_rules_are_reported_at_once(shop, store):
    rules = (
        "public.customers.emial email\npublic.customers.phone no-such\npublic.orders.state random"
    )
    result = tool.run(
        "dump", REPLICA_FROM=shop.url(), REPLICA_TO=store.url, REPLICA_TRANSFORM=rules
    )
    tool.refused(result, tool.CONFIGURATION)
    assert "no-such" in result.err
    rules = "public.customers.emial email\npublic.orders.state random"
    result = tool.run(
        "dump", REPLICA_FROM=shop.url(), REPLICA_TO=store.url, REPLICA_TRANSFORM=rules
    )
    tool.refused(result, tool.CONFIGURATION, "emial", "state")


def test_a_masked_partition_key_finds_its_partition(databases, server, store, target):
    """Masked, a row may belong to another leaf: it has to be loaded through the root."""
    source = databases(server)
    source.sql(
        """CREATE TABLE people (id integer, born date) PARTITION BY RANGE (born);
        CREATE TABLE people_old PARTITION OF people FOR VALUES FROM (MINVALUE) TO ('1992-01-01');
        CREATE TABLE people_new PARTITION OF people FOR VALUES FROM ('1992-01-01') TO (MAXVALUE);
        INSERT INTO people SELECT n, date '1990-01-01' + n FROM generate_series(1, 2000) AS n"""
    )
    tool.dump(source, store, REPLICA_TRANSFORM="public.people_old.born random-date")
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM people") == "2000"
    assert target.sql("SELECT count(DISTINCT id) FROM people") == "2000"


@pytest.mark.parametrize("hidden", ["people", "people_new"])
def test_rows_through_a_root_are_counted_where_no_policy_hides_the_root_s(
    databases, server, store, target, hidden
):
    """A policy of the root's holds for all rows that are seen through it, one of a leaf's for none of them."""
    source = databases(server)
    source.sql(
        """CREATE TABLE people (id integer, born date) PARTITION BY RANGE (born);
        CREATE TABLE people_old PARTITION OF people FOR VALUES FROM (MINVALUE) TO ('1992-01-01');
        CREATE TABLE people_new PARTITION OF people FOR VALUES FROM ('1992-01-01') TO (MAXVALUE);
        INSERT INTO people SELECT n, date '1990-01-01' + n FROM generate_series(1, 2000) AS n;
        ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY""" % hidden
    )
    tool.dump(source, store, REPLICA_TRANSFORM="public.people_old.born random-date")
    server.sql("DROP ROLE IF EXISTS hidden_owner; CREATE ROLE hidden_owner LOGIN PASSWORD 'x'")
    target.sql('ALTER DATABASE "%s" OWNER TO hidden_owner' % target.name)
    before = len(server.log)
    result = tool.succeed(
        tool.run(
            "restore",
            REPLICA_FROM=store.url,
            REPLICA_TO=target.url(user="hidden_owner", password="x"),
            REPLICA_OWNERS="no",
        )
    )
    counted = hidden != "people"
    assert ("its own rows can't be counted" in result.err) != counted
    assert ("SELECT count(*) FROM \"public\".\"people\"" in server.log[before:]) == counted


@pytest.fixture
def half_foreign(databases, server):
    """A partitioned table, one of whose partitions lies in another database, in a table called people_far."""
    far, source = databases(server), databases(server)
    far.sql("CREATE TABLE people_far AS SELECT 1000 + n AS id, date '1990-01-01' + n AS born FROM generate_series(1, 9) AS n")
    if server.sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'") == "0":
        pytest.skip("postgres_fdw is not there")
    source.sql(
        """CREATE EXTENSION postgres_fdw;
        CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%d', dbname '%s');
        CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres');
        CREATE TABLE people (id integer, born date) PARTITION BY RANGE (id);
        CREATE TABLE people_near PARTITION OF people FOR VALUES FROM (0) TO (1000);
        CREATE FOREIGN TABLE people_far PARTITION OF people FOR VALUES FROM (1000) TO (MAXVALUE) SERVER far;
        INSERT INTO people_near SELECT n, date '1990-01-01' + n FROM generate_series(1, 500) AS n"""
        % (server.socket, server.port, far.name)
    )
    return source, far


def test_a_rule_beside_a_foreign_partition_is_refused(half_foreign, store, target):
    """Loaded through the root, a row could go to the foreign server, and its rows would be counted."""
    source, far = half_foreign
    rules = {"REPLICA_TRANSFORM": "public.people_near.born random-date"}
    ends = {"REPLICA_FROM": source.url(), "REPLICA_TO": store.url, **rules}
    phrases = ["public.people ", "public.people_far is a foreign table", "REPLICA_SKIP_TABLES"]
    tool.refused(tool.run("dump", **ends), tool.CONFIGURATION, *phrases)
    assert store.files() == []
    tool.refused(tool.run("check", **ends), tool.CONFIGURATION, *phrases)
    into = {**ends, "REPLICA_TO": target.url()}
    tool.refused(tool.run("copy", **into), tool.CONFIGURATION, *phrases)
    assert target.sql("SELECT to_regclass('people') IS NULL") == "t"


def test_a_rule_beside_a_foreign_partition_that_is_left_out(half_foreign, store, target):
    source, far = half_foreign
    rules = "public.people_near.born random-date"
    tool.dump(source, store, REPLICA_TRANSFORM=rules, REPLICA_SKIP_TABLES="public.people_far")
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM people") == "500"
    assert target.sql("SELECT to_regclass('people_far') IS NULL") == "t"


def test_a_foreign_partition_without_rules(half_foreign, store, target):
    """Each leaf is loaded by itself: the foreign one goes along as it is, and nothing is sent to it."""
    source, far = half_foreign
    tool.dump(source, store)
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM people") == "509"
    assert target.sql("SELECT count(*) FROM people_near") == "500"
    assert far.sql("SELECT count(*) FROM people_far") == "9"
