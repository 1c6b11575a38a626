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
