"""Promise: the main job, with the store on Ceph's gateway over TLS and PostgreSQL over verify-full with channel binding."""

import os
import subprocess
import sys
import tempfile

import pytest

import compare
import s3_tool
import sample
import servers
import tool

HOST = "db.example.com"
EVERYTHING = {"REPLICA_OWNERS": "yes", "REPLICA_PRIVILEGES": "yes"}
READER = os.path.join(servers.ROOT, "tests", "format_reader.py")


@pytest.fixture(scope="module")
def secured(room, s3_pki):
    """A server that lets nobody in without TLS."""
    certificate = s3_pki.issue(HOST, names=[HOST])
    with servers.started(os.path.join(room, "secured"), None) as server:
        server.allow("hostssl all all 127.0.0.1/32 scram-sha-256")
        server.present(certificate)
        yield server


@pytest.fixture(scope="module")
def secured_shop(secured):
    return sample.load(secured, "secured shop")


@pytest.fixture
def rgw_store(rgw, request):
    """A prefix of its own on Ceph, over TLS."""
    return s3_tool.S3Store(rgw.client(tls=True), "dumps", request.node.name)


def secure_url(database, s3_pki):
    """The strictest way that libpq knows."""
    return database.url(
        host=HOST,
        hostaddr="127.0.0.1",
        sslmode="verify-full",
        sslrootcert=s3_pki.cert,
        channel_binding="require",
    )


def check_format(store):
    """All of it by the second reader, which knows docs/format.md alone."""
    with tempfile.TemporaryDirectory() as folder:
        store.download(folder)
        done = subprocess.run(
            [sys.executable, READER, folder, "--check"], capture_output=True, timeout=120
        )
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def move(command, source, target, store, **variables):
    settings = {**store.settings, **variables}
    return tool.succeed(tool.run(command, REPLICA_FROM=source, REPLICA_TO=target, **settings))


def test_the_main_job(secured, secured_shop, rgw_store, databases, s3_pki):
    target = databases(secured)
    move("dump", secure_url(secured_shop, s3_pki), rgw_store.url, rgw_store, **EVERYTHING)
    assert rgw_store.index() == rgw_store.complete() and len(rgw_store.index()) == 1
    check_format(rgw_store)
    move("restore", rgw_store.url, secure_url(target, s3_pki), rgw_store, **EVERYTHING)
    compare.assert_same(secured_shop, target)
    assert sum(compare.counts(target).values()) >= 300000
    assert rgw_store.uploads() == [] and rgw_store.claims() == []


def test_masked(secured, secured_shop, rgw_store, databases, s3_pki):
    """Exactly the ruled column differs, and none of its values is found in what the store holds."""
    target = databases(secured)
    rules = "public.customers.email  email\npublic.customers.national_id  redacted"
    source = secure_url(secured_shop, s3_pki)
    settings = {"REPLICA_TRANSFORM": rules, "REPLICA_TABLES": "public.customers"}
    move("dump", source, rgw_store.url, rgw_store, **settings)
    move("restore", rgw_store.url, secure_url(target, s3_pki), rgw_store)
    kept = "SELECT id, first_name, last_name, created_at FROM public.customers"
    assert compare.rows(secured_shop, kept) == compare.rows(target, kept)
    originals = set(compare.rows(secured_shop, "SELECT email FROM public.customers"))
    assert len(originals) > 10000
    assert not originals & set(compare.rows(target, "SELECT email FROM public.customers"))
    for name in rgw_store.files():
        words = set(rgw_store.plain(name).decode(errors="replace").replace("\n", "\t").split("\t"))
        assert not originals & words, name


def test_in_parts(server, rgw_store, target):
    """Without compression: multipart uploads, whose completion this Ceph answers without an ETag."""
    source = sample.load_big(server, "heavy on rgw", 20)
    try:
        s3_tool.dump(source, rgw_store, REPLICA_COMPRESS="none")
        s3_tool.restore(rgw_store, target)
        compare.assert_same(source, target)
    finally:
        source.drop()
    sizes = [each["stored_bytes"] for _, each in rgw_store.objects()]
    assert max(sizes) > 2 * 8 * 1024 * 1024
    assert rgw_store.uploads() == []


def test_ten_dumps_at_once(server, rgw_store, databases):
    """This Ceph does look at If-Match, but never finds the ETag that it said itself; so none may be lost without."""
    source = databases(server)
    source.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 10) AS n")
    s3_tool.dumps_at_once(source, rgw_store, 10)
    assert len(rgw_store.complete()) == 10
    assert sorted(rgw_store.index()) == rgw_store.complete()
    assert rgw_store.uploads() == [] and rgw_store.claims() == []


@pytest.mark.long
def test_a_row_of_900_million_characters(server, databases, rgw_store):
    """Through 512 MiB of address space, in 8 MiB parts."""
    from test_memory import MEASURE, ROW, limited, long_row_database

    source = long_row_database(server)
    limits = {"timeout": 240, "wrapper": limited(), "REPLICA_COMPRESS": "zstd:1"}
    try:
        move("dump", source.url(), rgw_store.url, rgw_store, **limits)
        expected = source.sql(MEASURE)
    finally:
        source.drop()
    target = databases(server)
    del limits["REPLICA_COMPRESS"]
    move("restore", rgw_store.url, target.url(), rgw_store, **limits)
    assert target.sql(MEASURE) == expected and "2|%d|" % ROW in expected


def test_a_wrong_secret_is_refused(server, small, rgw_store):
    result = s3_tool.run_dump(small, rgw_store, AWS_SECRET_ACCESS_KEY="wrong")
    tool.refused(result, tool.STORE, "SignatureDoesNotMatch")
    assert rgw_store.files() == []
