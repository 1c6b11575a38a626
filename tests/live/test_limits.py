"""Promise: REPLICA_MEMORY holds for what others wrote, too: a store's documents, listings, scripts and frames.

Each case is a store that somebody else has spoilt, digests mended where there are any, and a run with little memory.
Whether it is refused or lived through, its peak stays within REPLICA_MEMORY, and it does not take for ever."""

import hashlib
import json
import os
import re
import subprocess
import time

import pytest

import tool
from test_memory import MIB, holds, measured

CASES = []


@pytest.fixture(scope="module", autouse=True)
def counted():
    yield
    print("\n%d cases of foreign lengths" % len(CASES))


def within(memory, command, code=None, phrase="", seconds=60, **variables):
    """A run with so many MiB: what it came to, and that its peak was within them."""
    begun = time.monotonic()
    status, text, peak, _ = measured(command, REPLICA_MEMORY="%dMiB" % memory, REPLICA_JOBS=2, **variables)
    took = time.monotonic() - begun
    CASES.append((command, memory))
    print("%s: exit %d, %.1f of %d MiB, %.1f s" % (command, status, peak / MIB, memory, took))
    assert peak <= memory * MIB, "%s took %.1f MiB of %d: %s" % (command, peak / MIB, memory, text[-500:])
    assert code is None or status == code, "exit %d: %s" % (status, text[-1000:])
    assert phrase.lower() in text.lower(), text[-1000:]
    assert took < seconds, "%.1f s" % took
    return text


def spoil_manifest(store, change):
    path = os.path.join(store.dump_path(), "manifest.json")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(change(text))


def put_object(store, section, write):
    """Replace an object's stored bytes by those that write(file) writes, and mend the manifest."""
    with open(os.path.join(store.dump_path(), "manifest.json")) as file:
        manifest = json.load(file)
    entry = manifest[section]
    path = os.path.join(store.dump_path(), entry["name"])
    with open(path, "wb") as file:
        plain = write(file)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    stored = os.path.getsize(path)
    manifest["plain_bytes"] += plain - entry["plain_bytes"]
    manifest["stored_bytes"] += stored - entry["stored_bytes"]
    entry.update(stored_bytes=stored, plain_bytes=plain, sha256=digest.hexdigest())
    with open(os.path.join(store.dump_path(), "manifest.json"), "w") as file:
        json.dump(manifest, file)


def compressed(pieces, *options):
    """A writer of zstd's own frames, of an iterable of bytes."""

    def write(file):
        zstd = subprocess.Popen(["zstd", "-q", "-c", *(options or ["-1"])], stdin=subprocess.PIPE, stdout=file)
        size = 0
        for piece in pieces:
            zstd.stdin.write(piece)
            size += len(piece)
        zstd.stdin.close()
        assert zstd.wait() == 0
        return size

    return write


# ---- documents --------------------------------------------------------------------------------------------------

DOCUMENTS = {
    "zeros": lambda size: "[" + "0," * (size // 2) + "0]",
    "empty arrays": lambda size: "[" + "[]," * (size // 3) + "[]]",
    "empty objects": lambda size: "[" + "{}," * (size // 3) + "{}]",
    "members": lambda size: "[" + '{"a":0,"b":1},' * (size // 14) + "0]",
    "texts": lambda size: "[" + '"",' * (size // 3) + "0]",
    "one text": lambda size: '"%s"' % ("x" * size),
    "blanks": lambda size: " " * size + "0",
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_an_index_of_many_values(small, store, kind):
    """It is not needed: it is made anew."""
    with open(store.file("index.json"), "w") as file:
        file.write('{"dumps":%s}' % DOCUMENTS[kind](60 * MIB))
    within(64, "dump", 0, REPLICA_FROM=small.url(), REPLICA_TO=store.url)
    assert len(json.loads(store.read("index.json"))["dumps"]) == 1


TABLE = '{"schema":"s","name":"%d","data":true,"rows":0,"columns":[%s],"volumes":[%s]}'
VOLUME = '{"name":"%d.sql.zst","stored_bytes":0,"plain_bytes":0,"rows":0,"sha256":"' + "0" * 64 + '"}'
TABLES = {
    "tables": lambda n: TABLE % (n, "", ""),
    "columns": lambda n: TABLE % (n, ",".join(['{"name":"a","type":"bit"}'] * 1000), "") if n < 600 else "",
    "volumes": lambda n: TABLE % (n, "", VOLUME % (n + 1000)),
}


@pytest.mark.parametrize("kind", [*DOCUMENTS, *TABLES])
@pytest.mark.parametrize("memory", [16, pytest.param(256, marks=pytest.mark.long)])
def test_a_manifest_of_many_values(small_store, target, kind, memory):
    """A member that nobody knows, or more tables, columns and volumes than a database has."""
    if kind in DOCUMENTS:
        spoil_manifest(small_store, lambda text: '{"x":%s,' % DOCUMENTS[kind](15 * MIB) + text[1:])
    else:
        more, size = [], 0
        for n in range(1000000):
            more.append(TABLES[kind](n))
            size += len(more[-1])
            if size > 15 * MIB or not more[-1]:
                break
        more = ",".join(filter(None, more))
        spoil_manifest(small_store, lambda text: text.replace('"tables":[', '"tables":[' + more + ",", 1))
    for command in ("show", "list", "check", "export"):
        within(memory, command, REPLICA_FROM=small_store.url)
    within(memory, "show", REPLICA_FROM=small_store.url, REPLICA_LOG_FORMAT="json")
    within(memory, "restore", REPLICA_FROM=small_store.url, REPLICA_TO=target.url())


@pytest.mark.parametrize("depth", [31, 33, 1000000])
def test_a_manifest_that_nests(small_store, depth):
    spoil_manifest(small_store, lambda text: '{"x":%s%s,' % ("[" * depth, "]" * depth) + text[1:])
    code = 0 if depth < 32 else 6 if depth < 100 else 2  # a million have no room, whatever they are
    within(16, "show", code, REPLICA_FROM=small_store.url)


@pytest.mark.parametrize("where", ["dump", "table", "column", "volume"])
def test_a_name_twice_in_one_object(small_store, where):
    """What it says would depend on who reads it."""
    pieces = {"dump": '{"format":1,', "table": '{"schema":"public",', "column": '{"name":"id",', "volume": '{"name":"1.sql.zst",'}
    piece = pieces[where]
    spoil_manifest(small_store, lambda text: text.replace(piece, piece + piece[1:], 1))
    for command in ("show", "export"):
        result = tool.run(command, REPLICA_FROM=small_store.url)
        tool.refused(result, tool.INTEGRITY, "the same name twice")
    CASES.append(where)


@pytest.mark.parametrize("schema", ["pg_catalog", "information_schema", "pg_toast", "pg_temp_3"])
@pytest.mark.parametrize("into", [False, True])
def test_a_table_of_postgresql_s_own(small_store, target, schema, into):
    """Rows for a system catalog are no rows of a dump."""

    def change(text):
        manifest = json.loads(text)
        table = manifest["tables"][0]
        if into:
            table["into"] = {"schema": schema, "name": "pg_authid"}
        else:
            table["schema"] = schema
        return json.dumps(manifest)

    spoil_manifest(small_store, change)
    result = tool.run("restore", REPLICA_FROM=small_store.url, REPLICA_TO=target.url())
    tool.refused(result, tool.INTEGRITY, schema, "a schema of PostgreSQL's own")
    assert target.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == "0"
    CASES.append(schema)


# ---- scripts ----------------------------------------------------------------------------------------------------

PIECE = 1 << 20
SCRIPTS = {
    "comments in comments": lambda: [b"/*" * (PIECE // 2)] * 200,
    "one line": lambda: [b"SELECT 1"] + [b" " * PIECE] * 200,
    "a string": lambda: [b"SELECT '"] + [b"x" * PIECE] * 200,
    "a string of lines": lambda: [b"SELECT '"] + [b"\n" * PIECE] * 200,
    "dollars": lambda: [b"SELECT $$"] + [b"lines\n" * (PIECE // 6)] * 200,
    "brackets": lambda: [b"("] + [b"(" * PIECE] * 200,
    "a comment": lambda: [b"-- "] + [b"-" * PIECE] * 200,
    "a name": lambda: [b'SELECT "'] + [b'""' * (PIECE // 2)] * 200,
    "words": lambda: [b"BEGIN "] + [b"begin case " * (PIECE // 11)] * 200,
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_script_of_one_statement(small_store, target, kind):
    """The sentence says which REPLICA_MEMORY serves more."""
    put_object(small_store, "pre_data", compressed(SCRIPTS[kind]()))
    ends = {"REPLICA_FROM": small_store.url}
    sentence = "an SQL statement is longer than"
    within(64, "export", 2, sentence, **ends)
    text = within(64, "restore", 2, sentence, **ends, REPLICA_TO=target.url())
    assert re.search(r"REPLICA_MEMORY leaves no more room: one of \d+ MiB", text), text


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \n", b"--\n"])
def test_a_script_of_blank_lines(small_store, blank):
    """A gigabyte of them passes at speed."""
    lines = blank * (PIECE // len(blank))
    put_object(small_store, "post_data", compressed([lines] * (1000 if blank == b"\n" else 100)))
    within(64, "export", 0, seconds=40, REPLICA_FROM=small_store.url)


def test_a_long_function_is_in_the_sum(server, databases, store, target):
    """The manifest says how long it is, so the least that restores it can be named."""
    source = databases(server)
    source.sql("""DO $$ BEGIN EXECUTE format('CREATE FUNCTION f() RETURNS text LANGUAGE sql AS %L',
        'SELECT ''' || repeat('z', 5000000) || ''''); END $$""")
    holds("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url)
    assert 5000000 < store.manifest()["longest_statement"] < 5001000
    ends = {"REPLICA_FROM": store.url, "REPLICA_TO": target.url(), "REPLICA_JOBS": 1}
    code, text, _, _ = measured("restore", REPLICA_MEMORY="16MiB", **ends)
    assert code == tool.CONFIGURATION, text
    least = int(re.search(r"need (\d+) MiB", text).group(1))
    holds("restore", REPLICA_MEMORY="%dMiB" % least, **ends)
    assert target.sql("SELECT length(f())") == "5000000"
    # A dump of before does not say it; then what is left is the limit.
    spoil_manifest(store, lambda text: re.sub(r',"longest_statement":\d+', "", text))
    result = tool.run("export", REPLICA_FROM=store.url, REPLICA_MEMORY="16MiB")
    tool.refused(result, tool.CONFIGURATION, "an SQL statement is longer than", "would serve a statement of twice that")
    assert tool.run("export", REPLICA_FROM=store.url).code == 0


# ---- frames -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [27, 26, 24])
def test_a_frame_with_a_large_window(small_store, target, window):
    """Its memory is taken when it is read, of each worker."""
    noise = os.urandom(PIECE // 2).hex().encode()
    pieces = [b"-- %d %s\n" % (n, noise) for n in range(150)]
    put_object(small_store, "post_data", compressed(pieces, "-1", "--long=%d" % window))
    within(48, "restore", 2, "the zstd frame needs a window", REPLICA_FROM=small_store.url, REPLICA_TO=target.url())
    within(24, "export", 2, "REPLICA_MEMORY", REPLICA_FROM=small_store.url)
    tool.succeed(tool.run("export", REPLICA_FROM=small_store.url, REPLICA_MEMORY="512MiB"))


# ---- listings ---------------------------------------------------------------------------------------------------


def test_a_directory_of_many_things(small_store, target):
    """Others' files do not fill the memory; a directory of that many is no store."""
    dump = small_store.dump_path()
    for n in range(40000):
        os.mkdir(small_store.file("directory-with-a-long-name-that-is-no-dump-%d" % n))
        with open(os.path.join(dump, "file-with-a-long-name-that-is-no-volume-%d" % n), "w"):
            pass
    sentence = "holds too much to be listed"
    within(12, "list", 5, sentence, REPLICA_FROM=small_store.url)
    name = os.path.basename(dump)
    ends = {"REPLICA_FROM": small_store.url, "REPLICA_TO": target.url(), "REPLICA_DUMP": name}
    within(14, "restore", 5, sentence, **ends)
    tool.succeed(tool.run("list", REPLICA_FROM=small_store.url, REPLICA_MEMORY="128MiB"))


# ---- files that variables name ----------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["REPLICA_TRANSFORM", "REPLICA_TABLES", "PGPASSWORD", "AWS_ACCESS_KEY_ID",
                                      "AWS_WEB_IDENTITY_TOKEN"])
def test_a_file_without_end(variable, small):
    variables = {"REPLICA_FROM": small.url(), "REPLICA_TO": "s3://bucket/x", variable + "_FILE": "/dev/zero",
                 "AWS_REGION": "x", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": 1,
                 "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}
    if "ACCESS_KEY" in variable:
        variables["AWS_SECRET_ACCESS_KEY"] = "x"
    within(64, "dump", phrase="/dev/zero", **variables)
