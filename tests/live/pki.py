"""Certificates of every kind, made by the openssl command: authorities, intermediates, leaves that are right or
wrong in one way each.  Nothing here knows replica or PostgreSQL."""

import collections
import os
import subprocess

# A key and its certificate.  chain: the certificate with the intermediates behind it, in one file.
Certificate = collections.namedtuple("Certificate", "cert key chain")

LONG_AGO, YESTERDAY = "20200101000000Z", "20240101000000Z"
FAR, FARTHER = "20490101000000Z", "20491231000000Z"

CONFIGURATION = """
[ca]
default_ca = ours
[ours]
database = %(folder)s/index.txt
new_certs_dir = %(folder)s
certificate = %(cert)s
private_key = %(key)s
rand_serial = yes
default_md = sha256
policy = anything
unique_subject = no
preserve = yes
[anything]
countryName = optional
organizationName = optional
commonName = optional
"""


def openssl(*arguments):
    done = subprocess.run(
        ["openssl"] + list(arguments), capture_output=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, "openssl %s: %s" % (arguments, done.stderr.decode())
    return done.stdout


def make_key(path, kind):
    """kind: "rsa:2048" or "ec:P-256".  PKCS#8, as openssl writes keys nowadays."""
    algorithm, size = kind.split(":")
    option = "rsa_keygen_bits:" if algorithm == "rsa" else "ec_paramgen_curve:"
    openssl(
        "genpkey", "-algorithm", algorithm.upper(), "-pkeyopt", option + size, "-out", path, "-quiet"
    )
    os.chmod(path, 0o600)


def legacy(key):
    """The same key as older tools write it: "RSA PRIVATE KEY" or "EC PRIVATE KEY"."""
    path = key + ".legacy"
    openssl("pkey", "-in", key, "-traditional", "-out", path)
    os.chmod(path, 0o600)
    return path


def der(key):
    path = key + ".der"
    openssl("pkey", "-in", key, "-outform", "DER", "-out", path)
    os.chmod(path, 0o600)
    return path


def encrypted(key, password):
    path = key + ".encrypted"
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:" + password, "-out", path)
    os.chmod(path, 0o600)
    return path


class Authority:
    """An authority with a directory of its own; parent makes it an intermediate one."""

    def __init__(self, room, name, key="ec:P-256", parent=None):
        self.folder = os.path.join(room, name.replace(" ", "-"))
        self.parent = parent
        self.made = 0
        os.makedirs(self.folder, exist_ok=True)
        self.key = self.path("ca.key")
        self.cert = self.path("ca.pem")
        with open(self.path("index.txt"), "w"):
            pass
        with open(self.path("ca.cnf"), "w") as file:
            file.write(CONFIGURATION % {"folder": self.folder, "cert": self.cert, "key": self.key})
        make_key(self.key, key)
        lines = ["basicConstraints = critical, CA:true", "keyUsage = critical, keyCertSign, cRLSign"]
        (parent or self).sign(self.key, "/CN=" + name, lines, self.cert, own=parent is None)

    def path(self, name):
        return os.path.join(self.folder, name)

    def sign(self, key, subject, lines, target, start=YESTERDAY, end=FAR, digest="sha256", own=False):
        extensions = target + ".ext"
        with open(extensions, "w") as file:
            file.write("subjectKeyIdentifier = hash\n" + "\n".join(lines) + "\n")
        openssl("req", "-new", "-key", key, "-subj", subject, "-out", target + ".csr")
        openssl(
            *["ca", "-batch", "-notext", "-config", self.path("ca.cnf"), "-in", target + ".csr"],
            *["-extfile", extensions, "-startdate", start, "-enddate", end, "-md", digest],
            *["-out", target] + (["-selfsign"] if own else []),
        )

    def above(self):
        """The intermediates from here up, without the root, as a server sends them."""
        if self.parent is None:
            return b""
        with open(self.cert, "rb") as file:
            return file.read() + self.parent.above()

    def issue(
        self, common=None, names=(), addresses=(), key="ec:P-256", client=False, lines=(), **validity
    ):
        """A leaf for a server, or for a client.  common: its common name.  validity: start, end, digest."""
        self.made += 1
        base = self.path("leaf%d" % self.made)
        subject = "/O=replica tests" + ("/CN=" + common if common else "")
        alternatives = ["DNS:" + name for name in names] + ["IP:" + ip for ip in addresses]
        lines = [
            "basicConstraints = CA:false",
            "extendedKeyUsage = " + ("clientAuth" if client else "serverAuth"),
            *(["subjectAltName = " + ", ".join(alternatives)] if alternatives else []),
            *lines,
        ]
        make_key(base + ".key", key)
        self.sign(base + ".key", subject, lines, base + ".pem", **validity)
        with open(base + ".chain.pem", "wb") as chain, open(base + ".pem", "rb") as leaf:
            chain.write(leaf.read() + self.above())
        return Certificate(base + ".pem", base + ".key", base + ".chain.pem")


def self_signed(room, name):
    """A certificate that nobody but itself vouches for."""
    cert = os.path.join(room, "self-signed-%s.pem" % name)
    make_key(cert + ".key", "ec:P-256")
    openssl(
        *["req", "-new", "-x509", "-days", "3650", "-key", cert + ".key", "-subj", "/CN=" + name],
        *["-addext", "subjectAltName = DNS:" + name, "-out", cert],
    )
    return Certificate(cert, cert + ".key", cert)
