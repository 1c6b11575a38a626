#!/usr/bin/env python3
"""report.py - the figures of build/bench/results as Markdown, with the targets and the plots.

    report.py              prints them; the plots go to build/bench/plots, everything as JSON to build/bench/result.json
    report.py publish      the same into docs/benchmarks.md, between its markers, and docs/bench/

It takes whatever suites have been run on this machine; published, the others keep what docs/benchmarks.md says of them."""

import json
import os
import shutil
import sys
from statistics import median

import figures
import plots
import settings
import suites

TITLES = {suite.name: suite.title for suite in suites.SUITES} | {"1tb": "1 TB in 512 MB on one CPU"}
ORDER = tuple(suite.name for suite in suites.SUITES)
BASES = {"dump": ("raw1", "zstd1"), "sets": ("raw2", "zstd2"), "small": ("custom2",), "restore": ("pg_restore",),
         "copy": ("pgcopydb",), "s3": ("rclone",), "jobs": (), "tables": ("custom2",), "size": ("raw2", "zstd2"), "memory": ()}
BEGIN, END = "<!-- made by make bench-docs: begin -->", "<!-- made by make bench-docs: end -->"


def read():
    results = {}
    for name in (*ORDER, "1tb"):
        path = os.path.join(settings.RESULTS, f"{name}.json")
        if os.path.exists(path):
            with open(path) as file:
                results[name] = json.load(file)
    return results


def plain(title):
    return title.replace("\\|", "|").replace("*", "").replace("`", "")


def cell(value, digits):
    return "–" if value is None else f"{value:.{digits}f}"


def row(result, contender, point, bases):
    runs = result["runs"]
    found = [run for run in runs if run["contender"] == contender and run.get("point") == point and not run.get("failed")]

    def values(value):
        return figures.by_round(runs, contender, value, point)

    ratios = [cell(figures.ratio(values(figures.wall), figures.by_round(runs, base or f"{contender}_before", figures.wall, point)), 2)
              for base in bases]
    stored = 100 * median(run["stored"] for run in found) / found[0]["copy_bytes"] if found[0]["stored"] else None
    title = result["titles"][contender] + (" (wrong: " + found[0]["wrong"] + ")" if found[0].get("wrong") else "")
    return [title, figures.spread(values(figures.wall).values(), 2), *ratios,
            f"{median(values(figures.megabytes_per_second).values()):.0f}",
            figures.spread(values(figures.cpu_per_gb).values(), 2),
            f"{median(run['server'] / (run['copy_bytes'] / 1e9) for run in found):.2f}",
            f"{max(run['rss'] for run in found) / 1e6:.1f}", cell(stored, 1), str(len(found))]


def head(words):
    yield "| " + " | ".join(words) + " |"
    yield "|" + "---|" * len(words)


def table(result):
    """One table for each way of pinning; with points one for each of them."""
    bases = BASES[result["suite"]]
    for point in figures.points(result["runs"]):
        names = figures.contenders(result["runs"], point)
        for how in dict.fromkeys(result["pinned"][name] for name in names):
            group = [name for name in names if result["pinned"][name] == how]
            what = how if point is None else f"{result['point']} {point}; {how}" if isinstance(point, str) else \
                f"{point:g} {result['point']}; {how}"
            shown = [base for base in bases if figures.contenders(result["runs"], point).count(base)]
            titles = [f"× {plain(result['titles'][base])}".replace("|", "\\|") for base in shown]
            if any(name.endswith("_before") for name in names):
                shown, titles = [*shown, None], [*titles, "× before"]
            yield from head([what, "wall s", *titles,
                             "COPY MB/s", "client CPU s/GB", "server CPU s/GB", "peak MB", "stored, % of COPY", "rounds"])
            for name in group:
                yield "| " + " | ".join(row(result, name, point, shown)) + " |"
            yield ""
    for run in result["runs"]:
        if run.get("failed"):
            yield f"- failed: {result['titles'][run['contender']]}: {run['failed']}"


def points_table(result):
    """Against jobs, tables or size: a row a contender, a column a point, medians of the wall."""
    runs, points = result["runs"], sorted(figures.points(result["runs"]))
    yield from head(["median wall s", *[f"{point:g} {result['point']}" for point in points], "peak MB"])
    for name in dict.fromkeys(run["contender"] for run in runs):
        walls = [figures.by_round(runs, name, figures.wall, point).values() for point in points]
        peaks = [run["rss"] for run in runs if run["contender"] == name and not run.get("failed")]
        if peaks:
            yield "| " + " | ".join([result["titles"][name], *[f"{median(wall):.2f}" if wall else "–" for wall in walls],
                                     f"{max(peaks) / 1e6:.1f}"]) + " |"


def target_lines(suite, found):
    for line in found:
        if line["figure"] is None:
            measured, verdict = "–", "not measured"
        else:
            measured, verdict = f"{line['figure']:.2f} {line['unit']}", "holds" if line["holds"] else "**MISSED**"
        limit = f"{'≤' if line['at_most'] else '≥'} {line['limit']:g} {line['unit']}"
        note = f" ({line['note']})" if line["note"] else ""
        yield f"| {suite} | {line['target'].replace('|', chr(92) + '|')}{note} | {measured} | {limit} | {verdict} |"


def facts(results):
    """Of the run that is newest; each suite says itself when, with how much data and on which CPU it was run."""
    newest = max((result for name, result in results.items() if name != "1tb"), key=lambda result: result["when"])
    yield f"- when: {newest['when']}, BENCH_SCALE={newest['key']['scale']:g}"
    for name, text in {**newest["machine"], "server": newest["server"], "server's settings": ", ".join(newest["settings"]) +
                       "; fsync, full_page_writes, autovacuum and jit off", **newest["versions"]}.items():
        yield f"- {name}: {text}"
    absent = {}
    for name, result in results.items():
        absent.update(result.get("absent", {}))
    for name, reason in absent.items():
        yield f"- absent: {name}: {reason}"


def plural(number, word):
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def data_line(result):
    found, key = result["data"], result["key"]
    if len({one["database"] for one in found.values()}) == 1:
        found = {"None": next(iter(found.values()))}
    parts = []
    for point, one in found.items():
        label = "" if point == "None" else f"{point.removesuffix('.0')}: "
        parts.append(f"{label}{plural(one['tables'], 'table')}, {one['copy_bytes'] / 1e6:,.0f} MB of COPY text")
    return f"{'; '.join(parts)}. {plural(key['rounds'], 'round')} at BENCH_SCALE={key['scale']:g}, {result['when']}, " + \
        f"{result['machine']['cpu']}" + ("." if result["complete"] else "; not complete.")


def image(name, title):
    return [f"![{title}](bench/{name}.svg)", ""] if os.path.exists(os.path.join(settings.PLOTS, f"{name}.svg")) else []


IMAGES = {"dump": [("throughput", "Throughput by peer"), ("cpu", "CPU seconds per GB by peer")],
          "memory": [("memory", "Memory over time")], "size": [("size", "Time against size")],
          "tables": [("tables", "Time against the number of tables")], "jobs": [("jobs", "Time against jobs")],
          "restore": [("restore", "Restore by peer")], "copy": [("copy", "From server to server by peer")]}


def one_terabyte(result):
    yield "`make bench-1tb`"
    yield ""
    yield from head(["", ""])
    for name, text in result["lines"]:
        yield f"| {name} | {text} |"


def section(name, result):
    if name == "1tb":
        yield from one_terabyte(result)
        return
    yield f"`BENCH_ONLY={name} make bench`: {data_line(result)}"
    yield ""
    for file, title in IMAGES.get(name, []):
        yield from image(file, title)
    yield from points_table(result) if name in ("jobs", "tables", "size") else table(result)


def markdown(results, published):
    """published has the sections that docs/benchmarks.md holds by now, as lists of lines."""
    measured = [name for name in ORDER if name in results]
    yield "### Targets"
    yield ""
    yield from head(["suite", "target", "measured", "limit", ""])
    for name in ORDER:
        if name in results:
            yield from target_lines(name, figures.targets(name, results[name]["runs"]))
        else:
            yield from (line for line in published.get("Targets", []) if line.startswith(f"| {name} |"))
    yield ""
    if measured:
        yield "### Where and with what"
        yield ""
        yield from facts(results)
        yield ""
    for name, title in TITLES.items():
        lines = section(name, results[name]) if name in results else published.get(title)
        if lines is not None:
            yield f"### {title}"
            yield ""
            yield from lines
            yield ""


def document():
    """docs/benchmarks.md: before the figures, the figures, behind them."""
    path = os.path.join(settings.ROOT, "docs", "benchmarks.md")
    with open(path) as file:
        before, _, rest = file.read().partition(BEGIN)
    figured, _, after = rest.partition(END)
    return path, before, figured, after


def sections(text):
    found = {}
    for part in text.split("\n### ")[1:]:
        title, *lines = part.strip().split("\n")
        found[title] = lines[1:]
    return found


def publish(text):
    path, before, _, after = document()
    with open(path, "w") as file:
        file.write(f"{before}{BEGIN}\n\n{text.rstrip()}\n\n{END}{after}")
    folder = os.path.join(settings.ROOT, "docs", "bench")
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(settings.PLOTS):
        if name.endswith(".svg"):
            shutil.copy(os.path.join(settings.PLOTS, name), folder)


def main(words):
    results = read()
    if not results:
        sys.exit("bench: nothing has been measured yet; make bench does")
    plots.draw(results)
    published = sections(document()[2]) if "publish" in words else {}
    lines = "\n".join(markdown(results, published))
    while "\n\n\n" in lines:
        lines = lines.replace("\n\n\n", "\n\n")
    everything = {"suites": results, "targets": [line for name in ORDER if name in results
                                                 for line in figures.targets(name, results[name]["runs"])]}
    with open(os.path.join(settings.HOME, "result.json"), "w") as file:
        json.dump(everything, file, indent=1)
    print(lines)
    if "publish" in words:
        publish(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
