"""The plots, as SVG by gnuplot, in build/bench/plots.  Without gnuplot there are none.

Each contender has one colour in all of them: replica's is the strong one."""

import os
import shutil
import subprocess
from statistics import median

import figures
from settings import PLOTS

OURS, COLOURS = "#c2410c", {"raw": "#94a3b8", "zstd": "#2563eb", "age": "#0891b2", "fd": "#7c3aed", "fdfast": "#a78bfa",
                            "custom": "#64748b", "greenmask": "#16a34a", "pg_restore": "#2563eb",
                            "pg_restore_analyze": "#60a5fa", "greenmask_restore": "#16a34a", "pgcopydb": "#7c3aed",
                            "pgcopydb_split": "#a78bfa", "pgstream": "#ca8a04", "pipe": "#64748b"}
REPLICAS = ("plain", "rules", "restore", "copy")
HEAD = """set terminal svg size {width},{height} dynamic enhanced font 'Helvetica,Arial,sans-serif,13' background '#ffffff'
set output '{path}'
set title "{title}" font ',15' textcolor rgb '#0f172a'
set border 3 linecolor rgb '#94a3b8'
set tics nomirror textcolor rgb '#334155'
set grid back linecolor rgb '#e2e8f0' linewidth 1 linetype 1
"""


def kind(name):
    return name.rstrip("0123456789") if name not in ("s3_1", "s3_2") else name


def colour(name):
    return OURS if kind(name) in REPLICAS else COLOURS.get(kind(name), "#475569")


def title_of(result, name):
    text = result["titles"][name].replace("\\|", "|").replace("*", "").replace("`", "")
    return text.replace("_", "\\\\_").replace("{", "").replace("}", "")


def gnuplot(text):
    subprocess.run(["gnuplot"], input=text.encode(), check=True)


def bars(result, name, title, unit, value, digits=0):
    """Lying bars, the first contender at the top, its figure at the end and the spread as a whisker."""
    runs = result["runs"]
    names = [one for one in figures.contenders(runs) if figures.by_round(runs, one, value)]
    if not names:
        return
    lines, pinned = [], len(set(result["pinned"][one] for one in names)) > 1
    for number, one in enumerate(reversed(names)):
        values = list(figures.by_round(runs, one, value).values())
        label = title_of(result, one)
        if pinned:
            label += ", 1 + 1 CPU" if "each" in result["pinned"][one] else ", 2 CPUs"
        lines.append(f'{median(values)}\t{number}\t{min(values)}\t{max(values)}\t{int(colour(one)[1:], 16)}\t"{label}"'
                     f'\t"{median(values):.{digits}f}"')
    top = max(float(line.split("\t")[3]) for line in lines)
    path = os.path.join(PLOTS, f"{name}.svg")
    gnuplot(HEAD.format(width=820, height=90 + 30 * len(names), path=path, title=title) + f"""
$d << END
{chr(10).join(lines)}
END
set datafile separator "\t"
set style fill solid 1 noborder
set xrange [0:{top * 1.12}]
set yrange [-0.6:{len(names) - 0.4}]
set xlabel "{unit}" textcolor rgb '#334155'
set border 1
unset key
set grid noytics xtics
plot $d using 1:2:(0):1:($2-0.36):($2+0.36):5:ytic(6) with boxxyerror linecolor rgb variable, \\
     $d using 1:2:3:4 with xerrorbars pointtype 0 linecolor rgb '#0f172a' linewidth 1, \\
     $d using 4:2:7 with labels left offset 0.6,0 textcolor rgb '#0f172a'
""")


def lines(name, title, x, y, curves, logarithmic=False, points=True, ticks=()):
    """curves: (label, colour, [(x, y)...])."""
    curves = [curve for curve in curves if curve[2]]
    if not curves:
        return
    blocks = "".join(f"$c{number} << END\n" + "".join(f"{a} {b}\n" for a, b in values) + "END\n"
                     for number, (_, _, values) in enumerate(curves))
    style = "linespoints pointtype 7 pointsize 0.5" if points else "lines"
    drawn = ", ".join(f"$c{number} using 1:2 with {style} linewidth 2.2 linecolor rgb '{tint}' title \"{label}\""
                      for number, (label, tint, _) in enumerate(curves))
    scale = "set logscale xy\nset format x '%.0f'\n" if logarithmic else "set yrange [0:*]\nset xrange [0:*]\n"
    if ticks:
        scale += "set xtics (" + ", ".join(f"{tick:g}" for tick in ticks) + ")\n"
    gnuplot(HEAD.format(width=820, height=420, path=os.path.join(PLOTS, f"{name}.svg"), title=title) + blocks + scale + f"""
set xlabel "{x}" textcolor rgb '#334155'
set ylabel "{y}" textcolor rgb '#334155'
set key outside below maxrows 3 textcolor rgb '#334155'
plot {drawn}
""")


def against_point(result, name, title, x, value, y, **options):
    runs, curves = result["runs"], []
    for one in dict.fromkeys(run["contender"] for run in runs):
        values = [(point, median(found.values())) for point in sorted(figures.points(runs))
                  if (found := figures.by_round(runs, one, value, point))]
        curves.append((title_of(result, one), colour(one), values))
    lines(name, title, x, y, curves, ticks=sorted(figures.points(runs)), **options)


def memory(result):
    curves = []
    for one, series in result["series"].items():
        curves.append((title_of(result, one), colour(one), [(second, size / 1e6) for second, size in series]))
    lines("memory", "Memory over time, dump of the wide table, two jobs, two CPUs", "seconds", "MB resident, all processes", curves,
          points=False)


def jobs(result):
    runs = result["runs"]
    dashed = {"restore": "#ea9a6a", "pg_restore": "#60a5fa", "fd": "#7c3aed"}
    curves = []
    for one in dict.fromkeys(run["contender"] for run in runs):
        values = [(point, median(found.values())) for point in sorted(figures.points(runs))
                  if (found := figures.by_round(runs, one, figures.wall, point))]
        curves.append((title_of(result, one), dashed.get(one, colour(one)), values))
    lines("jobs", "Time against jobs, the wide table on two CPUs", "jobs", "seconds", curves, ticks=sorted(figures.points(runs)))


def draw(results):
    shutil.rmtree(PLOTS, ignore_errors=True)
    os.makedirs(PLOTS)
    if not shutil.which("gnuplot"):
        return
    throughput = "MB of COPY text a second; more is better"
    if "dump" in results:
        bars(results["dump"], "throughput", "Dump of the wide table: throughput", throughput, figures.megabytes_per_second)
        bars(results["dump"], "cpu", "Dump of the wide table: CPU seconds of the client", "CPU seconds per GB of COPY text; less is better",
             figures.cpu_per_gb, 1)
    for name, title in (("restore", "Restore of the wide table with its indexes"), ("copy", "From server to server: the wide table")):
        if name in results:
            bars(results[name], name, title, "seconds; less is better", figures.wall, 1)
    if "memory" in results:
        memory(results["memory"])
    if "size" in results:
        scale = results["size"]["key"]["scale"]
        against_point(results["size"], "size", "Time against size, one table, two CPUs",
                      "GB of COPY text" + ("" if scale == 1 else f", times {scale:g}"), figures.wall, "seconds")
    if "tables" in results:
        against_point(results["tables"], "tables", "Time against the number of tables, fifty rows each", "tables", figures.wall,
                      "seconds", logarithmic=True)
    if "jobs" in results:
        jobs(results["jobs"])
