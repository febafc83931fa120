"""What a run would do (--dry-run), its selectors, and the listings."""

import json
import os
import re
import subprocess

from harness import OPS, SUITE, TINY, ProgramTest, layer, main

CEILINGS = ["stream/-/-/read/-/-", "stream/-/-/copy/-/-", "cache/-/-/llc_read/-/-/hot", "fma/-/-/f32_vector/-/-"]
INNER = ["cache/-/-/l2_read/-/-/hot", "cache/-/-/l1_read/-/-/hot"]  # when hot rows are to be judged
LAYER_OPS = ("rmsnorm", "layernorm", "swiglu", "gelu", "residual", "rope", "softmax", "topk", "embedding", "kv_write")
MATRICES = {"qkv": (12288, 4096), "attn_out": (4096, 4096), "ffn_gate_up": (22016, 4096), "ffn_down": (4096, 11008),
            "lm_head": (32000, 4096)}  # of Llama 2 7B: n, k


class PlanTest(ProgramTest):
    def plan(self, *words, suite=TINY, env=None):
        """The planned cases, by --format json."""
        return json.loads(self.benchmark("run", "--dry-run", *suite, "--format", "json", *words, env=env).out)["cases"]

    def keys(self, *words, **options):
        """Keys of the planned rows, without the ceilings that every plan has."""
        keys = [case["key"] for case in self.plan(*words, **options) if case["key"] not in INNER]
        for ceiling in CEILINGS:
            self.assertIn(ceiling, keys)
            keys.remove(ceiling)
        return keys


class Plan(PlanTest):
    def test_quick_has_every_matmul_and_attention_of_llama2_7b(self):
        expected = []
        for dtype in "f32", "f16":
            for op, (n, k) in MATRICES.items():
                workload, m = ("gemv", 1) if op == "lm_head" else ("gemm", 128)
                expected.append(f"{workload}/llama2-7b/prefill/{op}/{dtype}/m{m}n{n}k{k}")
                expected.append(f"gemv/llama2-7b/decode/{op}/{dtype}/m1n{n}k{k}")
            expected.append(f"attention/llama2-7b/prefill/attn/{dtype}/b1h32kv32d128t128")
            expected.append(f"attention/llama2-7b/decode/attn/{dtype}/b1h32kv32d128c1024/kv{dtype}")
        self.assertEqual(sorted(self.keys(suite=("--suite", "quick"))), sorted(expected))

    def test_work_of_a_case(self):
        for case in self.plan(suite=("--suite", "quick")):
            if shape := re.search(r"/(f32|f16)/m(\d+)n(\d+)k(\d+)$", case["key"]):
                size, (m, n, k) = {"f32": 4, "f16": 2}[shape[1]], map(int, shape.groups()[1:])
                self.assertEqual(case["flops"], 2 * m * n * k)
                self.assertEqual(case["bytes"], size * (n * k + m * k + m * n))
            elif case["key"].startswith("attention/llama2-7b/decode/attn/f16"):
                self.assertEqual(case["flops"], 4 * 32 * 1024 * 128)
                self.assertEqual(case["bytes"], 2 * (2 * 1024 * 32 * 128 + 2 * 32 * 128))

    def test_equal_work_is_measured_once(self):
        shared = {case["key"]: case["measured_as"] for case in self.plan(suite=("--suite", "quick")) if case["measured_as"]}
        self.assertEqual(shared, {f"gemv/llama2-7b/decode/lm_head/{dtype}/m1n32000k4096":
                                  f"gemv/llama2-7b/prefill/lm_head/{dtype}/m1n32000k4096" for dtype in ("f32", "f16")})

    def test_the_same_seed_gives_the_same_plan(self):
        for words in ("--format", "json"), ("--format", "text"), ():
            plans = {self.benchmark("run", "--dry-run", *TINY, "--seed", "7", *words).out for _ in range(3)}
            self.assertEqual(len(plans), 1)

    def test_text_and_json_tell_the_same_cases(self):
        result = self.benchmark("run", "--dry-run", *TINY)
        rows = [line.split()[:3] for line in result.out.split("\n\n")[0].splitlines()[1:]]
        self.assertEqual(rows, [[case["device"], case["backend"], case["key"]] for case in self.plan()])
        measured = sum(case["measured_as"] is None for case in self.plan())
        self.assertIn(f"suite tiny: {len(rows)} cases, {measured} to measure, budget 2 s", result.out)
        self.assertEqual(result.err, "")

    def test_a_plan_touches_nothing(self):
        before = sorted(os.listdir(self.folder))
        self.plan()
        self.benchmark("run", "--dry-run", *TINY, "--output", "planned.json")
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_budget_is_the_suites_unless_given(self):
        out = self.benchmark("run", "--dry-run", "--suite", "quick").out
        self.assertIn("budget 90 s", out)
        self.assertIn("budget 7 s", self.benchmark("run", "--dry-run", "--suite", "quick", "--budget", "7").out)

    def test_the_gates_suite_leaves_its_time_to_the_rows(self):
        rows = self.plan("--device", "cpu0", "--backend", "opencl/pocl", suite=("--suite", "gate"))
        self.assertEqual({row["key"].split("/")[0] for row in rows}, {"gemm", "attention", "gemv"}, "no ceilings")
        self.assertEqual(len(rows), 11)
        # one format of weights, hence one arena to fill: most of what a process does before it measures
        self.assertEqual({row["key"].split("/")[4] for row in rows}, {"f16"})

    def test_verify_plans_the_same_rows(self):
        self.assertEqual(json.loads(self.benchmark("verify", "--dry-run", *TINY, "--format", "json").out)["cases"], self.plan())


    def test_a_prompt_in_chunks(self):
        """A later chunk attends over the earlier ones; all else is the same work."""
        keys = self.keys("--phase", "prefill", "--dtype", "f16", "--past", "16,32")
        self.assertEqual([key for key in keys if "attention" in key], [
            f"attention/tiny/prefill/attn/f16/b1h2kv1d16t16{past}" for past in ("", "c16", "c32")])
        self.assertEqual(len(keys), len(OPS) + 2)
        self.refused("run", "--dry-run", *TINY, "--past", "49", says=("--past 49 and --tokens 16", "maximum context, 64"))
        self.refused("run", "--dry-run", *TINY, "--past", "65", says="--past must be from 1 to")
        self.assertEqual(self.keys("--phase", "decode", "--past", "16"), self.keys("--phase", "decode"))

    def test_a_share_of_a_model(self):
        keys = self.keys("--phase", "decode", "--dtype", "f16", "--model", "llama2-7b", "--context", "1024", "--count", "4")
        self.assertIn("gemv/llama2-7b-tp4/decode/qkv/f16/m1n3072k4096", keys)
        self.assertIn("gemv/llama2-7b-tp4/decode/attn_out/f16/m1n4096k1024", keys)
        self.assertIn("gemv/llama2-7b-tp4/decode/ffn_down/f16/m1n4096k2752", keys)
        self.assertIn("attention/llama2-7b-tp4/decode/attn/f16/b1h8kv8d128c1024/kvf16", keys)
        self.refused("run", "--dry-run", *TINY, "--count", "3", says="tiny: heads, 2, do not divide among --count 3")
        self.refused("run", "--dry-run", *TINY, "--count", "1,2", says="--count: give one number of devices")


class Selectors(PlanTest):
    def parts(self, index, *words, **options):
        return {key.split("/")[index] for key in self.keys(*words, **options)}

    def test_phase(self):
        self.assertEqual(self.parts(2), {"prefill", "decode"})
        self.assertEqual(self.parts(2, "--phase", "decode"), {"decode"})
        self.assertEqual(self.parts(2, "--phase", "decode,prefill"), {"prefill", "decode"})

    def test_dtype(self):
        self.assertEqual(self.parts(4), {"f32", "f16"})
        self.assertEqual(self.parts(4, "--dtype", "f16"), {"f16"})
        self.assertEqual(self.keys("--dtype", "f16,f16"), self.keys("--dtype", "f16"))

    def test_kv(self):
        def caches(*words):
            return {key.rsplit("/", 1)[1] for key in self.keys("--phase", "decode", "--workload", "attention", "--dtype", "f16", *words)}
        self.assertEqual(caches(), {"kvf16"})
        self.assertEqual(caches("--kv", "int8"), {"kvint8"})
        self.assertEqual(caches("--kv", "f16,int8"), {"kvf16", "kvint8"})

    def test_workload(self):
        self.assertEqual(self.parts(0, "--workload", "attention"), {"attention"})
        self.assertEqual(self.parts(0, "--workload", "gemm,gemv"), {"gemm", "gemv"})
        self.assertEqual(self.keys("--workload", "stream"), [])

    def test_steps_end_at_the_longest_context(self):
        words = ("run", "--model", "./tiny.json", "--dtype", "f32", "--phase", "decode", "--workload", "layer", "--context", "20,40,30",
                 "--batch", "1,2", "--dry-run", "--format", "json")
        def passes(*more):
            plan = json.loads(self.benchmark(*words, *more, env=layer()).out)
            return {case["key"]: case for case in plan["cases"] if case["key"].startswith("layer/")}
        single = {f"layer/tiny/decode/pass/f32/b{b}t1c{c}l2" for b in (1, 2) for c in (20, 30, 40)}
        self.assertEqual(set(passes()), single)
        chains = {f"layer/tiny/decode/pass/f32/b{b}t21c40l2" for b in (1, 2)}
        found = passes("--generate", "21")
        self.assertEqual(set(found), single | chains)
        # Attention alone grows, by the same for every token: 21 steps up to 40 are 21 of the middle one, at 30.
        for b in (1, 2):
            self.assertAlmostEqual(found[f"layer/tiny/decode/pass/f32/b{b}t21c40l2"]["flops"],
                                   21 * found[f"layer/tiny/decode/pass/f32/b{b}t1c30l2"]["flops"], delta=1)
        self.refused(*words, "--generate", "41", says=("--generate 41", "40", "--context"), env=layer())
        self.refused(*words, "--generate", "4,5", says="--generate: give one number", env=layer())

    def test_a_layer_has_every_op(self):
        """A suite that names no workloads plans all that the model has; --workload selects among them too."""
        entry = {name: value for name, value in SUITE["entries"][0].items() if name != "workloads"}
        self.write("whole.json", {**SUITE, "entries": [{**entry, "dtypes": ["bf16"]}]})
        whole = ("--suite", "./whole.json")
        ops = {"embedding": "embedding", "norm": "rmsnorm", "final_norm": "rmsnorm", "rope": "rope", "kv_write": "kv_write", "act": "swiglu",
               "residual": "residual", "softmax": "softmax"}
        planned = {key.split("/")[3]: key.split("/")[0] for key in self.keys("--phase", "prefill", suite=whole)}
        self.assertEqual(planned, {**dict.fromkeys(OPS, "gemm"), "attn": "attention", "lm_head": "gemv", **ops})
        self.assertEqual(self.parts(0, "--workload", "rope,softmax", suite=whole), {"rope", "softmax"})
        self.assertEqual(self.parts(0, "--workload", "rope"), {"rope"}, "the option's in place of the suite's")

    def test_model(self):
        self.assertEqual(self.parts(1, "--model", "tinyllama-1.1b,llama2-7b"), {"tinyllama-1.1b", "llama2-7b"})
        self.assertEqual(self.parts(1, "--model", "DeepSeek-R1"), {"deepseek-v3"})

    def test_experts_of_a_mixture(self):
        for phase, m in ("decode", 1), ("prefill", 6):
            keys = self.keys("--model", "mixtral-8x7b", "--phase", phase, "--tokens", "6", "--dtype", "f16", "--workload", "grouped_gemm")
            self.assertEqual(sorted(keys), [f"grouped_gemm/mixtral-8x7b/{phase}/experts_down/f16/m{m}n4096k14336e8t2/uniform/pairs",
                                            f"grouped_gemm/mixtral-8x7b/{phase}/experts_gate_up/f16/m{m}n28672k4096e8t2/uniform"])

    def test_routing(self):
        words = ("--model", "mixtral-8x7b", "--phase", "decode", "--dtype", "f16", "--workload", "grouped_gemm")
        for routing in "uniform", "zipf":
            for key in self.keys(*words, "--routing", routing):
                self.assertIn("/" + routing, key)
        error = self.benchmark("run", "--dry-run", "--routing", "random", code=2).err
        self.assertIn("'random' is not uniform|zipf", error)

    def test_batches_tokens_and_contexts(self):
        shapes = self.parts(5, "--batch", "1,3", "--tokens", "5,6", "--context", "7,8", "--workload", "attention", "--dtype", "f32")
        self.assertEqual(shapes, {f"b{batch}h2kv1d16{length}" for batch in (1, 3) for length in ("t5", "t6", "c7", "c8")})
        rows = [key.split("/")[5].split("n")[0] for key in self.keys("--batch", "3", "--tokens", "5", "--phase", "prefill",
                                                                      "--workload", "gemm", "--dtype", "f32")]
        self.assertEqual(rows, ["m15"] * 4 + ["m3"])  # lm_head: the last token of each sequence alone

    def test_hot_rows_have_keys_of_their_own(self):
        self.assertEqual(self.keys("--cache", "hot"), [f"{key}/hot" for key in self.keys()])
        cold = {case["key"] for case in self.plan("--cache", "cold")}
        self.assertFalse(cold & set(INNER), "no cold row is judged by them")
        self.assertEqual(self.keys("--cache", "cold"), self.keys())

    def test_device_and_backend(self):
        cases = self.plan("--device", "cpu0", "--backend", "opencl/pocl")
        for selector in ("--device", "cpu"), ("--device", "CPU0"), ("--backend", "opencl"):
            self.assertEqual(self.plan(*selector, "--backend", "opencl/pocl"), cases)
        name = json.loads(self.benchmark("devices", "--format", "json").out)["devices"][0]["name"]
        self.assertEqual(self.plan("--device", name[1:].upper()), cases)

    def test_selectors_that_leave_nothing(self):
        entry = {name: value for name, value in SUITE["entries"][0].items() if name != "contexts"}
        self.write("prefill.json", {**SUITE, "entries": [{**entry, "phases": ["prefill"]}]})
        self.refused("run", "--dry-run", "--suite", "./prefill.json", "--phase", "decode", says=("selectors", "tiny"))
        # ceilings of work that no model has would be measured for nothing
        self.refused("run", "--dry-run", *TINY, "--workload", "mamba_scan", says=("selectors", "tiny", "no such work"))
        self.plan("--workload", "mamba_scan,gemm")

    def test_steps_without_a_pass_are_refused(self):
        self.refused("run", "--dry-run", *TINY, "--generate", "4", says="--generate: no whole pass is planned: add --workload layer")

    def test_rows_of_the_selected_backend_and_ceilings_of_every_one(self):
        env = layer(two_platforms=1)
        both = self.plan(env=env)
        one = self.plan("--backend", "opencl/second-platform", env=env)
        self.assertEqual({case["backend"] for case in both}, {"opencl/pocl", "opencl/second-platform"})
        self.assertEqual([case["key"] for case in one if case["backend"] == "opencl/pocl"], CEILINGS)
        self.assertEqual(len(one), len(both) // 2 + len(CEILINGS))


class Listings(ProgramTest):
    def listing(self, command):
        text, parsed = self.benchmark(command), self.benchmark(command, "--format", "json")
        self.assertEqual((text.err, parsed.err), ("", ""))
        document = json.loads(parsed.out)
        self.assertEqual(list(document), [command] + {"devices": ["warnings"], "workloads": ["dtypes"]}.get(command, []))
        for item in document[command]:
            name = item["name" if command in ("workloads", "suites") else "id"]
            self.assertRegex(text.out, rf"(?m)^{re.escape(name)}\b")
        return document[command], text.out

    def test_models(self):
        models, text = self.listing("models")
        self.assertEqual(len(models), len(os.listdir(os.environ["BM_SOURCE_DIR"] + "/bench/models")))
        llama = next(model for model in models if model["id"] == "llama2-7b")
        self.assertEqual((llama["layers"], llama["hidden"], llama["max_context"], llama["parameters"]), (32, 4096, 4096, 6738415616))
        self.assertEqual(len(text.splitlines()), len(models) + 1)
        for model in models:
            for name in model["id"], *model["aliases"]:
                self.benchmark("run", "--dry-run", *TINY, "--model", name)

    def test_models_by_name_and_by_file(self):
        (self.folder / "Some-Llama").mkdir(exist_ok=True)
        config = {"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                  "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 256}
        path = self.write("Some-Llama/config.json", config)
        models = json.loads(self.benchmark("models", "deepseek-r1", "./tiny.json", path, "--format", "json").out)["models"]
        self.assertEqual([model["id"] for model in models], ["deepseek-v3", "tiny", "some-llama"])
        # by hand: 2 layers of 64 x (64 + 2 x 32) + 64 x 64 + 3 x 64 x 128, 5 norms, embedding and head
        self.assertEqual(models[2]["parameters"], 2 * (64 * 128 + 64 * 64 + 3 * 64 * 128) + 5 * 64 + 2 * 100 * 64)
        self.assertEqual(models[2]["kv_bytes_per_token"], 2 * 2 * 2 * 2 * 16)
        self.assertIsNone(models[2]["published_parameters"])
        self.assertIn("qkv/f32/m16n128k64", self.benchmark("run", "--dry-run", *TINY, "--model", path).out)
        for key, value, says in (("num_hidden_layers", 0, "$.num_hidden_layers: must be a whole number from 1 to 1000 (is 0)"),
                                 ("num_key_value_heads", 3, "must divide"), ("hidden_size", 2**63 - 1, "to 1048576"),
                                 ("architectures", ["BertModel"], "'BertModel' is none of the families that are understood: llama")):
            self.write("Some-Llama/config.json", {**config, key: value})
            for words in ("models", path), ("run", "--dry-run", "--model", path):
                self.refused(*words, says=("Some-Llama/config.json: $.", says))

    def test_suites(self):
        suites, _ = self.listing("suites")
        self.assertEqual([suite["name"] for suite in suites], ["gate", "quick", "standard", "full"])
        for suite in suites:
            self.assertIn(f"budget {suite['budget_s']:.0f} s", self.benchmark("run", "--dry-run", "--suite", suite["name"]).out)

    def test_workloads(self):
        workloads, text = self.listing("workloads")
        for dtype in "f32", "f16", "bf16", "int8", "int8af32", "int8af16", "int4af32", "int4af16":
            self.assertRegex(text, rf"(?m)^{dtype} ")
            self.benchmark("run", "--dry-run", *TINY, "--dtype", dtype)
        kinds = {workload["name"]: workload["kind"] for workload in workloads}
        ceilings = {"stream", "cache", "fma", "launch", "transfer"}
        operations = {"gemm", "gemv", "grouped_gemm", "attention", "rmsnorm", "layernorm", "swiglu", "gelu", "residual", "rope",
                      "softmax", "topk", "embedding", "kv_write", "mla", "mamba_conv", "mamba_scan", "combine", "kv_expand", "layer"}
        self.assertEqual(kinds, {**dict.fromkeys(ceilings, "ceiling"), **dict.fromkeys(operations, "operation")})

    def test_devices(self):
        devices, text = self.listing("devices")
        cpu = devices[0]
        self.assertEqual((cpu["id"], cpu["kind"], cpu["missing"]), ("cpu0", "cpu", None))
        self.assertRegex(cpu["fingerprint"], r"\A[0-9a-f]{64}\Z")
        self.assertGreater(cpu["memory_bytes"], 1 << 28)
        self.assertLessEqual(cpu["compute_units"], os.cpu_count())
        pocl = cpu["backends"][0]
        self.assertEqual((pocl["id"], pocl["usable"], pocl["reason"]), ("opencl/pocl", True, None))
        self.assertLessEqual(pocl["max_allocation_bytes"], pocl["memory_bytes"])
        self.assertIn("backend    opencl/pocl, driver ", text)

    def test_warnings_name_the_mend(self):
        """What spoils a run differs from machine to machine; text and JSON say the same kinds of it."""
        text = self.benchmark("devices").out
        warnings = json.loads(self.benchmark("devices", "--format", "json").out)["warnings"]
        for line in warnings:
            self.assertRegex(line, r": .")
            self.assertIn("  " + line.split()[0], text.partition("\nwarnings\n")[2])

    def test_no_driver_at_all(self):
        nothing = {"OCL_ICD_VENDORS": "/nonexistent"}
        out = self.benchmark("devices", env=nothing).out
        self.assertRegex(out, r"(?m)^cpu0: ")
        said = "OCL_ICD_VENDORS=/nonexistent names no driver of it; without that: apt-get install pocl-opencl-icd"
        self.assertIn(f"missing    {said}\n", out)
        cpu = json.loads(self.benchmark("devices", "--format", "json", env=nothing).out)["devices"][0]
        self.assertEqual((cpu["id"], cpu["backends"], cpu["missing"]), ("cpu0", [], said))
        for words in ("run",), ("verify",), ("run", "--dry-run"), ("run", "--backend", "opencl"), ("run", "--device", "cpu"):
            self.refused(*words, *TINY, code=5, env=nothing, says=("no usable device", "benchmark devices"))
        self.refused("run", *TINY, "--model", "xyz", env=nothing, says="'xyz'")  # a wrong word is told all the same

    def test_pocl_without_a_place_for_its_cache(self):
        """As in a container whose user has no home: PoCL then has a platform without a device."""
        said = self.benchmark("devices", env={"POCL_CACHE_DIR": "/dev/null/cache"})
        self.assertNotIn("opencl/pocl", said.out)
        self.assertRegex(said.err, "\\Abenchmark: warning: opencl/pocl lists no device: let POCL_CACHE_DIR name a folder .*\n\\Z")

    def test_a_reader_of_one_line(self):
        for command in "models", "devices":
            done = subprocess.run(["sh", "-c", f'"$BM_PROGRAM" {command} | head -n 1; '], cwd=self.folder, env=self.environment,
                                  capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr, done.stdout.count(b"\n")), (0, b"", 1))


if __name__ == "__main__":
    main()
