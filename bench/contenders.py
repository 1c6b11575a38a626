"""What is measured: for every contender the pipeline that does the work, and what must be there for it.

A contender is a function of a case (the servers, the data set, jobs, an empty directory for what it writes)
that gives a Job.  Equal work: the same rows, zstd at level 3 where the peer can choose, the same rules where
it has them, and the same CPUs."""

import dataclasses
import os
import shutil

from settings import BEFORE, CPUS, REPLICA, RULES, WORK, replica_commands


@dataclasses.dataclass
class Case:
    source: object
    target: object
    data: dict
    jobs: int = 2
    tables: str = ""  # one table instead of all
    out: str = os.path.join(WORK, "out", "0")
    input: str = ""  # the dumps that a restore reads
    s3: dict = dataclasses.field(default_factory=dict)

    @property
    def database(self):
        return self.data["database"]


@dataclasses.dataclass
class Job:
    commands: list
    environment: dict = dataclasses.field(default_factory=dict)
    output: str = os.devnull


@dataclasses.dataclass
class Contender:
    name: str
    title: str
    build: object
    needs: tuple = ()
    command: str = ""  # of replica, which must know it
    client: tuple = tuple(CPUS)
    server: tuple = tuple(CPUS)
    jobs: int = 2
    slow: bool = False
    ours: bool = False
    kind: str = "dump"  # or restore, copy, s3: what there is to check afterwards
    exact: bool = False  # every byte of COPY must be in the dump

    def missing(self):
        """Why it cannot take part; empty when it can."""
        for program in self.needs:
            if not shutil.which(program):
                return f"{program} is not there"
        if self.command and self.command not in replica_commands():
            return f"this replica has no command {self.command}"
        return ""


# ---- dumps ----------------------------------------------------------------------------------------


def raw(case):
    copies = []
    for table in [case.tables] if case.tables else case.data["digests"] or case.data["counts"]:
        if table not in ("indexes", "constraints"):
            copies += ["-c", f"COPY {table} TO STDOUT"]
    return Job([["psql", "-X", "-q", *copies]], case.source.environment(case.database))


def replica_dump(rules="", jobs=None, store=None):
    def build(case):
        environment = {"REPLICA_FROM": case.source.uri(case.database), "REPLICA_COMPRESS": "zstd:3",
                       "REPLICA_TO": f"file://{case.out}", "REPLICA_JOBS": str(jobs or case.jobs),
                       "REPLICA_PROGRESS": "no"}
        if rules:
            environment["REPLICA_TRANSFORM"] = rules
        if store:
            environment.update(case.s3["replica"], REPLICA_TO=store)
        return Job([[REPLICA, "dump"]], environment)
    return build


def pg_dump(*filters, words=(), name="dump"):
    """pg_dump and what its output goes through, into a file."""
    def build(case):
        environment = case.source.environment(case.database)
        if "rclone" in [command[0] for command in filters]:
            return Job([["pg_dump", *words], *filters], {**environment, **case.s3["rclone"]})
        return Job([["pg_dump", *words], *filters], environment, os.path.join(case.out, name))
    return build


def pg_dump_directory(*words):
    def build(case):
        return Job([["pg_dump", "-Fd", "-j", str(case.jobs), *words, "-f", os.path.join(case.out, "fd")]],
                   case.source.environment(case.database))
    return build


GREENMASK = """common:
  pg_bin_path: {bin}
  tmp_dir: {work}
log:
  level: warn
storage:
  type: directory
  directory:
    path: {store}
dump:
  pg_dump_options:
    dbname: "{source}"
    jobs: {jobs}
    pgzip: {pgzip}
  transformation: {rules}
restore:
  pg_restore_options:
    dbname: "{target}"
    jobs: {jobs}
    pgzip: {pgzip}
    exit-on-error: true
"""
GREENMASK_RULES = """
    - schema: public
      name: people
      transformers:
        - name: RandomString
          params: {column: last_name, min_length: 5, max_length: 12}
        - name: RandomEmail
          params: {column: email, keep_original_domain: false}
        - name: RandomPhoneNumber
          params: {column: phone, keep_null: true}
"""


def greenmask_configuration(case, store, rules):
    path = os.path.join(WORK, "greenmask.yml")
    with open(os.path.join(case.source.dir, "bin")) as file:
        pg_bin = file.read().strip()
    connect = "host={0.host} port={0.port} user=postgres dbname={1}"
    with open(path, "w") as file:
        file.write(GREENMASK.format(
            bin=pg_bin, work=WORK, store=store, jobs=case.jobs, pgzip="true", rules=GREENMASK_RULES if rules else "[]",
            source=connect.format(case.source, case.database), target=connect.format(case.target, "target")))
    return path


def greenmask_dump(rules=True):
    def build(case):
        store = os.path.join(case.out, "greenmask")
        os.makedirs(store, exist_ok=True)
        return Job([["greenmask", "--config", greenmask_configuration(case, store, rules), "dump"]])
    return build


# ---- restores -------------------------------------------------------------------------------------


def replica_restore(case):
    return Job([[REPLICA, "restore"]], {
        "REPLICA_FROM": f"file://{case.input}/replica", "REPLICA_TO": case.target.uri("target"),
        "REPLICA_JOBS": str(case.jobs), "REPLICA_PROGRESS": "no"})


def before(contender):
    """The same by the replica of BENCH_BEFORE: what a change costs or brings, side by side."""
    def build(case):
        job = contender.build(case)
        [[_, *words]] = job.commands
        return dataclasses.replace(job, commands=[[BEFORE, *words]])
    return dataclasses.replace(contender, name=f"{contender.name}_before", title=f"{contender.title}, before", build=build)


def pg_restore(analyze):
    def build(case):
        environment = case.target.environment("target")
        restore = f"pg_restore -j {case.jobs} -d target {case.input}/fd"
        if analyze:
            restore += f" && vacuumdb -q -j {case.jobs} --analyze-only target"
        return Job([["sh", "-c", restore]], environment)
    return build


def greenmask_restore(case):
    return Job([["greenmask", "--config", greenmask_configuration(case, f"{case.input}/greenmask", False), "restore",
                 "latest"]])


# ---- copies ---------------------------------------------------------------------------------------


def replica_copy(case):
    return Job([[REPLICA, "copy"]], {
        "REPLICA_FROM": case.source.uri(case.database), "REPLICA_TO": case.target.uri("target"),
        "REPLICA_JOBS": str(case.jobs), "REPLICA_PROGRESS": "no"})


def pgcopydb(split=""):
    def build(case):
        words = ["--table-jobs", str(case.jobs), "--index-jobs", str(case.jobs), "--dir", os.path.join(case.out, "pgcopydb")]
        if split:
            words += ["--split-tables-larger-than", split]
        return Job([["pgcopydb", "clone", "--source", case.source.uri(case.database), "--target",
                     case.target.uri("target"), "--no-owner", *words]])
    return build


def pgstream(case):
    return Job([["pgstream", "snapshot", "--postgres-url", case.source.tcp_uri(case.database), "--target", "postgres",
                 "--target-url", case.target.tcp_uri("target"), "--tables", "public.*", "--log-level", "error"]],
               {"PGSTREAM_POSTGRES_WRITER_IGNORE_DDL": "true"})


def pg_dump_psql(case):
    return Job([["pg_dump", "-d", case.source.uri(case.database)],
                ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", case.target.uri("target")]])


ZSTD = ["zstd", "-3", "-q", "-c"]
ZSTD2 = ["zstd", "-3", "-T2", "-q", "-c"]


def age(folder):
    """age to a key that is made for this run."""
    with open(os.path.join(folder, "recipient")) as file:
        return ["age", "-r", file.read().strip()]
