#!/usr/bin/env python3
"""Do two runs right after one another agree as well as their intervals say? By hand, on a quiet machine.

    tests/perf/stability.py [--program build/release/bin/benchmark] [--runs 2] [--keep FOLDER] [-- OPTIONS OF run]

Runs `benchmark run --suite quick` several times, compares each run with the next, row by row: the interval of the
difference of the logarithms of two medians, half-width sqrt(h1^2 + h2^2), should hold 0. Once for times, of all rows, and
once for roofline efficiencies, by flags of their own, of the rows that are judged by ceilings (a row without an interval is a miss).
Targets: it does in >= 90 % of all rows (flagged, skipped and invalid rows count as misses; a second share is of those that can
run here, without the ones that both runs skipped for the same reason), its median half-width is <= 2 %, and no row is above its ceiling.

    tests/perf/stability.py --files RUN.json RUN.json...

compares results files that are there already.
"""
import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def measure(program, options, path):
    subprocess.run([program, "run", "--suite", "quick", "--quiet", "--output", str(path), *options],
                   check=True, stdout=subprocess.DEVNULL)
    return json.loads(path.read_text())


def rows_of(results):
    return {(row["device"], row["backend"], row["key"]): row for row in results["results"]}


def time_of(row):
    """Logarithm and half-width of the median time, or None."""
    low, high = row["time_ns"]["ci"]
    return math.log(row["time_ns"]["median"]), math.log(high / low) / 2


def efficiency_of(row):
    use = row["utilization"] or {}
    if not use.get("roofline_efficiency_ci"):
        return None
    low, high = use["roofline_efficiency_ci"]
    return math.log(use["roofline_efficiency"]), math.log(high / low) / 2


def flags_of(row, figure):
    return row["utilization"]["roofline_efficiency_flags"] if figure is efficiency_of else row["flags"]


def is_judged(row):
    return row["case"]["dtype"] is not None  # a ceiling has none


CANNOT = "skipped for the same reason in both: cannot run here"


def why_not(row, other):
    if other is not None and row["status"] == other["status"] == "skipped" and row["reason"] == other["reason"]:
        return CANNOT
    return "not ok"


def compare(old, new, figure):
    """(key, agrees, flags, difference, half-width) of each row of old."""
    new_rows = rows_of(new)
    for key, row in rows_of(old).items():
        other = new_rows.get(key)
        if figure is efficiency_of and not is_judged(row):
            continue
        is_measured = other is not None and row["status"] == "ok" and other["status"] == "ok"
        figures = [figure(row), figure(other)] if is_measured else [None]
        if None in figures:
            yield key, False, ["no interval" if is_measured else why_not(row, other)], None, None
            continue
        (a, ha), (b, hb) = figures
        half = math.hypot(ha, hb)
        yield key, abs(b - a) <= half, flags_of(row, figure) + flags_of(other, figure), b - a, half


def report(name, rows):
    """One line of the whole, one of each row that disagrees."""
    unflagged = [row for row in rows if row[1] and not row[2]]
    runnable = [row for row in rows if row[2] != [CANNOT]]
    halves = [row[4] for row in rows if row[4] is not None]
    differences = [abs(row[3]) for row in rows if row[3] is not None]
    print(f"{name}: {len(unflagged)} of {len(rows)} rows agree unflagged ({100 * len(unflagged) / max(1, len(rows)):.0f} %), "
          f"{sum(row[1] for row in rows)} agree at all, "
          f"{sum(not row[1] and not row[2] for row in rows)} disagree unflagged", end="")
    if len(runnable) < len(rows):
        print(f"; of the {len(runnable)} that can run here {100 * len(unflagged) / max(1, len(runnable)):.0f} % and "
              f"{100 * sum(row[1] for row in runnable) / max(1, len(runnable)):.0f} %", end="")
    if halves:
        print(f"; median half-width {100 * statistics.median(halves):.2f} %, "
              f"median difference {100 * statistics.median(differences):.2f} %", end="")
    print()
    for key, agrees, flags, difference, half in rows:
        if not agrees and difference is not None:
            print(f"    {100 * difference:+6.2f} % against +/- {100 * half:.2f} %  {key[1]} {key[2]}  {' '.join(flags)}")
    reasons = [row[2][0] for row in rows if row[3] is None]
    for reason in sorted(set(reasons)):
        print(f"    {reasons.count(reason)} rows: {reason}")


def above_ceiling(results):
    """Rows whose slowest plausible rate is above the fastest plausible ceiling, and rows called invalid for it."""
    ceilings = {}
    for device in results["devices"]:
        for c in device["ceilings"]:
            name = "/".join(filter(None, [c["resource"], c["pipe"], c["backend"]]))
            ceilings[device["id"], name] = c["ci"][1]
    for row in results["results"]:
        if row["status"] == "invalid":
            yield row["key"]
        if row["status"] != "ok" or row["utilization"] is None:
            continue
        use = row["utilization"]
        slowest = row["time_ns"]["ci"][1]
        compute = row["flops"] / slowest / ceilings[row["device"], use["compute_ceiling"]]
        memory = row["bytes"] / slowest / ceilings[row["device"], use["memory_ceiling"]]
        if max(compute, memory) > 1:
            yield row["key"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/benchmark")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--keep", help="folder for the results files")
    parser.add_argument("--files", nargs="+", help="results of earlier runs, compared in this order")
    parser.add_argument("options", nargs="*")
    given = parser.parse_args()
    runs = [json.loads(Path(path).read_text()) for path in given.files or ()]
    if not given.files:
        folder = Path(given.keep or tempfile.mkdtemp())
        folder.mkdir(parents=True, exist_ok=True)
    for i in range(len(runs) or given.runs):
        if not given.files:
            runs.append(measure(given.program, given.options, folder / f"run{i}.json"))
        above = list(above_ceiling(runs[i]))
        flagged = [row for row in runs[i]["results"] if row["flags"]]
        print(f"run {i}: {len(runs[i]['results'])} rows, {len(flagged)} flagged, above their ceiling: {above or 'none'}", flush=True)
        for row in flagged:
            print("   ", row["backend"], row["key"], row["flags"])
    for i in range(len(runs) - 1):
        report(f"runs {i} and {i + 1}, times", list(compare(runs[i], runs[i + 1], time_of)))
        report(f"runs {i} and {i + 1}, efficiencies", list(compare(runs[i], runs[i + 1], efficiency_of)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
