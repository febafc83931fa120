#!/usr/bin/env python3
"""ab.py [--program FILE] [--same N] [--slower N] [--budget S] [--keep DIR]: does `benchmark ab` alarm without a cause, and find one?

Compares the suite `gate` with itself N (10) times, and N (5) times with kernels that do 5 % more inner work: a copy of gemm.cl in
which 4 of 160 columns are multiplied once more and taken back again, real arithmetic in the same registers. Prints what each found;
exits 1 when one of the first alarms, or one of the others does not find a slower matrix product. One to three minutes each."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOOP = "                    for (; j + 4 <= end; j += 4) {\n"
EXTRA = """                    for (uint e = (STEP - (k0 + j0) % STEP) % STEP; j0 + e + 4 <= end; e += STEP) {
                        multiply(sum, a, block, staged, scale, column, j0 + e, 4);
                        take_back(sum, a, block, staged, scale, column, j0 + e, 4);
                    }
"""


def plant(folder, percent=5):
    """A copy of the kernels with 2 x 4 columns more for every 160, or as many as make that share of the work."""
    shutil.copytree(ROOT / "kernels", folder)
    path = folder / "gemm.cl"
    source = path.read_text()
    begin = source.index("/* sum += the `steps` columns")
    end = source.index("kernel WIDE_VECTORS", begin)
    inverse = source[begin:end].replace("multiply(floatv", "take_back(floatv").replace("sum[i][v] +=", "sum[i][v] -=")
    if source.count(LOOP) != 1 or inverse.count("take_back") != 1 or inverse.count("-=") != 1:
        sys.exit("gemm.cl is not what it was: look at it, and mend plant()")
    path.write_text(source[:end] + inverse + source[end:].replace(LOOP, EXTRA.replace("STEP", str(800 // percent)) + LOOP))


def compare(options, folder, new_words):
    """(exit code, the gate)"""
    run = [options.program, "run", "--suite", "gate"]
    words = [options.program, "ab", "--budget", str(options.budget), "--format", "json", "--quiet", "--output", str(folder)]
    done = subprocess.run([*words, "--", *run, "--vs", *run, *new_words], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(done.stderr)
    return done.returncode, json.loads(done.stdout)


def show(name, gate, right):
    counts = ", ".join(f"{count} {verdict}" for verdict, count in gate["counts"].items() if count)
    rounds = max(row["new_runs"] for row in gate["rows"])
    print(f"{'ok   ' if right else 'WRONG'} {name}: {counts}{f' after {rounds} rounds' if rounds > 1 else ''}", flush=True)
    for row in gate["rows"]:
        if row["verdict"] in ("regressed", "improved"):
            print(f"      {row['verdict']} x {row['time_ratio']:.3f} [{row['ci'][0]:.3f}, {row['ci'][1]:.3f}] {row['key']}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(ROOT / "build/release/bin/benchmark"))
    parser.add_argument("--same", type=int, default=10)
    parser.add_argument("--slower", type=int, default=5)
    parser.add_argument("--budget", type=float, default=200)
    parser.add_argument("--keep", type=Path, help="folder for what each comparison leaves; default: a temporary one")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="benchmark-ab-"))
    keep = options.keep or scratch
    wrong = 0
    try:
        plant(scratch / "kernels")
        for i in range(options.same):
            code, gate = compare(options, keep / f"same{i}", [])
            wrong += code != 0
            show("the same", gate, code == 0)
        for i in range(options.slower):
            code, gate = compare(options, keep / f"slower{i}", ["--kernels", str(scratch / "kernels")])
            found = any(row["verdict"] == "regressed" and row["key"].startswith("gemm/") for row in gate["rows"])
            wrong += not found
            show("5 % more work in gemm", gate, found)
    finally:
        shutil.rmtree(scratch)
    print(f"{wrong} of {options.same + options.slower} wrong")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
