"""The data sets: each a database of its own, loaded once by the SQL in data/, and what must be found in it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

from settings import CPUS, HOME, INPUT, ROOT, SCALE, Failure, sha256_file

ROWS = {"wide": 5_000_000, "narrow": 10_000_000, "bytea": 20_000, "text": 20_000, "partitions": 2_000_000}
WIDE_ROW_BYTES = 325
DIGEST_TABLES_MAX = 5000  # more are counted, but not compared byte by byte


def part(path, wanted):
    lines, current = [], None
    with open(path) as file:
        for line in file:
            if line.startswith("-- part: "):
                current = line.split()[2]
            elif current == wanted:
                lines.append(line)
    return "".join(lines)


def fill(server, database, path, rows):
    """In as many sessions as there are CPUs, each its range of the rows."""
    bounds = [rows * number // len(CPUS) for number in range(len(CPUS) + 1)]
    sessions = []
    for before, last in zip(bounds, bounds[1:]):
        options = f"-c bench.lo={before + 1} -c bench.hi={last} -c synchronous_commit=off"
        session = subprocess.Popen(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"lo={before + 1}", "-v", f"hi={last}"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            env={**os.environ, **server.environment(database), "PGOPTIONS": options})
        session.stdin.write(part(path, "fill").encode())
        session.stdin.close()
        sessions.append(session)
    if any([session.wait() for session in sessions]):
        raise Failure(f"{database} could not be filled")


def copies(server, database):
    """The tables that hold rows, partitions rather than what they are of."""
    text = server.psql(database, """SELECT format('%I.%I', nspname, relname) FROM pg_class
        JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND nspname = 'public' ORDER BY 1""")
    return text.splitlines()


def digest_lines(lines):
    """Rows, bytes, and a sum of hashes that does not depend on the order of the rows."""
    rows = size = total = 0
    for line in lines:
        rows, size = rows + 1, size + len(line)
        total += int.from_bytes(hashlib.md5(line).digest(), "little")
    return {"rows": rows, "bytes": size, "sum": f"{total % (1 << 128):032x}"}


def digest_table(server, database, table):
    with subprocess.Popen(["psql", "-X", "-q", "-c", f"COPY {table} TO STDOUT"], stdout=subprocess.PIPE,
                          env={**os.environ, **server.environment(database)}) as process:
        found = digest_lines(process.stdout)
    if process.returncode != 0:
        raise Failure(f"COPY {table} failed")
    return found


def checksums(server, database):
    """Per table a sum over its rows that the server makes, and how many indexes and constraints there are."""
    found = {}
    for table in copies(server, database):
        found[table] = server.psql(database, f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} AS t")
    return found


def counts(server, database):
    """Rows of each table, and the indexes and constraints of the schema."""
    tables = copies(server, database)
    found = {}
    for first in range(0, len(tables), 200):
        union = " UNION ALL ".join(f"SELECT '{t}', count(*) FROM {t}" for t in tables[first:first + 200])
        found.update(line.split("|") for line in server.psql(database, union).splitlines())
    found["indexes"] = server.psql(database, "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'")
    found["constraints"] = server.psql(
        database, "SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'")
    return found


def load(server, database, name, rows):
    path = os.path.join(ROOT, "bench", "data", f"{name}.sql")
    shutil.rmtree(os.path.join(INPUT, database), ignore_errors=True)
    print(f"loading {database}: {rows} rows", file=sys.stderr, flush=True)
    server.create(database, "template0" if name != "sizes" else ensure(server, "wide", block=True)["database"])
    words = ["-v", f"rows={rows}"]
    server.psql(database, part(path, "before"), *words)
    fill(server, database, path, rows)
    server.psql(database, part(path, "after"), *words)
    server.psql(database, "VACUUM (FREEZE, ANALYZE)")  # no run shall pay for another one's hint bits
    server.psql("postgres", "CHECKPOINT")


def facts_of(server, database, name, rows):
    """One pass over everything: what every dump of it is compared with."""
    tables = copies(server, database)
    if len(tables) > DIGEST_TABLES_MAX or name == "sizes":
        copy = ";".join(f"COPY {table} TO STDOUT" for table in tables)
        with subprocess.Popen(["psql", "-X", "-q"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env={**os.environ, **server.environment(database)}) as process:
            process.stdin.write((copy + ";").encode())
            process.stdin.close()
            size = sum(len(block) for block in iter(lambda: process.stdout.read(1 << 20), b""))
        digests = {}
    else:
        digests = {table: digest_table(server, database, table) for table in tables}
        size = sum(digest["bytes"] for digest in digests.values())
    found = counts(server, database)
    return {"database": database, "set": name, "rows": rows, "tables": len(tables), "copy_bytes": size,
            "counts": found, "digests": digests,
            "disk_bytes": int(server.psql(database, f"SELECT pg_database_size('{database}')"))}


def ensure(server, name, rows=None, block=False):
    """The facts of a data set, which is loaded first when it isn't there.  block: the rows that sizes repeats, at most 250,000."""
    if rows is None:
        rows = min(250_000, max(1000, round(ROWS[name] * SCALE))) if block else ROWS[name]
    database = f"{name}_{rows}"
    key = {"sql": sha256_file(os.path.join(ROOT, "bench", "data", f"{name}.sql")), "server": server.key(), "format": 1}
    path = os.path.join(HOME, "data", f"{database}.json")
    if os.path.exists(path) and server.has(database):
        with open(path) as file:
            kept = json.load(file)
        if kept["key"] == key:
            return kept["facts"]
    load(server, database, name, rows)
    facts = facts_of(server, database, name, rows)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump({"key": key, "facts": facts}, file)
    return facts
