"""The binary under test and the stores it writes."""

import collections
import json
import os
import shutil
import subprocess
import time

from servers import ROOT

SOURCE_BINARY = os.environ.get("REPLICA_BINARY", os.path.join(ROOT, "build", "replica"))
binary = SOURCE_BINARY

Result = collections.namedtuple("Result", "code out err seconds")

CONFIGURATION, SOURCE, TARGET, STORE, INTEGRITY = 2, 3, 4, 5, 6


def install_binary(room):
    """Copy the binary to where other users can run it; a checkout may lie below /root."""
    global binary
    if not os.path.exists(SOURCE_BINARY):
        raise AssertionError("%s is not there; make builds it" % SOURCE_BINARY)
    binary = os.path.join(room, "replica")
    shutil.copy(SOURCE_BINARY, binary)
    os.chmod(binary, 0o755)


class Store:
    """A directory store, looked into by stock tools alone."""

    def __init__(self, path):
        self.path = path
        self.url = "file://" + path

    def files(self):
        """Every file below but the lock, as paths relative to the store."""
        found = []
        for folder, _, names in os.walk(self.path):
            found += [
                os.path.relpath(os.path.join(folder, name), self.path)
                for name in names
                if name != ".lock"
            ]
        return sorted(found)

    def file(self, name):
        return os.path.join(self.path, name)

    def read(self, name):
        with open(self.file(name), "rb") as file:
            return file.read()

    def plain(self, name):
        """An object as SQL text."""
        if not name.endswith(".zst"):
            return self.read(name)
        return subprocess.run(
            ["zstd", "-dcq", self.file(name)], check=True, capture_output=True
        ).stdout

    def manifests(self):
        """Complete dumps by name, oldest first."""
        return {name: json.loads(self.read(name + "/manifest.json")) for name in self.complete()}

    def complete(self):
        """Names of the dumps that have a manifest, oldest first."""
        return sorted(
            name
            for name in os.listdir(self.path)
            if os.path.exists(self.file(name + "/manifest.json"))
        )

    def manifest(self):
        return list(self.manifests().values())[-1]

    def dump_path(self):
        return self.file(self.complete()[-1])

    def volumes(self):
        """(table, path of the volume) of the newest dump, in the manifest's order."""
        name, manifest = list(self.manifests().items())[-1]
        return [
            (table, self.file(name + "/" + volume["name"]))
            for table in manifest["tables"]
            for volume in table["volumes"]
        ]


def environment(**variables):
    """Nothing of ours leaks in: no HOME, no PATH, only what the test says."""
    return {name: str(value) for name, value in variables.items() if value is not None}


def start(command=None, wrapper=(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **variables):
    arguments = (
        list(wrapper) + [binary] + ([command] if isinstance(command, str) else list(command or []))
    )
    return subprocess.Popen(
        arguments,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        cwd="/",
    )


def run(command=None, timeout=120, **variables):
    begin = time.monotonic()
    process = start(command, **variables)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(
            "replica did not end within %d s; it said: %s" % (timeout, err.decode(errors="replace"))
        )
    return Result(
        process.returncode,
        (out or b"").decode("utf-8", "replace"),
        (err or b"").decode("utf-8", "replace"),
        time.monotonic() - begin,
    )


def succeed(result):
    assert result.code == 0, "exit %d: %s" % (result.code, result.err)
    return result


def dump(database, store, **variables):
    return succeed(run("dump", REPLICA_FROM=database.url(), REPLICA_TO=store.url, **variables))


def restore(store, database, **variables):
    return succeed(run("restore", REPLICA_FROM=store.url, REPLICA_TO=database.url(), **variables))


def listed(store):
    """What `list` says, as its JSON says it."""
    result = succeed(run("list", REPLICA_FROM=store.url, REPLICA_LOG_FORMAT="json"))
    return json.loads(result.out)


def as_nobody():
    """A wrapper that drops root for a command, so that file permissions hold."""
    if os.getuid() != 0:
        return []
    return ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def refused(result, code, *phrases):
    """The run failed with this exit code and said each of the phrases, in one sentence without noise."""
    assert result.code == code, "exit %d instead of %d: %s%s" % (
        result.code,
        code,
        result.err,
        result.out,
    )
    for phrase in phrases:
        assert phrase.lower() in result.err.lower(), "%r is not said in: %s" % (phrase, result.err)
    return result
