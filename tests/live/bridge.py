"""The main job across the bridge: the tests of directory stores and plain servers, run unchanged with `pytest --bridge`
against a store in Ceph's gateway over TLS and servers that let nobody in by TCP without it.

Each directory store gets a prefix of a bucket.  A test goes on looking at and spoiling files of the directory: what it
changed there is uploaded before replica starts, and what replica changed in the bucket comes down when the test looks.
replica itself never sees the directory, and the tests never see the bucket."""

import os
import urllib.parse

import pki
import s3_tool
import tool

BUCKET = "dumps"

# The main job: every promise that was first kept with directories and plain TCP.
MODULES = (
    *("round_trip", "masking", "selection", "snapshot", "encodings", "export", "volumes"),
    *("integrity", "refusals", "killed", "signals", "versions", "memory", "secrets", "manners"),
)

# What can't cross, and why.
STAYS = {
    "test_a_store_that_can_not_be_written": "is about the permissions of a directory",
    "test_a_store_below_something_that_is_no_directory": "is about a path through a file",
    "test_a_store_that_is_full": "is about a full file system",
    "test_a_store_on_a_read_only_file_system": "is about a read-only file system",
    "test_a_store_that_is_not_there": "is about a directory; any prefix is there, and test_s3 names a missing bucket",
    "test_a_dump_ten_times_as_large_takes_no_more": "compares half a part with seven; test_5_gb's both fill the buffers",
    "test_it_needs_nothing_but_itself": "mounts a directory where no authority's file is; test_image has its twin",
}


def stays(item):
    """Why this test does not cross, or None."""
    if item.module.__name__.removeprefix("test_") not in MODULES:
        return "%s is not of the main job" % item.module.__name__
    reason = STAYS.get(item.originalname)
    return reason and "%s %s" % (item.originalname, reason)


# ---- the server ---------------------------------------------------------------------------------


def secure(server, room):
    """From now on TCP means TLS, by a name, a certificate and a channel that are all checked."""
    authority = pki.Authority(room, "authority of port %d" % server.port)
    server.allow("hostssl all all 127.0.0.1/32 scram-sha-256")
    server.present(authority.issue(addresses=["127.0.0.1"]))
    server.parameters = {
        "sslmode": "verify-full",
        "sslrootcert": authority.cert,
        "channel_binding": "require",
    }


# ---- the store ----------------------------------------------------------------------------------


class Mirror:
    """A directory and a prefix of the bucket.  known: what both held when they were last compared, by name, as
    (ETag, stamp of the file); only what differs from it travels, so neither side undoes the other's work."""

    def __init__(self, gateway, path):
        self.path = path
        prefix = path.strip("/")
        self.remote = s3_tool.S3Store(gateway.client(), BUCKET, prefix)
        self.settings = s3_tool.S3Store(gateway.client(tls=True), BUCKET, prefix).settings
        self.known = {}
        self.processes, self.writers = [], []
        self.stale = False

    def covers(self, url):
        return isinstance(url, str) and (url + "/").startswith(self.remote.url + "/")

    def stamp(self, name):
        status = os.stat(os.path.join(self.path, name))
        return status.st_ino, status.st_mtime_ns

    def learn(self, name, etag):
        """Both sides are equal.  The file gets the age of the epoch, so that no later change has the same stamp."""
        os.utime(os.path.join(self.path, name), ns=(0, 0))
        self.known[name] = etag, self.stamp(name)

    def here(self):
        return [
            os.path.relpath(os.path.join(folder, name), self.path)
            for folder, _, names in os.walk(self.path)
            for name in names
        ]

    def there(self):
        """ETags by name, without the claims of those who are at work."""
        skip, etags = len(self.remote.key("")) + 1, {}
        query = {"list-type": "2", "prefix": self.remote.prefix + "/", "encoding-type": "url"}
        while True:
            _, body = self.remote.client.call("GET", "/" + BUCKET, query)
            keys = [urllib.parse.unquote_plus(key) for key in s3_tool.find_all(body, "Key")]
            etags.update(zip((key[skip:] for key in keys), s3_tool.find_all(body, "ETag")))
            token = s3_tool.find(body, "NextContinuationToken")
            if not token:
                return {name: etag for name, etag in etags.items() if "/claim-" not in name}
            query["continuation-token"] = token

    def push(self):
        """What the test did to the directory happens to the bucket."""
        here = self.here()
        for name in here:
            if self.known.get(name, (None, None))[1] != self.stamp(name):
                with open(os.path.join(self.path, name), "rb") as file:
                    self.learn(
                        name, self.remote.client.put(BUCKET, self.remote.key(name), file.read())
                    )
        for name in set(self.known) - set(here):
            self.remote.client.delete(BUCKET, self.remote.key(name))
            del self.known[name]

    def pull(self):
        """What replica did to the bucket happens to the directory."""
        if not self.stale:
            return
        at_work = self.at_work()
        there = self.there()
        for name, etag in there.items():
            if self.known.get(name, (None, None))[0] != etag:
                self.fetch(name, etag)
        for name in set(self.known) - set(there):
            os.remove(os.path.join(self.path, name))
            del self.known[name]
        self.stale = at_work

    def fetch(self, name, etag):
        try:
            data = self.remote.read(name)
        except s3_tool.Failure as failure:
            if failure.status == 404 and self.at_work():
                return
            raise
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        self.learn(name, etag)

    def at_work(self):
        return any(process.poll() is None for process in self.processes)

    def follow(self, process, writes):
        self.processes.append(process)
        if writes:
            self.writers.append(process)
        self.stale = True

    def forget(self):
        """The test is over and its directory gone.  A dump that ends by itself leaves no upload and no claim, and one
        that succeeds no upload of those that were killed before it."""
        codes = [process.poll() for process in self.writers]
        uploads, claims = self.remote.uploads(), self.remote.claims()
        keys = self.remote.client.list(BUCKET, self.remote.prefix + "/")
        for at in range(0, len(keys), 1000):
            self.remote.client.delete_many(BUCKET, keys[at : at + 1000])
        killed = any(code < 0 for code in codes)
        assert uploads == [] or killed and codes[-1] != 0, "%s left %s" % (codes, uploads)
        assert claims == [] or killed, "%s left %s" % (codes, claims)


class Store(tool.Store):
    """tool.Store, whose directory is the shadow of a prefix."""

    def __init__(self, path):
        self.mirror = Mirror(Store.gateway, path)
        Store.mirrors.append(self.mirror)
        self.url = self.mirror.remote.url

    @property
    def path(self):
        self.mirror.pull()
        return self.mirror.path


def install(gateway):
    """From now on tool.Store is across the bridge, and whatever tool starts knows the way."""
    Store.gateway, Store.mirrors = gateway, []
    plain_start = tool.start

    def start(command=None, **variables):
        crossing = [
            (mirror, name)
            for mirror in Store.mirrors
            for name in ("REPLICA_FROM", "REPLICA_TO")
            if mirror.covers(variables.get(name))
        ]
        for mirror, _ in crossing:
            mirror.push()
            variables = {**mirror.settings, **variables}
        process = plain_start(command, **variables)
        for mirror, name in crossing:
            mirror.follow(process, writes=name == "REPLICA_TO")
        return process

    tool.Store, tool.start = Store, start


def sweep():
    """Forget the stores whose directories went with their test."""
    gone = [mirror for mirror in Store.mirrors if not os.path.isdir(mirror.path)]
    Store.mirrors = [mirror for mirror in Store.mirrors if mirror not in gone]
    for mirror in gone:
        mirror.forget()
