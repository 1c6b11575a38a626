"""An S3 server that refuses what any provider refuses, and fails on command.

    with strict_s3.serving(certificate, key) as server:      one server, plain and over TLS
        bucket = server.bucket("dumps", "r2", ring=ring)     a bucket of a provider's kind
        bucket.faults.add("reset", "UploadPart", nth=2)
        ...                                                  server.endpoint, server.tls_endpoint
        assert bucket.uploads == {} and bucket.violations == []

No free server recomputes everything that Amazon does (moto takes a wrong secret), and none plays
R2's equal parts or Scaleway's thousand.  This one has the rules of strict_s3_store.py's profiles, checks
signatures by strict_s3_signature.py, and strikes with the faults of strict_s3_faults.py.  Its own
truth is shown in test_s3_server.py, with signers that know nothing of it.
"""

import base64
import binascii
import contextlib
import email.utils
import hashlib
import secrets
import urllib.parse
import xml.etree.ElementTree
import zlib
from xml.sax.saxutils import escape

import strict_s3_faults as faults
import strict_s3_store as store
from strict_s3_http import Answer, Broken, HttpServer
from strict_s3_signature import Claim, Refused, decode, iso

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
KEPT_HEADERS = (
    "content-type",
    "x-amz-storage-class",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-checksum-algorithm",
)
LIST_FIELDS = {"prefix", "delimiter", "max-keys", "encoding-type", "x-id"}

CHECKSUMS = {
    "x-amz-checksum-crc32c": store.crc32c_text,
    "x-amz-checksum-crc32": lambda body: base64.b64encode(
        zlib.crc32(body).to_bytes(4, "big")
    ).decode(),
}

# operation: (method, what the query must hold, what it may hold besides, whether it names a key)
OPERATIONS = {
    "CreateBucket": ("PUT", set(), set(), False),
    "HeadBucket": ("HEAD", set(), set(), False),
    "ListMultipartUploads": (
        "GET",
        {"uploads"},
        {"key-marker", "upload-id-marker", "max-uploads"} | LIST_FIELDS,
        False,
    ),
    "ListObjectsV2": (
        "GET",
        {"list-type"},
        {"continuation-token", "start-after", "fetch-owner"} | LIST_FIELDS,
        False,
    ),
    "DeleteObjects": ("POST", {"delete"}, {"x-id"}, False),
    "UploadPart": ("PUT", {"partNumber", "uploadId"}, {"x-id"}, True),
    "PutObject": ("PUT", set(), {"x-id"}, True),
    "ListParts": ("GET", {"uploadId"}, {"part-number-marker", "max-parts", "x-id"}, True),
    "GetObject": ("GET", set(), {"x-id"}, True),
    "HeadObject": ("HEAD", set(), set(), True),
    "AbortMultipartUpload": ("DELETE", {"uploadId"}, {"x-id"}, True),
    "DeleteObject": ("DELETE", set(), {"x-id"}, True),
    "CreateMultipartUpload": ("POST", {"uploads"}, {"x-id"}, True),
    "CompleteMultipartUpload": ("POST", {"uploadId"}, {"x-id"}, True),
}


def operation_of(method, key, query):
    for name, (wanted, must, may, keyed) in OPERATIONS.items():
        if method == wanted and bool(key) == keyed and must <= query.keys() <= must | may:
            return name
    return None


def request_host(request):
    return request.header("host") or ""


def element(name, *content):
    """An element of text or of elements; a dictionary makes one of each of its items."""
    inner = "".join(
        (
            "".join(element(*item) for item in each.items())
            if isinstance(each, dict)
            else each if each.startswith("<") else escape(each)
        )
        for each in content
    )
    return "<%s>%s</%s>" % (name, inner, name)


def document(name, *content):
    body = element(name, *content).replace("<%s>" % name, '<%s xmlns="%s">' % (name, NAMESPACE), 1)
    return (DECLARATION + body).encode()


def children(body, name):
    """The root's children by local name, as dictionaries of theirs."""
    try:
        root = xml.etree.ElementTree.fromstring(bytes(body))
    except xml.etree.ElementTree.ParseError:
        raise Refused(400, "MalformedXML", "The XML you provided was not well-formed") from None
    local = lambda each: each.tag.rpartition("}")[2]
    return [
        {local(each): each.text or "" for each in child} for child in root if local(child) == name
    ]


class Request:
    """One request on its way through the server; faults see it as the moment they strike at."""

    def __init__(self, server, wire, request):
        self.server, self.wire, self.request = server, wire, request
        path, _, query = request.target.partition("?")
        self.query = {}
        for field in query.split("&") if query else []:
            name, _, value = field.partition("=")
            self.query[decode(name).decode()] = decode(value).decode("utf-8", "surrogateescape")
        host = request_host(request).rsplit(":", 1)[0]
        names = decode(path).decode("utf-8", "surrogateescape")[1:]
        self.virtual = host.endswith("." + server.domain)
        if self.virtual:
            self.bucket_name, self.key = host[: -len(server.domain) - 1], names
        else:
            self.bucket_name, _, self.key = names.partition("/")
        self.bucket = server.buckets.get(self.bucket_name)
        self.operation = operation_of(request.method, self.key, self.query)
        self.seen = self.answer = None
        self.spared = 0  # how many keys a fault makes DeleteObjects fail for
        self.body, self.body_read = b"", False
        length = request.header("content-length") or "0"
        self.body_bytes = int(length) if length.isdigit() else 0

    def header(self, name):
        return self.request.header(name)

    # ---- the way of a request ----

    def run(self):
        """Answer it.  Raises Broken when the connection must not be used any more."""
        if self.bucket:
            name = self.operation or self.request.method
            self.seen = self.bucket.see(name, self.key, request_host(self.request))
        struck = self.bucket.faults.meeting(self.seen) if self.bucket else []
        try:
            if self.strike(struck, faults.HEAD):
                return
            self.take_body()
            if self.strike(struck, faults.BEFORE):
                return
            self.answer = self.execute()
        except Refused as refusal:
            self.answer = self.refusal(refusal)
            self.drain()
        self.note(struck)
        if not self.strike(struck, faults.AFTER):
            self.send(self.answer)
        if not self.body_read and self.body_bytes:
            raise Broken("the body was not read")

    def strike(self, struck, moment):
        """Whether a fault has answered already."""
        return any([fault.strike(self) for fault in struck if fault.moment == moment])

    def drain(self):
        """A small body that nobody asked for is read, so that the answer is not lost in a reset."""
        if not self.body_read and not self.header("expect") and self.body_bytes <= 1024 * 1024:
            self.wire.read_body(self.body_bytes)
            self.body_read = True

    def note(self, struck):
        if self.bucket and not struck:
            code = self.answer.headers.pop("x-code", None)
            with self.bucket.lock:
                self.bucket.answered.append((self.seen.operation, self.answer.status, code))
        self.answer.headers.pop("x-code", None)

    def send(self, answer):
        now = self.bucket.now() if self.bucket else None
        answer.headers.setdefault("Date", email.utils.formatdate(now, usegmt=True))
        answer.headers.setdefault("x-amz-request-id", secrets.token_hex(8).upper())
        head, body = answer.bytes(self.request.method == "HEAD")
        self.wire.send(head + body)

    def refusal(self, refused):
        details = {"Code": refused.code, "Message": refused.message, **refused.details}
        details.setdefault("RequestId", secrets.token_hex(8).upper())
        if self.request.method == "HEAD":
            return Answer(refused.status, {**refused.headers, "x-code": refused.code})
        body = (DECLARATION + element("Error", details)).encode("utf-8", "surrogateescape")
        headers = {"Content-Type": "application/xml", **refused.headers, "x-code": refused.code}
        return Answer(refused.status, headers, body, self.chunked())

    def xml(self, name, *content):
        return Answer(
            200, {"Content-Type": "application/xml"}, document(name, *content), self.chunked()
        )

    def chunked(self):
        return bool(self.bucket and self.bucket.profile.chunked_answers)

    # ---- checks before the operation ----

    def take_body(self):
        """All that can be refused by the head alone is refused before the body is asked for."""
        if not self.bucket:
            raise Refused(
                404,
                "NoSuchBucket",
                "The specified bucket does not exist",
                BucketName=self.bucket_name,
            )
        if self.header("transfer-encoding"):
            raise Refused(
                501,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
                Header="Transfer-Encoding",
            )
        if self.request.method in ("PUT", "POST") and self.header("content-length") is None:
            raise Refused(
                411, "MissingContentLength", "You must provide the Content-Length HTTP header."
            )
        expects = (self.header("expect") or "").lower() == "100-continue"
        expects = expects and self.bucket.profile.expect_honoured
        if expects:
            self.check_claim()
        self.in_flight(1)
        try:
            if expects:
                self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.body, self.body_read = self.wire.read_body(self.body_bytes), True
        finally:
            self.in_flight(-1)

    def in_flight(self, change):
        upload = (
            self.bucket.uploads.get(self.query.get("uploadId"))
            if self.operation == "UploadPart"
            else None
        )
        if upload:
            with self.bucket.lock:
                upload.parts_at_once += change
            if upload.parts_at_once > self.bucket.profile.parts_at_once_max:
                self.bucket.violate("%d parts of one upload at once" % upload.parts_at_once)

    def check_claim(self):
        claim = Claim(self.request)
        claim.check_payload_kind(self.wire.over_tls)
        self.check_region(claim)
        if self.bucket.profile.accept_encoding_rewritten and "accept-encoding" in claim.signed:
            raise Refused(403, "SignatureDoesNotMatch", "accept-encoding is changed on the way")
        claim.check(self.request, self.bucket.ring, self.bucket.now())
        return claim

    def check_region(self, claim):
        profile, region = self.bucket.profile, self.bucket.region
        if claim.service != "s3":
            raise Refused(
                400,
                "AuthorizationHeaderMalformed",
                "incorrect service %s; expecting s3" % claim.service,
            )
        if not profile.region_checked or claim.region in (region,) + profile.regions:
            return
        headers = {"x-amz-bucket-region": region}
        if profile.wrong_region == "301":
            raise Refused(
                301,
                "PermanentRedirect",
                "The bucket you are attempting to access must be addressed using "
                "the specified endpoint.",
                headers,
                Endpoint="s3.%s.amazonaws.com" % region,
            )
        if profile.wrong_region == "307":
            headers["Location"] = "https://%s.s3.%s.amazonaws.com/" % (self.bucket_name, region)
            raise Refused(
                307,
                "TemporaryRedirect",
                "Please re-send this request to the specified temporary endpoint.",
                headers,
                Endpoint="s3.%s.amazonaws.com" % region,
            )
        raise Refused(
            400,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the region '%s' is "
            "wrong; expecting '%s'" % (claim.region, region),
            headers if self.request.method == "HEAD" else None,
            Region=region,
        )

    def check_digests(self):
        """Content-MD5 and CRC32C, when they were sent."""
        if (sent := self.header("content-md5")) is not None:
            try:
                good = len(base64.b64decode(sent, validate=True)) == 16
            except binascii.Error:
                good = False
            if not good:
                raise Refused(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
            if base64.b64encode(hashlib.md5(self.body).digest()).decode() != sent:
                raise Refused(
                    400,
                    "BadDigest",
                    "The Content-MD5 you specified did not match what we received.",
                )
        profile = self.bucket.profile
        names = [
            name.lower()
            for name, _ in self.request.headers
            if name.lower().startswith("x-amz-checksum-")
        ]
        if names and profile.checksums == "refused":
            raise Refused(
                400,
                "InvalidArgument",
                "Unsupported header '%s' received for this API call." % names[0],
            )
        for name, checksum in CHECKSUMS.items():
            sent = self.header(name)
            if sent is not None and profile.checksums == "taken" and checksum(self.body) != sent:
                raise Refused(
                    400,
                    "BadDigest",
                    "The checksum you specified did not match the calculated one.",
                    Header=name,
                )

    def execute(self):
        """Check what every operation needs, and do it."""
        claim = self.check_claim()
        if self.operation is None:
            raise Refused(
                501,
                "NotImplemented",
                "%s %s is no operation of this server" % (self.request.method, self.request.target),
            )
        claim.check_body(self.body)
        if (owner := self.header("x-amz-expected-bucket-owner")) not in (None, store.OWNER):
            raise Refused(
                403, "AccessDenied", "Access Denied: the bucket is not owned by %s" % owner
            )
        if len(self.key.encode("utf-8", "surrogateescape")) > 1024:
            raise Refused(400, "KeyTooLongError", "Your key is too long")
        self.check_digests()
        with self.bucket.lock:
            return getattr(self, OPERATION_METHODS[self.operation])()

    # ---- objects ----

    def kept_headers(self):
        """What is stored beside an object, checked."""
        profile, sse = self.bucket.profile, self.header("x-amz-server-side-encryption")
        kms_key = self.header("x-amz-server-side-encryption-aws-kms-key-id")
        if self.header("x-amz-acl") not in (None, "bucket-owner-full-control"):
            raise Refused(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
        if (sse or kms_key) and not profile.sse:
            raise Refused(
                501,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
            )
        if sse not in (None, "AES256", "aws:kms", "aws:kms:dsse"):
            raise Refused(
                400, "InvalidArgument", "The encryption method specified is not supported"
            )
        if kms_key and sse not in ("aws:kms", "aws:kms:dsse"):
            raise Refused(400, "InvalidArgument", "a KMS key without aws:kms")
        if self.header("x-amz-storage-class") not in (None,) + profile.storage_classes:
            raise Refused(
                400, "InvalidStorageClass", "The storage class you specified is not valid"
            )
        if profile.needs_md5 and self.operation == "PutObject":
            self.need_digest(
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
            )
        return {
            name.lower(): value
            for name, value in self.request.headers
            if name.lower() in KEPT_HEADERS or name.lower().startswith("x-amz-meta-")
        }

    def need_digest(self, sentence):
        checksums = self.bucket.profile.checksums == "taken" and any(
            self.header(name) for name in CHECKSUMS
        )
        if self.header("content-md5") is None and not checksums:
            raise Refused(400, "InvalidRequest", sentence)

    def put_object(self):
        headers = self.kept_headers()
        self.bucket.condition(self.key, self.header("if-match"), self.header("if-none-match"))
        kms = headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
        etag = store.make_etag(self.body, self.bucket, kms)
        self.bucket.objects[self.key] = store.Object(self.body, headers, etag, self.bucket.now())
        return Answer(200, {"ETag": etag})

    def find(self):
        found = self.bucket.objects.get(self.key)
        if not found:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.", Key=self.key)
        if self.header("x-amz-server-side-encryption"):
            raise Refused(400, "InvalidArgument", "x-amz-server-side-encryption is not for reading")
        if self.header("if-match") not in (None, "*", found.etag):
            raise Refused(
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            )
        headers = {
            "ETag": found.etag,
            "Accept-Ranges": "bytes",
            "Last-Modified": email.utils.formatdate(found.modified, usegmt=True),
        }
        headers.update(
            {
                name: value
                for name, value in found.headers.items()
                if name != "x-amz-checksum-algorithm"
            }
        )
        return found, headers

    def get_object(self):
        found, headers = self.find()
        wanted = self.header("range")
        if not wanted:
            return Answer(200, headers, found.data)
        size = len(found.data)
        first, dash, last = wanted.removeprefix("bytes=").partition("-")
        if not wanted.startswith("bytes=") or not first.isdigit() or not dash:
            return Answer(200, headers, found.data)
        if int(first) >= size:
            raise Refused(
                416,
                "InvalidRange",
                "The requested range is not satisfiable",
                ActualObjectSize=str(size),
            )
        end = min(int(last) + 1 if last.isdigit() else size, size)
        headers["Content-Range"] = "bytes %s-%d/%d" % (first, end - 1, size)
        return Answer(206, headers, found.data[int(first) : end])

    def head_object(self):
        found, headers = self.find()
        return Answer(200, headers, found.data)

    def delete_object(self):
        self.bucket.objects.pop(self.key, None)
        return Answer(204)

    def delete_objects(self):
        if not self.bucket.profile.multi_delete:
            raise Refused(
                501,
                "NotImplemented",
                "A request you made implies functionality that is not implemented",
            )
        self.need_digest("Missing required header for this request: Content-MD5")
        listed = children(self.body, "Object")
        if not 0 < len(listed) <= 1000 or any(not each.get("Key") for each in listed):
            raise Refused(
                400,
                "MalformedXML",
                "The XML you provided did not validate against our published schema",
            )
        quiet = b"<Quiet>true</Quiet>" in self.body
        for each in listed[self.spared :]:
            self.bucket.objects.pop(each["Key"], None)
        told = [element("Deleted", {"Key": each["Key"]}) for each in listed[self.spared :]]
        failed = {"Code": "InternalError", "Message": "We encountered an internal error."}
        spared = [
            element("Error", {"Key": each["Key"], **failed}) for each in listed[: self.spared]
        ]
        told = spared if quiet else told + spared
        return self.xml("DeleteResult", *told)

    # ---- the bucket ----

    def create_bucket(self):
        raise Refused(409, "BucketAlreadyOwnedByYou", "You already own it")

    def head_bucket(self):
        return Answer(200, {"x-amz-bucket-region": self.bucket.region})

    def name(self, text):
        """A key as the client wants it in a list."""
        if self.query.get("encoding-type") == "url":
            return urllib.parse.quote(text.encode("utf-8", "surrogateescape"), safe="/").replace(
                "%20", "+"
            )
        return text

    def page(self, keys, after, most):
        """Keys and common prefixes of one page, and whether more follow."""
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        found, shared, full = [], [], False
        for key in sorted(keys, key=lambda key: key.encode("utf-8", "surrogateescape")):
            if not key.startswith(prefix):
                continue
            head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            common = prefix + head + cut if cut else None
            last = common or key
            if last <= after or common in shared:
                continue
            if len(found) + len(shared) == most:
                full = True
                break
            (shared if common else found).append(last)
        return found, shared, full

    def most(self, name):
        text = self.query.get(name, "1000")
        if not text.isdigit():
            raise Refused(400, "InvalidArgument", "%s is no number" % name)
        return min(int(text), self.bucket.profile.page_max)

    def list_objects(self):
        if self.query["list-type"] != "2":
            raise Refused(501, "NotImplemented", "only the second version of the list is served")
        after = self.query.get("start-after", "")
        if (token := self.query.get("continuation-token")) is not None:
            after = self.server.tokens.pop(token, None)
            if after is None:
                raise Refused(
                    400, "InvalidArgument", "The continuation token provided is incorrect"
                )
        most = self.most("max-keys")
        keys, shared, full = self.page(self.bucket.objects, after, most)
        content = [
            element("Name", self.bucket_name),
            element("Prefix", self.name(self.query.get("prefix", ""))),
            element("MaxKeys", str(most)),
            element("KeyCount", str(len(keys) + len(shared))),
            element("IsTruncated", "true" if full else "false"),
        ]
        if self.query.get("encoding-type") == "url":
            content.append(element("EncodingType", "url"))
        if full:
            token = base64.b64encode(secrets.token_bytes(18)).decode() + "+/="
            self.server.tokens[token] = max(keys + shared)
            content.append(element("NextContinuationToken", token))
        for key in keys:
            found = self.bucket.objects[key]
            content.append(
                element(
                    "Contents",
                    {
                        "Key": self.name(key),
                        "LastModified": iso(found.modified).replace("Z", ".000Z"),
                        "ETag": found.etag,
                        "Size": str(len(found.data)),
                        "StorageClass": found.headers.get("x-amz-storage-class", "STANDARD"),
                    },
                )
            )
        content += [element("CommonPrefixes", {"Prefix": self.name(each)}) for each in shared]
        return self.xml("ListBucketResult", *content)

    # ---- multipart uploads ----

    def list_uploads(self):
        if not self.bucket.profile.uploads_listed:
            raise Refused(
                501,
                "NotImplemented",
                "A request you made implies functionality that is not implemented",
            )
        prefix = self.query.get("prefix", "")
        marker = (self.query.get("key-marker", ""), self.query.get("upload-id-marker", ""))
        most = self.most("max-uploads")
        # Without an id marker a key marker leaves all uploads of that key behind.
        after = lambda each: (each.key, each.id) > marker if marker[1] else each.key > marker[0]
        found = sorted(
            (
                each
                for each in self.bucket.uploads.values()
                if each.key.startswith(prefix) and after(each)
            ),
            key=lambda each: (each.key, each.id),
        )
        page, more = found[:most], len(found) > most
        content = [
            element("Bucket", self.bucket_name),
            element("IsTruncated", "true" if more else "false"),
            element("MaxUploads", str(most)),
        ]
        if self.query.get("encoding-type") == "url":
            content.append(element("EncodingType", "url"))
        if more:
            content.append(element("NextKeyMarker", self.name(page[-1].key)))
            content.append(element("NextUploadIdMarker", page[-1].id))
        content += [
            element(
                "Upload",
                {
                    "Key": self.name(each.key),
                    "UploadId": each.id,
                    "StorageClass": "STANDARD",
                    "Initiated": iso(each.initiated).replace("Z", ".000Z"),
                },
            )
            for each in page
        ]
        return self.xml("ListMultipartUploadsResult", *content)

    def create_upload(self):
        upload = store.Upload(self.key, self.kept_headers(), self.bucket.now())
        self.bucket.uploads[upload.id] = upload
        return self.xml(
            "InitiateMultipartUploadResult",
            {"Bucket": self.bucket_name, "Key": self.key, "UploadId": upload.id},
        )

    def upload_part(self):
        profile, number = self.bucket.profile, self.query["partNumber"]
        upload = self.bucket.upload(self.key, self.query["uploadId"])
        if not number.isdigit() or not 1 <= int(number) <= profile.parts_max:
            raise Refused(
                400,
                "InvalidArgument",
                "Part number must be an integer between 1 and %d, inclusive" % profile.parts_max,
                ArgumentName="partNumber",
                ArgumentValue=number,
            )
        for name in ("x-amz-server-side-encryption", "x-amz-storage-class", "x-amz-acl"):
            if self.header(name):
                raise Refused(
                    400, "InvalidArgument", "%s is not supported for this operation" % name
                )
        if profile.needs_md5:
            self.need_digest(
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Upload Part requests with Object Lock parameters"
            )
        checksum = self.header("x-amz-checksum-crc32c") if profile.checksums == "taken" else None
        if upload.wants_checksums() and profile.checksums == "taken" and not checksum:
            checksum = store.crc32c_text(self.body)
        etag = store.make_etag(self.body, self.bucket)
        upload.parts[int(number)] = store.Part(self.body, etag, checksum)
        headers = {"ETag": etag}
        if checksum:
            headers["x-amz-checksum-crc32c"] = checksum
        return Answer(200, headers)

    def list_parts(self):
        upload = self.bucket.upload(self.key, self.query["uploadId"])
        after, most = int(self.query.get("part-number-marker") or 0), self.most("max-parts")
        found = sorted(number for number in upload.parts if number > after)
        more = len(found) > most
        content = [
            element("UploadId", upload.id),
            element("Key", self.key),
            element("IsTruncated", "true" if more else "false"),
        ]
        if more:
            content.append(element("NextPartNumberMarker", str(found[most - 1])))
        for number in found[:most]:
            part = upload.parts[number]
            content.append(
                element(
                    "Part",
                    {"PartNumber": str(number), "ETag": part.etag, "Size": str(len(part.data))},
                )
            )
        return self.xml("ListPartsResult", *content)

    def complete_upload(self):
        upload = self.bucket.upload(self.key, self.query["uploadId"])
        listed = []
        for each in children(self.body, "Part"):
            if not each.get("PartNumber", "").isdigit() or not each.get("ETag"):
                raise Refused(
                    400,
                    "MalformedXML",
                    "The XML you provided did not validate against our published schema",
                )
            listed.append((int(each["PartNumber"]), each["ETag"], each.get("ChecksumCRC32C")))
        if not listed:
            raise Refused(400, "MalformedXML", "You must specify at least one part")
        if self.bucket.profile.conditions != "unquoted":
            self.bucket.condition(self.key, self.header("if-match"), self.header("if-none-match"))
        made = self.bucket.put_together(upload, listed)
        self.bucket.objects[self.key] = made
        del self.bucket.uploads[upload.id]
        answer = self.xml(
            "CompleteMultipartUploadResult",
            {
                "Location": "http://%s/%s" % (self.bucket_name, urllib.parse.quote(self.key)),
                "Bucket": self.bucket_name,
                "Key": self.key,
                "ETag": made.etag if self.bucket.profile.complete_etag else "",
            },
        )
        # Amazon keeps the connection awake with blanks while it puts a large object together.
        answer.body = (
            b"\n  \n" + answer.body.removeprefix(DECLARATION.encode())
            if self.chunked()
            else answer.body
        )
        return answer

    def abort_upload(self):
        """A part that is on its way survives, and its upload with it, until another abort."""
        upload = self.bucket.upload(self.key, self.query["uploadId"])
        upload.parts.clear()
        if upload.parts_at_once == 0:
            del self.bucket.uploads[upload.id]
        return Answer(204)


OPERATION_METHODS = {
    "CreateBucket": "create_bucket",
    "HeadBucket": "head_bucket",
    "ListMultipartUploads": "list_uploads",
    "ListObjectsV2": "list_objects",
    "DeleteObjects": "delete_objects",
    "UploadPart": "upload_part",
    "PutObject": "put_object",
    "ListParts": "list_parts",
    "GetObject": "get_object",
    "HeadObject": "head_object",
    "AbortMultipartUpload": "abort_upload",
    "DeleteObject": "delete_object",
    "CreateMultipartUpload": "create_upload",
    "CompleteMultipartUpload": "complete_upload",
}


class StrictS3:
    """The server.  domain is what virtual-host names end in."""

    def __init__(self, certificate=None, key=None, domain="s3.test"):
        self.buckets, self.tokens, self.domain = {}, {}, domain
        self.http = HttpServer(
            lambda wire, request: Request(self, wire, request).run(), certificate, key
        )
        self.endpoint = "http://127.0.0.1:%d" % self.http.port
        self.tls_endpoint = "https://127.0.0.1:%s" % self.http.tls_port

    def bucket(self, name, profile="aws", **options):
        """Make one; ring=KeyRing is needed, the rest is Bucket's and Profile's."""
        self.buckets[name] = store.Bucket(name, profile, **options)
        return self.buckets[name]

    def drop(self, bucket):
        """Forget it; who still waits in one of its faults is let go."""
        bucket.faults.closing.set()
        self.buckets.pop(bucket.name, None)

    def close(self):
        for bucket in list(self.buckets.values()):
            self.drop(bucket)
        self.http.close()


@contextlib.contextmanager
def serving(certificate=None, key=None, **options):
    """A server that lives as long as the block; a mistake inside it fails whoever ends the block."""
    server = StrictS3(certificate, key, **options)
    try:
        yield server
    finally:
        server.close()
    assert server.http.mistakes == [], repr(server.http.mistakes)
