#!/usr/bin/env python3
"""How good are the kernels of a decoder layer beside its matrix products and attention? Shares of ceilings, by hand.

    tests/perf/layer/compare.py [--program build/release/bin/benchmark] [--runs 5] [--budget 30]

Each run measures latent attention with 16 of DeepSeek's heads over 8192 tokens, TurboS' convolution and scan, and work on
512 rows of 4096, cold, and takes each row's share of the ceilings of that run. The table holds medians over the runs beside
the targets. Exit 1 when one is missed.
"""
import argparse
import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import shares  # noqa: E402 - beside this folder

MODELS = HERE.parent.parent.parent / "bench" / "models"
ROWS = ["rmsnorm", "rope", "swiglu", "residual"]
# (name, model, phase, workloads, lengths, dtypes, share, target)
QUESTIONS = [
    ("latent attention", "sixteen", "decode", ["mla"], ["--context", "8192"], ["f32", "f16"], "roofline_efficiency", 0.6),
    ("scan, prefill", "hunyuan-turbos", "prefill", ["mamba_scan"], ["--tokens", "2048"], ["f32", "f16"], "roofline_efficiency", 0.5),
    ("scan, decode", "hunyuan-turbos", "decode", ["mamba_scan"], ["--context", "8192", "--batch", "1,32"], ["f32", "f16"],
     "roofline_efficiency", 0.5),
    ("convolution, prefill", "hunyuan-turbos", "prefill", ["mamba_conv"], ["--tokens", "2048"], ["f32", "f16"], "roofline_efficiency", 0.5),
    ("512 x 4096", "llama2-7b", "prefill", ROWS, ["--tokens", "512"], ["f32", "f16"], "memory_of_ceiling", 0.8),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/benchmark")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--budget", type=float, default=30, help="seconds for each question of each run")
    given = parser.parse_args()
    program, table = str(Path(given.program).resolve()), shares.Shares()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = json.loads((MODELS / "deepseek-v3.json").read_text())
        model.pop("aliases")
        model.update(id="sixteen", heads=16, kv_heads=16)
        (folder / "sixteen.json").write_text(json.dumps(model))
        for run in range(given.runs):
            for number, (title, model, phase, workloads, lengths, dtypes, key, target) in enumerate(QUESTIONS):
                options = ["--model", "./sixteen.json" if model == "sixteen" else model, "--phase", phase, "--workload", ",".join(workloads),
                           "--dtype", ",".join(dtypes), "--budget", str(given.budget), *lengths]
                for row in shares.rows_of(shares.run(program, options, folder / f"{run}-{number}.json", folder), workloads):
                    case = row["case"]
                    if case["op"] == "final_norm":  # one row
                        continue
                    what = f"{case['workload']}, {title}" if workloads is ROWS else title
                    table.add(run, row, (what, case["dtype"]), key, target)
    return 1 if table.print() else 0


if __name__ == "__main__":
    sys.exit(main())
