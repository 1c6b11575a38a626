"""What can go wrong between a client and S3, on command, at one operation or from there on.

    bucket.faults.add("reset", "UploadPart", nth=3)                  the third UploadPart, once
    bucket.faults.add("503", "PutObject", nth=1, times=None)         every PutObject from the first on
    bucket.faults.call(kill, "Complete...", nth=1, after=True)       a function of the test's own

A fault strikes at one of three moments of a request:

    HEAD     its head is read, its body is not
    BEFORE   all of it is read, nothing is done
    AFTER    it is done, its answer is not sent yet
"""

import threading

from strict_s3_http import Answer, Broken
from strict_s3_signature import Refused

HEAD, BEFORE, AFTER = range(3)
STALL_SECONDS = 0.5
OTHER_REGION = "eu-north-1"
CLOCK_LEAP_SECONDS = 20 * 60


def reset(moment):
    moment.wire.reset()


def half_request(moment):
    moment.wire.read_body(moment.body_bytes // 2)
    moment.wire.reset()


def stall(moment):
    """Silence, and then the end.  A second of it is enough for a client that acts on silence alone to hang."""
    moment.bucket.faults.closing.wait(STALL_SECONDS)
    raise Broken("stalled on purpose")


def silence(moment):
    moment.wire.wait_for_end()


def early_answer(moment):
    """As a front end does that has seen enough: it answers before the body, and closes."""
    refusal = moment.refusal(Refused(503, "ServiceUnavailable", "Please try again."))
    refusal.headers["Connection"] = "close"
    moment.send(refusal)
    raise Broken("answered early on purpose")


def refuse(status, code, message):
    def strike(moment):
        raise Refused(status, code, message)

    return strike


def request_timeout(moment):
    """S3's answer to a body that did not come in time; it closes after it."""
    answer = moment.refusal(
        Refused(
            400,
            "RequestTimeout",
            "Your socket connection to the server was not read from or "
            "written to within the timeout period. Idle connections will be closed.",
        )
    )
    answer.headers["Connection"] = "close"
    moment.send(answer)
    raise Broken("timed out on purpose")


def error_in_200(moment):
    answer = moment.refusal(
        Refused(500, "InternalError", "We encountered an internal error. Please try again.")
    )
    answer.status = 200
    moment.send(answer)
    return True


def key_error(moment):
    """A list of deletions that succeeds, but for its first key."""
    moment.spared = 1


def garbage(moment):
    moment.wire.send(b"\x15\x03\x03\x00\x02\x02\x16 this is no HTTP\r\n\r\n")
    raise Broken("garbage on purpose")


def move(moment):
    moment.bucket.region = OTHER_REGION


def leap(moment):
    moment.bucket.clock_ahead += CLOCK_LEAP_SECONDS


def expire(moment):
    """The keys in use run out; rotate() is where the test's platform would have newer ones."""
    moment.bucket.faults.rotate()


def half_answer(moment):
    head, body = moment.answer.bytes(moment.request.method == "HEAD")
    whole = head + body
    moment.wire.send(whole[: len(head) + len(body) // 2] if body else whole[: len(head) // 2])
    moment.wire.reset()


def truncate(moment):
    moment.answer.body = moment.answer.body[: len(moment.answer.body) // 2]


def without_etag(moment):
    moment.answer.headers = {
        name: value for name, value in moment.answer.headers.items() if name != "ETag"
    }


def early_close(moment):
    moment.send(moment.answer)
    raise Broken("closed on purpose")


KINDS = {
    "reset": (HEAD, reset),
    "half-request": (HEAD, half_request),
    "stall": (HEAD, stall),
    "silence": (HEAD, silence),
    "early-answer": (HEAD, early_answer),
    "500": (
        BEFORE,
        refuse(500, "InternalError", "We encountered an internal error. Please try again."),
    ),
    "503": (BEFORE, refuse(503, "ServiceUnavailable", "Service is unable to handle request.")),
    "slowdown": (BEFORE, refuse(503, "SlowDown", "Please reduce your request rate.")),
    "denied": (BEFORE, refuse(403, "AccessDenied", "Access Denied")),
    "request-timeout": (BEFORE, request_timeout),
    "200-error": (BEFORE, error_in_200),
    "conflict": (
        BEFORE,
        refuse(409, "ConditionalRequestConflict", "A conflicting operation occurred."),
    ),
    "key-error": (BEFORE, key_error),
    "garbage": (BEFORE, garbage),
    "wrong-region": (BEFORE, move),
    "skewed-clock": (BEFORE, leap),
    "expired-token": (BEFORE, expire),
    "lost-answer": (AFTER, reset),
    "half-answer": (AFTER, half_answer),
    "truncated-xml": (AFTER, truncate),
    "no-etag": (AFTER, without_etag),
    "early-close": (AFTER, early_close),
}


class Fault:
    def __init__(self, moment, strike, operation, nth, times, key):
        self.moment, self.strike = moment, strike
        self.operation, self.nth, self.times, self.key = operation, nth, times, key
        self.met = self.hits = 0

    def meets(self, seen):
        """Whether it strikes this request.  Asked once for each request, as it counts those it could have."""
        if self.operation not in (None, seen.operation) or self.key not in (None, seen.key):
            return False
        self.met += 1
        if self.met < self.nth or (self.times is not None and self.met >= self.nth + self.times):
            return False
        self.hits += 1
        return True


class Faults:
    def __init__(self):
        self.list = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.rotate = lambda: None

    def add(self, kind, operation=None, nth=1, times=1, key=None):
        """times: how many requests in a row, None for all that follow.  Returns the fault; hits tells how often it struck."""
        return self.put(*KINDS[kind], operation, nth, times, key)

    def call(self, function, operation=None, nth=1, times=1, key=None, after=False):
        """Call function(bucket), before or after the operation is done, and then cut the connection."""

        def strike(moment):
            function(moment.bucket)
            moment.wire.reset()

        return self.put(AFTER if after else BEFORE, strike, operation, nth, times, key)

    def watch(self, function, operation=None, nth=1, times=1, key=None):
        """Call function(bucket) before the operation, which then goes on as if nothing had been."""
        return self.put(BEFORE, lambda moment: function(moment.bucket), operation, nth, times, key)

    def put(self, moment, strike, operation, nth, times, key):
        fault = Fault(moment, strike, operation, nth, times, key)
        with self.lock:
            self.list.append(fault)
        return fault

    def meeting(self, seen):
        with self.lock:
            return [fault for fault in self.list if fault.meets(seen)]

    def clear(self):
        with self.lock:
            self.list = []
