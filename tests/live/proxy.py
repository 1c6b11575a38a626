"""A network that can be slow or break: a TCP proxy in front of a server, for tests of half-done work."""

import contextlib
import socket
import threading
import time


class Proxy:
    """Listens on 127.0.0.1:port.  rate limits the bytes per second that flow, both ways and all connections
    together, at any time: what was not used is lost.  cut() breaks every connection, and refuses new ones,
    after which nothing passes."""

    def __init__(self, port, rate=None):
        self.upstream = port
        self.rate = rate
        self.passed = 0
        self.lock = threading.Lock()
        self.free_at = 0
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                return
            self.pairs += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    def pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                self.wait_for(len(data))
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def wait_for(self, size):
        with self.lock:
            self.passed += size
            if self.rate is None:
                return
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + size / self.rate
            late = self.free_at - now
        time.sleep(late)

    def free(self):
        """Let everything pass at full speed from now on."""
        self.rate = None

    def wait_passed(self, size, timeout=30):
        deadline = time.monotonic() + timeout
        while self.passed < size:
            assert time.monotonic() < deadline, "only %d bytes passed" % self.passed
            time.sleep(0.01)

    def cut(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # close() alone would leave accept() one more connection
        self.listener.close()
        for each in self.pairs:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class Gate(Proxy):
    """A proxy in front of PostgreSQL that knows where a query begins: before(number, text) is called with each,
    counted over all connections, before the server gets it, and holds it up as long as it takes."""

    SSL_REQUEST, GSS_REQUEST = 80877103, 80877104

    def __init__(self, port, before):
        self.before = before
        self.turn = threading.Lock()
        self.queries = 0
        super().__init__(port)

    def pump(self, source, target):
        if source.getsockname()[1] != self.port:
            return super().pump(source, target)
        held, started = b"", False
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                held += data
                while (size := self.message(held, started)) and len(held) >= size:
                    message, held = held[:size], held[size:]
                    if not started:
                        code = int.from_bytes(message[4:8], "big")
                        started = code not in (self.SSL_REQUEST, self.GSS_REQUEST)
                    elif message[:1] == b"Q":
                        self.look(message[5:-1].decode(errors="replace"))
                    target.sendall(message)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    @staticmethod
    def message(held, started):
        """The size of the message that held begins with, or 0 when that can't be said yet."""
        at = 1 if started else 0
        if len(held) < at + 4:
            return 0
        return at + int.from_bytes(held[at : at + 4], "big")

    def look(self, text):
        with self.turn:
            self.queries += 1
            number = self.queries
        self.before(number, text)


@contextlib.contextmanager
def gate(port, before):
    it = Gate(port, before)
    try:
        yield it
    finally:
        it.cut()


@contextlib.contextmanager
def nobody():
    """A port where connecting is refused: bound, so that nobody else takes it, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextlib.contextmanager
def between(port, rate=None):
    proxy = Proxy(port, rate)
    try:
        yield proxy
    finally:
        proxy.cut()
