#!/usr/bin/env python3
"""report.py DIR RESULT - the figures of bench/run.sh, as Markdown on standard output and as JSON in RESULT.

DIR holds runs (lines of measure.py), stored (name and bytes) and facts (name, tab, text)."""

import json
import sys
from statistics import median

TITLES = {
    "raw": "`psql`, COPY to /dev/null",
    "replica": "**replica dump**, zstd:3",
    "rules": "**replica dump**, zstd:3, three rules",
    "jobs": "**replica dump**, zstd:3, jobs by CPUs",
    "pg_dump": "`pg_dump \\| zstd -3`",
    "custom": "`pg_dump -Fc`",
    "s3": "**replica dump**, zstd:3",
    "s3jobs": "**replica dump**, zstd:3, jobs by CPUs",
    "rclone": "`pg_dump \\| zstd -3 \\| rclone rcat`",
}
S3 = ("s3", "s3jobs", "rclone")
WALL_TARGET = 1.15


def read(directory):
    with open(f"{directory}/facts") as file:
        facts = dict(line.rstrip("\n").split("\t", 1) for line in file)
    with open(f"{directory}/stored") as file:
        stored = {name: int(size) for name, size in map(str.split, file)}
    runs = {}
    with open(f"{directory}/runs") as file:
        for line in file:
            run = json.loads(line)
            runs.setdefault(run.pop("name"), []).append(run)
    return facts, stored, runs


def figures(runs, copied):
    """Per contender the list of each figure, round by round."""
    return {
        name: {
            "wall_s": [run["wall"] for run in rounds],
            "cpu_s_per_gb": [(run["user"] + run["system"]) / (copied / 1e9) for run in rounds],
            "server_cpu_s_per_gb": [run["server"] / (copied / 1e9) for run in rounds],
            "copy_mb_per_s": [copied / 1e6 / run["wall"] for run in rounds],
            "peak_mb": [run["rss"] / 1e6 for run in rounds],
        }
        for name, rounds in runs.items()
    }


def ratio(one, other):
    """Of neighbours in time: the median over the rounds of the ratio within a round."""
    return median(a / b for a, b in zip(one, other))


def spread(values, digits):
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def table(results, stored, copied):
    yield "| | wall s | × raw | × pg_dump | COPY MB/s | client CPU s/GB | × pg_dump | server CPU s/GB | peak MB | stored, % of COPY |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, result in results.items():
        if name in S3:
            continue
        size = f"{100 * stored[name] / copied:.1f}" if name in stored else "–"
        yield (
            f"| {TITLES[name]} | {spread(result['wall_s'], 2)}"
            f" | {ratio(result['wall_s'], results['raw']['wall_s']):.2f}"
            f" | {ratio(result['wall_s'], results['pg_dump']['wall_s']):.2f}"
            f" | {median(result['copy_mb_per_s']):.0f} | {spread(result['cpu_s_per_gb'], 2)}"
            f" | {ratio(result['cpu_s_per_gb'], results['pg_dump']['cpu_s_per_gb']):.2f}"
            f" | {median(result['server_cpu_s_per_gb']):.2f} | {max(result['peak_mb']):.1f} | {size} |"
        )


def s3_table(results, stored, copied):
    yield "| to S3 | wall s | × rclone | × raw | COPY MB/s | client CPU s/GB | × rclone | peak MB | stored, % of COPY |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in S3:
        result = results[name]
        yield (
            f"| {TITLES[name]} | {spread(result['wall_s'], 2)}"
            f" | {ratio(result['wall_s'], results['rclone']['wall_s']):.2f}"
            f" | {ratio(result['wall_s'], results['raw']['wall_s']):.2f}"
            f" | {median(result['copy_mb_per_s']):.0f} | {spread(result['cpu_s_per_gb'], 2)}"
            f" | {ratio(result['cpu_s_per_gb'], results['rclone']['cpu_s_per_gb']):.2f}"
            f" | {max(result['peak_mb']):.1f} | {100 * stored[name] / copied:.1f} |"
        )


def targets(results):
    replica, pg_dump = results["replica"], results["pg_dump"]
    for name, how in ("jobs", "as installed, jobs by CPUs"), ("replica", "REPLICA_JOBS=1"):
        wall = ratio(results[name]["wall_s"], results["raw"]["wall_s"])
        yield f"wall time at most {WALL_TARGET} × raw COPY, {how}", f"{wall:.3f} ×", wall <= WALL_TARGET
    ours, theirs = median(replica["cpu_s_per_gb"]), median(pg_dump["cpu_s_per_gb"])
    yield "CPU s/GB below that of pg_dump | zstd -3", f"{ours:.2f} against {theirs:.2f}", ours < theirs


def main():
    directory, path = sys.argv[1:]
    facts, stored, runs = read(directory)
    copied = int(facts["copy_bytes"])
    results = figures(runs, copied)
    with open(path, "w") as file:
        json.dump({"facts": facts, "stored_bytes": stored, "rounds": results,
                   "targets": [{"target": what, "is": value, "holds": holds} for what, value, holds in targets(results)]},
                  file, indent=1)
        file.write("\n")
    for name, text in facts.items():
        print(f"- {name}: {text}")
    print()
    print("\n".join(table(results, stored, copied)))
    print()
    if S3[0] in results:
        print("\n".join(s3_table(results, stored, copied)))
        print()
    for what, value, holds in targets(results):
        print(f"- {'holds' if holds else 'MISSED'}: {what}: {value}")


main()
