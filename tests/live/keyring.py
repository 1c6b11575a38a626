"""Access keys as a cloud hands them out: some for ever, some with a session token and an end.

One ring is shared by whoever issues keys (the endpoints of aws_endpoints.py) and whoever believes
them (the S3 server), so that a key that has run out really is refused.  Any thread may use it."""
import secrets
import threading
import time


class Key:
    """access, secret; token is None for a key without a session, expires (epoch seconds) None for ever."""

    def __init__(self, access, secret, token, expires):
        self.access, self.secret, self.token, self.expires = access, secret, token, expires

    def expired(self):
        return self.expires is not None and time.time() >= self.expires


class KeyRing:
    def __init__(self):
        self.keys = {}
        self.lock = threading.Lock()

    def add(self, access, secret, token=None, expires=None):
        """A key of the caller's choice."""
        key = Key(access, secret, token, expires)
        with self.lock:
            self.keys[access] = key
        return key

    def issue(self, seconds=None, session=True):
        """A new key; with a session token unless session is False, for so many seconds or for ever."""
        return self.add(("ASIA" if session else "AKIA") + secrets.token_hex(8).upper(), secrets.token_urlsafe(30),
                        secrets.token_urlsafe(300) if session else None,
                        None if seconds is None else time.time() + seconds)

    def lookup(self, access):
        """The key, run out or not; None when there is none."""
        with self.lock:
            return self.keys.get(access)

    def check(self, access, token=None):
        """What S3 says: (key, None) when it holds, else (key or None, (status, code)).  Of the signature it knows nothing."""
        key = self.lookup(access)
        if key is None:
            return None, (403, "InvalidAccessKeyId")
        if key.token != token:
            return key, (400, "InvalidToken")
        if key.expired():
            return key, (400, "ExpiredToken")
        return key, None

    def expire(self, access):
        """Let a key run out now, whatever it was promised."""
        with self.lock:
            self.keys[access].expires = time.time()

    def revoke(self, access):
        """Forget a key: it is unknown from now on."""
        with self.lock:
            self.keys.pop(access, None)

    def all(self):
        with self.lock:
            return list(self.keys.values())
