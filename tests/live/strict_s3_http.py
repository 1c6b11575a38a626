"""HTTP/1.1 for a server that must be able to misbehave: raw heads, exact framing, and a wire to cut.

http.server of the standard library tidies what it reads and can't break what it writes; here the
request is kept as it came, and Wire has every rudeness that networks know: reset(), close(), silence.
One thread serves one connection, over plain TCP and over TLS at the same time."""

import contextlib
import re
import socket
import ssl
import struct
import threading

HEAD_MAX = 64 * 1024
BODY_MAX = 256 * 1024 * 1024
IDLE_SECONDS = 60


class Broken(Exception):
    """The connection is at its end; nothing more can be said on it."""


class Request:
    """method, target and headers as they came; decoded as Latin-1, so that each byte is one character."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        match = re.match(r"([A-Z]+) (\S+) HTTP/1\.1$", lines[0])
        if not match:
            raise Broken("no request line: %r" % lines[0])
        self.method, self.target = match.groups()
        self.headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not re.match(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+$", name):
                raise Broken("no header: %r" % line)
            self.headers.append((name, value.strip(" \t")))

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name]
        return ",".join(values) if values else None


class Answer:
    def __init__(self, status, headers=None, body=b"", chunked=False):
        self.status, self.headers, self.body, self.chunked = (
            status,
            dict(headers or {}),
            body,
            chunked,
        )

    def bytes(self, bodiless=False):
        """The head, and the body unless the answer is one to HEAD."""
        lines = ["HTTP/1.1 %d %s" % (self.status, "OK" if self.status < 300 else "Not OK")]
        lines += ["%s: %s" % item for item in self.headers.items()]
        body = self.body
        if self.chunked and body:
            lines.append("Transfer-Encoding: chunked")
            body = chunks(body)
        elif self.status not in (204, 304):
            lines.append("Content-Length: %d" % len(body))
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        return head, b"" if bodiless else bytes(body)


def chunks(body):
    """Three of them, so that something is cut in its middle."""
    size = len(body) // 3 + 1
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class Wire:
    def __init__(self, connection, over_tls):
        self.socket, self.over_tls = connection, over_tls
        self.held = b""

    def receive(self):
        try:
            data = self.socket.recv(65536)
        except OSError as error:
            raise Broken(str(error)) from error
        if not data:
            raise Broken("the client has closed")
        return data

    def read_request(self):
        while b"\r\n\r\n" not in self.held:
            if len(self.held) > HEAD_MAX:
                raise Broken("a head without end")
            self.held += self.receive()
        head, _, self.held = self.held.partition(b"\r\n\r\n")
        return Request(head)

    def read_body(self, size):
        if size > BODY_MAX:
            raise Broken("a body of %d bytes" % size)
        body = bytearray(size)
        view, at = memoryview(body), min(size, len(self.held))
        body[:at], self.held = self.held[:at], self.held[at:]
        while at < size:
            try:
                got = self.socket.recv_into(view[at:])
            except OSError as error:
                raise Broken(str(error)) from error
            if got == 0:
                raise Broken("the client has closed inside a body")
            at += got
        return body

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Broken(str(error)) from error

    def reset(self):
        """Cut it so that the client sees ECONNRESET."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()
        raise Broken("reset on purpose")

    def wait_for_end(self):
        """Say nothing until the client gives up; what it still sends is thrown away."""
        while True:
            self.receive()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()


class HttpServer:
    """serve(wire, request) answers one request; an exception other than Broken is kept in `mistakes`."""

    def __init__(self, serve, certificate=None, key=None):
        self.serve = serve
        self.mistakes = []
        self.wires = set()
        self.lock = threading.Lock()
        self.listeners = []
        self.port = self.listen(None)
        self.tls_port = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.tls_port = self.listen(context)

    def listen(self, context):
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listeners.append(listener)
        threading.Thread(target=self.accept, args=(listener, context), daemon=True).start()
        return listener.getsockname()[1]

    def accept(self, listener, context):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self.connection, args=(connection, context), daemon=True
            ).start()

    def connection(self, connection, context):
        connection.settimeout(IDLE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()
            return
        wire = Wire(connection, context is not None)
        with self.lock:
            self.wires.add(wire)
        try:
            while True:
                self.serve(wire, wire.read_request())
        except Broken:
            pass
        except (
            Exception
        ) as mistake:  # a mistake of the server's must fail the test, not look like a fault
            self.mistakes.append(mistake)
        finally:
            wire.close()
            with self.lock:
                self.wires.discard(wire)

    def close(self):
        for listener in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self.lock:
            wires = list(self.wires)
        for wire in wires:
            with contextlib.suppress(OSError):
                wire.socket.shutdown(socket.SHUT_RDWR)
