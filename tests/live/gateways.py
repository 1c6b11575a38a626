"""S3 gateways that others wrote, thrown up for a test and thrown away: Ceph's RADOS Gateway and versitygw.

    with gateways.rgw(directory, certificate) as gateway:      about ten seconds until it stands
        client = gateway.client()                              s3_tool.Client; gateway.client(tls=True)

Ceph is one monitor, one object store daemon in memory and one gateway, from Debian's packages; all
of it lives in `directory` and on loopback.  versitygw is one program that Go's own client builds.

As a program, for those who are not pytest (bench/s3.sh):

    gateways.py rgw DIRECTORY      writes DIRECTORY/env for a shell, serves until it gets SIGTERM
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid

import s3_tool
from servers import ROOT

START_SECONDS = 90
MEMORY_BYTES = 3 << 30
CEPH_PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph")
CEPH_PACKAGES = "radosgw ceph-mon ceph-osd ceph-common"
VERSITY = "github.com/versity/versitygw/cmd/versitygw"
VERSITY_VERSION = "v1.8.0"

CEPH_CONF = """
[global]
fsid = %(fsid)s
mon host = [v2:127.0.0.1:%(mon_v2)d/0,v1:127.0.0.1:%(mon_v1)d/0]
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
run dir = %(folder)s
admin socket = %(folder)s/$name.asok
log file = %(folder)s/$name.log
crash dir = %(folder)s
keyring = %(folder)s/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
paxos propose interval = 0.05
paxos min wait = 0.01
mon cluster log file = %(folder)s/cluster.log
[mon]
mon data = %(folder)s/mon
mon data avail warn = 1
mon data avail crit = 0
[osd]
osd data = %(folder)s/osd
osd objectstore = memstore
memstore device bytes = %(memory)d
osd max object name len = 256
osd class update on start = false
[client]
rgw frontends = beast endpoint=127.0.0.1:%(port)d%(tls)s
rgw thread pool size = 64
rgw enable gc threads = false
rgw enable lc threads = false
rgw enable quota threads = false
rgw run sync thread = false
rgw cache enabled = true
"""


class Gateway:
    """A gateway that answers.  tls_endpoint is None when it has no certificate."""

    def __init__(self, name, port, tls_port, access, secret, region, ca=None):
        self.name, self.access, self.secret, self.region, self.ca = name, access, secret, region, ca
        self.endpoint = "http://127.0.0.1:%d" % port
        self.tls_endpoint = "https://127.0.0.1:%d" % tls_port if tls_port else None

    def client(self, tls=False):
        endpoint = self.tls_endpoint if tls else self.endpoint
        return s3_tool.Client(
            endpoint, self.access, self.secret, region=self.region, ca=self.ca if tls else None
        )


def free_ports(count):
    """Ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        listeners = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [listener.getsockname()[1] for listener in listeners]


def wait_until(ready, processes, logs):
    """Until ready() is true.  A process that ends, or too much time, is an error that shows its log."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        dead = [process.args[0] for process in processes if process.poll() is not None]
        if dead or time.monotonic() > deadline:
            said = "".join(
                open(log, errors="replace").read()[-2000:] for log in logs if os.path.exists(log)
            )
            raise AssertionError("%s: %s" % (" ".join(dead) or "not ready in time", said))
        time.sleep(0.05)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return connection.recv(8) == b"HTTP/1.1"
    except OSError:
        return False


@contextlib.contextmanager
def processes_until_the_end():
    """A list to put processes into; they end with the block, the last one first."""
    started = []
    try:
        yield started
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


# ---- Ceph ---------------------------------------------------------------------------------------


def rgw_missing():
    """Why there can be no Ceph here, or None."""
    missing = [name for name in CEPH_PROGRAMS if shutil.which(name) is None]
    if missing:
        return "%s not found; Debian's packages %s have it" % (", ".join(missing), CEPH_PACKAGES)
    return None


@contextlib.contextmanager
def rgw(folder, certificate=None, ca=None, memory=MEMORY_BYTES):
    """Ceph in a directory of its own, which must not exist.  certificate: with .chain and .key."""
    os.makedirs(folder)
    mon_v2, mon_v1, port, tls_port = free_ports(4)
    tls = ""
    if certificate:
        tls = " ssl_endpoint=127.0.0.1:%d ssl_certificate=%s ssl_private_key=%s" % (
            tls_port,
            certificate.chain,
            certificate.key,
        )
    values = dict(folder=folder, mon_v2=mon_v2, mon_v1=mon_v1, port=port, tls=tls, memory=memory)
    conf = os.path.join(folder, "ceph.conf")
    fsid = str(uuid.uuid4())
    with open(conf, "w") as file:
        file.write(CEPH_CONF % dict(values, fsid=fsid))
    environment = dict(os.environ, CEPH_CONF=conf)
    output = open(os.path.join(folder, "output"), "ab")

    def run(*command):
        done = subprocess.run(
            [command[0], "-c", conf, *command[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=START_SECONDS,
        )
        assert done.returncode == 0, "%s: %s" % (
            " ".join(command),
            done.stderr.decode(errors="replace")[-2000:],
        )
        return done.stdout.decode()

    with processes_until_the_end() as started:

        def start(*command):
            started.append(
                subprocess.Popen(
                    [command[0], "-c", conf, "-f", *command[1:]],
                    env=environment,
                    stdout=output,
                    stderr=output,
                )
            )

        addresses = "[v2:127.0.0.1:%d,v1:127.0.0.1:%d]" % (mon_v2, mon_v1)
        monmap = os.path.join(folder, "monmap")
        run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", addresses, monmap)
        run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        start("ceph-mon", "-i", "a")
        identity = str(uuid.uuid4())
        run("ceph", "--connect-timeout", str(START_SECONDS), "osd", "new", identity)
        os.makedirs(os.path.join(folder, "osd"))
        run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", identity)
        start("ceph-osd", "-i", "0")
        access, secret = "TESTS" + secrets.token_hex(8).upper(), secrets.token_hex(20)
        run(
            *["radosgw-admin", "user", "create", "--uid=tests", "--display-name=tests"],
            *["--access-key=" + access, "--secret-key=" + secret],
        )
        start("radosgw", "-n", "client.admin")
        wait_until(
            lambda: answers(port), started, [output.name, os.path.join(folder, "client.admin.log")]
        )
        yield Gateway("rgw", port, tls_port if certificate else None, access, secret, "default", ca)
    output.close()


# ---- versitygw ----------------------------------------------------------------------------------


def versity_binary():
    """(path, None), built by Go's own client once; (None, reason) when that can't be."""
    home = os.path.join(ROOT, "build", "go")
    path = os.path.join(home, "versitygw")
    if os.path.exists(path):
        return path, None
    if shutil.which("go") is None:
        return None, "versitygw is built by go, which is not installed"
    done = subprocess.run(
        ["go", "install", "%s@%s" % (VERSITY, VERSITY_VERSION)],
        env=dict(os.environ, GOBIN=home),
        capture_output=True,
        timeout=600,
    )
    if done.returncode != 0:
        return (
            None,
            "go could not build versitygw: %s" % done.stderr.decode(errors="replace")[-300:],
        )
    return path, None


@contextlib.contextmanager
def versity(binary, folder, certificate=None, ca=None):
    """versitygw over a directory of files, plain or over TLS but not both."""
    for name in ("objects", "state"):
        os.makedirs(os.path.join(folder, name))
    [port] = free_ports(1)
    access, secret, region = (
        "TESTS" + secrets.token_hex(8).upper(),
        secrets.token_hex(20),
        "eu-central-1",
    )
    command = [binary, "--access", access, "--secret", secret, "--port", "127.0.0.1:%d" % port]
    command += ["--region", region, "--quiet", "--keep-alive"]
    if certificate:
        command += ["--cert", certificate.chain, "--key", certificate.key]
    command += [
        "posix",
        "--sidecar",
        os.path.join(folder, "state"),
        os.path.join(folder, "objects"),
    ]
    log = os.path.join(folder, "output")
    with open(log, "ab") as output, processes_until_the_end() as started:
        started.append(subprocess.Popen(command, stdout=output, stderr=output, cwd=folder))
        wait_until(lambda: accepts(port), started, [log])
        gateway = Gateway(
            "versitygw", port, port if certificate else None, access, secret, region, ca
        )
        yield gateway


def main():
    kind, folder = sys.argv[1:]
    assert kind == "rgw"
    if rgw_missing():
        sys.exit(rgw_missing())
    with rgw(os.path.join(folder, "ceph")) as gateway, contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        gateway.client().create_bucket("bench")
        with open(os.path.join(folder, "env.new"), "w") as file:
            file.write(
                "S3_ENDPOINT=%s\nS3_ACCESS=%s\nS3_SECRET=%s\n"
                % (gateway.endpoint, gateway.access, gateway.secret)
            )
        os.rename(file.name, os.path.join(folder, "env"))
        while True:
            signal.pause()


if __name__ == "__main__":
    main()
