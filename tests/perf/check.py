#!/usr/bin/env python3
"""check.py [--program FILE] [--same N] [--slower N] [--budget S] [--keep DIR]: does `benchmark check` alarm without a cause, and find one?

Measures matrix products N (8) times with the same kernels, and N (3) times with kernels that do 20 % more inner work (those of ab.py). Each
run of the same is held against the one before it, and, from the sixth on, against all before it; each slower one against one run and against
all. Prints what each found; exits 1 when one of the first alarms, or one of the others finds no slower matrix product in the history."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ab import ROOT, plant, show

SELECT = ["--suite", "quick", "--backend", "opencl", "--phase", "prefill", "--dtype", "f32"]


def measure(options, path, words):
    run = [options.program, "run", *SELECT, "--budget", str(options.budget), "--quiet", "--output", str(path), *words]
    done = subprocess.run(run, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return path


def check(options, baselines, new):
    words = [word for path in baselines for word in ("--baseline", str(path))]
    done = subprocess.run([options.program, "check", "--format", "json", *words, str(new)], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def found(gate, what):
    return [row for row in gate["rows"] if row["verdict"] == "regressed" and row["key"].startswith(what)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(ROOT / "build/release/bin/benchmark"))
    parser.add_argument("--same", type=int, default=8)
    parser.add_argument("--slower", type=int, default=3)
    parser.add_argument("--budget", type=float, default=30)
    parser.add_argument("--keep", type=Path, help="folder for the results; default: a temporary one")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="benchmark-check-") as scratch:
        keep = options.keep or Path(scratch)
        keep.mkdir(exist_ok=True)
        plant(Path(scratch) / "kernels", 20)
        runs = []
        for i in range(options.same):
            new = measure(options, keep / f"same{i}.json", [])
            for name, baselines in (("one run", runs[-1:]), (f"{i} runs", runs if i >= 5 else [])):
                if baselines:
                    gate = check(options, baselines, new)
                    wrong += bool(found(gate, ""))
                    show(f"the same against {name}", gate, not found(gate, ""))
            runs.append(new)
        for i in range(options.slower):
            new = measure(options, keep / f"slower{i}.json", ["--kernels", str(Path(scratch) / "kernels")])
            show("20 % more work in gemm against one run", check(options, runs[-1:], new), True)
            gate = check(options, runs, new)
            wrong += not found(gate, "gemm/")
            show(f"20 % more work in gemm against {len(runs)} runs", gate, found(gate, "gemm/"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
