#!/usr/bin/env python3
"""How good are the matrix kernels? Shares of the ceilings measured beside them, and other libraries in turn. By hand.

    tests/perf/matmul/compare.py [--program build/release/bin/benchmark] [--runs 5] [--budget 60] [--peers]

Each run measures Llama 2 7B's products: prefill of 128, 512 and 2048 tokens in f32, of 512 in the narrow formats, decode (GEMV), and
decode of 4, 16 and 64 sequences, and takes each row's share of the ceiling in that run (for skinny products the roofline efficiency).
The table holds medians over the runs beside the targets. With --peers also OpenBLAS, oneDNN and CLBlast in f32, each shape
after our own (Debian: libopenblas-dev libdnnl-dev libclblast-dev; those that are missing are left out). Exit 1 when a target is missed.
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
sys.path.insert(0, str(HERE.parent))
import shares  # noqa: E402 - beside this folder

PEERS = {"openblas": ("HAVE_OPENBLAS", "cblas.h", "-lopenblas", 1.6), "onednn": ("HAVE_DNNL", "oneapi/dnnl/dnnl.h", "-ldnnl", 1.05),
         "clblast": ("HAVE_CLBLAST", "clblast_c.h", "-lclblast", 6)}
NARROW = ["f16", "bf16", "int8af32", "int4af32"]
SKINNY = {"f32": 0.65, "f16": 0.65, "bf16": 0.65, "int8af32": 0.5, "int4af32": 0.4}
# (name, options of run, row -> share, {dtype: target of the geometric mean}, target of each row)
QUESTIONS = [
    ("prefill {tokens}", ["--phase", "prefill", "--workload", "gemm", "--tokens", "128,512,2048", "--dtype", "f32"], "compute_of_ceiling",
     {"f32": 0.87}, 0.75),
    ("prefill {tokens}", ["--phase", "prefill", "--workload", "gemm", "--tokens", "512", "--dtype", ",".join(NARROW)], "compute_of_ceiling",
     {"f16": 0.82, "bf16": 0.82, "int8af32": 0.78, "int4af32": 0.72}, None),
    ("decode", ["--phase", "decode", "--workload", "gemv", "--context", "1024", "--dtype", ",".join(["f32"] + NARROW)], "memory_of_ceiling",
     {"f32": 0.92, "f16": 0.88, "bf16": 0.88, "int8af32": 0.80, "int4af32": 0.55}, None),
    ("decode, batch {batch}", ["--phase", "decode", "--workload", "gemm", "--context", "1024", "--batch", "4,16,64",
                               "--dtype", ",".join(SKINNY)], "roofline_efficiency", SKINNY, None),
]


def build_peers(folder):
    """The program and the names of the libraries in it."""
    compiler, defines, libraries = os.environ.get("CC", "cc"), [], []
    for name, (define, header, library, _) in PEERS.items():
        found = subprocess.run([compiler, "-DCL_TARGET_OPENCL_VERSION=120", "-x", "c", "-", "-o", os.devnull, library], input=f"#include <{header}>\nint main(void) {{ return 0; }}\n",
                               text=True, capture_output=True, check=False)
        if found.returncode == 0:
            defines.append(f"-D{define}")
            libraries.append(library)
        else:
            print(f"{name} is left out: its package is not installed")
    program = folder / "peers"
    subprocess.run([compiler, "-std=gnu17", "-O2", *defines, str(HERE / "peers.c"), "-o", str(program), *libraries, "-lOpenCL", "-lm"],
                   check=True)
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/benchmark")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--budget", type=float, default=60, help="seconds for each question of each run")
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args()
    found, rates, ratios = shares.Shares(), {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peers = build_peers(folder) if given.peers else None
        for run in range(given.runs):
            for number, (title, options, key, wanted, each) in enumerate(QUESTIONS):
                options = ["--model", "llama2-7b", "--budget", str(given.budget), *options]
                for row in shares.rows_of(shares.run(given.program, options, folder / f"{run}-{number}.json"), ("gemm", "gemv")):
                    case = row["case"]
                    group = title.format(**case), case["dtype"]
                    if found.add(run, row, group, key, wanted[case["dtype"]], each) and number == 0:
                        rates.setdefault((case["m"], case["n"], case["k"]), []).append(row["gflops"])
            for shape in rates if peers else ():
                done = subprocess.run([peers, *map(str, shape), "2"], check=True, capture_output=True, text=True)
                for peer, theirs in json.loads(done.stdout).items():
                    ratios.setdefault(peer, {}).setdefault(shape, []).append(rates[shape][-1] / theirs)
    missed = found.print()
    for peer, shapes in ratios.items():
        medians = [statistics.median(values) for values in shapes.values()]
        mean = math.exp(statistics.fmean(map(math.log, medians)))
        wanted = PEERS[peer][3]
        missed |= mean < wanted
        print(f"f32 against {peer:12} geomean {mean:.2f}, least {min(medians):.2f}  {wanted}{' MISSED' if mean < wanted else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
