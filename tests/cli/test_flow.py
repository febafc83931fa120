"""A whole pass on data that flows: verified op by op and as a whole; kernels that are right alone are found wrong in it."""

import shutil

from harness import MIB, MODEL, TESTS, ProgramTest, layer, main

KERNELS = TESTS.parent / "kernels"
ARGUMENTS = ("--model", "./tiny.json", "--workload", "layer", "--batch", "2", "--tokens", "12", "--context", "20",
             "--generate", "3", "--quiet")
PREFILL, STEPS = {"layer/tiny/prefill/pass/f32/b2t12l2"}, {"layer/tiny/decode/pass/f32/b2t3c20l2"}
DECODE = STEPS | {"layer/tiny/decode/pass/f32/b2t1c20l2"}
ALL = PREFILL | DECODE
LATENT = {**MODEL, "kv_heads": 2, "head_dim": 32, "attention": "mla",
          "mla": {"q_lora": 24, "kv_lora": 32, "qk_nope_dim": 16, "qk_rope_dim": 16, "v_dim": 16},
          "moe": {"experts": 8, "experts_per_token": 2, "shared_experts": 1, "intermediate": 48, "dense_layers": 1}}
SINKS = {**MODEL, "heads": 4, "kv_heads": 2, "sliding_window": 8, "attention_sinks": True,  # as gpt-oss
         "moe": {"experts": 8, "experts_per_token": 2, "shared_experts": 0, "intermediate": 48, "dense_layers": 0}}
NORMALISED = {**MODEL, "qk_norm": "before_rope"}
HYBRID = {**MODEL, "layers": 6, "hybrid": {"attention_layers": 1, "mamba_layers": 2, "ffn_layers": 3},
          "mamba": {"version": 2, "state": 16, "heads": 4, "head_dim": 16, "groups": 2, "chunk": 8, "conv": 4}}


def named(keys, model):
    """As of this model: a mixer of a hybrid, with the FFN after it, is a layer."""
    hybrid = model.get("hybrid")
    layers = hybrid["attention_layers"] + hybrid["mamba_layers"] if hybrid else model["layers"]
    return {key.replace("l2", f"l{layers}") for key in keys}


class Flow(ProgramTest):
    def verify(self, *words, code=0):
        """Rows of whole passes by key, and the keys of all others that failed."""
        (self.folder / "flow.json").unlink(missing_ok=True)
        self.benchmark("verify", *ARGUMENTS, *words, "--output", "flow.json", code=code, env=layer(memory=128 * MIB))
        rows = self.load("flow.json")["results"]
        passes = {row["key"]: row for row in rows if row["case"]["workload"] == "layer"}
        return passes, [row["key"] for row in rows if row["status"] == "failed" and row["key"] not in passes]

    def whole(self, model=MODEL):
        self.write("tiny.json", model)
        passes, failed = self.verify("--dtype", "f32")
        self.assertEqual(failed, [])
        self.assertEqual(set(passes), named(ALL, model))
        for row in passes.values():
            self.assertEqual((row["status"], row["kernel"]["variant"]), ("ok", "flow"))
            self.assertEqual(row["verification"]["reference"], "float64, op by op and whole")
            self.assertLess(0, row["verification"]["max_relative_error"])
            self.assertLess(row["verification"]["max_relative_error"], row["verification"]["tolerance"])

    def test_passes_are_verified_whole(self):
        self.whole()

    def test_latent_attention_and_experts(self):
        """Both forms of the attention, and a sum that begins with the shared expert's output."""
        self.whole(LATENT)

    def test_mamba_beside_attention(self):
        self.whole(HYBRID)

    def test_sinks_and_a_window(self):
        """All layers have sinks, every second one sees a window."""
        self.whole(SINKS)
        passes, failed = self.verify("--dtype", "f16")
        self.assertEqual((failed, {row["reason"] for row in passes.values()}), ([], {None}))
        rows = {row["key"]: row["case"].get("sinks") for row in self.load("flow.json")["results"] if row["case"]["workload"] == "attention"}
        self.assertEqual(set(rows.values()), {True})
        self.assertEqual({key.split("/", 5)[-1] for key in rows}, {
            "b2h4kv2d16t12/sinks", "b2h4kv2d16t12w8/sinks", "b2h4kv2d16c20/kvf16/sinks", "b2h4kv2d16c8/kvf16/sinks"})

    def test_normalised_heads(self):
        """Before the rotation, and after it by a layer whose keys the next one uses."""
        self.whole(NORMALISED)
        self.whole({**MODEL, "qk_norm": "after_rope", "kv_shared_layers": 2})

    def test_normalised_heads_in_other_formats(self):
        """Without ceilings: with theirs, rotating sets of three formats do not fit so small a device."""
        self.write("tiny.json", NORMALISED)
        entry = {"models": ["./tiny.json"], "workloads": ["layer"], "phases": ["prefill", "decode"], "batches": [2], "tokens": [12], "contexts": [20]}
        for dtype in ("f16", "bf16", "int8", "int4af16"):
            self.write("suite.json", {"name": "flow", "description": "Passes", "budget_s": 1, "ceilings": "none", "entries": [{**entry, "dtypes": [dtype]}]})
            passes, failed = self.verify("--suite", "./suite.json")
            self.assertEqual((failed, {row["reason"] for row in passes.values()}, len(passes)), ([], {None}, 3), dtype)

    def test_number_formats(self):
        self.write("tiny.json", MODEL)
        for dtype in ("f16", "int8af32"):
            passes, failed = self.verify("--dtype", dtype)
            self.assertEqual((failed, {row["reason"] for row in passes.values()}), ([], {None}), dtype)

    def test_an_int8_cache(self):
        """Steps leave quantised keys and values to the next ones; a prompt does not have such a cache."""
        self.write("tiny.json", MODEL)
        passes, failed = self.verify("--dtype", "f32", "--phase", "decode", "--kv", "int8")
        self.assertEqual((failed, len(passes)), ([], 2))
        for row in passes.values():
            self.assertEqual((row["status"], row["verification"]["reference"]), ("ok", "float64, op by op"), row)
        self.wrong("gather.cl", "line * key_scale_pitch", "line * tokens", {key + "/kvint8" for key in DECODE}, "kv_write",
                   words=("--dtype", "f32", "--kv", "int8"))

    def wrong(self, file, old, new, expected, op, model=MODEL, words=("--dtype", "f32")):
        """With `old` replaced in a kernel, all ops of their phases pass by themselves; the passes in `expected` fail, and name the op."""
        self.write("tiny.json", model)
        folder = self.folder / "kernels"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(KERNELS, folder)
        source = (folder / file).read_text()
        self.assertIn(old, source)
        (folder / file).write_text(source.replace(old, new))
        phases = [name for name, keys in (("prefill", PREFILL), ("decode", DECODE)) if any(key.split("/kv")[0] in keys for key in expected)]
        passes, failed = self.verify(*words, "--phase", ",".join(phases), "--kernels", str(folder), code=1)
        self.assertEqual(failed, [])
        self.assertEqual({key for key, row in passes.items() if row["status"] == "failed"},
                         named(expected, model))
        for row in passes.values():
            if row["status"] == "failed":
                self.assertRegex(row["reason"], rf"\Averification failed: {op} \(number \d+\): ")

    def test_queries_as_if_rows_held_nothing_else(self):
        self.wrong("attention.cl", "token * query_pitch", "token * (heads * HEAD_DIM)", PREFILL, "attn")

    def test_keys_as_if_the_cache_were_full(self):
        decode = "(void)key_scale, (void)value_scale;\n    keys += keys_offset + kv * "
        self.wrong("attention.cl", decode + "key_pitch", decode + "context * HEAD_DIM", STEPS, "attn")

    def test_a_rotation_in_rows_of_its_own(self):
        self.wrong("rope.cl", "row * to_pitch", "(ulong)row * heads * HEAD_DIM", ALL, "rope")

    def test_new_tokens_side_by_side(self):
        self.wrong("gather.cl", "(ulong)batch * kv_heads * key_pitch", "(ulong)batch * kv_heads * tokens * HEAD_DIM", DECODE, "kv_write")

    def test_the_last_token_of_the_first_sequence_for_all(self):
        self.wrong("norm.cl", "(row * (pitch))", "(row * (ulong)n)", PREFILL, "final_norm")

    def test_heads_as_if_rows_held_no_values(self):
        self.wrong("norm.cl", "token * (pitch)", "token * (ulong)(heads * n)", ALL, "qk_norm", NORMALISED)

    def test_heads_that_are_not_normalised_where_they_stand_with_values(self):
        self.wrong("norm.cl", "const float factor = 1.0f / sqrt(squares / n + epsilon);",
                   "const float factor = to_pitch > 3 * n ? 1.0f : 1.0f / sqrt(squares / n + epsilon);",
                   ALL, "qk_norm", {**NORMALISED, "qk_norm": "after_rope"})

    def test_latents_side_by_side(self):
        self.wrong("gemm.cl", "SOURCE_ROW(row) * pitch", "SOURCE_ROW(row) * (long)k", ALL, "kv_b(_queries)?", LATENT)

    def test_latents_as_if_the_cache_were_full(self):
        self.wrong("mla.cl", "batch * cache_pitch", "(ulong)batch * context * K_DIM", STEPS, "attn", LATENT)

    def test_the_rotated_part_side_by_side(self):
        self.wrong("gather.cl", "row * shared_pitch", "row * SHARED_DIM", PREFILL, "kv_expand", LATENT)

    def test_numbers_of_experts_for_their_weights(self):
        self.wrong("elementwise.cl", "token * weights_pitch", "(ulong)token * CHOSEN", ALL, "experts_combine", LATENT)

    def test_channels_as_if_nothing_lay_between(self):
        self.wrong("conv.cl", "* tokens * inputs_pitch", "* tokens * n", ALL, "conv", HYBRID)

    def test_steps_side_by_side(self):
        self.wrong("scan.cl", "token * steps_pitch", "token * heads", PREFILL, "scan", HYBRID)


if __name__ == "__main__":
    main()
