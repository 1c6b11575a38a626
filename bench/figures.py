"""The arithmetic of the report: medians, ratios within rounds, and the targets.  Nothing here reads or runs anything."""

from statistics import median


def by_round(runs, contender, value, point=None):
    """{round: figure} of one contender at one point; value is a function of a run."""
    return {run["round"]: value(run) for run in runs
            if run["contender"] == contender and run.get("point") == point and not run.get("failed")}


def ratio(ones, others):
    """Of neighbours in time: the median over the rounds that both have of the ratio within a round."""
    common = sorted(ones.keys() & others.keys())
    return median(ones[number] / others[number] for number in common) if common else None


def ratio_spread(ones, others):
    common = sorted(ones.keys() & others.keys())
    return [ones[number] / others[number] for number in common]


def wall(run):
    return run["wall"]


def cpu_per_gb(run):
    return (run["user"] + run["system"]) / (run["copy_bytes"] / 1e9)


def megabytes_per_second(run):
    return run["copy_bytes"] / 1e6 / run["wall"]


def spread(values, digits):
    values = list(values)
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def contenders(runs, point=None):
    """In the order of their first run."""
    return list(dict.fromkeys(run["contender"] for run in runs if run.get("point") == point and not run.get("failed")))


def points(runs):
    return list(dict.fromkeys(run.get("point") for run in runs))


def fastest(runs, names, point=None):
    """The name with the least median wall, of those that have run."""
    walls = {name: median(found.values()) for name in names if (found := by_round(runs, name, wall, point))}
    return min(walls, key=walls.get) if walls else None


# ---- targets --------------------------------------------------------------------------------------


def target(what, figure, unit, limit, at_most=True, note=""):
    """One line of the report; a figure that is None was not measured."""
    holds = None if figure is None else (figure <= limit if at_most else figure >= limit)
    return {"target": what, "figure": figure, "unit": unit, "limit": limit, "at_most": at_most, "holds": holds, "note": note}


def of_pair(what, runs, ours, theirs, limit, value=wall, point=None, note=""):
    one, other = by_round(runs, ours, value, point), by_round(runs, theirs, value, point)
    spreads = ratio_spread(one, other)
    if spreads and len(spreads) > 1:
        note = f"{min(spreads):.2f}–{max(spreads):.2f} in the rounds{'; ' + note if note else ''}"
    return target(what, ratio(one, other), "×", limit, note=note)


def dump_targets(runs):
    yield of_pair("dump, three rules, one CPU beside the server's: wall, × raw COPY", runs, "rules1", "raw1", 1.05)
    yield of_pair("the same: CPU s/GB, × pg_dump | zstd -3", runs, "rules1", "zstd1", 0.5, cpu_per_gb)
    yield of_pair("the same, beside pg_dump | zstd -3 | age (which seals; replica does not yet)", runs, "rules1", "age1", 0.5,
                  cpu_per_gb)
    peers = [name for name in contenders(runs) if name.endswith("2") and name not in ("rules2", "plain2", "raw2")]
    best = fastest(runs, peers)
    if best:
        yield of_pair("dump, two jobs, two CPUs, one large table, three rules: wall, × the fastest peer", runs, "rules2", best,
                      1.0, note=f"which is {best}")
    inverse = ratio(by_round(runs, "greenmask2", wall), by_round(runs, "rules2", wall))
    yield target("the same: times as fast as Greenmask with the same rules", inverse, "×", 3, at_most=False)


def restore_targets(runs):
    yield of_pair("restore with indexes, same jobs: wall, × pg_restore -j", runs, "restore", "pg_restore", 0.8,
                  note="replica has counted and analysed, too")
    yield of_pair("the same, beside pg_restore -j and vacuumdb --analyze-only", runs, "restore", "pg_restore_analyze", 0.8)


def copy_targets(runs):
    best = fastest(runs, ["pgcopydb", "pgcopydb_split"])
    if best:
        yield of_pair("copy, same jobs: wall, × pgcopydb clone", runs, "copy", best, 0.9, note=f"at its best, {best}")


def small_targets(runs):
    yield of_pair("2,000 small tables: wall, × pg_dump -Fc", runs, "plain2", "custom2", 1.0)


def size_targets(runs):
    sizes = sorted(point for point in points(runs) if by_round(runs, "plain2", wall, point))
    if len(sizes) < 2:
        return
    least, most = sizes[0], sizes[-1]
    found = ratio(by_round(runs, "plain2", wall, most), by_round(runs, "plain2", wall, least))
    yield target(f"time against size: {most:g} GB, × {least:g} GB", found, "×", (most / least) * 16.5 / 16)
    for size in (least, most):
        peak = max(by_round(runs, "plain2", lambda run: run["rss"] / 1e6, size).values())
        yield target(f"peak memory, default settings, two jobs, {size:g} GB", peak, "MB", 64)


TARGETS = {"dump": dump_targets, "restore": restore_targets, "copy": copy_targets, "small": small_targets,
           "size": size_targets}


def targets(suite, runs):
    return list(TARGETS[suite](runs)) if suite in TARGETS else []
