"""Promise: what PostgreSQL's own regression suite leaves behind comes back as its pg_dump and psql bring it back, or better.

The scripts are those of the release whose pg_dump is linked in (18, from the sources that the build has fetched), run in
their order at 13, 15 and 18 as far as each knows them; the suite's C functions (regress.so) are not there.  What
pg_dump itself can't read, or no server takes back, is dropped first."""

import collections
import os
import subprocess
import time

import pytest

import compare
import servers
import tool
from conftest import npm_server

SUITE = os.path.join(servers.ROOT, "build", "vendor", "static", "postgresql", "src", "test", "regress")

# They make roles, tablespaces and databases, which belong to the cluster, or wait for other sessions.
LEFT_OUT = (
    "tablespace create_role roleattributes rolenames largeobject psql_pipeline stats prepared_xacts database".split()
)

# Views that the server can't put into words, a cast and a rule that CREATE refuses though they are there.
UNDUMPABLE = """
DO $$
DECLARE
    view regclass;
BEGIN
    FOR view IN SELECT oid FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace::regnamespace::text !~ '^pg_|^info' LOOP
        BEGIN
            PERFORM pg_get_viewdef(view);
        EXCEPTION WHEN OTHERS THEN
            EXECUTE format('DROP %sVIEW IF EXISTS %s CASCADE',
                (SELECT CASE relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END FROM pg_class WHERE oid = view), view);
        END;
    END LOOP;
    IF to_regtype('casttesttype') IS NOT NULL THEN
        DROP CAST IF EXISTS (int4 AS casttesttype);
    END IF;
    IF to_regclass('rtest_t4') IS NOT NULL THEN
        DROP RULE IF EXISTS "_RETURN" ON rtest_t4;
    END IF;
END $$"""


@pytest.fixture(scope="module")
def regressed(room, crossing, request):
    """A server of its own: the scripts change roles and settings, and can crash it."""
    if not os.path.isdir(os.path.join(SUITE, "sql")):
        pytest.skip("the sources of PostgreSQL, which a build fetches, are not there")
    os.makedirs(os.path.join(room, "regression"), exist_ok=True)
    with npm_server(os.path.join(room, "regression"), request.param, crossing) as server:
        yield server


def scripts():
    with open(os.path.join(SUITE, "parallel_schedule")) as file:
        names = [name for line in file if line.startswith("test:") for name in line.split()[1:]]
    return [name for name in names if name not in LEFT_OUT]


def psql(server, database, **options):
    environment = {
        **{"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
        **{"PG_ABS_SRCDIR": SUITE, "PG_LIBDIR": "/nonexistent", "PG_DLSUFFIX": ".so", "PG_ABS_BUILDDIR": "/nonexistent"},
        **{"PGTZ": "America/Los_Angeles", "PGDATESTYLE": "Postgres, MDY"},
    }
    command = ["psql", "-X", "-q", "-h", server.socket, "-p", str(server.port), "-U", "postgres", "-d", database]
    return subprocess.run(command, capture_output=True, env=environment, timeout=120, **options)


def wait_for(server):
    """Until it has recovered from what a script has done to it."""
    deadline = time.monotonic() + 60
    while psql(server, "postgres", input=b"SELECT 1").returncode != 0:
        assert time.monotonic() < deadline, server.log[-2000:]
        time.sleep(0.2)


def run_suite(server, database):
    errors = 0
    for name in scripts():
        with open(os.path.join(SUITE, "sql", name + ".sql"), "rb") as file:
            errors += psql(server, database.name, stdin=file).stderr.count(b"ERROR:")
        wait_for(server)
    database.sql(UNDUMPABLE)
    return errors


def text(database):
    """pg_dump 18's text of any server."""
    done = subprocess.run(
        ["pg_dump", "-h", database.server.socket, "-p", str(database.server.port), "-U", "postgres", "-O", "-x"]
        + ["-d", "dbname='%s'" % database.name],
        executable=tool.binary, check=True, capture_output=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return done.stdout


def missing(source, target):
    """The lines of the source's text that the target's lacks."""
    lines = lambda database: collections.Counter(compare.normal(text(database).split(b"\n")))
    return lines(source) - lines(target)


@pytest.mark.long
@pytest.mark.parametrize("regressed", (13, 15, 18), indirect=True)
def test_a_regression_database_comes_back(regressed, store):
    server = regressed
    source, stock, target = (server.create(name) for name in ("regression", "by psql", "by replica"))
    errors = run_suite(server, source)
    refused = psql(server, stock.name, input=text(source)).stderr.decode().count("ERROR:")
    tool.succeed(tool.run("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url))
    result = tool.run("restore", timeout=600, REPLICA_FROM=store.url, REPLICA_TO=target.url())
    tool.succeed(result)
    tables = int(source.sql("SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384"))
    ours, theirs = missing(source, target), missing(source, stock)
    print("\nPostgreSQL %d: %d tables (%d errors in the scripts); psql refuses %d statements of pg_dump 18, and misses"
          " %d lines; a restore misses %d" % (server.version, tables, errors, refused, theirs.total(), ours.total()))
    assert tables > 400
    assert ours - theirs == collections.Counter()
