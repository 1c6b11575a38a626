"""The world that replica is made for: a PostgreSQL that lets nobody in without TLS.

A test module takes the fixture by its name:  from secure_ends import secure_server"""

import os

import pytest

import servers

HOST = "db.example.com"


@pytest.fixture(scope="module")
def secure_server(request, room, s3_pki):
    """It shows a certificate of the authority that also stands behind the S3 servers of the tests."""
    folder = os.path.join(room, "secure-" + request.module.__name__)
    with servers.started(folder, None, ("log_connections = on",)) as server:
        server.allow("hostssl all all 127.0.0.1/32 scram-sha-256")
        server.present(s3_pki.issue(HOST, names=[HOST], key="rsa:2048"))
        yield server


def strict_url(database, root):
    """A URL that believes nothing unchecked: the certificate, the name, and the channel."""
    return database.url(
        host=HOST,
        hostaddr="127.0.0.1",
        sslmode="verify-full",
        sslrootcert=root,
        channel_binding="require",
    )


def logged_in_by_tls(server, since):
    """How many came in by TCP, each of them by TLS 1.2."""
    lines = [
        line
        for line in server.log[since:].splitlines()
        if "connection authorized:" in line and "application_name=psql" not in line
    ]
    assert lines and all("SSL enabled (protocol=TLSv1.2" in line for line in lines), lines
    return len(lines)
