"""Promise: on 64-bit ARM it is the same program: the same bytes in the store, and a restore that reads those of the
other.

build/aarch64/replica, which `make ARCH=aarch64` makes, runs under qemu-user.  replica starts itself a second time as
pg_dump, so the kernel must know the emulator: by binfmt_misc, in a namespace of our own where the machine does not have
it.  On a machine that is ARM the binary is simply run."""

import json
import os
import platform
import shutil
import subprocess

import pytest

import compare
import s3_tool
import sample
import secure_ends
import tool
from secure_ends import secure_server
from servers import ROOT

BINARY = os.path.join(ROOT, "build", "aarch64", "replica")
EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")

# The first bytes of an ELF executable of this machine (EM_AARCH64 is 183), and which bits of them count.  P: keep
# argv[0], by which replica knows that it is pg_dump; F: open the emulator now, not in the namespace of each process.
MAGIC = r"\x7fELF\x02\x01\x01" + r"\x00" * 9 + r"\x02\x00\xb7\x00"
MASK = r"\xff" * 7 + r"\x00" + r"\xff" * 8 + r"\xfe\xff\xff\xff"
REGISTER = """set -e
/bin/mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%%s' ':replica-arm64:M::%s:%s:%s:PF' >/proc/sys/fs/binfmt_misc/register
exec "$@"
"""


def runs(wrapper):
    try:
        done = subprocess.run(wrapper + [BINARY, "version"], capture_output=True, text=True, env={})
    except OSError as error:
        return False, str(error)
    return done.returncode == 0 and done.stdout.startswith("replica"), done.stderr


def find_wrapper():
    """What to put before the binary; (None, reason) when it can't be run.  A binfmt_misc of the machine's own comes last:
    it need not keep argv[0]."""
    if not os.path.exists(BINARY):
        return None, "%s is not there; make ARCH=aarch64 builds it" % os.path.relpath(BINARY, ROOT)
    if platform.machine() == "aarch64":
        return [], None
    emulator = next(filter(None, map(shutil.which, EMULATORS)), None)
    if emulator is None:
        return None, "qemu-user, which would run it, is not installed"
    wrapper = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c"]
    wrapper += [REGISTER % (MAGIC, MASK, emulator), "sh"]
    works, said = runs(wrapper)
    if works:
        return wrapper, None
    if runs([])[0]:
        return [], None
    return None, "binfmt_misc can't be had in a namespace (Linux 6.7 or later): " + said[-200:]


@pytest.fixture(scope="module")
def arm64(room):
    """arm64(command, variables...) runs the binary, as tool.run does."""
    wrapper, reason = find_wrapper()
    if wrapper is None:
        pytest.skip(reason)

    def run(command=None, **variables):
        words = wrapper + [BINARY] + ([command] if command else [])
        done = subprocess.run(
            words,
            env=tool.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=180,
            cwd="/",
        )
        return tool.Result(
            done.returncode,
            done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"),
            0,
        )

    return run


def test_it_is_built_for_that_machine():
    if not os.path.exists(BINARY):
        pytest.skip("make ARCH=aarch64 builds it")
    with open(BINARY, "rb") as file:
        head = file.read(20)
    assert head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") == 183
    headers = subprocess.run(
        ["readelf", "--wide", "--program-headers", "--dynamic", BINARY],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert not {"INTERP", "DYNAMIC", "NEEDED"} & set(headers.split())


def test_the_cpus_instructions_have_their_twins(room):
    """SHA-256, CRC32C and the search for tabs, against portable code at every offset and length: cpu_twins, built as the
    binary is."""
    emulator = next(filter(None, map(shutil.which, EMULATORS)), None)
    is_arm = platform.machine() == "aarch64"
    libraries = os.path.join(ROOT, "build", "static" if is_arm else "static-aarch64")
    if not os.path.exists(os.path.join(libraries, "lib", "libbearssl.a")):
        pytest.skip("make ARCH=aarch64 builds the libraries it needs")
    if emulator is None and not is_arm:
        pytest.skip("qemu-user, which would run it, is not installed")

    program = os.path.join(room, "cpu_twins")
    words = [os.path.join(libraries, "bin", "musl-gcc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2"]
    words += ["-static", "-no-pie", "-o", program, "-I" + os.path.join(ROOT, "src")]
    words += ["-I" + os.path.join(libraries, "include"), "-L" + os.path.join(libraries, "lib")]
    for source in ("tests/live/cpu_twins.c", "src/codec/sha256.c", "src/s3/crc32c.c", "src/transform/scan.c"):
        words.append(os.path.join(ROOT, source))
    subprocess.run(words + ["-lbearssl"], check=True)
    done = subprocess.run(([] if is_arm else [emulator]) + [program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    has = done.stdout.split()
    assert has[-1] == "NEON" and (is_arm or has == ["sha256", "crc32c", "NEON"])


def rows_by_table(of):
    """The rows of each table in their order; where a volume ends and the next begins is a matter of speed."""
    joined = {}
    for table, path in of.volumes():
        text = of.plain(os.path.relpath(path, of.path))
        rows = text.partition(b" FROM stdin;\n")[2].rpartition(b"\\.\n")[0]
        joined.setdefault((table["schema"], table["name"]), []).append(rows)
    assert sum(len(row) for rows in joined.values() for row in rows) > 100000
    return {name: b"".join(rows) for name, rows in joined.items()}


def test_there_and_back_by_both_machines(arm64, small, databases, store, room):
    """Dumped by each, restored by the other; what the volumes hold is the same to the byte."""
    slices = {"REPLICA_VOLUME_SIZE": "64KiB", "REPLICA_JOBS": "1", "REPLICA_COMPRESS": "none"}
    other = tool.Store(store.path + "-native")
    os.mkdir(other.path)
    tool.succeed(arm64("dump", REPLICA_FROM=small.url(), REPLICA_TO=store.url, **slices))
    tool.dump(small, other, **slices)

    back, forth = databases(small.server), databases(small.server)
    tool.restore(store, back)
    tool.succeed(arm64("restore", REPLICA_FROM=other.url, REPLICA_TO=forth.url()))
    compare.assert_same(small, back)
    compare.assert_same(small, forth)

    assert rows_by_table(store) == rows_by_table(other)
    assert [table["rows"] for table in store.manifest()["tables"]] == [
        table["rows"] for table in other.manifest()["tables"]
    ]
    shutil.rmtree(other.path)


def test_masked(arm64, server, databases, target, store):
    """A char has no sign there; values with bytes above 127 pass through every transformer of text."""
    source = databases(server)
    source.sql(
        """CREATE TABLE people (id integer PRIMARY KEY, name varchar(12), email text, born date, phone text);
        INSERT INTO people SELECT n, 'Zoë Šåß' || n, 'jürgen' || n || '@exämple.com', date '1970-01-01' + n,
        '+49 170 ' || n FROM generate_series(1, 500) n; INSERT INTO people VALUES (0, NULL, '', NULL, 'ÿ')"""
    )
    rules = """people.name random; people.email email; people.born random-date; people.phone phone-number"""
    rules = "; ".join("public." + rule for rule in rules.split("; "))
    tool.succeed(
        arm64("dump", REPLICA_FROM=source.url(), REPLICA_TO=store.url, REPLICA_TRANSFORM=rules)
    )
    tool.succeed(arm64("restore", REPLICA_FROM=store.url, REPLICA_TO=target.url()))
    assert compare.counts(target) == compare.counts(source)
    for column in ("name", "email", "born"):
        query = "SELECT id, %s FROM public.people WHERE %s::text <> ''" % (column, column)
        was, is_now = compare.rows(source, query), compare.rows(target, query)
        assert len(was) == len(is_now) == 500 and not set(was) & set(is_now)
    assert target.sql("SELECT name IS NULL, email = '', born IS NULL FROM people WHERE id = 0") == "t|t|t"


def test_tls_and_s3(arm64, secure_server, s3_store, s3_pki, databases):
    """AES-GCM, curves and SHA-256 are other code there than on x86."""
    source = sample.load_small(secure_server, "small for arm64")
    target, store = databases(secure_server), s3_store("aws")
    since = len(secure_server.log)
    for ways in (
        {"REPLICA_FROM": secure_ends.strict_url(source, s3_pki.cert), "REPLICA_TO": store.url},
        {"REPLICA_FROM": store.url, "REPLICA_TO": secure_ends.strict_url(target, s3_pki.cert)},
    ):
        tool.succeed(arm64("check", **ways, **store.settings))
        tool.succeed(arm64(**ways, **store.settings))
    assert secure_ends.logged_in_by_tls(secure_server, since) >= 8
    compare.assert_same(source, target)
    assert store.world.violations == [] and store.world.uploads == {} and store.claims() == []
    assert s3_tool.listed(store)["dumps"][0]["state"] == "complete"


def test_a_spoilt_volume_is_refused(arm64, small_store, target):
    path = small_store.volumes()[0][1]
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    tool.refused(
        arm64("restore", REPLICA_FROM=small_store.url, REPLICA_TO=target.url()),
        tool.INTEGRITY,
        "is damaged",
    )


def test_the_image_for_that_machine(room):
    if not os.path.exists(BINARY):
        pytest.skip("make ARCH=aarch64 builds it")
    path = os.path.join(room, "arm64.oci.tar")
    subprocess.run(
        [os.path.join(ROOT, "container", "image.sh"), BINARY, "aarch64", "0", path],
        check=True,
        capture_output=True,
    )
    index = json.loads(
        subprocess.run(
            ["tar", "-xOf", path, "index.json"], check=True, capture_output=True
        ).stdout
    )
    platform_of = index["manifests"][0]["platform"]
    assert platform_of == {"architecture": "arm64", "variant": "v8", "os": "linux"}
