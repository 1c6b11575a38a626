"""The places where a platform keeps keys: the instance's metadata, ECS, EKS Pod Identity, and STS.

    places = aws_endpoints.Places(ring)                  one server, plain and over TLS if it has a certificate
    places.settings("container")                         what replica needs to ask there
    places.fail("container", 500, times=2)               ... or "hang", "reset", "code", "garbage"
    places.seconds = 4                                   keys issued from now on live so long
    places.asked("container"), places.issued             what came, and the keys that went out

Each has the shapes of its documentation, and refuses what the real one refuses: a wrong token, an
authorization that is not the newest one, an STS call with the token in its URL.  The keys are the
ring's, so the S3 server that shares it believes them until they have run out.
"""

import collections
import json
import secrets
import socket
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

from strict_s3_http import Answer, HttpServer

Asked = collections.namedtuple("Asked", "place method target headers body")

ROLE = "dump-role"
ROLE_ARN = "arn:aws:iam::123456789012:role/" + ROLE
STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"

# what a path begins with, and whose it is
PATHS = {
    "/latest/api/token": "metadata-token",
    "/latest/meta-data/iam/security-credentials/" + ROLE: "metadata",
    "/latest/meta-data/iam/security-credentials/": "metadata-role",
    "/v2/credentials/": "container",
    "/v1/credentials": "pod-identity",
    "/": "sts",
}


def iso(epoch):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


class Places:
    def __init__(self, ring, certificate=None, key=None):
        self.ring = ring
        self.seconds = 3600
        self.metadata_versions = {1, 2}
        self.token = secrets.token_urlsafe(200)  # what the platform wrote for this pod
        self.issued = []
        self.history = []
        self.failures = {}
        self.metadata_tokens = set()
        self.lock = threading.Lock()
        self.server = HttpServer(self.serve, certificate, key)
        self.endpoint = "http://127.0.0.1:%d" % self.server.port
        self.tls_endpoint = "https://127.0.0.1:%s" % self.server.tls_port

    def listen_at(self, address, port=80):
        """At a platform's own address too; for a network namespace that has it."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, port), family=family)
        self.server.listeners.append(listener)
        threading.Thread(target=self.server.accept, args=(listener, None), daemon=True).start()

    def close(self):
        self.server.close()
        assert self.server.mistakes == [], self.server.mistakes

    def settings(self, place, token_path=None):
        """The environment that lets replica ask this place; token_path is a file that holds self.token."""
        return {
            "metadata": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.endpoint},
            "container": {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.endpoint + "/v2/credentials/abc",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": self.token,
            },
            "pod-identity": {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.endpoint + "/v1/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token_path,
            },
            "sts": {
                "AWS_WEB_IDENTITY_TOKEN_FILE": token_path,
                "AWS_ROLE_ARN": ROLE_ARN,
                "AWS_ENDPOINT_URL_STS": self.endpoint,
            },
        }[place]

    def fail(self, place, kind, times=1):
        """The next `times` answers of a place are this status, or "hang", "reset", "code", "garbage"."""
        with self.lock:
            self.failures.setdefault(place, []).extend([kind] * times)

    def asked(self, place):
        with self.lock:
            return [each for each in self.history if each.place == place]

    def expire(self):
        """All keys that were issued run out now."""
        for key in list(self.issued):
            self.ring.expire(key.access)

    def secrets(self):
        """All that must be in no output."""
        return [self.token] + [text for key in self.issued for text in (key.secret, key.token)]

    # ---- answering ----

    def serve(self, wire, request):
        body = bytes(wire.read_body(int(request.header("content-length") or 0)))
        place = next(name for path, name in PATHS.items() if request.target.startswith(path))
        with self.lock:
            self.history.append(Asked(place, request.method, request.target, request.headers, body))
            failures = self.failures.get(place, [])
            kind = failures.pop(0) if failures else None
        if kind == "hang":
            wire.wait_for_end()
        elif kind == "reset":
            wire.reset()
        elif kind == "garbage":
            answer = Answer(200, {}, b'{"AccessKeyId": "ASIA')
        elif kind == "code":
            answer = self.json(200, Code="AssumeRoleUnauthorizedAccess", Message="EC2 cannot assume the role")
        elif kind == "idp":
            answer = self.sts_error(400, "IDPCommunicationError", "The identity provider cannot be reached")
        elif kind is not None:
            answer = self.json(kind, code="Failure%d" % kind, message="failing on command")
        else:
            answer = getattr(self, place.replace("-", "_"))(request, body)
        head, content = answer.bytes()
        wire.send(head + content)

    def issue(self):
        key = self.ring.issue(self.seconds)
        with self.lock:
            self.issued.append(key)
        return key

    def json(self, status, **members):
        return Answer(status, {"Content-Type": "application/json"}, json.dumps(members).encode())

    def keys(self, **more):
        key = self.issue()
        return self.json(200, AccessKeyId=key.access, SecretAccessKey=key.secret, Token=key.token,
                         Expiration=iso(key.expires), **more)

    def metadata_token(self, request, body):
        if 2 not in self.metadata_versions:
            return Answer(404)
        if request.method != "PUT" or not 1 <= int(request.header("x-aws-ec2-metadata-token-ttl-seconds") or 0) <= 21600:
            return Answer(400)
        token = secrets.token_urlsafe(32)
        self.metadata_tokens.add(token)
        return Answer(200, {"Content-Type": "text/plain"}, token.encode())

    def metadata_refused(self, request):
        token = request.header("x-aws-ec2-metadata-token")
        known = 1 in self.metadata_versions if token is None else token in self.metadata_tokens
        return None if known and request.method == "GET" else Answer(401)

    def metadata_role(self, request, body):
        return self.metadata_refused(request) or Answer(200, {"Content-Type": "text/plain"}, ROLE.encode())

    def metadata(self, request, body):
        return self.metadata_refused(request) or self.keys(
            Code="Success", Type="AWS-HMAC", LastUpdated=iso(time.time()))

    def authorized(self, request):
        return request.method == "GET" and request.header("authorization") == self.token

    def container(self, request, body):
        if not self.authorized(request):
            return self.json(403, code="AccessDeniedException", message="not authorized")
        return self.keys(RoleArn=ROLE_ARN)

    def pod_identity(self, request, body):
        if not self.authorized(request):
            return Answer(400, {"Content-Type": "text/plain"}, b"Service account token is not valid")
        return self.keys(AccountId="123456789012")

    def sts_error(self, status, code, message):
        return Answer(status, {"Content-Type": "text/xml"}, (
            '<ErrorResponse xmlns="%s"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>'
            "<RequestId>1</RequestId></ErrorResponse>" % (STS_NAMESPACE, code, escape(message))).encode())

    def sts(self, request, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if request.method != "POST" or request.target != "/" or request.header("authorization"):
            return self.sts_error(403, "AccessDenied", "this call is an unsigned POST")
        if form.get("Action") != "AssumeRoleWithWebIdentity" or form.get("Version") != "2011-06-15":
            return self.sts_error(400, "InvalidAction", "no such action")
        if form.get("RoleArn") != ROLE_ARN or not 2 <= len(form.get("RoleSessionName", "")) <= 64:
            return self.sts_error(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        if form.get("WebIdentityToken") != self.token:
            return self.sts_error(400, "ExpiredTokenException", "Token %s has expired" % form.get("WebIdentityToken"))
        key = self.issue()
        credentials = "".join("<%s>%s</%s>" % (name, escape(value), name) for name, value in (
            ("SessionToken", key.token), ("SecretAccessKey", key.secret), ("Expiration", iso(key.expires)),
            ("AccessKeyId", key.access)))
        return Answer(200, {"Content-Type": "text/xml"}, (
            '<AssumeRoleWithWebIdentityResponse xmlns="%s"><AssumeRoleWithWebIdentityResult>'
            "<Audience>sts.amazonaws.com</Audience><Credentials>%s</Credentials>"
            "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
            % (STS_NAMESPACE, credentials)).encode())
