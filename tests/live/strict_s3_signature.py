"""Signature Version 4 as S3 checks it: recomputed from the bytes on the wire, believing nothing.

    bytes of the request -> canonical request -> string to sign -> signature, compared with the one sent

Everything a lenient server lets pass is refused here: headers that ought to be signed and are not,
headers that proxies change and that are signed nevertheless, a scope of another day or region, a
payload hash that is not the body's.  Nothing of this file is used to sign (s3_tool.py has its own).
"""

import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

SKEW_SECONDS = 900
UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

# Proxies add, drop or rewrite these, so a signature over them breaks somewhere on the way.
NEVER_SIGNED = {
    "connection",
    "expect",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
}
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/,\s]*)/([^/,\s]+)/aws4_request,\s*"
    r"SignedHeaders=([a-z0-9;_.-]+),\s*Signature=([0-9a-f]{64})$"
)
HASH = re.compile(r"[0-9a-f]{64}$")


class Refused(Exception):
    """What S3 answers: a status, a code, a sentence, and what else stands in the XML."""

    def __init__(self, status, code, message, headers=None, **details):
        super().__init__("%d %s: %s" % (status, code, message))
        self.status, self.code, self.message = status, code, message
        self.headers, self.details = headers or {}, details


def encode(raw, keep=b""):
    """Percent-encode bytes as RFC 3986 says, hexadecimal digits in capitals."""
    return "".join(chr(b) if b in UNRESERVED or b in keep else "%%%02X" % b for b in raw)


def decode(text):
    """A piece of the target, in Latin-1 as it came, without its percent signs."""
    return urllib.parse.unquote_to_bytes(text.encode("latin-1"))


def canonical_query(query):
    fields = []
    for field in query.split("&") if query else []:
        name, _, value = field.partition("=")
        fields.append((encode(decode(name)), encode(decode(value))))
    return "&".join("%s=%s" % field for field in sorted(fields))


def canonical_request(method, target, headers, signed, payload):
    """headers are (name, value) pairs as they came; signed the names in lower case, in their order."""
    path, _, query = target.partition("?")
    lines = []
    for name in signed:
        values = [" ".join(value.split()) for key, value in headers if key.lower() == name]
        lines.append("%s:%s\n" % (name, ",".join(values)))
    return "\n".join(
        [
            method,
            encode(decode(path), b"/"),
            canonical_query(query),
            "".join(lines),
            ";".join(signed),
            payload,
        ]
    )


def string_to_sign(date, scope, canonical):
    return "\n".join(
        ["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode("latin-1")).hexdigest()]
    )


def signature(secret, day, region, service, text):
    key = ("AWS4" + secret).encode()
    for piece in (day, region, service, "aws4_request"):
        key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def iso(epoch):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


class Claim:
    """What a request says about who sent it; nothing of it is proven before check()."""

    def __init__(self, request):
        if request.header("authorization") is None:
            raise Refused(403, "AccessDenied", "Access Denied: the request is not signed")
        match = AUTHORIZATION.match(request.header("authorization"))
        if not match:
            raise Refused(
                400, "AuthorizationHeaderMalformed", "The authorization header is malformed"
            )
        self.access, self.day, self.region, self.service, signed, self.signature = match.groups()
        self.signed = signed.split(";")
        self.payload = request.header("x-amz-content-sha256")
        self.date = request.header("x-amz-date") or ""
        self.check_headers(request)

    def check_headers(self, request):
        if self.signed != sorted(set(self.signed)):
            raise Refused(400, "AuthorizationHeaderMalformed", "SignedHeaders is not sorted")
        must = {"host"} | {
            name.lower()
            for name, _ in request.headers
            if name.lower().startswith("x-amz-") or name.lower() == "content-md5"
        }
        if missing := sorted(must - set(self.signed)):
            raise Refused(
                403,
                "AccessDenied",
                "There were headers present in the request which were not signed",
                HeadersNotSigned=", ".join(missing),
            )
        if absent := [name for name in self.signed if request.header(name) is None]:
            raise Refused(
                403, "SignatureDoesNotMatch", "signed, but not sent: %s" % ", ".join(absent)
            )
        if wrong := sorted(NEVER_SIGNED & set(self.signed)):
            raise Refused(403, "SignatureDoesNotMatch", "a proxy changes: %s" % ", ".join(wrong))

    def check_date(self, now):
        if not re.match(r"\d{8}T\d{6}Z$", self.date):
            raise Refused(
                403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
            )
        sent = calendar.timegm(time.strptime(self.date, "%Y%m%dT%H%M%SZ"))
        if abs(sent - now) > SKEW_SECONDS:
            raise Refused(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                RequestTime=self.date,
                ServerTime=iso(now),
                MaxAllowedSkewMilliseconds=str(SKEW_SECONDS * 1000),
            )
        if self.day != self.date[:8]:
            raise Refused(
                400,
                "AuthorizationHeaderMalformed",
                "Invalid credential date. Date is not the same as X-Amz-Date.",
            )

    def check_payload_kind(self, over_tls):
        if self.payload is None:
            raise Refused(
                400,
                "InvalidRequest",
                "Missing required header for this request: x-amz-content-sha256",
            )
        if self.payload.startswith("STREAMING-"):
            raise Refused(
                501,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
                Header="x-amz-content-sha256",
                Value=self.payload,
            )
        if not HASH.match(self.payload) and not (self.payload == "UNSIGNED-PAYLOAD" and over_tls):
            raise Refused(
                400,
                "InvalidArgument",
                "x-amz-content-sha256 must be the SHA-256 of the payload",
                ArgumentName="x-amz-content-sha256",
                ArgumentValue=self.payload,
            )

    def check(self, request, ring, now):
        """The key, the date and the signature.  Returns nothing; raises Refused."""
        key, refusal = ring.check(self.access, request.header("x-amz-security-token"))
        if refusal:
            status, code = refusal
            raise Refused(
                status,
                code,
                {
                    "InvalidAccessKeyId": "The AWS Access Key Id you provided does not exist in our records.",
                    "InvalidToken": "The provided token is malformed or otherwise invalid.",
                    "ExpiredToken": "The provided token has expired.",
                }[code],
            )
        self.check_date(now)
        scope = "/".join([self.day, self.region, self.service, "aws4_request"])
        canonical = canonical_request(
            request.method, request.target, request.headers, self.signed, self.payload
        )
        text = string_to_sign(self.date, scope, canonical)
        wanted = signature(key.secret, self.day, self.region, self.service, text)
        if not hmac.compare_digest(wanted, self.signature):
            raise Refused(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
                AWSAccessKeyId=self.access,
                StringToSign=text,
                CanonicalRequest=canonical,
            )

    def check_body(self, body):
        if HASH.match(self.payload) and hashlib.sha256(body).hexdigest() != self.payload:
            raise Refused(
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                ClientComputedContentSHA256=self.payload,
                S3ComputedContentSHA256=hashlib.sha256(body).hexdigest(),
            )
