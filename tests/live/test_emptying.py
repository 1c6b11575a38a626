"""Promise: REPLICA_CLEAN makes of any database what CREATE DATABASE makes, from any point, or drops nothing at all."""

import os
import subprocess

import pytest

import compare
import servers
import tool

EVERYTHING = {"REPLICA_OWNERS": "yes", "REPLICA_PRIVILEGES": "yes"}

# Names are hard where nothing speaks against it; what one cascade takes along must not be asked for again.
ZOO = r"""
COMMENT ON SCHEMA public IS 'mine';
GRANT CREATE ON SCHEMA public TO PUBLIC;
CREATE SCHEMA "S ""x"; COMMENT ON SCHEMA "S ""x" IS 'hers';
CREATE EXTENSION citext SCHEMA "S ""x"; CREATE EXTENSION pg_trgm;
CREATE TYPE comp AS (a int, b "S ""x".citext); CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE shell;
CREATE TYPE floats AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE DOMAIN "S ""x"."d d" AS int CONSTRAINT "c c" CHECK (VALUE > 0) DEFAULT 7;
CREATE TYPE base;
CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE base (INPUT = base_in, OUTPUT = base_out, INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4);
CREATE FUNCTION plus(comp, comp) RETURNS comp LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION less(mood, mood) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1::text < $2::text';
CREATE FUNCTION cmp(mood, mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE FUNCTION "f "" f"(VARIADIC a text[], OUT b int, OUT c int) LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION named("I n" int DEFAULT 1, OUT o text) LANGUAGE sql AS $$ SELECT 'x' $$;
CREATE FUNCTION tab(a int) RETURNS TABLE (x int, y text) LANGUAGE sql AS $$ SELECT 1, 'x' $$;
CREATE PROCEDURE pro(INOUT a int, b "S ""x".citext DEFAULT 'x') LANGUAGE plpgsql AS 'BEGIN END';
CREATE PROCEDURE pro(a bigint) LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION win(int) RETURNS int LANGUAGE internal WINDOW AS 'window_lag';
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE AGGREGATE "no args"(*) (sfunc = int8inc, stype = int8, initcond = '0');
CREATE AGGREGATE sums(comp) (sfunc = plus, stype = comp);
CREATE AGGREGATE perc(float8 ORDER BY anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final,
    finalfunc_extra);
CREATE OPERATOR @+@ (LEFTARG = comp, RIGHTARG = comp, FUNCTION = plus);
CREATE OPERATOR "S ""x".@+@ (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE OPERATOR !!! (RIGHTARG = int, FUNCTION = int4um);
CREATE OPERATOR <<< (LEFTARG = mood, RIGHTARG = mood, FUNCTION = less, COMMUTATOR = >>>);
CREATE OPERATOR FAMILY fam USING btree; CREATE OPERATOR FAMILY "S ""x"."lone fam" USING hash;
CREATE OPERATOR CLASS cls FOR TYPE mood USING btree FAMILY fam AS OPERATOR 1 <<<, FUNCTION 1 cmp(mood, mood);
CREATE OPERATOR CLASS "own fam" FOR TYPE mood USING btree AS OPERATOR 1 <<<, FUNCTION 1 cmp(mood, mood);
ALTER OPERATOR FAMILY fam USING btree ADD FUNCTION 1 (int, bigint) btint48cmp(int, bigint), OPERATOR 1 < (int, bigint);
CREATE COLLATION "c c" (locale = 'C'); CREATE CONVERSION conv FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
CREATE TEXT SEARCH PARSER pars (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE temp (LEXIZE = dsimple_lexize); CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = temp);
CREATE TEXT SEARCH CONFIGURATION conf (PARSER = pars); ALTER TEXT SEARCH CONFIGURATION conf ADD MAPPING FOR word WITH dict;
CREATE FUNCTION caster(comp) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE CAST (comp AS int) WITH FUNCTION caster(comp); CREATE CAST (int AS mood) WITH INOUT;
CREATE CAST (point AS int8) WITH INOUT AS ASSIGNMENT;
CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION varchar_support(internal));
CREATE FUNCTION to_sql(internal) RETURNS mood LANGUAGE internal IMMUTABLE AS 'int4recv';
CREATE TRANSFORM FOR mood LANGUAGE sql (TO SQL WITH FUNCTION to_sql(internal));
CREATE FUNCTION handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE LANGUAGE "my lang" HANDLER handler;
CREATE FUNCTION speaks() RETURNS int LANGUAGE "my lang" AS 'BEGIN RETURN 1; END';
CREATE ACCESS METHOD "my am" TYPE INDEX HANDLER bthandler; CREATE ACCESS METHOD "my heap" TYPE TABLE HANDLER heap_tableam_handler;
CREATE FOREIGN DATA WRAPPER "my fdw"; CREATE SERVER "my server" FOREIGN DATA WRAPPER "my fdw";
CREATE USER MAPPING FOR CURRENT_USER SERVER "my server"; CREATE FOREIGN TABLE ft (a int) SERVER "my server";
CREATE SEQUENCE seq; CREATE TABLE parent (id serial PRIMARY KEY, i int GENERATED ALWAYS AS IDENTITY, m mood, t text COLLATE "c c");
CREATE TABLE "S ""x"."T ""t" (a "S ""x"."d d" REFERENCES parent, c comp DEFAULT '(1,x)', b base) INHERITS (parent);
CREATE TABLE am_table (a int) USING "my heap";
CREATE INDEX "i i" ON parent (m cls); CREATE STATISTICS "s s" ON id, m FROM parent;
CREATE TABLE parts (a int, b text, PRIMARY KEY (a)) PARTITION BY RANGE (a);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE refers (a int REFERENCES parts, p parts, id int REFERENCES parent, cyc int);
ALTER TABLE parts ADD c int REFERENCES parent;
CREATE VIEW "v v" AS SELECT * FROM parent; CREATE MATERIALIZED VIEW mat AS SELECT * FROM "v v"; CREATE INDEX ON mat (id);
CREATE VIEW over_view AS SELECT mat.id, total(1) FROM mat GROUP BY 1;
CREATE RULE "r r" AS ON INSERT TO parts DO NOTHING;
CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "t t" BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION trig();
ALTER TABLE parent ENABLE ROW LEVEL SECURITY; CREATE POLICY "p p" ON parent USING (m <<< 'glad');
CREATE FUNCTION evt() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER "e t" ON sql_drop EXECUTE FUNCTION evt();
CREATE PUBLICATION "p all" FOR ALL TABLES; CREATE PUBLICATION pub FOR TABLE parent;
SELECT lo_create(471147); COMMENT ON LARGE OBJECT 471147 IS 'x';
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM CURRENT_USER;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO PUBLIC WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA "S ""x" GRANT USAGE ON TYPES TO PUBLIC;
GRANT SELECT ON parent TO PUBLIC;
"""
# GRANT OPTION can't be given to PUBLIC.
ZOO = ZOO.replace(" TO PUBLIC WITH GRANT OPTION", " TO PUBLIC")
ZOO_15 = """CREATE PUBLICATION "of schema" FOR TABLES IN SCHEMA public;
CREATE PROCEDURE outs(OUT a bigint) LANGUAGE plpgsql AS 'BEGIN END'; CREATE PROCEDURE outs(a bigint) LANGUAGE plpgsql AS 'BEGIN END';"""
ZOO_18 = "ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO PUBLIC;"

# What pg_identify_object calls them; each has to be in the zoo, so that none is forgotten.
KINDS = """access method, aggregate, cast, collation, composite type, conversion, default acl, default value, domain constraint, event trigger,
    extension, foreign table, foreign-data wrapper, function, function of access method, index, language, large object, materialized view,
    operator, operator class, operator family, operator of access method, policy, procedure, publication, publication relation, rule, schema,
    sequence, server, statistics object, table, table constraint, text search configuration, text search dictionary, text search parser,
    text search template, toast table, transform, trigger, type, user mapping, view"""
KINDS_15 = ", publication namespace"

CATALOGS = """SELECT string_agg(format('SELECT %L::regclass AS class, oid FROM %s WHERE oid >= 16384', replace(c.relname, '_metadata', ''), c.relname), ' UNION ALL ')
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'oid' WHERE c.relnamespace = 'pg_catalog'::regnamespace
    AND c.relkind = 'r' AND NOT c.relisshared AND c.relname <> 'pg_enum'"""


def objects(database):
    """Every object that users have made, of every catalog, as (type, identity), in order."""
    union = database.sql(CATALOGS)
    query = "SELECT type, identity FROM (%s) AS o, pg_identify_object(o.class, o.oid, 0) ORDER BY 1, 2" % union
    return [tuple(line.split("|", 1)) for line in database.sql(query).split("\n") if line]


def filled(server, database):
    database.sql(ZOO)
    if server.version >= 15:
        database.sql(ZOO_15)
    if server.version >= 18:
        database.sql(ZOO_18)


def same_as_new(server, databases, source, store, target, **variables):
    """What was emptied is what was never filled: the text of pg_dump, and every object."""
    new = databases(server)
    tool.restore(store, new, **variables)
    compare.assert_same(new, target)
    normal = lambda found: sorted(pair for pair in found if not pair[1].startswith(("pg_toast", "pg_temp")))
    assert normal(objects(new)) == normal(objects(target))


@pytest.fixture
def little(server, databases, store):
    source = databases(server)
    source.sql("CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t SELECT n, 'x' || n FROM generate_series(1, 100) AS n")
    tool.dump(source, store)
    return source


def zoo_is_emptied(server, databases, store):
    source, target = databases(server), databases(server)
    source.sql("CREATE TABLE t (a int PRIMARY KEY, b text); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    tool.dump(source, store)
    server.sql("DROP ROLE IF EXISTS zookeeper; CREATE ROLE zookeeper")
    filled(server, target)
    target.sql("ALTER SCHEMA public OWNER TO zookeeper")
    kinds = {kind.strip() for kind in (KINDS + (KINDS_15 if server.version >= 15 else "")).split(",")}
    assert kinds <= {kind for kind, _ in objects(target)}, kinds - {kind for kind, _ in objects(target)}
    print("%d objects of %d kinds" % (len(objects(target)), len(kinds)))
    variables = {"REPLICA_FROM": store.url, "REPLICA_TO": target.url()}
    tool.refused(tool.run("restore", **variables), tool.TARGET, "not empty")
    tool.restore(store, target, REPLICA_CLEAN="yes", **EVERYTHING)
    same_as_new(server, databases, source, store, target, **EVERYTHING)
    server.sql("DROP ROLE zookeeper")


def test_the_zoo(server, databases, store):
    zoo_is_emptied(server, databases, store)


def test_the_zoo_on_13(server13, databases, store):
    zoo_is_emptied(server13, databases, store)


def test_the_zoo_on_18(server18, databases, store):
    zoo_is_emptied(server18, databases, store)


# One kind each, alone: what falls to no other one's cascade.  The first three ended it half-way.
ALONE = [
    "CREATE FUNCTION p(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE OPERATOR @+@ (LEFTARG = int, RIGHTARG = int, FUNCTION = p)",
    "CREATE OPERATOR CLASS c FOR TYPE int USING btree AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int)",
    "CREATE AGGREGATE a(*) (sfunc = int8inc, stype = int8, initcond = '0')",
    "CREATE OPERATOR @+@ (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)",
    "CREATE OPERATOR FAMILY f USING hash",
    "CREATE AGGREGATE a(int) (sfunc = int4pl, stype = int)",
    "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION varchar_support(internal))",
    "CREATE CAST (point AS int8) WITH INOUT",
    "CREATE TYPE t",
    "CREATE TYPE t AS (a int)",
    "CREATE TYPE t AS RANGE (subtype = float8)",
    "CREATE DOMAIN d AS int",
    "CREATE COLLATION c (locale = 'C')",
    "CREATE CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
    "CREATE TEXT SEARCH PARSER p (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)",
    "CREATE TEXT SEARCH TEMPLATE t (LEXIZE = dsimple_lexize)",
    "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple)",
    "CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)",
    "CREATE PROCEDURE p(INOUT a int) LANGUAGE plpgsql AS 'BEGIN END'",
    "CREATE ACCESS METHOD m TYPE INDEX HANDLER bthandler",
    "CREATE LANGUAGE l HANDLER plpgsql_call_handler",
    "CREATE FOREIGN DATA WRAPPER f",
    "CREATE FOREIGN DATA WRAPPER f; CREATE SERVER s FOREIGN DATA WRAPPER f; CREATE FOREIGN TABLE t (a int) SERVER s",
    "CREATE SEQUENCE s",
    "CREATE VIEW v AS SELECT 1 AS a",
    "CREATE PUBLICATION p",
    "CREATE FUNCTION public.f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END'; CREATE EVENT TRIGGER e ON sql_drop"
    " WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION f()",
    "SELECT lo_create(0)",
    "CREATE EXTENSION citext; CREATE FUNCTION f(citext) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA s",
]


def test_each_kind_alone_is_seen_and_goes(server, little, store, databases, target):
    tool.restore(store, target)
    target.sql("DROP TABLE t")
    before = objects(target)
    for what in ALONE:
        target.sql(what)
        tool.refused(tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url()), tool.TARGET, "not empty")
        tool.restore(store, target, REPLICA_CLEAN="yes")
        target.sql("DROP TABLE t")
        assert objects(target) == before, what
    print("%d kinds alone" % len(ALONE))


# Dropping an object writes into its catalog, where a lock makes it wait: moments that can be told apart.
MOMENTS = ["pg_publication", "pg_class", "pg_proc", "pg_operator", "pg_opclass", "pg_ts_dict", "pg_type", "pg_namespace", "pg_cast",
    "pg_language", "pg_largeobject_metadata", "pg_default_acl"]


def psql_holding(target, statement):
    """A psql that has run this in a transaction, and keeps it open until its input ends."""
    holder = subprocess.Popen(
        ["psql", "-X", "-q", "-h", target.server.socket, "-p", str(target.server.port), "-U", "postgres", "-d", target.name],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]})
    holder.stdin.write(b"BEGIN; %s;\n\\echo held\n" % statement.encode())
    holder.stdin.flush()
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_what_a_kill_leaves_the_next_run_finishes(server, databases, store, little, target):
    """Killed at twelve moments of its emptying, or ended at the server: the next one comes to the same end."""
    tool.restore(store, target, **EVERYTHING)
    expected = objects(target)
    for number, catalog in enumerate(MOMENTS):
        target.sql("DROP TABLE t")
        filled(server, target)
        holder = psql_holding(target, "LOCK TABLE pg_catalog.%s IN SHARE MODE" % catalog)
        process = tool.start("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_CLEAN="yes")
        waiting = "datname = current_database() AND application_name = 'replica' AND wait_event_type = 'Lock'"
        try:
            target.eventually("SELECT count(*) FROM pg_stat_activity WHERE " + waiting, "1")
            if number % 2:
                process.kill()
                process.wait()
            target.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + waiting)
            assert process.wait(10) != 0
        finally:
            process.kill()
            process.communicate()
            holder.communicate()
        tool.restore(store, target, REPLICA_CLEAN="yes", **EVERYTHING)
        without_oids = lambda found: [pair for pair in found if not pair[1].startswith("pg_toast")]
        assert without_oids(objects(target)) == without_oids(expected), catalog
    print("%d moments" % len(MOMENTS))
    same_as_new(server, databases, little, store, target, **EVERYTHING)


def test_many_tables_and_few_locks(room, server, small_store, small):
    """Of a server that has some 600 locks in all: 800 tables, 400 of them partitions of one, and views on views."""
    lines = ("max_locks_per_transaction = 10", "max_connections = 20", "max_prepared_transactions = 0")
    with servers.started(room + "/few-locks", None, lines) as few:
        target = few.create()
        for first in range(0, 400, 50):
            text = "".join("CREATE TABLE t%d (a serial PRIMARY KEY, b text UNIQUE);" % n for n in range(first, first + 50))
            target.sql("BEGIN;" + text.replace(";", ";COMMIT;BEGIN;") + "COMMIT")
        target.sql("CREATE TABLE p (a int PRIMARY KEY) PARTITION BY LIST (a)")
        for n in range(0, 400, 50):
            target.sql("".join("CREATE TABLE p%d PARTITION OF p FOR VALUES IN (%d);\n" % (i, i) for i in range(n, n + 50)))
        target.sql("CREATE VIEW v0 AS SELECT a FROM t0;" + "".join("CREATE VIEW v%d AS SELECT * FROM v%d;" % (n, n - 1) for n in range(1, 90)))
        tool.restore(small_store, target, REPLICA_CLEAN="yes")
        compare.assert_same(small, target, "-O", "-x")


@pytest.fixture
def owner(server, target):
    """A role that owns the database, and no more."""
    server.sql("CREATE ROLE owning LOGIN PASSWORD 'secret'; CREATE ROLE another")
    server.sql('ALTER DATABASE "%s" OWNER TO owning' % target.name)
    yield "owning"
    target.drop()
    server.sql("DROP ROLE owning; DROP ROLE another")


def emptied_by(user, store, target, command="restore", **variables):
    return tool.run(command, REPLICA_FROM=store.url, REPLICA_TO=target.url(user, "secret"), REPLICA_CLEAN="yes", **variables)


@pytest.mark.parametrize("hers", [
    ("CREATE SCHEMA theirs; CREATE TABLE theirs.t (a int)", "schema theirs", "table theirs.t"),
    ("CREATE TEXT SEARCH TEMPLATE public.temp (LEXIZE = pg_catalog.dsimple_lexize); CREATE CAST (point AS int8) WITH INOUT", "cast (point AS bigint)"),
    ("CREATE FUNCTION public.f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER guard ON sql_drop"
     " EXECUTE FUNCTION public.f()", "event trigger guard"),
    ("SELECT lo_create(815815)", "large object 815815"),
    ("CREATE ACCESS METHOD mine TYPE INDEX HANDLER bthandler", "access method mine"),
])
def test_who_may_not_drop_all_drops_nothing(little, store, target, owner, hers):
    target.sql("CREATE TABLE public.precious (a int); ALTER TABLE public.precious OWNER TO owning")
    target.sql(hers[0])
    before = objects(target)
    for command in ("check", "restore"):
        result = emptied_by(owner, store, target, command)
        assert result.code == tool.TARGET, result
        for words in hers[1:] + ("may not empty", "owning"):
            assert words.replace("bigint", "") .split("(")[0] in result.out + result.err
    assert objects(target) == before


def test_a_schema_s_owner_drops_what_others_have_in_it(little, store, target, owner):
    target.sql("CREATE TABLE public.t1 (a int); ALTER TABLE public.t1 OWNER TO another; CREATE SCHEMA s AUTHORIZATION owning;"
               "CREATE TABLE s.t2 (a int); CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    tool.succeed(emptied_by(owner, store, target))
    assert target.sql("SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|info)'") == "t"


def test_an_extension_that_is_not_ours_stays(little, store, target, owner):
    target.sql("CREATE EXTENSION citext; CREATE TABLE public.uses (a citext); ALTER TABLE public.uses OWNER TO owning")
    result = tool.succeed(emptied_by(owner, store, target))
    assert "stay: citext" in result.err
    assert target.sql("SELECT extname FROM pg_extension WHERE extname = 'citext'") == "citext"


def test_subscriptions_are_for_their_owners_to_drop(little, store, target):
    target.sql("CREATE TABLE public.precious (a int); CREATE SUBSCRIPTION far CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)")
    try:
        tool.refused(tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url()), tool.TARGET, "not empty")
        result = tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_CLEAN="yes")
        tool.refused(result, tool.TARGET, "subscriptions", "far")
        assert target.sql("SELECT relname FROM pg_class WHERE relname = 'precious'") == "precious"
    finally:
        target.sql("ALTER SUBSCRIPTION far SET (slot_name = NONE); DROP SUBSCRIPTION far")


def test_without_public(little, store, databases, server, target):
    target.sql("DROP SCHEMA public")
    tool.restore(store, target, REPLICA_CLEAN="yes", **EVERYTHING)
    new = databases(server)
    tool.restore(store, new, **EVERYTHING)
    assert target.sql("SELECT * FROM public.t ORDER BY 1") == new.sql("SELECT * FROM public.t ORDER BY 1")
    assert target.sql("SELECT obj_description(oid), has_schema_privilege('pg_monitor', oid, 'USAGE') FROM pg_namespace WHERE nspname = 'public'") == \
        "standard public schema|t"


def test_default_privileges_that_would_come_on_top(little, store, target):
    """They are the destination's own, so they are told; where the dump's privileges are wanted, they are in the way."""
    target.sql("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC")
    ends = {"REPLICA_FROM": store.url, "REPLICA_TO": target.url()}
    tool.refused(tool.run("restore", REPLICA_PRIVILEGES="yes", **ends), tool.TARGET, "not empty", "default privileges of role postgres")
    checked = tool.succeed(tool.run("check", **ends))
    assert "warn  empty" in checked.out and "tables in public" in checked.out
    result = tool.succeed(tool.run("restore", **ends))
    assert "warning" in result.err and "tables in public" in result.err
    tool.restore(store, target, REPLICA_CLEAN="yes")
    assert target.sql("SELECT count(*) FROM pg_default_acl") == "0"
    assert target.sql("SELECT coalesce(relacl::text, 'none') FROM pg_class WHERE relname = 't'") == "none"
