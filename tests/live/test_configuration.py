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
]


@pytest.mark.parametrize(
    "variables, phrases",
    WRONG,
    ids=["-".join("%s=%s" % item for item in case[0].items()) for case in WRONG],
)
def test_a_wrong_variable(variables, phrases):
    result = tool.run("dump", timeout=10, **dict(GOOD, **variables))
    tool.refused(result, tool.CONFIGURATION, *phrases)
    assert result.out == ""


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
