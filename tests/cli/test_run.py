"""`benchmark run` and `verify` on the real device: the results file, the report, what is left out."""

import json
import math
import os
import pwd
import re
import socket
import statistics
import subprocess

from harness import MIB, MODEL, OPS, SUITE, TINY, ProgramTest, layer, main

NAMES = {"prefill": ("gemm", "attention", "gemv"), "decode": ("gemv", "attention")}


class WholeRun(ProgramTest):
    """One run without the layer, looked at from all sides."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.said, cls.document = cls("run_tiny").run_tiny("--seed", "5", "--budget", "1", env={})

    def rows(self, **wanted):
        return [row for row in self.document["results"] if all(row["case"][name] == value for name, value in wanted.items())]

    def test_it_is_complete_and_names_itself(self):
        document = self.document
        self.assertTrue(document["complete"])
        self.assertEqual((document["settings"]["suite"], document["settings"]["seed"], document["settings"]["budget_s"]), ("tiny", 5, 1))
        self.assertEqual(document["settings"]["command"], ["benchmark", "run", *self.said.words[1:]])
        self.assertEqual(document["host"]["hostname"], socket.gethostname())
        self.assertRegex(document["tool"]["kernels_sha256"], r"\A[0-9a-f]{64}\Z")

    def test_every_row_is_verified_and_ok(self):
        rows = self.document["results"]
        self.assertEqual(len(rows), 4 + 2 * 2 * len(OPS))
        for row in rows:
            self.assertEqual((row["status"], row["verification"]["status"]), ("ok", "passed"), row)
            self.assertLessEqual(row["verification"]["max_relative_error"], row["verification"]["tolerance"])
            self.assertGreater(row["verification"]["checked"], 0)
            self.assertGreaterEqual(len(row["rounds"]), 1)
            self.assertGreater(row["gbytes_per_s"], 0)
        for phase, workloads in NAMES.items():
            for dtype in "f32", "f16":
                rows = self.rows(phase=phase, dtype=dtype)
                self.assertEqual([row["case"]["op"] for row in rows], list(OPS))
                self.assertEqual({row["case"]["workload"] for row in rows}, set(workloads))

    def test_ceilings_are_rows_of_the_same_run(self):
        (device,) = self.document["devices"]
        self.assertEqual([(ceiling["resource"], ceiling["pipe"]) for ceiling in device["ceilings"]],
                         [("memory_read", None), ("memory_copy", None), ("llc_read", None), ("fma", "f32_vector")])
        for ceiling, row in zip(device["ceilings"], self.rows(phase=None)):
            rate = row["gflops" if ceiling["resource"] == "fma" else "gbytes_per_s"]
            self.assertAlmostEqual(ceiling["value"] / rate, 1, places=9)
        for row in self.rows(phase="decode", dtype="f16"):
            self.assertEqual(row["utilization"]["memory_ceiling"], "memory_read/opencl/pocl")
            self.assertEqual(row["utilization"]["compute_ceiling"], "fma/f32_vector/opencl/pocl")
            self.assertGreater(row["utilization"]["roofline_efficiency"], 0)

    def test_summaries_count_every_layer(self):
        summary = self.document["devices"][0]["summary"]
        self.assertEqual([(item["phase"], item["dtype"]) for item in summary],
                         [(phase, dtype) for phase in ("prefill", "decode") for dtype in ("f32", "f16")])
        for item in summary:
            self.assertEqual(sorted(item["ops"]), sorted(OPS))
            self.assertIn("norm", item["missing"])
            times = {row["case"]["op"]: row["time_ns"]["median"] for row in self.rows(phase=item["phase"], dtype=item["dtype"])}
            total = sum(time * (1 if op == "lm_head" else MODEL["layers"]) for op, time in times.items())
            tokens = 16 if item["phase"] == "prefill" else 1
            self.assertAlmostEqual(item["tokens_per_s"] * total / 1e9 / tokens, 1, places=6)

    def test_equal_work_shares_its_measurement(self):
        for dtype in "f32", "f16":
            (first,), (second,) = (self.rows(phase=phase, dtype=dtype, op="lm_head") for phase in ("prefill", "decode"))
            self.assertEqual((first["measured_as"], second["measured_as"]), (None, first["key"]))
            self.assertEqual(first["time_ns"], second["time_ns"])
            self.assertEqual(first["rounds"], second["rounds"])

    def test_the_report_shows_the_same_figures(self):
        self.assertRegex(self.said.out, r"\Acpu0: .+\n")
        for row in self.document["results"]:
            self.assertIn(row["key"].split("/")[5] if row["case"]["phase"] else row["backend"], self.said.out)
        for item in self.document["devices"][0]["summary"]:
            self.assertRegex(self.said.out, rf"(?m)^tiny +{item['phase']} +{item['dtype']} +1 ")
        self.assertRegex(self.said.out, r"(?m)^not counted: .*\bnorm\b")
        self.assertNotRegex(self.said.out, r"nan|inf|\x1b|\(null\)")

    def test_progress_is_on_standard_error_without_escape_codes(self):
        lines = self.said.err.splitlines()
        self.assertEqual([line.split()[1] for line in lines[:3]], ["verifying", "warming", "measuring"])
        self.assertEqual(lines[3:], ["benchmark: the results are in out.json"])
        self.assertNotRegex(self.said.err, r"[\x1b\r]")


class Pairs(ProgramTest):
    def test_rows_are_judged_by_the_rounds_beside_theirs(self):
        """Ceilings are measured as long as the rows, and an efficiency is the median over pairs that are near in time."""
        _, document = self.run_tiny("--workload", "gemv", "--phase", "decode", "--dtype", "f32", "--backend", "opencl", "--budget", "3",
                                    env={})
        ceilings = {row["case"]["op"]: row for row in document["results"] if row["case"]["dtype"] is None}
        rows = [row for row in document["results"] if row["case"]["dtype"] and row["status"] == "ok" and row["measured_as"] is None]
        self.assertGreater(len(rows), 2)

        def middle(round_):
            return round_["start_ns"] + round_["ns"] // 2

        def nearest(ceiling, round_):
            """ns of a launch; None: it was not measured at that time."""
            middles = [middle(other) for other in ceiling["rounds"]]
            near = min(ceiling["rounds"], key=lambda other: abs(middle(other) - middle(round_)))
            far = 2 * max(b - a for a, b in zip(middles, middles[1:]))
            inside = middles[0] <= middle(round_) <= middles[-1] or abs(middle(near) - middle(round_)) <= far
            return near["ns"] / near["launches"] if inside else None

        for row in rows:
            use, rounds = row["utilization"], row["rounds"]
            judges = {"flops": ceilings["f32_vector"], "bytes": ceilings["read"]}
            if len(rounds) < 6:  # a machine too busy for three seconds
                self.assertIsNone(use["roofline_efficiency_ci"])
                continue
            for ceiling in judges.values():  # a visit is of three rounds at most, and the budget may end within a pass
                self.assertGreater(ceiling["rounds"][-1]["start_ns"], rounds[max(0, len(rounds) - 7)]["start_ns"], row["key"])
            pairs = [(round_, [row[amount] / ceiling[amount] * ns for amount, ceiling in judges.items()
                               if (ns := nearest(ceiling, round_)) is not None]) for round_ in rounds]
            shares = [max(times) * round_["launches"] / round_["ns"] for round_, times in pairs if len(times) == 2]
            self.assertAlmostEqual(math.exp(statistics.median(map(math.log, shares))) / use["roofline_efficiency"], 1, 6, row["key"])
            low, high = use["roofline_efficiency_ci"]
            self.assertTrue(low < use["roofline_efficiency"] < high, row["key"])


class Output(ProgramTest):
    def test_dash_is_json_on_standard_output(self):
        result = self.benchmark("run", *TINY, "--budget", "0.1", "--output", "-", env=layer())
        self.write("dash.json", result.out)
        self.assertTrue(self.load("dash.json")["complete"])
        self.assertFalse((self.folder / "-").exists())

    def test_format_json_prints_what_the_file_holds(self):
        result, document = self.run_tiny("--format", "json")
        self.assertEqual(json.loads(result.out), document)

    def test_default_name(self):
        self.benchmark("run", *TINY, "--budget", "0.1", env=layer())
        (path,) = (self.folder / "results").iterdir()
        self.assertRegex(path.name, rf"\A{re.escape(socket.gethostname())}-\d{{8}}T\d{{6}}Z\.json\Z")
        self.load(f"results/{path.name}")

    def test_a_file_that_is_there_is_replaced(self):
        self.write("old.json", "old")
        self.run_tiny(output="old.json")

    def test_quiet(self):
        result, _ = self.run_tiny("--quiet")
        self.assertEqual(result.err, "")

    def test_verify_writes_a_file_only_when_asked(self):
        before = sorted(self.folder.rglob("*"))
        result = self.benchmark("verify", *TINY, env=layer())
        self.assertIn("28 passed, 0 failed, 0 skipped", result.out)
        self.assertEqual(sorted(self.folder.rglob("*")), before)
        self.benchmark("verify", *TINY, "--output", "verified.json", env=layer())
        for row in self.load("verified.json", rows=28)["results"]:
            self.assertEqual((row["status"], row["time_ns"], row["gflops"]), ("ok", None, None))

    def test_a_seed_changes_inputs_but_no_verdict(self):
        errors = []
        for seed in "1", "2", "1":
            self.benchmark("verify", *TINY, "--seed", seed, "--output", "seed.json", env=layer())
            errors.append([row["verification"]["max_relative_error"] for row in self.load("seed.json")["results"]])
        self.assertEqual(errors[0], errors[2])
        self.assertNotEqual(errors[0], errors[1])


class Layer(ProgramTest):
    """Every op of a decoder layer, for a mixture of experts with grouped routing."""

    def test_a_whole_pass_as_one_sequence(self):
        """Its launches and work are those of its ops, which are rows of the same run; equal passes share nothing."""
        _, document = self.run_tiny("--workload", "layer", "--dtype", "f16", "--backend", "opencl")
        rows = {row["key"]: row for row in document["results"]}
        for phase, key in (("prefill", "layer/tiny/prefill/pass/f16/b1t16l2"), ("decode", "layer/tiny/decode/pass/f16/b1t1c32l2")):
            whole = rows[key]
            self.assertEqual((whole["status"], whole["verification"]["status"], whole["kernel"]["variant"]), ("ok", "passed", "flow"))
            summary, = (item for device in document["devices"] for item in device["summary"] if item["phase"] == phase)
            self.assertEqual(summary["missing"], [])
            uses = [(rows[use["key"]], use["count"]) for use in summary["rows"]]
            parts = [(rows[row["measured_as"]] if row["measured_as"] else row, times) for row, times in uses]
            self.assertEqual(whole["kernel"]["launches"], sum(times * row["kernel"]["launches"] for row, times in parts))
            for work in "flops", "bytes":
                self.assertAlmostEqual(whole[work], sum(times * row[work] for row, times in parts))
            self.assertGreater(whole["verification"]["checked"], 0)  # of what flows; of each op's own inputs in its row
        self.assertEqual(len(document["devices"][0]["summary"]), 2)

    def test_a_whole_pass_needs_all_of_its_parts(self):
        """What a backend cannot run leaves a hole in the pass."""
        latent = {"kv_lora": 16, "qk_nope_dim": 12, "qk_rope_dim": 4, "v_dim": 16}
        self.write("latent.json", {**MODEL, "id": "tiny-latent", "attention": "mla", "kv_heads": 2, "mla": latent})
        _, document = self.run_tiny("--workload", "layer", "--dtype", "f16", "--phase", "decode", "--backend", "opencl",
                                    "--model", "./latent.json", "--kv", "int8")
        whole, = (row for row in document["results"] if row["case"]["workload"] == "layer")
        self.assertEqual(whole["status"], "skipped")
        self.assertEqual(whole["reason"], "mla has no kernel for a cache of int8")

    def test_a_whole_layer(self):
        experts = {"experts": 16, "experts_per_token": 4, "shared_experts": 1, "intermediate": 48, "dense_layers": 1,
                   "groups": 4, "groups_used": 2}
        self.write("experts.json", {**MODEL, "id": "tiny-experts", "moe": experts})
        entry = {name: value for name, value in SUITE["entries"][0].items() if name != "workloads"}
        self.write("whole.json", {**SUITE, "entries": [{**entry, "models": ["./experts.json"], "dtypes": ["bf16"]}]})
        _, document = self.run_tiny("--suite", "./whole.json")
        rows = [row for row in document["results"] if row["case"]["phase"]]
        others = [row for row in rows if row["case"]["workload"] not in ("gemm", "gemv", "attention")]
        for row in others:
            self.assertEqual((row["status"], row["case"]["dtype"]), ("ok", "bf16"), row)
        ops = {"embedding", "norm", "final_norm", "rope", "kv_write", "act", "top_k", "experts_gate_up", "experts_act",
               "experts_down", "experts_combine", "shared_act", "residual", "softmax"}
        for item, phase in zip(document["devices"][0]["summary"], ("prefill", "decode")):
            self.assertEqual({row["case"]["op"] for row in others if row["case"]["phase"] == phase}, ops)
            self.assertLessEqual(ops, set(item["ops"]), "and the summary counts them")
        (routed,) = [row["case"] for row in others if row["key"].startswith("topk/tiny-experts/prefill")]
        self.assertEqual([routed[axis] for axis in ("m", "n", "k", "groups", "groups_used")], [16, 16, 4, 4, 2])
        moved = next(row for row in others if row["case"]["op"] == "kv_write")
        self.assertEqual((moved["flops"], moved["kernel"]["pipe"]), (0, None))


class Anonymous(ProgramTest):
    def check(self, text):
        user, home = pwd.getpwuid(os.geteuid()).pw_name, os.path.expanduser("~")
        for secret in {socket.gethostname(), user, str(self.folder), home, os.environ["POCL_CACHE_DIR"], "private"}:
            found = re.search(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", text)
            self.assertIsNone(found, found and text[max(found.start() - 60, 0):found.end() + 60])

    def test_no_host_no_user_no_path(self):
        self.run_tiny("--anonymize", "--output", "private.json", output="private.json")
        text = (self.folder / "private.json").read_text()
        self.check(text)
        self.assertIsNone(json.loads(text)["host"]["hostname"])
        self.assertEqual(json.loads(text)["settings"]["command"].count("<path>"), 3)

    def test_default_name(self):
        self.benchmark("run", *TINY, "--budget", "0.1", "--anonymize", env=layer())
        (path,) = (self.folder / "results").iterdir()
        self.assertRegex(path.name, r"\Aanonymous-\d{8}T\d{6}Z\.json\Z")

    def test_no_path_in_a_reason(self):
        kernels = self.folder / "private-kernels"
        subprocess.run(["cp", "-r", os.environ["BM_SOURCE_DIR"] + "/kernels", kernels], check=True)
        (kernels / "gemv.cl").unlink()
        (kernels / "gemm.cl").write_text("kernel void broken( {\n")
        for folder in "private-kernels", "./private-kernels", str(kernels):
            result, _ = self.run_tiny("--anonymize", "--kernels", folder, output="private.json", code=1)
            text = (self.folder / "private.json").read_text()
            self.check(text)
            self.assertIn("<path>: No such file or directory", text)
            self.assertIn("error: <path>:1:", text)
            self.assertIn("CL_BUILD_PROGRAM_FAILURE", text)


class Memory(ProgramTest):
    """What does not fit is skipped with its reason, and no failure."""

    def test_a_small_device(self):
        result, document = self.run_tiny("--model", "llama2-7b", env=layer(64 * MIB))
        for row in document["results"]:
            if row["case"]["op"] in ("qkv", "ffn_gate_up", "ffn_down", "lm_head"):
                self.assertEqual((row["status"], row["verification"]["status"]), ("skipped", "not_run"), row)
                self.assertRegex(row["reason"], r"\d.* [KMG]iB")
                self.assertNotRegex(row["reason"], r"\b0\.00 GiB")
        self.assertEqual({row["status"] for row in document["results"] if row["case"]["phase"] is None}, {"ok"})
        for item in document["devices"][0]["summary"]:
            self.assertIn("ffn_down", item["missing"])
        self.assertRegex(result.out, r"skipped: .*GiB|skipped: .*MiB")

    def test_a_model_that_no_machine_holds(self):
        self.write("huge.json", {**MODEL, "id": "huge", "hidden": 65536, "head_dim": 128, "heads": 512, "kv_heads": 512,
                                 "attention": "mha", "vocabulary": 16777216, "intermediate": 1048576})
        _, document = self.run_tiny("--model", "./huge.json", "--workload", "gemv", "--phase", "decode", env={})
        rows = [row for row in document["results"] if row["case"]["op"] == "lm_head"]
        self.assertEqual([row["status"] for row in rows], ["skipped"] * 2)

    def test_verify_skips_likewise(self):
        result = self.benchmark("verify", *TINY, "--model", "llama2-7b", "--workload", "gemm", env=layer(64 * MIB))
        self.assertRegex(result.out, r"passed, 0 failed, [1-9]\d* skipped")


class Experts(ProgramTest):
    MIXTURE = {**MODEL, "id": "mixture", "moe": {"experts": 8, "experts_per_token": 2, "shared_experts": 0, "intermediate": 48, "dense_layers": 0}}

    def test_routing_is_recorded(self):
        self.write("mixture.json", self.MIXTURE)
        _, document = self.run_tiny("--model", "./mixture.json", "--workload", "grouped_gemm")
        rows = [row for row in document["results"] if row["case"]["workload"] == "grouped_gemm"]
        self.assertEqual(sorted((row["case"]["op"], row["case"]["m"], row["case"]["dtype"]) for row in rows),
                         [(op, m, dtype) for op in ("experts_down", "experts_gate_up") for m in (1, 16) for dtype in ("f16", "f32")])
        for row in rows:
            routing, m = row["routing"], row["case"]["m"]
            self.assertEqual((row["status"], routing["kind"], routing["experts"], routing["experts_per_token"], routing["groups"]),
                             ("ok", "uniform", 8, 2, None))
            self.assertAlmostEqual(routing["experts_expected"], 8 * (1 - (1 - 2 / 8) ** m))
            self.assertEqual(row["flops"], 2 * 2 * m * row["case"]["n"] * row["case"]["k"])
            self.assertTrue(routing["experts_occurred"] == 2 if m == 1 else 7 < routing["experts_occurred"] <= 8, routing)

    def test_experts_that_do_not_fit(self):
        _, document = self.run_tiny("--model", "mixtral-8x7b", "--workload", "grouped_gemm", "--phase", "decode", "--dtype", "f16")
        rows = [row for row in document["results"] if row["case"]["workload"] == "grouped_gemm"]
        self.assertEqual([row["status"] for row in rows], ["skipped"] * 2)
        for row in rows:
            self.assertRegex(row["reason"], r"all 8 experts need \d.* GiB")
            self.assertIsNone(row["routing"]["experts_occurred"])


class Resume(ProgramTest):
    def test_rounds_are_kept(self):
        _, first = self.run_tiny(output="first.json")
        _, second = self.run_tiny("--resume", "first.json", output="second.json")
        before = {row["key"]: row["rounds"] for row in first["results"]}
        for row in second["results"]:
            self.assertEqual(row["rounds"][: len(before[row["key"]])], before[row["key"]])
            self.assertEqual(row["status"], "ok")

    def test_other_threads_start_anew(self):
        words = ("--workload", "gemv", "--phase", "decode", "--dtype", "f32", "--backend", "opencl")
        _, first = self.run_tiny(*words, "--threads", "1", output="one.json")
        said, second = self.run_tiny(*words, "--threads", "2", "--resume", "one.json", output="two.json")
        self.assertIn("other kernel parameters or threads and start anew", said.err)
        before = {row["key"]: row for row in first["results"]}
        for row in second["results"]:
            self.assertEqual((before[row["key"]]["threads"], row["threads"]), (1, 2))
            self.assertNotEqual(row["rounds"][0], before[row["key"]]["rounds"][0])

    def test_rows_that_are_not_planned_again_are_not_lost(self):
        self.run_tiny(output="mine.json")
        before = (self.folder / "mine.json").read_bytes()
        for words in ("--phase", "decode"), ("--dtype", "f16"), ("--tokens", "8"):
            self.refused("run", *TINY, *words, "--resume", "mine.json", env=layer(),
                         says=("mine.json: $.results[", "would be lost", "options of the interrupted run"))
        self.assertEqual((self.folder / "mine.json").read_bytes(), before)
        _, wider = self.run_tiny("--batch", "1,2", "--resume", "mine.json", output="wider.json")
        self.assertEqual({row["status"] for row in wider["results"]}, {"ok"})

    def test_a_pass_of_layers_goes_on(self):
        words = ("--workload", "layer", "--phase", "decode", "--dtype", "f32")
        _, first = self.run_tiny(*words, output="layers.json")
        _, second = self.run_tiny(*words, "--resume", "layers.json", output="layers2.json")
        self.assertEqual([row["key"] for row in first["results"]], [row["key"] for row in second["results"]])

    def test_what_cannot_be_gone_on_with(self):
        self.run_tiny(output="first.json")
        self.refused("run", *TINY, "--resume", "absent.json", says=("absent.json", "No such file"))
        self.refused("run", *TINY, "--resume", "./tiny.json", says="./tiny.json")
        self.refused("run", *TINY, "--resume", "first.json", "--cache", "hot", "--output", "x.json", env=layer(),
                     says=("first.json", "$.settings.cache", "--cache cold"))
        self.refused("run", *TINY, "--resume", "first.json", "--output", "x.json", env=layer(two_platforms=1),
                     says=("first.json", "$.devices[0].fingerprint"))
        whole = (self.folder / "first.json").read_text()
        self.write("cut.json", whole[: len(whole) // 2])
        self.refused("run", *TINY, "--resume", "cut.json", "--output", "x.json", env=layer(), says=("cut.json:", "not valid JSON"))
        self.write("newer.json", whole.replace('"schema_version": "1.0"', '"schema_version": "2.0"'))
        self.refused("run", *TINY, "--resume", "newer.json", "--output", "x.json", env=layer(), says=("newer.json", "2.0"))


if __name__ == "__main__":
    main()
