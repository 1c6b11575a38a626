"""Promise: no thread reads what another one writes, and no byte is touched that is not ours: replica itself, under
the sanitizers, does its main job with real servers at both ends, and fails at it.

The whole of tests/live runs so by hand: REPLICA_BINARY=$PWD/build/asan/replica make live."""

import os
import re
import subprocess

import pytest

import compare
import tool
from servers import ROOT

# Many tables, so that workers come and go; one that is cut into ranges and volumes; and what leads pg_dump through
# all of its sections while they work.
TABLES = """CREATE TABLE large (id integer PRIMARY KEY, email text, body text);
INSERT INTO large SELECT n, n || '@example.org', md5('a' || n) || md5('b' || n) FROM generate_series(1, 150000) AS n;
CREATE INDEX ON large (email);
CREATE SEQUENCE numbers START 42;
SELECT lo_from_bytea(n, decode(repeat(md5(n::text), 4000), 'hex')) FROM generate_series(1, 20) AS n;
DO $$ BEGIN FOR n IN 1..100 LOOP
    EXECUTE format('CREATE TABLE little_%s (id integer PRIMARY KEY, large integer REFERENCES large, name text)', n);
    EXECUTE format('INSERT INTO little_%s SELECT i, i, md5(i::text) FROM generate_series(1, 20) AS i', n);
END LOOP; END $$;"""

MANY = {"REPLICA_JOBS": 4, "REPLICA_VOLUME_SIZE": "64KiB", "REPLICA_LOG_LEVEL": "debug"}
RULES = {"REPLICA_TRANSFORM": "public.large.email email"}


@pytest.fixture(scope="module")
def source(server):
    made = server.create("sanitized")
    made.sql(TABLES)
    yield made
    made.drop()


def can_fix_addresses():
    """The thread sanitizer of older compilers can't live with the address layout of newer kernels."""
    return subprocess.run(["setarch", "--addr-no-randomize", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.fixture(scope="module", params=["tsan", "asan"])
def sanitized(request):
    """sanitized(command, code, variables) runs replica under the sanitizer; it must end with that code."""
    path = os.path.join(ROOT, "build", request.param, "replica")
    if not os.path.exists(path):
        pytest.skip("%s is not there; make test builds it" % os.path.relpath(path, ROOT))
    fixed = ["setarch", "--addr-no-randomize"] if request.param == "tsan" and can_fix_addresses() else []
    options = {name: os.environ[name] for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}

    def run(command, code=0, **variables):
        done = subprocess.run([*fixed, path, command], env=tool.environment(**options, **variables), check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300, cwd="/")
        said = done.stderr.decode(errors="replace")
        found = re.search(r"(WARNING: ThreadSanitizer|ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error).*", said, re.S)
        assert not found, found.group(0)[:4000]
        assert done.returncode == code, said[-4000:]

    return run


def test_dump_and_restore(sanitized, source, store, target):
    sanitized("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url, **MANY, **RULES)
    sanitized("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_JOBS=4)
    compare.assert_same(source, target, "--exclude-table-data=large")
    untouched = "SELECT id, body FROM large"
    assert compare.rows(source, untouched) == compare.rows(target, untouched)


def test_copy(sanitized, source, target):
    sanitized("copy", REPLICA_FROM=source.url(), REPLICA_TO=target.url(), REPLICA_JOBS=4)
    compare.assert_same(source, target)


def test_a_damaged_volume(sanitized, source, store, target):
    """The first failure stops workers wherever they are."""
    tool.dump(source, store, **MANY)
    path = next(path for table, path in store.volumes() if table["name"] == "large")
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(b"\0\0\0\0")
    sanitized("restore", tool.INTEGRITY, REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_JOBS=4)


def test_a_key_that_does_not_hold(sanitized, server, databases, store, target):
    """The first failure of a helper stops the other ones, and what waits."""
    broken = databases(server)
    broken.sql(TABLES)
    broken.sql("ALTER TABLE little_50 DISABLE TRIGGER ALL; INSERT INTO little_50 VALUES (1000, -1, 'orphan')")
    tool.dump(broken, store, **MANY)
    sanitized("restore", tool.TARGET, REPLICA_FROM=store.url, REPLICA_TO=target.url(), REPLICA_JOBS=4)
