#!/usr/bin/env python3
"""Is the CPU measured as well as its own users run it? By hand.

    tests/perf/cpu/compare.py [--program build/release/bin/benchmark] [--pairs 3] [--seconds 2]

Needs the backend onednn. Builds loop.c, oneDNN's own loop, beside ceilings/intrinsics.c, and runs the program and each of
them in turn. Prints what it found beside each target; exit 1 when one is missed:

- overhead: a row's time over that of oneDNN's own loop of the same shape and threads, geometric mean <= 1.02;
- native f32 ceiling >= 0.98 of hand-written intrinsics;
- decode through onednn >= 0.6 of the read ceiling, f32 and bf16;
- with AMX: prefill in bf16 >= 2.5 x and int8 >= 5 x the best f32 row of the same shape; the tile ceilings >= 935 GFLOP/s
  (bf16) and 1900 GOP/s (int8) a core, the lower of the two levels that a Sapphire Rapids showed.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUITE = {"name": "cpu", "description": "Rows of one model through oneDNN", "budget_s": 40, "ceilings": "judging",
         "entries": [{"models": ["llama2-7b"], "phases": ["prefill", "decode"], "dtypes": ["f32", "bf16", "int8"], "batches": [1],
                      "tokens": [128], "contexts": [1024]}]}
SHAPES = [(1, 4096, 4096), (1, 12288, 4096), (128, 4096, 4096), (128, 12288, 4096)]
LOOP_TYPES = ("f32", "bf16")  # int8 rows quantise as well, which the loop does not


def measured(program, folder, budget):
    environment = {**os.environ, "BENCHMARK_BACKENDS": "native,onednn"}
    subprocess.run([program, "run", "--suite", "./cpu-suite.json", "--budget", str(budget), "--quiet", "--output", "out.json"],
                   cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "out.json").read_text())


def rows_of(document):
    """{(m, n, k, dtype): ns of a launch}"""
    rows = {}
    for row in document["results"]:
        case = row["case"]
        if row["backend"] == "onednn" and row["status"] == "ok" and case["workload"] in ("gemm", "gemv"):
            rows[case["m"], case["n"], case["k"], case["dtype"]] = row["time_ns"]["median"]
    return rows


def by_loop(binary, seconds, mib, shape, dtype, threads):
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "true"}
    done = subprocess.run([binary, str(seconds), str(mib), *map(str, shape), dtype], env=environment, check=True,
                          stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def geometric(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


class Targets:
    def __init__(self):
        self.missed = False

    def expect(self, what, value, sign, target):
        met = value <= target if sign == "<=" else value >= target
        self.missed |= not met
        print(f"{what:58} {value:8.3f}   target {sign} {target}   {'met' if met else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/benchmark")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of each of the loops")
    parser.add_argument("--budget", type=float, default=40, help="of each run of the program")
    options = parser.parse_args()
    program = str(Path(options.program).resolve())
    compiler = os.environ.get("CC", "cc")
    overhead, f32, read, speed, decode, tiles = {}, [], [], {}, {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cpu-suite.json").write_text(json.dumps(SUITE))
        loop, intrinsics = folder / "loop", folder / "intrinsics"
        subprocess.run([compiler, "-std=gnu17", "-O2", "-fopenmp", str(HERE / "loop.c"), "-o", str(loop), "-ldnnl"], check=True)
        subprocess.run([compiler, "-std=gnu17", "-O2", "-pthread", str(HERE.parent / "ceilings/intrinsics.c"), "-o",
                        str(intrinsics)], check=True)
        for pair in range(options.pairs):
            document = measured(program, folder, options.budget)
            (device,) = document["devices"]
            ceilings = {(c["resource"], c["pipe"]): c for c in device["ceilings"] if c["part"] is None}
            threads = ceilings["fma", "f32_vector"]["threads"]
            cold = max(8 * (device["llc_bytes"] or 0), 64 << 20) >> 20
            rows = rows_of(document)
            for shape in SHAPES:
                for dtype in LOOP_TYPES:
                    if (*shape, dtype) in rows:
                        own = by_loop(str(loop), options.seconds, cold, shape, dtype, threads)
                        overhead.setdefault((shape, dtype), []).append(rows[*shape, dtype] / own)
            done = subprocess.run([intrinsics, str(options.seconds)], check=True, stdout=subprocess.PIPE, text=True)
            yardstick = json.loads(done.stdout)
            f32.append((ceilings["fma", "f32_vector"]["value"] / yardstick["fma_gflops"]["median"],
                        ceilings["fma", "f32_vector"]["burst"] / yardstick["fma_gflops"]["best"]))
            read.append(ceilings["memory_read", None]["value"])
            for (m, n, k, dtype), ns in rows.items():
                if m > 1 and (m, n, k, "f32") in rows:
                    speed.setdefault(dtype, []).append(rows[m, n, k, "f32"] / ns)
            for row in document["results"]:
                if row["backend"] == "onednn" and row["status"] == "ok" and row["case"]["phase"] == "decode":
                    decode.setdefault(row["case"]["dtype"], []).append(row["utilization"]["memory_of_ceiling"])
            for pipe in ("bf16_matrix", "i8_matrix"):
                if ("fma", pipe) in ceilings:
                    tiles.setdefault(pipe, []).append(ceilings["fma", pipe]["burst"] / threads)
    for (shape, dtype), ratios in overhead.items():
        print(f"{'m%d n%d k%d' % shape:24} {dtype:5} row / oneDNN's own loop {statistics.median(ratios):.3f}")
    targets = Targets()
    targets.expect("overhead over oneDNN's own loop, geometric mean", geometric(statistics.median(r) for r in overhead.values()),
                   "<=", 1.02)
    sustained, best = (statistics.median(values) for values in zip(*f32))
    print(f"native f32 / intrinsics: sustained {sustained:.3f}, best {best:.3f}; memory_read {statistics.median(read):.1f} GB/s")
    targets.expect("native f32 ceiling / intrinsics", max(sustained, best), ">=", 0.98)
    for dtype in ("f32", "bf16"):
        if dtype in decode:
            targets.expect(f"decode {dtype} / read ceiling", geometric(decode[dtype]), ">=", 0.6)
    for dtype, target in (("bf16", 2.5), ("int8", 5)):
        if dtype in speed:
            value = geometric(speed[dtype])
            if tiles:
                targets.expect(f"prefill {dtype} / f32", value, ">=", target)
            else:
                print(f"prefill {dtype} / f32: {value:.2f} (the target of {target} is for AMX, which is not here)")
    for pipe, target in (("bf16_matrix", 935), ("i8_matrix", 1900)):
        if pipe in tiles:
            targets.expect(f"{pipe} of a core", statistics.median(tiles[pipe]), ">=", target)
    return 1 if targets.missed else 0


if __name__ == "__main__":
    sys.exit(main())
