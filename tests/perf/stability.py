#!/usr/bin/env python3
"""Do two runs right after one another agree as well as their intervals say? By hand, on a quiet machine.

    tests/perf/stability.py [--program build/release/bin/benchmark] [--runs 2] [--keep FOLDER] [-- OPTIONS OF run]

Runs `benchmark run --suite quick` several times, compares each run with the next, row by row:
the interval of the difference of the logarithms of two medians, half-width sqrt(h1^2 + h2^2), should hold 0.
Targets: it does in >= 90 % of all rows (flagged, skipped and invalid rows count as misses), its median half-width is
<= 2 %, and no row is above its ceiling.
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


def interval(row):
    low, high = row["time_ns"]["ci"]
    return math.log(row["time_ns"]["median"]), math.log(high / low) / 2


def compare(old, new):
    """(key, agrees, flags, difference, half-width) of each row."""
    new_rows = rows_of(new)
    for key, row in rows_of(old).items():
        other = new_rows.get(key)
        if other is None or row["status"] != "ok" or other["status"] != "ok":
            yield key, False, ["not ok"], None, None
            continue
        (a, ha), (b, hb) = interval(row), interval(other)
        half = math.hypot(ha, hb)
        yield key, abs(b - a) <= half, row["flags"] + other["flags"], b - a, half


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
    parser.add_argument("options", nargs="*")
    given = parser.parse_args()
    folder = Path(given.keep or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    runs = []
    for i in range(given.runs):
        runs.append(measure(given.program, given.options, folder / f"run{i}.json"))
        above = list(above_ceiling(runs[-1]))
        flagged = [row for row in runs[-1]["results"] if row["flags"]]
        print(f"run {i}: {len(runs[-1]['results'])} rows, {len(flagged)} flagged, above their ceiling: {above or 'none'}",
              flush=True)
        for row in flagged:
            print("   ", row["key"], row["flags"])
    for i in range(given.runs - 1):
        rows = list(compare(runs[i], runs[i + 1]))
        unflagged = [row for row in rows if row[1] and not row[2]]
        halves = [row[4] for row in rows if row[4] is not None]
        differences = [abs(row[3]) for row in rows if row[3] is not None]
        print(f"runs {i} and {i + 1}: {len(unflagged)} of {len(rows)} rows agree unflagged "
              f"({100 * len(unflagged) / len(rows):.0f} %), {sum(row[1] for row in rows)} agree at all; median half-width "
              f"{100 * statistics.median(halves):.2f} %, median difference {100 * statistics.median(differences):.2f} %")
        for key, agrees, flags, difference, half in rows:
            if not agrees and difference is not None:
                print(f"    {100 * difference:+6.2f} % against +/- {100 * half:.2f} %  {key[2]}  {' '.join(flags)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
