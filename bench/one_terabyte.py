#!/usr/bin/env python3
"""one_terabyte.py - 1 TB through 512 MB on one CPU, once, for real.  make bench-1tb calls it.

    BENCH_TB_GB=1000       GB of COPY text, 0.1 at least
    BENCH_TB_MINUTES       at most about so long a dump: the size is then what this machine gives out in it, and said so
    BENCH_TB_MB=512        the limit of the memory cgroup

The source is data/terabyte.sql: it takes 4 GB of disk for 1 TB.  The dump goes into build/bench/1tb, 1 GB.  Then the whole of it is
verified by stock tools: the SHA-256 of every object against the manifest, every volume decompressed and its rows
and bytes counted.  A part is restored by psql and compared with the source.  build/bench/results/1tb.json has the figures."""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import checks
import data
import settings
from cage import cage
from measure import measure
from server import Server
from settings import CLIENT_CPU, HOME, RESULTS, ROOT, WORK, Failure

BODY_BYTES = 100_000_000
GIGABYTES = float(os.environ.get("BENCH_TB_GB") or 1000)
MINUTES = float(os.environ.get("BENCH_TB_MINUTES") or 0)
LIMIT = int(os.environ.get("BENCH_TB_MB") or 512) << 20
OUT = os.path.join(HOME, "1tb")
PART_ROWS = 3
PROBE_ROWS = 20
JOBS = "2"  # replica has one CPU, and one backend gives out less than that can take


def say(text):
    print(text, file=sys.stderr, flush=True)


def load(server, rows):
    """Kept for the next run, as a database of its own."""
    name = f"terabyte_{rows}"
    if server.has(name):
        return name
    path = os.path.join(ROOT, "bench", "data", "terabyte.sql")
    for how in ("lz4", "pglz"):
        try:
            server.create(name)
            server.psql(name, data.part(path, "before"), "-v", f"how={how}")
            break
        except Failure:  # built without lz4
            if how == "pglz":
                raise
    try:
        data.fill(server, name, path, rows)
        server.psql(name, data.part(path, "after"))
        server.psql(name, "VACUUM (FREEZE, ANALYZE)")
    except BaseException:
        server.drop(name)
        raise
    return name


def rows_for(server):
    """What was asked for, or what the minutes allow at the pace of raw COPY over a few rows."""
    wanted = max(1, round(GIGABYTES * 1e9 / BODY_BYTES))
    if not MINUTES or wanted <= PROBE_ROWS:
        return wanted, ""
    name, begin = load(server, PROBE_ROWS), time.monotonic()
    subprocess.run(["psql", "-X", "-q", "-c", "COPY archive TO STDOUT"], stdout=subprocess.DEVNULL, check=True,
                   env={**os.environ, **server.environment(name)})
    possible = int(PROBE_ROWS * MINUTES * 60 / (time.monotonic() - begin))
    if possible >= wanted:
        return wanted, ""
    return possible, f"the machine gives out less than {GIGABYTES:g} GB in {MINUTES:g} minutes"


def dump(server, name, box):
    environment = {"REPLICA_FROM": server.uri(name), "REPLICA_TO": f"file://{OUT}", "REPLICA_PROGRESS": "no",
                   "REPLICA_TRANSFORM": "public.archive.owner random", "REPLICA_JOBS": JOBS}
    words = [settings.REPLICA, "dump"]
    log = os.path.join(WORK, "log")
    found = measure([box.command(words) if box else words], environment, os.devnull, log, CLIENT_CPU, [server.postmaster])
    with open(log) as file:
        found["memory_line"] = next((line.split("info", 1)[1].strip() for line in file if "memory:" in line), "")
    server.pin(settings.CPUS)
    return found


# ---- verified whole -------------------------------------------------------------------------------


def objects(manifest):
    for name in ("pre_data", "data", "post_data"):
        yield manifest[name]
    yield from manifest.get("more_data") or []
    for table in manifest["tables"]:
        yield from table["volumes"]


def check_sums(folder, manifest):
    """Every object by sha256sum; gives their number."""
    lines = [f"{one['sha256']}  {one['name']}\n" for one in objects(manifest)]
    done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet"], input="".join(lines).encode(), cwd=folder, check=False)
    if done.returncode != 0:
        raise Failure("an object is not what the manifest says")
    return len(lines)


def head_lines(path):
    """The lines of a volume up to the one of COPY."""
    with subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        lines = []
        while not lines or not lines[-1].startswith(b"COPY "):
            lines.append(process.stdout.readline())
            if not lines[-1]:
                raise Failure(f"{path} holds no COPY")
        process.kill()
    return lines


def count_volume(path, volume):
    """Every byte of it decompressed by zstd and counted by wc."""
    done = subprocess.run(["sh", "-c", 'set -e; zstd -dcq "$1" | wc -lc', "sh", path], stdout=subprocess.PIPE, check=True)
    lines, size = map(int, done.stdout.split())
    rows = lines - len(head_lines(path)) - 1  # \. ends them
    if (rows, size) != (volume["rows"], volume["plain_bytes"]):
        raise Failure(f"{volume['name']} holds {rows} rows in {size} bytes, not {volume['rows']} in {volume['plain_bytes']}")


def verify(folder, manifest, rows):
    number = check_sums(folder, manifest)
    volumes = [volume for table in manifest["tables"] for volume in table["volumes"]]
    with ThreadPoolExecutor(len(settings.CPUS)) as pool:
        list(pool.map(lambda volume: count_volume(os.path.join(folder, volume["name"]), volume), volumes))
    if sorted(table["rows"] for table in manifest["tables"]) != sorted([rows, 1000]):
        raise Failure("the manifest does not name the rows that the server counts")
    return number


# ---- restored in part -----------------------------------------------------------------------------


def some_rows(path, most):
    """A volume's first rows, as a whole COPY."""
    with subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        for line in process.stdout:
            yield line
            if line.startswith(b"COPY "):
                break
        for _, line in zip(range(most), process.stdout):
            if line == b"\\.\n":
                break
            yield line
        process.kill()
    yield b"\\.\n"


def restore_part(source, name, target, folder, manifest):
    """The schema, one small table whole, and the first rows of each volume of the large one; gives how many those are."""
    target.create("target")
    texts = [subprocess.run(["zstd", "-dcq", os.path.join(folder, manifest["pre_data"]["name"])], stdout=subprocess.PIPE,
                            check=True).stdout]
    environment = {**os.environ, **target.environment("target")}
    with subprocess.Popen(["psql", "-X", "-q", "-o", os.devnull, "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE,
                          env=environment) as psql:
        psql.stdin.write(texts[0])
        for table in manifest["tables"]:
            for volume in table["volumes"]:
                for line in some_rows(os.path.join(folder, volume["name"]), PART_ROWS if table["name"] == "archive" else 1 << 30):
                    psql.stdin.write(line)
        psql.stdin.close()
    if psql.returncode != 0:
        raise Failure("psql could not restore a part")
    ids = target.psql("target", "SELECT string_agg(id::text, ',' ORDER BY id) FROM archive")
    text = "SELECT id, length(body), md5(body) FROM archive WHERE id IN ({}) ORDER BY id".format(ids)
    if target.psql("target", text) != source.psql(name, text):
        raise Failure("the restored rows are not those of the source")
    owner = f"SELECT owner FROM archive WHERE id IN ({ids}) ORDER BY id"
    if set(target.psql("target", owner).splitlines()) & set(source.psql(name, owner).splitlines()):
        raise Failure("an owner was not masked")
    every = "SELECT count(*), md5(string_agg(o::text, ',' ORDER BY id)) FROM owners AS o"
    if target.psql("target", every) != source.psql(name, every):
        raise Failure("the small table is not that of the source")
    return len(ids.split(","))


# ---- the report -----------------------------------------------------------------------------------


def describe(found):
    manifest, box, run = found["manifest"], found["cage"], found["run"]
    cpu = run["user"] + run["system"]
    yield "source", f"{found['rows']} rows of 100 MB of text, {found['disk_bytes'] / 1e9:.2f} GB on disk" + \
        (f"; {found['smaller']}" if found["smaller"] else "")
    yield "COPY text dumped", f"{manifest['plain_bytes'] / 1e9:.1f} GB, a rule (`random`) on another column of every row"
    yield "stored", f"{manifest['stored_bytes'] / 1e9:.2f} GB in {found['volumes']} volumes"
    yield "wall", f"{run['wall']:.0f} s, {manifest['plain_bytes'] / 1e6 / run['wall']:.0f} MB/s"
    yield "CPU of replica", f"{run['user']:.0f} s user, {run['system']:.0f} s system; {cpu / (manifest['plain_bytes'] / 1e9):.2f} s/GB"
    yield "CPU of the server", f"{run['server']:.0f} s, on both CPUs; replica has one of them, with `REPLICA_JOBS={JOBS}`"
    yield "memory cgroup", f"{LIMIT >> 20} MB, cgroup {found['cage_kind']}" if found["cage_kind"] else "none could be made here"
    yield "peak memory of replica, resident", f"{run['rss'] / 1e6:.1f} MB (`{run['memory_line']}`)"
    if box.get("most_bytes"):
        yield "most in the cgroup, page cache among it", f"{box['most_bytes'] / 1e6:.0f} MB; killed for want of memory: {box['killed']}"
    yield "verified whole", f"{found['objects']} objects by `sha256sum`, every volume by `zstd -dc \\| wc -lc`: {found['verify_s']:.0f} s"
    yield "restored in part", f"{found['part_rows']} rows and a small table by `zstd -dc \\| psql`, equal to the source but for the rule"


def run(source, target):
    rows, smaller = rows_for(source)
    say(f"loading {rows} rows of 100 MB")
    name = load(source, rows)
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    say(f"dumping {rows * BODY_BYTES / 1e9:g} GB")
    with cage(LIMIT) as box:
        if not box:
            say("bench: no memory cgroup can be made here: run as root, or where systemd-run may; it goes on without one")
        found = dump(source, name, box)
        facts = box.facts() if box else {}
        kind = (box.path if hasattr(box, "path") else "by systemd-run") if box else ""
    found["series"] = found["series"][:200]
    say(f"dumped in {found['wall']:.0f} s; verifying")
    folder, manifest = checks.manifest_of(OUT)
    begin = time.monotonic()
    number = verify(folder, manifest, rows)
    verified = time.monotonic() - begin
    part = restore_part(source, name, target, folder, manifest)
    volumes = sum(len(table["volumes"]) for table in manifest["tables"])
    result = {"suite": "1tb", "when": time.strftime("%Y-%m-%d"), "machine": settings.machine(), "versions": settings.versions(),
              "rows": rows, "smaller": smaller, "run": found, "cage": facts,
              "cage_kind": "version 1" if "/memory/" in kind else "version 2" if "/" in kind else kind,
              "disk_bytes": int(source.psql(name, f"SELECT pg_database_size('{name}')")), "volumes": volumes, "objects": number,
              "verify_s": verified, "part_rows": part,
              "manifest": {key: manifest[key] for key in ("plain_bytes", "stored_bytes", "rows", "compression")}}
    result["lines"] = list(describe(result))
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, "1tb.json"), "w") as file:
        json.dump(result, file, indent=1)
    for name, text in result["lines"]:
        print(f"{name}: {text}")
    shutil.rmtree(OUT)


def main():
    settings.clean_environment()
    servers = (Server("source"), Server("target"))
    with settings.alone():
        os.makedirs(WORK, exist_ok=True)
        try:
            for server in servers:
                server.start()
            run(*servers)
        except Failure as failure:
            sys.exit(f"bench: {failure}")
        finally:
            for server in servers:
                server.stop()


if __name__ == "__main__":
    main()
