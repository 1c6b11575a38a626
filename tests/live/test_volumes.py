"""Promise: how a dump is cut, packed and worked on in parallel changes nothing of what is restored."""

import hashlib
import os
import re

import pytest

import compare
import tool


@pytest.mark.parametrize("compress", ["none", "zstd:-5", "zstd:1", "zstd:19"])
def test_compression(small, store, target, compress):
    tool.dump(small, store, REPLICA_COMPRESS=compress)
    tool.restore(store, target)
    compare.assert_same(small, target)
    assert store.manifest()["compression"] == compress
    objects = [name for name in store.files() if ".sql" in name]
    assert objects and all(
        name.endswith(".sql" if compress == "none" else ".sql.zst") for name in objects
    )


@pytest.mark.parametrize("jobs", [1, 2, 4, 16])
def test_jobs(shop, store, target, jobs):
    tool.dump(shop, store, REPLICA_JOBS=jobs, REPLICA_SKIP_TABLES='"Awkward ""Zoo""".widest')
    tool.restore(store, target, REPLICA_JOBS=jobs)
    expected = compare.counts(shop)
    del expected['"Awkward ""Zoo""".widest']
    assert compare.counts(target) == expected
    for table in ["public.customers", "public.order_lines_2024_0", "public.payments"]:
        assert compare.table_rows(shop, table) == compare.table_rows(target, table)


def pieces_asked(server, since, table):
    """The COPYs of a table that the server was asked for, as (from block, to block or None)."""
    found = []
    for line in server.log[since:].splitlines():
        copy = re.search(r"; COPY .*%s" % table, line)
        cut = re.search(r"ctid >= '\((\d+),0\)'(?: AND ctid < '\((\d+),0\)')?", line)
        if copy:
            found.append((int(cut[1]), cut[2] and int(cut[2])) if cut else None)
    return found


def test_a_large_table_is_copied_in_ranges(server, databases, store, target):
    """Under one snapshot and masked alike; with rows too long for a page, dead ones and an empty tail; never
    analysed, so that the statistics know no page of it."""
    source = databases(server)
    source.sql(
        """CREATE TABLE large (id bigint, t text, secret text) WITH (autovacuum_enabled = off);
        ALTER TABLE large ALTER t SET STORAGE EXTERNAL;
        INSERT INTO large SELECT i, repeat(md5(i::text), CASE WHEN i % 1000 = 0 THEN 1000 ELSE 1 END), 'secret ' || i
            FROM generate_series(1, 60000) AS i;
        UPDATE large SET id = id + 1000000 WHERE id % 7 = 0;
        DELETE FROM large WHERE id % 11 = 0 OR id BETWEEN 59000 AND 60000"""
    )
    assert source.sql("SELECT relpages FROM pg_class WHERE relname = 'large'") == "0"
    since = len(server.log)
    tool.dump(source, store, REPLICA_JOBS=3, REPLICA_VOLUME_SIZE="512KiB", REPLICA_TRANSFORM="public.large.secret redacted")
    pieces = sorted(pieces_asked(server, since, "large"), key=lambda piece: piece[0])
    assert len(pieces) > 6
    # They meet, and the last one takes whatever comes behind it.
    assert pieces[0][0] == 0 and pieces[-1][1] is None
    assert [piece[1] for piece in pieces[:-1]] == [piece[0] for piece in pieces[1:]]
    tool.restore(store, target, REPLICA_JOBS=3)
    rows = "SELECT count(*), sum(id), md5(string_agg(t, '' ORDER BY id)) FROM large"
    assert target.sql(rows) == source.sql(rows)
    assert target.sql("SELECT count(*) FROM large WHERE secret !~ '^sec[*]+$'") == "0"


def test_ranges_only_where_the_server_finds_them(server13, databases, store, target):
    """PostgreSQL 13 would look through the whole table for each of them."""
    source = databases(server13)
    source.sql("CREATE TABLE large AS SELECT i, repeat(md5(i::text), 10) AS t FROM generate_series(1, 20000) AS i")
    since = len(server13.log)
    tool.dump(source, store, REPLICA_JOBS=3, REPLICA_VOLUME_SIZE="64KiB")
    assert pieces_asked(server13, since, "large") == [None]


def test_ranges_of_rows_without_columns(server, databases, store, target):
    source = databases(server)
    source.sql("CREATE TABLE bare (); INSERT INTO bare SELECT FROM generate_series(1, 300000)")
    tool.dump(source, store, REPLICA_JOBS=2, REPLICA_VOLUME_SIZE="64KiB")
    tool.restore(store, target)
    assert target.sql("SELECT count(*) FROM bare") == "300000"


def test_many_volumes(shop, store, target):
    tool.dump(shop, store, REPLICA_VOLUME_SIZE="64KiB", REPLICA_TABLES="public.*")
    volumes = [table for table, _ in store.volumes() if table["name"] == "customers"]
    # A volume ends at the first row after its size was reached in the store; what is in the rings by then
    # (1 MiB before and 1 MiB behind the compressor) still belongs to it, so of 4.9 MB there are two at least.
    assert len(volumes) >= 2
    tool.restore(store, target, REPLICA_JOBS=4)
    for table in compare.tables(target):
        assert compare.table_rows(shop, table) == compare.table_rows(target, table)


def test_a_volume_ends_soon_after_its_size(shop, store):
    tool.dump(shop, store, REPLICA_JOBS=1, REPLICA_VOLUME_SIZE="128KiB", REPLICA_TABLES="public.customers")
    sizes = [os.path.getsize(path) for _, path in store.volumes()]
    assert len(sizes) > 1
    # What is in the corridor when the limit is met still comes, to the end of the row: a ring of 1 MiB on each
    # side of the compressor and the windows between, at most.
    assert max(sizes) < 128 * 1024 + 2 * 1024 * 1024 + 512 * 1024
    assert sum(sizes[:-1]) / len(sizes[:-1]) >= 128 * 1024


def test_large_objects_are_cut_too(server, store, databases):
    """Large objects have no limit, objects of a store have: the data script goes on in further pieces."""
    source, target, psql_target = databases(server), databases(server), databases(server)
    source.sql(
        "SELECT lo_from_bytea(7000 + i, decode(string_agg(md5((i * 100000 + j)::text), ''), 'hex'))"
        " FROM generate_series(1, 4) AS i, generate_series(1, 100000) AS j GROUP BY i"
    )
    content = "SELECT loid, count(*), md5(string_agg(data, ''::bytea ORDER BY pageno)) FROM pg_largeobject GROUP BY 1 ORDER BY 1"
    assert len(source.sql(content).splitlines()) == 4
    tool.dump(source, store, REPLICA_VOLUME_SIZE="64KiB", REPLICA_COMPRESS="none")
    pieces = [piece["name"] for piece in store.manifest()["more_data"]]
    assert len(pieces) >= 2 and pieces[0] == "data-2.sql" and pieces[1] == "data-3.sql"
    tool.restore(store, target)
    assert target.sql(content) == source.sql(content)
    plain = b"".join(store.plain(store.complete()[-1] + "/" + name) for name in ["data.sql"] + pieces)
    psql_target.server.psql(["-f", "-"], psql_target.name, text=plain.decode())
    assert psql_target.sql(content) == source.sql(content)


def test_each_volume_stands_alone(small, small_store, databases, server):
    """psql loads any one volume, without replica, into the structure."""
    target = databases(server)
    name = small_store.complete()[-1]
    manifest = small_store.manifest()
    target.server.psql(
        ["-f", "-"],
        target.name,
        text=small_store.plain(name + "/" + manifest["pre_data"]["name"]).decode(),
    )
    total = 0
    for table in manifest["tables"]:
        for volume in reversed(table["volumes"]):
            text = small_store.plain(name + "/" + volume["name"])
            assert len(text) == volume["plain_bytes"]
            target.server.psql(["-f", "-"], target.name, text=text.decode())
            total += volume["rows"]
    assert total == manifest["rows"] == sum(compare.counts(small).values())
    assert compare.counts(target) == compare.counts(small)


def test_sizes_and_digests_are_those_of_the_files(small, small_store):
    name, manifest = list(small_store.manifests().items())[-1]
    objects = [manifest["pre_data"], manifest["data"], manifest["post_data"]] + [
        v for t in manifest["tables"] for v in t["volumes"]
    ]
    for each in objects:
        data = small_store.read(name + "/" + each["name"])
        assert each["stored_bytes"] == len(data)
        assert each["sha256"] == hashlib.sha256(data).hexdigest()
        assert each["plain_bytes"] == len(small_store.plain(name + "/" + each["name"]))
    assert manifest["stored_bytes"] == sum(each["stored_bytes"] for each in objects)
    listed = {name + "/" + each["name"] for each in objects} | {
        name + "/manifest.json",
        "index.json",
    }
    assert {f for f in small_store.files() if "lock" not in f} == listed
