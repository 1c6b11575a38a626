"""Promise: where a pooler lends a session for one transaction at a time, nothing is dumped, restored or left behind."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import compare
import servers
import tool

INI = """
[databases]
* = host=%(socket)s port=%(server_port)d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %(port)d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %(folder)s/users
admin_users = postgres
pool_mode = %(mode)s
max_client_conn = 200
default_pool_size = %(size)d
server_round_robin = %(round_robin)d
query_wait_timeout = 5
logfile = %(folder)s/log
"""

SENTENCE = "connection pooler that gives each transaction another session"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def pgbouncer(room, server, mode, size=20, round_robin=0):
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    folder = tempfile.mkdtemp(prefix="pooler-", dir=room)
    words = {"folder": folder, "socket": server.socket, "server_port": server.port, "port": free_port(),
             "mode": mode, "size": size, "round_robin": round_robin}
    with open(folder + "/ini", "w") as file:
        file.write(INI % words)
    with open(folder + "/users", "w") as file:
        file.write('"postgres" "%s"\n' % servers.PASSWORD.replace('"', '""'))
    become = []
    if os.getuid() == 0:
        user = pwd.getpwuid(os.stat(server.directory + "/data").st_uid)
        become = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
        for path in [folder] + [os.path.join(folder, name) for name in os.listdir(folder)]:
            os.chown(path, user.pw_uid, user.pw_gid)
    process = subprocess.Popen(become + [program, folder + "/ini"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, open(folder + "/log").read()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", words["port"])).close()
                break
            assert time.monotonic() < deadline
        yield words["port"]
    finally:
        process.kill()
        process.wait()


def through(port, database, text, check=True):
    """What an application of the pool gets to see."""
    done = subprocess.run(
        ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres",
         "-d", database.name, "-c", text],
        capture_output=True, text=True, env={"PATH": os.environ["PATH"], "PGPASSWORD": servers.PASSWORD})
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def strangers(port, database):
    """What sessions of the pool are set to: they have been ours, if we were let in."""
    return through(port, database, "SELECT string_agg(name || '=' || setting, ' ') FROM pg_settings"
                   " WHERE source = 'session' AND name NOT IN ('application_name', 'client_encoding', 'DateStyle',"
                   " 'TimeZone', 'standard_conforming_strings')")


@pytest.fixture
def floats(server, databases):
    database = databases(server)
    database.sql("CREATE TABLE f (a float8); INSERT INTO f VALUES (0.1 + 0.2), (pi())")
    return database


WAYS = [("transaction", 20, 0), ("transaction", 2, 0), ("transaction", 20, 1), ("statement", 20, 0)]


@pytest.mark.parametrize("mode,size,round_robin", WAYS)
def test_every_command_is_refused_and_leaves_nothing(room, server, floats, databases, store, mode, size, round_robin):
    full, empty = tool.Store(store.path + "/full"), databases(server)
    os.mkdir(full.path)
    tool.dump(floats, full)
    with pgbouncer(room, server, mode, size, round_robin) as port:
        source, there = floats.url(port=port), empty.url(port=port)
        commands = [
            ("dump", tool.SOURCE, {"REPLICA_FROM": source, "REPLICA_TO": store.url}),
            ("check", tool.SOURCE, {"REPLICA_FROM": source}),
            ("copy", tool.SOURCE, {"REPLICA_FROM": source, "REPLICA_TO": empty.url()}),
            ("copy", tool.TARGET, {"REPLICA_FROM": floats.url(), "REPLICA_TO": there}),
            ("restore", tool.TARGET, {"REPLICA_FROM": full.url, "REPLICA_TO": there}),
            ("check", tool.TARGET, {"REPLICA_FROM": full.url, "REPLICA_TO": there}),
        ]
        if size == 2:  # sessions of both databases are in use by others, which come and go
            for database in (floats, empty):
                through(port, database, "SELECT 1")
        for command, code, variables in commands:
            result = tool.run(command, **variables)
            said = result.err + result.out
            assert result.code == code and SENTENCE in said and "pool_mode = session" in said, (command, said)
        for database in (floats, empty):
            assert strangers(port, database) == "", mode
    assert not [name for name in store.files() if not name.startswith("full/")]
    assert empty.sql("SELECT count(*) FROM pg_class WHERE oid >= 16384") == "0"
    print("%s, %d sessions: %d commands refused" % (mode, size, len(commands)))


def test_a_busy_pool_is_recognised(room, server, floats, store):
    """Others take sessions and bring them back all the time, so chance has a say in which one we get."""
    with pgbouncer(room, server, "transaction", 6) as port:
        stop = threading.Event()

        def work():
            with subprocess.Popen(
                ["psql", "-XAtq", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-d", floats.name],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"], "PGPASSWORD": servers.PASSWORD}, text=True,
            ) as psql:
                while not stop.is_set():
                    psql.stdin.write("SELECT pg_sleep(0.002);\n" * 20)
                    psql.stdin.flush()
                    time.sleep(0.03)
                psql.stdin.close()

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        try:
            time.sleep(0.3)
            for _ in range(10):
                tool.refused(tool.run("check", REPLICA_FROM=floats.url(port=port)), tool.SOURCE, SENTENCE)
            assert strangers(port, floats) == ""
        finally:
            stop.set()
            for worker in workers:
                worker.join()
    print("a busy pool: 10 of 10 recognised")


def test_what_others_have_set_cuts_no_float(room, server, floats, databases, store):
    """The case that was seen: an application's extra_float_digits in the pool, and a dump with exit 0."""
    with pgbouncer(room, server, "transaction") as port:
        through(port, floats, "SET extra_float_digits = -9")
        result = tool.run("dump", REPLICA_FROM=floats.url(port=port), REPLICA_TO=store.url)
        tool.refused(result, tool.SOURCE, SENTENCE)
        assert through(port, floats, "SHOW extra_float_digits") == "-9"
    assert store.files() == []


def test_session_mode_is_as_good_as_the_server(room, server, small, target, store):
    """A pool no larger than what a run needs, and every command through it, both ends, a cancel among them."""
    with pgbouncer(room, server, "session", 6) as port:
        checked = tool.succeed(tool.run("check", REPLICA_FROM=small.url(port=port), REPLICA_TO=store.url))
        assert "through a pooler in session mode" in checked.out
        tool.succeed(tool.run("dump", REPLICA_FROM=small.url(port=port), REPLICA_TO=store.url, REPLICA_JOBS=2))
        tool.succeed(tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url(port=port), REPLICA_JOBS=2))
        compare.assert_same(small, target)
        tool.succeed(tool.run("copy", REPLICA_FROM=small.url(port=port), REPLICA_TO=target.url(port=port),
                              REPLICA_CLEAN="yes", REPLICA_JOBS=2))
        compare.assert_same(small, target)
        assert strangers(port, small) == ""
    direct = tool.succeed(tool.run("check", REPLICA_FROM=small.url(), REPLICA_TO=store.url))
    assert "pooler" not in direct.out
