"""Promise: whatever an S3 server answers, and however long, a run ends, says why, and stays within its memory."""

import itertools
import time

import pytest

import strict_s3_faults as faults
import tool
from strict_s3_http import Answer, Broken
from test_memory import MIB, measured

CASES = []
MEMORY = 32
SETTINGS = {"AWS_MAX_ATTEMPTS": "2", "REPLICA_JOBS": "1"}


@pytest.fixture(scope="module", autouse=True)
def counted():
    yield
    print("\n%d cases of hostile answers" % len(CASES))


def page(contents, token):
    return Answer(200, {}, ("<ListBucketResult>%s<IsTruncated>true</IsTruncated><NextContinuationToken>%s"
                            "</NextContinuationToken></ListBucketResult>" % (contents, token)).encode())


def contents(names):
    return "".join("<Contents><Key>%s</Key><Size>1</Size></Contents>" % name for name in names)


def prefixes(names):
    return "".join("<CommonPrefixes><Prefix>%s/</Prefix></CommonPrefixes>" % name for name in names)


NAMES = ["%04d" % n for n in range(1000)]
LISTINGS = {
    "empty pages": lambda n: page("", n),
    "keys outside the prefix": lambda n: page(contents("other/%d-%s" % (n, name) for name in NAMES), n),
    "a key a page": lambda n: page(contents(["dumps/%d" % n]), n),
    "the same page": lambda n: page(contents("dumps/" + name for name in NAMES), n),
    "two pages in turn": lambda n: page(contents("dumps/%d%s" % (n % 2, name) for name in NAMES), n),
    "the same token": lambda n: page(contents("dumps/%d-%s" % (n, name) for name in NAMES), "same"),
    "no token": lambda n: page(contents("dumps/%d-%s" % (n, name) for name in NAMES), ""),
    "ever new keys": lambda n: page(contents("dumps/%d-%s" % (n, name) for name in NAMES), n),
    "ever new prefixes": lambda n: page(prefixes("dumps/%d-%s" % (n, name) for name in NAMES), n),
    "dumps without end": lambda n: page(prefixes("dumps/dump-%d%s" % (n + 1, name) for name in NAMES), n),
    "keys backwards": lambda n: page(contents("dumps/%d-%s" % (10**9 - n, name) for name in reversed(NAMES)), n),
    "long keys": lambda n: page(contents("dumps/%d-%s" % (n, "k" * 60000) for _ in range(20)), n),
    "many keys in one": lambda n: page("<Contents>%s</Contents>" % ("<Key>dumps/x</Key>" * 100000), n),
    "a token of a mebibyte": lambda n: page("", "t" * MIB),
    "a page of 15 MiB": lambda n: page(contents("dumps/%d-%d" % (n, i) for i in range(250000)), n),
    "a page of 100 MiB": lambda n: Answer(200, {}, b"<ListBucketResult>" + b" " * 100 * MIB + b"</ListBucketResult>"),
    "deep elements": lambda n: Answer(200, {}, b"<ListBucketResult>" + b"<a>" * 100000),
    "entities": lambda n: Answer(200, {}, b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><ListBucketResult>&a;</ListBucketResult>"),
}


def raw(head, pieces=()):
    """An answer byte by byte, which may have no end."""

    def strike(moment):
        moment.wire.send(head)
        for piece in pieces() if callable(pieces) else pieces:
            moment.wire.send(piece)
        raise Broken("said all")

    return strike


def drip(moment):
    moment.wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(20):
        moment.wire.send(b"<")
        time.sleep(0.1)
    raise Broken("dripped")


HEAD = b"HTTP/1.1 %s\r\n"
OK, ERROR, MOVED = HEAD % b"200 OK", HEAD % b"500 No", HEAD % b"301 Moved"
ENDLESS = lambda: itertools.repeat(b"x" * 65536, 16 * 1024)  # a gibibyte
ANSWERS = {
    "a head without end": raw(OK, lambda: itertools.repeat(b"X-A: b\r\n", 10**7)),
    "a line without end": raw(OK + b"X-A: ", ENDLESS),
    "a thousand headers": raw(OK + b"X-A: b\r\n" * 1000 + b"Content-Length: 0\r\n\r\n"),
    "a body without end": raw(OK + b"\r\n", ENDLESS),
    "chunks without end": raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", lambda: itertools.repeat(b"10000\r\n" + b"x" * 65536 + b"\r\n", 16384)),
    "a chunk of all memory": raw(OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
    "a chunk's extension": raw(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", ENDLESS),
    "trailers without end": raw(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", lambda: itertools.repeat(b"X-A: b\r\n", 10**7)),
    "an error without end": raw(ERROR + b"Content-Length: 1073741824\r\n\r\n", ENDLESS),
    "a length of all memory": raw(OK + b"Content-Length: 18446744073709551615\r\n\r\n<"),
    "a length below zero": raw(OK + b"Content-Length: -1\r\n\r\n"),
    "two lengths": raw(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "a redirect to itself": raw(MOVED + b"Location: /\r\nx-amz-bucket-region: us-east-1\r\nContent-Length: 0\r\n\r\n"),
    "continue without end": raw(b"", lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n", 10**6)),
    "escapes": raw(HEAD % b"500 \x1b[2J\xc2\x9b" + b"Content-Length: 76\r\n\r\n<Error><Code>\x1b[2J</Code><Message>a\n2026 info done\xc2\x9b</Message></Error>".ljust(78)),
    "a drip": drip,
}


def ends(s3_store, command, strike, operation, **variables):
    """It fails within a minute and a half, within its memory, with a clear kind of failure."""
    bucket = s3_store.world
    bucket.faults.put(faults.BEFORE, strike, operation, 1, None, None)
    begun = time.monotonic()
    code, text, peak, _ = measured(command, REPLICA_MEMORY="%dMiB" % MEMORY, **{**s3_store.settings, **SETTINGS, **variables})
    took = time.monotonic() - begun
    bucket.faults.clear()
    CASES.append((command, operation))
    print("exit %d, %.1f MiB, %.1f s: %s" % (code, peak / MIB, took, text.splitlines()[-1][:200]))
    assert code in (tool.STORE, tool.INTEGRITY), text[-800:]
    assert peak <= MEMORY * MIB, "%.1f MiB" % (peak / MIB)
    assert took < 90
    assert "\x1b" not in text and "\x9b" not in text
    return text


@pytest.mark.parametrize("kind", LISTINGS)
def test_a_listing(s3_store, kind):
    count = itertools.count()
    store = s3_store(tls=False)
    ends(store, "list", lambda moment: moment.send(LISTINGS[kind](next(count))) or True, "ListObjectsV2", REPLICA_FROM=store.url)


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_to_a_listing(s3_store, kind):
    store = s3_store(tls=False)
    ends(store, "list", ANSWERS[kind], "ListObjectsV2", REPLICA_FROM=store.url)


@pytest.mark.parametrize("kind", [each for each in ANSWERS if each not in ("a body without end", "chunks without end")])
def test_an_answer_to_a_get(s3_store, small, kind):
    store = s3_store(tls=False)
    tool.succeed(tool.run("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url, **{**store.settings, **SETTINGS}))
    ends(store, "export", ANSWERS[kind], "GetObject", REPLICA_FROM=store.url)


def test_uploads_without_end(s3_store, small):
    """The sweep before a dump is no reason to fail, nor to hang."""
    store, count = s3_store(tls=False), itertools.count()

    def strike(moment):
        n = next(count)
        body = "".join("<Upload><Key>dumps/x</Key><UploadId>%d-%d</UploadId></Upload>" % (n, i) for i in range(1000))
        moment.send(Answer(200, {}, ("<ListMultipartUploadsResult>%s<NextKeyMarker>k%d</NextKeyMarker><IsTruncated>true</IsTruncated>"
                                     "</ListMultipartUploadsResult>" % (body, n)).encode()))
        return True

    store.world.faults.put(faults.BEFORE, strike, "ListMultipartUploads", 1, None, None)
    code, text, peak, _ = measured("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url, REPLICA_MEMORY="64MiB", **{**store.settings, **SETTINGS})
    assert code == 0 and "its names take more than" in text, text[-800:]
    assert peak <= 64 * MIB
    CASES.append("uploads")
