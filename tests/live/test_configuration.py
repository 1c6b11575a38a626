"""Promise: a wrong environment is refused before anything is touched, all mistakes at once, by name."""

import pytest

import tool

GOOD = {
    "REPLICA_FROM": "postgres://nobody@127.0.0.1:1/none",
    "REPLICA_TO": "file:///nonexistent/store",
}

WRONG = [
    ({"REPLICA_JOBS": "many"}, ["REPLICA_JOBS"]),
    ({"REPLICA_JOBS": "0"}, ["REPLICA_JOBS"]),
    ({"REPLICA_JOBS": "-1"}, ["REPLICA_JOBS"]),
    ({"REPLICA_JOBS": "99999999999999999999"}, ["REPLICA_JOBS"]),
    ({"REPLICA_COMPRESS": "gzip"}, ["REPLICA_COMPRESS", "zstd"]),
    ({"REPLICA_COMPRESS": "zstd:20"}, ["REPLICA_COMPRESS"]),
    ({"REPLICA_COMPRESS": "zstd:-6"}, ["REPLICA_COMPRESS"]),
    ({"REPLICA_COMPRESS": "zstd:"}, ["REPLICA_COMPRESS"]),
    ({"REPLICA_CLEAN": "perhaps"}, ["REPLICA_CLEAN"]),
    ({"REPLICA_OWNERS": "2"}, ["REPLICA_OWNERS"]),
    ({"REPLICA_PRIVILEGES": "maybe"}, ["REPLICA_PRIVILEGES"]),
    ({"REPLICA_LOG_FORMAT": "xml"}, ["REPLICA_LOG_FORMAT"]),
    ({"REPLICA_LOG_LEVEL": "loud"}, ["REPLICA_LOG_LEVEL"]),
    ({"REPLICA_PROGRESS": "often"}, ["REPLICA_PROGRESS"]),
    ({"REPLICA_VOLUME_SIZE": "huge"}, ["REPLICA_VOLUME_SIZE"]),
    ({"REPLICA_FROM": "mysql://x/y"}, ["REPLICA_FROM", "mysql"]),
    ({"REPLICA_TO": "ftp://x/y"}, ["REPLICA_TO", "ftp"]),
    ({"REPLICA_TO": "file://relative/path"}, ["REPLICA_TO"]),
    ({"REPLICA_TO": None}, ["REPLICA_TO"]),
    ({"REPLICA_FROM": None}, ["REPLICA_FROM"]),
    ({"REPLICA_TABELS": "x"}, ["REPLICA_TABELS", "REPLICA_TABLES"]),
    ({"REPLICA_FROM_FILE": "/nonexistent/secret"}, ["REPLICA_FROM"]),
    ({"REPLICA_JOBS_FILE": "/nonexistent/secret"}, ["REPLICA_JOBS_FILE"]),
    ({"REPLICA_TRANSFORM": "nonsense"}, ["nonsense"]),
    ({"REPLICA_S3_PATH_STYLE": "maybe"}, ["REPLICA_S3_PATH_STYLE", "auto, yes or no"]),
    ({"REPLICA_S3_SSE": "AES128"}, ["REPLICA_S3_SSE", "aws:kms"]),
]

S3 = dict(
    GOOD,
    REPLICA_TO="s3://bucket/prefix",
    AWS_ACCESS_KEY_ID="key",
    AWS_SECRET_ACCESS_KEY="hush-hush",
    AWS_ENDPOINT_URL="http://127.0.0.1:1",
)

WRONG_S3 = [
    ({"AWS_SECRET_ACCESS_KEY": None}, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
    ({"AWS_ACCESS_KEY_ID": None}, ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"]),
    ({"AWS_SECRET_ACCESS_KEY": "hush-hush\n"}, ["AWS_SECRET_ACCESS_KEY", "newline"]),
    ({"AWS_SECRET_ACCESS_KEY_FILE": "/nonexistent"}, ["AWS_SECRET_ACCESS_KEY_FILE", "both"]),
    (
        {"AWS_SECRET_ACCESS_KEY": None, "AWS_SECRET_ACCESS_KEY_FILE": "/nonexistent"},
        ["AWS_SECRET_ACCESS_KEY_FILE", "unable to read"],
    ),
    ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, ["AWS_ROLE_ARN"]),
    ({"AWS_MAX_ATTEMPTS": "0"}, ["AWS_MAX_ATTEMPTS"]),
    ({"AWS_USE_FIPS_ENDPOINT": "perhaps"}, ["AWS_USE_FIPS_ENDPOINT", "true or false"]),
    ({"AWS_REQUEST_CHECKSUM_CALCULATION": "never"}, ["AWS_REQUEST_CHECKSUM_CALCULATION"]),
    ({"REPLICA_S3_KMS_KEY": "k"}, ["REPLICA_S3_KMS_KEY", "REPLICA_S3_SSE"]),
]

WRONG_PLACES = [
    ("s3://", "bucket"),
    ("s3:///prefix", "bucket"),
    ("s3://ab", "3"),
    ("s3://bucket..name", "two dots"),
    ("s3://arn:aws:s3:eu-west-1:1:accesspoint/x", "ARN"),
    ("s3://key:hush-hush@bucket/p", "no keys"),
    ("s3://minio:9000/bucket", "AWS_ENDPOINT_URL_S3"),
    ("s3://bucket/a/../b", "'..'"),
    ("s3://bucket/a?b", "%3F"),
]


@pytest.mark.parametrize(
    "variables, phrases",
    WRONG,
    ids=["-".join("%s=%s" % item for item in case[0].items()) for case in WRONG],
)
def test_a_wrong_variable(variables, phrases):
    result = tool.run("dump", timeout=60, **dict(GOOD, **variables))
    tool.refused(result, tool.CONFIGURATION, *phrases)
    assert result.out == ""


@pytest.mark.parametrize(
    "variables, phrases",
    WRONG_S3,
    ids=["-".join("%s=%s" % item for item in case[0].items()) for case in WRONG_S3],
)
def test_a_wrong_variable_of_s3(variables, phrases):
    result = tool.run("dump", timeout=60, **dict(S3, **variables))
    tool.refused(result, tool.CONFIGURATION, *phrases)
    assert "hush" not in result.err


def test_variables_of_s3_do_not_matter_without_it(small, store):
    wrong = {name: value for case in WRONG_S3 for name, value in case[0].items()}
    tool.dump(small, store, **wrong)


@pytest.mark.parametrize("url, phrase", WRONG_PLACES, ids=[case[0] for case in WRONG_PLACES])
def test_a_place_that_is_no_store(url, phrase):
    variables = {name: value for name, value in S3.items() if name != "REPLICA_TO"}
    result = tool.run("list", timeout=60, **dict(variables, REPLICA_FROM=url))
    tool.refused(result, tool.CONFIGURATION, phrase)
    assert "hush" not in result.err


def test_a_class_that_cannot_be_read_back():
    result = tool.run(
        "list", REPLICA_S3_STORAGE_CLASS="DEEP_ARCHIVE", **dict(S3, REPLICA_FROM="s3://bucket")
    )
    tool.refused(result, tool.CONFIGURATION, "DEEP_ARCHIVE")


def test_memory_counts_what_s3_keeps_in_flight():
    """Parts wait in memory until the store has them; too little says how much it takes."""
    result = tool.run("dump", timeout=60, **dict(S3, REPLICA_MEMORY="16MiB"))
    tool.refused(result, tool.CONFIGURATION, "REPLICA_MEMORY", "need 27 MiB")
    result = tool.run("dump", timeout=60, **dict(GOOD, REPLICA_MEMORY="16MiB"))
    assert result.code == tool.SOURCE


def test_secrets_of_s3_are_not_shown():
    result = tool.run("env", **S3)
    tool.succeed(result)
    assert "hush" not in result.out and "AWS_SECRET_ACCESS_KEY" in result.out
    assert "http://127.0.0.1:1" in result.out


def test_all_mistakes_at_once():
    result = tool.run(
        "dump",
        REPLICA_JOBS="many",
        REPLICA_COMPRESS="gzip",
        REPLICA_TABELS="x",
        REPLICA_FROM="mysql://x",
    )
    tool.refused(
        result,
        tool.CONFIGURATION,
        "REPLICA_JOBS",
        "REPLICA_COMPRESS",
        "REPLICA_TABELS",
        "REPLICA_FROM",
        "REPLICA_TO",
    )


def test_an_unknown_command_names_the_nearest():
    tool.refused(tool.run("dmup"), tool.CONFIGURATION, "dmup", "dump")
    tool.refused(tool.run(REPLICA_COMMAND="restoer"), tool.CONFIGURATION, "restoer", "restore")


def test_two_arguments_are_one_too_many():
    tool.refused(tool.run(["dump", "restore"], **GOOD), tool.CONFIGURATION)


def test_no_command_and_nothing_to_infer_it_from():
    tool.refused(tool.run(), tool.CONFIGURATION, "REPLICA_FROM")
    tool.refused(tool.run(REPLICA_FROM="file:///a", REPLICA_TO="file:///b"), tool.CONFIGURATION)


def test_kubernetes_service_variables_are_ignored(small, store):
    tool.dump(
        small,
        store,
        REPLICA_PORT="tcp://10.0.0.1:80",
        REPLICA_PORT_80_TCP="tcp://10.0.0.1:80",
        REPLICA_PORT_80_TCP_ADDR="10.0.0.1",
        REPLICA_SERVICE_HOST="10.0.0.1",
        REPLICA_SERVICE_PORT="80",
        REPLICA_SERVICE_PORT_HTTP="80",
        REPLICA_DB_SERVICE_HOST="10.0.0.2",
        REPLICA_DB_SERVICE_PORT="5432",
    )


def test_a_variable_from_a_file_loses_one_newline(room, small, store):
    path = room + "/secret-url"
    with open(path, "w") as file:
        file.write(small.url() + "\n")
    tool.succeed(tool.run("dump", REPLICA_FROM_FILE=path, REPLICA_TO=store.url))
    result = tool.run(
        "dump", REPLICA_FROM_FILE=path, REPLICA_FROM=small.url(), REPLICA_TO=store.url
    )
    tool.refused(result, tool.CONFIGURATION, "REPLICA_FROM_FILE")


def test_an_empty_variable_is_as_good_as_none(small, store):
    tool.dump(small, store, REPLICA_TABLES="", REPLICA_TRANSFORM="", REPLICA_JOBS="")


def test_a_rule_needs_postgres_to_come_from(small_store, target):
    """A rule that nothing would apply must not look as if it did."""
    result = tool.run(
        "restore",
        REPLICA_FROM=small_store.url,
        REPLICA_TO=target.url(),
        REPLICA_TRANSFORM="public.people.name random",
    )
    tool.refused(result, tool.CONFIGURATION, "REPLICA_TRANSFORM")
