"""What every live test shares: real servers, databases that vanish with the test, a store, the binary.

The listing of this directory is the list of promises; each test_<promise>.py keeps one.  The binary under
test is build/replica (or $REPLICA_BINARY), the static one that users get.  Servers are throw-away ones
made by tests/postgres.sh.  Campaigns that take minutes are marked `long` and run with --long only.
With --bridge the main job's tests run across the bridge: see bridge.py.
"""

import contextlib
import os
import shutil
import tempfile

import pytest

import bridge
import gateways
import keyring
import pki
import s3_tool
import sample
import servers
import strict_s3
import tool


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the long campaigns too")
    parser.addoption("--bridge", action="store_true", help="the main job with S3 and TLS at both ends")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; runs with --long only")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--bridge"):
        config.staying = sorted({bridge.stays(item) for item in items} - {None})
        behind = [item for item in items if bridge.stays(item)]
        config.hook.pytest_deselected(items=behind)
        items[:] = [item for item in items if item not in behind]
    if config.getoption("--long"):
        return
    slow = [item for item in items if "long" in item.keywords]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


def pytest_terminal_summary(terminalreporter, config):
    for reason in getattr(config, "staying", []):
        terminalreporter.write_line("does not cross the bridge: " + reason)


@pytest.fixture(scope="session", autouse=True)
def crossing(request):
    """Whether we are across the bridge."""
    if wanted := request.config.getoption("--bridge"):
        bridge.install(request.getfixturevalue("rgw"))
    return wanted


@pytest.fixture(autouse=True)
def swept(crossing):
    yield
    if crossing:
        bridge.sweep()


@pytest.fixture(scope="session")
def room():
    """A directory that other users may pass through; pytest's own are private to one user."""
    path = tempfile.mkdtemp(prefix="replica-live-")
    os.chmod(path, 0o755)
    tool.install_binary(path)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def server(room, crossing):
    """Debian's server.  TCP wants a password, statements are logged."""
    with servers.started(os.path.join(room, "debian"), None) as it:
        if crossing:
            bridge.secure(it, room)
        yield it


@contextlib.contextmanager
def npm_server(room, major, crossing):
    path, reason = servers.npm_binaries(major)
    if path is None:
        pytest.skip(reason)
    with servers.started(os.path.join(room, "npm%d" % major), path) as it:
        if crossing:
            bridge.secure(it, room)
        yield it


@pytest.fixture(scope="session")
def server13(room, crossing):
    with npm_server(room, 13, crossing) as it:
        yield it


@pytest.fixture(scope="session")
def server18(room, crossing):
    with npm_server(room, 18, crossing) as it:
        yield it


@pytest.fixture
def databases(request):
    """databases(server, ...) makes a database that is dropped when the test ends."""
    made = []

    def make(server, name=None, template="template0", **options):
        made.append(server.create(name, template, **options))
        return made[-1]

    yield make
    for database in made:
        database.drop()


@pytest.fixture
def target(server, databases):
    """An empty database on Debian's server."""
    return databases(server)


@pytest.fixture(scope="session")
def shop(server):
    """The whole shipped sample, for reading only."""
    return sample.load(server, "sample shop")


@pytest.fixture(scope="session")
def small(server):
    """A few tables with some thousand rows, keys, a sequence and a large object; for reading only."""
    return sample.load_small(server, "small")


@pytest.fixture(scope="session")
def big(server):
    """One table of 600 MB beside one of 60 MB, in two databases; for reading only."""
    return sample.load_big(server, "big", 600), sample.load_big(server, "tenth of big", 60)


@pytest.fixture
def store(room):
    path = tempfile.mkdtemp(prefix="store-", dir=room)
    yield tool.Store(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def small_store_original(room, small):
    path = tempfile.mkdtemp(prefix="store-", dir=room)
    made = tool.Store(path)
    tool.dump(small, made, REPLICA_VOLUME_SIZE="64KiB")
    return made


@pytest.fixture
def small_store(store, small_store_original):
    """A store with one good dump of `small` in many volumes, for the test to spoil."""
    shutil.copytree(small_store_original.path, store.path, dirs_exist_ok=True)
    return store


@pytest.fixture
def extension(server):
    """Puts an extension of our own, of one version, beside the server's."""
    folder = server.sql("SELECT setting || '/extension' FROM pg_config WHERE name = 'SHAREDIR'")
    if not os.access(folder, os.W_OK):
        pytest.skip("the server's extension directory is not writable")
    paths = []

    def make(name, sql):
        for suffix, text in [(".control", "default_version = '1.0'\nrelocatable = false\n"), ("--1.0.sql", sql)]:
            paths.append(os.path.join(folder, name + suffix))
            with open(paths[-1], "w") as file:
                file.write(text)

    yield make
    for path in paths:
        os.remove(path)


@pytest.fixture(scope="session")
def s3_pki(room):
    """The authority behind the TLS of every S3 server here; s3_pki.cert is what clients trust."""
    return pki.Authority(room, "s3 authority")


@pytest.fixture(scope="session")
def s3_certificate(s3_pki):
    """For an S3 server on loopback, and for its virtual hosts below s3.test."""
    return s3_pki.issue(names=["localhost", "s3.test", "*.s3.test"], addresses=["127.0.0.1"])


@pytest.fixture(scope="session")
def strict(s3_certificate):
    """The strict S3 server, in this process; a bucket of it is a world of its own."""
    with strict_s3.serving(s3_certificate.chain, s3_certificate.key) as server:
        yield server


@pytest.fixture(scope="session")
def s3_ring():
    """The access keys that S3 servers in this process believe."""
    return keyring.KeyRing()


@pytest.fixture
def s3_bucket(strict, s3_ring):
    """s3_bucket(profile, ...) makes a bucket on the strict server that is forgotten when the test ends."""
    made = []

    def make(profile="aws", **options):
        name = "bucket-%s" % os.urandom(6).hex()
        made.append(strict.bucket(name, profile, **{"ring": s3_ring, **options}))
        return made[-1]

    yield make
    for bucket in made:
        strict.drop(bucket)


@pytest.fixture(scope="session")
def rgw(room, s3_certificate, s3_pki):
    """Ceph's gateway, plain and over TLS, with a bucket called dumps."""
    if reason := gateways.rgw_missing():
        pytest.skip(reason)
    with gateways.rgw(os.path.join(room, "ceph"), s3_certificate, s3_pki.cert) as gateway:
        gateway.client().create_bucket("dumps")
        yield gateway


@pytest.fixture(scope="session")
def versity(room, s3_certificate, s3_pki):
    """versitygw over TLS, with a bucket called dumps."""
    binary, reason = gateways.versity_binary()
    if reason:
        pytest.skip(reason)
    folder = os.path.join(room, "versity")
    with gateways.versity(binary, folder, s3_certificate, s3_pki.cert) as gateway:
        gateway.client(tls=True).create_bucket("dumps")
        yield gateway


@pytest.fixture
def s3_store(strict, s3_ring, s3_pki, s3_bucket):
    """s3_store(profile, prefix, ...) makes a store on the strict server, over TLS, with .world as its bucket there."""

    def make(profile="aws", prefix="dumps", settings=None, tls=True, **options):
        world = s3_bucket(profile, **options)
        key = s3_ring.issue()
        endpoint = strict.tls_endpoint if tls else strict.endpoint
        client = s3_tool.Client(
            endpoint, key.access, key.secret, key.token, world.region, s3_pki.cert if tls else None
        )
        made = s3_tool.S3Store(client, world.name, prefix, settings)
        made.world = world
        return made

    return make
