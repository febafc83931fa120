"""Devices that compute wrongly, fail while they are measured, or show themselves as something else."""

import json
import subprocess

from harness import LAYER, MIB, OPS, TINY, ProgramTest, layer, main, statuses

GPU = {"type": "gpu", "pci": "0000:3b:00.0", "device_name": "NVIDIA Test 9000", "vendor": "NVIDIA Corporation"}
CASES = 4 + 4 * len(OPS)


class Wrong(ProgramTest):
    """A kernel that computes wrongly is found before it is timed."""

    def test_one_spoiled_result(self):
        result, document = self.run_tiny(code=1, env=layer(spoil=5))  # the read of the first matrix product's output
        failed = [row for row in document["results"] if row["status"] != "ok"]
        (row,) = failed
        self.assertEqual(row["key"], "gemm/tiny/prefill/qkv/f32/m16n64k32")
        self.assertEqual((row["status"], row["verification"]["status"]), ("failed", "failed"))
        self.assertGreater(row["verification"]["max_relative_error"], row["verification"]["tolerance"])
        self.assertRegex(row["reason"], r"\Averification failed: output \d+ ")
        self.assertEqual((row["time_ns"], row["rounds"]), (None, []))
        self.assertIn("failed: verification failed", result.out)
        self.assertTrue(document["complete"])
        (prefill,) = [item for item in document["devices"][0]["summary"] if (item["phase"], item["dtype"]) == ("prefill", "f32")]
        self.assertIn("qkv", prefill["missing"])
        self.assertNotIn("qkv", prefill["ops"])

    def test_one_wrong_word(self):
        """Of the outputs that are compared, one differs: the 16 x 64 outputs follow guard bytes."""
        for word, code in ((0, 1), (10 ** 9, 0)):
            result = self.benchmark("verify", *TINY, "--dtype", "f32", "--workload", "gemm", env=layer(spoil=f"5+:{word}"), code=code)
            self.assertIn("0 failed" if code == 0 else "4 failed", result.out)

    def test_every_result_spoiled(self):
        result, document = self.run_tiny(code=1, env=layer(spoil="1+"), rows=CASES)
        self.assertEqual({row["status"] for row in document["results"]}, {"failed"})
        (device,) = document["devices"]
        self.assertEqual(device["ceilings"], [])
        for item in device["summary"]:
            self.assertEqual((item["ops"], item["tokens_per_s"], item["roofline_efficiency"]), ([], None, None))

    def test_a_shared_measurement_fails_for_all_its_rows(self):
        _, document = self.run_tiny("--dtype", "f32", "--workload", "gemv", code=1, env=layer(spoil=5))  # prefill's lm_head
        failed = {row["key"]: row["measured_as"] for row in document["results"] if row["status"] == "failed"}
        first = "gemv/tiny/prefill/lm_head/f32/m1n128k32"
        self.assertEqual(failed, {first: None, "gemv/tiny/decode/lm_head/f32/m1n128k32": first,
                                  "gemv/tiny/decode/ffn_gate_up/f32/m1n128k32": first})

    def test_verify_finds_it_too(self):
        result = self.benchmark("verify", *TINY, env=layer(spoil=5), code=1)
        self.assertIn(f"{CASES - 1} passed, 1 failed, 0 skipped", result.out)


class Failing(ProgramTest):
    """A device that fails costs the rows that it failed at."""

    def failed(self, document):
        return [row for row in document["results"] if row["status"] == "failed"]

    def fail_while_measuring(self, how):
        """Faults begin when the program says that it measures."""
        begun = self.folder / "begun"
        begun.unlink(missing_ok=True)
        env = layer(**{"from": "begun", "fail": f"clEnqueueNDRangeKernel:{how}"})
        process = self.popen("run", *TINY, "--budget", "3", "--output", "out.json", env=env, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        for line in process.stderr:
            if "measuring" in line:
                begun.touch()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=60), 1)
        document = self.load("out.json", rows=CASES)
        self.assertTrue(document["complete"])
        return document

    def test_while_it_is_measured(self):
        for code, name in (-5, "CL_OUT_OF_RESOURCES"), (-9999, "CL_NVIDIA_ILLEGAL_BUFFER_ACCESS"):
            document = self.fail_while_measuring(f"1:{code}")
            failed = self.failed(document)
            self.assertEqual(len({row["measured_as"] or row["key"] for row in failed}), 1)
            for row in failed:
                self.assertEqual(row["verification"]["status"], "passed")
                self.assertEqual(row["reason"], f"clEnqueueNDRangeKernel failed: {name} ({code})")
            self.assertEqual({row["status"] for row in document["results"]}, {"ok", "failed"})

    def test_from_then_on(self):
        failed = self.failed(self.fail_while_measuring("1+"))
        self.assertGreater(len(failed), 1)
        for row in failed:
            self.assertEqual(row["verification"]["status"], "passed")
            self.assertEqual(row["reason"], "clEnqueueNDRangeKernel failed: CL_OUT_OF_RESOURCES (-5)")

    def test_one_device_of_two(self):
        """A CPU and what looks like a GPU: the second one cannot even be opened."""
        env = layer(two_platforms=1, target="second", fail="clCreateContext:2:-2", memory=None, **GPU)
        _, document = self.run_tiny("--phase", "decode", "--dtype", "f32", code=1, env=env)
        for row in document["results"]:
            gpu = row["device"] != "cpu0"
            self.assertEqual(row["status"], "failed" if gpu else "ok", row)
            if gpu:
                self.assertIn("clCreateContext failed: CL_DEVICE_NOT_AVAILABLE (-2)", row["reason"])
        self.assertEqual({row["device"] for row in document["results"]}, {"cpu0", self.gpu(env)["id"]})

    def gpu(self, env):
        devices = json.loads(self.benchmark("devices", "--format", "json", env=env).out)["devices"]
        (gpu,) = [device for device in devices if device["name"] == GPU["device_name"]]
        return gpu

    def test_no_context_at_all(self):
        _, document = self.run_tiny(code=1, rows=CASES, env=layer(fail="clCreateContext:1+:-2"))
        for row in document["results"]:
            self.assertEqual((row["status"], row["reason"]), ("failed", "clCreateContext failed: CL_DEVICE_NOT_AVAILABLE (-2)"))

    def test_memory_that_ends(self):
        _, document = self.run_tiny(env=layer(fail="clCreateBuffer:5+:-4"), rows=CASES)
        skipped = [row for row in document["results"] if row["status"] == "skipped"]
        self.assertGreater(len(skipped), 0)
        for row in skipped:
            self.assertIn("CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)", row["reason"])


class Disguised(ProgramTest):
    def devices(self, env):
        return json.loads(self.benchmark("devices", "--format", "json", env=env).out)["devices"]

    def test_pocl_as_a_gpu_on_the_bus(self):
        env = layer(**GPU)
        (gpu,) = [device for device in self.devices(env) if device["pci"] == GPU["pci"]]
        self.assertEqual((gpu["kind"], gpu["name"], gpu["vendor"]), ("gpu", GPU["device_name"], "NVIDIA"))
        self.assertEqual([backend["id"] for backend in gpu["backends"]], ["opencl/pocl"])
        self.assertIn(f"PCI {GPU['pci']}", self.benchmark("devices", env=env).out)
        result, document = self.run_tiny("--device", "gpu", "--phase", "decode", "--workload", "gemv", env=env)
        (device,) = document["devices"]
        self.assertEqual((device["id"], device["kind"], device["pci"], device["hardware"]), (gpu["id"], "gpu", GPU["pci"], gpu["id"]))
        self.assertEqual({row["device"] for row in document["results"]}, {gpu["id"]})
        # PoCL has no matrix units, whatever its name: their ceilings are skipped.
        run = [row for row in document["results"] if not ("_matrix" in row["key"] and row["status"] == "skipped")]
        self.assertEqual({row["verification"]["status"] for row in run}, {"passed"})
        self.assertIn(f"{gpu['id']}: {GPU['device_name']}", result.out)
        plans = {self.benchmark("run", "--dry-run", *TINY, "--device", selector, env=env).out for selector in (gpu["id"], "gpu", "test 9000")}
        self.assertEqual(len(plans), 1)

    def test_a_cpu_without_a_backend_beside_it(self):
        cpu = self.devices(layer(**GPU))[0]
        self.assertEqual((cpu["id"], cpu["backends"]), ("cpu0", []))
        self.assertRegex(cpu["missing"], "apt-get install pocl-opencl-icd$")
        self.refused("run", *TINY, "--device", "cpu", env=layer(**GPU), code=5, says="no usable device")

    def test_a_gpu_whose_datasheet_is_known(self):
        env = layer(**{**GPU, "device_name": "NVIDIA A40"})
        sheets = {device["name"]: device["datasheet"] for device in self.devices(env)}
        self.assertIn(sheets["NVIDIA A40"], ("nvidia-a40", None))  # by memory and units too, which PoCL does not have

    def test_two_platforms_are_two_backends_of_one_cpu(self):
        env = layer(256 * MIB, two_platforms=1)  # which both share
        self.assertEqual([backend["id"] for backend in self.devices(env)[0]["backends"]], ["opencl/pocl", "opencl/second-platform"])
        _, document = self.run_tiny("--phase", "decode", "--dtype", "f16", env=env)
        (device,) = document["devices"]
        self.assertEqual([ceiling["backend"] for ceiling in device["ceilings"]], ["opencl/pocl"] * 4 + ["opencl/second-platform"] * 4)
        self.assertEqual([item["backend"] for item in device["summary"]], ["opencl/pocl", "opencl/second-platform"])
        self.assertEqual(set(statuses(document).values()), {"ok"})
        self.assertEqual(len(statuses(document)), 2 * (4 + len(OPS)))

    def test_ceilings_come_from_both_whatever_backend_is_selected(self):
        _, document = self.run_tiny("--backend", "opencl/pocl", "--phase", "decode", "--dtype", "f16", env=layer(256 * MIB, two_platforms=1))
        (device,) = document["devices"]
        self.assertEqual({ceiling["backend"] for ceiling in device["ceilings"]}, {"opencl/pocl", "opencl/second-platform"})
        self.assertEqual({row["backend"] for row in document["results"] if row["case"]["phase"]}, {"opencl/pocl"})

    def test_platforms_of_one_name(self):
        env = layer(two_platforms="Portable Computing Language")
        self.assertEqual([backend["id"] for backend in self.devices(env)[0]["backends"]], ["opencl/pocl", "opencl/pocl-2"])

    def test_a_device_of_little_memory(self):
        _, document = self.run_tiny(env=layer(64 * MIB))
        (backend,) = document["devices"][0]["backends"]
        self.assertEqual((backend["memory_bytes"], backend["max_allocation_bytes"]), (64 * MIB, 16 * MIB))
        self.assertEqual({row["status"] for row in document["results"]}, {"ok"})
        _, document = self.run_tiny(env=layer(1 * MIB), rows=CASES)
        self.assertIn("skipped", {row["status"] for row in document["results"]})
        self.assertLessEqual({row["status"] for row in document["results"]}, {"ok", "skipped"})

    def test_a_layer_that_cannot_be_loaded_is_no_device(self):
        """Only that the layer is what makes the difference."""
        self.assertNotEqual(self.devices({"OPENCL_LAYERS": LAYER, "BM_LAYER_DEVICE_NAME": "x"})[0]["backends"][0]["name"],
                            self.devices({})[0]["backends"][0]["name"])


if __name__ == "__main__":
    main()
