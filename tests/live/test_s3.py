"""Promise: any S3 store is a store: dumps go there in parts, come back as they were, and no writer harms another."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

import compare
import s3_tool
import sample
import strict_s3_faults
import strict_s3_store
import tool
from strict_s3_signature import Refused

MIB = 1024 * 1024
# Without compression the table of 20 MB fills several parts.
IN_PARTS = {"REPLICA_COMPRESS": "none", "REPLICA_JOBS": "1"}
PROFILES = list(strict_s3_store.PROFILES)


@pytest.fixture(scope="module")
def heavy(server):
    """One table of 20 MB; for reading only."""
    database = sample.load_big(server, "heavy", 20)
    yield database
    database.drop()


def digest(database):
    return database.sql(
        "SELECT count(*), md5(string_agg(md5(t::text), '' ORDER BY id)) FROM heavy t"
    )


def assert_clean(store):
    """The server saw nothing that a provider would frown upon, and nothing is left behind."""
    assert store.world.violations == [] and store.world.uploads == {} and store.claims() == []


# ---- providers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_a_dump_in_parts(heavy, s3_store, target, profile):
    store = s3_store(profile)
    s3_tool.dump(heavy, store, **IN_PARTS)
    parts = [seen for seen in store.world.seen if seen.operation == "UploadPart"]
    assert len(parts) >= 3 and len({seen.key for seen in parts}) == 1
    assert_clean(store)
    # Refused is what is found out by asking: whether there is an index, and whether conditions hold.
    told = {(operation, code) for operation, _, code in store.world.refusals()}
    assert told <= {
        ("GetObject", "NoSuchKey"),
        ("PutObject", "NoSuchKey"),
        ("PutObject", "PreconditionFailed"),
        ("PutObject", "NotImplemented"),
    }
    assert store.index() == store.complete() and len(store.index()) == 1
    s3_tool.restore(store, target)
    assert digest(heavy) == digest(target)


def test_parts_are_equal_and_of_five_mebibytes(heavy, s3_store):
    store = s3_store("r2")
    sizes = []
    put_together = store.world.put_together
    store.world.put_together = lambda upload, listed: (
        sizes.append([len(part.data) for _, part in sorted(upload.parts.items())])
        or put_together(upload, listed)
    )
    s3_tool.dump(heavy, store, **IN_PARTS)
    [parts] = sizes
    assert set(parts[:-1]) == {5 * MIB} and 0 < parts[-1] <= 5 * MIB


def test_lists_that_come_in_pages(small, s3_store, target):
    """Three dumps, and pages of two entries: each list of the run takes many requests."""
    store = s3_store(page_max=2)
    for _ in range(3):
        s3_tool.dump(small, store)
    assert len(store.index()) == 3 and store.index() == store.complete()
    assert [dump["name"] for dump in s3_tool.listed(store)["dumps"]] in (
        store.complete(),
        store.complete()[::-1],
    )
    s3_tool.restore(store, target)
    compare.assert_same(small, target)


@pytest.mark.parametrize("tls", [False, True])
def test_plain_and_tls(small, s3_store, tls):
    store = s3_store(tls=tls)
    s3_tool.dump(small, store)
    assert_clean(store)


@pytest.mark.parametrize("prefix", ["", "a/b/c", "spaces and ü+%/x"])
def test_prefixes(small, s3_store, target, prefix):
    store = s3_store(prefix=prefix)
    store.url = store.url.replace("%", "%25").replace(" ", "%20")
    s3_tool.dump(small, store)
    assert store.index() == store.complete() and len(store.index()) == 1
    assert all(key.startswith(prefix) for key in store.world.names())
    s3_tool.restore(store, target)
    compare.assert_same(small, target)


def test_a_neighbour_in_the_bucket_is_left_alone(small, s3_store):
    store = s3_store(prefix="dumps")
    strangers = [
        "dumps-old/index.json",
        "dumpster",
        "other/dump-1/manifest.json",
        "dumps/notes.txt",
    ]
    for key in strangers:
        store.world.put_object(key, b"not ours")
    store.world.begin_upload("dumps-old/dump-1/1.sql", age_seconds=10**6)
    s3_tool.dump(small, store)
    assert all(store.world.read(key) == b"not ours" for key in strangers)
    assert [upload.key for upload in store.world.uploads.values()] == ["dumps-old/dump-1/1.sql"]


def test_content_md5_where_the_bucket_wants_it(heavy, s3_store, target):
    """As a bucket with Object Lock does."""
    store = s3_store(needs_md5=True)
    s3_tool.dump(heavy, store, **IN_PARTS)
    s3_tool.restore(store, target)
    assert digest(heavy) == digest(target)


def test_checksums_when_they_are_asked_for(heavy, s3_store, target):
    store = s3_store(settings={"AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported"})
    s3_tool.dump(heavy, store, **IN_PARTS)
    made = [each for each in store.world.objects.values() if len(each.data) > 8 * MIB]
    assert [each.headers["x-amz-checksum-algorithm"] for each in made] == ["CRC32C"]
    s3_tool.restore(store, target)
    assert digest(heavy) == digest(target)


def test_encryption_and_storage_class(heavy, s3_store, target):
    settings = {
        "REPLICA_S3_SSE": "aws:kms",
        "REPLICA_S3_KMS_KEY": "alias/backups",
        "REPLICA_S3_STORAGE_CLASS": "STANDARD_IA",
    }
    store = s3_store(settings=settings)
    s3_tool.dump(heavy, store, **IN_PARTS)
    for key in store.world.names():
        headers = store.world.objects[key].headers
        assert headers["x-amz-server-side-encryption"] == "aws:kms", key
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/backups", key
        assert headers["x-amz-storage-class"] == "STANDARD_IA", key
    s3_tool.restore(store, target)
    assert digest(heavy) == digest(target)


# ---- addresses and regions ------------------------------------------------------------------------


@pytest.mark.parametrize("told", ["301", "307", "400"])
def test_a_bucket_in_another_region(small, s3_store, target, told):
    """The store says where it is; it is believed once, and asked there from then on."""
    store = s3_store(region="ap-southeast-2", wrong_region=told)
    settings = {"AWS_REGION": "eu-west-3"}
    s3_tool.dump(small, store, **settings)
    codes = [code for _, _, code in store.world.refusals()]
    wrong = {
        "301": "PermanentRedirect",
        "307": "TemporaryRedirect",
        "400": "AuthorizationHeaderMalformed",
    }
    assert 1 <= codes.count(wrong[told]) <= 4
    s3_tool.restore(store, target, **settings)
    compare.assert_same(small, target)


def test_a_redirect_to_a_stranger_is_not_followed(small, s3_store):
    """Who follows it hands its keys' signatures, and the dump, to whoever answers."""
    store = s3_store(tls=False)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(0)
        location = "http://127.0.0.1:%d/" % stranger.getsockname()[1]

        def redirect(moment):
            raise Refused(
                307, "TemporaryRedirect", "Elsewhere.", {"Location": location}, Endpoint=location
            )

        store.world.faults.put(strict_s3_faults.BEFORE, redirect, "PutObject", 1, None, None)
        tool.refused(s3_tool.run_dump(small, store), tool.STORE, "307")
        with pytest.raises(BlockingIOError):
            stranger.accept()
    assert store.world.objects == {}


def test_no_region_at_all(small, s3_store):
    store = s3_store(settings={"AWS_REGION": None}, region="ap-southeast-2")
    s3_tool.dump(small, store)
    assert_clean(store)


def with_hosts(room, *names):
    """A wrapper under which these names lead to loopback; (None, reason) where that can't be."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        return None, "names for virtual hosts need root and unshare"
    path = os.path.join(room, "hosts")
    with open(path, "w") as file:
        file.write("127.0.0.1 localhost %s\n" % " ".join(names))
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    wrapper = [shutil.which("unshare"), "-m", "/bin/sh", "-c", script, path]
    tried = subprocess.run(wrapper + ["/bin/true"], capture_output=True)
    if tried.returncode != 0:
        return None, "no mount namespace here: %s" % tried.stderr.decode().strip()
    return wrapper, None


@pytest.mark.parametrize("style", ["yes", "no"])
def test_path_style_and_virtual_hosts(room, small, s3_store, style):
    store = s3_store()
    wrapper, reason = with_hosts(room, "s3.test", store.bucket + ".s3.test")
    if not wrapper:
        pytest.skip(reason)
    hosts = []
    check = store.world.see
    endpoint = store.client.endpoint.replace("127.0.0.1", "s3.test")
    settings = {**store.settings, "AWS_ENDPOINT_URL_S3": endpoint, "REPLICA_S3_PATH_STYLE": style}
    store.world.see = lambda operation, key, host: hosts.append(host) or check(operation, key, host)
    process = tool.start(
        "dump",
        wrapper,
        REPLICA_FROM=small.url(),
        REPLICA_TO=store.url,
        PATH=os.environ["PATH"],
        **settings,
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    port = endpoint.rpartition(":")[2]
    wanted = "s3.test:" if style == "yes" else store.bucket + ".s3.test:"
    assert set(hosts) == {wanted + port}
    assert store.index() == store.complete()


# ---- many writers ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(server):
    database = server.create("tiny")
    database.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 10) AS n")
    yield database
    database.drop()


@pytest.mark.parametrize("profile", ["aws", "gcs", "b2", "old-rgw"])
def test_ten_dumps_at_once(tiny, s3_store, profile):
    """With conditional writes and without: each dump is there, and the index names them all."""
    store = s3_store(profile)
    s3_tool.dumps_at_once(tiny, store, 10)
    assert len(store.complete()) == 10
    assert sorted(store.index()) == store.complete()
    assert_clean(store)


def test_ten_dumps_at_once_on_versitygw(tiny, versity):
    store = s3_tool.S3Store(versity.client(tls=True), "dumps", "at-once")
    s3_tool.dumps_at_once(tiny, store, 10)
    assert len(store.complete()) == 10
    assert sorted(store.index()) == store.complete()
    assert store.claims() == [] and store.uploads() == []


def test_a_dump_in_parts_on_versitygw(heavy, versity, target):
    store = s3_tool.S3Store(versity.client(tls=True), "dumps", "in-parts")
    s3_tool.dump(heavy, store, **IN_PARTS)
    s3_tool.restore(store, target)
    assert digest(heavy) == digest(target)
    assert store.uploads() == []


def test_a_conflict_is_tried_again(tiny, s3_store):
    """Amazon's answer to two conditional writes at the same moment."""
    store = s3_store()
    s3_tool.dump(tiny, store)
    fault = store.world.faults.add("conflict", "PutObject", nth=2, key="dumps/index.json")
    s3_tool.dump(tiny, store)
    assert fault.hits == 1
    assert store.index() == store.complete() and len(store.index()) == 2


def test_an_index_that_was_lost_is_made_anew(tiny, s3_store):
    store = s3_store()
    s3_tool.dump(tiny, store)
    del store.world.objects["dumps/index.json"]
    s3_tool.dump(tiny, store)
    assert store.index() == store.complete() and len(store.index()) == 2


# ---- list, show, export ---------------------------------------------------------------------------


def test_list_show_and_export(small, s3_store, target):
    store = s3_store()
    s3_tool.dump(small, store)
    s3_tool.dump(small, store)
    listing = s3_tool.listed(store)
    assert sorted(dump["name"] for dump in listing["dumps"]) == store.complete()
    assert {dump["state"] for dump in listing["dumps"]} == {"complete"}
    settings = {**store.settings, "REPLICA_FROM": store.url}
    shown = tool.succeed(tool.run("show", REPLICA_LOG_FORMAT="json", **settings))
    assert {table["name"] for table in json.loads(shown.out)["tables"]} >= {"people", "visits"}
    exported = tool.succeed(tool.run("export", REPLICA_TO="stdout:", **settings)).out
    target.server.psql(["-f", "-"], target.name, text=exported)
    compare.assert_same(small, target)


# ---- what is left behind --------------------------------------------------------------------------


def test_uploads_of_the_dead_are_swept(heavy, s3_store):
    """A dump that was killed in the midst of an upload leaves it; the next one takes it away."""
    store = s3_store()
    dead = []
    store.world.faults.call(
        lambda _: (dead[0].kill(), dead[0].wait()), "UploadPart", nth=2, after=True
    )
    settings = {**store.settings, **IN_PARTS}
    dead.append(tool.start("dump", REPLICA_FROM=heavy.url(), REPLICA_TO=store.url, **settings))
    dead[0].communicate()
    if not store.world.uploads:
        pytest.fail("the dump was not in the midst of an upload: %s" % store.world.seen)
    assert store.complete() == [] and len(store.claims()) == 1
    s3_tool.dump(heavy, store)
    assert len(store.complete()) == 1
    assert_clean(store)


def test_many_old_uploads_are_swept(small, s3_store):
    """By pages.  Nothing of their dumps has moved for two days, and nobody claims them."""
    store = s3_store(page_max=2)
    for number in range(7):
        key = "dumps/dump-%d/%d.sql.zst" % (1 + number % 2, number // 2)
        store.world.begin_upload(key, age_seconds=2 * 86400, parts=1)
    s3_tool.dump(small, store)
    assert len(store.complete()) == 1
    assert_clean(store)


def test_uploads_of_the_living_are_not(small, s3_store):
    """A claim of another machine, an hour old, may well be at work."""
    store = s3_store()
    claim = {"machine": "ab" * 32, "process": 1, "started": 1}
    store.world.put_object("dumps/dump-1/claim-0123456789abcdef.json", json.dumps(claim).encode())
    upload = store.world.begin_upload("dumps/dump-1/1.sql.zst", age_seconds=3600, parts=1)
    s3_tool.dump(small, store)
    assert list(store.world.uploads) == [upload.id]


def test_sigterm_in_the_midst_of_an_upload(heavy, s3_store):
    store = s3_store()
    running = []
    store.world.faults.watch(lambda _: running[0].send_signal(signal.SIGTERM), "UploadPart", nth=2)
    settings = {**store.settings, **IN_PARTS}
    running.append(tool.start("dump", REPLICA_FROM=heavy.url(), REPLICA_TO=store.url, **settings))
    begin = time.monotonic()
    _, err = running[0].communicate(timeout=30)
    print(err)  # shown when what follows fails
    assert running[0].returncode == 143
    assert time.monotonic() - begin < 15
    assert store.files() == []
    assert_clean(store)


# ---- clear failures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes,code,phrases",
    [
        (
            {"AWS_SECRET_ACCESS_KEY": "wrong"},
            tool.STORE,
            ["SignatureDoesNotMatch", "the environment"],
        ),
        (
            {"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN", "AWS_SESSION_TOKEN": None},
            tool.STORE,
            ["InvalidAccessKeyId"],
        ),
        ({"AWS_CA_BUNDLE": None}, tool.STORE, ["certificate"]),
        ({"AWS_CA_BUNDLE": "/nonexistent"}, tool.CONFIGURATION, ["/nonexistent"]),
        (
            {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "2"},
            tool.STORE,
            ["127.0.0.1", "refused"],
        ),
        ({"AWS_ENDPOINT_URL_S3": "ftp://x"}, tool.CONFIGURATION, ["AWS_ENDPOINT_URL_S3"]),
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_SESSION_TOKEN": None},
            None,
            ["AWS_ACCESS_KEY_ID"],
        ),
    ],
)
def test_a_store_that_cannot_be_used(small, s3_store, changes, code, phrases):
    store = s3_store()
    result = s3_tool.run_dump(small, store, **changes)
    tool.refused(result, code if code is not None else result.code, *phrases)
    assert result.code in (tool.STORE, tool.CONFIGURATION)
    assert store.world.objects == {}
    assert store.client.secret not in result.err and store.client.token not in result.err


def test_a_bucket_that_is_not_there(small, s3_store):
    store = s3_store()
    store.url = "s3://no-such-bucket/dumps"
    tool.refused(s3_tool.run_dump(small, store), tool.STORE, "NoSuchBucket", "no-such-bucket")


@pytest.mark.parametrize(
    "operation,permission",
    [("PutObject", "s3:PutObject"), ("ListObjectsV2", "s3:ListBucket")],
)
def test_a_right_that_is_missing_is_named(small, s3_store, operation, permission):
    store = s3_store()
    store.world.faults.add("denied", operation, times=None)
    tool.refused(s3_tool.run_dump(small, store), tool.STORE, "AccessDenied", permission)
    store.world.faults.clear()
    assert store.complete() == []


def test_nothing_is_dropped_for_rows_in_an_archive(heavy, s3_store, target):
    """Rules of a bucket archive its large objects and leave the small ones, the schema's text among them."""
    store = s3_store()
    s3_tool.dump(heavy, store, **IN_PARTS)
    [name, manifest] = list(store.manifests().items())[-1]
    refusal = strict_s3_faults.refuse(403, "InvalidObjectState", "The object's storage class forbids it.")
    key = store.key(name + "/" + manifest["tables"][0]["volumes"][0]["name"])
    store.world.faults.put(strict_s3_faults.BEFORE, refusal, "GetObject", 1, None, key)
    target.sql("CREATE TABLE precious AS SELECT 1")
    result = s3_tool.run_restore(store, target, REPLICA_CLEAN="yes")
    tool.refused(result, tool.STORE, "archived", "restored to the bucket first")
    assert target.sql("SELECT * FROM precious") == "1"


@pytest.mark.long
@pytest.mark.parametrize("operation", ["PutObject", "UploadPart", "GetObject"])
def test_a_store_that_falls_silent(heavy, s3_store, target, operation):
    """For ever, on one connection: the client's own patience ends it, and another connection serves."""
    store = s3_store()
    if operation == "GetObject":
        s3_tool.dump(heavy, store, **IN_PARTS)
    fault = store.world.faults.add("silence", operation, nth=2)
    settings = {**store.settings, **IN_PARTS}
    if operation != "GetObject":
        tool.succeed(
            tool.run(
                "dump", timeout=240, REPLICA_FROM=heavy.url(), REPLICA_TO=store.url, **settings
            )
        )
    tool.succeed(
        tool.run(
            "restore",
            timeout=240,
            REPLICA_FROM=store.url,
            REPLICA_TO=target.url(),
            **store.settings,
        )
    )
    assert fault.hits == 1
    assert digest(heavy) == digest(target)
