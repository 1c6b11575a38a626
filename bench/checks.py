"""What must be right, or the figures are worth nothing.

A dump of replica's: after every run the rows of its manifest are the server's; once a contender every byte of
COPY is in its volumes, which stock zstd reads.  A restore or copy, whoever made it: after every run the rows of each table
and the number of indexes and constraints; once a contender a sum over all rows that the server makes."""

import glob
import json
import os
import subprocess

import data
from settings import Failure


def manifest_of(directory):
    found = glob.glob(os.path.join(directory, "**", "dump-*", "manifest.json"), recursive=True)
    if len(found) != 1:
        raise Failure(f"{len(found)} manifests instead of one")
    with open(found[0]) as file:
        return os.path.dirname(found[0]), json.load(file)


def table_name(table):
    return f"{table['schema']}.{table['name']}"


def volume_lines(path):
    """The rows of a volume: what stands between the line of COPY and the one that ends it."""
    with subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith(b"COPY "):
                break
        for line in process.stdout:
            if line == b"\\.\n":
                break
            yield line
        process.stdout.read()
    if process.returncode != 0:
        raise Failure(f"zstd cannot read {path}")


def check_dump(directory, case, exact):
    folder, manifest = manifest_of(directory)
    wanted = {name: int(rows) for name, rows in case.data["counts"].items() if name not in ("indexes", "constraints")}
    if case.tables:
        wanted = {case.tables: wanted[case.tables]}
    found = {table_name(table): table["rows"] for table in manifest["tables"] if table_name(table) in wanted}
    if found != wanted:
        raise Failure("the manifest does not name the rows that the server counts")
    for table in manifest["tables"] if exact else []:
        digest = case.data["digests"].get(table_name(table))
        if digest:
            lines = (line for volume in table["volumes"] for line in volume_lines(os.path.join(folder, volume["name"])))
            if data.digest_lines(lines) != digest:
                raise Failure(f"the dump of {table_name(table)} is not what COPY gives")


def check_target(case, whole):
    """What is wrong with the destination; empty when nothing is."""
    wanted, found = case.data["counts"], data.counts(case.target, "target")
    wrong = [f"{name}: {found.get(name, 'nothing')} instead of {wanted[name]}" for name in wanted if found.get(name) != wanted[name]]
    if wrong:
        return "; ".join(wrong[:3])
    if whole and data.checksums(case.target, "target") != source_checksums(case):
        return "the rows are not those of the source"
    return ""


def source_checksums(case):
    if "checksums" not in case.data:
        case.data["checksums"] = data.checksums(case.source, case.database)
    return case.data["checksums"]
