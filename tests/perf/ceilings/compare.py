#!/usr/bin/env python3
"""Are the ceilings that the program measures through OpenCL what the processor does by intrinsics? By hand.

    tests/perf/ceilings/compare.py [--program build/release/bin/benchmark] [--pairs 5] [--seconds 3]

Builds intrinsics.c beside this file (x86 with AVX2, gcc or cc), then runs the program and the intrinsics in turn, ABBA, and
compares in each pair the sustained rates (medians of blocks) and the best blocks. On a machine that others use, only the
best blocks say something: both sides must find a quiet moment of 20 ms. Targets, for the median of the pairs' ratios:
f32 arithmetic >= 0.97, memory read >= 0.95; exit 1 when the sustained rates miss them and the best blocks do too.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIGURES = {"f32 arithmetic": ("fma_gflops", "fma", "f32_vector", 0.97), "memory read": ("read_gbs", "memory_read", None, 0.95)}
# The rows are so small that nearly all of the time goes to the ceilings.
MODEL = {"id": "tiny", "name": "Tiny", "layers": 1, "hidden": 32, "heads": 2, "kv_heads": 1, "head_dim": 16, "attention": "gqa",
         "ffn": "swiglu", "intermediate": 64, "vocabulary": 128, "max_context": 64, "tied_embeddings": False}
SUITE = {"name": "tiny", "description": "Little but the ceilings that judge rows", "budget_s": 12, "ceilings": "judging",
         "entries": [{"models": ["./tiny.json"], "phases": ["decode"], "dtypes": ["f32"], "batches": [1], "contexts": [32]}]}


def through_opencl(program, folder):
    """{resource: (sustained, best, how, set)} of the CPU."""
    subprocess.run([program, "run", "--suite", "./tiny-suite.json", "--device", "cpu0", "--workload", "gemv", "--quiet",
                    "--output", "out.json"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (device,) = json.loads((folder / "out.json").read_text())["devices"]
    return {(ceiling["resource"], ceiling["pipe"]): (ceiling["value"], ceiling["burst"], ceiling["how"])
            for ceiling in device["ceilings"]}


def by_intrinsics(binary, seconds):
    done = subprocess.run([binary, str(seconds)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/benchmark")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of intrinsics, for each figure")
    options = parser.parse_args()
    program = str(Path(options.program).resolve())
    ratios = {name: ([], []) for name in FIGURES}
    with tempfile.TemporaryDirectory() as name:
        folder, binary = Path(name), Path(name) / "intrinsics"
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-O2", "-pthread", str(HERE / "intrinsics.c"), "-o", str(binary)],
                       check=True)
        (folder / "tiny.json").write_text(json.dumps(MODEL))
        (folder / "tiny-suite.json").write_text(json.dumps(SUITE))
        through_opencl(program, folder)  # compiles the kernels
        for pair in range(options.pairs):
            steps = [lambda: through_opencl(program, folder), lambda: by_intrinsics(binary, options.seconds)]
            found = [step() for step in (steps if pair % 2 == 0 else reversed(steps))]
            ours, theirs = found if pair % 2 == 0 else reversed(found)
            for figure, (key, resource, pipe, _) in FIGURES.items():
                sustained, best, how = ours[resource, pipe]
                ratios[figure][0].append(sustained / theirs[key]["median"])
                ratios[figure][1].append(best / theirs[key]["best"])
                print(f"{pair + 1}  {figure:14}  sustained {sustained:7.1f} / {theirs[key]['median']:7.1f}  "
                      f"best {best:7.1f} / {theirs[key]['best']:7.1f}  [{how}] [{theirs[key]['how']}]", flush=True)
    missed = False
    for figure, (_, _, _, target) in FIGURES.items():
        sustained, best = (statistics.median(values) for values in ratios[figure])
        missed |= max(sustained, best) < target
        print(f"{figure:14}  OpenCL / intrinsics: sustained {sustained:.3f}, best {best:.3f}, target {target}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
