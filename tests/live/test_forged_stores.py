"""Promise: a store that somebody else has written is restored as what it says, or refused; it runs no command here.

Whoever writes the bucket can run SQL as the role that restores (docs/operations.md): that is not what is tried.
What is tried: content that lies about rows and statements under digests that are right, and text that psql, the
server and we would read differently.  Each case goes the three ways of a dump: restore, export, and export into
psql; a command that is run would leave a file, the canary, behind.
"""

import collections
import concurrent.futures
import os
import shutil
import subprocess
import tempfile

import pytest

import forge
import tool

AT_ONCE = 4

SOURCE = r"""
CREATE TABLE t (id integer, note text);
INSERT INTO t SELECT n, 'note ' || n FROM generate_series(1, 100) AS n;
CREATE TABLE u (id integer, note text);
INSERT INTO u SELECT n, E'it''s \\ a \t note' FROM generate_series(1, 11) AS n;
CREATE SEQUENCE s;
SELECT setval('s', 17);
CREATE INDEX ON t (id);
COMMENT ON TABLE u IS E'a back\\slash';
SELECT lo_from_bytea(4711, 'large');
"""

REFUSED = {"restore": {6}, "export": {6}, "psql": {3}}
# What text alone does not show: the server's word ends a restore, and psql reads what was written, no more.
SERVER = {"restore": {4, 6}, "export": {0}, "psql": {0, 3}}
# Odd, and right.
WELL = {"restore": {0}, "export": {0}, "psql": {0}}

Case = collections.namedtuple("Case", "name forge ends environment")
CASES = []


def case(name, ends=REFUSED, **environment):
    def add(forge):
        CASES.append(Case(name, forge, ends, environment))
        return forge

    return add


def rows_case(name, change, table="t", ends=REFUSED):
    CASES.append(Case("rows: " + name, lambda f, canary: f.rows(table, lambda rows: change(rows, canary)), ends, {}))


def script_case(name, section, text, ends=REFUSED, at="end", **environment):
    """CANARY in the text becomes a command that makes the canary."""

    def forge(f, canary):
        words = text.replace("CANARY", "touch %s" % canary).encode("latin1")
        (f.append if at == "end" else f.prepend)(section, words)

    CASES.append(Case("%s: %s" % (section, name), forge, ends, environment))


def shell(canary):
    return b"\\! touch %s\n" % canary.encode()


# ---- rows that are missing, too many, or none --------------------------------------------------------------------

rows_case("none left", lambda rows, _: [])
rows_case("half of them", lambda rows, _: rows[:50])
rows_case("one missing", lambda rows, _: rows[:-1])
rows_case("one too many", lambda rows, _: rows + rows[:1])
rows_case("end mark amid", lambda rows, canary: rows[:50] + [b"\\.\n", shell(canary)] + rows[52:])
rows_case("end mark first", lambda rows, canary: [b"\\.\n", shell(canary)] + rows[2:])
rows_case("end mark behind a field", lambda rows, _: rows[:50] + [rows[50][:-1] + b"\\.\n"] + rows[51:])
rows_case("end mark with a carriage return", lambda rows, canary: rows[:50] + [b"\\.\r\n", shell(canary)] + rows[52:])
rows_case("end mark twice", lambda rows, canary: rows[:-2] + [b"\\.\n", shell(canary)])
rows_case("statements behind them", lambda rows, _: rows[:-2] + [b"\\.\n", b"DROP TABLE u;\n"])
rows_case("a command as a row", lambda rows, canary: rows[:50] + [shell(canary)] + rows[51:])
rows_case("a command in a row", lambda rows, canary: rows[:50] + [b"51\t" + shell(canary)] + rows[51:])
rows_case("a zero byte that hides the newline", lambda rows, _: rows[:98] + [b"99\tx\0y\n"] + rows[99:])
rows_case("a zero byte in the last row", lambda rows, _: rows[:99] + [b"100\t\0\n"])
rows_case("carriage returns", lambda rows, _: [row[:-1] + b"\r\n" for row in rows])
rows_case("one carriage return", lambda rows, _: rows[:50] + [b"51\ta\rb\n"] + rows[51:])
rows_case("two made one by a backslash", lambda rows, _: rows[:50] + [rows[50][:-1] + b"\\\n"] + rows[51:])
rows_case("the last one without its newline", lambda rows, _: rows[:-1] + [rows[-1][:-1]])
rows_case("a backslash before the end mark", lambda rows, _: rows[:-1] + [rows[-1][:-1] + b"\\"])
rows_case("octal escapes", lambda rows, _: rows[:50] + [b"51\t\\056\n"] + rows[51:])
rows_case("hexadecimal escapes", lambda rows, _: rows[:50] + [b"51\t\\x2e\n"] + rows[51:])


@case("volume: no end mark")
def _(f, canary):
    f.change(f.table("t")["volumes"][0]["name"], lambda data: data[:-3])


@case("volume: a command behind the end mark")
def _(f, canary):
    f.change(f.table("t")["volumes"][0]["name"], lambda data: data + shell(canary))


@case("volume: a command before the preamble")
def _(f, canary):
    f.change(f.table("t")["volumes"][0]["name"], lambda data: shell(canary) + data)


@case("volume: another table")
def _(f, canary):
    f.change(f.table("t")["volumes"][0]["name"], lambda data: data.replace(b'COPY "public"."t"', b'COPY "public"."u"'))


@case("volume: a filter on the rows")
def _(f, canary):
    f.change(f.table("t")["volumes"][0]["name"], lambda data: data.replace(b" FROM stdin;", b" FROM stdin WHERE false;"))


@case("volume: rows of another")
def _(f, canary):
    first, second = (f.table(name)["volumes"][0]["name"] for name in "tu")
    with open(f.path(second), "rb") as file:
        other = file.read()
    f.change(first, lambda data: other)


@case("volume: more plain bytes announced")
def _(f, canary):
    volume = f.table("t")["volumes"][0]
    volume["lie_bytes"] = os.path.getsize(f.path(volume["name"])) + 1


@case("volume: fewer rows announced")
def _(f, canary):
    f.table("t")["volumes"][0]["rows"] -= 1


# ---- statements that are undone, swallowed, or read by others as something else ----------------------------------

for section in ("pre_data", "data", "post_data"):
    script_case("a COPY from stdin last", section, "COPY public.t FROM stdin;\n")
    script_case("a command", section, "\\! CANARY\n")
    script_case("a BEGIN left open", section, "BEGIN;\n")
    script_case("a BEGIN at the top", section, "BEGIN;\n", at="top")

    @case("%s: fewer plain bytes announced" % section)
    def _(f, canary, section=section):
        f.manifest[section]["lie_bytes"] = os.path.getsize(f.path(f.manifest[section]["name"])) - 1


script_case("a copy from stdin at the top", "pre_data", "copy public.t from stdin;\n", at="top")
script_case("a COPY to stdout", "post_data", "COPY public.t TO stdout;\n")
script_case("a COPY from a program", "pre_data", "COPY public.t FROM PROGRAM 'CANARY';\n")
script_case("a COPY to a program", "post_data", "COPY public.t TO PROGRAM 'CANARY';\n")
script_case("a command behind a statement", "pre_data", "COMMENT ON SCHEMA public IS 'x'; \\! CANARY\n")
script_case("a command in a statement", "pre_data", "COMMENT ON SCHEMA public IS \\! CANARY\n'x';\n")
script_case("gexec", "pre_data", "SELECT 'x' \\gexec\n")
script_case("copy of psql", "post_data", "\\copy public.t from program 'CANARY'\n")
script_case("output of psql", "pre_data", "\\o |CANARY\n", at="top")
script_case("a variable of psql", "pre_data", "\\set x `CANARY`\n", at="top")
script_case("a condition of psql", "pre_data", "\\if false\n", at="top")
script_case("restrict", "pre_data", "\\restrict x \\! CANARY\nCOMMENT ON SCHEMA public IS 'x';\n", ends=WELL, at="top")
script_case("two statements in one", "pre_data", "COMMENT ON SCHEMA public IS 'x'\\; BEGIN;\n")
script_case("two statements and a COMMIT", "post_data", "COMMENT ON SCHEMA public IS 'x'\\; ROLLBACK;\n")
script_case("a COMMIT alone", "data", "COMMIT;\n")
script_case("begin in small letters", "data", "begin;\n")
script_case("a transaction that starts", "post_data", "START TRANSACTION;\n")
script_case("a transaction that is undone", "data", "BEGIN;\nROLLBACK;\n")
script_case("a transaction that is prepared", "data", "BEGIN;\nPREPARE TRANSACTION 'x';\n")
script_case("a savepoint", "data", "BEGIN;\nSAVEPOINT a;\nCOMMIT;\n")
script_case("another role", "pre_data", "SET ROLE postgres;\n", at="top")
script_case("session_replication_role", "post_data", "SET session_replication_role = replica;\n", at="top")
script_case("a block of code", "pre_data", "DO $$BEGIN EXECUTE 'set standard_conforming_strings = off'; END$$;\n")
script_case("a library", "pre_data", "LOAD 'auto_explain';\n")
script_case("a table dropped", "post_data", "DROP TABLE public.u;\n")
script_case("rows deleted", "post_data", "DELETE FROM public.u;\n")
script_case("a setting of the server", "pre_data", "ALTER SYSTEM SET standard_conforming_strings = off;\n")
script_case("a setting of the role", "pre_data", "ALTER ROLE postgres SET standard_conforming_strings = off;\n")
script_case("a zero byte", "pre_data", "COMMENT ON SCHEMA public IS 'x';\0\n")
script_case("a quote left open", "post_data", "COMMENT ON SCHEMA public IS 'x;\n")
script_case("a comment left open", "post_data", "/* \n")
script_case("a body left open", "post_data", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$ select 1; $$;\n")
script_case("half a statement", "post_data", "COMMENT ON SCHEMA public IS 'x'\n")

# All of it is one literal; where backslashes mean something, its end is a command.
ESCAPED = "COMMENT ON SCHEMA public IS '\\'' \\! CANARY\n';\n"
for name, setting in [
    ("of two in one line", "SET standard_conforming_strings = off; SET row_security = off;"),
    ("in small letters", "set standard_conforming_strings = off;"),
    ("with TO", "SET standard_conforming_strings TO off;"),
    ("with quotes", 'SET "standard_conforming_strings" = off;'),
    ("for the session", "SET SESSION standard_conforming_strings = off;"),
    ("by a function", "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);"),
    ("by a number", "SET standard_conforming_strings = 0;"),
    ("by RESET", "RESET standard_conforming_strings;"),
    ("by DISCARD", "DISCARD ALL;"),
]:
    script_case("backslashes set " + name, "pre_data", setting + "\n" + ESCAPED)

# In SJIS the first byte takes the quote behind it along; 'x' is the first that is a quote again.
SJIS = "COMMENT ON SCHEMA public IS '\x83'; COMMENT ON SCHEMA public IS ' \\! CANARY\n';\n"
for name, setting in [
    ("plainly", "SET client_encoding = 'SJIS';"),
    ("with TO", "SET client_encoding TO 'SJIS';"),
    ("by NAMES", "SET NAMES 'SJIS';"),
    ("by a function", "SELECT pg_catalog.set_config('client_encoding', 'SJIS', false);"),
    ("to one that a database can have", "SET client_encoding = 'LATIN1';"),
]:
    script_case("encoding set " + name, "pre_data", setting + "\n" + SJIS)


@case("manifest: an encoding of clients alone")
def _(f, canary):
    f.manifest["encoding"] = "SJIS"
    for section in ("pre_data", "data", "post_data"):
        f.change(f.manifest[section]["name"], lambda data: data.replace(b"'UTF8'", b"'SJIS'"))
    for table in f.manifest["tables"]:
        f.change(table["volumes"][0]["name"], lambda data: data.replace(b"'UTF8'", b"'SJIS'"))
    f.append("pre_data", SJIS.replace("CANARY", "touch %s" % canary).encode("latin1"))


@case("manifest: an encoding that is none")
def _(f, canary):
    f.manifest["encoding"] = "UTF-9"


@case("pre_data: no encoding set", PGCLIENTENCODING="SJIS")
def _(f, canary):
    f.change("pre-data.sql", lambda data: data.replace(b"SET client_encoding = 'UTF8';\n", b""))
    f.append("pre_data", SJIS.replace("CANARY", "touch %s" % canary).encode("latin1"))


@case("data: a piece that ends inside a transaction")
def _(f, canary):
    f.piece(b"BEGIN;\nSELECT pg_catalog.lo_create('4712');\n")


@case("data: a piece that begins inside none")
def _(f, canary):
    f.piece(b"SELECT pg_catalog.lo_create('4712');\nCOMMIT;\n")


@case("data: a transaction over two pieces", ends=WELL)
def _(f, canary):
    f.piece(b"BEGIN;\nSELECT pg_catalog.lo_create('4712');\n")
    f.piece(b"COMMIT;\n")


# ---- what the text does not show ---------------------------------------------------------------------------------


def hidden(setting, value):
    """A function that sets it, called where a statement may call one."""
    return (
        "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$ SELECT set_config('%s', '%s', false) $$;\n"
        "CREATE TABLE public.x AS SELECT public.f();\n" % (setting, value)
    )


script_case("a hidden setting of backslashes", "pre_data", hidden("standard_conforming_strings", "off") + ESCAPED, SERVER)
script_case("two hidden statements", "pre_data", hidden("standard_conforming_strings", "off")
            + "COMMENT ON SCHEMA public IS '\\'' ; BEGIN; --';\n", SERVER)  # fmt: skip
script_case("a hidden encoding", "pre_data", hidden("client_encoding", "SJIS") + SJIS, SERVER)
script_case("a hidden encoding of rows", "pre_data",
            "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$ SELECT set_config('client_encoding', 'SJIS',"
            " false) $$;\nALTER TABLE public.t ADD CHECK (public.f() IS NOT NULL);\n", SERVER)  # fmt: skip
script_case("variables of psql", "pre_data", "COMMENT ON SCHEMA public IS :'HOME';\n", SERVER)


@case("a COPY that psql can't begin, with rows that would be a command", ends=SERVER)
def _(f, canary):
    """The first apostrophe of the rows, read as SQL, would turn the inside of every quote behind it outside."""
    f.prepend("pre_data", b"ALTER TABLE public.gone RENAME TO x;\n")
    f.rows("u", lambda rows: [b"1\tit's\n"] + rows[1:])
    f.append("pre_data", b"COMMENT ON SCHEMA public IS '\\! touch %s\n';\n" % canary.encode())
    f.change("pre-data.sql", lambda data: data.replace(b"CREATE TABLE public.u", b"CREATE TABLE public.gone"))


script_case("a routine called begin", "pre_data",
            "CREATE FUNCTION public.begin() RETURNS integer\n    LANGUAGE sql\n    AS $$ SELECT 1 $$;\n"
            "CREATE FUNCTION public.after() RETURNS integer\n    LANGUAGE sql\n    AS $$ SELECT 2 $$;\n", WELL)  # fmt: skip
script_case("a slice of an array", "pre_data",
            "CREATE VIEW public.v AS\n SELECT (ARRAY[1, 2, 3])[id:id] AS slice\n   FROM public.u;\n", WELL)  # fmt: skip


# ---- the three ways ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def original(server, room):
    database = server.create("forged original")
    database.sql(SOURCE)
    path = tempfile.mkdtemp(prefix="store-", dir=room)
    store = tool.Store(path)
    tool.dump(database, store, REPLICA_COMPRESS="none")
    yield store
    database.drop()


def export_into_psql(store, database, environment, options=()):
    """Exit codes of both, psql called as anybody would."""
    server = database.server
    psql = subprocess.Popen(
        ["psql", "-X", "-q", "-o", "/dev/null", "-h", server.socket, "-p", str(server.port), "-U", "postgres"]
        + list(options) + ["-d", database.name],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={"PATH": os.environ["PATH"], **environment},
    )  # fmt: skip
    process = tool.start("export", stdout=psql.stdin, REPLICA_FROM=store.url)
    psql.stdin.close()
    said = psql.stderr.read() + process.stderr.read()
    process.stderr.close()
    psql.stderr.close()
    return process.wait(60), psql.wait(60), said.decode(errors="replace")


def complaints(each, store, server, databases, canary):
    """What went wrong with a case, in each of the ways."""
    found = []
    target = databases(server)
    result = tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url())
    if result.code not in each.ends["restore"]:
        found.append("restore ends with %d: %s" % (result.code, result.err))
    target.drop()
    code, psql, said = export_into_psql(store, target.server.create(target.name), each.environment)
    if code not in each.ends["export"]:
        found.append("export ends with %d: %s" % (code, said))
    if psql not in each.ends["psql"]:
        found.append("psql ends with %d: %s" % (psql, said))
    if os.path.exists(canary):
        os.remove(canary)
        found.append("a command was run: " + said)
    return found


def test_each_forgery_is_noticed(server, databases, original, room, capsys):
    def tried(each):
        path = tempfile.mkdtemp(prefix="store-", dir=room)
        canary = path + ".canary"
        shutil.copytree(original.path, path, dirs_exist_ok=True)
        store = tool.Store(path)
        forger = forge.Forger(store)
        each.forge(forger, canary)
        forger.mend()
        found = complaints(each, store, server, databases, canary)
        shutil.rmtree(path)
        return ["%s: %s" % (each.name, one) for one in found]

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        failures = [one for found in pool.map(tried, CASES) for one in found]
    with capsys.disabled():
        print("\nforged stores: %d cases, three ways each, %d failures" % (len(CASES), len(failures)))
    assert len(CASES) >= 40
    assert not failures, "%d failures:\n%s" % (len(failures), "\n\n".join(failures))
