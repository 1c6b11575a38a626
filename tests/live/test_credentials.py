"""Promise: the keys of any platform are found, outlive no dump, and are shown to nobody.

The endpoints of aws_endpoints.py hand out keys that the strict S3 server believes until they have run
out.  What is asked without an address of its own (ECS, the instance's metadata) is asked in a network
namespace that has those addresses."""

import json
import os
import subprocess
import sys
import time

import pytest

import aws_endpoints
import compare
import keyring
import strict_s3
import tool

PLACES = ["metadata", "container", "pod-identity", "sts"]


@pytest.fixture
def places(s3_ring):
    made = aws_endpoints.Places(s3_ring)
    yield made
    made.close()


@pytest.fixture
def token_path(places, tmp_path):
    """The file into which the platform writes the pod's token."""
    path = tmp_path / "token"
    path.write_text(places.token)
    return str(path)


@pytest.fixture(scope="session")
def noise(server):
    """27 MB that no compressor makes smaller: four parts of an upload."""
    database = server.create("noise")
    database.sql("""
        CREATE TABLE noise (id integer PRIMARY KEY, bytes bytea);
        INSERT INTO noise SELECT n, (SELECT string_agg(sha512((n * 1000 + k)::text::bytea), '')
            FROM generate_series(1, 128) AS k) FROM generate_series(1, 3300) AS n""")
    return database


def world(strict, bucket, **more):
    """How to reach the bucket, without any key.  A busy machine may need more than the second that the metadata has."""
    return {
        "REPLICA_TO": "s3://" + bucket.name,
        "AWS_REGION": bucket.region,
        "AWS_ENDPOINT_URL_S3": strict.endpoint,
        "REPLICA_LOG_LEVEL": "debug",
        "AWS_METADATA_SERVICE_TIMEOUT": 10,
        **more,
    }


def from_bucket(settings):
    """The same store as the source."""
    return {**settings, "REPLICA_FROM": settings["REPLICA_TO"], "REPLICA_TO": None}


def assert_silent(result, secrets):
    assert not [each for each in secrets if each and (each in result.err or each in result.out)]


def refused_keys(bucket):
    """For what the store refused requests; that something is not there is no refusal."""
    return {(status, code) for _, status, code in bucket.refusals() if status != 404}


def assert_sound(bucket):
    assert bucket.violations == [] and bucket.uploads == {}


# ---- each source ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_each_place_serves_a_dump_and_a_restore(place, small, target, strict, s3_bucket, places, token_path):
    bucket = s3_bucket()
    settings = world(strict, bucket, **places.settings(place, token_path))
    dumped = tool.succeed(tool.run("dump", REPLICA_FROM=small.url(), **settings))
    restored = tool.succeed(tool.run("restore", **{**from_bucket(settings), "REPLICA_TO": target.url()}))
    compare.assert_same_rows(small, target)
    assert len(places.issued) == 2, "each run asks once"
    assert refused_keys(bucket) == set()
    assert_sound(bucket)
    for result in (dumped, restored):
        assert_silent(result, places.secrets())
    if place == "sts":
        (first, second) = places.asked("sts")
        assert places.token.encode() in first.body and places.token not in first.target


def test_version_1_of_the_metadata_where_that_is_all(strict, s3_bucket, places):
    places.metadata_versions = {1}
    settings = world(strict, s3_bucket(), **places.settings("metadata"))
    tool.succeed(tool.run("list", **from_bucket(settings)))
    refused = tool.run("list", AWS_EC2_METADATA_V1_DISABLED="true", **from_bucket(settings))
    tool.refused(refused, tool.STORE, "AWS_EC2_METADATA_V1_DISABLED forbids version 1")
    places.metadata_versions = {2}
    tool.succeed(tool.run("list", AWS_EC2_METADATA_V1_DISABLED="true", **from_bucket(settings)))


def test_the_container_over_tls(strict, s3_bucket, s3_ring, s3_pki, s3_certificate):
    """Any host may be asked over https, if its certificate is good."""
    places = aws_endpoints.Places(s3_ring, s3_certificate.chain, s3_certificate.key)
    uri = places.tls_endpoint.replace("127.0.0.1", "localhost") + "/v2/credentials/abc"
    settings = from_bucket(world(strict, s3_bucket(), AWS_CONTAINER_CREDENTIALS_FULL_URI=uri,
                                 AWS_CONTAINER_AUTHORIZATION_TOKEN=places.token))
    tool.succeed(tool.run("list", AWS_CA_BUNDLE=s3_pki.cert, **settings))
    asked = len(places.history)
    refused = tool.run("list", **settings)
    assert refused.code == tool.STORE and "certificate" in refused.err
    assert len(places.history) == asked == 1
    assert_silent(refused, places.secrets())
    places.close()


def test_the_first_that_is_configured_is_the_one(strict, s3_bucket, s3_ring, places, token_path):
    """Of the wrong one's keys nobody asks, though the right one's are none."""
    everything = {}
    for place in PLACES:
        everything.update(places.settings(place, token_path))
    key = s3_ring.issue()
    everything.update(AWS_ACCESS_KEY_ID=key.access, AWS_SECRET_ACCESS_KEY=key.secret, AWS_SESSION_TOKEN=key.token)
    settings = from_bucket(world(strict, s3_bucket(), **everything))
    tool.succeed(tool.run("list", **settings))
    assert places.history == []
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        settings[name] = None
    tool.succeed(tool.run("list", **settings))
    assert {each.place for each in places.history} == {"sts"}
    settings["AWS_WEB_IDENTITY_TOKEN_FILE"] = None
    settings["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = token_path
    tool.succeed(tool.run("list", **settings))
    assert {each.place for each in places.history} == {"sts", "pod-identity"}
    settings["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = None
    tool.succeed(tool.run("list", **settings))
    assert {each.place for each in places.history} == {
        "sts", "pod-identity", "metadata-token", "metadata-role", "metadata"}


# ---- keys that run out ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_keys_run_out_in_the_middle_of_an_upload(place, noise, strict, s3_bucket, places, token_path):
    """The store says so, and new ones are fetched; nothing is sent twice that had arrived."""
    bucket = s3_bucket()
    run_out = bucket.faults.watch(lambda _: places.expire(), "UploadPart", nth=2)
    settings = world(strict, bucket, **places.settings(place, token_path))
    result = tool.succeed(tool.run("dump", REPLICA_FROM=noise.url(), **settings))
    assert run_out.hits == 1 and len(places.issued) == 2
    assert refused_keys(bucket) <= {(400, "ExpiredToken")}
    assert_sound(bucket)
    assert_silent(result, places.secrets())


def test_keys_are_renewed_before_they_run_out(noise, strict, s3_bucket, places):
    """Keys that live for four seconds: an upload that waits until the half is over gets others in time."""
    bucket = s3_bucket()
    places.seconds = 4

    def wait_for_half(_):
        half = places.issued[-1].expires - 1
        while time.time() < half:
            time.sleep(0.05)

    bucket.faults.watch(wait_for_half, "UploadPart", nth=2)
    settings = world(strict, bucket, **places.settings("container"))
    tool.succeed(tool.run("dump", REPLICA_FROM=noise.url(), **settings))
    assert len(places.issued) >= 2
    assert_sound(bucket)


def test_a_token_that_is_rotated_on_disk(noise, strict, s3_bucket, places, token_path):
    """Kubernetes replaces the file; the old token is worth nothing when the keys run out."""
    bucket, old = s3_bucket(), places.token

    def rotate(_):
        places.token = "rotated-" + old
        with open(token_path + ".new", "w") as file:
            file.write(places.token + "\n")
        os.rename(token_path + ".new", token_path)
        places.expire()

    bucket.faults.watch(rotate, "UploadPart", nth=2)
    settings = world(strict, bucket, **places.settings("sts", token_path))
    result = tool.succeed(tool.run("dump", REPLICA_FROM=noise.url(), **settings))
    first, second = places.asked("sts")
    assert old.encode() in first.body and b"rotated-" in second.body
    assert_sound(bucket)
    assert_silent(result, places.secrets() + [old])


def test_keys_in_files_are_rotated(noise, strict, s3_bucket, s3_ring, tmp_path):
    """A secret that is mounted: its files are replaced while an upload is under way."""
    bucket = s3_bucket()
    paths = {name: tmp_path / name for name in ("access", "secret", "token")}
    keys = []

    def rotate(_=None):
        keys.append(s3_ring.issue())
        for name, path in paths.items():
            new = tmp_path / (name + ".new")
            new.write_text(getattr(keys[-1], name) + "\n")
            new.rename(path)
        if len(keys) > 1:
            s3_ring.revoke(keys[-2].access)

    rotate()
    bucket.faults.watch(rotate, "UploadPart", nth=2)
    settings = world(strict, bucket, AWS_ACCESS_KEY_ID_FILE=paths["access"],
                     AWS_SECRET_ACCESS_KEY_FILE=paths["secret"], AWS_SESSION_TOKEN_FILE=paths["token"])
    result = tool.succeed(tool.run("dump", REPLICA_FROM=noise.url(), **settings))
    assert len(keys) == 2
    # Another upload may meet the old keys, or one new file and two old ones.
    assert refused_keys(bucket) <= {(403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"), (400, "InvalidToken")}
    assert_sound(bucket)
    assert_silent(result, [text for key in keys for text in (key.secret, key.token)])


def test_keys_in_the_environment_cannot_be_renewed(noise, strict, s3_bucket, s3_ring):
    bucket, key = s3_bucket(), s3_ring.issue()
    bucket.faults.watch(lambda _: s3_ring.expire(key.access), "UploadPart", nth=2)
    settings = world(strict, bucket, AWS_ACCESS_KEY_ID=key.access, AWS_SECRET_ACCESS_KEY=key.secret,
                     AWS_SESSION_TOKEN=key.token)
    result = tool.run("dump", REPLICA_FROM=noise.url(), **settings)
    assert result.code == tool.STORE and "ExpiredToken" in result.err
    assert_silent(result, [key.secret, key.token])


# ---- places that fail -------------------------------------------------------------------------------


@pytest.mark.parametrize("place, kind, times", [
    ("container", 500, 2),
    ("container", "reset", 2),
    ("container", "garbage", 1),
    ("pod-identity", 503, 1),
    ("sts", "idp", 1),
    ("sts", 500, 2),
    ("sts", "reset", 1),
    ("metadata-token", "hang", 1),
])
def test_a_place_that_fails_for_a_moment(place, kind, times, strict, s3_bucket, places, token_path):
    places.fail(place, kind, times)
    settings = from_bucket(world(strict, s3_bucket(), **places.settings(place.replace("-token", ""), token_path)))
    if kind == "hang":
        settings["AWS_METADATA_SERVICE_TIMEOUT"] = None
    tool.succeed(tool.run("list", **settings))
    assert len(places.asked(place)) == (times if place == "metadata-token" else times + 1)


@pytest.mark.parametrize("place, kind, sentence", [
    ("container", 403, "http 403 Failure403 (failing on command)"),
    ("container", "garbage", "no json object"),
    ("metadata", "code", "http 200 AssumeRoleUnauthorizedAccess (EC2 cannot assume the role)"),
    ("metadata", "hang", "127.0.0.1"),
    ("sts", 403, "http 403"),
])
def test_a_place_that_fails(place, kind, sentence, strict, s3_bucket, places, token_path):
    places.fail(place, kind, 99)
    settings = from_bucket(world(strict, s3_bucket(), **places.settings(place, token_path)))
    if kind == "hang":
        settings["AWS_METADATA_SERVICE_TIMEOUT"] = None
    result = tool.run("list", **settings)
    tool.refused(result, tool.STORE, sentence, "for credentials")
    assert_silent(result, places.secrets())
    assert result.seconds < 20


def test_a_token_that_has_run_out(strict, s3_bucket, places, token_path):
    """STS quotes it in its refusal; the sentence does not."""
    with open(token_path, "w") as file:
        file.write("stale-" + places.token)
    result = tool.run("list", **from_bucket(world(strict, s3_bucket(), **places.settings("sts", token_path))))
    tool.refused(result, tool.STORE, "http 400 ExpiredTokenException", aws_endpoints.ROLE_ARN, token_path)
    assert_silent(result, places.secrets())


def test_no_keys_anywhere(strict, s3_bucket, places):
    places.server.close()
    settings = from_bucket(world(strict, s3_bucket()))
    for more in ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": places.endpoint}, {"AWS_EC2_METADATA_DISABLED": "true"}):
        result = tool.run("list", **settings, **more)
        tool.refused(result, tool.CONFIGURATION, "there are no credentials for the store")


def test_nobody_is_sent_an_authorization_without_tls(strict, s3_bucket, places):
    settings = from_bucket(world(strict, s3_bucket(), AWS_CONTAINER_AUTHORIZATION_TOKEN=places.token,
                                 AWS_CONTAINER_CREDENTIALS_FULL_URI="http://198.51.100.7/credentials"))
    result = tool.run("list", **settings)
    tool.refused(result, tool.CONFIGURATION, "198.51.100.7", "without https")
    assert_silent(result, places.secrets())


# ---- the platforms' own addresses -------------------------------------------------------------------

ADDRESSES = ["169.254.170.2/32", "169.254.170.23/32", "169.254.169.254/32", "fd00:ec2::23/128", "fd00:ec2::254/128"]

AT_HOME = [
    ("metadata", {}),
    ("metadata", {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}),
    ("container", {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/abc"}),
    ("pod-identity", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}),
    ("pod-identity", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/v1/credentials"}),
]


def at_home(binary):
    """Runs inside a network namespace; prints what became of each of AT_HOME."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ADDRESSES:
        at_once = ["nodad"] if ":" in address else []  # else the address is not yet one for a moment
        subprocess.run(["ip", "address", "add", address, "dev", "lo"] + at_once, check=True)
    tool.binary, ring, results = binary, keyring.KeyRing(), []
    places = aws_endpoints.Places(ring)
    for address in ADDRESSES:
        places.listen_at(address.partition("/")[0])
    with strict_s3.serving() as strict:
        for place, more in AT_HOME:
            bucket = strict.bucket("bucket-%d" % len(results), ring=ring)
            settings = world(strict, bucket, AWS_CONTAINER_AUTHORIZATION_TOKEN=places.token, **more)
            result = tool.run("list", **from_bucket(settings))
            results.append((result.code, result.err, [each.place for each in places.history]))
            places.history.clear()
    print(json.dumps(results))


def test_the_platforms_own_addresses(room):
    """169.254.170.2 and the like, on the loopback of a network namespace without any other network."""
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
        pytest.skip("no network namespace can be made here (unshare --net): the addresses of ECS, EKS and "
                    "the instance's metadata are not asked")
    script = "import test_credentials; test_credentials.at_home(%r)" % tool.binary
    run = subprocess.run(["unshare", "--net", sys.executable, "-c", script], cwd=os.path.dirname(__file__),
                         capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout)
    assert len(results) == len(AT_HOME)
    for (place, _), (code, err, asked) in zip(AT_HOME, results):
        assert code == 0, err
        assert asked[-1] == place
