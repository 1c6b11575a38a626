"""Promise: a dump is one moment of the database, whatever writers do meanwhile."""

import threading
import time

import proxy
import tool

WRITER = """
CREATE TABLE left_side (id integer PRIMARY KEY, money integer);
CREATE TABLE right_side (id integer PRIMARY KEY, money integer);
CREATE TABLE pairs_a (n integer, t text);
CREATE TABLE pairs_b (n integer, t text);
INSERT INTO left_side SELECT n, 100 FROM generate_series(1, 20000) AS n;
INSERT INTO right_side SELECT n, 100 FROM generate_series(1, 20000) AS n;
CREATE TABLE switch (on_off boolean);
INSERT INTO switch VALUES (true);
CREATE PROCEDURE churn() LANGUAGE plpgsql AS $$
DECLARE
    k integer := 0;
BEGIN
    WHILE (SELECT on_off FROM switch) LOOP
        k := k + 1;
        UPDATE left_side SET money = money - 7 WHERE id = 1 + k % 20000;
        INSERT INTO pairs_a VALUES (k, repeat('a', 500));
        UPDATE right_side SET money = money + 7 WHERE id = 1 + (k * 31) % 20000;
        INSERT INTO pairs_b VALUES (k, repeat('b', 500));
        COMMIT;
    END LOOP;
END $$;
"""


def test_money_is_neither_made_nor_lost(databases, server, store):
    source = databases(server)
    source.sql(WRITER)
    writers = [
        threading.Thread(
            target=source.server.psql, args=(["-c", "CALL churn()"], source.name), daemon=True
        )
        for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 10
    while int(source.sql("SELECT count(*) FROM pairs_a")) < 100:
        assert time.monotonic() < deadline
    try:
        counts = []
        for jobs in [1, 4]:
            tool.dump(source, store, REPLICA_JOBS=jobs)
            target = databases(server)
            tool.restore(store, target)
            assert (
                target.sql(
                    "SELECT (SELECT sum(money) FROM left_side) + (SELECT sum(money) FROM right_side)"
                )
                == "4000000"
            )
            assert target.sql("SELECT count(*) FROM pairs_a") == target.sql(
                "SELECT count(*) FROM pairs_b"
            )
            assert (
                target.sql(
                    "SELECT count(*) FROM pairs_a FULL JOIN pairs_b USING (n) WHERE pairs_a.t IS NULL OR pairs_b.t IS NULL"
                )
                == "0"
            )
            counts.append(int(target.sql("SELECT count(*) FROM pairs_a")))
        assert counts[1] > counts[0] > 0, "the writers must have written meanwhile"
    finally:
        source.sql("UPDATE switch SET on_off = false")
        for writer in writers:
            writer.join(30)


def test_timeouts_of_the_server_do_not_end_a_dump(databases, server, store):
    """Settings of the role or the database that would kill a session which idles or works for long."""
    source = databases(server)
    source.sql(
        """CREATE TABLE t (a text); INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 200000);
        ALTER DATABASE "%s" SET statement_timeout = '2s';
        ALTER DATABASE "%s" SET idle_in_transaction_session_timeout = '2s';
        ALTER DATABASE "%s" SET lock_timeout = '1ms'"""
        % ((source.name,) * 3)
    )
    with proxy.between(server.port, rate=40e6) as line:
        result = tool.run("dump", REPLICA_FROM=source.url(port=line.port), REPLICA_TO=store.url, REPLICA_JOBS=1)
        tool.succeed(result)
    assert store.manifest()["rows"] == 200000 and result.seconds > 4


def test_settings_of_the_database_do_not_change_the_text(databases, server, store, target):
    """Date style, search path and the like of the role must not leak into the rows."""
    source = databases(server)
    source.sql(
        """CREATE TABLE t (d date, ts timestamptz, i interval, f double precision, b bytea, x xml);
        INSERT INTO t VALUES ('2020-01-02', '2020-01-02 03:04:05+00', '1 day 02:03:04', 0.1::float8 + 0.2::float8, '\\xff5c', '<a/>')"""
    )
    expected = source.sql("SET timezone = 'UTC'; SELECT * FROM t")
    for setting in [
        "DateStyle = 'German'",
        "IntervalStyle = 'sql_standard'",
        "extra_float_digits = -15",
        "bytea_output = 'escape'",
        "TimeZone = 'Asia/Kolkata'",
        "standard_conforming_strings = off",
        "search_path = 'nowhere'",
        "xmloption = document",
        "client_encoding = 'LATIN1'",
        "row_security = on",
        "default_transaction_read_only = on",
    ]:
        source.server.sql('ALTER DATABASE "%s" SET %s' % (source.name, setting))
    tool.dump(source, store)
    tool.restore(store, target)
    assert target.sql("SET timezone = 'UTC'; SELECT * FROM t") == expected
