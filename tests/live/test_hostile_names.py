"""Promise: a name is a name: whatever stands in it, it comes back, and it says nothing in our place.

Names of tables, columns, roles and databases, words of servers and of manifests come from outside.  Each
run here is made to show them, and every line that it says must be one that replica itself began: nothing
that ends a line or commands a terminal gets through, in text, in JSON, in tables, or in what Kubernetes reads.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import threading

import pytest

import compare
import tool
from servers import Database

FORGED = "2026-11-21T09:26:00.123Z info    restore done: all 7 tables"
UTF8 = {
    "newline": "a\n" + FORGED[:55],
    "return": "b\r" + FORGED[:55],
    "escape": "c\x1b[2J\x1b]0;owned\x07",
    "c1": "d\u009b2J\u0090\u009c",
    "delete": "e\x7f\x08\x08\x08f",
    "quotes": "f\"' or ''=\"",
    "backslash": "g\\n\\. \\! id",
    "dollars": "h$$; DROP TABLE x; $$",
    "percent": "i%s%n%1$s%%",
    "bytes": "ü" * 31,
    "dash": "--j; DROP TABLE x",
    "path": "../../etc/passwd",
    "bidi": "l\u202egnp.exe\u2066",
    "separator": "m\u2028" + FORGED[:50],
    "tab": "n\t\\N",
    "pattern": "o*.?,;#",
}

WILD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info|debug) ")
CASES = []  # what was said and looked at


@pytest.fixture(scope="module", autouse=True)
def counted():
    yield
    print("\n%d cases" % len(CASES), "of hostile names:", len(UTF8), "names")


def quoted(name):
    return '"%s"' % name.replace('"', '""')


def literal(text):
    return "'%s'" % text.replace("'", "''")


def objects(name, mark):
    """One of each kind, all called so, in a schema that is called so, too."""
    q, l = quoted(name), literal(name)
    return f"""SET check_function_bodies = off; CREATE SCHEMA {q}; SET search_path = {q};
        CREATE TYPE {q} AS ENUM ({l}, 'other');
        CREATE DOMAIN {quoted(mark)} AS text CONSTRAINT {q} CHECK (value <> {l} || 'x');
        CREATE SEQUENCE {quoted('s' + mark)};
        CREATE TABLE {quoted('t' + mark)} ({q} text DEFAULT {l}, e {q}, n int PRIMARY KEY);
        INSERT INTO {quoted('t' + mark)} VALUES ({l}, {l}, 1), (NULL, 'other', 2);
        CREATE FUNCTION {q}({q} int) RETURNS text LANGUAGE sql AS {l};
        CREATE OPERATOR {q}.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4eq);
        CREATE TABLE {quoted('parent' + mark)} ({q} int, CONSTRAINT {q} CHECK ({q} > 0)) PARTITION BY RANGE ({q});
        CREATE FUNCTION {quoted('trigger' + mark)}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER {q} AFTER INSERT ON {quoted('t' + mark)} EXECUTE FUNCTION {quoted('trigger' + mark)}();
        CREATE RULE {q} AS ON DELETE TO {quoted('t' + mark)} DO INSTEAD NOTHING;
        CREATE POLICY {q} ON {quoted('t' + mark)} USING (true);
        CREATE STATISTICS {q} ON n, e FROM {quoted('t' + mark)};
        COMMENT ON SCHEMA {q} IS {l};
        CREATE COLLATION {q} FROM "C";"""


def relations(name):
    """What shares one space of names in a schema gets schemas of its own."""
    q, l = quoted(name), literal(name)
    kinds = {
        "table": f"CREATE TABLE {q} ({q} text); INSERT INTO {q} VALUES ({l})",
        "view": f"CREATE VIEW {q} AS SELECT {l}::text AS {q}",
        "matview": f"CREATE MATERIALIZED VIEW {q} AS SELECT {l}::text AS {q}",
        "sequence": f"CREATE SEQUENCE {q}; SELECT setval({literal(q)}, 7)",
        "index": f"CREATE TABLE x ({q} int); CREATE INDEX {q} ON x ({q})",
        "key": f"CREATE TABLE x ({q} int CONSTRAINT {q} PRIMARY KEY)",
        "composite": f"CREATE TYPE {q} AS ({q} text)",
        "partition": f"CREATE TABLE x (i int) PARTITION BY LIST (i); CREATE TABLE {q} PARTITION OF x DEFAULT; INSERT INTO x VALUES (1)",
    }
    for kind, sql in kinds.items():
        yield kind, sql


KINDS = len(list(relations("x"))) + 13


@pytest.fixture(scope="module")
def hostile(server):
    """A database of hostile names alone, each owned by a role of the same name."""
    database = server.create("hostile names")
    roles = ["role " + name for name in UTF8.values()]
    for mark, name in UTF8.items():
        script = objects(name, mark)
        for kind, sql in relations(name):
            schema = quoted("%s %s" % (kind, mark))
            script += f"CREATE SCHEMA {schema}; SET search_path = {schema}; {sql};"
        role = quoted("role " + name)
        script += f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role};"
        script += f"ALTER TABLE {quoted('table ' + mark)}.{quoted(name)} OWNER TO {role};"
        database.sql(script)
    yield database
    database.drop()
    for role in roles:
        server.sql("DROP ROLE IF EXISTS %s" % quoted(role))


def begun_by_us(result):
    """Every line of the log and of the tables is ours, and no byte of it commands."""
    for line in result.err.split("\n")[:-1]:
        assert LINE.match(line), "not a line of ours: %r" % line
    for text in (result.err, result.out):
        found = WILD.search(text)
        assert not found, "%r in %r" % (found.group(), text[max(0, found.start() - 80) :][:160])
    CASES.append(result)
    return result


def in_json(result):
    for line in result.err.split("\n")[:-1]:
        assert set(json.loads(line)) == {"time", "level", "message"}, line
    for text in (result.err, result.out):
        assert not WILD.search(text), repr(WILD.search(text))
    if result.out:
        json.loads(result.out)
    CASES.append(result)
    return result


def run(command, form, code=0, **variables):
    result = tool.run(
        command, REPLICA_LOG_LEVEL="debug", REPLICA_PROGRESS="yes", REPLICA_LOG_FORMAT=form, **variables
    )
    assert result.code == code, "exit %d: %s" % (result.code, result.err)
    return (in_json if form == "json" else begun_by_us)(result)


@pytest.mark.parametrize("form", ["text", "json"])
def test_all_commands_say_only_what_is_ours(hostile, store, server, databases, form):
    ends = {"REPLICA_FROM": hostile.url(), "REPLICA_TO": store.url, "REPLICA_OWNERS": "yes"}
    run("check", form, **ends)
    run("dump", form, **ends)
    run("list", form, REPLICA_FROM=store.url)
    shown = run("show", form, REPLICA_FROM=store.url)
    assert "2026-11-21" in shown.out
    target = databases(server)
    back = {"REPLICA_FROM": store.url, "REPLICA_TO": target.url(), "REPLICA_OWNERS": "yes"}
    run("check", form, **back)
    run("restore", form, **back)
    compare.assert_same(hostile, target)
    run("restore", form, code=4, **back)  # it is not empty: the sentence names what is there
    run("restore", form, REPLICA_CLEAN="yes", **back)
    compare.assert_same(hostile, target)
    copied = databases(server)
    ends["REPLICA_TO"] = copied.url()
    run("check", form, **ends)
    run("copy", form, **ends)
    compare.assert_same(hostile, copied)


def test_an_export_is_what_psql_reads(hostile, store, databases, server):
    tool.dump(hostile, store)
    result = tool.run("export", REPLICA_FROM=store.url, REPLICA_TO="stdout:", REPLICA_OWNERS="yes")
    tool.succeed(result)
    target = databases(server)
    server.psql(["-f", "-"], target.name, text=result.out)
    compare.assert_same(hostile, target)
    CASES.append(result)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_is_left_out_is_told_in_one_line(hostile, store, form):
    """Views over tables that are left out, by name: all of them stand in the log."""
    views, skipped = [], []
    for mark, name in UTF8.items():
        schema = quoted("table " + mark)
        views.append("%s.%s" % (schema, quoted("v of " + name)))
        skipped.append(schema + "." + "?" * len(name))
        hostile.sql("CREATE VIEW %s AS SELECT * FROM %s.%s" % (views[-1], schema, quoted(name)))
    try:
        ends = {"REPLICA_FROM": hostile.url(), "REPLICA_TO": store.url}
        result = run("dump", form, REPLICA_SKIP_TABLES="\n".join(skipped), **ends)
        assert result.err.count("leaving out") >= len(UTF8)
    finally:
        hostile.sql("DROP VIEW %s" % ", ".join(views))


@pytest.mark.parametrize("mark", UTF8)
def test_a_database_and_its_sentence(server, databases, store, mark):
    """The database's own name: in check, list and show, and in the error of one that is not there."""
    name = UTF8[mark]
    database = databases(server, name)
    database.sql("CREATE TABLE t (a int)")
    ends = {"REPLICA_FROM": database.url(), "REPLICA_TO": store.url}
    for command in ("check", "dump"):
        run(command, "text", **ends)
    for form in ("text", "json"):
        run("list", form, REPLICA_FROM=store.url)
        run("show", form, REPLICA_FROM=store.url)
    assert json.loads(store.read("index.json"))["dumps"][0]["database"] == name
    missing = database.url().replace(database.url().rsplit("/", 1)[1], "no" + database.url().rsplit("/", 1)[1])
    for form in ("text", "json"):
        run("dump", form, code=3, REPLICA_FROM=missing, REPLICA_TO=store.url)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("name", [b"caf\xe9\n2026", b"\x9b2J\xff", b"\xed\xa0\x80\xc2", b"ok \xc2\x9b"])
def test_names_that_are_no_utf_8(server, databases, store, name, form):
    """SQL_ASCII takes any bytes; the log, JSON and tables must stay UTF-8."""
    options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
    text = name.decode("utf-8", "surrogateescape")
    plain = "ascii %s %s" % (form, os.urandom(4).hex())
    server.sql('CREATE DATABASE "%s" TEMPLATE template0 %s' % (plain, options))
    try:
        source = Database(server, plain)
        source.sql("CREATE TABLE %s (%s int); CREATE VIEW v AS SELECT * FROM %s" % ((quoted(text),) * 3))
        ends = {"REPLICA_FROM": source.url(), "REPLICA_TO": store.url}
        for command in (["check"], ["dump"]):
            raw = run_raw(command[0], REPLICA_LOG_FORMAT=form, REPLICA_LOG_LEVEL="debug", **ends)
            raw.decode("utf-8")  # or it raises
        shown = run_raw("show", REPLICA_FROM=store.url, REPLICA_LOG_FORMAT=form)
        assert not WILD.search(shown.decode("utf-8"))
        CASES.append(shown)
    finally:
        server.sql('DROP DATABASE IF EXISTS "%s" WITH (FORCE)' % plain)


def run_raw(command, **variables):
    process = tool.start(command, stderr=subprocess.STDOUT, **variables)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    return out


# ---- servers that lie -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def lying(port, true, lie):
    """A server whose words are replaced on the way, byte for byte as many."""
    assert len(true) == len(lie)
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, target, change):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data.replace(true, lie) if change else data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=pump, args=(client, server, False), daemon=True).start()
                threading.Thread(target=pump, args=(server, client, True), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("lie", ["\n" + FORGED, "\x1b[2J", "\xc2\x9b2J", "\r\n"])
def test_a_server_s_version(server, databases, store, lie, form):
    """It stands in check, in the manifest and in show; and pg_dump writes it into a comment, so what a newline in it
    begins there would be SQL: no dump comes of that."""
    source = databases(server)
    source.sql("CREATE TABLE t (a int)")
    version = server.sql("SHOW server_version").encode()
    raw = lie.encode("latin-1")[: len(version) - 4]
    number = version[:2]
    with lying(server.port, version + b"\0", (number + b".1" + raw).ljust(len(version), b"x") + b"\0") as port:
        ends = {"REPLICA_FROM": source.url(port=port, sslmode="disable"), "REPLICA_TO": store.url}
        ends_line = "\n" in lie
        run("check", form, tool.SOURCE if ends_line else 0, **ends)
        run("dump", form, tool.SOURCE if ends_line else 0, **ends)
        if not ends_line:
            run("show", form, REPLICA_FROM=store.url)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_server_s_complaint(server, databases, store, form):
    """What an error says, several lines of it, is one line of ours."""
    source = databases(server)
    source.sql("CREATE TABLE t (a int)")
    true = b'database "no" does not exist'
    lie = b"x\n2026-11-21T\x1b[2J\xc2\x9bdone"
    with lying(server.port, true, lie.ljust(len(true), b"x")) as port:
        url = source.url(port=port, sslmode="disable").replace(source.url().rsplit("/", 1)[1].split("?")[0], "no")
        run("dump", form, code=3, REPLICA_FROM=url, REPLICA_TO=store.url)


# ---- stores that lie --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("mark", UTF8)
def test_a_manifest_of_somebody_else(small_store, mark, form):
    """Every text of a manifest, raw where JSON lets it be raw."""
    name = UTF8[mark]
    path = os.path.join(small_store.dump_path(), "manifest.json")
    with open(path) as file:
        manifest = json.load(file)
    for member in ("server_version", "database", "lsn", "snapshot", "replica_version"):
        manifest[member] = name
    table = manifest["tables"][0]
    table["schema"] = table["name"] = table["columns"][0]["type"] = table["columns"][0]["rule"] = name
    with open(path, "w") as file:
        json.dump(manifest, file, ensure_ascii=False)
    run("show", form, REPLICA_FROM=small_store.url)
    run("list", form, REPLICA_FROM=small_store.url)
    table["rows"] += 1
    manifest["encoding"] = "UTF8"
    with open(path, "w") as file:
        json.dump(manifest, file, ensure_ascii=False)
    run("show", form, code=6, REPLICA_FROM=small_store.url)
    run("list", form, REPLICA_FROM=small_store.url)


# ---- settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("mark", UTF8)
def test_the_value_of_a_variable(mark, form):
    """A mistake repeats what was written."""
    for variable in ("REPLICA_CLEAN", "REPLICA_FROM", "REPLICA_JOBS", "REPLICA_TABLES_FILE"):
        settings = {"REPLICA_FROM": "file:///x", "REPLICA_TO": "stdout:", variable: UTF8[mark]}
        run("export", form, code=2, **settings)
    result = tool.run("env", REPLICA_TRANSFORM=UTF8[mark], REPLICA_TABLES=UTF8[mark])
    assert not WILD.search(result.out), result.out
    result = tool.run([UTF8[mark].replace("\x00", "")], REPLICA_LOG_FORMAT=form)
    assert result.code == 2
    (in_json if form == "json" else begun_by_us)(result)


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes files below /dev")
def test_what_kubernetes_reads(server):
    """/dev/termination-log holds the sentence, and nothing that commands a terminal or begins a line."""
    made = not os.path.exists("/dev/termination-log")
    if not made:
        pytest.skip("/dev/termination-log is somebody else's here")
    with open("/dev/termination-log", "w"):
        pass
    try:
        for name in UTF8.values():
            tool.run("dump", REPLICA_FROM="postgres://x@127.0.0.1:1/x", REPLICA_TO="file:///x", REPLICA_CLEAN=name)
            with open("/dev/termination-log", encoding="utf-8") as file:
                text = file.read()
            assert text and not WILD.search(text) and "\n" not in text, repr(text)
            CASES.append(text)
    finally:
        os.remove("/dev/termination-log")
