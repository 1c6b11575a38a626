"""Promise: no lock-in: a dump becomes SQL that psql takes, by replica's export or by stock tools alone."""

import os
import subprocess

import compare
import tool


def psql_input(database):
    return subprocess.Popen(
        [
            "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-o",
            "/dev/null",
            "-h",
            database.server.socket,
            "-p",
            str(database.server.port),
            "-U",
            "postgres",
            "-d",
            database.name,
        ],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )


def test_export_into_psql(shop, store, target):
    tool.dump(shop, store, REPLICA_OWNERS="yes", REPLICA_PRIVILEGES="yes")
    psql = psql_input(target)
    process = tool.start(
        "export",
        stdout=psql.stdin,
        REPLICA_FROM=store.url,
        REPLICA_TO="stdout:",
        REPLICA_OWNERS="yes",
        REPLICA_PRIVILEGES="yes",
    )
    psql.stdin.close()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert psql.wait(120) == 0, psql.stderr.read()
    psql.stderr.close()
    compare.assert_same(shop, target)


def test_stock_tools_alone(small, small_store, target):
    """zstd -dc of the objects in the manifest's order, into psql."""
    name, manifest = list(small_store.manifests().items())[-1]
    names = (
        [manifest["pre_data"]["name"]]
        + [v["name"] for t in manifest["tables"] for v in t["volumes"]]
        + [manifest["data"]["name"], manifest["post_data"]["name"]]
    )
    text = b"".join(small_store.plain(name + "/" + each) for each in names)
    psql = psql_input(target)
    _, err = psql.communicate(text, timeout=60)
    assert psql.returncode == 0, err
    compare.assert_same(small, target)


def test_export_writes_sql_and_nothing_else_to_stdout(small_store):
    result = tool.succeed(tool.run("export", REPLICA_FROM=small_store.url))
    assert "COPY " in result.out and "CREATE TABLE" in result.out
    assert "exported" in result.err and "exported" not in result.out


def test_export_to_a_reader_that_goes_away(small_store):
    read_end, write_end = os.pipe()
    process = tool.start(
        "export", stdout=write_end, REPLICA_FROM=small_store.url, REPLICA_TO="stdout:"
    )
    os.close(write_end)
    os.read(read_end, 100)
    os.close(read_end)
    _, err = process.communicate(timeout=20)
    assert process.returncode == tool.TARGET, err


def test_export_into_a_full_device(small_store):
    with open("/dev/full", "wb") as full:
        process = tool.start(
            "export", stdout=full, REPLICA_FROM=small_store.url, REPLICA_TO="stdout:"
        )
        _, err = process.communicate(timeout=20)
    assert process.returncode == tool.TARGET, err
    assert b"no space left" in err.lower()


def test_restrict_lines_never_reach_a_server(shop, store, target):
    tool.dump(shop, store)
    tool.restore(store, target)
    marker = "@%s " % target.name
    lines = [line for line in target.server.log.split("\n") if marker in line]
    assert any("CREATE TABLE" in line for line in lines), "the server logs statements"
    assert not [line for line in lines if "statement: \\" in line]
    assert not [line for line in lines if "syntax error" in line]


def test_the_second_reader_agrees_on_every_kind_of_dump(shop, small, store):
    """tests/format_reader.py was written from docs/format.md alone."""
    reader = os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "format_reader.py"
    )
    for source, variables in [
        (shop, {}),
        (small, {"REPLICA_COMPRESS": "none"}),
        (small, {"REPLICA_VOLUME_SIZE": "64KiB", "REPLICA_SKIP_DATA": "people"}),
    ]:
        tool.dump(source, store, **variables)
        done = subprocess.run(
            ["/usr/bin/python3", reader, store.path], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr + done.stdout
