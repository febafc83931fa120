#!/usr/bin/env python3
"""scale.py [--program FILE] [--files N] [--rows N]: many results files through `benchmark check` and `benchmark compare`.

Makes N files (1000) of as many rows (200) with 12 rounds each, as large as `benchmark run` writes them, and prints time, memory and
time per file for a quarter, half and all of them: it should not grow. Exits 1 above 20 s or 300 MB."""

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))
import made  # noqa: E402

SECONDS, MEGABYTES, ROUNDS = 20, 300, 12


def write_files(folder, files, rows):
    """All of one machine: its files differ in time, and their figures scatter by 1 %."""
    machine, cases = made.Machine(), made.many(rows)
    base = {case["key"]: made.ideal_ns(machine, case) / machine.efficiency for case in cases}
    document = made.results([machine], cases=cases, rounds={key: [ns * (1 + 0.002 * i) for i in range(ROUNDS)] for key, ns in base.items()})
    for index in range(files):
        factor = 1 + 0.01 * math.cos(7 * index)
        for row in document["results"]:
            ns = base[row["key"]] * factor
            row["time_ns"] = made.time_json(ns, 0.005)
            row["gflops"], row["gbytes_per_s"] = row["flops"] / ns, row["bytes"] / ns
        document["id"] = f"00000000-0000-4000-8000-{index:012x}"
        document["created"] = f"20{20 + index // 360:02}-{1 + index // 30 % 12:02}-{1 + index % 28:02}T00:00:00Z"
        (folder / f"{index:05}.json").write_text(json.dumps(document, indent=1))
    return (folder / "00000.json").stat().st_size


def run(words):
    """(seconds, MB, exit code) of a command."""
    code = ("import os, resource, subprocess, sys, time\nbegan = time.monotonic()\n"
            "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
            "print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, done.returncode)")
    out = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True).stdout
    seconds, megabytes, exit_code = out.split()
    return float(seconds), float(megabytes), int(exit_code)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(ROOT / "build/release/bin/benchmark"))
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=200)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="benchmark-scale-"))
    failed = False
    try:
        (folder / "history").mkdir()
        size = write_files(folder / "history", options.files, options.rows)
        print(f"{options.files} files of {options.rows} rows and {size / 1e6:.2f} MB")
        names = sorted((folder / "history").iterdir())
        for part in (4, 2, 1):
            files = [str(path) for path in names[: options.files // part]]
            history = folder / f"part{part}"
            history.mkdir()
            for path in files[:-1]:
                (history / Path(path).name).hardlink_to(path)
            for command, words in (("check", ["--baseline", str(history), files[-1]]), ("compare", files)):
                seconds, megabytes, code = run([options.program, command, *words])
                print(f"{command:8} {len(files):5} files {seconds:6.2f} s {megabytes:6.0f} MB {1000 * seconds / len(files):6.2f} ms a file, "
                      f"exit {code}")
                failed |= seconds > SECONDS or megabytes > MEGABYTES or code not in (0, 1)
    finally:
        shutil.rmtree(folder)
    return failed


if __name__ == "__main__":
    sys.exit(main())
