"""Promise: PostgreSQL is reached over TLS as libpq's documentation says, and nothing that should be checked is not."""

import contextlib
import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import compare
import pki
import proxy
import sample
import servers
import tool
from test_signals import locked

HOST = "db.example.com"
HOSTSSL = "hostssl all all 127.0.0.1/32 scram-sha-256"
BY_CERTIFICATE = "hostssl all keeper 127.0.0.1/32 cert"

# What we connect to is always 127.0.0.1; the name in front of it is what the certificate is compared with.
HERE = {"host": HOST, "hostaddr": "127.0.0.1"}


@pytest.fixture(scope="module")
def authorities(room):
    """(root, intermediate, stranger, folder)"""
    folder = os.path.join(room, "pki")
    os.makedirs(folder)
    root = pki.Authority(folder, "Test Root", "rsa:2048")
    middle = pki.Authority(folder, "Test Intermediate", "ec:P-384", parent=root)
    return root, middle, pki.Authority(folder, "A Stranger"), folder


@pytest.fixture(scope="module")
def usual(authorities):
    """What a well-run server shows: a leaf under an intermediate authority."""
    return authorities[1].issue(HOST, names=[HOST], addresses=["127.0.0.1"], key="rsa:2048")


@pytest.fixture(scope="module")
def tls_server(room, usual):
    """Nobody is let in without TLS; every connection is logged with the protocol it came by."""
    lines = ("log_connections = on", "log_statement = 'all'")
    with servers.started(os.path.join(room, "tls"), None, lines) as server:
        server.sql("CREATE ROLE keeper SUPERUSER LOGIN")
        server.allow(BY_CERTIFICATE, HOSTSSL)
        server.present(usual)
        yield server


@pytest.fixture(scope="module")
def tls_small(tls_server):
    return sample.load_small(tls_server, "small over tls")


@pytest.fixture(scope="module")
def tiny(tls_server):
    database = tls_server.create("tiny")
    database.sql("CREATE TABLE t (a integer); INSERT INTO t SELECT generate_series(1, 10)")
    return database


@pytest.fixture
def tls_target(tls_server, databases):
    return databases(tls_server)


SPOILT = ("ssl_min_protocol_version", "ssl_max_protocol_version", "ssl_ciphers", "ssl_ecdh_curve")


@pytest.fixture
def back_to_usual(tls_server, usual):
    yield
    tls_server.sql("".join("ALTER SYSTEM RESET %s;" % name for name in SPOILT))
    tls_server.present(usual)


OK = ['database "nowhere" does not exist']


def attempt(room, server, wanted, environment=(), **parameters):
    """Try to log in.  The database is one that is not there, and the server says so only to those whom it has let
    in: wanted is OK.  Otherwise wanted are phrases of the sentence."""
    result = tool.run(
        "dump",
        REPLICA_FROM=servers.Database(server, "nowhere").url(**{**HERE, **parameters}),
        REPLICA_TO="file://" + os.path.join(room, "no store"),
        **dict(environment),
    )
    tool.refused(result, tool.SOURCE, *wanted)


def logged_connections(server, since):
    """Those that came in by TCP; psql in these tests takes the socket."""
    lines = re.findall(r"connection authorized: .*", server.log[since:])
    return [line for line in lines if "application_name=psql" not in line]


# ---- the whole way ----------------------------------------------------------------------------------------------


def test_dump_and_restore_bound_to_the_channel(tls_server, tls_small, tls_target, store, authorities):
    """verify-full and SCRAM-SHA-256-PLUS, for every connection: ours, the workers', pg_dump's."""
    strict = {
        "sslmode": "verify-full",
        "sslrootcert": authorities[0].cert,
        "channel_binding": "require",
        "require_auth": "scram-sha-256",
        **HERE,
    }
    since = len(tls_server.log)
    tool.succeed(
        tool.run("dump", REPLICA_FROM=tls_small.url(**strict), REPLICA_TO=store.url, REPLICA_JOBS=2)
    )
    tool.succeed(
        tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=tls_target.url(**strict), REPLICA_JOBS=2)
    )
    connections = logged_connections(tls_server, since)
    assert len(connections) >= 8
    assert sum("application_name=pg_dump" in line for line in connections) == 1
    for line in connections:
        assert "SSL enabled (protocol=TLSv1.2, cipher=ECDHE-RSA-" in line
    compare.assert_same(tls_small, tls_target)


def test_the_variables_of_libpq(tls_server, tiny, authorities, store):
    """The same by PG* alone; pg_dump gets them too."""
    variables = {
        "PGHOST": HOST,
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": tls_server.port,
        "PGUSER": "postgres",
        "PGPASSWORD": servers.PASSWORD,
        "PGDATABASE": tiny.name,
        "PGSSLROOTCERT": authorities[0].cert,
        "PGCHANNELBINDING": "require",
    }
    dump = lambda **more: tool.run(
        "dump", REPLICA_FROM="postgres:", REPLICA_TO=store.url, **{**variables, **more}
    )
    tool.succeed(dump(PGSSLMODE="verify-full"))
    tool.refused(dump(PGSSLMODE="disable"), tool.SOURCE, "no encryption")
    tool.refused(
        dump(PGSSLMODE="verify-full", PGHOST="db.example.org"), tool.SOURCE, "db.example.org", HOST
    )
    tool.refused(
        dump(PGSSLMODE="require", PGSSLMINPROTOCOLVERSION="TLSv1.3"), tool.SOURCE, "TLS 1.2"
    )


def test_modes(room, tls_server):
    """A server that wants TLS of everybody: who did not ask for it gets there by libpq's second attempt."""
    attempt(room, tls_server, ["no encryption"], sslmode="disable")
    for mode in ("allow", "prefer", "require"):
        attempt(room, tls_server, OK, sslmode=mode)


def test_home(room, tls_server, authorities):
    """~/.postgresql/root.crt is believed where there is a home; then require checks the chain, as libpq does."""
    home = tempfile.mkdtemp(dir=room)
    os.makedirs(home + "/.postgresql")
    root = home + "/.postgresql/root.crt"
    shutil.copy(authorities[0].cert, root)
    attempt(room, tls_server, OK, {"HOME": home}, sslmode="verify-full")
    shutil.copy(authorities[2].cert, root)
    attempt(room, tls_server, ["Test Root", root], {"HOME": home}, sslmode="require")
    os.remove(root)
    attempt(room, tls_server, OK, {"HOME": home}, sslmode="require")
    attempt(room, tls_server, [root + " does not exist"], {"HOME": home}, sslmode="verify-ca")


def test_system_authorities(room, tls_server, authorities):
    system = {"sslrootcert": "system", "sslmode": "verify-full"}
    attempt(room, tls_server, ["CN=Test Root", "built into replica"], **system)
    attempt(room, tls_server, OK, {"SSL_CERT_FILE": authorities[0].cert}, **system)
    attempt(room, tls_server, ["weak sslmode"], sslrootcert="system", sslmode="require")


# ---- certificates -----------------------------------------------------------------------------------------------

# kind: (how it is made, the host asked for, what verify-ca says, what verify-full says); require takes every one.
KINDS = {
    "rsa 2048": (dict(names=[HOST], key="rsa:2048"), HOST, OK, OK),
    "rsa 4096": (dict(names=[HOST], key="rsa:4096"), HOST, OK, OK),
    "rsa signed with sha512": (dict(names=[HOST], key="rsa:3072", digest="sha512"), HOST, OK, OK),
    "p-256": (dict(names=[HOST], key="ec:P-256"), HOST, OK, OK),
    "p-384": (dict(names=[HOST], key="ec:P-384"), HOST, OK, OK),
    "second of many names": (dict(names=["a.example", HOST, "b.example"]), HOST, OK, OK),
    "in capitals": (dict(names=["DB.Example.COM"]), HOST, OK, OK),
    "wildcard": (dict(names=["*.example.com"]), HOST, OK, OK),
    "wildcard a label too high": (dict(names=["*.com"]), HOST, OK, ["*.com", HOST]),
    "wildcard for a deeper name": (
        dict(names=["*.example.com"]),
        "eu.db.example.com",
        OK,
        ["*.example.com", "eu.db.example.com"],
    ),
    "address": (dict(addresses=["127.0.0.1"]), "127.0.0.1", OK, OK),
    "another address": (dict(addresses=["127.0.0.2"]), "127.0.0.1", OK, ["127.0.0.2", "127.0.0.1"]),
    "a name, asked by address": (dict(names=[HOST]), "127.0.0.1", OK, [HOST, "127.0.0.1"]),
    "common name alone": (dict(common=HOST), HOST, OK, OK),
    "common name beside names": (dict(common=HOST, names=["a.example"]), HOST, OK, ["a.example"]),
    "another name": (dict(names=["a.example", "b.example"]), HOST, OK, ["a.example", "b.example", HOST]),
    "expired": (
        dict(names=[HOST], start=pki.LONG_AGO, end=pki.YESTERDAY),
        HOST,
        ["expired: it was valid until 2024-01-01"],
        ["expired: it was valid until 2024-01-01", "clock says"],
    ),
    "of tomorrow": (
        dict(names=[HOST], start=pki.FAR, end=pki.FARTHER),
        HOST,
        ["2049-01-01", "clock says"],
        ["2049-01-01"],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_certificates(room, tls_server, authorities, back_to_usual, kind):
    arguments, host, by_authority, by_name = KINDS[kind]
    tls_server.present(authorities[1].issue(**arguments))
    trust = {"sslrootcert": authorities[0].cert}
    attempt(room, tls_server, OK, host=host, sslmode="require")
    attempt(room, tls_server, by_authority, host=host, sslmode="verify-ca", **trust)
    attempt(room, tls_server, by_name, host=host, sslmode="verify-full", **trust)
    if by_name is OK:
        attempt(room, tls_server, OK, host=host, sslmode="verify-full", channel_binding="require", **trust)


def test_issuers(room, tls_server, authorities, back_to_usual):
    root, middle, stranger, folder = authorities
    full = {"sslmode": "verify-full"}
    leaf = middle.issue(HOST, names=[HOST])

    tls_server.present(leaf)
    attempt(room, tls_server, ["CN=Test Root", "none of", stranger.cert], sslrootcert=stranger.cert, **full)
    attempt(room, tls_server, OK, sslrootcert=middle.cert, **full)
    # The intermediate is missing: the root alone can't vouch for the leaf.
    tls_server.present(pki.Certificate(leaf.cert, leaf.key, leaf.cert))
    attempt(room, tls_server, ["CN=Test Intermediate", "none of"], sslrootcert=root.cert, **full)

    tls_server.present(root.issue(HOST, names=[HOST]))
    attempt(room, tls_server, OK, sslrootcert=root.cert, **full)
    bundle = os.path.join(folder, "bundle.pem")
    with open(bundle, "wb") as file:
        for authority in (stranger, root):
            file.write(b"text around it\n" + open(authority.cert, "rb").read().rstrip())
            file.write(b"\n" if authority is stranger else b"")
    attempt(room, tls_server, OK, sslrootcert=bundle, **full)

    alone = pki.self_signed(folder, HOST)
    tls_server.present(alone)
    attempt(room, tls_server, ["signed by itself", root.cert], sslrootcert=root.cert, **full)
    attempt(room, tls_server, OK, sslrootcert=alone.cert, **full)
    attempt(room, tls_server, OK, sslmode="require")


# ---- the client's own certificate -------------------------------------------------------------------------------


def test_client_certificates(room, tls_server, authorities, usual, back_to_usual):
    root, middle, stranger, folder = authorities
    tls_server.present(usual, root.cert)
    keeper = {"user": "keeper", "password": None, "sslmode": "verify-full", "sslrootcert": root.cert}
    log_in = lambda wanted, cert, key, **more: attempt(
        room, tls_server, wanted, **keeper, sslcert=cert, sslkey=key, **more
    )

    for kind in ("rsa:2048", "rsa:4096", "ec:P-256"):
        mine = middle.issue("keeper", key=kind, client=True)
        log_in(OK, mine.chain, mine.key, sslcertmode="allow")
        log_in(OK, mine.chain, pki.legacy(mine.key))
        log_in(OK, mine.chain, pki.der(mine.key))

    log_in(["requires a valid client certificate"], mine.chain, mine.key, sslcertmode="disable")
    log_in(["requires a valid client certificate"], "/nonexistent", "/nonexistent")
    other = middle.issue("keeper", client=True)
    log_in([other.key, mine.chain, "belong"], mine.chain, other.key)
    log_in(["encrypted"], mine.chain, pki.encrypted(mine.key, "secret"), sslpassword="secret")
    os.chmod(other.key, 0o644)
    log_in([other.key, "0600"], other.chain, other.key)
    somebody = middle.issue("somebody", client=True)
    log_in(["certificate authentication failed"], somebody.chain, somebody.key)
    foreign = stranger.issue("keeper", client=True)
    log_in(["certificate"], foreign.chain, foreign.key)

    # Under TLS 1.2 a server takes a client's certificate on its own curve alone; psql meets the same.
    mine = middle.issue("keeper", key="ec:P-384", client=True)
    log_in(["refuses"], mine.chain, mine.key)
    tls_server.present(usual, root.cert, ssl_ecdh_curve="secp384r1")
    log_in(OK, mine.chain, mine.key)


# ---- protocols --------------------------------------------------------------------------------------------------


def test_a_server_of_tls_1_3(room, tls_server, usual, back_to_usual):
    """One sentence, not two attempts' worth of noise."""
    tls_server.present(usual, ssl_min_protocol_version="TLSv1.3")
    for mode in ("require", "verify-ca"):
        attempt(room, tls_server, ["wants TLS 1.3", "replica speaks TLS 1.2"], sslmode=mode, sslrootcert=usual.cert)
    # Who prefers TLS is tried without it, too, and hears both.
    attempt(room, tls_server, ["wants TLS 1.3", "no encryption"], sslmode="prefer")


@pytest.mark.parametrize(
    "suite",
    [
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ],
)
def test_suites(room, tls_server, usual, authorities, back_to_usual, suite):
    tls_server.present(usual, ssl_ciphers=suite)
    since = len(tls_server.log)
    attempt(room, tls_server, OK, sslmode="verify-full", sslrootcert=authorities[0].cert)
    assert "cipher=" + suite in tls_server.log[since:]


def test_no_suite_in_common(room, tls_server, usual, back_to_usual):
    tls_server.present(usual, ssl_ciphers="AES256-SHA", ssl_max_protocol_version="TLSv1.2")
    attempt(room, tls_server, ["handshake"], sslmode="require")


def test_direct_negotiation(room, server18, usual, authorities):
    """PostgreSQL 17 and newer take TLS from the first byte, and want to hear by ALPN that it is meant for them."""
    server18.allow(HOSTSSL)
    try:
        server18.present(usual)
        trust = {"sslrootcert": authorities[0].cert, "sslnegotiation": "direct"}
        attempt(room, server18, OK, sslmode="verify-full", channel_binding="require", **trust)
        attempt(room, server18, ["weak sslmode"], sslmode="prefer", **trust)
    finally:
        server18.sql("ALTER SYSTEM RESET ssl")
        server18.allow("host all all 127.0.0.1/32 scram-sha-256")


def test_direct_negotiation_with_a_server_that_does_not_know_it(room, tls_server):
    attempt(room, tls_server, ["handshake"], sslmode="require", sslnegotiation="direct")


# ---- pgbouncer --------------------------------------------------------------------------------------------------

PGBOUNCER = """
[databases]
* = host=%(socket)s port=%(server_port)d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %(port)d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %(folder)s/users
pool_mode = session
ignore_startup_parameters = extra_float_digits
client_tls_sslmode = require
client_tls_cert_file = %(folder)s/server.crt
client_tls_key_file = %(folder)s/server.key
logfile = %(folder)s/log
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def pgbouncer(room, server, certificate):
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    folder = tempfile.mkdtemp(prefix="bouncer-", dir=room)
    words = {"folder": folder, "socket": server.socket, "server_port": server.port, "port": free_port()}
    with open(folder + "/ini", "w") as file:
        file.write(PGBOUNCER % words)
    with open(folder + "/users", "w") as file:
        file.write('"postgres" "%s"\n' % servers.PASSWORD.replace('"', '""'))
    shutil.copy(certificate.chain, folder + "/server.crt")
    shutil.copy(certificate.key, folder + "/server.key")
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


def test_through_pgbouncer(room, tls_server, tls_small, tls_target, store, usual, authorities):
    """In session mode it is as good as the server, and its TLS is its own; it binds no channels."""
    with pgbouncer(room, tls_server, usual) as port:
        there = {"port": port, "sslmode": "verify-full", "sslrootcert": authorities[0].cert, **HERE}
        tool.succeed(tool.run("dump", REPLICA_FROM=tls_small.url(**there), REPLICA_TO=store.url))
        tool.succeed(tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=tls_target.url(**there)))
        attempt(room, tls_server, ["channel binding"], channel_binding="require", **there)
    compare.assert_same(tls_small, tls_target)


# ---- many bytes -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def heavy(tls_server):
    """40 MB of rows of 1 kB, beside a single row of 20 MB."""
    database = sample.load_big(tls_server, "heavy over tls", 40)
    database.sql("""CREATE TABLE long (a text);
        INSERT INTO long SELECT string_agg(md5(n::text), '') FROM generate_series(1, 625000) AS n""")
    return database


def fingerprint(database):
    rows = database.sql("COPY (SELECT * FROM heavy ORDER BY id) TO STDOUT")
    rows += database.sql("COPY (SELECT * FROM long) TO STDOUT")
    return hashlib.md5(rows.encode()).hexdigest()


def test_many_bytes_both_ways(heavy, tls_target, store, authorities):
    trust = {"sslmode": "verify-full", "sslrootcert": authorities[0].cert, **HERE}
    tool.succeed(tool.run("dump", REPLICA_FROM=heavy.url(**trust), REPLICA_TO=store.url))
    # A line that takes less than we have: every record is sent in parts.
    with proxy.between(tls_target.server.port, rate=40e6) as line:
        there = tls_target.url(port=line.port, **trust)
        tool.succeed(tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=there))
    assert fingerprint(tls_target) == fingerprint(heavy)


class Pieces(proxy.Proxy):
    """Passes a few hundred bytes at a time, each in a packet of its own."""

    def pump(self, source, target):
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            while data := source.recv(701):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def pieces(port):
    line = Pieces(port)
    try:
        yield line
    finally:
        line.cut()


def test_bytes_in_pieces(tls_small, tls_target, store):
    """Records come in pieces that have nothing to do with them."""
    with pieces(tls_small.server.port) as line:
        there = {"port": line.port, "sslmode": "require", **HERE}
        tool.succeed(tool.run("dump", REPLICA_FROM=tls_small.url(**there), REPLICA_TO=store.url))
        tool.succeed(tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=tls_target.url(**there)))
    compare.assert_same(tls_small, tls_target)


@pytest.mark.parametrize("command", ["dump", "restore"])
def test_a_line_that_breaks(heavy, tls_target, store, command):
    """In the middle of a COPY, in either direction: a failure, whole in one sentence, and no half dump."""
    if command == "restore":
        tool.dump(heavy, store, PGSSLMODE="require")
    database = heavy if command == "dump" else tls_target
    with proxy.between(heavy.server.port, rate=30e6) as line:
        there = database.url(port=line.port, sslmode="require", **HERE)
        process = tool.start(
            command,
            REPLICA_FROM=there if command == "dump" else store.url,
            REPLICA_TO=store.url if command == "dump" else there,
        )
        line.wait_passed(15e6)
        line.cut()
        _, err = process.communicate(timeout=60)
    assert process.returncode == (tool.SOURCE if command == "dump" else tool.TARGET), err
    assert re.search(rb"closed the connection|reset by peer|Broken pipe", err), err
    assert len(store.complete()) == (command == "restore")


def test_the_last_word_of_a_server(heavy, tls_target, store):
    """A backend that is ended from outside says so before it leaves, and we pass it on."""
    tool.dump(heavy, store, PGSSLMODE="require")
    with proxy.between(tls_target.server.port, rate=10e6) as line:
        there = tls_target.url(port=line.port, sslmode="require", **HERE)
        process = tool.start("restore", REPLICA_FROM=store.url, REPLICA_TO=there, REPLICA_JOBS=1)
        line.wait_passed(5e6)
        tls_target.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query ~ 'COPY.*FROM stdin' AND pid <> pg_backend_pid()"
        )
        line.free()
        _, err = process.communicate(timeout=60)
    assert process.returncode == tool.TARGET, err
    assert b"terminating connection due to administrator command" in err, err


def test_a_signal_cancels_over_tls(tls_server, databases, store):
    """A backend that waits for a lock does not notice that we left: it is told, by TLS again."""
    source = databases(tls_server)
    source.sql("CREATE TABLE busy (a integer)")
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with locked(source, "busy"):
        process = tool.start(
            "dump", REPLICA_FROM=source.url(sslmode="require", **HERE), REPLICA_TO=store.url
        )
        source.eventually(waiting, "1")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 143, err
        source.eventually(waiting, "0")
