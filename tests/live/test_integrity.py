"""Promise: a spoilt store is noticed, named, and never restored as if it were whole."""

import json
import os
import shutil

import pytest

import compare
import tool


def restore_fails(store, target, code, *phrases):
    """Restore and export both notice; the destination is not left looking complete."""
    result = tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url())
    tool.refused(result, code, *phrases)
    tool.refused(tool.run("export", REPLICA_FROM=store.url, REPLICA_TO="stdout:"), code, *phrases)


def spoil(path, change):
    with open(path, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(change(data))


def flip(at):
    def change(data):
        index = int(at * (len(data) - 1))
        return data[:index] + bytes([data[index] ^ 0x10]) + data[index + 1 :]

    return change


@pytest.mark.parametrize("at", [0, 0.01, 0.5, 0.99, 1])
def test_a_flipped_byte(small_store, target, at):
    table, path = small_store.volumes()[-2]
    spoil(path, flip(at))
    restore_fails(small_store, target, tool.INTEGRITY, os.path.basename(path))


def test_a_row_that_the_server_refuses_first(server, databases, target, store):
    """The server refuses a row megabytes before the volume's checksum is known: its complaint is
    the failure when the volume turns out to be whole, and else the damage is."""
    source = databases(server)
    source.sql(
        """CREATE FUNCTION good(int) RETURNS bool LANGUAGE sql IMMUTABLE AS
        $$ SELECT current_database() = '%s' OR $1 <> 7 $$;
        CREATE TABLE t (a int CHECK (public.good(a)), filler text);
        INSERT INTO t SELECT a, repeat('x', 1000) FROM generate_series(1, 4000) a"""
        % source.name.replace("'", "''")
    )
    tool.dump(source, store, REPLICA_COMPRESS="none")
    restored = {"REPLICA_FROM": store.url, "REPLICA_TO": target.url(), "REPLICA_CLEAN": "yes"}
    tool.refused(tool.run("restore", **restored), tool.TARGET, "t_a_check", "from dump-")
    ((_, path),) = store.volumes()
    spoil(path, flip(0.99))
    tool.refused(tool.run("restore", **restored), tool.INTEGRITY, "1.sql", "damaged")
    assert target.sql("SELECT count(*) FROM t") == "0"


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_volume_cut_short(small_store, target, keep):
    _, path = small_store.volumes()[1]
    spoil(path, lambda data: data[:keep])
    restore_fails(small_store, target, tool.INTEGRITY, os.path.basename(path))


def test_a_volume_with_something_behind_it(small_store, target):
    _, path = small_store.volumes()[1]
    spoil(path, lambda data: data + b"x")
    restore_fails(small_store, target, tool.INTEGRITY, os.path.basename(path))


def test_a_missing_volume(small_store, target):
    _, path = small_store.volumes()[2]
    os.remove(path)
    restore_fails(small_store, target, tool.INTEGRITY, os.path.basename(path))


def test_two_volumes_swapped(small_store, target):
    volumes = [path for table, path in small_store.volumes() if table["name"] == "visits"]
    assert len(volumes) > 1, "the small database must fill several volumes"
    os.rename(volumes[0], volumes[0] + ".x")
    os.rename(volumes[1], volumes[0])
    os.rename(volumes[0] + ".x", volumes[1])
    restore_fails(small_store, target, tool.INTEGRITY)


@pytest.mark.parametrize("section", ["pre_data", "data", "post_data"])
def test_a_spoilt_section(small_store, target, section):
    manifest = small_store.manifest()
    name = (manifest.get(section) or manifest[section.replace("_", "-")])["name"]
    spoil(os.path.join(small_store.dump_path(), name), flip(0.7))
    restore_fails(small_store, target, tool.INTEGRITY, name)


@pytest.mark.parametrize("section", ["pre_data", "data", "post_data"])
@pytest.mark.parametrize("spoiling", ["flip", "cut", "remove"])
def test_nothing_is_dropped_for_a_dump_that_is_not_whole(small_store, target, section, spoiling):
    """REPLICA_CLEAN empties the destination only once the dump has been looked through; what large
    objects are in data.sql, only restoring them tells."""
    name = small_store.manifest()[section]["name"]
    look_spoilt(small_store, target, os.path.join(small_store.dump_path(), name), spoiling)
    whole = section == "data" and spoiling == "flip"
    assert target.sql("SELECT to_regclass('precious') IS NULL") == ("t" if whole else "f")


@pytest.mark.parametrize("spoiling", ["cut", "remove"])
def test_nothing_is_dropped_for_a_volume_that_is_missing(small_store, target, spoiling):
    _, path = small_store.volumes()[-1]
    look_spoilt(small_store, target, path, spoiling)
    assert target.sql("SELECT * FROM precious") == "1"


def look_spoilt(store, target, path, spoiling):
    target.sql("CREATE TABLE precious AS SELECT 1")
    if spoiling == "remove":
        os.remove(path)
    else:
        spoil(path, flip(0.7) if spoiling == "flip" else lambda data: data[:-1])
    result = tool.run(
        "restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_CLEAN="yes"
    )
    tool.refused(result, tool.INTEGRITY, os.path.basename(path))


@pytest.mark.parametrize("section", ["pre_data", "data", "post_data"])
def test_a_statement_that_the_server_refuses_first(server, databases, target, store, section):
    """As with a row: the server refuses a spoilt statement long before the checksum is known."""
    source = databases(server)
    source.sql(
        """CREATE TABLE t (a int PRIMARY KEY); SELECT lo_from_bytea(0, repeat('x', 2000000)::bytea);
        COMMENT ON TABLE t IS '%s'; COMMENT ON INDEX t_pkey IS '%s'"""
        % ("x" * 2000000, "x" * 2000000)
    )
    tool.dump(source, store, REPLICA_COMPRESS="none")
    name = store.manifest()[section]["name"]
    path = os.path.join(store.dump_path(), name)
    spoil(path, lambda data: data.replace(b"pg_catalog.", b"pg_catalof.", 1))
    result = tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url())
    tool.refused(result, tool.INTEGRITY, name, "damaged")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"no json",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"format": 1}',
        b'{"format": "1"}',
    ],
)
def test_a_manifest_that_is_none(small_store, target, content):
    spoil(os.path.join(small_store.dump_path(), "manifest.json"), lambda data: content)
    restore_fails(small_store, target, tool.INTEGRITY, "manifest")


def test_a_manifest_cut_short(small_store, target):
    spoil(
        os.path.join(small_store.dump_path(), "manifest.json"), lambda data: data[: len(data) // 2]
    )
    restore_fails(small_store, target, tool.INTEGRITY, "manifest")


def changed(change):
    def apply(data):
        manifest = json.loads(data)
        change(manifest)
        return json.dumps(manifest).encode()

    return apply


def test_a_newer_format(small_store, target):
    spoil(
        os.path.join(small_store.dump_path(), "manifest.json"),
        changed(lambda m: m.update(format=m["format"] + 1)),
    )
    restore_fails(small_store, target, tool.CONFIGURATION, "format", "newer")


def test_a_name_that_leads_out_of_the_store(small_store, target):
    def change(manifest):
        manifest["tables"][0]["volumes"][0]["name"] = "../../../../etc/hostname"

    spoil(os.path.join(small_store.dump_path(), "manifest.json"), changed(change))
    restore_fails(small_store, target, tool.INTEGRITY, "name")


def test_rows_that_do_not_add_up(small_store, target):
    """The counts of the manifest are compared with what arrived."""
    true = []

    def change(manifest):
        table = [t for t in manifest["tables"] if t["name"] == "people"][0]
        true.append(table["volumes"][0]["rows"])
        table["rows"] += 1
        table["volumes"][0]["rows"] += 1
        manifest["rows"] += 1

    spoil(os.path.join(small_store.dump_path(), "manifest.json"), changed(change))
    result = tool.run("restore", REPLICA_FROM=small_store.url, REPLICA_TO=target.url())
    tool.refused(result, tool.INTEGRITY, "people", str(true[0]), str(true[0] + 1))


def test_list_says_what_can_not_be_read(small, small_store):
    spoil(os.path.join(small_store.dump_path(), "manifest.json"), lambda data: b"no json")
    entry = tool.listed(small_store)["dumps"][0]
    assert entry["name"] == os.path.basename(small_store.dump_path())
    assert entry["state"] == "unreadable" and "manifest" in entry["problem"]
    result = tool.succeed(tool.run("list", REPLICA_FROM=small_store.url))
    assert "unreadable" in result.out and "manifest" in result.err


def test_the_last_good_dump_can_still_be_named(small, small_store, target):
    good = small_store.complete()[-1]
    tool.dump(small, small_store)
    spoil(os.path.join(small_store.dump_path(), "manifest.json"), lambda data: b"no json")
    tool.restore(small_store, target, REPLICA_DUMP=good)
    compare.assert_same(small, target)


def test_the_index_is_no_truth(small, small_store, target):
    """index.json is for people and other tools; spoilt or lost it hides no dump."""
    for spoiling in [
        lambda path: os.remove(path),
        lambda path: spoil(path, lambda data: b"no json"),
    ]:
        path = small_store.file("index.json")
        assert os.path.exists(path)
        spoiling(path)
        assert small_store.complete() == [
            dump["name"] for dump in tool.listed(small_store)["dumps"]
        ]
        tool.restore(small_store, target, REPLICA_CLEAN="yes")
        tool.dump(small, small_store)
        index = json.loads(small_store.read("index.json"))
        assert [dump["directory_name"] for dump in index["dumps"]] == small_store.complete()


def test_something_else_in_the_store_is_left_alone(small, small_store, target):
    os.makedirs(small_store.file("dump-not-ours"))
    open(small_store.file("dump-not-ours/file"), "w").close()
    open(small_store.file("notes.txt"), "w").close()
    tool.dump(small, small_store)
    tool.restore(small_store, target)
    assert os.path.exists(small_store.file("notes.txt")) and os.path.exists(
        small_store.file("dump-not-ours/file")
    )
    shutil.rmtree(small_store.file("dump-not-ours"))
