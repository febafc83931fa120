#!/usr/bin/env python3
"""compare.py PROGRAM [--dtype f16,f32] [--model NAME,...] [--budget S]: does the sum of the ops tell what a whole pass takes?

Measures in one run the ops of a model and its passes as single sequences of launches (workload `layer`), in which data flows
from op to op and which are verified as that: a prompt, and 32 decode steps over a growing KV cache. Then holds `benchmark estimate`, which sees the ops alone, against the passes. Synchronisation,
of which a queue of passes has none, is taken out of the estimate. Targets: median error <= 5 %, none > 15 %."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

DENSE = {"attention": "gqa", "ffn": "swiglu", "max_context": 4096, "tied_embeddings": False, "kv_heads": 4, "head_dim": 64}
EXPERTS = {"shared_experts": 0, "dense_layers": 0}
# Layers as those of large models are made, of sizes that any machine holds. Weights rotate, so a few layers stand for many.
MODELS = {
    "tinyllama": "tinyllama-1.1b",
    "llama": {**DENSE, "id": "llama-like", "name": "Llama-2-like", "layers": 4, "hidden": 2048, "heads": 16, "kv_heads": 16, "head_dim": 128,
              "attention": "mha", "intermediate": 5504, "vocabulary": 8000},
    "qwen": {**DENSE, "id": "qwen-like", "name": "Qwen-like", "layers": 4, "hidden": 1792, "heads": 28, "intermediate": 9472,
             "vocabulary": 8000, "biases": "qkv"},
    "mixtral": {**DENSE, "id": "mixtral-like", "name": "Mixtral-like", "layers": 4, "hidden": 1024, "heads": 16, "intermediate": 3584,
                "vocabulary": 8000, "moe": {**EXPERTS, "experts": 8, "experts_per_token": 2, "intermediate": 3584}},
    "deepseek": {**DENSE, "id": "deepseek-like", "name": "DeepSeek-like", "layers": 4, "hidden": 1792, "heads": 16, "kv_heads": 16, "head_dim": 192,
                 "attention": "mla", "intermediate": 4608, "vocabulary": 8000,
                 "moe": {"experts": 32, "experts_per_token": 4, "shared_experts": 1, "intermediate": 512, "dense_layers": 1, "groups": 4,
                         "groups_used": 2},
                 "mla": {"q_lora": 384, "kv_lora": 512, "qk_nope_dim": 128, "qk_rope_dim": 64, "v_dim": 128}},
    "turbos": {**DENSE, "id": "turbos-like", "name": "TurboS-like", "layers": 16, "hidden": 1280, "heads": 16, "head_dim": 80,
               "intermediate": 4256, "vocabulary": 8000,
               "moe": {"experts": 8, "experts_per_token": 2, "shared_experts": 1, "intermediate": 1064, "dense_layers": 0},
               "hybrid": {"attention_layers": 1, "mamba_layers": 7, "ffn_layers": 8},
               "mamba": {"version": 2, "state": 128, "heads": 16, "head_dim": 80, "groups": 4, "chunk": 128, "conv": 4}},
}
PROMPT, GENERATED = 128, 33  # tokens: one at the end of the prompt, the others by a decode step each
STEPS = GENERATED - 1


def words(*parts):
    return [str(part) for part in parts]


def run(command, codes=(0,)):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in codes:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def passes(path):
    """Median ns of the whole passes: of the prompt, and of a step where all were run one after the other."""
    found = {}
    for row in json.loads(Path(path).read_text())["results"]:
        case, check = row["case"], row["verification"]
        if case["workload"] != "layer" or (case["phase"] == "decode" and case["tokens"] != STEPS):
            continue
        if row["status"] != "ok" or not row["time_ns"]:
            print(f"  {row['key']}: {row['status']}: {row['reason']}")
            continue
        print(f"  {row['key']}: {check['reference']}, error {check['max_relative_error']:.1e} of {check['tolerance']:.1e} "
              f"({row['kernel']['variant']}) {' '.join(row['flags'])}")
        found[case["phase"]] = row["time_ns"]["median"] / (STEPS if case["phase"] == "decode" else 1)
    return found


def measure(program, name, dtype, budget, folder):
    model = MODELS[name]
    if isinstance(model, dict):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(model))
        model = str(path)
    first, last = PROMPT + 1, PROMPT + STEPS
    contexts = f"{first},{(first + last) // 2},{last}"
    output = folder / f"{name}-{dtype}.json"
    common = words(program, "run", "--model", model, "--dtype", dtype, "--backend", "opencl", "--workload", "layer", "--tokens", PROMPT,
                   "--context", contexts, "--generate", STEPS, "--budget", budget, "--quiet", "--output", output)
    run(common, codes=(0, 1))
    measured = passes(output)
    report = json.loads(run(words(program, "estimate", "--model", model, "--prompt", PROMPT, "--generate", GENERATED, "--dtype", dtype,
                                  "--backend", "opencl", "--format", "json", output), codes=(0, 4)))
    errors = []
    for estimate in report["estimates"]:
        point, sync = estimate["points"][0], (estimate["synchronisation_us"] or 0) / 1000
        for what, key in (("prefill", "ttft_ms"), ("decode", "tpot_ms")):
            truth = measured.get(what)
            if point[key] is None or truth is None:
                missing = " ".join(sorted({item["op"] for item in point["missing"]}))
                print(f"{name:10} {dtype:9} {what:8} -  (missing: {missing or 'the measured pass'})")
                continue
            error = (point[key] - sync) / (truth / 1e6) - 1
            errors.append(abs(error))
            low, high = point[key.replace("_ms", "_ci")]
            print(f"{name:10} {dtype:9} {what:8} estimate {point[key] - sync:9.3f} ms (+/- {50 * (high - low) / point[key]:.1f} %), "
                  f"measured {truth / 1e6:9.3f} ms, error {100 * error:+.1f} %")
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--dtype", default="f32,f16,int8af32,int4af32")
    parser.add_argument("--model", default=",".join(MODELS))
    parser.add_argument("--budget", type=float, default=45)
    arguments = parser.parse_args()
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.model.split(","):
            for dtype in arguments.dtype.split(","):
                errors += measure(arguments.program, name, dtype, arguments.budget, Path(folder))
    if not errors:
        sys.exit("nothing could be compared")
    worst, middle = max(errors), statistics.median(errors)
    print(f"median error {100 * middle:.1f} % (target 5), largest {100 * worst:.1f} % (target 15), of {len(errors)}")
    sys.exit(0 if middle <= 0.05 and worst <= 0.15 else 1)


if __name__ == "__main__":
    main()
