"""The suites: which contenders meet on which data."""

import dataclasses
import os
import shutil
import subprocess

import data
from contenders import (ZSTD, ZSTD2, Case, Contender, age, before, greenmask_dump, greenmask_restore, pg_dump, pg_dump_directory,
                        pg_dump_psql, pg_restore, pgcopydb, pgstream, raw, replica_copy, replica_dump, replica_restore)
from settings import (BEFORE, CLIENT_CPU, PEERS_TOO, REPLICA, RULES, SCALE, SERVER_CPU, SIZES, WORK, Failure,
                      sha256_file)

PARTED = {"client": tuple(CLIENT_CPU), "server": tuple(SERVER_CPU)}
OURS = {"ours": True, "needs": ("zstd",)}


@dataclasses.dataclass
class Suite:
    name: str
    title: str
    cases: object  # of the servers a list of (point, Case)
    contenders: list
    point: str = ""  # what a point is called
    prepare: object = None
    needs: tuple = ()


def scaled(rows):
    return max(1000, round(rows * SCALE))


def wide(servers):
    return [(None, Case(*servers, data.ensure(servers[0], "wide", scaled(data.ROWS["wide"]))))]


def tables(count):
    """So many tables, and no fewer unless it is a smoke test."""
    return max(5, round(count * min(1, SCALE * 10)))


# ---- dump -----------------------------------------------------------------------------------------

DUMP = [
    Contender("raw1", "`psql`, COPY to /dev/null", raw, jobs=1, **PARTED),
    Contender("plain1", "**replica dump**, zstd:3", replica_dump(), jobs=1, exact=True, **PARTED, **OURS),
    Contender("rules1", "**replica dump**, zstd:3, three rules", replica_dump(RULES), jobs=1, **PARTED, **OURS),
    Contender("zstd1", "`pg_dump \\| zstd -3`", pg_dump(ZSTD), ("zstd",), **PARTED),
    Contender("age1", "`pg_dump \\| zstd -3 \\| age`", lambda case: pg_dump(ZSTD, age(WORK))(case), ("zstd", "age"), **PARTED),
    Contender("plain2", "**replica dump**, zstd:3", replica_dump(), exact=True, **OURS),
    Contender("rules2", "**replica dump**, zstd:3, three rules", replica_dump(RULES), **OURS),
    Contender("zstd2", "`pg_dump \\| zstd -3 -T2`", pg_dump(ZSTD2), ("zstd",)),
    Contender("fd2", "`pg_dump -Fd -j2`, gzip 6", pg_dump_directory(), slow=True),
    Contender("fdfast2", "`pg_dump -Fd -j2 -Z1`, gzip 1", pg_dump_directory("-Z1"), slow=True),
    Contender("custom2", "`pg_dump -Fc`, gzip 6", pg_dump(words=("-Fc",)), slow=True),
    Contender("greenmask2", "`greenmask dump`, pgzip, three rules", greenmask_dump(), ("greenmask",)),
]

SETS = ("narrow", "bytea", "text", "partitions")


def sets(servers):
    return [(name, Case(*servers, data.ensure(servers[0], name, scaled(data.ROWS[name])))) for name in SETS]


PLAIN = Contender("plain2", "**replica dump**, zstd:3", replica_dump(), exact=True, **OURS)
ZSTD_PIPE = Contender("zstd2", "`pg_dump \\| zstd -3`", pg_dump(ZSTD), ("zstd",))
CUSTOM = Contender("custom2", "`pg_dump -Fc`, gzip 6", pg_dump(words=("-Fc",)))
DIRECTORY = Contender("fd2", "`pg_dump -Fd -j2`, gzip 6", pg_dump_directory(), slow=True)
RAW = Contender("raw2", "`psql`, COPY to /dev/null", raw)

# ---- restore and copy -----------------------------------------------------------------------------


def made_by(name):
    """What an input depends on besides the data: a replica that is newer makes its dump anew."""
    return sha256_file(REPLICA) if name == "replica" else name


def dump_input(case, name, build):
    folder, note = os.path.join(case.input, name), os.path.join(case.input, f"{name}.done")
    if os.path.exists(note):
        with open(note) as file:
            if file.read() == made_by(name):
                return
        os.remove(note)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(case.input, exist_ok=True)
    if name == "replica":
        os.makedirs(folder)
    job = build(dataclasses.replace(case, out=folder if name == "replica" else case.input, jobs=2))
    done = subprocess.run(job.commands[0], env={**os.environ, **job.environment}, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise Failure(f"no input of {name}: {done.stderr.decode(errors='replace')[-400:]}")
    with open(note, "w") as file:
        file.write(made_by(name))


def restore_inputs(case):
    """The dumps that are restored, made once and kept."""
    dump_input(case, "replica", replica_dump())
    dump_input(case, "fd", pg_dump_directory("-Z1"))
    if shutil.which("greenmask"):
        dump_input(case, "greenmask", greenmask_dump(rules=False))


RESTORE = [
    Contender("restore", "**replica restore**, 2 jobs; counts and analyses", replica_restore, kind="target", **OURS),
    Contender("pg_restore", "`pg_restore -j2`", pg_restore(False), kind="target"),
    Contender("pg_restore_analyze", "`pg_restore -j2`, then `vacuumdb --analyze-only`", pg_restore(True), kind="target"),
    Contender("greenmask_restore", "`greenmask restore -j2`", greenmask_restore, ("greenmask",), kind="target", slow=True),
]

COPY = [
    Contender("copy", "**replica copy**, 2 jobs", replica_copy, command="copy", kind="target", **OURS),
    Contender("pgcopydb", "`pgcopydb clone`, 2 jobs", pgcopydb(), ("pgcopydb",), kind="target"),
    Contender("pgcopydb_split", "`pgcopydb clone`, 2 jobs, tables split at 200 MB", pgcopydb("200MB"), ("pgcopydb",), kind="target"),
    Contender("pgstream", "`pgstream snapshot`", pgstream, ("pgstream",), kind="target", slow=True),
    Contender("pipe", "`pg_dump \\| psql`", pg_dump_psql, kind="target", slow=True),
]

# ---- against size, number of tables, and jobs -----------------------------------------------------


def sizes(servers):
    found = []
    for size in SIZES:
        rows = round(size * SCALE * 1e9 / data.WIDE_ROW_BYTES)
        found.append((size, Case(*servers, data.ensure(servers[0], "sizes", rows))))
    return found


def small(servers):
    return [(None, Case(*servers, data.ensure(servers[0], "tables", tables(2000))))]


def numbers(servers):
    counts = dict.fromkeys(tables(count) for count in (10, 100, 1000, 10_000))
    return [(count, Case(*servers, data.ensure(servers[0], "tables", count))) for count in counts]


def jobs(servers):
    [(_, case)] = wide(servers)
    return [(count, dataclasses.replace(case, jobs=count)) for count in (1, 2, 4)]


JOBS = [
    Contender("plain", "**replica dump**, zstd:3", replica_dump(), **OURS),
    Contender("fd", "`pg_dump -Fd -j -Z1`", pg_dump_directory("-Z1"), slow=True),
    Contender("restore", "**replica restore**", replica_restore, kind="target", **OURS),
    Contender("pg_restore", "`pg_restore -j`", pg_restore(False), kind="target", slow=True),
]

S3 = [
    Contender("s3_1", "**replica dump**, zstd:3, one job", replica_dump(jobs=1, store="s3://bench/out"), kind="s3", **OURS),
    Contender("s3_2", "**replica dump**, zstd:3, two jobs", replica_dump(jobs=2, store="s3://bench/out"), kind="s3", **OURS),
    Contender("rclone", "`pg_dump \\| zstd -3 \\| rclone rcat`",
              pg_dump(ZSTD, ["rclone", "rcat", "-q", "gateway:bench/dump.sql.zst"]), ("zstd",), kind="s3"),
    Contender("age_rclone", "`pg_dump \\| zstd -3 \\| age \\| rclone rcat`",
              lambda case: pg_dump(ZSTD, age(WORK), ["rclone", "rcat", "-q", "gateway:bench/dump.sql.zst.age"])(case),
              ("zstd", "age"), kind="s3"),
]

MEMORY = [contender for contender in DUMP if contender.name in ("rules2", "zstd2", "fdfast2", "greenmask2")]

SUITES = [
    Suite("dump", "Dump of the wide table", wide, DUMP),
    Suite("sets", "Dump of the other data sets", sets, [RAW, PLAIN, ZSTD_PIPE], "set"),
    Suite("small", "Dump of 2,000 small tables", small, [PLAIN, CUSTOM, DIRECTORY, ZSTD_PIPE]),
    Suite("restore", "Restore of the wide table, with indexes", wide, RESTORE, prepare=restore_inputs),
    Suite("copy", "From server to server", wide, COPY),
    Suite("s3", "Dump to S3", wide, S3, needs=("radosgw", "ceph-mon", "ceph-osd", "radosgw-admin", "rclone")),
    Suite("jobs", "Against jobs", jobs, JOBS, "jobs", prepare=restore_inputs),
    Suite("tables", "Against the number of tables", numbers, [PLAIN, CUSTOM], "tables"),
    Suite("size", "Against size", sizes, [PLAIN, RAW, ZSTD_PIPE], "GB"),
    Suite("memory", "Memory over time", wide, MEMORY),
]



def with_before(contenders):
    """Each of ours followed by the one before, when there is one; the peers only where they are wanted."""
    found = []
    for contender in contenders:
        if contender.ours or PEERS_TOO:
            found.append(contender)
        if contender.ours and BEFORE:
            found.append(before(contender))
    return found


for suite in SUITES:
    suite.contenders = with_before(suite.contenders)


def rounds_of(suite, contender, rounds, slow_rounds):
    """Memory over time is one line a contender; beside replica's, peers of the largest sizes are run once."""
    if suite.name == "memory" or suite.name == "size" and not contender.ours:
        return 1
    return slow_rounds if contender.slow else rounds
