"""What a run of the benchmark is told by the environment, where its things lie, and what the machine is.

BENCH_ONLY      suites, by commas; all of them when not set (run.py names them)
BENCH_ROUNDS    how often each contender runs, round by round: 5
BENCH_SLOW_ROUNDS   the same for contenders that are far behind, and no target speaks of: as BENCH_ROUNDS
BENCH_SCALE     1 is the size that docs/benchmarks.md names: 5 M wide rows, 1.7 GB; 0.01 is a smoke test
BENCH_SIZES     the sizes of the suite size, in GB at scale 1: 1,2,4,8,16
BENCH_PUBLISH   yes: figures and plots go to docs/, as make bench-docs does
REPLICA_BINARY  build/replica
BENCH_BEFORE    another replica's executable, that of the commit before: it runs beside each of ours, in turn
BENCH_PEERS     no: only replica itself, and the one before
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOME = os.path.join(ROOT, "build", "bench")
RESULTS = os.path.join(HOME, "results")
PLOTS = os.path.join(HOME, "plots")
WORK = os.path.join(HOME, "work")
INPUT = os.path.join(HOME, "input")
PEERS = os.path.join(HOME, "peers")

REPLICA = os.environ.get("REPLICA_BINARY") or os.path.join(ROOT, "build", "replica")
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 5)
SLOW_ROUNDS = min(ROUNDS, int(os.environ.get("BENCH_SLOW_ROUNDS") or ROUNDS))
SCALE = float(os.environ.get("BENCH_SCALE") or 1)
SIZES = [float(size) for size in (os.environ.get("BENCH_SIZES") or "1,2,4,8,16").replace(",", " ").split()]
ONLY = (os.environ.get("BENCH_ONLY") or "").replace(",", " ").split()
PUBLISH = os.environ.get("BENCH_PUBLISH") == "yes"
BEFORE = os.environ.get("BENCH_BEFORE") or ""
PEERS_TOO = os.environ.get("BENCH_PEERS") != "no"

RULES = """public.people.last_name  random
public.people.email      email
public.people.phone      phone-number"""

# The CPUs that all contenders may use, and one each for the client and the server where they are parted.
CPUS = sorted(os.sched_getaffinity(0))[:2]
CLIENT_CPU, SERVER_CPU = CPUS[:1], CPUS[-1:]


class Failure(Exception):
    """What ends a contender or a suite, with a sentence."""


def clean_environment():
    """Nobody's own settings shall be measured."""
    for name in list(os.environ):
        if name.startswith(("REPLICA_", "AWS_", "RCLONE_", "PG", "GREENMASK_", "PGSTREAM_", "PGCOPYDB_")):
            del os.environ[name]
    os.environ["LC_ALL"] = "C.UTF-8"
    os.environ["PATH"] += os.pathsep + PEERS


@contextlib.contextmanager
def alone():
    """No two benchmarks at once; SIGTERM ends one as SIGINT does, with its servers stopped."""
    os.makedirs(HOME, exist_ok=True)
    with open(os.path.join(HOME, ".busy"), "w") as busy:
        try:
            fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("bench: another benchmark is running")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield
        except KeyboardInterrupt:
            sys.exit(130)


def output(*command, **options):
    """What a command prints, or nothing when it cannot."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, **options)
    except OSError:
        return ""
    return done.stdout.decode(errors="replace").strip()


def first_line(text):
    return text.splitlines()[0] if text else ""


def sha256_file(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replica_commands():
    """The commands that this replica has, of what its help lists under Commands."""
    text = output(REPLICA, "help").partition("Commands:")[2].partition("\n\n")[0]
    return {line.split()[0] for line in text.splitlines() if line.strip()}


def go_version(program):
    """What `go version -m` or the program itself says of a peer that Go has built."""
    path = shutil.which(program)
    stamp = f"{path}.version"
    if path and os.path.exists(stamp):
        with open(stamp) as file:
            return file.read().strip()
    return "built, of unknown version"


def level2():
    """Its cache decides how fast zstd is; the model's name of a virtual machine seldom tells it."""
    try:
        with open("/sys/devices/system/cpu/cpu0/cache/index2/size") as file:
            return f" ({file.read().strip()} of level 2 cache)"
    except OSError:
        return ""


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo") as file:
        memory = next(int(line.split()[1]) for line in file if line.startswith("MemTotal"))
    return {
        "cpu": f"{models[0] if models else os.uname().machine}{level2()}, {len(CPUS)} of {os.cpu_count()} used",
        "memory": f"{memory / 1048576:.1f} GiB",
        "kernel": f"{os.uname().sysname} {os.uname().release}",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()) + " before the first round",
    }


def versions():
    """Only of programs that are there."""
    found = {
        "replica": ", ".join(" ".join(line.split()) for line in output(REPLICA, "version").splitlines()),
        "psql": output("psql", "--version"),
        "pg_dump": output("pg_dump", "--version"),
        "zstd": first_line(output("zstd", "--version")).strip("* "),
        "age": output("age", "--version"),
        "rclone": first_line(output("rclone", "version")),
        "radosgw": first_line(output("radosgw", "--version")),
        "pgcopydb": first_line(output("pgcopydb", "--version")),
    }
    for peer in ("greenmask", "pgstream"):
        if shutil.which(peer):
            found[peer] = go_version(peer)
    return {name: text for name, text in found.items() if text and shutil.which(name) or name == "replica"}


def absent():
    """The peers that are not there, and why."""
    missing = {}
    for name, package in {"zstd": "zstd", "age": "age", "rclone": "rclone", "pgcopydb": "pgcopydb",
                          "radosgw": "radosgw", "gnuplot": "gnuplot-nox"}.items():
        if not shutil.which(name):
            missing[name] = f"not installed; apt-get install {package}"
    for name in ("greenmask", "pgstream"):
        if not shutil.which(name):
            path = os.path.join(PEERS, f"{name}.absent")
            reason = "bench/peers.sh has not been run"
            if os.path.exists(path):
                with open(path) as file:
                    reason = file.read().strip()
            missing[name] = reason
    missing["RepliByte"] = "crates.io has no such crate, and it is not a package of Debian"
    return missing
