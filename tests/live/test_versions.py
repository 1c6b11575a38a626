"""Promise: PostgreSQL 13 to 18 at both ends; the servers are Debian's and two that npm brings."""

import pytest

import compare
import sample
import tool


@pytest.fixture(scope="session")
def shop13(server13):
    return sample.load(server13, "sample shop")


@pytest.fixture(scope="session")
def shop18(server18):
    return sample.load(server18, "sample shop")


def moved(source, store, target):
    tool.dump(source, store)
    tool.restore(store, target)


def test_13_to_13(shop13, store, server13, databases):
    target = databases(server13)
    moved(shop13, store, target)
    compare.assert_same(shop13, target, "-O", "-x")


def test_18_to_18(shop18, store, server18, databases):
    target = databases(server18)
    tool.dump(shop18, store, REPLICA_OWNERS="yes", REPLICA_PRIVILEGES="yes")
    tool.restore(store, target, REPLICA_OWNERS="yes", REPLICA_PRIVILEGES="yes")
    compare.assert_same(shop18, target)


def test_13_to_18(shop13, store, server18, databases):
    target = databases(server18)
    moved(shop13, store, target)
    compare.assert_same_rows(shop13, target)
    objects = """SELECT n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^(pg_|info)' AND c.relkind <> 't' ORDER BY 1, 2, 3"""
    assert shop13.sql(objects) == target.sql(objects)


def test_15_to_18_and_13_to_15(shop, shop13, store, server18, target, databases):
    newest = databases(server18)
    moved(shop, store, newest)
    compare.assert_same_rows(shop, newest)
    moved(shop13, store, target)
    compare.assert_same_rows(shop13, target)


def test_18_to_13_works_as_far_as_the_older_server_understands(
    server18, server13, databases, store
):
    """Going back is not promised for what the older server lacks, but simple things arrive, and what it
    does not know is an error that names the statement."""
    source, target = databases(server18), databases(server13)
    source.sql(
        "CREATE TABLE t (a integer PRIMARY KEY, b text); INSERT INTO t SELECT n, 'x' || n FROM generate_series(1, 100) AS n"
    )
    moved(source, store, target)
    compare.assert_same_rows(source, target)
    source.sql("CREATE TABLE virtual (a integer, v integer GENERATED ALWAYS AS (a * 2) VIRTUAL)")
    tool.dump(source, store)
    result = tool.run(
        "restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_CLEAN="yes"
    )
    tool.refused(result, tool.TARGET, "virtual")
