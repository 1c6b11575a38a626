"""Servers of the benchmark: made by tests/postgres.sh, stopped and kept between runs."""

import os
import pwd
import shutil
import subprocess

import measure
from settings import HOME, ROOT, Failure, output

SCRIPT = os.path.join(ROOT, "tests", "postgres.sh")


def shared_buffers():
    """2 GB, or an eighth of what the machine has."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (1 << 20)
    return f"{min(2048, total // 8)}MB"


# The same for all contenders; tests/postgres.sh has set fsync, full_page_writes, autovacuum and jit off before.
SETTINGS = ["synchronize_seqscans = off", f"shared_buffers = {shared_buffers()}", "max_wal_size = 16GB",
            "checkpoint_timeout = 1h", "maintenance_work_mem = 256MB", "max_locks_per_transaction = 1024",
            "wal_level = replica"]


class Server:
    def __init__(self, name):
        self.name, self.dir = name, os.path.join(HOME, name)
        self.host = os.path.join(self.dir, "socket")
        self.port = self.postmaster = None

    def key(self):
        """What a kept server must have been made with."""
        bindir = output(SCRIPT, "bin")
        return "\n".join([output(os.path.join(bindir, "postgres"), "--version"), *SETTINGS])

    def control(self, *words):
        """tests/postgres.sh removes a server when it stops it; this one is stopped and kept."""
        with open(os.path.join(self.dir, "bin")) as file:
            command = [os.path.join(file.read().strip(), "pg_ctl"), "-D", os.path.join(self.dir, "data"), *words]
        owner = pwd.getpwuid(os.stat(os.path.join(self.dir, "data")).st_uid)
        if owner.pw_uid != os.getuid():
            command = ["setpriv", "--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups"] + command
        return subprocess.run(command, cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0

    def is_kept(self):
        path = os.path.join(self.dir, "key")
        if not os.path.exists(path):
            return False
        with open(path) as file:
            if file.read() != self.key():
                return False
        return self.control("status") or self.control("-w", "-t", "120", "-l", os.path.join(self.dir, "log"), "start")

    def start(self):
        if not self.is_kept():
            subprocess.run([SCRIPT, "stop", self.dir], check=True)
            shutil.rmtree(self.dir, ignore_errors=True)
            subprocess.run([SCRIPT, "start", self.dir, "", *SETTINGS], check=True)
            with open(os.path.join(self.dir, "key"), "w") as file:
                file.write(self.key())
        with open(os.path.join(self.dir, "env")) as file:
            words = dict(word.split("=", 1) for word in file.read().split() if "=" in word)
        self.port = words["PGPORT"]
        with open(os.path.join(self.dir, "data", "postmaster.pid")) as file:
            self.postmaster = int(file.readline())

    def stop(self):
        if os.path.exists(os.path.join(self.dir, "data", "postmaster.pid")):
            self.control("-m", "fast", "-w", "-t", "120", "stop")

    def pin(self, cpus):
        """All that lives of the server, and so all that it will start."""
        for pid in measure.family(self.postmaster):
            try:
                os.sched_setaffinity(pid, cpus)
            except ProcessLookupError:
                pass

    def uri(self, database):
        return f"postgres://postgres@/{database}?host={self.host}&port={self.port}"

    def tcp_uri(self, database):
        """For those who can't use a Unix socket by a URI."""
        return f"postgres://postgres:unused@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def environment(self, database):
        return {"PGHOST": self.host, "PGPORT": self.port, "PGUSER": "postgres", "PGDATABASE": database}

    def psql(self, database, text, *words):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *words],
                              input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env={**os.environ, **self.environment(database)})
        if done.returncode != 0:
            raise Failure(f"psql on {database}: {done.stderr.decode(errors='replace').strip()[-500:]}")
        return done.stdout.decode().strip()

    def has(self, database):
        return self.psql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{database}'") == "1"

    def drop(self, database):
        self.psql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def create(self, database, template="template0"):
        self.drop(database)
        self.psql("postgres", f"CREATE DATABASE {database} TEMPLATE {template}")
