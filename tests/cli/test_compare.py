"""`benchmark compare`: columns and their order, ratios and their parts, what does not match, broken files."""

import copy
import json
import math
import os
import shutil
import unittest
from pathlib import Path

from jsonschema import Draft202012Validator

import made
from harness import ProgramTest, main, validate
from made import Machine, Sheet, gemm

SCHEMA = json.loads((Path(os.environ["BM_SOURCE_DIR"]) / "results" / "comparison.schema.json").read_text())
A40 = Machine("NVIDIA A40", kind="gpu", compute=20000, bandwidth=600, efficiency=0.6,
              sheet=Sheet("nvidia-a40", "2020-10", 37400, 696, 300))
H100 = Machine("NVIDIA H100", kind="gpu", compute=50000, bandwidth=3000, efficiency=0.45,
               sheet=Sheet("nvidia-h100", "2022-03", 66900, 3350, 700))
CPU = Machine()
PREFILL, DECODE = "gemm/test-7b/prefill/qkv/f32/m128n6144k4096", "gemv/test-7b/decode/qkv/f32/m1n6144k4096"


class CompareTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.put("cpu.json", made.results([CPU]))
        cls.put("a40.json", made.results([A40]))
        cls.put("h100.json", made.results([H100]))

    @classmethod
    def put(cls, name, document):
        path = cls.folder / name
        cls.write(name, document)
        found = validate.problems(path)
        assert not found, found
        return name

    def compare(self, *words, code=0):
        out = self.benchmark("compare", "--format", "json", *words, code=code).out
        document = json.loads(out)
        self.assertEqual([e.message for e in Draft202012Validator(SCHEMA).iter_errors(document)], [])
        return document

    def row(self, document, key, line=0, column=1):
        rows = {row["key"]: row for row in document["lines"][line]["rows"]}
        return next(cell for cell in rows[key]["columns"] if cell["column"] == column)

    def assertFactor(self, factor, value, half=None):
        self.assertAlmostEqual(factor["value"] / value, 1, 6)
        if half is not None:
            low, high = factor["ci"]
            self.assertAlmostEqual(math.log(high / low) / 2, half, delta=0.1 * half)


class Ratios(CompareTest):
    def test_the_product_of_every_row(self):
        document = self.compare("a40.json", "h100.json")
        self.assertEqual(len(document["lines"][0]["rows"]), len(made.CASES))
        for row in document["lines"][0]["rows"]:
            ratio = row["columns"][1]["against_first"]
            self.assertFactor(ratio["speedup"], ratio["roofline"]["value"] * ratio["utilization"]["value"])
            self.assertFactor(ratio["roofline"], ratio["compute"]["value"] * ratio["bandwidth"]["value"])
            self.assertFactor(ratio["roofline"], ratio["datasheet"]["value"] * ratio["delivered"]["value"])
            self.assertFactor(ratio["utilization"], 0.45 / 0.6)

    def test_figures_of_two_rows(self):
        document = self.compare("a40.json", "h100.json")
        between = 0.027 * math.sqrt(2) * 1.96  # two runs
        prefill = self.row(document, PREFILL)
        self.assertEqual((prefill["bound"], self.row(document, PREFILL, column=0)["bound"]), ("compute", "compute"))
        self.assertFactor(prefill["against_first"]["speedup"], 50000 / 20000 * 0.45 / 0.6, math.hypot(between, 0.005 * math.sqrt(2)))
        self.assertFactor(prefill["against_first"]["roofline"], 2.5, math.hypot(between, 0.005 * math.sqrt(2)))
        self.assertFactor(prefill["against_first"]["datasheet"], 66900 / 37400)
        self.assertIsNone(prefill["against_first"]["datasheet"]["ci"])
        self.assertFactor(prefill["against_first"]["delivered"], 2.5 / (66900 / 37400))
        decode = self.row(document, DECODE)
        self.assertEqual(decode["bound"], "memory")
        self.assertFactor(decode["against_first"]["roofline"], 5)
        self.assertFactor(decode["against_first"]["compute"], 1)
        self.assertFactor(decode["against_first"]["bandwidth"], 5)
        self.assertTrue(decode["against_first"]["changed"])

    def test_whole_models(self):
        document = self.compare("a40.json", "h100.json", "--price", "a40=5000,H100=30000")
        for request in document["lines"][0]["requests"]:
            old, new = request["columns"]
            ratio = new["against_first"]
            self.assertFactor(ratio["speedup"], new["tokens_per_s"] / old["tokens_per_s"])
            self.assertFactor(ratio["speedup"], ratio["roofline"]["value"] * ratio["utilization"]["value"])
            self.assertFactor(ratio["utilization"], 0.45 / 0.6)
            self.assertFactor(ratio["roofline"], 5 if request["phase"] == "decode" else 2.5)
            # three rows vary by themselves, so their sum varies less than each
            low, high = ratio["speedup"]["ci"]
            self.assertLess(math.log(high / low) / 2, 0.027 * math.sqrt(2) * 1.96)
            self.assertAlmostEqual(old["tokens_per_joule_at_least"], old["tokens_per_s"] / 300)
            self.assertAlmostEqual(new["tokens_per_s_per_usd"], new["tokens_per_s"] / 30000)

    def test_ceilings_against_the_datasheet(self):
        document = self.compare("a40.json", "h100.json")
        ceilings = {ceiling["resource"]: ceiling["columns"] for ceiling in document["lines"][0]["ceilings"]}
        self.assertAlmostEqual(ceilings["memory_read"][0]["of_datasheet"], 600 / 696)
        self.assertAlmostEqual(ceilings["fma"][1]["of_datasheet"], 50000 / 66900)
        self.assertFactor(ceilings["memory_read"][1]["against_first"], 5)

    def test_a_machine_of_two_packages(self):
        """A datasheet tells of one; an entry under a cap is both of them too."""
        sheet = Sheet("test-cpu", "2021-01", 400, 40, 65)
        document = made.results([Machine("CPU", compute=500, bandwidth=50, sheet=sheet)])
        shares = {}
        for packages in 1, 2:
            document["host"]["topology"]["packages"] = packages
            self.put("packages.json", document)
            capped = json.loads(json.dumps(document).replace('"cpu0"', '"cpu0@avx2"'))
            capped["devices"][0]["hardware"], capped["devices"][0]["isa"] = "cpu0", "avx2"
            second = copy.deepcopy(capped["devices"][0])
            second["id"], second["isa"], second["summary"] = "cpu0@avx512", "avx512", []
            capped["results"] += [{**row, "device": "cpu0@avx512"} for row in capped["results"]]
            capped["devices"].append(second)
            self.put("capped.json", capped)
            compared = self.compare("packages.json", "capped.json", "--map", "packages.json:cpu0=capped.json:cpu0@avx2",
                                    "--map", "packages.json:cpu0=capped.json:cpu0@avx512")
            read = next(c for c in compared["lines"][0]["ceilings"] if c["resource"] == "memory_read")
            shares[packages] = [column["of_datasheet"] for column in read["columns"]]
            passes = compared["lines"][0]["requests"][0]["columns"][0]
            self.assertAlmostEqual(passes["tokens_per_joule_at_least"], passes["tokens_per_s"] / 65 / packages)
        self.assertEqual(shares, {1: [1.25] * 3, 2: [0.625] * 3})

    def test_a_recalled_datasheet_is_no_denominator(self):
        machine = copy.copy(H100)
        machine.sheet = Sheet("nvidia-h100", "2022-03", 66900, 3350, 700, status="recalled")
        self.put("recalled.json", made.results([machine]))
        document = self.compare("a40.json", "recalled.json")
        ratio = self.row(document, PREFILL)["against_first"]
        self.assertIsNone(ratio["datasheet"])
        self.assertIsNone(ratio["delivered"])
        self.assertFactor(ratio["roofline"], 2.5)
        for ceiling in document["lines"][0]["ceilings"]:
            self.assertIsNone(ceiling["columns"][1]["of_datasheet"])
        machine.sheet = Sheet("nvidia-h100", "2022-03", 66900, 3350, 700, status="derived")
        self.put("derived.json", made.results([machine]))
        document = self.compare("a40.json", "derived.json")
        self.assertIsNotNone(self.row(document, PREFILL)["against_first"]["datasheet"])
        for ceiling in document["lines"][0]["ceilings"]:
            self.assertIsNotNone(ceiling["columns"][1]["of_datasheet"])
        machine.sheet = Sheet("nvidia-h100", "2022-03", 66900, 3350, 700)

    def test_a_ceiling_that_was_not_measured_is_none(self):
        document = made.results([H100])
        device = document["devices"][0]
        copy_rate = made.ceiling_json(H100, "memory_copy", None, 1.0, "GB/s")
        device["ceilings"].append(copy_rate | {"value": None, "ci": None, "burst": None})
        self.put("no-copy.json", document)
        found = [c["resource"] for c in self.compare("a40.json", "no-copy.json")["lines"][0]["ceilings"]]
        self.assertEqual(found, ["memory_read", "fma"])

    def test_a_bound_that_flips_is_told(self):
        """A machine with so much bandwidth that a generation step is bound by arithmetic."""
        self.put("wide.json", made.results([Machine("Wide", kind="gpu", compute=500, bandwidth=1e5)]))
        document = self.compare("cpu.json", "wide.json")
        self.assertEqual((self.row(document, DECODE, column=0)["bound"], self.row(document, DECODE)["bound"]), ("memory", "compute"))
        text = self.benchmark("compare", "cpu.json", "wide.json").out
        self.assertRegex(text, r"qkv m1n6144k4096 .* mem>comp\n")

    def test_efficiencies_of_paired_rounds_are_their_own_ratio(self):
        """Use is the ratio of the efficiencies, within their intervals and what differs between runs; the product stays exact."""
        old, new = made.results([A40]), made.results([H100])
        self.put("old.json", made.paired(old, 1.2, 0.004))
        self.put("new.json", made.paired(new, 1.1, 0.003))
        between = 1.959964 * 0.027 * math.sqrt(2)
        before, document = self.compare("a40.json", "h100.json"), self.compare("old.json", "new.json")
        for key, row in ((row["key"], row) for row in document["lines"][0]["rows"]):
            ratio, apart = row["columns"][1]["against_first"], self.row(before, key)["against_first"]
            self.assertFactor(ratio["utilization"], 0.45 / 0.6 * 1.1 / 1.2, math.hypot(between, 0.004, 0.003))
            self.assertFactor(ratio["speedup"], apart["speedup"]["value"])
            self.assertFactor(ratio["roofline"], apart["roofline"]["value"] * 1.2 / 1.1)
            self.assertFactor(ratio["speedup"], ratio["roofline"]["value"] * ratio["utilization"]["value"])
            self.assertFactor(ratio["roofline"], ratio["compute"]["value"] * ratio["bandwidth"]["value"])
            self.assertFactor(ratio["roofline"], ratio["datasheet"]["value"] * ratio["delivered"]["value"])
            self.assertLess(ratio["utilization"]["ci"][1] / ratio["utilization"]["value"],
                            apart["utilization"]["ci"][1] / apart["utilization"]["value"])
        for request in document["lines"][0]["requests"]:
            ratio = request["columns"][1]["against_first"]
            self.assertFactor(ratio["utilization"], 0.45 / 0.6 * 1.1 / 1.2)
            self.assertFactor(ratio["speedup"], ratio["roofline"]["value"] * ratio["utilization"]["value"])

    def test_of_pairs_on_one_side_there_is_no_interval_of_pairs(self):
        self.put("old.json", made.paired(made.results([A40]), 1.2, 0.004))
        before, document = self.compare("a40.json", "h100.json"), self.compare("old.json", "h100.json")
        for row in document["lines"][0]["rows"]:
            ratio, apart = row["columns"][1]["against_first"], self.row(before, row["key"])["against_first"]
            self.assertFactor(ratio["utilization"], 0.45 / 0.6 / 1.2)
            self.assertAlmostEqual(ratio["utilization"]["ci"][1] / ratio["utilization"]["value"],
                                   apart["utilization"]["ci"][1] / apart["utilization"]["value"], 6)

    def test_summaries_without_rows_have_no_interval(self):
        early = made.results([A40])
        for summary in early["devices"][0]["summary"]:
            del summary["rows"]
        self.put("early.json", early)
        document = self.compare("early.json", "h100.json")
        ratio = document["lines"][0]["requests"][0]["columns"][1]["against_first"]
        self.assertIsNone(ratio["speedup"]["ci"])
        self.assertFactor(ratio["utilization"], 0.45 / 0.6)

    def utilization_of_sides(self):
        """Speed-up / roofline: each brings its interval, unless the efficiencies of paired rounds have their own."""
        for pairs in False, True:
            for side in "old", "new":
                document = json.loads((self.folder / f"ab-{side}.json").read_text())
                for ceiling in document["devices"][0]["ceilings"]:
                    ceiling["ci"] = [ceiling["value"] * (0.97 if side == "old" else 0.999), ceiling["value"] * 1.001]
                self.put(f"use-{side}.json", made.paired(document, 1.0, 0.02) if pairs else document)
            ratio = self.row(self.compare("use-old.json", "use-new.json"), PREFILL)["against_first"]
            reach = {name: [abs(math.log(end / ratio[name]["value"])) for end in ratio[name]["ci"]]
                     for name in ("speedup", "roofline", "utilization")}
            for side in range(2):
                expected = 0.02 * math.sqrt(2) if pairs else math.hypot(reach["speedup"][side], reach["roofline"][1 - side])
                self.assertAlmostEqual(reach["utilization"][side], expected, 5)

    def test_sides_of_an_ab_comparison_are_paired(self):
        """Noise that both sides of a round share is in neither ratio nor interval."""
        identity = "7b0c8a52-6d1e-4b7a-9c55-0a1b2c3d4e5f"
        noise = [math.exp(0.3 * math.sin(7 * i)) for i in range(20)]
        for side, factor in ("old", 1.0), ("new", 1.05):
            rounds = {PREFILL: [1e7 * n * factor * math.exp(0.002 * math.cos(11 * i)) for i, n in enumerate(noise)]}
            self.put(f"ab-{side}.json", made.results([CPU], rounds=rounds, times={PREFILL: 1e7 * factor}, half_width=0.2,
                                                    ab={"id": identity, "side": side}))
        for files in ("ab-old.json", "ab-new.json"), ("ab-new.json", "ab-old.json"):
            document = self.compare(*files)
            ratio = self.row(document, PREFILL)["against_first"]
            self.assertTrue(ratio["paired"])
            self.assertAlmostEqual(ratio["speedup"]["value"], 1 / 1.05, 3)
            self.assertLess(ratio["speedup"]["ci"][1] / ratio["speedup"]["ci"][0], 1.01)
        self.assertNotIn("between runs", self.benchmark("compare", "ab-old.json", "ab-new.json").out)
        self.assertIn("between runs", self.benchmark("compare", "ab-old.json", "cpu.json").out)
        self.utilization_of_sides()
        longer = json.loads((self.folder / "ab-new.json").read_text())
        for row in longer["results"]:
            for one in row["rounds"]:
                one["ns"], one["launches"] = 2 * one["ns"], 2 * one["launches"]
        self.put("ab-longer.json", longer)
        again = self.row(self.compare("ab-old.json", "ab-longer.json"), PREFILL)["against_first"]
        self.assertAlmostEqual(again["speedup"]["value"], 1 / 1.05, 3, "of launches, however many a round has")
        shutil.copy(self.folder / "ab-old.json", self.folder / "ab-again.json")
        self.assertFalse(self.row(self.compare("ab-old.json", "ab-again.json"), PREFILL)["against_first"]["paired"], "one side twice")


class Columns(CompareTest):
    def names(self, document, line=0):
        return [column["name"] for column in document["lines"][line]["columns"]]

    def test_ordered_by_release_whatever_the_command_line(self):
        for files in ("a40.json", "h100.json"), ("h100.json", "a40.json"):
            document = self.compare(*files)
            self.assertEqual(self.names(document), ["NVIDIA A40", "NVIDIA H100"])
            self.assertEqual(document["lines"][0]["ordered_by"], "release")

    def test_else_by_the_command_line(self):
        document = self.compare("h100.json", "cpu.json", "a40.json")
        self.assertEqual(self.names(document), ["NVIDIA H100", "Test CPU", "NVIDIA A40"])
        self.assertEqual(document["lines"][0]["ordered_by"], "command_line")
        self.assertIn("in the order of the command line", self.benchmark("compare", "h100.json", "cpu.json").out)

    def test_of_several_columns_one_may_have_nothing_in_common(self):
        self.put("apart.json", made.results([H100], cases=[gemm("qkv", 128, 6144, 4096, dtype="f16")]))
        document = self.compare("a40.json", "cpu.json", "apart.json")
        self.assertEqual(len(document["lines"][0]["columns"]), 3)
        self.assertIn("apart.json:gpu0 has no work in common with a40.json:gpu0: --dtype f32 against f16", document["notes"])

    def test_devices_of_one_file(self):
        self.put("both.json", made.results([A40, copy.copy(H100)]) if A40.device != H100.device else self.two())
        document = self.compare("both.json")
        self.assertEqual(self.names(document), ["NVIDIA A40", "NVIDIA H100"])

    def two(self):
        second = copy.copy(H100)
        second.device = "gpu1"
        return made.results([A40, second])

    def test_each_kind_with_its_own(self):
        self.put("old.json", made.results([CPU, A40]))
        self.put("new.json", made.results([Machine("New CPU", bandwidth=100), H100]))
        document = self.compare("old.json", "new.json")
        self.assertEqual([self.names(document, i) for i in (0, 1)], [["Test CPU", "New CPU"], ["NVIDIA A40", "NVIDIA H100"]])

    def test_ambiguous_devices_are_listed(self):
        self.put("two.json", self.two())
        self.put("one.json", made.results([Machine("NVIDIA V100", kind="gpu", compute=10000, bandwidth=800)]))
        self.refused("compare", "one.json", "two.json",
                     says=("one.json:gpu0 (NVIDIA V100)", "two.json:gpu0 (NVIDIA A40)", "two.json:gpu1 (NVIDIA H100)", "--map"))
        document = self.compare("one.json", "two.json", "--map", "gpu0=gpu1")
        self.assertEqual(self.names(document), ["NVIDIA V100", "NVIDIA H100"])
        self.assertIn("two.json:gpu0 has no counterpart", document["notes"][0])
        document = self.compare("one.json", "two.json", "--map", "one.json:V100=two.json:H100")
        self.assertEqual(self.names(document), ["NVIDIA V100", "NVIDIA H100"])
        document = self.compare("one.json", "two.json", "--device", "V100,A40")
        self.assertEqual(self.names(document), ["NVIDIA V100", "NVIDIA A40"])

    def test_an_id_that_another_device_has_now_is_no_match(self):
        swapped = [copy.copy(H100), copy.copy(A40)]
        swapped[0].device, swapped[1].device = "gpu0", "gpu1"
        self.put("two-old.json", self.two())
        self.put("two-swapped.json", made.results(swapped))
        self.refused("compare", "two-old.json", "two-swapped.json", says="which device is compared with which?")

    def test_the_same_devices_twice_need_no_map(self):
        self.put("two-1.json", self.two())
        again = self.two()
        again["created"] = "2026-03-02T10:00:00Z"
        self.put("two-2.json", again)
        document = self.compare("two-1.json", "two-2.json")
        self.assertEqual([self.names(document, i) for i in (0, 1)], [["NVIDIA A40"] * 2, ["NVIDIA H100"] * 2])

    def test_a_cpu_against_a_gpu(self):
        self.put("mixed.json", made.results([CPU, A40]))
        document = self.compare("mixed.json", "h100.json", "--map", "cpu0=gpu0")
        self.assertEqual(self.names(document), ["Test CPU", "NVIDIA H100"])

    def test_wrong_maps_and_prices(self):
        self.put("two.json", self.two())
        self.refused("compare", "a40.json", "h100.json", "--map", "gpu0", says=("--map", "'gpu0'", "OLD=NEW"))
        self.refused("compare", "a40.json", "h100.json", "--map", "gpu7=gpu0", says=("'gpu7'", "a40.json:gpu0 (NVIDIA A40)"))
        self.refused("compare", "a40.json", "two.json", "--map", "gpu0=gpu", says=("'gpu' may be", "two.json:gpu1", "FILE:DEVICE"))
        self.refused("compare", "a40.json", "h100.json", "--price", "gpu0", says=("--price", "DEVICE=USD"))
        self.refused("compare", "a40.json", "h100.json", "--price", "gpu0=cheap", says="'cheap'")
        self.refused("compare", "a40.json", "h100.json", "--price", "b200=1", says=("--price", "'b200'", "there are a40.json:gpu0 ("))

    def test_the_best_verified_backend(self):
        fast = copy.copy(CPU)
        fast.backend, fast.efficiency = "onednn", 0.9
        document, second = made.results([CPU]), made.results([fast])
        document["devices"][0]["backends"] += second["devices"][0]["backends"]
        document["devices"][0]["ceilings"] += second["devices"][0]["ceilings"]
        document["results"] += second["results"]
        document["devices"][0]["summary"] += second["devices"][0]["summary"]
        broken = made.unmeasured(second, DECODE, "failed", "verification failed: output 7 is wrong")
        document["results"] = [r for r in document["results"] if r["backend"] != "onednn"] + broken["results"]
        for summary in document["devices"][0]["summary"]:
            if summary["backend"] == "onednn" and summary["phase"] == "decode":
                document["devices"][0]["summary"].remove(summary)
        self.put("two-backends.json", document)
        comparison = self.compare("two-backends.json", "a40.json")
        self.assertEqual(comparison["lines"][0]["columns"][0]["backend"], "onednn")
        self.assertEqual(self.row(comparison, PREFILL, column=0)["backend"], "onednn")
        self.assertEqual(self.row(comparison, DECODE, column=0)["backend"], "opencl/pocl")
        comparison = self.compare("two-backends.json", "a40.json", "--backend", "opencl")
        self.assertEqual(self.row(comparison, PREFILL, column=0)["backend"], "opencl/pocl")


class Rows(CompareTest):
    def test_missing_failed_and_invalid_rows(self):
        document = made.unmeasured(made.without(made.results([H100]), DECODE), PREFILL, "failed", "output 7 was never written")
        document["devices"][0]["summary"] = []
        self.put("partly.json", document)
        comparison = self.compare("a40.json", "partly.json")
        failed = self.row(comparison, PREFILL)
        self.assertEqual((failed["state"], failed["against_first"]), ("failed", None))
        self.assertIn("failed in the new column: output 7", failed["why"])
        self.assertEqual(len(next(r for r in comparison["lines"][0]["rows"] if r["key"] == DECODE)["columns"]), 1)
        text = self.benchmark("compare", "a40.json", "partly.json").out
        self.assertIn("not there in the new column (model, context 1024, qkv m1n6144k4096)", text)
        self.assertIn("failed in the new column: output 7 was never written (qkv m128n6144k4096)", text)

    def test_other_work_under_the_same_key(self):
        document = made.results([H100])
        for row in document["results"]:
            if row["key"] == PREFILL:
                row["flops"] *= 2
                row["gflops"] *= 2
        self.put("other.json", document)
        why = self.row(self.compare("a40.json", "other.json"), PREFILL)["why"]
        self.assertIn("other work: 6.442e+09 FLOP", why)

    def test_summaries_that_cover_other_operations(self):
        lacking = made.without(made.results([H100]), "gemv/test-7b/decode/attn_out/f32/m1n4096k4096")
        again = made.results([H100], cases=[c for c in made.CASES if not (c["op"] == "attn_out" and c["m"] == 1)])
        lacking["devices"] = again["devices"]
        self.put("lacking.json", lacking)
        comparison = self.compare("a40.json", "lacking.json")
        decode = next(r for r in comparison["lines"][0]["requests"] if r["phase"] == "decode")["columns"][1]
        self.assertIsNone(decode["against_first"])
        self.assertIn("attn_out ffn_down qkv against ffn_down qkv", decode["why"])

    def test_a_pass_without_its_matrix_products_has_no_figures(self):
        partial = made.results([H100])
        for summary in partial["devices"][0]["summary"]:
            if summary["phase"] == "decode":
                summary.update(tokens_per_s=None, missing=["attn", "norm"], lacking=["attn"])
        self.put("partial.json", partial)
        comparison = self.compare("a40.json", "partial.json")
        prefill, decode = (request["columns"][1] for request in comparison["lines"][0]["requests"])
        self.assertIsNotNone(prefill["tokens_per_s"])
        self.assertIsNone(decode["tokens_per_s"])
        self.assertIsNone(decode["against_first"])
        self.assertIsNotNone(decode["roofline_efficiency"])
        self.assertEqual((decode["lacking"], decode["missing"]), (["attn"], ["attn", "norm"]))
        self.assertEqual(decode["why"], "no figure of the pass in the new column without attn")
        text = self.benchmark("compare", "a40.json", "partial.json").out
        self.assertRegex(text, r"(?m)^B +- +45 % ")
        self.assertIn("not counted: norm (A, B)\nno figure of the pass without attn (B)\n", text)
        table = self.benchmark("compare", "a40.json", "partial.json", "--format", "csv").out
        self.assertRegex(table, r'(?m)^.*,"?test-7b decode[^"]*"?,incomplete,')
        self.assertIn("| incomplete |", self.benchmark("compare", "a40.json", "partial.json", "--format", "markdown").out)

    def test_a_backend_that_has_the_whole_pass_stands_for_it(self):
        """... whatever another one covers besides."""
        both, other = made.results([H100]), copy.copy(H100)
        other.backend, other.efficiency = "opencl/other", 0.9
        second = made.results([other])
        for summary in second["devices"][0]["summary"]:
            summary.update(tokens_per_s=None, missing=["attn"], lacking=["attn"], ops=["act", "ffn_down", "norm", "qkv", "rope"])
        for part in "backends", "ceilings":
            both["devices"][0][part] += second["devices"][0][part]
        both["devices"][0]["summary"] = second["devices"][0]["summary"] + both["devices"][0]["summary"]
        both["results"] += second["results"]
        self.put("both.json", both)
        for request in self.compare("a40.json", "both.json")["lines"][0]["requests"]:
            old, new = request["columns"]
            self.assertEqual(new["backend"], "opencl/nvidia")
            self.assertFactor(new["against_first"]["speedup"], new["tokens_per_s"] / old["tokens_per_s"])
            self.assertIsNotNone(new["against_first"]["speedup"]["ci"], "of its own rows, not of the fastest")

    def test_of_two_backends_that_have_the_pass(self):
        """... the one that covers more stands for it, and of those the faster."""
        for more, efficiency, named in ((True, 0.3, "opencl/other"), (False, 0.3, "opencl/nvidia"), (False, 0.9, "opencl/other")):
            both, other = made.results([H100]), copy.copy(H100)
            other.backend, other.efficiency = "opencl/other", efficiency
            second = made.results([other])
            for summary in second["devices"][0]["summary"]:
                if more:
                    summary.update(ops=[*summary["ops"], "norm"], missing=[])
            for part in "backends", "ceilings", "summary":
                both["devices"][0][part] += second["devices"][0][part]
            both["results"] += second["results"]
            self.put("whole.json", both)
            requests = self.compare("a40.json", "whole.json")["lines"][0]["requests"]
            self.assertEqual({request["columns"][1]["backend"] for request in requests}, {named})

    def test_a_shared_measurement_is_one_figure_of_a_sum(self):
        """Two rows of one measurement err together: the interval of their sum is that of one."""
        cases = [gemm("qkv", 1, 4096, 4096), gemm("qkv", 128, 4096, 4096), gemm("attn_out", 128, 4096, 4096)]
        widths = []
        for shared in False, True:
            for name, machine in ("old", A40), ("new", H100):
                document = made.results([machine], cases=cases, half_width=0.05)
                document["results"][2]["measured_as"] = cases[1]["key"] if shared else None
                self.put(f"shared-{name}.json", document)
            request = self.compare("shared-old.json", "shared-new.json")["lines"][0]["requests"][0]
            low, high = request["columns"][1]["against_first"]["speedup"]["ci"]
            widths.append(math.log(high / low))
        self.assertAlmostEqual(widths[1] / widths[0], math.sqrt(2), 3)

    def test_passes_of_other_rows_are_not_compared(self):
        """A cache kept hot, another routing, a part of the layers: their operations have the same names."""
        half = made.results([H100])
        for summary in half["devices"][0]["summary"]:
            for use in summary["rows"]:
                use["count"] /= 2
            summary["tokens_per_s"] *= 2
        self.put("half.json", half)
        for request in self.compare("a40.json", "half.json")["lines"][0]["requests"]:
            self.assertIsNone(request["columns"][1]["against_first"])
            self.assertIn("other rows make up the pass", request["columns"][1]["why"])

    def test_intervals_of_ceilings_are_not_of_one_width(self):
        old, new = made.results([A40]), made.results([H100])
        value = {}
        for document, below, above in ((old, 0.98, 1.01), (new, 0.95, 1.001)):
            device = document["devices"][0]
            read = next(c for c in device["ceilings"] if c["resource"] == "memory_read")
            read["ci"] = [read["value"] * below, read["value"] * above]
            device["ceilings"].append(made.ceiling_json(A40, "wait_latency", None, 30.0 if document is old else 12.0, "us"))
            value[document is new] = read["value"]
        self.put("old-ceilings.json", old)
        self.put("new-ceilings.json", new)
        found = {c["resource"]: c["columns"][1]["against_first"]
                 for c in self.compare("old-ceilings.json", "new-ceilings.json")["lines"][0]["ceilings"]}
        ratio, between = value[True] / value[False], 1.959964 * 0.027
        low, high = found["memory_read"]["ci"]
        self.assertAlmostEqual(math.log(ratio / low), math.sqrt(2 * between ** 2 + math.log(0.95) ** 2 + math.log(1.01) ** 2), 5)
        self.assertAlmostEqual(math.log(high / ratio), math.sqrt(2 * between ** 2 + math.log(1.001) ** 2 + math.log(0.98) ** 2), 5)
        self.assertFactor(found["wait_latency"], 2.5)

    def test_nothing_in_common_is_refused_with_the_difference(self):
        for name, case, says in (("dtype", gemm("qkv", 128, 6144, 4096, dtype="f16"), "--dtype f32 against f16"),
                                 ("model", gemm("qkv", 128, 6144, 4096, model="other-7b"), "--model test-7b against other-7b"),
                                 ("tokens", gemm("qkv", 64, 6144, 4096), "--tokens 128 1 against 64")):
            self.put(f"{name}.json", made.results([H100], cases=[case]))
            self.refused("compare", "a40.json", f"{name}.json", says=("a40.json:gpu0", f"{name}.json:gpu0", says))
        # of many models the one that both have may be the last
        self.put("one-model.json", made.results([A40], cases=[gemm("qkv", 128, 6144, 4096, model="model-9")]))
        cases = [gemm("qkv", 64, 6144, 4096, model=f"model-{i}") for i in range(30)]
        many = made.results([H100], cases=cases[10:] + cases[:10])
        many["devices"][0]["summary"] = []
        self.put("many-models.json", many)
        self.refused("compare", "one-model.json", "many-models.json", says="no work in common: --tokens 128 against 64:")
        for row in many["results"]:
            row["key"], row["case"]["model"] = row["key"].replace("/model-", "/other-"), row["case"]["model"].replace("model", "other")
        self.put("many-models.json", many)
        self.refused("compare", "one-model.json", "many-models.json", says="--model model-9 against other-10 other-11 other-12")
        self.refused("compare", "one-model.json", "many-models.json", says=" ...: measure the same with both")
        hot = made.results([H100])
        for row in hot["results"]:
            row["key"] += "/hot"
            row["case"]["hot"] = True
        hot["devices"][0]["summary"] = []
        self.put("hot.json", hot)
        self.refused("compare", "a40.json", "hot.json", says="--cache cold against hot")

    def test_only_changed(self):
        times = {case["key"]: made.ideal_ns(A40, case) / 0.6 for case in made.CASES}
        times[DECODE] *= 1.5
        self.put("slower.json", made.results([A40], times=times, created="2026-03-02T10:00:00Z"))
        document = self.compare("a40.json", "slower.json", "--only", "changed")
        self.assertEqual([row["key"] for row in document["lines"][0]["rows"]], [DECODE])
        self.assertEqual(document["lines"][0]["hidden_rows"], len(made.CASES) - 1)
        self.refused("compare", "a40.json", "slower.json", "--only", "new", says=("--only", "'new'"))

    def test_sorting(self):
        ratio = {case["key"]: 1 + i * 0.1 for i, case in enumerate(reversed(made.CASES))}
        times = {case["key"]: made.ideal_ns(A40, case) / 0.6 / ratio[case["key"]] for case in made.CASES}
        self.put("sorted.json", made.results([A40], times=times, created="2026-03-02T10:00:00Z"))

        def keys(sort):
            return [row["key"] for row in self.compare("a40.json", "sorted.json", "--sort", sort)["lines"][0]["rows"]]
        suite = [case["key"] for case in made.CASES]
        self.assertEqual(keys("suite"), suite)
        self.assertEqual(keys("key"), sorted(suite))
        self.assertEqual(keys("speedup"), suite[::-1])
        self.assertEqual(keys("utilization"), suite[::-1])
        self.assertEqual(keys("time")[0], "gemm/test-7b/prefill/ffn_down/f32/m128n4096k11008")
        gone = made.unmeasured(json.loads((self.folder / "sorted.json").read_text()), suite[-1], "skipped", "no room")
        gone["devices"][0]["summary"] = []
        self.put("sorted.json", gone)
        self.assertEqual(keys("speedup"), suite[-2::-1] + suite[-1:], "what has no figure comes last")
        self.refused("compare", "a40.json", "sorted.json", "--sort", "colour", says=("--sort", "'colour'", "speedup"))

    def test_rows_of_a_batch_stand_together(self):
        cases = [gemm(op, 64 * batch, 6144, 4096) | {"batch": batch} for op in ("qkv", "ffn_down") for batch in (1, 2)]
        self.put("batches.json", made.results([A40], cases=cases) | {})
        document = self.compare("batches.json", "batches.json")
        self.assertEqual([row["key"] for row in document["lines"][0]["rows"]], [cases[i]["key"] for i in (0, 2, 1, 3)])

    def test_a_change_in_any_column_counts(self):
        times = {case["key"]: made.ideal_ns(A40, case) / 0.6 for case in made.CASES}
        self.put("changed.json", made.results([A40], times=times | {DECODE: times[DECODE] * 1.5}))
        document = self.compare("a40.json", "changed.json", "a40.json", "--only", "changed")
        self.assertEqual([row["key"] for row in document["lines"][0]["rows"]], [DECODE])

    def test_requests_differ_by_batch_and_cache(self):
        document = made.results([H100])
        summary = document["devices"][0]["summary"]
        for change in {"batch": 2}, {"kv": "int8"}:
            other = copy.deepcopy(summary[1]) | change
            other["tokens_per_s"] *= other["batch"]
            summary.append(other)
        self.put("requests.json", document)
        requests = self.compare("a40.json", "requests.json")["lines"][0]["requests"]
        self.assertEqual([(r["phase"], r["batch"], r.get("kv"), len(r["columns"])) for r in requests],
                         [("prefill", 1, None, 2), ("decode", 1, None, 2), ("decode", 2, None, 1), ("decode", 1, "int8", 1)])

    def test_what_every_prompt_and_context_has_is_selected_too(self):
        cases = [*made.CASES, gemm("lm_head", 1, 32000, 4096)]
        cases[-1] |= {"key": cases[-1]["key"].replace("/decode/", "/prefill/"), "phase": "prefill"}
        self.put("head.json", made.results([A40], cases=cases) | {})

        def keys(*words):
            return [row["key"] for row in self.compare("head.json", "head.json", *words)["lines"][0]["rows"]]
        self.assertEqual(keys("--phase", "prefill", "--tokens", "64"), [cases[-1]["key"]])
        self.assertEqual(len(keys("--context", "4096")), len(cases), "no shape of these has a context")
        document = self.compare("head.json", "head.json", "--workload", "gemm")
        self.assertEqual(document["lines"][0]["requests"], [], "a sum over some workloads is no whole model")
        self.refused("compare", "a40.json", "h100.json", "--backend", "open", says="no row of these files matches")
        self.assertEqual(len(keys("--backend", "opencl")), len(cases))

    def test_selectors(self):
        def keys(*words):
            return [row["key"] for row in self.compare("a40.json", "h100.json", *words)["lines"][0]["rows"]]
        self.assertEqual(len(keys("--phase", "decode")), 3)
        self.assertEqual(len(keys("--workload", "gemm")), 3)
        self.assertEqual(len(keys("--model", "test-7b", "--dtype", "f32")), 6)
        self.assertEqual(len(keys("--tokens", "128")), 6)
        self.assertEqual(len(keys("--tokens", "64", "--batch", "1")), 3)
        self.refused("compare", "a40.json", "h100.json", "--model", "nothing", says="no row of these files matches the selectors")
        self.refused("compare", "a40.json", "h100.json", "--device", "tpu", says="no row of these files matches")


class Files(CompareTest):
    def test_a_broken_file_is_named_and_the_others_shown(self):
        whole = (self.folder / "h100.json").read_text()
        for name, text, says in (("cut.json", whole[: len(whole) // 2], "cut.json:1:"),
                                 ("nested.json", "[" * 1000000, "nested.json: $: must be an object"),
                                 ("deep.json", '{"a":' * 1000000, "deep.json:1:"),
                                 ("newer.json", whole.replace('"schema_version": "1.0"', '"schema_version": "2.0"'),
                                  "$.schema_version: is 2.0, newer"),
                                 ("list.json", "[]", "must be an object"),
                                 ("wrong.json", whole.replace('"median": ', '"median": "x", "was": ', 1), "median: must be a number")):
            self.write(name, text)
            for files in ("a40.json", name, "h100.json"), (name, "a40.json", "h100.json"):
                result = self.benchmark("compare", *files, code=2)
                self.assertIn("NVIDIA H100 against NVIDIA A40", result.out)
                self.assertEqual(result.err.count("\n"), 1, result)
                self.assertIn(says, result.err)

    def test_too_large_a_file(self):
        with open(self.folder / "large.json", "wb") as file:
            file.truncate((64 << 20) + 1)
        result = self.benchmark("compare", "a40.json", "large.json", "h100.json", code=2)
        self.assertIn("large.json: larger than the 64 MiB", result.err)
        self.assertIn("NVIDIA H100", result.out)

    def test_a_newer_minor_version(self):
        newer = made.results([H100])
        newer["schema_version"] = "1.9"
        newer["weather"] = {"wind": [1, 2]}
        newer["results"][0]["carbon"] = 3
        newer["results"][1]["flags"] = ["glowing"]
        self.write("minor.json", newer)
        self.assertEqual(len(self.compare("a40.json", "minor.json")["lines"][0]["rows"]), len(made.CASES))

    def test_only_broken_files(self):
        self.write("cut.json", "{")
        result = self.benchmark("compare", "cut.json", "absent.json", code=2)
        self.assertEqual(result.out, "")
        self.assertEqual(len(result.err.splitlines()), 2)

    def test_a_broken_file_is_all_there_is_to_say(self):
        """The one that is left needs no second file: it was named."""
        self.write("cut.json", "{")
        for words in ("a40.json", "cut.json"), ("cut.json", "a40.json"):
            self.refused("compare", *words, says="cut.json:1:")

    def test_a_report_never_takes_the_place_of_results(self):
        before = (self.folder / "a40.json").read_bytes()
        (self.folder / "same.json").symlink_to("a40.json")
        for output in "a40.json", "./a40.json", "same.json":
            self.refused("compare", "a40.json", "h100.json", "--output", output, says=("--output", "would be lost"))
        self.assertEqual((self.folder / "a40.json").read_bytes(), before)

    def test_nothing_to_compare(self):
        without = made.results([H100])
        without["results"] = []
        self.write("without.json", without)
        self.refused("compare", "a40.json", "without.json", says=("a40.json:gpu0", "the other files have no row"))
        self.refused("compare", says="name results files")
        self.refused("compare", "a40.json", says=("a40.json:gpu0", "name a second file"))
        self.refused("compare", "absent.json", says="absent.json: No such file")
        self.refused("compare", ".", says="is a folder")

    def test_an_interrupted_run_is_told(self):
        self.put("partial.json", made.results([H100], complete=False))
        self.assertIn("partial.json was interrupted", self.compare("a40.json", "partial.json")["notes"][0])

    def test_output_to_a_file(self):
        result = self.benchmark("compare", "a40.json", "h100.json", "--output", "deep/er/report.txt")
        self.assertEqual(result.out, "")
        self.assertIn("NVIDIA H100 against NVIDIA A40", (self.folder / "deep/er/report.txt").read_text())
        self.refused("compare", "a40.json", "h100.json", "--output", ".", says="is a folder")

    def test_unknown_formats_are_refused(self):
        self.refused("compare", "a40.json", "h100.json", "--format", "xml", says=("--format", "'xml'", "text", "json"))

    def test_a_path_that_is_not_utf8(self):
        name = b"odd-\xff.json"
        (self.folder / os.fsdecode(name)).write_text(json.dumps(made.results([H100])))
        document = self.compare("a40.json", os.fsdecode(name))
        self.assertEqual(document["files"][1]["path"], "odd-\ufffd.json")


class Terminal(CompareTest):
    def test_text_fits_eighty_columns(self):
        import pty
        import subprocess
        leader, follower = pty.openpty()
        import fcntl
        import struct
        import termios
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
        process = self.popen("compare", "a40.json", "h100.json", "--price", "gpu0=1000", stdout=follower, stderr=subprocess.PIPE,
                             env={"NO_COLOR": "1", "LC_ALL": "C.UTF-8", "TERM": "xterm"})
        os.close(follower)
        out = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        process.communicate()
        os.close(leader)
        lines = out.decode().replace("\r\n", "\n").splitlines()
        self.assertGreater(len(lines), 30)
        for line in lines:
            self.assertLessEqual(len(line), 80, line)


if __name__ == "__main__":
    main()
