"""Promise: every version from 13 to 18 comes back at its own version and at every newer one as it was, though the
linked pg_dump writes for 18; and an older one gets what it can be told, or a refusal by name before its first byte.

The servers are npm's, for all six.  dialect*.sql hold what older servers are told in other words, refused_before.py
what they can't be told."""

import contextlib
import difflib
import os
import re
import subprocess

import pytest

import compare
import refused_before
import sample
import tool
from conftest import npm_server

VERSIONS = (13, 14, 15, 16, 17, 18)
KEPT = {"REPLICA_OWNERS": "yes", "REPLICA_PRIVILEGES": "yes"}
QUICK = [(old, old + 1) for old in VERSIONS[:-1]] + [(13, 18)]
UPWARDS = [
    pytest.param(old, new, marks=() if (old, new) in QUICK else pytest.mark.long)
    for old in VERSIONS
    for new in VERSIONS
    if old < new
]


@pytest.fixture(scope="session")
def cluster(room, crossing, request):
    """cluster(major) is a server of that series with the sample's roles; each starts once, when it is wanted."""
    running = {}
    with contextlib.ExitStack() as stack:

        def at(major):
            if major not in running:
                if major in (13, 18):
                    running[major] = request.getfixturevalue("server%d" % major)
                else:
                    running[major] = stack.enter_context(npm_server(room, major, crossing))
                running[major].psql(["-f", os.path.join(sample.FOLDER, "roles.sql")], "postgres")
            return running[major]

        yield at


def unsubscribe(database):
    """A database with a subscription can't be dropped."""
    names = database.sql("SELECT quote_ident(subname) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database"
                         " WHERE datname = current_database())")
    for name in names.split("\n"):
        if name:
            database.sql("ALTER SUBSCRIPTION %s DISABLE" % name)
            database.sql("DROP SUBSCRIPTION %s" % name)


@pytest.fixture
def empty(cluster):
    """empty(major) makes a database there, for the time of the test."""
    made = []

    def make(major):
        made.append(cluster(major).create())
        return made[-1]

    yield make
    for database in made:
        unsubscribe(database)
        database.drop()


def files(version, *, zoo):
    numbered = lambda name, numbers: ["%s_%d.sql" % (name, n) for n in numbers if n <= version]
    dialects = ["dialect.sql"] + numbered("dialect", range(14, 19))
    return dialects + (["zoo.sql"] + numbered("zoo", (14, 15, 18)) if zoo else [])


def loaded(server, zoo):
    database = server.create()
    for file in files(server.version, zoo=zoo):
        database.file(os.path.join(sample.FOLDER, file))
    return database


@pytest.fixture(scope="session")
def dialects(cluster, room):
    """dialects(major) is (database, store): all that dialect*.sql make there, and a dump of it."""
    made = {}

    def at(major):
        if major not in made:
            database = loaded(cluster(major), zoo=False)
            store = tool.Store(os.path.join(room, "dialect store %d" % major))
            os.mkdir(store.path)
            tool.dump(database, store, **KEPT)
            made[major] = database, store
        return made[major]

    yield at
    for database, _ in made.values():
        unsubscribe(database)


def newest_pg_dump(database):
    """What the linked pg_dump, 18, says; also of servers that Debian's could read."""
    lines = subprocess.run(
        ["pg_dump", "-h", database.server.socket, "-p", str(database.server.port), "-U", "postgres", "-d",
         "dbname='%s'" % database.name],
        executable=tool.binary, check=True, capture_output=True, env={"PATH": os.environ["PATH"]},
    ).stdout.split(b"\n")
    return compare.normal(lines)


# All that may differ in pg_dump's text when a database has come to a newer version, line by line.
MAY_DIFFER = [
    rb"-- Dumped from database version .*",
    rb"    multirange_type_name = .*,",  # 14 makes one for each range
    rb" SELECT (slow\.)?a AS security_invoker",  # 16 leaves out the name of the only table
]


def differences(source, target):
    lines = difflib.diff_bytes(
        difflib.unified_diff, newest_pg_dump(source), newest_pg_dump(target), n=0, lineterm=b""
    )
    changed = [line for line in list(lines)[2:] if line[:1] in b"+-"]
    return [line for line in changed if not any(re.fullmatch(may, line[1:]) for may in MAY_DIFFER)]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_comes_back_as_it_was(version, cluster, empty, store):
    server = cluster(version)
    source, target = loaded(server, zoo=True), empty(version)
    try:
        tool.dump(source, store, **KEPT)
        tool.restore(store, target, **KEPT)
        compare.assert_same(source, target)
    finally:
        unsubscribe(source)
        source.drop()


@pytest.mark.parametrize("old, new", UPWARDS)
def test_upwards_nothing_changes(old, new, dialects, empty):
    source, store = dialects(old)
    target = empty(new)
    tool.restore(store, target, **KEPT)
    assert differences(source, target) == []
    compare.assert_same_rows(source, target)


# What both versions know of it: columns, sequences, constraints but NOT NULLs, comments, and where rows may go.
SHAPE = """
SELECT 'column', a.attrelid::regclass::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
    a.attgenerated, a.attinhcount, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v') AND c.relnamespace::regnamespace::text ~* 'dialect'
UNION ALL SELECT 'relation', c.oid::regclass::text, c.relkind::text, c.relpersistence::text, c.relkind IN ('r', 'v'), NULL, NULL, NULL, NULL
    FROM pg_class c WHERE c.relkind NOT IN ('t', 'S') AND c.relnamespace::regnamespace::text ~* 'dialect'
UNION ALL SELECT 'sequence', seqrelid::regclass::text, NULL, seqtypid::regtype::text, seqcycle, NULL, NULL, seqstart::integer, NULL FROM pg_sequence
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated, NULL, NULL, NULL, obj_description(oid)
    FROM pg_constraint WHERE contype <> 'n' AND connamespace::regnamespace::text ~* 'dialect'
UNION ALL SELECT 'subscription', NULL, subname, array_to_string(subpublications, ','), subenabled, NULL, NULL, NULL, subsynccommit
    FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def shape(database):
    return sorted(database.sql(SHAPE).split("\n"))


def told(result):
    return sorted(re.findall(r"warning (.*)", result.err))


# What a restore says to older versions about what is left out, by the version that has it.
LEFT_OUT = {
    14: ["table dialect_14.swept: vacuum_index_cleanup is left out", "subscription sub_14: .*rows come as text", "table dialect_14.swept_only: "],
    16: ["subscription sub_16: changes are applied by the subscription's owner there"],
    17: ['constraint "is there": its comment is left out', "constraint surer_not_null: its comment is left out",
         "table dialect_17.kept: the privilege MAINTAIN is left out", "default privileges for role postgres: the privilege MAINTAIN"],
    18: ['constraint "a, is": its comment is left out', "constraint own: its comment", "constraint named_a_not_null: its comment",
         "table dialect_18.swept: autovacuum_vacuum_max_threshold is left out; toast.autovacuum_vacuum_max_threshold is left out", "default privileges of large objects"],
}  # fmt: skip


@pytest.mark.parametrize("old, new", UPWARDS)
def test_downwards_it_is_told_in_other_words(old, new, dialects, empty):
    source, store = dialects(new)
    target = empty(old)
    check = tool.succeed(tool.run("check", REPLICA_FROM=store.url, REPLICA_TO=target.url(), **KEPT))
    result = tool.restore(store, target, **KEPT)
    compare.assert_same_rows(source, target)
    assert shape(source) == shape(target)
    said = "\n".join(told(result))
    for since, sentences in LEFT_OUT.items():
        for sentence in sentences:
            assert bool(re.search(sentence, said)) == (old < since <= new), (sentence, said)
    other = ("is not analyzed", "everybody may create in the schema public")
    differ = len([line for line in told(result) if not any(words in line for words in other)])
    assert ("%d differ in PostgreSQL %d" % (differ, old) in check.out) == (differ > 0), check.out


def constructs(since):
    """(number, construct) of those that are no older, and no younger, than the wanted versions."""
    return [(at, it) for at, it in enumerate(refused_before.CONSTRUCTS) if it[0] in since]


@pytest.mark.parametrize("since", VERSIONS[1:])
def test_the_table_of_what_is_refused_is_true(since, empty):
    """The version takes each of it, and the one before does not."""
    there, before = empty(since), empty(since - 1)
    for at, construct in constructs([since]):
        sql = refused_before.made(construct, at)
        there.sql(sql)
        done = before.server.psql(
            ["-v", "ON_ERROR_STOP=1", "-c", "BEGIN; %s SELECT 'taken'; ROLLBACK" % sql], before.name, check=False
        )
        assert "taken" not in done, construct


@pytest.mark.parametrize("old", VERSIONS[:-1])
def test_what_an_older_version_can_not_be_told_is_refused_by_name(old, empty, store):
    """Before its first byte, by restore, copy and check; and what it can be told is not."""
    source, target = empty(18), empty(old)
    source.sql("".join(refused_before.made(it, at) for at, it in constructs(range(14, old + 1))))
    tool.dump(source, store)
    tool.restore(store, target)
    target = empty(old)
    younger = constructs(range(old + 1, 19))
    source.sql("".join(refused_before.made(it, at) for at, it in younger))
    tool.dump(source, store)
    count = sum(refused_before.statements(it) for _, it in younger)
    sentence = "PostgreSQL %d of the destination is too old for %d of the statements" % (old, count)
    for command in ("restore", "check"):
        result = tool.run(command, REPLICA_FROM=store.url, REPLICA_TO=target.url())
        tool.refused(result, tool.TARGET, sentence, "which PostgreSQL has since", " c%d." % younger[0][0])
    for command in ("copy", "check"):
        result = tool.run(command, REPLICA_FROM=source.url(), REPLICA_TO=target.url())
        tool.refused(result, tool.TARGET, sentence)
    assert target.sql("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^c[0-9]'") == "0"
    print("\nPostgreSQL %d: %d statements of %d constructs are refused" % (old, count, len(younger)))


@pytest.mark.parametrize("version", (13, 15, 18))
def test_a_copy_and_an_export_suit_the_version(version, dialects, empty):
    """psql reads at the version of the dump what export writes, as a restore brings it there."""
    source, store = dialects(version)
    copied, exported = empty(version), empty(version)
    tool.succeed(tool.run("copy", REPLICA_FROM=source.url(), REPLICA_TO=copied.url(), **KEPT))
    compare.assert_same(source, copied)
    text = tool.succeed(tool.run("export", REPLICA_FROM=store.url, **KEPT)).out
    exported.server.psql(["-q", "-v", "ON_ERROR_STOP=1", "-f", "-"], exported.name, text=text)
    compare.assert_same(source, exported)


def test_foreign_heirs_are_not_asked(empty, store):
    """ANALYZE of a parent would ask its foreign heirs' wrapper, which can't read; its own rows are counted all the same,
    and all other tables are analyzed."""
    for version in (13, 15, 18):
        source, target = empty(version), empty(version)
        source.file(os.path.join(sample.FOLDER, "dialect.sql"))
        tool.dump(source, store)
        result = tool.restore(store, target)
        assert len([line for line in told(result) if "is not analyzed, because foreign tables inherit from it" in line]) == 2
        analyzed = """SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM pg_statistic WHERE starelid = c.oid)), string_agg(relname, ', '
            ORDER BY relname) FILTER (WHERE NOT EXISTS (SELECT FROM pg_statistic WHERE starelid = c.oid))
            FROM pg_class c WHERE relkind = 'r' AND relnamespace::regnamespace::text ~ 'Dialect' AND pg_relation_size(c.oid) > 0"""
        count, without = target.sql(analyzed).split("|")
        assert without == "near, nearer" and int(count) > 10
        compare.assert_same_rows(source, target)
