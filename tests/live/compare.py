"""Are two databases the same?  Asked of pg_dump for everything, and of COPY for the rows."""

import difflib
import json
import os
import subprocess

import tool

DEBIAN_PG_DUMP = 15


def pg_dump(database, *arguments):
    """The lines of pg_dump's text.  For a server newer than Debian's, the pg_dump linked into replica reads it."""
    command = [
        "pg_dump",
        "-h",
        database.server.socket,
        "-p",
        str(database.server.port),
        "-U",
        "postgres",
        *arguments,
        "-d",
        "dbname='%s'" % database.name.replace("\\", "\\\\").replace("'", "\\'"),
    ]
    executable = tool.binary if database.server.version > DEBIAN_PG_DUMP else None
    done = subprocess.run(
        command, executable=executable, capture_output=True, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.split(b"\n")


def normal(lines):
    """Take away what may differ between the dumps of two equal databases: the \\restrict keys, and the
    order of the rows within a table, which SQL never promised and a parallel restore does not keep.
    """
    result, rows, inside = [], [], False
    for line in lines:
        if inside and line != b"\\.":
            rows.append(line)
            continue
        if inside:
            result += sorted(rows)
            rows, inside = [], False
        elif line.startswith((b"\\restrict ", b"\\unrestrict ")):
            continue
        elif line.startswith(b"COPY ") and line.endswith(b" FROM stdin;"):
            inside = True
        result.append(line)
    assert not inside
    return result


def first_differences(left, right):
    at = next(
        (i for i, pair in enumerate(zip(left, right)) if pair[0] != pair[1]),
        min(len(left), len(right)),
    )
    # difflib is slow on long texts, and the first difference is what helps.
    left, right = left[max(0, at - 3) : at + 60], right[max(0, at - 3) : at + 60]
    lines = difflib.diff_bytes(difflib.unified_diff, left, right, lineterm=b"", n=2)
    return "\n".join(line[:300].decode(errors="replace") for line in list(lines)[2:40])


def assert_same(source, target, *arguments):
    """pg_dump's text of both is the same, rows byte for byte."""
    left, right = normal(pg_dump(source, *arguments)), normal(pg_dump(target, *arguments))
    assert len(left) > 5
    if left != right:
        raise AssertionError("the databases differ:\n" + first_differences(left, right))


TABLES = """SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"""


def tables(database):
    """Tables with rows of their own, as SQL names them; JSON, because a name may hold a newline."""
    return json.loads(database.sql("SELECT coalesce(json_agg(name), '[]') FROM (%s) AS q" % TABLES))


def rows(database, query):
    """The sorted COPY lines of a query."""
    return sorted(
        database.server.psql(["-c", "COPY (%s) TO STDOUT" % query], database.name).split("\n")[:-1]
    )


def table_rows(database, table):
    return rows(database, "SELECT * FROM ONLY %s" % table)


def counts(database):
    """How many rows each table has."""
    names = tables(database)
    query = " UNION ALL ".join(
        "SELECT %d, count(*) FROM ONLY %s" % pair for pair in enumerate(names)
    )
    found = [line.split("|") for line in database.sql(query).split("\n")] if names else []
    return {names[int(at)]: int(count) for at, count in found}


def all_rows(database):
    """The sorted COPY lines of every table's own rows, by one psql."""
    names = tables(database)
    script = "".join(
        "\\echo \001\nCOPY (SELECT * FROM ONLY %s) TO STDOUT;\n" % name for name in names
    )
    parts = database.server.psql(["-f", "-"], database.name, text=script).split("\001\n")[1:]
    assert len(parts) == len(names)
    return {name: sorted(part.split("\n")[:-1]) for name, part in zip(names, parts)}


def assert_same_rows(source, target):
    """For servers of different versions, whose schema texts differ: the same tables, the same rows."""
    left, right = all_rows(source), all_rows(target)
    assert left.keys() == right.keys()
    for name in left:
        assert left[name] == right[name], name
