"""benchmark estimate, on results made by hand: figures against sums done here, what is missing, bad input."""

import copy
import csv
import io
import json
import math
import os
import re
import shlex
import zlib
from pathlib import Path

from jsonschema import Draft202012Validator

import made
from harness import MODEL, SUITE, ProgramTest, main
from test_formats import EVIL, Tables, parse

SCHEMA = json.loads((Path(os.environ["BM_SOURCE_DIR"]) / "results" / "estimate.schema.json").read_text())
# executions of each op in a pass of the tiny model, which has two layers
COUNTS = {"embedding": 1, "norm": 4, "qkv": 2, "rope": 2, "kv_write": 2, "attn": 2, "attn_out": 2, "ffn_gate_up": 2, "act": 2,
          "ffn_down": 2, "residual": 4, "final_norm": 1, "lm_head": 1, "softmax": 1}
LOGITS = ("final_norm", "lm_head", "softmax")
LAUNCH_US, WAIT_US = 1.0, 31.0
ASKED = ("--model", "./tiny.json", "--prompt", "32", "--chunk", "16", "--generate", "16")


def work(key):
    """What a row measures, whatever op of whatever model it is."""
    parts = key.split("/")
    return "/".join(parts[:1] + parts[4:])


def invented_ns(key):
    return 5000.0 + zlib.crc32(work(key).encode()) % 20000


class EstimateTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        entry = {name: value for name, value in SUITE["entries"][0].items() if name != "workloads"}
        cls.write("whole.json", {**SUITE, "entries": [{**entry, "dtypes": ["f16"]}]})

    def plan(self, *words):
        """Cases of `benchmark run` with these selectors, as made.py takes them."""
        plan = self.benchmark("run", "--dry-run", "--suite", "./whole.json", "--format", "json", *words).out
        cases = []
        for case in json.loads(plan)["cases"]:
            workload, model, phase, op, dtype, shape = case["key"].split("/")[:6]
            if model == "-":
                continue
            context = re.search(r"c(\d+)$", shape)
            cases.append({"key": case["key"], "workload": workload, "model": model, "phase": phase, "op": op, "dtype": dtype,
                          "batch": 1, "tokens": 1, "context": int(context[1]) if context and workload == "attention" else 0,
                          "m": 0, "n": 0, "k": 0, "flops": case["flops"] or 1.0, "bytes": case["bytes"], "count": 1})
        return cases

    def prefill(self, *words):
        return self.plan("--phase", "prefill", "--tokens", "16", "--past", "16", *words)

    def decode(self, *words, contexts="33,40,47"):
        return self.plan("--phase", "decode", "--context", contexts, *words)

    def results(self, name, cases, latencies=True, machine=None, times=invented_ns, launches=1, **options):
        machine = machine or made.Machine(sheet=made.Sheet("test-cpu", "2024-01", 1000.0, 100.0, 65.0))
        cases = list({case["key"]: case for case in cases}.values())
        document = made.results([machine], cases, {case["key"]: times(case["key"]) for case in cases}, **options)
        for row in document["results"]:
            row["kernel"]["launches"] = launches
        if latencies:
            for resource, value in ("launch_latency", LAUNCH_US), ("wait_latency", WAIT_US):
                document["devices"][0]["ceilings"].append(made.ceiling_json(machine, resource, None, value, "us"))
        return self.write(name, document)

    def estimate(self, *words, code=0, asked=ASKED):
        """The report as JSON, which must fit its schema."""
        report = json.loads(self.benchmark("estimate", *asked, *words, "--format", "json", code=code).out)
        self.assertEqual([error.message for error in Draft202012Validator(SCHEMA).iter_errors(report)], [])
        return report

    def the_point(self, *words, **options):
        estimate, = self.estimate(*words, **options)["estimates"]
        return estimate["points"][0]


class Figures(EstimateTest):
    def expected(self, prefill, decode):
        """TTFT and TPOT in ns: sums of the definitions, with nothing of the program."""
        by_op = lambda cases: {(case["op"], case["context"]): invented_ns(case["key"]) for case in cases}
        rows, steps = by_op(prefill), by_op(decode)
        ttft = sum(COUNTS[op] * rows[op, past if op == "attn" else 0]
                   for past in (0, 16) for op in COUNTS if op not in LOGITS or past == 16)
        mean = sum(COUNTS[op] * steps[op, 0] for op in COUNTS if op != "attn")
        at = {context: steps["attn", context] for context in (33, 40, 47)}
        for context in range(33, 48):
            low = 33 if context <= 40 else 40
            mean += 2 / 15 * (at[low] + (at[low + 7] - at[low]) * (context - low) / 7)
        return ttft, mean

    def test_ttft_and_tpot_are_sums_of_the_ops(self):
        prefill, decode = self.prefill(), self.decode()
        point = self.the_point(self.results("all.json", prefill + decode))
        ttft, mean = self.expected(prefill, decode)
        wait = (WAIT_US - LAUNCH_US) * 1000
        self.assertAlmostEqual(point["ttft_ms"], (ttft + wait) / 1e6, places=9)
        self.assertAlmostEqual(point["tpot_ms"], (mean + wait) / 1e6, places=9)
        self.assertAlmostEqual(point["ttft_launch_free_ms"], ttft / 1e6, places=9)
        self.assertAlmostEqual(point["tpot_launch_free_ms"], mean / 1e6, places=9)
        self.assertAlmostEqual(point["prefill_tokens_per_s"], 32 / (ttft + wait) * 1e9, places=4)
        self.assertAlmostEqual(point["decode_tokens_per_s"], 1e9 / (mean + wait), places=4)
        self.assertEqual([op["op"] for op in point["ops"]], list(COUNTS))
        self.assertAlmostEqual(sum(op["prefill_ms"] for op in point["ops"]), ttft / 1e6, places=9)
        self.assertAlmostEqual(sum(op["decode_ms"] for op in point["ops"]), mean / 1e6, places=9)
        self.assertFalse(point["tpot_bound_by_launches"])
        self.assertEqual((point["missing"], point["fits"], point["devices_needed"]), ([], True, 1))
        for key in "ttft", "tpot":
            low, high = point[key + "_ci"]
            self.assertTrue(low < point[key + "_ms"] < high)
            self.assertLess(high / low, 1.01, "errors of many rows partly cancel")

    def test_of_one_round_no_interval_is_known(self):
        """... that of a sum which holds it neither; what else is in the files changes nothing."""
        whole = json.loads((self.folder / self.results("all.json", self.prefill() + self.decode())).read_text())
        expected = self.the_point("./all.json")
        once = copy.deepcopy(whole)
        for row in once["results"]:
            if "/decode/qkv/" in row["key"]:
                row["time_ns"] |= {"ci": [row["time_ns"]["median"]] * 2, "confidence": 0}
        point = self.the_point(self.write("once.json", once))
        self.assertEqual((point["ttft_ci"], point["tpot_ci"]), (expected["ttft_ci"], None))
        self.assertEqual(point["tpot_ms"], expected["tpot_ms"])
        other = copy.deepcopy(whole["results"][0])
        other["key"] = other["key"].replace("/tiny/", "/other/").replace("/f16/", "/f32/")
        other["case"] |= {"model": "other", "dtype": "f32"}
        other["time_ns"] |= {"ci": [other["time_ns"]["median"]] * 2, "confidence": 0}
        self.assertEqual(self.the_point(self.write("besides.json", {**whole, "results": [*whole["results"], other]}), "--dtype", "f16"),
                         expected)

    def test_utilization_is_of_the_datasheet(self):
        """Of a decode step: FLOPs and bytes of its ops, by the plan, at the middle of the contexts."""
        decode = self.decode()
        point = self.the_point(self.results("all.json", self.prefill() + decode))
        for key, peak, share in (("flops", 1000.0, "decode_mfu"), ("bytes", 100.0, "decode_mbu")):
            amount = sum(COUNTS[case["op"]] * case[key] for case in decode
                         if case["context"] in (0, 40) and not (case[key] == 1.0 and key == "flops"))
            self.assertAlmostEqual(point[share] / (amount / (point["tpot_ms"] * 1e6) / peak), 1, places=6)

    def test_a_machine_of_two_packages(self):
        """A datasheet tells of one; an entry under a cap is both of them too."""
        whole = json.loads((self.folder / self.results("all.json", self.prefill() + self.decode())).read_text())
        single = self.the_point("./all.json")
        whole["host"]["topology"]["packages"] = 2
        self.assertAlmostEqual(self.the_point(self.write("double.json", whole))["decode_mbu"], single["decode_mbu"] / 2)
        capped = json.loads(json.dumps(whole).replace('"cpu0"', '"cpu0@avx2"'))
        for device in capped["devices"]:
            device["hardware"], device["isa"] = "cpu0", "avx2"
        capped["devices"].append({**whole["devices"][0], "id": "cpu0@avx512", "isa": "avx512", "summary": [], "ceilings": []})
        point = self.the_point(self.write("capped.json", capped))
        self.assertAlmostEqual(point["decode_mbu"], single["decode_mbu"] / 2)
        other = {**capped["devices"][1], "id": "cpu1", "hardware": "cpu1", "isa": None}
        capped["devices"][1] = other
        self.assertAlmostEqual(self.the_point(self.write("mixed.json", capped))["decode_mbu"], single["decode_mbu"])

    def test_more_launches_than_the_host_issues(self):
        point = self.the_point(self.results("many.json", self.prefill() + self.decode(), launches=1000))
        self.assertTrue(point["tpot_bound_by_launches"] and point["ttft_bound_by_launches"])
        launches = sum(COUNTS.values()) * 1000
        self.assertAlmostEqual(point["tpot_ms"], (launches * LAUNCH_US + WAIT_US - LAUNCH_US) / 1000, places=9)

    def test_equal_work_of_another_model_serves(self):
        """Rows are matched by what they measure."""
        whole = self.the_point(self.results("all.json", self.prefill() + self.decode()))
        self.write("twin.json", {**MODEL, "id": "twin"})
        twin = self.the_point("./all.json", asked=("--model", "./twin.json", *ASKED[2:]))
        self.assertEqual(twin, whole)

    def test_files_of_one_device_complete_one_another(self):
        prefill, decode = self.prefill(), self.decode()
        whole = self.the_point(self.results("all.json", prefill + decode))
        first = self.results("p.json", prefill, created="2026-03-01T10:00:00Z")
        second = self.results("d.json", decode, created="2026-03-02T10:00:00Z")
        self.assertEqual(self.the_point(first, second), whole)
        # the newest counts, wherever it stands
        slower = self.results("slow.json", decode, created="2026-03-03T10:00:00Z", times=lambda key: 3 * invented_ns(key))
        for files in (first, second, slower), (slower, second, first):
            self.assertGreater(self.the_point(*files)["tpot_ms"], 2 * whole["tpot_ms"])
        # latencies too
        late = self.results("late.json", decode, created="2026-03-03T10:00:00Z")
        document = json.loads((self.folder / late).read_text())
        for ceiling in document["devices"][0]["ceilings"]:
            if ceiling["resource"] == "wait_latency":
                ceiling["value"], ceiling["ci"] = 1031.0, [1030.0, 1032.0]
        late = self.write("late.json", document)
        for files in (first, late), (late, first):
            self.assertAlmostEqual(self.the_point(*files)["tpot_ms"], whole["tpot_ms"] + 1, places=6)
        # another machine is another estimate
        other = self.results("other.json", prefill + decode, machine=made.Machine("Other CPU"))
        self.assertEqual([item["name"] for item in self.estimate("./all.json", other)["estimates"]], ["Test CPU", "Other CPU"])
        self.assertEqual(len(self.estimate("./all.json", other, "--device", "other")["estimates"]), 1)

    def test_a_library_of_matrix_products_beside_the_rest(self):
        """A backend without attention is completed by another one; of what it runs itself nothing is."""
        whole = json.loads((self.folder / self.results("all.json", self.prefill() + self.decode())).read_text())
        for row in list(whole["results"]):
            if row["case"]["workload"].startswith("gem"):
                twin = copy.deepcopy(row)
                twin.update(backend="onednn", time_ns=made.time_json(row["time_ns"]["median"] / 2, 0.005))
                whole["results"].append(twin)
        estimates = {item["backend"]: item["points"][0] for item in self.estimate(self.write("both.json", whole))["estimates"]}
        self.assertEqual(list(estimates), ["onednn + opencl/pocl", "opencl/pocl"])
        both, alone = estimates.values()
        half = sum(op["decode_ms"] / 2 for op in alone["ops"] if op["op"] in ("qkv", "attn_out", "ffn_gate_up", "ffn_down", "lm_head"))
        self.assertAlmostEqual(alone["tpot_ms"] - both["tpot_ms"], half, places=9)
        self.assertEqual(len(self.estimate("./both.json", "--backend", "onednn")["estimates"]), 1)
        key = next(row["key"] for row in whole["results"] if "/decode/qkv/" in row["key"])
        whole["results"] = [row for row in whole["results"] if row["key"] != key or row["backend"] != "onednn"]
        estimate, = self.estimate(self.write("less.json", whole), "--backend", "onednn", code=4)["estimates"]
        self.assertEqual([item["op"] for item in estimate["points"][0]["missing"]], ["qkv"])

    def test_steps_before_and_beyond_a_window(self):
        """Half of the layers see at most 40 tokens: their steps grow up to there."""
        self.write("windowed.json", {**MODEL, "id": "windowed", "sliding_window": 40})
        asked = ("--model", "./windowed.json")

        def times(key):
            context = re.search(r"/b1h2kv1d16(?:t16)?c(\d+)", key)
            return 100.0 * int(context[1]) if context else 1000.0

        def plan(*words):
            return [case | {"context": int((re.search(r"d16(?:t16)?c(\d+)", case["key"]) or [0, 0])[1])} for case in self.plan(*asked, *words)]
        cases = plan("--phase", "prefill", "--tokens", "16", "--past", "16") + plan("--phase", "decode", "--context", "33,36,40,47")
        point = self.the_point(self.results("windowed-all.json", cases, times=times), asked=asked + ASKED[2:])
        self.assertEqual(point["missing"], [])
        steps = {op["op"]: op["decode_ms"] * 1e6 for op in point["ops"]}
        contexts = range(33, 48)
        self.assertAlmostEqual(steps["attn_window"], 7 / 15 * 4000, places=3, msg="up to there they are as the others")
        self.assertAlmostEqual(steps["attn"] + steps["attn_window"], sum(100 * (c + min(c, 40)) for c in contexts) / 15, places=3)

    def test_an_int8_cache(self):
        path = self.results("int8.json", self.prefill() + self.decode("--kv", "int8"))
        eight = self.the_point(path, "--kv", "int8")
        self.assertEqual(eight["missing"], [])
        self.assertEqual(eight["cache_bytes"], 47 * 2 * (2 * 16 + 2 * 4))
        self.assertEqual([item["op"] for item in self.the_point(path, code=4)["missing"]], ["kv_write", "attn"])
        estimate, = self.estimate("./all.json", "--kv", "int8", code=4)["estimates"]
        self.assertIn("--phase decode --kv int8 --batch 1", estimate["commands"][0])
        self.refused("estimate", *ASKED, path, "--kv", "f32", says="--kv: 'f32'")

    def test_a_curve_over_batches(self):
        cases = self.prefill("--batch", "1,4") + self.decode("--batch", "1,4")
        slow = lambda key: 1e6 * (4 if "b4" in key or "m4" in key or "m64" in key else 1)
        path = self.results("curve.json", cases, times=slow)
        estimate, = self.estimate(path, "--batch", "4,1,4", "--tpot", "60")["estimates"]
        self.assertEqual([point["batch"] for point in estimate["points"]], [1, 4])
        self.assertLess(estimate["points"][0]["tpot_ms"], 60)
        self.assertGreater(estimate["points"][1]["tpot_ms"], 60)
        self.assertEqual(estimate["best_batch"], 1)
        estimate, = self.estimate(path, "--batch", "1,4", "--tpot", "1")["estimates"]
        self.assertIsNone(estimate["best_batch"])
        self.assertIsNone(estimate["compute_bound_from_batch"])
        # made.py calls what needs more of the arithmetic compute-bound
        fast = made.Machine(compute=1e-3)
        estimate, = self.estimate(self.results("bound.json", cases, machine=fast), "--batch", "1,4")["estimates"]
        self.assertEqual(estimate["compute_bound_from_batch"], 1)

    def test_devices_that_share_a_model(self):
        cases = self.prefill("--count", "2") + self.decode("--count", "2")
        path = self.results("half.json", cases)
        alone = self.the_point(path, "--count", "2")
        self.assertIsNone(alone["ttft_ms"], "without links only the fit is known")
        self.assertEqual((alone["missing"], alone["fits"]), ([], True))
        linked = self.the_point(path, "--count", "2", "--link", "0.001,7")
        # two rings a layer, two layers: a row of 32 values of 2 bytes at 1 MB/s, and two steps of 7 us
        ring = 2 / 2 * 32 * 2 / 0.001 + 2 * 7000
        without = linked["tpot_launch_free_ms"] * 1e6 + (WAIT_US - LAUNCH_US) * 1000
        self.assertAlmostEqual(linked["tpot_ms"] * 1e6, without + 4 * ring, places=3)
        # of a batch every sequence's row goes round
        path = self.results("four.json", self.prefill("--count", "2", "--batch", "4") + self.decode("--count", "2", "--batch", "4"))
        linked = self.the_point(path, "--count", "2", "--batch", "4", "--link", "0.001,7")
        ring = 2 / 2 * 4 * 32 * 2 / 0.001 + 2 * 7000
        without = linked["tpot_launch_free_ms"] * 1e6 + (WAIT_US - LAUNCH_US) * 1000
        self.assertAlmostEqual(linked["tpot_ms"] * 1e6, without + 4 * ring, places=3)
        self.refused("estimate", *ASKED, path, "--count", "3", says="tiny: heads, 2, do not divide among --count 3")


class Missing(EstimateTest):
    def test_rows_are_named_with_what_measures_them(self):
        path = self.results("p.json", self.prefill())
        estimate, = self.estimate(path, code=4)["estimates"]
        point, = estimate["points"]
        self.assertIsNotNone(point["ttft_ms"])
        self.assertIsNone(point["tpot_ms"])
        self.assertIn("attention/tiny/decode/attn/f16/b1h2kv1d16c33/kvf16", [item["key"] for item in point["missing"]])
        command, = estimate["commands"]
        self.assertEqual(command, "benchmark run --model ./tiny.json --device cpu0 --backend opencl/pocl --dtype f16 "
                                  "--phase decode --batch 1 --context 33,40,47")
        # what the command plans is all that was missing
        words = command.split()[2:]
        words = words[:2] + words[4:] # any device
        found = {work(case["key"]) for case in self.plan(*words)}
        self.assertLessEqual({work(item["key"]) for item in point["missing"]}, found)
        self.assertEqual(self.the_point(path, self.results("rest.json", self.plan(*words)))["missing"], [])

    def test_attention_with_sinks_is_other_work(self):
        """All else of another model of these shapes serves."""
        self.write("sinks.json", {**MODEL, "id": "sinks", "attention_sinks": True})
        asked = ("--model", "./sinks.json", *ASKED[2:])
        plain = self.results("plain.json", self.prefill() + self.decode())
        point = self.the_point(plain, asked=asked, code=4)
        self.assertEqual({item["op"] for item in point["missing"]}, {"attn"})
        self.assertTrue(all(item["key"].endswith("/sinks") for item in point["missing"]), point["missing"])
        of_sinks = ("--model", "./sinks.json", "--workload", "attention")
        more = self.results("more.json", self.prefill(*of_sinks) + self.decode(*of_sinks))
        self.assertEqual(self.the_point(plain, more, asked=asked)["missing"], [])

    def test_times_are_of_what_was_measured_whole(self):
        """An op of which a chunk is missing has no time, and a share of what is not known is none."""
        prefill = [case for case in self.prefill() if case["op"] != "attn" or "t16c16" in case["key"]]
        self.assertEqual(sum(case["op"] == "attn" for case in prefill), 1)
        path = self.results("part.json", prefill + self.decode(), latencies=False)
        point = self.the_point(path, code=4)
        self.assertEqual([op["op"] for op in point["ops"]], list(COUNTS), "in the order of execution, whatever is missing")
        times = {op["op"]: op for op in point["ops"]}
        self.assertIsNone(times["attn"]["prefill_ms"])
        self.assertGreater(times["attn"]["decode_ms"], 0)
        self.assertGreater(times["qkv"]["prefill_ms"], 0)
        out = self.benchmark("estimate", *ASKED, path, code=4).out
        self.assertRegex(out, r"(?m)^qkv +[\d.]+ us +- +[\d.]+ us +[\d.]+ %$")
        self.assertRegex(out, r"(?m)^attn +- +- +[\d.]+ us +[\d.]+ %$")

    def test_batches_that_miss_the_same_are_told_at_once(self):
        path = self.results("some.json", self.prefill("--batch", "1,2") + self.decode("--batch", "1"))
        out = self.benchmark("estimate", *ASKED, "--batch", "1,2,4,8", path, code=4).out
        told = re.findall(r"(?m)^(\w+, batch [\d, ]+):", out) # at batch 2 the logits of the prompts serve for a step's
        self.assertEqual(told, ["decode, batch 2", "prefill, batch 4, 8", "decode, batch 4, 8"])

    def test_without_any_time_there_is_no_table(self):
        path = self.results("p.json", self.prefill())
        out = self.benchmark("estimate", "--model", "deepseek-v3", path, code=4).out
        self.assertNotIn("TTFT  ", out)
        self.assertNotIn("by op", out)

    def test_a_prompt_that_fits_a_chunk_is_measured_at_once(self):
        path = self.results("d.json", self.decode())
        estimate, = self.estimate(path, asked=("--model", "./tiny.json", "--prompt", "8", "--chunk", "16", "--generate", "1"),
                                  code=4)["estimates"]
        command, = estimate["commands"]
        self.assertIn("--phase prefill --batch 1 --tokens 8", command)
        self.assertNotIn("--past", command)

    def test_commands_are_words_of_a_shell(self):
        (self.folder / "it's a model").mkdir()
        name = self.write("it's a model/tiny.json", MODEL)
        path = self.results("p.json", self.prefill())
        estimate, = self.estimate(path, asked=("--model", name, *ASKED[2:]), code=4)["estimates"]
        words = shlex.split(estimate["commands"][0])
        self.assertEqual(words[:4], ["benchmark", "run", "--model", name])

    def test_contexts_are_never_extrapolated(self):
        prefill = self.prefill()
        for contexts, why in (("33,40", "measured at contexts of 33 to 40, needed from 33 to 47"),
                              ("34,40,47", "measured at contexts of 34 to 47, needed from 33 to 47"),
                              ("33,47", "measured at 2 of at least 3 contexts"), ("40", "measured at context 40 alone, needed from 33 to 47"),
                              ("33,34,46", "33 to 46, needed")):
            point = self.the_point(self.results("some.json", prefill + self.decode(contexts=contexts)), code=4)
            missing, = point["missing"]
            self.assertEqual(missing["op"], "attn")
            self.assertIn(why, missing["why"])
            self.assertIsNone(point["tpot_ms"])
        self.the_point(self.results("some.json", prefill + self.decode(contexts="1,33,40,64")))

    def test_a_chunk_beyond_what_was_measured(self):
        path = self.results("p.json", self.plan("--phase", "prefill", "--tokens", "16") + self.decode())
        estimate, = self.estimate(path, code=4)["estimates"]
        self.assertEqual([item["op"] for item in estimate["points"][0]["missing"]], ["attn"])
        self.assertIn("--phase prefill --batch 1 --tokens 16 --past 16", estimate["commands"][0])

    def test_latencies_are_named(self):
        path = self.results("bare.json", self.prefill() + self.decode(), latencies=False)
        estimate, = self.estimate(path, code=4)["estimates"]
        point, = estimate["points"]
        self.assertEqual([(item["phase"], item["op"]) for item in point["missing"]], [(None, "launch_latency"), (None, "wait_latency")])
        self.assertIsNone(point["tpot_ms"])
        self.assertGreater(point["tpot_launch_free_ms"], 0)
        self.assertEqual(len(estimate["commands"]), 1)

    def test_what_was_not_verified_does_not_count(self):
        whole = json.loads((self.folder / self.results("all.json", self.prefill() + self.decode())).read_text())
        key = next(row["key"] for row in whole["results"] if "/decode/qkv/" in row["key"])
        for status in "failed", "skipped", "invalid":
            path = self.write("spoiled.json", made.unmeasured(whole, key, status, "planted"))
            missing, = self.the_point(path, code=4)["missing"]
            self.assertEqual((missing["op"], missing["key"]), ("qkv", key))
        hot = copy.deepcopy(whole)
        for row in hot["results"]:
            if row["key"] == key:
                row["case"]["hot"] = True
        self.the_point(self.write("hot.json", hot), code=4)

    def test_text_names_them_too(self):
        result = self.benchmark("estimate", *ASKED, self.results("p.json", self.prefill()), code=4)
        self.assertIn("\nmissing:\ndecode, batch 1: embedding qkv rope", result.out)
        self.assertIn("\nbenchmark run --model ./tiny.json --device cpu0", result.out)
        self.assertEqual(result.err, "")


class Formats(EstimateTest):
    """What a reader gets, and what programs that are not ours read of it."""

    WHOLE = (*ASKED, "--batch", "1,4", "--dtype", "f16")

    def two(self, name="Test CPU"):
        """A device of which all is known, and one of which much is not."""
        both = "--batch", "1,4"
        cases = self.prefill(*both) + self.decode(*both)
        whole = self.results("whole-results.json", cases, machine=made.Machine(name, sheet=made.Sheet("s", "2024-01", 1000.0, 100.0, 65.0)))
        document = json.loads((self.folder / whole).read_text())
        document["devices"][0]["memory_bytes"] = 70000 # not enough for four sequences
        self.write("whole-results.json", document)
        part = self.results("part.json", self.prefill() + self.decode(), machine=made.Machine("Other GPU", kind="gpu"))
        return whole, part

    def test_every_word(self):
        for form in "text", "json", "markdown", "csv":
            with self.subTest(form):
                self.expect(f"estimate.{form}", self.benchmark("estimate", *self.WHOLE, *self.two(), "--format", form, code=4).out)

    def test_csv(self):
        for name in "Test CPU", EVIL:
            files = self.two(name)
            text = self.benchmark("estimate", *self.WHOLE, *files, "--format", "csv", code=4).out
            records = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
            estimates = self.estimate("--batch", "1,4", "--dtype", "f16", *files, code=4)["estimates"]
            points = [(item, point) for item in estimates for point in item["points"]]
            self.assertEqual(len(records), 4)
            for record, (item, point) in zip(records, points):
                self.assertNotIn(None, record)
                self.assertEqual((record["device_name"], record["files"], int(record["batch"])), (item["name"], item["files"], point["batch"]))
                for key in "ttft", "tpot":
                    low, high = point[key + "_ci"] or ("", "")
                    got = [record[f"{key}_ms{end}"] for end in ("", "_low", "_high")]
                    self.assertEqual([value and float(value) for value in got], [point[key + "_ms"] or "", low, high])
                self.assertEqual(record["fits"], json.dumps(point["fits"]))
                self.assertEqual(bool(record["missing"]), bool(point["missing"]))
                for missing in point["missing"]:
                    self.assertIn(missing["op"], record["missing"])

    def test_markdown(self):
        for name in "Test CPU", EVIL:
            files = self.two(name)
            text = self.benchmark("estimate", *self.WHOLE, *files, "--format", "markdown", code=4).out
            html = parse(["cmark-gfm", "--unsafe", "-e", "table", "-e", "strikethrough", "-e", "autolink"], text)
            found = Tables(html)
            self.assertFalse(found.tags & {"v", "em", "strong", "a", "b", "del"}, found.tags)
            curves = [row for row in found.rows if len(row) == 8 and row[0].isdigit()]
            self.assertEqual([row[0] for row in curves], ["1", "4"] * 2)
            self.assertRegex(curves[0][1], r"^[\d.]+ us \([\d.]+ us to [\d.]+ us\)$")
            self.assertEqual([row[0] for row in found.rows if len(row) == 5 and row[0] in COUNTS], 2 * list(COUNTS))
            commands = re.findall(r"<pre><code>(.*?)</code></pre>", html, re.DOTALL)
            self.assertEqual([block.count("benchmark run --model ./tiny.json") for block in commands], [2])

    def test_a_device_of_unknown_memory(self):
        document = json.loads((self.folder / self.two()[0]).read_text())
        document["devices"][0]["memory_bytes"] = None
        path = self.write("unknown.json", document)
        point = self.the_point(path)
        self.assertEqual((point["fits"], point["devices_needed"]), (None, None))
        self.assertIn("of a memory of unknown size\n", self.benchmark("estimate", *ASKED, path).out)


class Text(EstimateTest):
    def test_the_report(self):
        out = self.benchmark("estimate", *ASKED, self.results("all.json", self.prefill() + self.decode())).out
        self.assertIn("tiny: a prompt of 32 tokens in chunks of 16, 16 generated\n", out)
        self.assertIn("cpu0: Test CPU, opencl/pocl, f16 (./all.json)", out)
        self.assertRegex(out, r"batch 1: weights [\d.]+ KiB \+ cache [\d.]+ KiB of 16.0 GiB: fits")
        self.assertRegex(out, r"(?m)^BATCH +TTFT +\+/- % +TOK/s +MFU +TPOT +\+/- % +TOK/s +MBU +BOUND$")
        self.assertIn("most tokens/s with a TPOT of at most 200 ms:", out)
        for op in COUNTS:
            self.assertRegex(out, rf"(?m)^{op} ")
        self.assertNotIn("missing", out)

    def test_a_model_that_does_not_fit(self):
        path = self.results("all.json", self.prefill() + self.decode())
        point = self.the_point(path, code=4, asked=("--model", "llama2-70b"))
        self.assertEqual((point["fits"], point["devices_needed"]), (False, 16)) # 138 GB among devices of 17 GB, 64 heads
        self.assertIn("does not fit: 16 devices would hold it", self.benchmark("estimate", "--model", "llama2-70b", path, code=4).out)


class Mistakes(EstimateTest):
    def test_options(self):
        path = self.results("all.json", self.prefill() + self.decode())
        for words, says in (((), "name one model"), (("--model", "llama2-7b,llama2-13b"), "name one model"),
                            (("--model", "xyz"), "unknown model 'xyz'"), (("--model", "./tiny.json", "--prompt", "60"),
                             "--prompt 60 and --generate 128 exceed the model's maximum context, 64"),
                            ((*ASKED, "--prompt", "8"), "--prompt: give one number"), ((*ASKED, "--dtype", "f64"), "dtype 'f64'"),
                            ((*ASKED, "--device", "gpu"), "no measured matrix product of what --device"), ((*ASKED, "--tpot", "0"), "--tpot: '0'"),
                            ((*ASKED, "--link", "fast"), "--link: 'fast'"), ((*ASKED, "--link", "5,x"), "--link: '5,x'"),
                            ((*ASKED, "--format", "junit"), "'junit' is unknown: use one of text, json, markdown, csv"), ((*ASKED, "--batch", "0"), "--batch")):
            self.refused("estimate", *words, path, says=says)
        self.refused("estimate", *ASKED, says="name results files")

    def test_files(self):
        whole = self.results("all.json", self.prefill() + self.decode())
        self.refused("estimate", *ASKED, "./absent.json", says="absent.json")
        self.refused("estimate", *ASKED, self.write("broken.json", "{"), says="broken.json")
        result = self.benchmark("estimate", *ASKED, "./broken.json", whole, code=2)
        self.assertIn("TTFT", result.out, "the others are still shown")
        self.assertIn("broken.json", result.err)
        for change, says in ((lambda d: d.update(results=[]), ("no measured matrix product: ", "`benchmark run --model ./tiny.json`")),
                             (lambda d: d["devices"].append(d["devices"][0]), "$.devices[1].id: stands twice"),
                             (lambda d: d["results"].append(d["results"][1]), ".key: is that of $.results[1] on the same device and backend: keep one"),
                             (lambda d: d["results"][0]["time_ns"].update(ci=[2, 1]), "$.results[0].time_ns.ci: must be [low, high]"),
                             (lambda d: d["results"][0]["time_ns"].update(ci=[1]), "$.results[0].time_ns.ci: must be [low, high]"),
                             (lambda d: d["results"][1]["time_ns"].update(median=1e300), "$.results[1].time_ns.median: lies outside"),
                             (lambda d: d["devices"][0].update(memory_bytes="much"), "$.devices[0].memory_bytes: must be"),
                             (lambda d: d["results"][0]["kernel"].update(launches=1e12), "$.results[0].kernel.launches: must be")):
            document = made.results([made.Machine()])
            change(document)
            self.refused("estimate", *ASKED, self.write("wrong.json", document), says=says)
        self.refused("estimate", *ASKED, self.write("model.json", MODEL), says="it has no schema_version")
        for ns in 0, -1, 1e400:
            document = made.results([made.Machine()])
            document["results"][0]["time_ns"]["median"] = ns if math.isfinite(ns) else None
            self.benchmark("estimate", *ASKED, self.write("odd.json", document), code=4)


if __name__ == "__main__":
    main()
