#!/usr/bin/env python3
"""How near does attention come to the ceilings? By hand.

    tests/perf/attention/compare.py [--program build/release/bin/benchmark] [--runs 5] [--budget 40]

Each run measures prefill of 2048 tokens (32 heads of 128, causal, f32 and f16) and decode over 8192 tokens (f16, MHA and GQA with 32 query
and 8 KV heads, KV cache in f16 and int8), and takes each row's share of the ceilings in that run: of f32 arithmetic, of memory
read, and for int8 the roofline efficiency. The table holds medians over the runs beside the targets; below it stands how much
faster than f16 an int8 cache is (target: at all). Exit 1 when a target is missed.
"""
import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import shares  # noqa: E402 - beside this folder

KV_HEADS = {"mha": 32, "gqa": 8}
ENTRIES = [{"models": ["./mha.json"], "phases": ["prefill"], "dtypes": ["f32", "f16"], "batches": [1], "tokens": [2048]},
           {"models": ["./mha.json", "./gqa.json"], "phases": ["decode"], "dtypes": ["f16"], "kv": ["f16", "int8"], "batches": [1],
            "contexts": [8192]}]
SUITE = {"name": "attention", "description": "Attention of 32 heads", "budget_s": 40, "ceilings": "judging",
         "entries": [{**entry, "workloads": ["attention"]} for entry in ENTRIES]}


def model(name):
    return {"id": name, "name": name, "layers": 1, "hidden": 4096, "heads": 32, "kv_heads": KV_HEADS[name], "head_dim": 128, "attention": name,
            "ffn": "swiglu", "intermediate": 11008, "vocabulary": 32000, "max_context": 8192, "tied_embeddings": False}


def question_of(case):
    """(name, key of utilization, target)"""
    if case["phase"] == "prefill":
        return "prefill 2048", "compute_of_ceiling", 0.60
    if case["kv"] == "int8":
        return f"decode 8192 {case['model']} int8", "roofline_efficiency", 0.55
    return f"decode 8192 {case['model']}", "memory_of_ceiling", 0.75


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/bin/benchmark")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--budget", type=float, default=40, help="seconds of each run")
    given = parser.parse_args()
    program, found, faster = str(Path(given.program).resolve()), shares.Shares(), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in KV_HEADS:
            (folder / f"{kind}.json").write_text(json.dumps(model(kind)))
        (folder / "suite.json").write_text(json.dumps(SUITE))
        for run in range(given.runs):
            times = {}
            options = ["--suite", "./suite.json", "--budget", str(given.budget)]
            for row in shares.rows_of(shares.run(program, options, folder / f"{run}.json", folder), ("attention",)):
                case = row["case"]
                title, key, target = question_of(case)
                if found.add(run, row, (title, case["dtype"]), key, target) and case["phase"] == "decode":
                    times[case["model"], case["kv"]] = row["time_ns"]["median"]
            for kind in KV_HEADS:
                if (kind, None) in times and (kind, "int8") in times:
                    faster.setdefault(kind, []).append(times[kind, None] / times[kind, "int8"])
    missed = found.print()
    for kind, ratios in faster.items():
        ratio = statistics.median(ratios)
        missed |= ratio <= 1
        print(f"int8 against f16, {kind}: {ratio:.2f} times as fast{' MISSED' if ratio <= 1 else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
