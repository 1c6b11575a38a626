"""What the benchmark says of its figures is what they are: ratios within rounds, and targets."""

import os
import subprocess
import sys

from servers import ROOT

sys.path.insert(0, os.path.join(ROOT, "bench"))
import figures  # noqa: E402
import report  # noqa: E402


def runs(**walls):
    return [
        {"contender": name, "point": None, "round": number, "wall": wall, "user": wall, "system": 0, "copy_bytes": 1e9}
        for name, found in walls.items()
        for number, wall in enumerate(found, 1)
    ]


def walls(measured, name):
    return figures.by_round(measured, name, figures.wall)


def test_a_ratio_is_the_median_of_the_ratios_within_rounds():
    measured = runs(ours=[1, 20, 3], theirs=[2, 20, 2])
    assert figures.ratio(walls(measured, "ours"), walls(measured, "theirs")) == 1
    # Only rounds that both have; none is no ratio, not 0.
    measured = runs(ours=[1, 20, 3], theirs=[2])
    assert figures.ratio(walls(measured, "ours"), walls(measured, "theirs")) == 0.5
    assert figures.ratio(walls(measured, "ours"), walls(measured, "absent")) is None


def test_a_run_that_failed_is_no_figure():
    measured = runs(ours=[1]) + [{"contender": "theirs", "point": None, "round": 0, "failed": "it ends with 1"}]
    assert walls(measured, "theirs") == {}
    assert figures.contenders(measured) == ["ours"]
    assert figures.fastest(measured, ["ours", "theirs"]) == "ours"


def test_targets_hold_or_are_missed_or_not_measured():
    measured = runs(rules1=[10.4, 10.5], raw1=[10, 10], zstd1=[20, 21], rules2=[4, 4], zstd2=[5, 5], greenmask2=[11, 11])
    found = {line["target"]: line for line in figures.targets("dump", measured)}
    assert [line["holds"] for line in found.values()] == [True, False, None, True, False]
    assert "which is zstd2" in [*found.values()][3]["note"]
    assert figures.targets("memory", measured) == []


def test_time_against_size_is_linear_by_the_sizes_there_are():
    measured = [
        {"contender": "plain2", "point": size, "round": 1, "wall": wall, "rss": 65e6, "user": 1, "system": 0, "copy_bytes": 1}
        for size, wall in ((1.0, 10), (4.0, 41.25), (2.0, 30))
    ]
    linear, least, most = figures.targets("size", measured)
    assert linear["figure"] == linear["limit"] == 4.125 and linear["holds"]
    assert not least["holds"] and not most["holds"]


def test_a_suite_that_was_not_run_again_keeps_its_section():
    """Figures of several machines stand beside each other; each section says where it was made."""
    fields = {"rss": 1e6, "server": 1, "stored": 5, "copy_bytes": 1e9, "point": None}
    result = {
        "suite": "small", "point": "", "complete": True, "when": "2026-01-02", "server": "s", "settings": [], "versions": {},
        "machine": {"cpu": "a slow CPU"}, "key": {"scale": 1, "rounds": 1}, "pinned": {"plain2": "2 CPUs", "custom2": "2 CPUs"},
        "titles": {"plain2": "ours", "custom2": "theirs"}, "data": {"None": {"database": "d", "tables": 2000, "copy_bytes": 1e9}},
        "runs": [{**run, **fields} for run in runs(plain2=[1], custom2=[2])],
    }
    copied, small = report.TITLES["copy"], report.TITLES["small"]
    old = f"\n### Targets\n\n| copy | of old | 1 × | ≤ 2 × | holds |\n| small | of old | 1 × | ≤ 2 × | holds |\n\n" \
        f"### {small}\n\nold\n\n### {copied}\n\nkept\nwhole\n"
    new = report.sections("\n" + "\n".join(report.markdown({"small": result}, report.sections(old))))
    assert new[copied] == ["kept", "whole"]
    assert "a slow CPU" in new[small][0] and "old" not in new[small]
    assert [line.split(" | ")[:3] for line in new["Targets"][2:]] == [
        ["| small", "2,000 small tables: wall, × pg_dump -Fc", "0.50 ×"], ["| copy", "of old", "1 ×"]
    ]


def test_a_change_stands_beside_the_executable_before_it():
    """BENCH_BEFORE gives each of ours a twin that runs in the same rounds, and a column of ratios to it."""
    code = (
        "import suites; [print(c.name, c.ours) for c in next(s for s in suites.SUITES if s.name == 'small').contenders];"
        "case = suites.Case(type('S', (), {'uri': lambda self, name: name})(), None, {'database': 'd'});"
        "print(suites.SUITES[2].contenders[1].build(case).commands)"
    )
    environment = {**os.environ, "BENCH_BEFORE": "/an/older/replica", "BENCH_PEERS": "no"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=os.path.join(ROOT, "bench"), env=environment, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["plain2 True", "plain2_before True", "[['/an/older/replica', 'dump']]"], done.stderr
    measured = runs(plain2=[1, 3], plain2_before=[2, 3])
    for run in measured:
        run.update(rss=1e6, server=1, stored=5)
    result = {
        "suite": "small", "runs": measured, "pinned": dict.fromkeys(("plain2", "plain2_before"), "2 CPUs"),
        "titles": {"plain2": "ours", "plain2_before": "ours, before"},
    }
    head, _, ours, older, _ = report.table(result)
    assert "| × before |" in head and ours.split(" | ")[2] == "0.75" and older.split(" | ")[2] == "–"
