"""Promise: DDL that commits while a dump or a copy begins, or goes on, is either wholly in it or not at all.

A snapshot shows rows as they were; names lead to what is there now.  In between, an ALTER empties a table for the
snapshot, and a swap of two names puts originals where a rule was.  Moments are hit by holding up replica's own
queries, pg_dump's included (proxy.Gate), or by a transaction that is committed when replica waits for its lock.
"""

import collections
import concurrent.futures
import contextlib
import hashlib
import os
import re
import subprocess
import threading
import time

import pytest

import proxy
import servers
import tool

WORLD = """
DROP SCHEMA IF EXISTS app, other CASCADE;
CREATE SCHEMA app; CREATE SCHEMA other;
CREATE TABLE app.t2 (i integer, s text);
CREATE TABLE app.secret (id integer, a text, b text);
CREATE TABLE app.plain (id integer, b text, a text);
CREATE TABLE other.secret (id integer, a text, b text);
INSERT INTO app.t2 SELECT i, 'row ' || i FROM generate_series(1, 300) AS i;
INSERT INTO app.secret SELECT i, 'ORIG ' || i, 'open ' || i FROM generate_series(1, 50) AS i;
INSERT INTO app.plain SELECT i, 'fair ' || i, 'fine ' || i FROM generate_series(1001, 1060) AS i;
INSERT INTO other.secret SELECT i, 'else ' || i, 'more ' || i FROM generate_series(2001, 2070) AS i;
"""

RULE = {"REPLICA_TRANSFORM": "app.secret.a fixed(hidden)"}

STATEMENTS = {
    "rewrite": "ALTER TABLE app.t2 ALTER i TYPE bigint",
    "truncate": "TRUNCATE app.t2; INSERT INTO app.t2 SELECT i, 'new ' || i FROM generate_series(1, 200) AS i",
    "replace": """DROP TABLE app.t2; CREATE TABLE app.t2 (i integer, s text, n integer DEFAULT 7);
        INSERT INTO app.t2 SELECT i, 'other ' || i FROM generate_series(1, 100) AS i""",
    "swap columns": """ALTER TABLE app.secret RENAME a TO x; ALTER TABLE app.secret RENAME b TO a;
        ALTER TABLE app.secret RENAME x TO b""",
    "swap tables": """ALTER TABLE app.secret RENAME TO x; ALTER TABLE app.plain RENAME TO secret;
        ALTER TABLE app.x RENAME TO plain""",
    "swap schemas": """ALTER SCHEMA app RENAME TO x; ALTER SCHEMA other RENAME TO app;
        ALTER SCHEMA x RENAME TO other""",
}
ON_TABLES = [name for name in STATEMENTS if name != "swap schemas"]


def signature(database):
    """Every table with its columns in order and all its rows."""
    tables = database.sql(
        """SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema)' ORDER BY 1::text"""
    ).split()
    columns = "(SELECT string_agg(attname || ' ' || atttypid::regtype, ', ' ORDER BY attnum) FROM pg_attribute"
    columns += " WHERE attrelid = '%s'::regclass AND attnum > 0 AND NOT attisdropped)"
    rows = "(SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '') FROM %s t)"
    each = ["SELECT '%s', %s, %s" % (name, columns % name, rows % name) for name in tables]
    return database.sql(" UNION ALL ".join(each)) if each else ""


def masked(text):
    """Only what the rule hides stands in app.secret.a, which may be the second column or the third."""
    line = next(line for line in text.splitlines() if line.startswith("app.secret|"))
    _, columns, rows = line.split("|")
    at = [column.split()[0] for column in columns.split(", ")].index("a")
    values = [row.split(",")[at] for row in re.findall(r"\(([^)]*)\)", rows)]
    return len(values) > 0 and set(values) == {"hidden"}


class Judge:
    """Knows the two databases that a dump may be, and says which it is."""

    def __init__(self, server, databases, lock=threading.Lock()):
        self.server, self.databases, self.lock = server, databases, lock
        self.known = {}

    def restored(self, store):
        """The signature of what the dump restores to; the same dump is restored once."""
        name = store.complete()[-1]
        texts = [store.plain(path) for path in store.files() if path.endswith((".sql", ".zst"))]
        key = hashlib.sha256(b"\0".join(sorted(t.replace(name.encode(), b"") for t in texts))).digest()
        if key not in self.known:
            with self.lock:
                target = self.databases(self.server)
            tool.restore(store, target)
            self.known[key] = signature(target)
        return self.known[key]

    def learn(self, source, statement, store_of, world=WORLD, rule=RULE):
        """Dumps in peace of the state before the statement and of the one after it."""
        source.sql(world)
        both = []
        for text in ["", "BEGIN; %s; COMMIT" % statement]:
            source.sql(text or "SELECT 1")
            with store_of() as store:
                tool.dump(source, store, **rule)
                both.append(self.restored(store))
            assert rule is not RULE or masked(both[-1]), both[-1]
        assert both[0] != both[1]
        return both


@contextlib.contextmanager
def a_store(room):
    path = os.path.join(room, "store-" + os.urandom(6).hex())
    os.mkdir(path)
    yield tool.Store(path)
    subprocess.run(["rm", "-rf", path], check=True)


def try_now(source, statement):
    """Run it as one transaction, unless what it needs is locked.  Returns whether it committed."""
    try:
        source.sql("SET lock_timeout = '100ms'; BEGIN; %s; COMMIT" % statement)
    except AssertionError as error:
        assert "lock timeout" in str(error) or "deadlock" in str(error), error
        return False
    return True


def at_query(steps):
    """A hook for proxy.gate(): steps are pairs of a pattern and what to do before the next query that fits it."""
    steps = list(steps)

    def before(number, text):
        if steps and re.search(steps[0][0], text):
            steps.pop(0)[1]()

    before.left = steps
    return before


# ---- the attack table ---------------------------------------------------------------------------------


def moments_of(source, store, count):
    """Which of the queries of a dump to meddle with: all of the leader's, then some of pg_dump's and the workers'."""
    seen = []
    with proxy.gate(source.server.port, lambda number, text: seen.append(text)) as gate:
        result = tool.run("dump", REPLICA_FROM=source.url(port=gate.port), REPLICA_TO=store.url, REPLICA_JOBS=1, **RULE)
    tool.succeed(result)
    leader = next(i for i, text in enumerate(seen) if "SET TRANSACTION SNAPSHOT" in text)
    assert leader > 8 and len(seen) > leader + 40
    first = list(range(2, leader + 1))
    rest = count - len(first)
    later = [leader + 1 + (len(seen) - leader - 1) * i // rest for i in range(rest)]
    return [each + 1 for each in first + later]


def meddle(source, statement, moment, room, judge, both):
    """One case: which of before, after, refused it was; anything else is the sentence of a failure."""
    source.sql(WORLD)
    done = []
    hook = lambda number, text: number == moment and done.append(try_now(source, statement))
    with a_store(room) as store, proxy.gate(source.server.port, hook) as gate:
        result = tool.run("dump", REPLICA_FROM=source.url(port=gate.port), REPLICA_TO=store.url, REPLICA_JOBS=1, **RULE)
        assert len(done) == 1, "the moment did not come"
        if result.code == tool.SOURCE:
            assert store.files() == [], "objects are left: %s" % store.files()
            assert re.search(r"error   \S.{20,}", result.err), result.err
            return "refused"
        tool.succeed(result)
        found = judge.restored(store)
    assert found in both, "neither before nor after:\n%s\n%s" % (found, result.err)
    assert masked(found)
    return "before" if found == both[0] else "after"


def test_twenty_moments_by_six_statements(room, server, databases, store, capsys):
    """Before a query of replica's or of its pg_dump goes out, the statement commits, or finds the table locked."""
    sources = {name: databases(server) for name in STATEMENTS}
    sources["rewrite"].sql(WORLD)
    moments = moments_of(sources["rewrite"], store, 20)
    assert len(set(moments)) == 20
    outcomes, failures = collections.Counter(), []

    def all_moments(name):
        judge, source = Judge(server, databases), sources[name]
        both = judge.learn(source, STATEMENTS[name], lambda: a_store(room))
        for moment in moments:
            try:
                outcomes[meddle(source, STATEMENTS[name], moment, room, judge, both)] += 1
            except (AssertionError, ValueError) as error:
                failures.append("%s at query %d: %s" % (name, moment, error))

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(all_moments, STATEMENTS))
    with capsys.disabled():
        cases = len(moments) * len(STATEMENTS)
        print("\nDDL in flight: %d cases, %s, %d failed" % (cases, dict(outcomes), len(failures)))
    assert not failures, "\n\n".join(failures[:10])
    assert sum(outcomes.values()) == 120 and outcomes["before"] > 20 and outcomes["after"] > 20


# ---- a transaction that is open when the dump begins ------------------------------------------------------


class Session:
    """A psql with a transaction of its own."""

    def __init__(self, database):
        command = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", database.server.socket, "-U", "postgres"]
        command += ["-p", str(database.server.port), "-d", "dbname='%s'" % database.name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, text):
        self.process.stdin.write(text + ";\n\\echo done\n")
        self.process.stdin.flush()
        while (line := self.process.stdout.readline()) != "done\n":
            assert line, "psql gave up on: " + text

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0


def while_it_waits(source, statement, command, **variables):
    """Begin the statement, start replica, commit when it waits for the lock."""
    session = Session(source)
    session.run("BEGIN; " + statement)
    process = tool.start(command, REPLICA_FROM=source.url(), **variables)
    source.eventually(
        "SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted"
        " AND application_name = 'replica' AND datname = current_database()",
        "t",
    )
    session.run("COMMIT")
    session.end()
    out, err = process.communicate(timeout=60)
    return tool.Result(process.returncode, out.decode(), err.decode(), 0)


@pytest.mark.parametrize("name", ON_TABLES)
def test_a_dump_that_waits_for_the_lock(room, server, databases, store, name):
    source = databases(server)
    judge = Judge(server, databases)
    both = judge.learn(source, STATEMENTS[name], lambda: a_store(room))
    source.sql(WORLD)
    result = while_it_waits(source, STATEMENTS[name], "dump", REPLICA_TO=store.url, **RULE)
    tool.succeed(result)
    assert judge.restored(store) == both[1]
    assert "beginning again" in result.err


@pytest.mark.parametrize("name", ON_TABLES)
def test_a_copy_that_waits_for_the_lock(server, databases, target, name):
    source = databases(server)
    source.sql(WORLD)
    tool.succeed(while_it_waits(source, STATEMENTS[name], "copy", REPLICA_TO=target.url(), **RULE))
    expected = databases(server)
    tool.succeed(tool.run("copy", REPLICA_FROM=source.url(), REPLICA_TO=expected.url(), **RULE))
    assert signature(target) == signature(expected) and masked(signature(target))


@pytest.mark.parametrize("version", ["server13", "server18"])
def test_other_versions(request, version, databases, server, room):
    other = request.getfixturevalue(version)
    source, judge = databases(other), Judge(other, databases)
    statement = STATEMENTS["truncate"] + ";" + STATEMENTS["swap columns"]
    both = judge.learn(source, statement, lambda: a_store(room))
    source.sql(WORLD)
    with a_store(room) as store:
        tool.succeed(while_it_waits(source, statement, "dump", REPLICA_TO=store.url, **RULE))
        assert judge.restored(store) == both[1]


def test_a_standby_that_replays_it(room, server, databases):
    """The locks of the primary's transactions are held at the standby by who replays them."""
    primary, judge = databases(server), Judge(server, databases)
    both = judge.learn(primary, STATEMENTS["rewrite"], lambda: a_store(room))
    primary.sql(WORLD)
    with servers.standby(server, os.path.join(room, "standby-in-flight")) as standby, a_store(room) as store:
        source = servers.Database(standby, primary.name)
        session = Session(primary)
        session.run("BEGIN; " + STATEMENTS["rewrite"])
        mode = "SELECT count(*) FROM pg_locks WHERE relation = 'app.t2'::regclass AND mode = 'AccessExclusiveLock'"
        session.run("SELECT pg_switch_wal()")
        source.eventually(mode, "1")
        process = tool.start("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url, **RULE)
        source.eventually("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'app.t2'::regclass", "1")
        session.run("COMMIT")
        session.end()
        primary.sql("SELECT pg_switch_wal()")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        assert judge.restored(store) == both[1]


# ---- siblings: what else may happen, and where it hurts ---------------------------------------------------

FAMILY = """
DROP SCHEMA IF EXISTS app, other CASCADE;
CREATE SCHEMA app; CREATE SCHEMA other;
CREATE TABLE app.m (id integer, a text) PARTITION BY RANGE (id);
CREATE TABLE app.m1 PARTITION OF app.m FOR VALUES FROM (1) TO (100);
CREATE TABLE app.m2 PARTITION OF app.m FOR VALUES FROM (100) TO (200);
CREATE TABLE app.loose (id integer, a text);
CREATE TABLE app.heir (id integer, a text); CREATE TABLE app.estate (id integer, a text);
INSERT INTO app.m SELECT i, 'ORIG ' || i FROM generate_series(1, 199) AS i;
INSERT INTO app.loose SELECT i, 'loose ' || i FROM generate_series(200, 250) AS i;
INSERT INTO app.heir SELECT i, 'heir ' || i FROM generate_series(1, 20) AS i;
INSERT INTO app.estate SELECT i, 'ORIG ' || i FROM generate_series(1, 20) AS i;
CREATE TYPE app.mood AS ENUM ('glad', 'sad'); CREATE TYPE app.pair AS (x integer, y integer);
CREATE TYPE app.unused AS ENUM ('x'); CREATE TYPE app.idle AS (x integer);
CREATE SEQUENCE app.left_seq START 100; CREATE SEQUENCE app.right_seq START 900;
CREATE TABLE app.feels (id integer, m app.mood, p app.pair);
INSERT INTO app.feels SELECT i, 'glad', ROW(i, i)::app.pair FROM generate_series(1, 30) AS i;
CREATE FUNCTION app.f(i integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT i';
CREATE VIEW app.v AS SELECT app.f(id) FROM app.feels;
"""

FAMILY_RULE = {"REPLICA_TRANSFORM": "app.m.a fixed(hidden)\napp.estate.a fixed(hidden)"}

THE_LOCK, PG_DUMP_READS, A_COPY = "LOCK TABLE ONLY .*lock_timeout = 0", "FROM pg_proc p", "LOCK TABLE ONLY .*; COPY"

# name: statement, before which query, what may come of it, what a refusal says
SIBLINGS = {
    "attach": ("ALTER TABLE app.m ATTACH PARTITION app.loose FOR VALUES FROM (200) TO (300)", THE_LOCK, "after"),
    "detach": ("ALTER TABLE app.m DETACH PARTITION app.m2", THE_LOCK, "after"),
    "inherit": ("ALTER TABLE app.heir INHERIT app.estate", THE_LOCK, "after"),
    "move": ("ALTER TABLE app.heir SET SCHEMA other", THE_LOCK, "after"),
    "drop": ("DROP TABLE app.heir", THE_LOCK, "after"),
    "create": ("CREATE TABLE app.young AS SELECT 1 AS id", THE_LOCK, "before"),
    "rename a column": ("ALTER TABLE app.heir RENAME a TO z", THE_LOCK, "after"),
    "swap sequences": (
        "ALTER SEQUENCE app.left_seq RENAME TO x; ALTER SEQUENCE app.right_seq RENAME TO left_seq;"
        "ALTER SEQUENCE app.x RENAME TO right_seq", "last_value", "refused", "sequence"),
    "rename a type": ("ALTER TYPE app.mood RENAME TO spirit", PG_DUMP_READS, "refused", "type mood"),
    "rename a function": ("ALTER FUNCTION app.f RENAME TO g", PG_DUMP_READS, "refused", "function f"),
    "rename a view": ("ALTER VIEW app.v RENAME TO w", PG_DUMP_READS, "refused", "view v"),
    "swap labels": (
        "ALTER TYPE app.mood RENAME VALUE 'glad' TO 'x'; ALTER TYPE app.mood RENAME VALUE 'sad' TO 'glad';"
        "ALTER TYPE app.mood RENAME VALUE 'x' TO 'sad'", A_COPY, "refused", "enum value"),
    "replace an attribute": (
        "ALTER TYPE app.pair DROP ATTRIBUTE y; ALTER TYPE app.pair ADD ATTRIBUTE y integer", A_COPY, "refused", "type pair"),
    "replace the schema": (
        "ALTER SCHEMA app RENAME TO old; CREATE SCHEMA app; CREATE TABLE app.heir (id integer, a text)",
        'LOCK TABLE ONLY "app"."heir" .*; COPY', "refused", "schema app"),
    "repeat rights": (
        "GRANT USAGE ON SCHEMA app TO public; COMMIT; GRANT CREATE ON SCHEMA app TO public; COMMIT;"
        "BEGIN; REVOKE CREATE ON SCHEMA app FROM public; CREATE TABLE app.young AS SELECT 1 AS id", A_COPY, "before"),
    "swap there and back": (
        "ALTER SCHEMA app RENAME TO x; ALTER SCHEMA other RENAME TO app; ALTER SCHEMA x RENAME TO other; COMMIT;"
        "BEGIN; ALTER SCHEMA app RENAME TO x; ALTER SCHEMA other RENAME TO app; ALTER SCHEMA x RENAME TO other",
        A_COPY, "refused", "schema app"),
    "another schema for a while": (
        "ALTER SCHEMA app RENAME TO x; CREATE SCHEMA app; CREATE TABLE app.heir (id integer, a text); COMMIT;"
        "BEGIN; ALTER SCHEMA app RENAME TO brief; ALTER SCHEMA x RENAME TO app", A_COPY, "refused", "schema app"),
    "harmless": (
        "GRANT USAGE ON SCHEMA app TO public; GRANT SELECT ON app.m TO public; CREATE INDEX ON app.feels (id);"
        "CREATE OR REPLACE FUNCTION app.f(i integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT i + 0';"
        "CREATE TABLE app.young AS SELECT 1 AS id; ALTER TYPE app.unused RENAME VALUE 'x' TO 'z';"
        "ALTER TYPE app.idle ADD ATTRIBUTE y integer; ALTER TYPE app.mood ADD VALUE 'calm'; CREATE TEMP TABLE x (a app.mood); DROP TABLE x;"
        "ALTER TABLE app.heir ALTER a SET STATISTICS 7; COMMENT ON SCHEMA app IS 'ours'",
        A_COPY, "before"),
}


@pytest.mark.parametrize("name", SIBLINGS)
def test_siblings(room, server, databases, store, name):
    statement, pattern, expected, *said = SIBLINGS[name]
    source, judge = databases(server), Judge(server, databases)
    source.sql(FAMILY)
    if expected != "refused":
        both = judge.learn(source, statement, lambda: a_store(room), FAMILY, FAMILY_RULE)
        source.sql(FAMILY)
    committed = []
    hook = at_query([(pattern, lambda: committed.append(try_now(source, statement)))])
    with proxy.gate(server.port, hook) as gate:
        result = tool.run(
            "dump", REPLICA_FROM=source.url(port=gate.port), REPLICA_TO=store.url, REPLICA_JOBS=1, **FAMILY_RULE
        )
    assert committed == [True]
    if expected == "refused":
        tool.refused(result, tool.SOURCE, "renamed or altered at the source", *said)
        assert store.files() == []
    else:
        tool.succeed(result)
        assert judge.restored(store) == both[expected == "after"]


SWAP = STATEMENTS["swap schemas"]


@pytest.mark.parametrize("rule", [RULE, {}], ids=["masked", "plain"])
@pytest.mark.parametrize("command", ["dump", "copy"])
def test_schemas_swapped_for_the_time_of_one_copy(server, databases, store, target, command, rule):
    """Swapped before COPY looks for its table and swapped back after: every name is as it was.  With a rule, no
    row leaves the source."""
    source = databases(server)
    source.sql(WORLD)
    hook = at_query(
        [(r'"other"."secret" .*; COPY', lambda: source.sql(SWAP)), ("", lambda: source.sql(SWAP))]
    )
    leaked = []

    def looked(number, text):
        hook(number, text)
        leaked.extend(name for name in store.files() if b"ORIG" in store.plain(name))

    to = {"dump": store.url, "copy": target.url()}[command]
    with proxy.gate(server.port, looked) as gate:
        result = tool.run(command, REPLICA_FROM=source.url(port=gate.port), REPLICA_TO=to, REPLICA_JOBS=1, **rule)
    assert hook.left == []
    assert source.sql("SELECT min(a) FROM app.secret") == "ORIG 1"
    tool.refused(result, tool.SOURCE, "schema", "renamed or altered at the source")
    if rule:
        assert leaked == []
        if command == "copy":
            assert target.sql("SELECT count(*) FROM other.secret WHERE a LIKE 'ORIG%'") == "0"


@pytest.mark.parametrize("pattern", ["^LOCK TABLE app.t2", r'"app"."t2" .*; COPY'], ids=["pg_dump", "worker"])
def test_somebody_queues_for_a_table_and_gives_up(server, databases, store, pattern):
    """The leader holds the table, an ALTER waits for it, and whoever of ours comes next stands behind the ALTER."""
    source = databases(server)
    source.sql(WORLD)
    queued = []

    def queue():
        alter = "SET lock_timeout = '1s'; ALTER TABLE app.t2 ADD late integer"
        queued.append(threading.Thread(target=lambda: server.psql(["-c", alter], source.name, check=False)))
        queued[0].start()
        source.eventually("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'app.t2'::regclass", "1")

    with proxy.gate(server.port, at_query([(pattern, queue)])) as gate:
        result = tool.run("dump", REPLICA_FROM=source.url(port=gate.port), REPLICA_TO=store.url, REPLICA_JOBS=1)
    queued[0].join(30)
    tool.succeed(result)
    assert store.manifest()["rows"] == 480 and "late" not in str(store.manifest())


@pytest.mark.long
def test_somebody_queues_for_a_table_and_stays(server, databases, store):
    """He waits for the dump, and the dump for him; and when the dump finds the table locked, it says by whom."""
    source, other = databases(server), []
    source.sql(WORLD)

    def queue():
        other.append(threading.Thread(target=try_for_long))
        other[0].start()
        source.eventually("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'app.t2'::regclass", "1")

    try_for_long = lambda: server.psql(["-c", "ALTER TABLE app.t2 ADD late integer"], source.name)
    with proxy.gate(server.port, at_query([(r'"app"."t2" .*; COPY', queue)])) as gate:
        result = tool.run("dump", REPLICA_FROM=source.url(port=gate.port), REPLICA_TO=store.url, REPLICA_JOBS=1)
    other[0].join(30)
    tool.refused(result, tool.SOURCE, "after 10 s behind somebody", "app.t2")
    assert 10 < result.seconds < 30 and store.files() == []
    session = Session(source)
    session.run("BEGIN; ALTER TABLE app.plain ADD late integer")
    result = tool.run("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url)
    tool.refused(result, tool.SOURCE, "lock timeout", "after 60 s", "wants app.plain for itself alone")
    session.end()


def test_again_and_again(server, databases, store):
    """A table that comes and goes between every look and its lock: a few tries, then a sentence with its name."""
    source = databases(server)
    source.sql(WORLD)
    tried = []

    def before(number, text):
        if "pg_export_snapshot" in text:
            source.sql("CREATE TABLE app.fly_%d (a integer)" % len(tried))
        elif "WITH RECURSIVE config" in text:
            tried.append(text)
        elif "LOCK TABLE ONLY" in text and tried:
            source.sql("DROP TABLE IF EXISTS app.fly_%d" % (len(tried) - 1))

    with proxy.gate(server.port, before) as gate:
        result = tool.run("dump", REPLICA_FROM=source.url(port=gate.port), REPLICA_TO=store.url)
    tool.refused(result, tool.SOURCE, "app.fly_5", "6 times in a row")
    assert len(tried) == 6 and store.files() == []


def test_new_tables_are_no_reason_to_fail(server, databases, store):
    """One at every moment of the beginning, and a table that is altered once."""
    source = databases(server)
    source.sql(WORLD)

    def before(number, text):
        if number < 24:
            source.sql("CREATE TABLE other.come_%d AS SELECT 1" % number)
        if number == 6:
            source.sql("ALTER TABLE app.t2 ADD late integer")

    with proxy.gate(server.port, before) as gate:
        result = tool.run("dump", REPLICA_FROM=source.url(port=gate.port), REPLICA_TO=store.url, **RULE)
    tool.succeed(result)
    assert result.err.count("beginning again") == 1, result.err
    assert any("late" in str(table["columns"]) for table in store.manifest()["tables"])


LOOPS = ["swap tables", "swap columns", "swap schemas"]


@pytest.mark.parametrize("name", LOOPS)
def test_ddl_that_never_rests(room, server, databases, capsys, name):
    """The same statement over and over, in the background of several dumps, by two workers each."""
    source, judge = databases(server), Judge(server, databases)
    both = judge.learn(source, STATEMENTS[name], lambda: a_store(room))
    source.sql(WORLD)
    over = threading.Event()

    def loop():
        while not over.is_set():
            try_now(source, STATEMENTS[name])
            time.sleep(0.03)

    outcomes = collections.Counter()
    thread = threading.Thread(target=loop)
    thread.start()
    try:
        for _ in range(3):
            with a_store(room) as store:
                result = tool.run("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url, REPLICA_JOBS=2, **RULE)
                outcomes[result.code] += 1
                if result.code == 0:
                    assert judge.restored(store) in both, result.err
                else:
                    assert result.code == tool.SOURCE and store.files() == [], result.err
    finally:
        over.set()
        thread.join(60)
    with capsys.disabled():
        print("\n%s without rest: dumps by exit code %s" % (name, dict(outcomes)))
