"""A small S3 client of the tests, which knows nothing of replica; and S3Store, tool.Store's twin.

It signs by itself, so it can also build what must be refused: every header, the path and the body
may be tampered with between signing and sending."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import ssl
import subprocess
import time
import urllib.parse
import xml.etree.ElementTree

import tool


class Failure(Exception):
    def __init__(self, status, body):
        super().__init__("%d: %s" % (status, body[:300].decode(errors="replace")))
        self.status, self.body = status, body
        self.code = find(body, "Code")


def find(body, name):
    """The first element's text by its local name, or None."""
    found = find_all(body, name)
    return found[0] if found else None


def find_all(body, name):
    if not body.strip():
        return []
    root = xml.etree.ElementTree.fromstring(body.strip())
    return [each.text or "" for each in root.iter() if each.tag.rpartition("}")[2] == name]


def quote(text, safe=""):
    return urllib.parse.quote(text.encode("utf-8", "surrogateescape"), safe=safe + "-._~")


def md5_text(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


class Signed:
    """A request, signed; its fields may be changed before it is sent."""

    def __init__(
        self, client, method, path, query=None, body=b"", headers=None, date=None, service="s3"
    ):
        self.method, self.body = method, body
        self.target = quote(path, "/")
        pairs = sorted((quote(name), quote(value)) for name, value in (query or {}).items())
        if pairs:
            self.target += "?" + "&".join("%s=%s" % pair for pair in pairs)
        date = date or time.strftime(
            "%Y%m%dT%H%M%SZ", time.gmtime(time.time() + client.clock_ahead)
        )
        self.headers = {
            "host": client.host,
            "x-amz-date": date,
            "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        }
        self.headers.update(headers or {})
        if client.token:
            self.headers["x-amz-security-token"] = client.token
        names = sorted(name for name in self.headers)
        lines = [method, self.target.partition("?")[0], self.target.partition("?")[2]]
        lines += ["%s:%s" % (name, " ".join(self.headers[name].split())) for name in names]
        lines += ["", ";".join(names), self.headers["x-amz-content-sha256"]]
        scope = "%s/%s/%s/aws4_request" % (date[:8], client.region, service)
        text = "AWS4-HMAC-SHA256\n%s\n%s\n%s" % (
            date,
            scope,
            hashlib.sha256("\n".join(lines).encode("latin-1")).hexdigest(),
        )
        key = b"AWS4" + client.secret.encode()
        for piece in scope.split("/"):
            key = hmac.digest(key, piece.encode(), "sha256")
        self.headers["authorization"] = (
            "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"
            % (
                client.access,
                scope,
                ";".join(names),
                hmac.new(key, text.encode(), "sha256").hexdigest(),
            )
        )


class Client:
    def __init__(
        self, endpoint, access, secret, token=None, region="eu-central-1", ca=None, host=None
    ):
        parts = urllib.parse.urlsplit(endpoint)
        self.endpoint, self.access, self.secret, self.token, self.region = (
            endpoint,
            access,
            secret,
            token,
            region,
        )
        self.address, self.over_tls, self.ca = (
            (parts.hostname, parts.port),
            parts.scheme == "https",
            ca,
        )
        self.host = host or parts.netloc
        self.clock_ahead = 0

    def connect(self):
        if not self.over_tls:
            return http.client.HTTPConnection(*self.address, timeout=60)
        context = ssl.create_default_context(cafile=self.ca)
        return http.client.HTTPSConnection(*self.address, timeout=60, context=context)

    def send(self, signed):
        """(status, headers, body) of a request as it is now."""
        connection = self.connect()
        try:
            connection.putrequest(
                signed.method, signed.target, skip_host=True, skip_accept_encoding=True
            )
            for name, value in signed.headers.items():
                connection.putheader(name, value)
            if signed.method in ("PUT", "POST") and "transfer-encoding" not in signed.headers:
                connection.putheader("content-length", str(len(signed.body)))
            connection.endheaders()
            connection.send(signed.body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def call(self, method, path, query=None, body=b"", headers=None):
        status, answer_headers, answer = self.send(Signed(self, method, path, query, body, headers))
        if status >= 300:
            raise Failure(status, answer)
        return answer_headers, answer

    # ---- operations ----

    def put(self, bucket, key, body, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("PUT", "/%s/%s" % (bucket, key), body=body, headers=named)[0]["ETag"]

    def get(self, bucket, key, **headers):
        return self.call("GET", "/%s/%s" % (bucket, key), headers=headers)[1]

    def delete(self, bucket, key):
        self.call("DELETE", "/%s/%s" % (bucket, key))

    def create_bucket(self, bucket):
        self.call("PUT", "/" + bucket)

    def list(self, bucket, prefix=""):
        keys, query = [], {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        while True:
            _, body = self.call("GET", "/" + bucket, query)
            keys += [urllib.parse.unquote_plus(key) for key in find_all(body, "Key")]
            token = find(body, "NextContinuationToken")
            if not token:
                return keys
            query["continuation-token"] = token

    def uploads(self, bucket, prefix=""):
        """(key, id) of the unfinished ones; the first thousand."""
        _, body = self.call("GET", "/" + bucket, {"uploads": "", "prefix": prefix})
        return list(zip(find_all(body, "Key"), find_all(body, "UploadId")))

    def begin(self, bucket, key, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return find(
            self.call("POST", "/%s/%s" % (bucket, key), {"uploads": ""}, headers=named)[1],
            "UploadId",
        )

    def part(self, bucket, key, upload, number, body, **headers):
        query = {"partNumber": str(number), "uploadId": upload}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("PUT", "/%s/%s" % (bucket, key), query, body, named)[0]["ETag"]

    def complete(self, bucket, key, upload, parts, **headers):
        """parts: (number, etag) or (number, etag, crc32c)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        xml_parts = "".join(
            "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>%s</Part>"
            % (
                part[0],
                part[1],
                "<ChecksumCRC32C>%s</ChecksumCRC32C>" % part[2] if len(part) > 2 else "",
            )
            for part in parts
        )
        body = "<CompleteMultipartUpload>%s</CompleteMultipartUpload>" % xml_parts
        return self.call(
            "POST", "/%s/%s" % (bucket, key), {"uploadId": upload}, body.encode(), named
        )[1]

    def abort(self, bucket, key, upload):
        self.call("DELETE", "/%s/%s" % (bucket, key), {"uploadId": upload})

    def delete_many(self, bucket, keys, md5=True):
        body = (
            "<Delete>%s</Delete>" % "".join("<Object><Key>%s</Key></Object>" % key for key in keys)
        ).encode()
        headers = {"content-md5": md5_text(body)} if md5 else {}
        return self.call("POST", "/" + bucket, {"delete": ""}, body, headers)[1]


def objects_of(manifest):
    """Each object that a manifest names, as it stands there."""
    listed = [manifest[name] for name in ("pre_data", "data", "post_data") if manifest.get(name)]
    listed += manifest.get("more_data", [])
    return listed + [volume for table in manifest["tables"] for volume in table["volumes"]]


class S3Store:
    """A prefix of a bucket, with tool.Store's questions; settings are what replica needs to reach it."""

    def __init__(self, client, bucket, prefix="", settings=None):
        self.client, self.bucket, self.prefix = client, bucket, prefix.strip("/")
        self.url = "s3://" + "/".join(part for part in (bucket, self.prefix) if part)
        self.settings = {
            "AWS_ACCESS_KEY_ID": client.access,
            "AWS_SECRET_ACCESS_KEY": client.secret,
            "AWS_SESSION_TOKEN": client.token,
            "AWS_REGION": client.region,
            "AWS_ENDPOINT_URL_S3": client.endpoint,
            "AWS_CA_BUNDLE": client.ca,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.settings.update(settings or {})

    def key(self, name):
        return "/".join(part for part in (self.prefix, name) if part)

    def files(self):
        """Every object below but the claims of those who are at work."""
        skip = len(self.prefix) + 1 if self.prefix else 0
        names = [
            key[skip:]
            for key in self.client.list(self.bucket, self.prefix + "/" if self.prefix else "")
        ]
        return sorted(name for name in names if "/claim-" not in name)

    def claims(self):
        return [key for key in self.client.list(self.bucket, self.prefix) if "/claim-" in key]

    def uploads(self):
        return self.client.uploads(self.bucket, self.prefix)

    def read(self, name):
        return self.client.get(self.bucket, self.key(name))

    def plain(self, name):
        """An object as SQL text."""
        data = self.read(name)
        if not name.endswith(".zst"):
            return data
        return subprocess.run(["zstd", "-dcq"], input=data, check=True, capture_output=True).stdout

    def download(self, folder):
        """All of it as a directory store."""
        for name in self.files():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(self.read(name))

    def complete(self):
        """Names of the dumps that have a manifest, oldest first."""
        return sorted(
            os.path.dirname(name) for name in self.files() if name.endswith("/manifest.json")
        )

    def manifests(self):
        return {name: json.loads(self.read(name + "/manifest.json")) for name in self.complete()}

    def manifest(self):
        return list(self.manifests().values())[-1]

    def index(self):
        """The names in index.json, as they stand there."""
        return [dump["directory_name"] for dump in json.loads(self.read("index.json"))["dumps"]]

    def objects(self):
        """(name, what the manifest says of it) of the newest dump."""
        dump, manifest = list(self.manifests().items())[-1]
        listed = [
            manifest[name] for name in ("pre_data", "data", "post_data") if manifest.get(name)
        ]
        listed += [volume for table in manifest["tables"] for volume in table["volumes"]]
        return [("%s/%s" % (dump, each["name"]), each) for each in listed]


# ---- replica against such a store -----------------------------------------------------------------


def dump(database, store, **variables):
    return tool.succeed(run_dump(database, store, **variables))


def run_dump(database, store, **variables):
    settings = {**store.settings, **variables}
    return tool.run("dump", REPLICA_FROM=database.url(), REPLICA_TO=store.url, **settings)


def restore(store, database, **variables):
    return tool.succeed(run_restore(store, database, **variables))


def run_restore(store, database, **variables):
    settings = {**store.settings, **variables}
    return tool.run("restore", REPLICA_FROM=store.url, REPLICA_TO=database.url(), **settings)


def listed(store):
    """What `list` says, as its JSON says it."""
    settings = {**store.settings, "REPLICA_LOG_FORMAT": "json"}
    return json.loads(tool.succeed(tool.run("list", REPLICA_FROM=store.url, **settings)).out)


def dumps_at_once(database, store, count):
    processes = [
        tool.start(
            "dump",
            REPLICA_FROM=database.url(),
            REPLICA_TO=store.url,
            REPLICA_MEMORY="64MiB",
            REPLICA_JOBS=1,
            **store.settings,
        )
        for _ in range(count)
    ]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
