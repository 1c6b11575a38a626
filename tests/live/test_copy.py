"""Promise: a copy from one database into another is what a dump and its restore would have made, rules included."""

import os
import re
import signal
import subprocess
import time

import pytest

import compare
import proxy
import sample
import servers
import tool

EVERYTHING = {"REPLICA_OWNERS": "yes", "REPLICA_PRIVILEGES": "yes"}


def copy(source, target, **variables):
    return tool.run("copy", REPLICA_FROM=source.url(), REPLICA_TO=target.url(), **variables)


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_shipped_sample(shop, target, jobs):
    # Small volumes make small pieces, also where nothing is cut into volumes.
    tool.succeed(copy(shop, target, REPLICA_JOBS=jobs, REPLICA_VOLUME_SIZE="1MiB", **EVERYTHING))
    compare.assert_same(shop, target)
    compare.assert_same_rows(shop, target)


@pytest.mark.parametrize("name", ["pagila", "northwind"])
def test_a_well_known_sample(server, name, target):
    source = sample.load_shared(server, name)
    if source is None:
        pytest.skip("%s is not at hand" % name)
    try:
        tool.succeed(copy(source, target, **EVERYTHING))
        compare.assert_same(source, target)
    finally:
        source.drop()


def test_the_command_follows_from_the_ends(small, target):
    result = tool.run(REPLICA_FROM=small.url(), REPLICA_TO=target.url())
    tool.succeed(result)
    assert "copied small into" in result.err
    compare.assert_same(small, target, "-O", "-x")


def test_rules_and_selection(small, target):
    expected = compare.counts(small)
    left_out = [name for name in expected if "visits" in name]
    tool.succeed(
        copy(small, target, REPLICA_TRANSFORM="*.*.email email", REPLICA_SKIP_DATA="public.visits")
    )
    assert len(left_out) == 1
    expected[left_out[0]] = 0
    assert compare.counts(target) == expected
    query = "SELECT count(*), count(DISTINCT email) FROM people WHERE email ~ '^[a-z0-9]+@example.com$'"
    assert target.sql(query) == "4000|4000"


TYPES = """CREATE TABLE plain (a bool, b int2, c int8, d numeric(20, 5), e float8, f varchar(9), g char(4), h bytea, i date,
    j timestamptz, k interval, l uuid, m jsonb, n inet, o bit(3), p text[], q numeric[][], r timetz, s float4);
INSERT INTO plain VALUES (true, -1, 9223372036854775807, -12345.67890, 'NaN', E'\\\\N', 'x', '\\x00ff5c6e0a', '0044-03-15 BC',
    'infinity', '-1 mon 3 days 04:05:06.789', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, null, "\\u00e9"]}',
    '10.1.2.3/8', B'101', '{a,NULL,"b c",""}', '{{1.5,NULL},{3,4}}', '04:05:06.7+02', '-0');
INSERT INTO plain DEFAULT VALUES;
INSERT INTO plain (f, m) SELECT i::text, to_jsonb(i) FROM generate_series(1, 30000) AS i;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE users_own (a mood, b mood[], c positive, d int4range);
INSERT INTO users_own SELECT 'glad', '{sad,glad}', i, int4range(i, i + 2) FROM generate_series(1, 1000) AS i;
CREATE TABLE by_domain (c positive, t text, g text GENERATED ALWAYS AS (t || '!') STORED);
INSERT INTO by_domain SELECT i, 't' || i + 1000000000 FROM generate_series(1, 1000) AS i;
CREATE TABLE empty (a int); CREATE TABLE bare (); INSERT INTO bare SELECT FROM generate_series(1, 3)"""


def formats(server, since):
    """Table → whether the rows of its COPY FROM were binary."""
    found = re.findall(r'COPY "public"\."(\w+)" .*?FROM stdin(.*)', server.log[since:])
    return {table: "binary" in options for table, options in found}


def test_binary_where_both_ends_understand_it_alike(server, databases, target):
    source = databases(server)
    source.sql(TYPES)
    since = len(server.log)
    tool.succeed(copy(source, target, REPLICA_TRANSFORM="public.by_domain.t random"))
    binary = {"plain": True, "empty": True, "users_own": False, "by_domain": False, "bare": False}
    assert formats(server, since) == binary
    for table in ["plain", "users_own"]:
        assert compare.table_rows(source, table) == compare.table_rows(target, table)
    assert target.sql("SELECT count(*) FROM by_domain WHERE g = t || '!' AND t !~ '^t[0-9]+$'") == "1000"
    assert target.sql("SELECT count(*) FROM bare") == "3"
    since = len(server.log)
    tool.succeed(copy(source, target, REPLICA_CLEAN="yes"))
    assert formats(server, since)["by_domain"]
    compare.assert_same(source, target)


def test_binary_from_13_to_18(server13, server18, databases):
    source, target = databases(server13), databases(server18)
    source.sql(TYPES)
    since = len(server18.log)
    tool.succeed(copy(source, target))
    assert formats(server18, since)["plain"]
    for table in ["plain", "users_own", "by_domain"]:
        assert compare.table_rows(source, table) == compare.table_rows(target, table)


def test_text_into_an_older_server(server18, databases, target):
    """Its binary format would take an interval's infinity, which it does not know, for 178 million years."""
    source = databases(server18)
    source.sql("CREATE TABLE plain (a int, b interval); INSERT INTO plain VALUES (1, '1 day')")
    tool.succeed(copy(source, target))
    assert target.sql("SELECT * FROM plain") == "1|1 day"
    source.sql("INSERT INTO plain VALUES (2, 'infinity')")
    result = copy(source, target, REPLICA_CLEAN="yes")
    tool.refused(result, tool.TARGET, "interval", "line 2, column b", "while copying public.plain")
    assert "infinity" not in result.err


def test_other_encodings(server, databases):
    source = databases(server, encoding="LATIN1", locale="C")
    target = databases(server)
    source.sql("CREATE TABLE t (a text, b jsonb); INSERT INTO t VALUES (convert_from('\\x636166e9', 'LATIN1'), '\"x\"')")
    tool.succeed(copy(source, target))
    assert target.sql("SELECT encode(a::bytea, 'hex') FROM t") == "636166c3a9"


def test_small_things_are_frozen_and_large_ones_shared(server, databases, target):
    source = databases(server)
    source.sql(
        """CREATE TABLE large AS SELECT i, repeat(md5(i::text), 20) AS t FROM generate_series(1, 30000) AS i;
        CREATE TABLE middling AS SELECT i, repeat(md5(i::text), 8) AS t FROM generate_series(1, 10000) AS i;
        CREATE TABLE little AS SELECT 1 AS i"""
    )
    since = len(server.log)
    tool.succeed(copy(source, target, REPLICA_JOBS=2, REPLICA_VOLUME_SIZE="4MiB"))
    log = server.log[since:]
    assert 'TRUNCATE ONLY "public"."middling"; COPY' in log and "FREEZE" in log
    assert 'TRUNCATE ONLY "public"."large"' not in log and 'TRUNCATE ONLY "public"."little"' not in log
    assert len(re.findall(r'COPY "public"."large"', log)) > 3
    for table in ["large", "middling", "little"]:
        assert compare.table_rows(source, table) == compare.table_rows(target, table)


def test_the_same_database_is_refused(server, databases):
    """By whatever name: REPLICA_CLEAN would empty the source."""
    source = databases(server)
    source.sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    for to in [source.url(), source.url(host="localhost"), source.socket_url()]:
        if server.parameters and to != source.url():
            continue
        result = tool.run("copy", REPLICA_FROM=source.url(), REPLICA_TO=to, REPLICA_CLEAN="yes")
        tool.refused(result, tool.CONFIGURATION, "same database")
    assert source.sql("SELECT * FROM t") == "1"


def caught_up(primary, standby):
    """Wait until the standby shows what the primary has by now, also what it committed without a flush."""
    lsn = primary.sql("SELECT pg_current_wal_insert_lsn()")
    standby.eventually("SELECT pg_last_wal_replay_lsn() >= '%s'" % lsn, "t")


def test_a_standby_into_its_own_primary_is_refused(room, server, databases, target):
    """No advisory lock reaches a standby.  Where the cluster's number is kept from a role, the database's own is asked."""
    primary = databases(server)
    primary.sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    with servers.standby(server, os.path.join(room, "standby")) as standby:
        source = servers.Database(standby, primary.name)
        tool.refused(copy(source, primary, REPLICA_CLEAN="yes"), tool.CONFIGURATION, "same database", "clone")
        tool.succeed(copy(source, target))
        assert target.sql("SELECT * FROM t") == "1"

        server.sql("CREATE ROLE plain LOGIN PASSWORD 'secret'; GRANT pg_read_all_data TO plain")
        server.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", primary.name)
        caught_up(server, source)
        as_plain = {"REPLICA_FROM": source.url("plain", "secret"), "REPLICA_CLEAN": "yes"}
        result = tool.run("copy", REPLICA_TO=primary.url(), **as_plain)
        tool.refused(result, tool.CONFIGURATION, "may be its primary", "pg_control_system()")
        tool.succeed(tool.run("copy", REPLICA_TO=target.url(), **as_plain))
    assert primary.sql("SELECT * FROM t") == "1"
    server.sql("DROP ROLE plain")


def test_a_destination_that_is_not_empty(small, target):
    target.sql("CREATE TABLE mine (a int)")
    tool.refused(copy(small, target), tool.TARGET, "not empty", "mine")
    tool.succeed(copy(small, target, REPLICA_CLEAN="yes"))
    compare.assert_same(small, target, "-O", "-x")


def test_a_row_that_the_destination_refuses(server, databases, target):
    """A domain whose function says something else there: the copy fails, and says which table."""
    source = databases(server)
    source.sql(
        """CREATE FUNCTION good(int) RETURNS bool LANGUAGE sql IMMUTABLE AS $$ SELECT current_database() = '%s' OR $1 < 900 $$;
        CREATE TABLE t (a int CHECK (public.good(a))); INSERT INTO t SELECT generate_series(1, 1000)"""
        % source.name.replace("'", "''")
    )
    tool.refused(copy(source, target), tool.TARGET, "t_a_check", "while copying public.t")
    assert target.sql("SELECT count(*) FROM t") == "0"


def test_either_end_goes_away(big, target):
    source, _ = big
    with proxy.between(source.server.port, rate=30e6) as line:
        process = tool.start("copy", REPLICA_FROM=source.url(port=line.port), REPLICA_TO=target.url())
        line.wait_passed(10e6)
        line.cut()
        _, err = process.communicate(timeout=60)
    assert process.returncode == tool.SOURCE, err
    with proxy.between(source.server.port, rate=30e6) as line:
        process = tool.start(
            "copy", REPLICA_FROM=source.url(), REPLICA_TO=target.url(port=line.port), REPLICA_CLEAN="yes"
        )
        line.wait_passed(10e6)
        line.cut()
        _, err = process.communicate(timeout=60)
    assert process.returncode == tool.TARGET, err


@pytest.mark.long
def test_a_destination_that_stands_still(server, databases, target):
    """For more than a minute it reads nothing, as when its disk stalls; its kernel answers all the while."""
    source = databases(server)
    source.sql("CREATE TABLE t AS SELECT i, repeat(md5(i::text), 30) AS t FROM generate_series(1, 60000) AS i")
    writing = "SELECT pid FROM pg_stat_activity WHERE application_name = 'replica' AND query ~ 'COPY .*FROM stdin'"
    with proxy.between(source.server.port, rate=10e6) as line:
        ends = {"REPLICA_FROM": source.url(port=line.port), "REPLICA_TO": target.url()}
        process = tool.start("copy", REPLICA_JOBS=1, **ends)
        line.wait_passed(10e6)
        pid = int(target.sql(writing))
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                process.communicate(timeout=100)
        finally:
            os.kill(pid, signal.SIGCONT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert compare.table_rows(source, "t") == compare.table_rows(target, "t")


def test_stopped(big, target):
    source, _ = big
    with proxy.between(source.server.port, rate=30e6) as line:
        process = tool.start("copy", REPLICA_FROM=source.url(port=line.port), REPLICA_TO=target.url())
        line.wait_passed(10e6)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=15)
    assert process.returncode == 143, err
    source.sessions_end()
    target.sessions_end()


def test_check_asks_both_ends(small, target):
    result = tool.run("check", REPLICA_FROM=small.url(), REPLICA_TO=target.url())
    tool.succeed(result)
    for question in ["source", "tables", "schema", "destination", "rights", "empty"]:
        assert re.search(r"^ok +%s" % question, result.out, re.M), result.out


def test_every_connection_reaches_the_same_of_several_servers(room, server, databases, store):
    """Which one a worker would reach is drawn anew each time, and only one of them holds the snapshot."""
    with servers.started(os.path.join(room, "other"), None) as other:
        sources = [databases(server, "one of two"), other.create("one of two")]
        targets = [databases(server, "into one of two"), other.create("into one of two")]
        hosts = "@127.0.0.1:%d,127.0.0.1:%d/" % (server.port, other.port)
        source, target = (
            re.sub("@.*/", hosts, ends[0].url(load_balance_hosts="random")) for ends in [sources, targets]
        )
        for each in sources:
            each.sql("".join("CREATE TABLE t%d AS SELECT generate_series(1, 1000) AS i;" % n for n in range(8)))
            each.sql("".join("CREATE INDEX ON t%d (i); ALTER TABLE t%d ADD PRIMARY KEY (i);" % (n, n) for n in range(8)))
        for _ in range(4):
            tool.succeed(tool.run("copy", REPLICA_FROM=source, REPLICA_TO=target, REPLICA_JOBS=4))
            filled = [len(compare.counts(each)) for each in targets]
            assert sorted(filled) == [0, 8]
            targets[filled.index(8)].sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        tool.succeed(tool.run("dump", REPLICA_FROM=source, REPLICA_TO=store.url, REPLICA_JOBS=4))
        tool.succeed(tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target, REPLICA_JOBS=4))
        assert sorted(len(compare.counts(each)) for each in targets) == [0, 8]
