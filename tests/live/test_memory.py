"""Promise: memory is bounded: by no row, however long, and by no database, however large."""

import os
import re
import tempfile
import time

import pytest

import sample
import tool

LIMIT = 512 * 1024  # KiB of address space, as ulimit -v counts
ROW = 900000000


def long_row_database(server):
    database = server.create("long row")
    # Unlogged and lz4, because making it should not take longer than moving it.
    database.sql(
        """CREATE UNLOGGED TABLE long (id integer, t text COMPRESSION lz4, after text);
        INSERT INTO long VALUES (1, 'short', 'x'), (2, repeat('0123456789abcdefghi' || chr(10), %d), 'behind the long one'), (3, '', 'y')"""
        % (ROW // 20)
    )
    return database


MEASURE = "SELECT id, length(t), md5(t), after FROM long ORDER BY id"


def limited():
    return ["/bin/sh", "-c", 'ulimit -v %d && exec "$@"' % LIMIT, "sh"]


def test_a_row_of_900_million_characters(server, databases, store):
    """Dumped and restored with 512 MiB of address space, threads and code included."""
    source = long_row_database(server)
    try:
        result = tool.run(
            "dump",
            timeout=240,
            wrapper=limited(),
            REPLICA_FROM=source.url(),
            REPLICA_TO=store.url,
            REPLICA_COMPRESS="zstd:1",
        )
        tool.succeed(result)
        expected = source.sql(MEASURE)
    finally:
        source.drop()
    target = databases(server)
    tool.succeed(
        tool.run(
            "restore",
            timeout=240,
            wrapper=limited(),
            REPLICA_FROM=store.url,
            REPLICA_TO=target.url(),
        )
    )
    assert target.sql(MEASURE) == expected
    assert "2|%d|" % ROW in expected


def peak_of(command, **variables):
    """VmHWM of a run, in KiB, watched until it ends.  (rusage would count what Python held before exec.)"""
    process = tool.start(command, stderr=None, **variables)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid, "VmHWM") // 1024)
        time.sleep(0.01)
    process.communicate()
    assert process.returncode == 0
    return peak


def compared(small, large):
    print("peak RSS in KiB: %s and %s" % (small, large))
    assert 0 < large < 128 * 1024
    assert large <= small * 1.10


def dumps(small, large, store):
    run = lambda source: peak_of(
        "dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url, REPLICA_PROGRESS="no", REPLICA_JOBS=1
    )
    run(small)
    compared(run(small), run(large))


def test_a_dump_ten_times_as_large_takes_no_more(big, store):
    large, small = big
    dumps(small, large, store)


def test_a_restore_ten_times_as_large_takes_no_more(big, store, databases, server):
    found = []
    for source in reversed(big):
        tool.dump(source, store, REPLICA_COMPRESS="zstd:1")
        target = databases(server)
        found.append(
            peak_of(
                "restore",
                REPLICA_FROM=store.url,
                REPLICA_TO=target.url(),
                REPLICA_PROGRESS="no",
                REPLICA_JOBS=1,
            )
        )
    compared(*found)


@pytest.mark.long
def test_5_gb_take_no_more_than_half_a_gb(server, store):
    small, large = sample.load_big(server, "half a GB", 500), sample.load_big(server, "5 GB", 5000)
    try:
        dumps(small, large, store)
    finally:
        small.drop()
        large.drop()


def test_a_thousand_tables_take_little(databases, server, store, target):
    """Many small things: names and columns are held, and little else."""
    source = databases(server)
    source.sql("""DO $$ BEGIN FOR n IN 1 .. 1000 LOOP
        EXECUTE format('CREATE TABLE t%s (a integer PRIMARY KEY, b text, c text, d text); INSERT INTO t%s VALUES (1, ''x'')', n, n);
        END LOOP; END $$""")
    ends = {"REPLICA_FROM": source.url(), "REPLICA_TO": store.url}
    assert peak_of("dump", REPLICA_PROGRESS="no", **ends) < 128 * 1024
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+$'") == "1000"


# ---- the sum that is printed -------------------------------------------------------------------------

MIB = 1024 * 1024


def is_pg_dump(pid):
    """Between fork and exec a child shares its parent's pages, which would be counted twice."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().split(b"\0")[0].endswith(b"pg_dump")
    except OSError:
        return False


def resident(pid, field="VmRSS"):
    try:
        with open("/proc/%d/status" % pid) as file:
            found = re.search(field + r":\s+(\d+)", file.read())
        return int(found.group(1)) * 1024 if found else 0
    except OSError:
        return 0


def children(pid):
    found = []
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, thread)) as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass
    return found


def peak_together(process):
    """The most that replica and its pg_dump held at once, in bytes; never less than replica's own peak."""
    peak = 0
    while process.poll() is None:
        if not is_pg_dump(process.pid):
            dumping = [pid for pid in children(process.pid) if is_pg_dump(pid)]
            children_hold = sum(resident(pid) for pid in dumping)
            peak = max(peak, resident(process.pid, "VmHWM"), resident(process.pid) + children_hold)
        time.sleep(0.002)
    return peak


def measured(command, **variables):
    """(exit status, what it said, peak, the printed sum), both in bytes."""
    variables = {"REPLICA_PROGRESS": "no", "REPLICA_LOG_LEVEL": "debug", **variables}
    with tempfile.TemporaryFile() as said:
        process = tool.start(command, stdout=said, stderr=said, **variables)
        peak = peak_together(process)
        said.seek(0)
        text = said.read().decode()
    promised = re.search(r"memory:? +at most (\d+) MiB: ", text)
    return process.returncode, text, peak, int(promised.group(1)) * MIB if promised else None


def holds(command, **variables):
    code, text, peak, promised = measured(command, **variables)
    assert code == 0 and promised, text
    print("%s: peak %.1f MiB, promised %d MiB" % (command, peak / MIB, promised / MIB))
    assert peak <= promised, "%s took %.1f MiB: %s" % (command, peak / MIB, text)
    return peak, promised


def named_minimum(command, **variables):
    """The least that refusals name, in MiB.  What a catalog takes is known only with a connection, so there may be two."""
    least = 1
    for _ in range(2):
        code, text, _, _ = measured(command, REPLICA_MEMORY="%dMiB" % least, **variables)
        if code == 0:
            break
        assert code == tool.CONFIGURATION and "REPLICA_MEMORY" in text, text
        least = int(re.search(r"need (\d+) MiB", text).group(1))
    return least


def every_command(source, store, make_target, settings, **variables):
    """Each command with its two ends.  Databases are made when they are needed."""
    settings = {**settings, **variables}
    yield "dump", {"REPLICA_FROM": source.url(), "REPLICA_TO": store.url, **settings}
    for command in ("export", "list", "show"):
        yield command, {"REPLICA_FROM": store.url, **settings}
    yield "check", {"REPLICA_FROM": source.url(), "REPLICA_TO": store.url, **settings}
    yield "check", {"REPLICA_FROM": store.url, "REPLICA_TO": make_target().url(), **settings}
    yield "restore", {"REPLICA_FROM": store.url, "REPLICA_TO": make_target().url(), **settings}
    yield "copy", {"REPLICA_FROM": source.url(), "REPLICA_TO": make_target().url(), **variables}


@pytest.fixture(scope="module")
def pair(server):
    """Two equal tables of 150 MB, hard to compress, with indexes."""
    database = server.create("pair")
    database.sql("""CREATE TABLE a (id integer, t text);
        INSERT INTO a SELECT n, (SELECT string_agg(md5((n * 31 + k)::text), '') FROM generate_series(1, 20) AS k)
            FROM generate_series(1, 230000) AS n;
        CREATE TABLE b AS TABLE a; CREATE INDEX ON a (id); CREATE INDEX ON b (id); ANALYZE""")
    yield database
    database.drop()


def many_tables(server, count):
    database = server.create("many tables %d" % count)
    for begin in range(0, count, 1000):
        database.sql("""DO $$ BEGIN FOR n IN %d .. %d LOOP
            EXECUTE format('CREATE TABLE t%%s (a integer PRIMARY KEY, b text, c text, d text DEFAULT ''x'')', n);
            EXECUTE format('INSERT INTO t%%s VALUES (1, ''x'')', n); END LOOP; END $$""" % (begin, begin + 999))
    return database


@pytest.fixture(params=["directory", "s3"])
def place(request):
    """(store, its settings), of both kinds."""
    if request.param == "s3":
        made = request.getfixturevalue("s3_store")()
        return made, made.settings
    return request.getfixturevalue("store"), {}


def test_no_command_takes_more_than_it_says(pair, server, databases, place):
    store, settings = place
    for command, variables in every_command(
        pair, store, lambda: databases(server), settings, REPLICA_JOBS=2
    ):
        peak, _ = holds(command, **variables)
        assert peak <= 64000000, "two jobs with default settings take more than 64 MB"


def test_the_named_minimum_is_enough_and_no_byte_less(pair, server, databases, place):
    store, settings = place
    for command, variables in every_command(
        pair, store, lambda: databases(server), settings, REPLICA_JOBS=2
    ):
        if command in ("list", "show", "check"):
            continue
        less = dict(variables, REPLICA_CLEAN="yes") if command in ("restore", "copy") else variables
        least = named_minimum(command, **less)
        assert least > 1
        holds(command, REPLICA_MEMORY="%dMiB" % least, **less)
        code, text, _, _ = measured(command, **dict(less, REPLICA_MEMORY=least * MIB - 1))
        assert code == tool.CONFIGURATION and "need %d MiB" % least in text, text


def tables_hold(count, server, databases, store):
    source = many_tables(server, count)
    try:
        for command, variables in every_command(
            source, store, lambda: databases(server), {}, REPLICA_JOBS=2
        ):
            holds(command, **variables)
    finally:
        source.drop()


def test_a_thousand_tables_are_in_the_sum(server, databases, store):
    tables_hold(1000, server, databases, store)


@pytest.mark.long
def test_ten_thousand_tables_are_in_the_sum(server, databases, store):
    tables_hold(10000, server, databases, store)


def test_what_else_a_schema_holds_is_in_the_sum(server, databases, store):
    """Wide tables with defaults, views, comments, and functions of which one is long."""
    source = databases(server)
    source.sql("""DO $$ BEGIN FOR n IN 1 .. 300 LOOP
        EXECUTE format('CREATE TABLE t%s (%s)', n, (SELECT string_agg('a_longer_column_' || k
            || ' character varying(100) NOT NULL DEFAULT ''x''', ', ') FROM generate_series(1, 40) AS k));
        EXECUTE format('CREATE VIEW v%s AS SELECT * FROM t%s WHERE a_longer_column_1 = %L', n, n, repeat('x', 2000));
        EXECUTE format('COMMENT ON TABLE t%s IS %L', n, repeat('comment ', 500));
        EXECUTE format('CREATE FUNCTION f%s() RETURNS text LANGUAGE sql AS %L', n, 'SELECT ''' || repeat('y', 5000) || '''');
        END LOOP;
        EXECUTE format('CREATE FUNCTION long() RETURNS text LANGUAGE sql AS %L', 'SELECT ''' || repeat('z', 3000000) || '''');
        END $$""")
    holds("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url)


def test_a_manifest_for_which_there_is_no_room(server, databases, store):
    """It is counted before anything is made of it; more memory is a matter of configuration."""
    source = many_tables(server, 1000)
    try:
        tool.dump(source, store)
    finally:
        source.drop()
    result = tool.run("show", REPLICA_FROM=store.url, REPLICA_MEMORY="6MiB")
    tool.refused(result, tool.CONFIGURATION, "REPLICA_MEMORY leaves no more room for a manifest")
    holds("list", REPLICA_FROM=store.url, REPLICA_MEMORY="6MiB")
