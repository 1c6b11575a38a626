"""Promise: when TLS fails, one sentence says what failed, and where; nothing hangs, nothing falls back in silence."""

import contextlib
import os
import re
import select
import socket
import ssl
import struct
import threading
import time

import pytest

import pki
import sample
import servers
import tool

HOST = "db.example.com"


@pytest.fixture(scope="module")
def certificate(room):
    folder = os.path.join(room, "pki-of-sentences")
    os.makedirs(folder)
    return pki.self_signed(folder, HOST)


class Peer:
    """Somebody on a port of 127.0.0.1 who does what play(connection) does, for each that connects."""

    def __init__(self, play):
        self.play = play
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.settimeout(30)
            self.play(connection)


@contextlib.contextmanager
def peer(play):
    it = Peer(play)
    try:
        yield it.port
    finally:
        it.listener.close()


def take(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def agree(connection):
    """Take the SSLRequest (eight bytes) and say yes."""
    assert struct.unpack("!II", take(connection, 8)) == (8, 80877103)
    connection.sendall(b"S")


def dump(room, port, **parameters):
    parameters = {"hostaddr": "127.0.0.1", "sslmode": "require", **parameters}
    query = "&".join("%s=%s" % item for item in parameters.items())
    return tool.run(
        "dump",
        REPLICA_FROM="postgres://u:p@%s:%d/d?%s" % (HOST, port, query),
        REPLICA_TO="file://" + os.path.join(room, "no store"),
    )


def fails(room, play, *phrases, **parameters):
    with peer(play) as port:
        result = dump(room, port, **parameters)
    tool.refused(result, tool.SOURCE, *phrases)
    return result


# ---- before the handshake ---------------------------------------------------------------------------------------


def test_a_server_without_tls(room, small):
    result = tool.run(
        "dump",
        REPLICA_FROM=small.url(sslmode="require"),
        REPLICA_TO="file://" + os.path.join(room, "no store"),
    )
    tool.refused(result, tool.SOURCE, "server does not support SSL, but SSL was required")


def test_prefer_goes_on_without(small, store):
    """sslmode=prefer, which is libpq's default, takes what it gets; but not when the channel must be bound."""
    run = lambda **more: tool.run(
        "dump", REPLICA_FROM=small.url(**more), REPLICA_TO=store.url, REPLICA_TABLES="public.settings"
    )
    tool.succeed(run())
    tool.succeed(run(sslmode="prefer"))
    tool.refused(run(channel_binding="require"), tool.SOURCE, "channel binding")


def test_a_server_that_answers_nonsense(room):
    def play(connection):
        take(connection, 8)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    fails(room, play, "received invalid response to SSL negotiation: H")


def test_a_server_that_answers_with_an_error(room):
    def play(connection):
        take(connection, 8)
        connection.sendall(b"E\0\0\0\x10SFATAL\0Mno\0\0")

    result = fails(room, play, "server sent an error response during SSL exchange")
    assert "Mno" not in result.err


def test_a_server_that_closes_at_once(room):
    fails(room, lambda connection: take(connection, 8), "closed the connection")


def test_bytes_slipped_in_before_the_handshake(room, certificate):
    """CVE-2021-23222: what came before the encryption is not part of what was encrypted."""

    def play(connection):
        take(connection, 8)
        connection.sendall(b"SR\0\0\0\x08\0\0\0\0")
        server_side(certificate).wrap_socket(connection, server_side=True).recv(100)

    fails(room, play, "received unencrypted data after SSL response")


# ---- in the handshake -------------------------------------------------------------------------------------------


def server_side(certificate, **settings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def hello_size(head):
    return struct.unpack("!H", head[3:5])[0]


def test_a_connection_that_ends_in_the_handshake(room):
    def play(connection):
        agree(connection)
        take(connection, hello_size(take(connection, 5)))

    result = fails(room, play, "closed the connection during the TLS handshake")
    assert HOST in result.err


def test_a_connection_that_is_reset_in_the_handshake(room):
    def play(connection):
        agree(connection)
        connection.recv(5)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    fails(room, play, "connection reset by peer")


def test_a_handshake_that_is_cut_anywhere(room, certificate):
    """The server's first flight ends after any number of bytes."""
    flight = first_flight(certificate)
    assert len(flight) > 300
    for size in [1, 4, 5, 6, 50, len(flight) // 2, len(flight) - 1]:

        def play(connection):
            agree(connection)
            take(connection, hello_size(take(connection, 5)))
            connection.sendall(flight[:size])

        # A part of it may be refused for another client's random numbers; it is never waited for.
        fails(room, play, "TLS handshake" if size < 50 else HOST)


def first_flight(certificate):
    """What a server of TLS 1.2 says to a hello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_in, client_out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = server_side(certificate, maximum_version=ssl.TLSVersion.TLSv1_2)
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client = client_context.wrap_bio(client_in, client_out)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    incoming.write(client_out.read())
    with contextlib.suppress(ssl.SSLWantReadError):
        server.do_handshake()
    return outgoing.read()


def test_a_peer_that_speaks_something_else(room):
    def play(connection):
        agree(connection)
        take(connection, 5)
        connection.sendall(b"220 mail.example.com ESMTP\r\n")

    fails(room, play, "TLS")


def test_a_peer_that_falls_silent(room):
    def play(connection):
        agree(connection)
        while connection.recv(1000):
            pass

    begin = time.monotonic()
    fails(room, play, "no answer from " + HOST, "within 2 s", connect_timeout=2)
    assert time.monotonic() - begin < 20


def handshake(certificate, **settings):
    def play(connection):
        agree(connection)
        with contextlib.suppress(ssl.SSLError):
            server_side(certificate, **settings).wrap_socket(connection, server_side=True).recv(100)

    return play


def test_tls_1_3_alone(room, certificate):
    new = handshake(certificate, minimum_version=ssl.TLSVersion.TLSv1_3)
    result = fails(room, new, "wants TLS 1.3", "replica speaks TLS 1.2")
    assert len(re.findall("TLS 1.3", result.err)) == 1


def test_versions_that_replica_does_not_speak(room, certificate):
    new = handshake(certificate)
    fails(room, new, "ssl_min_protocol_version=TLSv1.3", ssl_min_protocol_version="TLSv1.3")
    old = {"ssl_min_protocol_version": "TLSv1", "ssl_max_protocol_version": "TLSv1.1"}
    fails(room, new, "ssl_max_protocol_version=TLSv1.1", **old)
    fails(room, new, "invalid SSL protocol version range", ssl_max_protocol_version="TLSv1.1")


def test_a_session_that_ends_behind_the_handshake(room, certificate):
    def play(connection):
        agree(connection)
        session = server_side(certificate).wrap_socket(connection, server_side=True)
        session.recv(4)
        session.unwrap()

    fails(room, play, "closed the connection")

    def cut(connection):
        agree(connection)
        server_side(certificate).wrap_socket(connection, server_side=True).recv(4)

    fails(room, cut, "closed the connection")


# ---- direct negotiation -----------------------------------------------------------------------------------------


def terminator(certificate, port, *protocols):
    """
    A TLS terminator as clouds have them: TLS from the first byte on, plain bytes behind it. One thread moves both
    ways: before Python 3.13 a session that one thread reads and another writes is damaged now and then.
    """
    context = server_side(certificate)
    if protocols:
        context.set_alpn_protocols(list(protocols))

    def play(connection):
        try:
            session = context.wrap_socket(connection, server_side=True)
        except ssl.SSLError:
            return
        with session, socket.create_connection(("127.0.0.1", port)) as server:
            while True:
                ready = [session] if session.pending() else select.select([session, server], [], [])[0]
                for source, target in ((session, server), (server, session)):
                    if source in ready:
                        data = source.recv(65536)
                        if not data:
                            return
                        target.sendall(data)

    return play


def test_direct_negotiation_through_a_terminator(room, small, store, certificate):
    """A whole dump, pg_dump's part of it included."""
    with peer(terminator(certificate, small.server.port, "postgresql")) as port:
        direct = {"host": HOST, "hostaddr": "127.0.0.1", "port": port, "sslnegotiation": "direct"}
        trust = {"sslmode": "verify-full", "sslrootcert": certificate.cert}
        tool.succeed(
            tool.run("dump", REPLICA_FROM=small.url(**direct, **trust), REPLICA_TO=store.url)
        )
    assert store.manifest()["rows"] == sample.SMALL_ROWS


def test_direct_negotiation_wants_to_be_understood(room, small, certificate):
    port = small.server.port
    direct = {"sslnegotiation": "direct"}
    fails(room, terminator(certificate, port), "ALPN", "postgresql", **direct)
    fails(room, terminator(certificate, port, "http/1.1"), HOST, **direct)


# ---- files ------------------------------------------------------------------------------------------------------


def test_files_that_are_not_as_they_should_be(room, certificate):
    never = handshake(certificate)
    folder = os.path.join(room, "files-of-sentences")
    os.makedirs(folder)
    empty, text = os.path.join(folder, "empty.pem"), os.path.join(folder, "text.pem")
    open(empty, "w").close()
    with open(text, "w") as file:
        file.write("-----BEGIN CERTIFICATE-----\nnothing of the kind\n-----END CERTIFICATE-----\n")

    full = {"sslmode": "verify-full"}
    fails(room, never, "needs the certificates of authorities", "sslrootcert=system", **full)
    fails(room, never, "/nonexistent does not exist", sslrootcert="/nonexistent", **full)
    fails(room, never, empty, sslrootcert=empty, **full)
    fails(room, never, text, sslrootcert=text, **full)
    fails(room, never, folder, sslrootcert=folder, **full)
    fails(room, never, "revocation", "sslcrl", sslrootcert=certificate.cert, sslcrl="/a.crl", **full)
    fails(room, never, empty, sslcert=empty, sslkey=certificate.key)
    fails(room, never, certificate.cert, "private key", sslcert=certificate.cert)
    key = os.path.join(folder, "open.key")
    with open(certificate.key, "rb") as source, open(key, "wb") as target:
        target.write(source.read())
    os.chmod(key, 0o644)
    fails(room, never, key, "0644", sslcert=certificate.cert, sslkey=key)


def test_what_is_no_option(room, certificate):
    never = handshake(certificate)
    fails(room, never, "sslmode", "sometimes", sslmode="sometimes")
    fails(room, never, "sslcertmode", sslcertmode="require")
    fails(room, never, "sslnegotiation", sslnegotiation="indirect")
    fails(room, never, "weak sslmode", sslmode="prefer", sslnegotiation="direct")
