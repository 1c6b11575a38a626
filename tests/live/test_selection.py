"""Promise: patterns choose tables, what can not stand without them stays away, and the rest restores."""

import pytest

import compare
import sample
import tool


def moved(source, store, target, **variables):
    tool.dump(source, store, **variables)
    tool.restore(store, target)


def test_included_tables_alone(small, store, target):
    moved(small, store, target, REPLICA_TABLES="public.people, settings")
    assert compare.tables(target) == ["public.people", "public.settings"]
    assert compare.table_rows(target, "people") == compare.table_rows(small, "people")


def test_a_table_whose_foreign_key_leads_out_of_the_selection(small, store, target):
    moved(small, store, target, REPLICA_TABLES="visits")
    assert compare.tables(target) == ["public.visits"]
    assert compare.counts(target) == {"public.visits": sample.SMALL_VISITS}
    assert target.sql("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == "0"


def test_skipped_tables_take_their_dependents_along(small, store, target):
    moved(small, store, target, REPLICA_SKIP_TABLES="public.visits")
    assert "public.visits" not in compare.tables(target)
    assert target.sql("SELECT count(*) FROM pg_class WHERE relname = 'visits_a_person'") == "0"
    assert target.sql("SELECT count FROM people_count") == "4000"


RULED = """
CREATE TABLE orders (id integer); CREATE TABLE audit (id integer); CREATE TABLE other (id integer);
INSERT INTO orders VALUES (1), (2);
CREATE RULE "log It" AS ON INSERT TO orders DO ALSO INSERT INTO audit VALUES (new.id);
COMMENT ON RULE "log It" ON orders IS 'a comment';
ALTER TABLE orders DISABLE RULE "log It";
CREATE RULE "log It" AS ON INSERT TO other DO ALSO DELETE FROM orders;
CREATE RULE quiet AS ON DELETE TO orders DO INSTEAD NOTHING;
CREATE VIEW seen AS SELECT * FROM orders;
CREATE RULE seen_too AS ON INSERT TO seen DO INSTEAD INSERT INTO audit VALUES (new.id);
"""


def test_a_rule_that_needs_a_skipped_table_is_left_out_and_its_table_is_not(server, databases, store):
    source = databases(server)
    source.sql(RULED)
    for variables, others in [({"REPLICA_TABLES": "orders"}, []), ({"REPLICA_SKIP_TABLES": "audit"}, ["log It|other"])]:
        result = tool.dump(source, store, **variables)
        assert "leaving out rule log It of public.orders: it needs a table that is left out" in result.err
        assert "leaving out rule seen_too of public.seen" in result.err
        target = databases(server)
        tool.restore(store, target)
        assert target.sql("SELECT count(*) FROM orders") == "2"
        assert target.sql("SELECT count(*) FROM seen") == "2"
        rules = "SELECT rulename, ev_class::regclass FROM pg_rewrite WHERE ev_type <> '1' AND oid >= 16384 ORDER BY 1, 2"
        assert target.sql(rules).split("\n") == others + ["quiet|orders"]


GUARDED = """
CREATE TABLE users (id integer PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'me');
CREATE TABLE orders (id integer, owner text); INSERT INTO orders VALUES (1, 'me'), (2, 'you');
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY "its Own" ON orders USING (EXISTS (SELECT FROM users WHERE name = orders.owner));
COMMENT ON POLICY "its Own" ON orders IS 'a comment';
CREATE POLICY tight ON orders AS RESTRICTIVE FOR SELECT USING (id IN (SELECT id FROM users));
CREATE POLICY plain ON orders USING (owner = current_user);
CREATE FUNCTION "label Of"(u users, x integer DEFAULT 1) RETURNS text LANGUAGE sql AS 'SELECT u.name';
COMMENT ON FUNCTION "label Of" IS 'a comment';
REVOKE ALL ON FUNCTION "label Of" FROM PUBLIC;
CREATE FUNCTION everybody() RETURNS SETOF users LANGUAGE sql AS 'SELECT * FROM users';
CREATE FUNCTION many(u users[]) RETURNS integer LANGUAGE sql AS 'SELECT cardinality(u)';
CREATE PROCEDURE store(u users) LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION "label Of"(x integer) RETURNS integer LANGUAGE sql AS 'SELECT x';
CREATE VIEW all_names AS SELECT name FROM everybody();
CREATE FUNCTION named(v all_names) RETURNS text LANGUAGE sql AS 'SELECT v.name';
"""
EXECUTABLE = "SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1"


def test_policies_and_functions_that_need_a_skipped_table_are_left_out(server, databases, store, target):
    source = databases(server)
    source.sql(GUARDED)
    if server.version >= 14:
        source.sql("CREATE FUNCTION how_many() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM users; END")
    for variables in [{"REPLICA_SKIP_TABLES": "users"}, {"REPLICA_TABLES": "orders"}]:
        result = tool.dump(source, store, **variables)
        for said in ["its Own of public.orders", "tight of public.orders", "is stricter", "is weaker"]:
            assert said in result.err
        assert result.err.count(" warning ") == 2
        tool.restore(store, target, REPLICA_OWNERS="yes", REPLICA_PRIVILEGES="yes", REPLICA_CLEAN="yes")
        assert compare.tables(target) == ["public.orders"]
        assert target.sql("SELECT count(*) FROM orders") == "2"
        assert target.sql("SELECT polname FROM pg_policy") == "plain"
        assert target.sql("SELECT relrowsecurity FROM pg_class WHERE relname = 'orders'") == "t"
        assert target.sql(EXECUTABLE) == '"label Of"(integer)'


def test_what_an_extension_makes_is_there_without_being_selected(server, databases, store, target, extension):
    """Its table of configuration is left out; the destination's extension makes it, and what goes with it."""
    extension(
        "with_types",
        """CREATE TABLE @extschema@.choices (id integer);
        SELECT pg_extension_config_dump('@extschema@.choices', '');
        CREATE FUNCTION @extschema@.chosen(@extschema@.choices) RETURNS boolean LANGUAGE sql AS 'SELECT true';
        CREATE OPERATOR @extschema@.!! (RIGHTARG = @extschema@.choices, FUNCTION = @extschema@.chosen);""",
    )
    source = databases(server)
    source.sql("CREATE EXTENSION with_types; CREATE TABLE mine (id integer, c choices); INSERT INTO mine VALUES (1)")
    source.sql("CREATE VIEW of_both AS SELECT mine.id, chosen(mine.c) FROM mine, choices")
    result = tool.dump(source, store, REPLICA_TABLES="mine")
    assert "leaving out" not in result.err
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM mine") == "1"
    assert target.sql("SELECT count(*) FROM of_both") == "0"


@pytest.mark.parametrize(
    "needs, said",
    [
        ("ALTER TABLE orders ADD who users", "column who of table"),
        ("ALTER TABLE orders ADD n bigint DEFAULT how_many()", "default value for column n"),
        ("ALTER TABLE orders ADD CHECK (how_many() > 0)", "constraint orders_check on table"),
        ("CREATE DOMAIN positive AS integer CHECK (how_many() > 0)", "positive"),
    ],
)
def test_what_else_needs_a_skipped_table_is_refused(server, databases, store, needs, said):
    source = databases(server)
    source.sql(GUARDED)
    source.sql("CREATE FUNCTION how_many(u users DEFAULT NULL) RETURNS bigint LANGUAGE sql AS 'SELECT 1'")
    source.sql(needs)
    ends = {"REPLICA_FROM": source.url(), "REPLICA_TO": store.url}
    for command in ["dump", "check"]:
        result = tool.run(command, REPLICA_SKIP_TABLES="users", **ends)
        tool.refused(result, tool.CONFIGURATION, said, "goes with a table that is left out", "REPLICA_SKIP_DATA")
    assert store.files() == []
    tool.dump(source, store, REPLICA_SKIP_DATA="users")


# Keys at every place: to a partitioned table, one of its partitions, from one, to itself, through inheritance.
KEYED = """
CREATE TABLE p (id integer PRIMARY KEY, up integer) PARTITION BY LIST (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2, 3) PARTITION BY LIST (id);
CREATE TABLE p2a PARTITION OF p2 FOR VALUES IN (2);
CREATE TABLE p2b PARTITION OF p2 FOR VALUES IN (3);
INSERT INTO p VALUES (1, 1), (2, 1), (3, 2); ALTER TABLE p ADD CONSTRAINT p_fk FOREIGN KEY (up) REFERENCES p;
CREATE TABLE r (pid integer CONSTRAINT r_fk REFERENCES p); INSERT INTO r VALUES (1), (2), (3);
COMMENT ON CONSTRAINT r_fk ON r IS 'a comment';
CREATE TABLE rp (pid integer CONSTRAINT rp_fk REFERENCES p) PARTITION BY LIST (pid);
CREATE TABLE rp1 PARTITION OF rp FOR VALUES IN (1); CREATE TABLE rp2 PARTITION OF rp DEFAULT;
INSERT INTO rp VALUES (1), (2), (3); COMMENT ON CONSTRAINT rp_fk ON rp IS 'a comment';
CREATE TABLE d (pid integer CONSTRAINT "D fk" REFERENCES p1); INSERT INTO d VALUES (1);
CREATE TABLE d2 (pid integer CONSTRAINT d2_fk REFERENCES p2); INSERT INTO d2 VALUES (2), (3);
CREATE TABLE s (id integer PRIMARY KEY, up integer CONSTRAINT s_fk REFERENCES s); INSERT INTO s VALUES (1, 1);
CREATE TABLE u (id integer PRIMARY KEY); CREATE TABLE u_child (CHECK (id > 0)) INHERITS (u);
INSERT INTO u VALUES (1); INSERT INTO u_child VALUES (2);
CREATE TABLE ru (uid integer CONSTRAINT ru_fk REFERENCES u); INSERT INTO ru VALUES (1);
CREATE TABLE lax (uid integer); INSERT INTO lax VALUES (9);
ALTER TABLE lax ADD CONSTRAINT lax_fk FOREIGN KEY (uid) REFERENCES u NOT VALID;
"""
KEYS = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 ORDER BY conname COLLATE \"C\""


@pytest.fixture(scope="module")
def keyed(request):
    """keyed(fixture): the database of KEYED on that server."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = request.getfixturevalue(name).create("keyed", "template0")
            made[name].sql(KEYED)
        return made[name]

    yield make
    for database in made.values():
        database.drop()


# What stays away by its own name, and what is said of each.
LEFT_OUT = [
    ({"REPLICA_SKIP_TABLES": "p1"}, {"D fk": "refers to is left out", "r_fk": "public.p1", "rp_fk": "p1", "p_fk": "p1"}),
    ({"REPLICA_SKIP_DATA": "p1"}, {"D fk": "rows of public.p1", "r_fk": "public.p1", "rp_fk": "p1", "p_fk": "p1"}),
    ({"REPLICA_SKIP_DATA": "p2b"}, {"r_fk": "p2b", "rp_fk": "p2b", "p_fk": "p2b", "d2_fk": "p2b"}),
    ({"REPLICA_SKIP_TABLES": "p2"}, {"r_fk": "p2a", "rp_fk": "p2a", "p_fk": "p2a", "d2_fk": "refers to is left out"}),
    ({"REPLICA_SKIP_DATA": "p"}, {"r_fk": "p1", "rp_fk": "p1", "D fk": "p1", "d2_fk": "p2a"}),
    ({"REPLICA_SKIP_DATA": "p, r, rp, d, d2"}, {}),
    ({"REPLICA_SKIP_DATA": "p, rp1"}, {"r_fk": "p1", "rp_fk": "p1", "D fk": "p1", "d2_fk": "p2a"}),
    ({"REPLICA_SKIP_DATA": "r, rp, d, d2, ru, s"}, {}),
    ({"REPLICA_SKIP_DATA": "u_child"}, {}),
    ({"REPLICA_SKIP_DATA": "u"}, {"ru_fk": "public.u,"}),
    ({"REPLICA_TABLES": "r, p1"}, {"r_fk": "p2a", "p_fk": "p2a"}),
    ({"REPLICA_TABLES": "ru, u_child"}, {"ru_fk": "public.u,"}),
]


@pytest.mark.parametrize("name", ["server13", "server", "server18"])
def test_a_key_that_can_not_hold_is_left_out_by_its_own_name(keyed, name, databases, store, request):
    server, source = request.getfixturevalue(name), keyed(name)
    all_keys = set(source.sql(KEYS).split("\n"))
    target = databases(server)
    cases = LEFT_OUT if name == "server" else LEFT_OUT[:5:2]
    for number, (variables, lost) in enumerate(cases):
        result = tool.dump(source, store, **variables)
        said = [line for line in result.err.split("\n") if "leaving out foreign key" in line]
        assert len(said) == len(lost), (variables, said)
        for key, why in lost.items():
            assert any("foreign key %s of public." % key in line and why in line for line in said), (key, said)
        tool.restore(store, target, REPLICA_CLEAN="yes")
        if "REPLICA_TABLES" not in variables:
            assert set(target.sql(KEYS).split("\n")) == all_keys - set(lost), variables
        unasked = "0" if "REPLICA_TABLES" in variables else "1"
        assert target.sql("SELECT count(*) FROM pg_constraint WHERE NOT convalidated") == unasked
        if number < 2:
            ends = {"REPLICA_FROM": source.url(), "REPLICA_TO": target.url(), "REPLICA_CLEAN": "yes"}
            tool.succeed(tool.run("check", REPLICA_FROM=source.url(), **variables))
            tool.succeed(tool.run("copy", **ends, **variables))
            assert set(target.sql(KEYS).split("\n")) == all_keys - set(lost), variables


def test_an_extensions_own_key_refuses_rows_that_are_left_out(server, databases, store, target, extension):
    """It is there before the rows come, so it can't be left out."""
    extension(
        "with_a_key",
        """CREATE TABLE @extschema@.kinds (id integer PRIMARY KEY);
        CREATE TABLE @extschema@.things (k integer REFERENCES @extschema@.kinds);
        SELECT pg_extension_config_dump('@extschema@.kinds', '');
        SELECT pg_extension_config_dump('@extschema@.things', '');""",
    )
    source = databases(server)
    source.sql("CREATE EXTENSION with_a_key; INSERT INTO kinds VALUES (1); INSERT INTO things VALUES (1)")
    ends = {"REPLICA_FROM": source.url(), "REPLICA_TO": store.url}
    for command in ["dump", "check"]:
        result = tool.run(command, REPLICA_SKIP_DATA="kinds", **ends)
        tool.refused(result, tool.CONFIGURATION, "things_k_fkey", "rows of public.kinds", "REPLICA_SKIP_DATA")
    tool.dump(source, store, REPLICA_SKIP_DATA="kinds, things")


def test_skipped_data_leaves_the_structure(small, store, target):
    moved(small, store, target, REPLICA_SKIP_DATA="vis*")
    compare.assert_same(small, target, "-s")
    assert compare.counts(target) == dict(compare.counts(small), **{"public.visits": 0})
    skipped = [t for t in store.manifest()["tables"] if t["name"] == "visits"][0]
    assert skipped["data"] is False and skipped["volumes"] == []


def test_a_partitioned_table_brings_its_leaves(small, store, target):
    moved(small, store, target, REPLICA_TABLES="public.parts")
    assert target.sql("SELECT count(*) FROM parts") == "3000"


def test_quoted_patterns_are_literal_and_unquoted_ones_fold(shop, store, target):
    moved(
        shop,
        store,
        target,
        REPLICA_TABLES='"Awkward ""Zoo"""."*",  "Awkward ""Zoo"""."Mixed Case.with dot" # a comment\nPUBLIC.Products',
    )
    assert compare.tables(target) == [
        '"Awkward ""Zoo"""."*"',
        '"Awkward ""Zoo"""."Mixed Case.with dot"',
        "public.products",
    ]


def test_wildcards(small, store, target):
    moved(small, store, target, REPLICA_TABLES="pub*.?e*", REPLICA_SKIP_TABLES="settings")
    assert compare.tables(target) == ["public.people"]


def test_a_pattern_that_fits_nothing_is_an_error(small, store):
    for variable in ["REPLICA_TABLES", "REPLICA_SKIP_TABLES", "REPLICA_SKIP_DATA"]:
        result = tool.run(
            "dump",
            REPLICA_FROM=small.url(),
            REPLICA_TO=store.url,
            **{variable: "public.people,public.peeple"}
        )
        tool.refused(result, tool.CONFIGURATION, "peeple", variable)
    assert store.files() == []


def test_a_pattern_that_can_not_be_read_is_an_error(small, store):
    for pattern in ['"open', "a.b.c", "a..b"]:
        result = tool.run(
            "dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url, REPLICA_TABLES=pattern
        )
        tool.refused(result, tool.CONFIGURATION, "REPLICA_TABLES")


LARGE = "SELECT count(*) FROM pg_largeobject_metadata"


@pytest.mark.parametrize(
    "variables, taken",
    [
        ({}, "1"),
        ({"REPLICA_SKIP_TABLES": "visits"}, "1"),
        ({"REPLICA_TABLES": "settings"}, "0"),
        ({"REPLICA_TABLES": "settings", "REPLICA_LARGE_OBJECTS": "yes"}, "1"),
        ({"REPLICA_LARGE_OBJECTS": "no"}, "0"),
    ],
)
def test_large_objects_go_with_the_whole_database_or_as_it_is_said(small, store, target, variables, taken):
    result = tool.dump(small, store, **variables)
    assert ("leaving out the large objects, 1 in number" in result.err) == (taken == "0")
    tool.restore(store, target)
    assert target.sql(LARGE) == taken


def test_a_copy_leaves_large_objects_out_alike(small, target):
    ends = {"REPLICA_FROM": small.url(), "REPLICA_TO": target.url()}
    tool.succeed(tool.run("copy", REPLICA_TABLES="settings", **ends))
    assert target.sql(LARGE) == "0"
    tool.succeed(tool.run("copy", REPLICA_TABLES="settings", REPLICA_LARGE_OBJECTS="yes", REPLICA_CLEAN="yes", **ends))
    assert target.sql(LARGE) == "1"


def test_large_objects_beside_rules_are_warned_of(small, store):
    rule = {"REPLICA_TRANSFORM": "public.people.email email"}
    warning = "no rule reaches into large objects: 1 are dumped as they are; REPLICA_LARGE_OBJECTS=no"
    assert warning in tool.dump(small, store, **rule).err
    assert "no rule reaches" not in tool.dump(small, store).err
    assert "no rule reaches" not in tool.dump(small, store, REPLICA_LARGE_OBJECTS="no", **rule).err


def test_large_objects_that_the_role_may_not_read_can_stay_away(server, databases, store):
    source = databases(server)
    server.sql("DROP ROLE IF EXISTS lo_reader; CREATE ROLE lo_reader LOGIN PASSWORD 'plain'")
    source.sql("CREATE TABLE t (a integer); GRANT SELECT ON t TO lo_reader; SELECT lo_create(4711)")
    ends = {"REPLICA_FROM": source.url("lo_reader", "plain"), "REPLICA_TO": store.url}
    for command in ["dump", "check"]:
        result = tool.run(command, **ends)
        tool.refused(result, tool.SOURCE, "large objects, among them 4711", "REPLICA_LARGE_OBJECTS=no")
        tool.succeed(tool.run(command, REPLICA_LARGE_OBJECTS="no", **ends))
        tool.succeed(tool.run(command, REPLICA_TABLES="t", **ends))
    source.drop()
    server.sql("DROP ROLE lo_reader")
