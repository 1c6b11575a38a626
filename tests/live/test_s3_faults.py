"""Promise: whatever S3 does, at whatever moment, nothing is lost, doubled, or half there and taken for whole.

The operations of one good run are listed by the strict server; then the run is made again for every operation
and every fault that can strike it, and killed before and after each.  A fault that strikes once is lived through.
One that stays is a clear failure.  After both, each dump that has a manifest is whole to the byte, the index
names no other, the dump of an earlier day is untouched, and the next run leaves nothing unfinished behind.
"""

import collections
import concurrent.futures
import hashlib
import json
import os
import threading

import pytest

import keyring
import s3_tool
import tool

# By its jitter a client rests at most 50 ms, 100 ms, ... between attempts, so three are soon made.
SETTINGS = {"AWS_MAX_ATTEMPTS": "3", "REPLICA_COMPRESS": "none", "REPLICA_JOBS": "1"}
AT_ONCE = 3
WITH_BODY = {"PutObject", "UploadPart", "CompleteMultipartUpload", "DeleteObjects"}
WITH_XML = {
    "ListObjectsV2",
    "ListMultipartUploads",
    "CreateMultipartUpload",
    "CompleteMultipartUpload",
    "DeleteObjects",
}

UNDOING = {"AbortMultipartUpload", "DeleteObjects"}

# What a single stroke of it does not stop, and at which operations it can strike (None: at all).
PASSING = {
    "reset": None,
    "half-request": WITH_BODY,
    "stall": None,
    "early-answer": None,
    "500": None,
    "503": None,
    "slowdown": None,
    "request-timeout": WITH_BODY,
    "200-error": WITH_XML,
    "wrong-region": None,
    "skewed-clock": None,
    "expired-token": None,
    "lost-answer": None,
    "half-answer": None,
    "truncated-xml": WITH_XML,
    "no-etag": {"PutObject", "UploadPart"},
    "early-close": None,
    "garbage": None,
}
# A single stroke of these may be the end, too, as long as it is a clear one.
GRAVE = {"garbage"}
# What stays from its first stroke on, at this kind of operation.
STAYING = ["reset", "503", "denied", "lost-answer"]

Case = collections.namedtuple("Case", "seen kind times")

ROWS = "SELECT md5(string_agg(md5(t::text), '' ORDER BY id)) FROM heavy t"
LIGHT = "SELECT md5(string_agg(t::text, ',' ORDER BY id)), count(*) FROM light t"


@pytest.fixture(scope="module")
def source(server):
    """One table of two parts beside a small one with a key, a sequence and a large object."""
    database = server.create("matrix")
    database.sql("""
        CREATE TABLE heavy AS SELECT n AS id, repeat(md5(n::text), 30) AS a FROM generate_series(1, 9000) AS n;
        CREATE TABLE light (id serial PRIMARY KEY, body text);
        INSERT INTO light (body) SELECT md5(n::text) FROM generate_series(1, 300) AS n;
        SELECT lo_from_bytea(7000, 'large');
        ANALYZE""")
    yield database
    database.drop()


class Worlds:
    """Makes a bucket of its own for each case, on one server, with keys that can be renewed from files."""

    def __init__(self, strict, pki, room):
        self.strict, self.pki, self.room = strict, pki, room
        self.planted = {}
        self.lock = threading.Lock()
        self.made = 0

    def make(self):
        """A store; .world is its bucket.  Every other one is reached over TLS."""
        with self.lock:
            self.made += 1
            number = self.made
        ring = keyring.KeyRing()
        bucket = self.strict.bucket("world-%d" % number, "aws", ring=ring)
        bucket.objects.update(self.planted)
        folder = os.path.join(self.room, "keys-%d" % number)
        os.makedirs(folder)
        tls = number % 2 == 0
        key = ring.issue()
        client = s3_tool.Client(
            self.strict.tls_endpoint if tls else self.strict.endpoint,
            key.access,
            key.secret,
            key.token,
            bucket.region,
            self.pki.cert if tls else None,
        )
        store = s3_tool.S3Store(client, bucket.name, "dumps")
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        for name in names:
            store.settings.update({name: None, name + "_FILE": os.path.join(folder, name)})

        def write(key):
            for name, value in zip(names, (key.access, key.secret, key.token)):
                path = os.path.join(folder, name)
                with open(path + ".new", "w") as file:
                    file.write(value)
                os.rename(path + ".new", path)

        def rotate():
            fresh = ring.issue()
            write(fresh)
            ring.expire(key.access)

        write(key)
        bucket.faults.rotate = rotate
        store.world = bucket
        return store

    def forget(self, store):
        self.strict.drop(store.world)


@pytest.fixture(scope="module")
def worlds(strict, s3_pki, room, source):
    """The earlier day's dump lies in each."""
    made = Worlds(strict, s3_pki, room)
    store = made.make()
    tool.succeed(run("dump", source, store))
    made.planted = dict(store.world.objects)
    made.forget(store)
    return made


def run(command, database, store, **variables):
    source, target = database.url(), store.url
    if command == "restore":
        source, target, variables = store.url, database.url(), {"REPLICA_CLEAN": "yes", **variables}
        settings = {name: value for name, value in SETTINGS.items() if name != "REPLICA_COMPRESS"}
    else:
        settings = SETTINGS
    return tool.run(
        command,
        timeout=60,
        REPLICA_FROM=source,
        REPLICA_TO=target,
        **{**store.settings, **settings, **variables},
    )


# ---- what must hold -------------------------------------------------------------------------------


def dumps_of(world):
    names = world.names()
    return {name.split("/")[1] for name in names if name.endswith("/manifest.json")}


def index_of(world):
    index = json.loads(world.read("dumps/index.json"))
    return {dump["directory_name"] for dump in index["dumps"]}


def check_world(world, planted):
    """No half dump that looks whole, and nothing of the earlier day touched."""
    for key, made in planted.items():
        if key != "dumps/index.json":
            assert world.objects.get(key) is made, "%s was touched" % key
    dumps = dumps_of(world)
    for dump in dumps:
        manifest = json.loads(world.read("dumps/%s/manifest.json" % dump))
        assert {table["name"]: table["rows"] for table in manifest["tables"]} == {
            "heavy": 9000,
            "light": 300,
        }
        for each in s3_tool.objects_of(manifest):
            data = world.read("dumps/%s/%s" % (dump, each["name"]))
            assert len(data) == each["stored_bytes"], each["name"]
            assert hashlib.sha256(data).hexdigest() == each["sha256"], each["name"]
    names = [name for name in world.names() if name == "dumps/index.json"]
    assert len(names) == 1 and index_of(world) <= dumps
    # What the earlier day's index names is never forgotten.
    earlier = json.loads(planted["dumps/index.json"].data) if planted else {"dumps": []}
    assert {dump["directory_name"] for dump in earlier["dumps"]} <= index_of(world)
    assert world.violations == []


def check_clear_failure(result, world):
    """The exit code of a store that failed, and one sentence that says how."""
    assert result.code == tool.STORE, "exit %d: %s" % (result.code, result.err)
    errors = [line for line in result.err.splitlines() if " error " in line]
    assert len(errors) == 1 and world.name in errors[0], result.err


def claims_of(world):
    return {name for name in world.names() if "/claim-" in name}


def check_converged(worlds, store, before, claims=frozenset()):
    """Nothing unfinished is left, and the index names every dump that there is.  claims are those of the dead."""
    world = store.world
    check_world(world, worlds.planted)
    assert world.uploads == {}, "uploads are left: %s" % [
        each.key for each in world.uploads.values()
    ]
    assert claims_of(world) <= claims, "a claim is left"
    assert index_of(world) == dumps_of(world)
    assert len(dumps_of(world)) > before


def rerun(worlds, source, store):
    store.world.faults.clear()
    before, claims = len(dumps_of(store.world)), claims_of(store.world)
    tool.succeed(run("dump", source, store))
    check_converged(worlds, store, before, claims)


# ---- the matrix -----------------------------------------------------------------------------------


def operations(worlds, command, database):
    """What a good run asks of S3, each with its number among its kind."""
    store = worlds.make()
    store.world.seen.clear()
    tool.succeed(run(command, database, store))
    worlds.forget(store)
    return list(store.world.seen)


def cases_of(seen, long):
    """Every operation by every fault.  Without --long each operation meets every fourth fault, others at its neighbour."""
    passing = [
        Case(each, kind, 1)
        for at, each in enumerate(seen)
        for number, (kind, where) in enumerate(PASSING.items())
        if (where is None or each.operation in where) and (long or (at + number) % 4 == 0)
    ]
    staying = [
        Case(each, kind, None)
        for at, each in enumerate(seen)
        for number, kind in enumerate(STAYING)
        if long or (at + number) % 4 == 0
    ]
    return passing + staying


def all_of(cases, check, show, what):
    """Run every case, some at once; all that fail are told.  The number of cases is printed."""
    failures = []

    def one(case):
        try:
            check(case)
        except Exception as failure:  # all of them are wanted, not the first
            failures.append("%s: %s: %s" % (case, type(failure).__name__, failure))

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, cases))
    with show.disabled():
        print("\n%s: %d cases, %d failed" % (what, len(cases), len(failures)))
    assert not failures, "%d of %d:\n%s" % (len(failures), len(cases), "\n\n".join(failures[:20]))


def test_faults_of_a_dump(worlds, source, capsys, request):
    seen = operations(worlds, "dump", source)
    assert {each.operation for each in seen} >= WITH_BODY - {"DeleteObjects"}

    def check(case):
        store = worlds.make()
        try:
            fault = store.world.faults.add(
                case.kind, case.seen.operation, case.seen.nth, case.times
            )
            result = run("dump", source, store)
            assert fault.hits >= 1, "the fault did not strike"
            check_world(store.world, worlds.planted)
            if result.code == 0:
                assert len(dumps_of(store.world)) == 2
            else:
                assert case.times is None or case.kind in GRAVE, "one stroke: %s" % result.err
                check_clear_failure(result, store.world)
            if result.code == 0 and case.times == 1 and case.kind not in GRAVE:
                check_converged(worlds, store, 1)
            else:
                rerun(worlds, source, store)
        finally:
            worlds.forget(store)

    cases = cases_of(seen, request.config.getoption("--long"))
    all_of(cases, check, capsys, "faults of a dump, %d operations" % len(seen))


def test_faults_of_an_undo(worlds, source, capsys):
    """A dump that fails tidies up; its store fails at that, too."""

    def spoilt():
        """A store that takes no second part: the upload is aborted, and what was put is deleted."""
        store = worlds.make()
        store.world.faults.add("denied", "UploadPart", nth=2, times=None)
        return store

    store = spoilt()
    check_clear_failure(run("dump", source, store), store.world)
    seen = [each for each in store.world.seen if each.operation in UNDOING]
    assert {each.operation for each in seen} == UNDOING
    left = set(store.world.names()) - set(worlds.planted)
    assert left == set() and store.world.uploads == {}
    worlds.forget(store)

    def check(case):
        store = spoilt()
        try:
            fault = store.world.faults.add(
                case.kind, case.seen.operation, case.seen.nth, case.times
            )
            result = run("dump", source, store)
            assert fault.hits >= 1, "the fault did not strike"
            assert result.code == tool.STORE and "UploadPart" not in result.err, result.err
            check_world(store.world, worlds.planted)
            assert len(dumps_of(store.world)) == 1
            if case.times == 1 and case.kind not in GRAVE:
                assert set(store.world.names()) == set(worlds.planted), "something is left"
                assert store.world.uploads == {}
            rerun(worlds, source, store)
        finally:
            worlds.forget(store)

    cases = [case for case in cases_of(seen, True) if case.kind != "expired-token"]
    cases += [Case(each, "key-error", 1) for each in seen if each.operation == "DeleteObjects"]
    all_of(cases, check, capsys, "faults of an undo, %d operations" % len(seen))


def test_kills_of_a_dump(worlds, source, capsys, request):
    """kill -9 before an operation is done, and after it, before its answer is sent."""
    seen = operations(worlds, "dump", source)

    def check(case):
        store = worlds.make()
        try:
            killed(store, "dump", source, case)
            check_world(store.world, worlds.planted)
            rerun(worlds, source, store)
        finally:
            worlds.forget(store)

    cases = [Case(each, moment, 1) for each in seen for moment in ("before", "after")]
    if not request.config.getoption("--long"):
        cases = [case for at, case in enumerate(cases) if (at + at // 2) % 2 == 0]
    all_of(cases, check, capsys, "kills of a dump, %d operations" % len(seen))


def killed(store, command, database, case):
    """Run, and kill it at this operation."""
    ready, running = threading.Event(), []

    def kill(_):
        ready.wait()
        running[0].kill()
        running[0].wait()

    after = case.kind == "after"
    fault = store.world.faults.call(kill, case.seen.operation, case.seen.nth, after=after)
    settings = {**store.settings, **SETTINGS}
    urls = {"REPLICA_FROM": database.url(), "REPLICA_TO": store.url}
    if command == "restore":
        del settings["REPLICA_COMPRESS"]
        urls = {"REPLICA_FROM": store.url, "REPLICA_TO": database.url(), "REPLICA_CLEAN": "yes"}
    running.append(tool.start(command, **urls, **settings))
    ready.set()
    running[0].communicate(timeout=60)
    assert fault.hits == 1, "it was not killed there"


# ---- restores -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def targets(server):
    """A database for each case that runs at the same time."""
    made = [server.create("matrix target %d" % number) for number in range(AT_ONCE)]
    yield made
    for database in made:
        database.drop()


def check_restored(source, target):
    for query in (ROWS, LIGHT, "SELECT lo_get(7000)"):
        assert source.sql(query) == target.sql(query)


class Lent:
    """Each thread's own target."""

    def __init__(self, targets):
        self.free = list(targets)
        self.own = threading.local()
        self.lock = threading.Lock()

    def get(self):
        if not hasattr(self.own, "target"):
            with self.lock:
                self.own.target = self.free.pop()
        return self.own.target


def test_faults_of_a_restore(worlds, source, targets, capsys, request):
    seen = operations(worlds, "restore", targets[0])
    lent = Lent(targets)

    def check(case):
        store, target = worlds.make(), lent.get()
        try:
            fault = store.world.faults.add(
                case.kind, case.seen.operation, case.seen.nth, case.times
            )
            result = run("restore", target, store)
            assert fault.hits >= 1, "the fault did not strike"
            if result.code != 0:
                assert case.times is None or case.kind in GRAVE, "one stroke: %s" % result.err
                check_clear_failure(result, store.world)
                store.world.faults.clear()
                tool.succeed(run("restore", target, store))
            check_restored(source, target)
            check_world(store.world, worlds.planted)
        finally:
            worlds.forget(store)

    cases = cases_of(seen, request.config.getoption("--long"))
    all_of(cases, check, capsys, "faults of a restore, %d operations" % len(seen))


def test_kills_of_a_restore(worlds, source, targets, capsys):
    seen = operations(worlds, "restore", targets[0])
    lent = Lent(targets)

    def check(case):
        store, target = worlds.make(), lent.get()
        try:
            killed(store, "restore", target, case)
            tool.succeed(run("restore", target, store))
            check_restored(source, target)
        finally:
            worlds.forget(store)

    cases = [Case(each, "before", 1) for each in seen]
    all_of(cases, check, capsys, "kills of a restore, %d operations" % len(seen))
