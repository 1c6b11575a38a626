"""What the strict server keeps: buckets, objects, uploads; and what a provider lets pass.

A bucket is a world of its own - profile, region, clock, keys, faults, log - so that many tests can
share one server at the same time."""

import base64
import collections
import dataclasses
import functools
import hashlib
import secrets
import threading
import time

import strict_s3_faults
from strict_s3_signature import Refused

MIB = 1024 * 1024
OWNER = "111122223333"


@dataclasses.dataclass
class Profile:
    """A provider, as far as clients notice it (their own documents; protocols of S3-compatible stores)."""

    name: str
    # If-Match and If-None-Match on writes: honoured, ignored, refused (501); or unquoted, where an
    # ETag must be sent without its quotes, so that what the standard asks for never matches.
    conditions: str = "honoured"
    complete_etag: bool = True  # whether the answer to CompleteMultipartUpload names it
    multi_delete: bool = True
    uploads_listed: bool = True
    parts_max: int = 10000
    parts_equal: bool = False
    parts_at_once_max: int = 1000
    etag_is_md5: bool = True
    checksums: str = "taken"  # x-amz-checksum-*: taken, ignored, refused
    sse: bool = True
    storage_classes: tuple = (
        "STANDARD",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER_IR",
        "GLACIER",
    )
    region_checked: bool = True
    regions: tuple = ()  # others that mean the same as the bucket's
    wrong_region: str = "400"  # how a wrong region is told: 301, 307, 400
    accept_encoding_rewritten: bool = False
    chunked_answers: bool = False
    expect_honoured: bool = True
    needs_md5: bool = False  # a bucket with Object Lock
    page_max: int = 1000
    part_bytes_min: int = 5 * MIB


PROFILES = {
    each.name: each
    for each in [
        Profile("aws", chunked_answers=True),
        Profile(
            "r2",
            parts_equal=True,
            parts_at_once_max=2,
            etag_is_md5=False,
            sse=False,
            storage_classes=("STANDARD", "STANDARD_IA"),
            regions=("auto", "us-east-1", ""),
        ),
        Profile(
            "scaleway",
            parts_max=1000,
            checksums="ignored",
            storage_classes=("STANDARD", "ONEZONE_IA", "GLACIER"),
        ),
        Profile("b2", conditions="refused", checksums="refused", storage_classes=("STANDARD",)),
        Profile(
            "gcs",
            conditions="ignored",
            multi_delete=False,
            checksums="ignored",
            sse=False,
            accept_encoding_rewritten=True,
            regions=("auto", "us-east-1"),
        ),
        Profile(
            "old-rgw",
            conditions="unquoted",
            complete_etag=False,
            checksums="ignored",
            region_checked=False,
            expect_honoured=False,
        ),
    ]
}


def make_etag(data, bucket, kms=False):
    md5 = bucket.profile.etag_is_md5 and not kms
    return '"%s"' % (hashlib.md5(data).hexdigest() if md5 else secrets.token_hex(16))


class Object:
    def __init__(self, data, headers, etag, now):
        self.data, self.headers, self.etag, self.modified = bytes(data), headers, etag, now


class Part:
    def __init__(self, data, etag, checksum):
        self.data, self.etag, self.checksum = bytes(data), etag, checksum


class Upload:
    def __init__(self, key, headers, initiated):
        # Uploads of one key are told apart, and sorted, by their ids.
        self.id = "%015d.%s" % (initiated * 1000, secrets.token_urlsafe(24))
        self.key, self.headers, self.initiated = key, headers, initiated
        self.parts, self.parts_at_once = {}, 0

    def wants_checksums(self):
        return self.headers.get("x-amz-checksum-algorithm", "").upper() == "CRC32C"


Seen = collections.namedtuple("Seen", "operation nth key")


class Bucket:
    def __init__(self, name, profile="aws", region="eu-central-1", ring=None, **changes):
        self.name, self.region, self.ring = name, region, ring
        self.profile = dataclasses.replace(PROFILES[profile], **changes)
        self.objects, self.uploads = {}, {}
        self.clock_ahead = 0
        self.faults = strict_s3_faults.Faults()
        self.seen, self.answered, self.violations = [], [], []
        self.lock = threading.RLock()

    def now(self):
        return time.time() + self.clock_ahead

    def see(self, operation, key, host):
        """Count a request; host is for tests that listen in."""
        with self.lock:
            nth = 1 + sum(each.operation == operation for each in self.seen)
            self.seen.append(Seen(operation, nth, key))
            return self.seen[-1]

    def names(self):
        with self.lock:
            return sorted(self.objects)

    def read(self, key):
        with self.lock:
            return self.objects[key].data

    def refusals(self):
        """(operation, status, code) of everything that was refused, but for what faults refused."""
        with self.lock:
            return [each for each in self.answered if each[1] >= 300]

    def put_object(self, key, data, headers=None):
        """As a test plants one, past all checks."""
        with self.lock:
            self.objects[key] = Object(data, headers or {}, make_etag(data, self), self.now())

    def begin_upload(self, key, age_seconds=0, parts=0):
        """As a test plants one."""
        with self.lock:
            upload = Upload(key, {}, self.now() - age_seconds)
            for number in range(1, parts + 1):
                upload.parts[number] = Part(b"x", '"x"', None)
            self.uploads[upload.id] = upload
            return upload

    # ---- what several operations do ----

    def condition(self, key, if_match, if_none_match):
        """Whether this write may replace what is there."""
        if if_match is None and if_none_match is None:
            return
        if self.profile.conditions == "refused":
            raise Refused(
                501,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
            )
        if self.profile.conditions == "ignored":
            return
        found = self.objects.get(key)
        if if_none_match is not None:
            if if_none_match != "*":
                raise Refused(
                    501, "NotImplemented", "If-None-Match takes * only", Header="If-None-Match"
                )
            if found:
                raise Refused(
                    412,
                    "PreconditionFailed",
                    "At least one of the pre-conditions you specified did not hold",
                    Condition="If-None-Match",
                )
        if if_match is not None:
            if not found:
                raise Refused(404, "NoSuchKey", "The specified key does not exist.", Key=key)
            wanted = found.etag.strip('"') if self.profile.conditions == "unquoted" else found.etag
            if if_match != wanted:
                raise Refused(
                    412,
                    "PreconditionFailed",
                    "At least one of the pre-conditions you specified did not hold",
                    Condition="If-Match",
                )

    def upload(self, key, identity):
        found = self.uploads.get(identity)
        if not found or found.key != key:
            raise Refused(
                404,
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, "
                "or the upload may have been aborted or completed.",
                UploadId=identity,
            )
        return found

    def violate(self, sentence):
        """Something the provider would punish now and then only; a test asserts that there is none."""
        with self.lock:
            self.violations.append(sentence)

    def put_together(self, upload, listed):
        """The rules of CompleteMultipartUpload.  listed: (number, etag, checksum) in the request's order."""
        numbers = [number for number, _, _ in listed]
        if numbers != sorted(set(numbers)):
            raise Refused(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        for number, etag, checksum in listed:
            part = upload.parts.get(number)
            if (
                part is None
                or part.etag.strip('"') != etag.strip('"')
                or (checksum and checksum != part.checksum)
            ):
                raise Refused(
                    400,
                    "InvalidPart",
                    "One or more of the specified parts could not be found.",
                    PartNumber=str(number),
                    ETag=etag,
                )
            if upload.wants_checksums() and self.profile.checksums == "taken" and not checksum:
                raise Refused(
                    400,
                    "InvalidRequest",
                    "The upload was created using a crc32c checksum. The complete "
                    "request must include the checksum for each part.",
                )
        parts = [upload.parts[number] for number in numbers]
        for number, part in zip(numbers[:-1], parts[:-1]):
            if len(part.data) < self.profile.part_bytes_min:
                raise Refused(
                    400,
                    "EntityTooSmall",
                    "Your proposed upload is smaller than the minimum allowed size",
                    ProposedSize=str(len(part.data)),
                    PartNumber=str(number),
                )
        if self.profile.parts_equal:
            first = len(parts[0].data)
            if any(len(part.data) != first for part in parts[:-1]) or len(parts[-1].data) > first:
                raise Refused(
                    400, "InvalidPart", "All non-trailing parts must have the same length."
                )
        data = b"".join(part.data for part in parts)
        digest = hashlib.md5(
            b"".join(hashlib.md5(part.data).digest() for part in parts)
        ).hexdigest()
        if not self.profile.etag_is_md5:
            digest = secrets.token_hex(16)
        return Object(data, upload.headers, '"%s-%d"' % (digest, len(parts)), self.now())


# ---- CRC32C (Castagnoli), RFC 3720 --------------------------------------------------------------

POLYNOMIAL = 0x82F63B78  # reflected: bit 31 stands for x^0


@functools.lru_cache
def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


def multiply(one, other):
    """Of two polynomials below the modulus, both reflected, modulo the polynomial."""
    product = 0
    for bit in range(31, -1, -1):
        if one >> bit & 1:
            product ^= other
        other = other >> 1 ^ (POLYNOMIAL if other & 1 else 0)
    return product


@functools.lru_cache
def power_of_x(exponent):
    result, square = 1 << 31, 1 << 30  # x^0, x^1
    while exponent:
        if exponent & 1:
            result = multiply(square, result)
        square = multiply(square, square)
        exponent >>= 1
    return result


def crc32c(data):
    """Long integers do the work that a loop over bytes would take minutes for: the first half of the
    message, times what its distance is modulo the polynomial, is folded onto the second half."""
    value, bits = int.from_bytes(data, "little"), 8 * len(data)
    if bits <= 4096:
        return crc_of_bytes(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
    value ^= 0xFFFFFFFF
    while bits > 4096:
        head_bits = (bits - 31) // 2 & ~7
        head, rest = value & (1 << head_bits) - 1, bits - head_bits
        factor, folded = power_of_x(rest), 0
        for bit in range(32):
            if factor >> bit & 1:
                folded ^= head << bit
        value = value >> head_bits ^ folded << rest - head_bits - 31
        bits = rest
    return crc_of_bytes(value.to_bytes(bits // 8, "little"), 0) ^ 0xFFFFFFFF


def crc_of_bytes(data, crc):
    table = crc_table()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def crc32c_text(data):
    return base64.b64encode(crc32c(data).to_bytes(4, "big")).decode()
