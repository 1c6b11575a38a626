"""Promise: memory is bounded: by no row, however long, and by no database, however large."""

import re
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


def peaks(process):
    """VmHWM of the process and of its children, in KiB, watched until it ends.  (rusage would count what
    Python held before exec.)"""
    found = {}
    while process.poll() is None:
        for pid in [process.pid] + children(process.pid):
            try:
                with open("/proc/%d/status" % pid) as file:
                    peak = re.search(r"VmHWM:\s+(\d+)", file.read())
                if peak:
                    found[pid] = int(peak.group(1))
            except OSError:
                pass
        time.sleep(0.01)
    main = found.pop(process.pid, 0)
    return main, max(found.values(), default=0)


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def peak_of(command, **variables):
    process = tool.start(command, stderr=None, **variables)
    peak = peaks(process)
    process.communicate()
    assert process.returncode == 0
    return peak


def compared(small, large):
    print("peak RSS in KiB (replica, its pg_dump): %s and %s" % (small, large))
    assert large[0] < 128 * 1024 and large[1] < 128 * 1024
    assert large[0] <= small[0] * 1.10
    assert large[1] <= small[1] * 1.10


def dumps(small, large, store):
    run = lambda source: peak_of(
        "dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url, REPLICA_PROGRESS="no"
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
                "restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_PROGRESS="no"
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
    main, child = peak_of(
        "dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url, REPLICA_PROGRESS="no"
    )
    assert main < 128 * 1024
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+$'") == "1000"


def test_too_little_memory_is_an_error_that_names_the_minimum(small, store):
    result = tool.run("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url, REPLICA_MEMORY="1MiB")
    tool.refused(result, tool.CONFIGURATION, "REPLICA_MEMORY", "MiB")
