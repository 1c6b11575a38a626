"""Promise: what the source, the destination or the store refuses ends the run with its own exit code, and
a sentence that says what and where; a source that fails leaves nothing in the store."""

import os
import socket
import subprocess

import pytest

import proxy
import sample
import servers
import tool


def dump_fails(url, store, code, *phrases, **variables):
    result = tool.refused(
        tool.run("dump", REPLICA_FROM=url, REPLICA_TO=store.url, **variables), code, *phrases
    )
    assert servers.PASSWORD not in result.err
    assert store.complete() == []
    assert [name for name in store.files() if name.endswith((".zst", ".sql", ".tmp"))] == []
    return result


# The source ---------------------------------------------------------------------------------------------


def test_nobody_listens(small, store):
    with proxy.nobody() as port:
        dump_fails(small.url(port=port), store, tool.SOURCE, "127.0.0.1", str(port))


def test_the_host_has_no_address(small, store):
    dump_fails(small.url(host="no-such-host.invalid"), store, tool.SOURCE, "no-such-host.invalid")


def test_a_wrong_password(small, store):
    dump_fails(small.url(password="wrong"), store, tool.SOURCE, "password authentication failed")


def test_no_password(small, store):
    dump_fails(small.url(password=None), store, tool.SOURCE, "password")


def test_no_such_database(server, small, store):
    dump_fails(servers.Database(server, "no such thing").url(), store, tool.SOURCE, "no such thing")


def test_a_server_that_never_answers(small, store):
    """It accepts and then is silent; connecting has a deadline."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        result = dump_fails(
            small.url(port=silent.getsockname()[1], connect_timeout=2),
            store,
            tool.SOURCE,
            "127.0.0.1",
        )
        assert result.seconds < 60


@pytest.fixture(scope="session")
def reader(server):
    """A user who owns nothing."""
    server.sql("CREATE ROLE plain_reader LOGIN PASSWORD 'plain'")
    return "plain_reader"


def test_no_privilege_on_one_table(server, databases, store, reader):
    source = databases(server)
    source.sql(
        """CREATE TABLE open (a integer); CREATE TABLE "Closed one" (a integer); GRANT SELECT ON open TO plain_reader;
        INSERT INTO open VALUES (1)"""
    )
    dump_fails(
        source.url(reader, "plain"), store, tool.SOURCE, "may not read", "Closed one", "SELECT"
    )
    tool.succeed(
        tool.run(
            "dump",
            REPLICA_FROM=source.url(reader, "plain"),
            REPLICA_TO=store.url,
            REPLICA_SKIP_TABLES='"Closed one"',
        )
    )


@pytest.mark.parametrize(
    "made, variables, denied",
    [
        ("CREATE TABLE t (a integer, b text); GRANT SELECT (a, b) ON t TO plain_reader", {}, "t"),
        ("CREATE TABLE t (a integer)", {"REPLICA_SKIP_DATA": "t"}, "t"),
        (
            """CREATE TABLE t (a integer) PARTITION BY LIST (a); CREATE TABLE part PARTITION OF t DEFAULT;
            GRANT SELECT ON part TO plain_reader""",
            {"REPLICA_TABLES": "part"},
            "t",
        ),
    ],
)
def test_a_table_that_can_be_read_but_not_locked(server, databases, store, reader, made, variables, denied):
    source = databases(server)
    source.sql(made)
    url = source.url(reader, "plain")
    said = 'may not read "public"."%s": grant SELECT on the whole table' % denied
    result = dump_fails(url, store, tool.SOURCE, said, "REPLICA_SKIP_TABLES", **variables)
    assert "REPLICA_SKIP_DATA" not in result.err
    tool.refused(tool.run("check", REPLICA_FROM=url, REPLICA_TO=store.url, **variables), tool.SOURCE, said)
    source.sql("GRANT SELECT ON t TO plain_reader")
    tool.succeed(tool.run("dump", REPLICA_FROM=url, REPLICA_TO=store.url, **variables))


def test_a_dump_that_fails_before_its_first_object_leaves_nothing(server, databases, store):
    """The leader has the role's only connection, so no worker gets one."""
    source = databases(server)
    source.sql("CREATE TABLE t AS SELECT 1 AS i")
    server.sql("CREATE ROLE single LOGIN CONNECTION LIMIT 1 PASSWORD 'secret'; GRANT pg_read_all_data TO single")
    try:
        dump_fails(source.url("single", "secret"), store, tool.SOURCE, "too many connections for role")
        assert not [name for name in os.listdir(store.path) if name.startswith("dump-")]
    finally:
        server.sql("DROP ROLE single")


def test_row_level_security_is_an_error_and_never_a_partial_dump(server, databases, store, reader):
    source = databases(server)
    for name in ("roles.sql", "rls.sql"):
        source.file(os.path.join(sample.FOLDER, name))
    source.sql("GRANT SELECT ON secrets TO plain_reader")
    dump_fails(source.url(reader, "plain"), store, tool.SOURCE, "row-level security", "secrets")
    tool.dump(source, store)
    assert store.manifest()["rows"] == 100


def test_the_source_goes_away_in_the_middle(big, store):
    source, _ = big
    with proxy.between(source.server.port, rate=30e6) as line:
        process = tool.start("dump", REPLICA_FROM=source.url(port=line.port), REPLICA_TO=store.url)
        line.wait_passed(10e6)
        line.cut()
        out, err = process.communicate(timeout=60)
    assert process.returncode == tool.SOURCE, err
    assert store.complete() == []
    assert [name for name in store.files() if name.endswith((".zst", ".tmp"))] == []


def test_a_backend_that_is_terminated(big, store):
    source, _ = big
    with proxy.between(source.server.port, rate=30e6) as line:
        process = tool.start("dump", REPLICA_FROM=source.url(port=line.port), REPLICA_TO=store.url)
        line.wait_passed(10e6)
        source.server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s' AND query ~* 'copy'"
            % source.name
        )
        line.free()
        out, err = process.communicate(timeout=60)
    assert process.returncode == tool.SOURCE, err
    # A backend that is blocked in sending can't say why it ends.
    assert b"terminating connection" in err or b"closed the connection" in err
    assert store.complete() == []


# The destination ----------------------------------------------------------------------------------------


def restore_fails(store, url, *phrases, **variables):
    return tool.refused(
        tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=url, **variables),
        tool.TARGET,
        *phrases
    )


def test_an_unreachable_destination(small_store_original, target):
    with proxy.nobody() as port:
        restore_fails(small_store_original, target.url(port=port), str(port))


def test_a_destination_with_a_wrong_password(small_store_original, target):
    restore_fails(
        small_store_original, target.url(password="wrong"), "password authentication failed"
    )


@pytest.mark.parametrize(
    "what",
    [
        "CREATE TABLE mine (a integer)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE mine AS ENUM ('a')",
        "SELECT lo_create(77)",
    ],
)
def test_a_destination_that_is_not_empty(small_store_original, target, what):
    target.sql(what)
    restore_fails(small_store_original, target.url(), "not empty", "REPLICA_CLEAN")
    tool.restore(small_store_original, target, REPLICA_CLEAN="yes")


def test_a_statement_that_the_destination_refuses_is_named(server, databases, store, target):
    source = databases(server)
    server.sql("CREATE ROLE soon_gone")
    source.sql(
        "CREATE TABLE first_one (a integer); CREATE TABLE owned_one (a integer); ALTER TABLE owned_one OWNER TO soon_gone"
    )
    tool.dump(source, store, REPLICA_OWNERS="yes")
    source.drop()
    server.sql("DROP ROLE soon_gone")
    restore_fails(
        store, target.url(), "soon_gone", "ALTER TABLE", "owned_one", REPLICA_OWNERS="yes"
    )
    tool.restore(store, target, REPLICA_CLEAN="yes")


def test_a_missing_extension_is_named(server18, server, databases, store, target):
    source = databases(server18)
    files = server18.sql(
        "SELECT setting || '/extension/only_here' FROM pg_config WHERE name = 'SHAREDIR'"
    )
    made = {
        files + ".control": "default_version = '1'\n",
        files + "--1.sql": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
    }
    try:
        for path, text in made.items():
            with open(path, "w") as file:
                file.write(text)
        source.sql("CREATE EXTENSION only_here")
        tool.dump(source, store)
    finally:
        for path in made:
            os.remove(path)
    restore_fails(store, target.url(), "only_here", "CREATE EXTENSION")


def test_rows_that_the_destination_refuses(server, databases, store, target):
    """The check holds at the source by a function that is kinder there; at the destination it refuses."""
    source = databases(server)
    source.sql("""CREATE FUNCTION kind(a integer) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN RETURN a < 50 OR current_database() = '%s'; END $$;
        CREATE TABLE picky (a integer CHECK (kind(a)));
        INSERT INTO picky SELECT generate_series(1, 100)""" % source.name)
    tool.dump(source, store)
    restore_fails(store, target.url(), "picky", "check constraint")


def test_the_destination_goes_away_in_the_middle(big, store, target):
    _, source = big
    tool.dump(source, store)
    with proxy.between(target.server.port, rate=20e6) as line:
        process = tool.start(
            "restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(port=line.port)
        )
        line.wait_passed(10e6)
        line.cut()
        out, err = process.communicate(timeout=60)
    assert process.returncode == tool.TARGET, err
    tool.restore(store, target, REPLICA_CLEAN="yes")


def test_a_user_who_may_not_create(server, small_store_original, target, reader):
    restore_fails(small_store_original, target.url(reader, "plain"), "permission denied")


# The store ----------------------------------------------------------------------------------------------


def test_a_store_that_can_not_be_written(small, store):
    os.chmod(store.path, 0o555)
    result = tool.run(
        "dump", wrapper=tool.as_nobody(), REPLICA_FROM=small.url(), REPLICA_TO=store.url
    )
    tool.refused(result, tool.STORE, store.path, "permission denied")
    assert store.files() == []


def test_a_store_below_something_that_is_no_directory(small, store):
    open(store.file("plain-file"), "w").close()
    result = tool.run("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url + "/plain-file/store")
    tool.refused(result, tool.STORE, "plain-file")


def test_a_store_that_is_full(shop, store):
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    if (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", store.path], capture_output=True
        ).returncode
        != 0
    ):
        pytest.skip("mounting is not allowed here")
    try:
        result = tool.run("dump", REPLICA_FROM=shop.url(), REPLICA_TO=store.url)
        tool.refused(result, tool.STORE, store.path, "no space left")
        assert store.complete() == []
        assert [name for name in store.files() if name.endswith((".zst", ".tmp"))] == []
    finally:
        subprocess.run(["umount", store.path], check=True)


def test_a_store_on_a_read_only_file_system(small, store):
    if os.getuid() != 0:
        pytest.skip("only root can mount a file system")
    if (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", store.path], capture_output=True
        ).returncode
        != 0
    ):
        pytest.skip("mounting is not allowed here")
    try:
        result = tool.run("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url)
        tool.refused(result, tool.STORE, store.path, "read-only")
    finally:
        subprocess.run(["umount", store.path], check=True)


def test_a_store_that_is_not_there(target, store):
    for command, variables in [
        ("restore", {"REPLICA_TO": target.url()}),
        ("list", {}),
        ("show", {}),
        ("export", {"REPLICA_TO": "stdout:"}),
    ]:
        result = tool.run(command, REPLICA_FROM=store.url + "/none", **variables)
        tool.refused(result, tool.STORE, store.path + "/none")


def test_an_empty_store_has_no_latest_dump(target, store):
    tool.refused(
        tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url()), tool.STORE, "no dump"
    )


def test_a_dump_that_is_not_there_is_answered_with_those_that_are(small_store, target):
    name = small_store.complete()[-1]
    result = tool.run(
        "restore", REPLICA_FROM=small_store.url, REPLICA_TO=target.url(), REPLICA_DUMP="dump-123"
    )
    tool.refused(result, tool.STORE, "dump-123", name)
