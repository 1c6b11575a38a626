#!/usr/bin/env python3
"""run.py - replica beside what one would use without it, on one machine, in turn.  make bench calls it.

Suites: dump sets small restore copy s3 jobs tables size memory; settings.py says what can be set.

Each suite keeps its figures in build/bench/results/SUITE.json, run by run.  One that was stopped goes on where it was; a
complete one begins anew.  The servers and their data stay in build/bench for the next time.  Exits 1
when replica fails or what it made is not what the source holds; peers that fail are named in the report."""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time

import checks
import report
import settings
from contenders import raw
from measure import measure
from server import SETTINGS, Server
from settings import HOME, INPUT, RESULTS, ROOT, WORK, Failure
from suites import SUITES, rounds_of


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- the gateway ----------------------------------------------------------------------------------


@contextlib.contextmanager
def gateway(suite):
    """Ceph's, in memory, plain HTTP; gives what replica and rclone need to know of it."""
    if suite.name != "s3":
        yield {}
        return
    folder = os.path.join(WORK, "gateway")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "log"), "wb") as log:
        process = subprocess.Popen([sys.executable, "-B", os.path.join(ROOT, "tests", "live", "gateways.py"), "rgw", folder],
                                   stdout=log, stderr=log)
    try:
        while not os.path.exists(os.path.join(folder, "env")):
            if process.poll() is not None:
                raise Failure(f"the gateway does not start; {folder}/log says why")
            time.sleep(0.1)
        with open(os.path.join(folder, "env")) as file:
            words = dict(shlex.split(line)[0].split("=", 1) for line in file)
        keys = {"AWS_ENDPOINT_URL_S3": words["S3_ENDPOINT"], "AWS_ACCESS_KEY_ID": words["S3_ACCESS"],
                "AWS_SECRET_ACCESS_KEY": words["S3_SECRET"], "AWS_REGION": "default"}
        rclone = {"RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_GATEWAY_TYPE": "s3", "RCLONE_CONFIG_GATEWAY_PROVIDER": "Ceph",
                  "RCLONE_CONFIG_GATEWAY_ENDPOINT": words["S3_ENDPOINT"],
                  "RCLONE_CONFIG_GATEWAY_ACCESS_KEY_ID": words["S3_ACCESS"],
                  "RCLONE_CONFIG_GATEWAY_SECRET_ACCESS_KEY": words["S3_SECRET"]}
        yield {"replica": keys, "rclone": rclone}
    finally:
        process.terminate()
        process.wait()


def rclone(case, *words):
    done = subprocess.run(["rclone", *words], stdout=subprocess.PIPE, check=True, env={**os.environ, **case.s3["rclone"]})
    return done.stdout


def empty_bucket(case):
    """What was deleted stays in the gateway's memory until it is collected."""
    rclone(case, "delete", "-q", "gateway:bench")
    subprocess.run(["radosgw-admin", "-c", os.path.join(WORK, "gateway", "ceph", "ceph.conf"), "gc", "process", "--include-all"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


# ---- one run --------------------------------------------------------------------------------------


def empty_directory(case):
    """A new one, whoever ran before.  ext4 looks long for the numbers of new files where many were deleted in the last
    minutes, and nobody shall pay for what another one has left: so only directories of few files are removed at once."""
    folder = os.path.dirname(case.out)
    os.makedirs(folder, exist_ok=True)
    numbers = [int(name) for name in os.listdir(folder)]
    for number in numbers:
        path = os.path.join(folder, str(number))
        if sum(len(names) for _, _, names in os.walk(path)) < 200:
            shutil.rmtree(path, ignore_errors=True)
    case.out = os.path.join(folder, str(1 + max(numbers, default=0)))
    os.makedirs(case.out)


def make_ready(contender, case):
    """Each begins with an empty directory, bucket or database, and without pages of another one to be written."""
    empty_directory(case)
    if contender.kind == "s3":
        empty_bucket(case)
    if contender.kind == "target":
        case.target.create("target")
        case.target.psql("postgres", "CHECKPOINT")
    os.sync()
    case.source.pin(contender.server)
    case.target.pin(contender.server)


def stored_bytes(contender, case):
    if contender.kind == "target":
        return int(case.target.psql("target", "SELECT pg_database_size('target')"))
    if contender.kind == "s3":
        return json.loads(rclone(case, "size", "--json", "gateway:bench"))["bytes"]
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(case.out) for name in names)


def check(contender, case, first):
    if contender.kind == "target":
        wrong = checks.check_target(case, first)
        if wrong and contender.ours:
            raise Failure(wrong)
        return wrong
    if contender.ours:
        if contender.kind == "s3":
            rclone(case, "copy", "-q", "gateway:bench/out", os.path.join(case.out, "s3"))
        checks.check_dump(case.out, case, contender.exact and first)
    return ""


def run_once(contender, case, first):
    make_ready(contender, case)
    job = contender.build(case)
    found = measure(job.commands, job.environment, job.output, os.path.join(WORK, "log"), contender.client,
                    [case.source.postmaster, case.target.postmaster])
    found["stored"] = stored_bytes(contender, case)
    found["copy_bytes"] = case.data["copy_bytes"]
    case.source.pin(settings.CPUS)
    case.target.pin(settings.CPUS)
    wrong = check(contender, case, first)
    if wrong:
        found["wrong"] = wrong
    return found


# ---- a suite --------------------------------------------------------------------------------------


class Results:
    """What a suite has measured, in a file that is whole after every run."""

    def __init__(self, suite, source):
        self.path = os.path.join(RESULTS, f"{suite.name}.json")
        key = {"scale": settings.SCALE, "rounds": settings.ROUNDS, "slow_rounds": settings.SLOW_ROUNDS, "sizes": settings.SIZES,
               "replica": settings.sha256_file(settings.REPLICA),
               "before": settings.BEFORE and settings.sha256_file(settings.BEFORE), "server": source.key(), "format": 1}
        self.kept = {}
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.kept = json.load(file)
        if self.kept.get("key") != key or self.kept.get("complete"):
            self.kept = {"suite": suite.name, "title": suite.title, "point": suite.point, "key": key, "complete": False,
                         "when": time.strftime("%Y-%m-%d"), "machine": settings.machine(), "versions": settings.versions(),
                         "server": first_server_line(source), "settings": SETTINGS, "absent": settings.absent(),
                         "titles": {}, "pinned": {}, "data": {}, "series": {}, "runs": []}

    def has(self, contender, point, number):
        return any(run["contender"] == contender.name and run.get("point") == point and run["round"] in (number, 0)
                   for run in self.kept["runs"])

    def add(self, contender, point, number, found):
        series = found.pop("series", None)
        place = contender.name if point is None else f"{contender.name} {point:g}" if not isinstance(point, str) else None
        if series and place and number == 1:
            self.kept["series"][place] = series
        self.kept["runs"].append({"contender": contender.name, "point": point, "round": number, **found})
        self.save()

    def save(self):
        os.makedirs(RESULTS, exist_ok=True)
        with open(self.path + ".new", "w") as file:
            json.dump(self.kept, file, indent=1)
        os.rename(self.path + ".new", self.path)


def first_server_line(source):
    return "PostgreSQL " + source.psql("postgres", "SHOW server_version") + ", over Unix sockets on the same machine"


def describe(results, suite, cases):
    for contender in suite.contenders:
        missing = contender.missing()
        if missing:
            results.kept["absent"][contender.title] = missing
        results.kept["titles"][contender.name] = contender.title
        parted = contender.client != contender.server
        results.kept["pinned"][contender.name] = "client and server on one CPU each" if parted else f"client and server share {len(contender.client)} CPUs"
    for point, case in cases:
        results.kept["data"][str(point)] = {name: case.data[name] for name in
                                            ("database", "rows", "tables", "copy_bytes", "disk_bytes")}


def warm(cases):
    for _, case in cases:
        if case.data["copy_bytes"] < 4e9:
            job = raw(case)
            subprocess.run(job.commands[0], env={**os.environ, **job.environment}, stdout=subprocess.DEVNULL, check=True)


def one(results, suite, contender, point, case, number):
    """False when replica has failed."""
    place = contender.name if point is None else f"{contender.name} at {point}"
    try:
        found = run_once(contender, case, number == 1)
    except Failure as failure:
        say(f"bench: {suite.name}: {place} failed: {failure}")
        results.add(contender, point, 0, {"failed": str(failure)})
        return not contender.ours
    say(f"  {number} {place:24} {found['wall']:8.2f} s  {found['user'] + found['system']:7.2f} s CPU  "
        f"{found['rss'] / 1e6:7.1f} MB{'  WRONG: ' + found['wrong'] if 'wrong' in found else ''}")
    results.add(contender, point, number, found)
    return True


def run_suite(suite, servers):
    """Round by round, so that a change of the machine's pace meets all.  False when replica has failed."""
    for program in suite.needs:
        if not shutil.which(program):
            say(f"bench: {suite.name} is left out: {program} is not there")
            return True
    results, good = Results(suite, servers[0]), True
    with gateway(suite) as s3:
        cases = suite.cases(servers)
        for _, case in cases:
            case.s3 = s3
            if suite.prepare:
                case.input = os.path.join(INPUT, case.database)
        if suite.prepare:
            suite.prepare(cases[0][1])
        describe(results, suite, cases)
        warm(cases)
        for number in range(1, settings.ROUNDS + 1):
            for point, case in cases:
                for contender in suite.contenders:
                    if (number <= rounds_of(suite, contender, settings.ROUNDS, settings.SLOW_ROUNDS)
                            and not contender.missing() and not results.has(contender, point, number)):
                        good = one(results, suite, contender, point, case, number) and good
    results.kept["complete"] = True
    results.save()
    return good


# ---- the run --------------------------------------------------------------------------------------


def prepare():
    for folder in (HOME, RESULTS, INPUT):
        os.makedirs(folder, exist_ok=True)
    if not os.access(settings.REPLICA, os.X_OK):
        sys.exit(f"bench: {settings.REPLICA} is not there; make builds it")
    for program in ("psql", "pg_dump", "zstd", "taskset"):
        if not shutil.which(program):
            sys.exit(f"bench: {program} is not there; build.sh bench installs it")
    unknown = set(settings.ONLY) - {suite.name for suite in SUITES}
    if unknown:
        sys.exit(f"bench: no suite is called {', '.join(sorted(unknown))}; there are {', '.join(suite.name for suite in SUITES)}")
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    if shutil.which("age-keygen"):
        subprocess.run(["age-keygen", "-o", os.path.join(WORK, "key")], stderr=subprocess.DEVNULL, check=True)
        with open(os.path.join(WORK, "recipient"), "w") as file:
            file.write(settings.output("age-keygen", "-y", os.path.join(WORK, "key")))


def main():
    settings.clean_environment()
    good = True
    with settings.alone():
        prepare()
        servers = (Server("source"), Server("target"))
        try:
            for server in servers:
                server.start()
            for suite in SUITES:
                if not settings.ONLY or suite.name in settings.ONLY:
                    say(f"== {suite.name}: {suite.title}")
                    try:
                        good = run_suite(suite, servers) and good
                    except Failure as failure:
                        say(f"bench: {suite.name}: {failure}")
                        good = False
        finally:
            for server in servers:
                server.stop()
            shutil.rmtree(WORK, ignore_errors=True)
    report.main(["publish"] if settings.PUBLISH else [])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
