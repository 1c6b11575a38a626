"""A server that lies: a proxy that reads the protocol's messages, and sends others in their place."""

import contextlib
import socket
import struct
import threading


def message(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


def error(text, severity=b"ERROR", kind=b"E"):
    return message(kind, b"S" + severity + b"\0V" + severity + b"\0C42000\0M" + text + b"\0\0")


class Liar:
    """Before port on 127.0.0.1.  lie(kind, body, seen) is asked about each message of the server; it returns bytes to
    send instead, or a generator of them; None lets the message pass, and an empty end cuts the connection.  seen
    is a dict of the connection's own."""

    def __init__(self, port, lie):
        self.upstream, self.lie = port, lie
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.upstream))
                self.sockets += [client, server]
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pass_on, args=(client, server), daemon=True).start()
                threading.Thread(target=self.pass_back, args=(server, client), daemon=True).start()

    def pass_on(self, client, server):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        self.end(client, server)

    def pass_back(self, server, client):
        seen = {"rows": 0}
        with contextlib.suppress(OSError), server.makefile("rb") as stream:
            while len(head := stream.read(5)) == 5:
                body = stream.read(struct.unpack("!I", head[1:])[0] - 4)
                told = self.lie(head[:1], body, seen)
                if told is None:
                    client.sendall(head + body)
                elif isinstance(told, bytes):
                    client.sendall(told)
                    if told.endswith(CUT):
                        break
                else:
                    for each in told:
                        client.sendall(each)
        self.end(client, server)

    def end(self, *sockets):
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.end(self.listener)
        self.listener.close()
        self.end(*self.sockets)
        for each in self.sockets:
            each.close()


CUT = b"\0cut\0"


@contextlib.contextmanager
def before(port, lie):
    liar = Liar(port, lie)
    try:
        yield liar
    finally:
        liar.close()
