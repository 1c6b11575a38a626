"""Promise: where the destination's role is no superuser, what it may not do is told with names before the first change."""

import json
import os
import re
import shutil

import pytest

import compare
import tool

EVERYTHING = {"REPLICA_OWNERS": "yes", "REPLICA_PRIVILEGES": "yes"}


@pytest.fixture
def managed(server, target):
    """As providers hand one out: the role owns the database, and neither its extensions nor public."""
    server.sql("CREATE ROLE app LOGIN PASSWORD 'secret'")
    server.sql('ALTER DATABASE "%s" OWNER TO app' % target.name)
    target.sql("ALTER SCHEMA public OWNER TO postgres; GRANT ALL ON SCHEMA public TO app; CREATE EXTENSION citext; CREATE EXTENSION pg_trgm")
    yield target
    target.drop()
    server.sql("DROP ROLE app")


def ends(store, target, user="app", **variables):
    return {"REPLICA_FROM": store.url, "REPLICA_TO": target.url(user, "secret"), **variables}


def state(database):
    return database.sql("SELECT count(*), (SELECT count(*) FROM pg_extension), (SELECT count(*) FROM pg_namespace) FROM pg_class")


def refused_everywhere(source, store, target, *phrases, **variables):
    """By check and by the run, of a restore and of a copy; nothing is changed by any of them."""
    tool.dump(source, store)
    before = state(target)
    for command in ("restore", "copy"):
        places = ends(store, target, **variables)
        if command == "copy":
            places["REPLICA_FROM"] = source.url()
        checked = tool.run("check", REPLICA_LOG_FORMAT="json", **places)
        failed = [line for line in json.loads(checked.out)["checks"] if line["state"] == "failed"]
        assert checked.code == tool.TARGET and len(failed) == 1, checked.out
        result = tool.refused(tool.run(command, **places), tool.TARGET, "nothing was changed", *phrases)
        for phrase in phrases:
            assert phrase in failed[0]["text"], failed
        assert failed[0]["text"] in result.err.replace("\n", " ") or failed[0]["text"][:200] in result.err
    assert state(target) == before


@pytest.mark.parametrize("command", ["restore", "copy"])
@pytest.mark.parametrize("clean", ["no", "yes"])
def test_comments_on_what_is_not_ours_stay_away(server, databases, store, managed, command, clean):
    source = databases(server)
    source.sql("CREATE EXTENSION citext; COMMENT ON SCHEMA public IS 'ours'; CREATE TABLE t (a citext PRIMARY KEY);"
               "COMMENT ON TABLE t IS 'of t'; INSERT INTO t SELECT 'X' || n FROM generate_series(1, 100) AS n")
    tool.dump(source, store)
    variables = ends(store, managed, REPLICA_CLEAN=clean)
    if command == "copy":
        variables["REPLICA_FROM"] = source.url()
    tool.succeed(tool.run("check", **variables))
    result = tool.succeed(tool.run(command, **variables))
    for left_out in ("COMMENT ON EXTENSION citext", "COMMENT ON SCHEMA public"):
        assert "app does not own it: " + left_out in result.err
    compare.assert_same_rows(source, managed)
    assert managed.sql("SELECT obj_description('t'::regclass)") == "of t"


def test_on_13_where_public_is_the_superuser_s(server13, databases, store):
    source, target = databases(server13), databases(server13)
    server13.sql("CREATE ROLE app LOGIN PASSWORD 'secret'")
    try:
        server13.sql('ALTER DATABASE "%s" OWNER TO app' % target.name)
        source.sql("COMMENT ON SCHEMA public IS 'ours'; CREATE EXTENSION pgcrypto; CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        tool.dump(source, store)
        result = tool.succeed(tool.run("restore", **ends(store, target)))
        assert "COMMENT ON SCHEMA public" in result.err
        # A trusted extension is the role's own once it has made it.
        assert "COMMENT ON EXTENSION" not in result.err
        assert target.sql("SELECT extowner::regrole FROM pg_extension WHERE extname = 'pgcrypto'") == "app"
        tool.succeed(tool.run("restore", REPLICA_CLEAN="yes", **ends(store, target)))
    finally:
        target.drop()
        server13.sql("DROP ROLE app")


# What takes a superuser: the statement, and what is said.
ONLY_A_SUPERUSER = [
    ("CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER \"my guard\" ON ddl_command_end"
     " EXECUTE FUNCTION f()", 'event trigger "my guard"'),
    ("CREATE PUBLICATION everything FOR ALL TABLES", "for all tables, publication everything"),
    ("CREATE PUBLICATION schemas FOR TABLES IN SCHEMA public", "for a whole schema, publication schemas"),
    ("CREATE EXTENSION pageinspect", "extension pageinspect"),
    ("CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'pg_backend_pid'", "functions in language internal"),
    ("CREATE FUNCTION f(a text DEFAULT E'\\n    LANGUAGE sql') RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'",
     "functions in language c"),
    ("CREATE FUNCTION f(int) RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'", "leakproof function public.f"),
    ("CREATE FUNCTION f(int) RETURNS int LANGUAGE sql SUPPORT generate_series_int4_support AS 'SELECT 1'", "support function"),
    ("CREATE LANGUAGE mine HANDLER plpgsql_call_handler", "language mine"),
    ("CREATE FOREIGN DATA WRAPPER w", "foreign-data wrapper w"),
    ("CREATE TYPE b; CREATE FUNCTION i(cstring) RETURNS b LANGUAGE internal STRICT AS 'int4in'; CREATE FUNCTION o(b) RETURNS cstring"
     " LANGUAGE internal STRICT AS 'int4out'; CREATE TYPE b (INPUT = i, OUTPUT = o, LIKE = int4)", "base type public.b"),
    ("CREATE TEXT SEARCH TEMPLATE t (LEXIZE = dsimple_lexize)", "text search template public.t"),
    ("CREATE TEXT SEARCH PARSER p (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)",
     "text search parser public.p"),
    ("CREATE OPERATOR FAMILY f USING btree", "operator family public.f"),
    ("CREATE OPERATOR CLASS c FOR TYPE int USING btree AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int)", "operator class public.c"),
    ("CREATE ACCESS METHOD m TYPE INDEX HANDLER bthandler", "access method m"),
    ("CREATE CAST (point AS int8) WITH INOUT", "cast between built-in types"),
    ("CREATE CAST (text AS bytea) WITHOUT FUNCTION", "cast without a function"),
    ("CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION varchar_support(internal))", "transform for the built-in type integer"),
    ("CREATE AGGREGATE a(int8) (sfunc = int8_avg_accum, stype = internal, finalfunc = numeric_poly_avg)", "aggregate public.a"),
]


def test_what_takes_a_superuser_is_told_by_name(server, databases, store, managed):
    """All at once, so that all are told at once; then each is seen to be refused by the server's own words."""
    source = databases(server)
    for number, (sql, _) in enumerate(ONLY_A_SUPERUSER):
        if "EXTENSION" in sql or "EVENT TRIGGER" in sql:
            source.sql("SET search_path = public;" + sql.replace("f()", "g%d()" % number))
        else:
            source.sql("CREATE SCHEMA s%d; SET search_path = s%d;" % (number, number) + sql.replace("SCHEMA public", "SCHEMA s%d" % number))
    words = [said.replace("public.", ".") for _, said in ONLY_A_SUPERUSER]
    tool.dump(source, store)
    result = tool.refused(tool.run("restore", **ends(store, managed)), tool.TARGET, "app lacks", "nothing was changed")
    text = re.sub(r"\bs\d+\.", ".", result.err)
    assert [said for said in words if said not in text] == []
    print("%d kinds" % len(words))


@pytest.mark.parametrize("case", [0, 3], ids=lambda n: ONLY_A_SUPERUSER[n][1])
def test_told_by_check_and_by_each_run(server, databases, store, managed, case):
    source = databases(server)
    sql, said = ONLY_A_SUPERUSER[case]
    source.sql("CREATE TABLE t (a int);" + sql)
    refused_everywhere(source, store, managed, said)
    # A superuser is asked nothing of it.
    tool.succeed(tool.run("restore", REPLICA_CLEAN="yes", REPLICA_FROM=store.url, REPLICA_TO=managed.url()))


def test_nothing_is_dropped_for_what_can_t_be_made(server, databases, store, managed):
    source = databases(server)
    source.sql("CREATE PUBLICATION everything FOR ALL TABLES")
    managed.sql("CREATE TABLE public.precious (a int); ALTER TABLE public.precious OWNER TO app")
    refused_everywhere(source, store, managed, "publication everything", REPLICA_CLEAN="yes")


def test_a_provider_that_allows_it_is_asked_rather_than_assumed(server, databases, store, managed):
    """A role that may create subscriptions, C functions or extensions by other means: here, an untrusted extension that is there."""
    source = databases(server)
    source.sql("CREATE EXTENSION pageinspect; CREATE TABLE t (a int)")
    managed.sql("CREATE EXTENSION pageinspect")
    tool.dump(source, store)
    tool.succeed(tool.run("restore", **ends(store, managed)))
    # It could be dropped by its owner, and not be made again.
    managed.sql("UPDATE pg_extension SET extowner = 'app'::regrole WHERE extname = 'pageinspect'")
    result = tool.succeed(tool.run("restore", REPLICA_CLEAN="yes", **ends(store, managed)))
    assert "make again stay" in result.err and "pageinspect" in result.err


def test_trials_leave_nothing(server, databases, store, managed):
    source = databases(server)
    source.sql("CREATE EXTENSION pageinspect; CREATE PUBLICATION everything FOR ALL TABLES")
    tool.dump(source, store)
    before = state(managed)
    since = len(server.log)
    assert tool.run("check", **ends(store, managed)).code == tool.TARGET
    assert "CREATE SCHEMA replica_trial_" in server.log[since:]
    assert state(managed) == before


ROLES = [
    ("CREATE TABLE t (a int); ALTER TABLE t OWNER TO {0}", ["role {0}, which is missing"], EVERYTHING),
    ("CREATE TABLE t (a int); GRANT SELECT ON t TO {0}", ["role {0}, which is missing"], EVERYTHING),
    ("ALTER DEFAULT PRIVILEGES FOR ROLE {0} GRANT SELECT ON TABLES TO PUBLIC", ["role {0}, which is missing"], EVERYTHING),
    # A policy names roles whatever of owners and privileges is wanted.
    ("CREATE TABLE t (a text); CREATE POLICY p ON t TO postgres, {0} USING (a = ' TO nobody')", ["role {0}, which is missing"], {}),
]


@pytest.mark.parametrize("sql, said, variables", ROLES)
def test_roles_that_are_missing(server, server18, databases, store, target, sql, said, variables):
    """Of a superuser, too; the names have capitals, blanks and quotes."""
    role = '"The ""odd"" one"'
    source = databases(server)
    server.sql("CREATE ROLE %s" % role)
    try:
        source.sql(sql.format(role))
        tool.dump(source, store)
        other = databases(server18)
        for command, place in (("restore", store.url), ("copy", source.url())):
            result = tool.run(command, REPLICA_FROM=place, REPLICA_TO=other.url(), **variables)
            tool.refused(result, tool.TARGET, "nothing was changed", *[words.format(role) for words in said])
        assert other.sql("SELECT count(*) FROM pg_class WHERE relname = 't'") == "0"
        tool.succeed(tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), **variables))
    finally:
        source.drop()
        target.drop()
        server.sql("DROP ROLE %s" % role)


def test_an_owner_that_ours_is_no_member_of(server, databases, store, managed):
    source = databases(server)
    source.sql("CREATE TABLE t (a int)")
    refused_everywhere(source, store, managed, "membership in role postgres", REPLICA_OWNERS="yes")


def test_a_tablespace_that_the_destination_lacks(server, server18, databases, store, room):
    place = os.path.join(room, "a place")
    os.makedirs(place, exist_ok=True)
    shutil.chown(place, os.stat(os.path.join(server.directory, "data")).st_uid, os.stat(os.path.join(server.directory, "data")).st_gid)
    server.sql("CREATE TABLESPACE \"fast \"\"disk\" LOCATION '%s'" % place)
    source = databases(server)
    try:
        source.sql('CREATE TABLE t (a int PRIMARY KEY) TABLESPACE "fast ""disk"; CREATE TABLE u (a int);'
                   'CREATE INDEX i ON u (a) TABLESPACE "fast ""disk"; INSERT INTO t VALUES (1)')
        tool.dump(source, store)
        for command, place in (("restore", store.url), ("copy", source.url())):
            target = databases(server18)
            places = {"REPLICA_FROM": place, "REPLICA_TO": target.url(), "REPLICA_JOBS": "3"}
            checked = tool.succeed(tool.run("check", **places))
            assert "warn" in checked.out and 'fast "disk' in checked.out
            result = tool.succeed(tool.run(command, **places))
            assert "warning" in result.err and 'fast "disk' in result.err
            assert target.sql("SELECT a FROM t") == "1"
        # Where it is, it is used.
        same = databases(server)
        tool.succeed(tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=same.url()))
        assert same.sql("SELECT count(*) FROM pg_class WHERE reltablespace >= 16384") == "2"
        same.drop()
    finally:
        source.drop()
        server.sql('DROP TABLESPACE "fast ""disk"')


def test_rights_that_widen_in_silence_are_told(server, server13, databases, store):
    """Who may create in public differs by default since 15, and pg_dump says only what differs from the default."""
    older, newer = databases(server13), databases(server)
    older.sql("CREATE TABLE t (a int)")
    newer.sql("CREATE TABLE t (a int)")
    for source, target in ((older, databases(server)), (newer, databases(server13))):
        for privileges in ("no", "yes"):
            ends = {"REPLICA_FROM": source.url(), "REPLICA_TO": target.url(), "REPLICA_PRIVILEGES": privileges, "REPLICA_CLEAN": "yes"}
            result = tool.succeed(tool.run("copy", **ends))
            assert ("create in the schema public" in result.err) == (privileges == "yes"), result.err
        may = target.sql("CREATE ROLE nobody_s; SELECT has_schema_privilege('nobody_s', 'public', 'CREATE'); DROP ROLE nobody_s")
        assert may == "t"
