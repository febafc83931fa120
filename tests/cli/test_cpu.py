"""The CPU as it is reached without OpenCL: ceilings by its own instructions."""

import unittest

from harness import TINY, ProgramTest, main

NATIVE = {"BENCHMARK_BACKENDS": "native"}
BOTH = {"BENCHMARK_BACKENDS": "native,opencl"}


class Native(ProgramTest):
    def test_ceilings_alone(self):
        """A backend that has only ceilings can be asked for by itself."""
        _, document = self.run_tiny("--backend", "native", env=NATIVE)
        self.assertEqual({row["backend"] for row in document["results"]}, {"native"})
        self.assertEqual({row["case"]["workload"] for row in document["results"]} - {"stream", "cache", "fma"}, set())
        (device,) = document["devices"]
        self.assertEqual({ceiling["backend"] for ceiling in device["ceilings"]}, {"native"})
        self.assertEqual(device["summary"], [])
        for ceiling in device["ceilings"]:
            self.assertGreater(ceiling["value"], 0)
            self.assertIsNone(ceiling["part"], "parts of the device belong to the larger suites")

    def test_rows_need_another_backend(self):
        self.refused("run", *TINY, "--budget", "0.1", says=["no usable device"], code=5, env=NATIVE)
        self.assertEqual(self.benchmark("devices", env=NATIVE).out.count("backend "), 1)
        self.assertIn("apt-get install pocl-opencl-icd", self.benchmark("devices", env=NATIVE).out)

    def test_rows_are_judged_by_the_best_ceiling(self):
        _, document = self.run_tiny("--workload", "gemm", "--dtype", "f32", env=BOTH)
        (device,) = document["devices"]
        best = max((c for c in device["ceilings"] if c["pipe"] == "f32_vector"), key=lambda c: c["value"])
        self.assertEqual({c["backend"] for c in device["ceilings"]}, {"native", "opencl/pocl"})
        rows = [row for row in document["results"] if row["case"]["workload"] == "gemm" and row["status"] == "ok"]
        self.assertTrue(rows)
        for row in rows:
            self.assertEqual(row["backend"], "opencl/pocl")
            self.assertEqual(row["utilization"]["compute_ceiling"], f"fma/f32_vector/{best['backend']}")
            self.assertAlmostEqual(row["utilization"]["compute_of_device"], row["gflops"] / best["value"], places=6)

    def test_parts_of_the_device(self):
        """The larger suites read memory with some of the threads and in small pages, too."""
        plan = self.benchmark("run", "--suite", "standard", "--dry-run", "--format", "json", "--backend", "native", env=NATIVE).out
        self.assertIn('"stream/-/-/read/-/-"', plan)
        if self.benchmark("devices", env=NATIVE).out.count(" 1 cores,") == 0:
            self.assertIn('"stream/-/-/read/-/-/threads1"', plan)

    def test_unknown_backend(self):
        self.refused("run", *TINY, "--backend", "nativ", says="no backend matches 'nativ'", env=NATIVE)


if __name__ == "__main__":
    main()
