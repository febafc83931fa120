"""The CPU as it is reached without OpenCL: ceilings by its own instructions, oneDNN's matrix products."""

import json
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

from harness import TINY, ProgramTest, main

# A small cache, so that sets of memory that no cache holds are small too.
SMALL = {"HWLOC_SYNTHETIC": f"package:1 numa:1 l3:1(size=1048576) core:{os.cpu_count()} pu:1", "HWLOC_THISSYSTEM": "1"}
NATIVE = {"BENCHMARK_BACKENDS": "native", **SMALL}
BOTH = {"BENCHMARK_BACKENDS": "native,opencl", **SMALL}


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
        said = self.benchmark("devices", env=NATIVE).out
        self.assertRegex(said, "missing    BENCHMARK_BACKENDS=native leaves out opencl; .*apt-get install pocl-opencl-icd")

    def test_a_misspelt_backend_of_the_environment_is_told(self):
        said = self.benchmark("devices", env={"BENCHMARK_BACKENDS": "native,opnecl"}).err
        self.assertEqual(said, "benchmark: warning: BENCHMARK_BACKENDS: 'opnecl' is no backend: use opencl, native or onednn\n")

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

    def test_instructions_are_listed(self):
        line = next(line for line in self.benchmark("devices", env=NATIVE).out.splitlines() if "backend    native" in line)
        self.assertTrue(line.endswith(", by " + (" ".join(tiers()) or "portable")), line)

    def test_unknown_backend(self):
        self.refused("run", *TINY, "--backend", "nativ", says="no backend matches 'nativ'", env=NATIVE)

    def test_a_backend_that_is_not_built_says_so(self):
        """Its worker is looked for beside the program, then beside the data; a lone copy of the program has neither."""
        (self.folder / "bin").mkdir()
        alone = self.folder / "bin" / "benchmark"
        alone.write_bytes(Path(os.environ["BM_PROGRAM"]).read_bytes())
        alone.chmod(0o755)
        (self.folder / "share").mkdir()
        (self.folder / "share" / "benchmark").symlink_to(Path(os.environ["BM_SOURCE_DIR"]))
        environment = {**self.environment, "BENCHMARK_BACKENDS": "onednn", "BENCHMARK_DATA_DIR": str(self.folder / "share/benchmark")}
        done = subprocess.run([alone, "devices", "--format", "json"], env=environment, capture_output=True, text=True, timeout=60)
        (backend,) = json.loads(done.stdout)["devices"][0]["backends"]
        self.assertEqual((backend["id"], backend["usable"]), ("onednn", False))
        self.assertRegex(backend["reason"], "benchmark-onednn is not installed|built without oneDNN")


def tiers():
    """What --isa takes here, by the program's own words."""
    done = subprocess.run([os.environ["BM_PROGRAM"], "devices", "--format", "json"], capture_output=True, check=True,
                          env={**os.environ, "BENCHMARK_BACKENDS": "native"})
    (backend,) = json.loads(done.stdout)["devices"][0]["backends"]
    return [] if backend["version"] == "portable" else backend["version"].split()


TIERS = ("avx2", "avx512", "vnni", "avx512_bf16", "amx")


class Caps(ProgramTest):
    def test_unknown_caps_are_refused(self):
        self.refused("run", *TINY, "--isa", "avx", says=["--isa: 'avx' is unknown", "avx512_bf16 or amx"], env=NATIVE)
        self.refused("verify", *TINY, "--isa", "avx2,sse", says="'sse' is unknown", env=NATIVE)

    def test_caps_that_the_cpu_lacks_are_refused_with_those_it_has(self):
        lacking = [tier for tier in TIERS if tier not in tiers()]
        for tier in lacking:
            self.refused("run", *TINY, "--isa", tier, says=[f"--isa {tier}: this CPU has", *tiers()], env=NATIVE)
        self.assertTrue(lacking or len(tiers()) == len(TIERS))

    @unittest.skipUnless("avx2" in tiers(), "no x86 CPU with AVX2")
    def test_each_cap_is_an_entry_of_one_results_file(self):
        caps = [tier for tier in TIERS if tier in tiers()]
        words = [word for cap in caps for word in ("--isa", cap)]
        _, document = self.run_tiny("--backend", "native", "--dtype", "f32,bf16,int8", *words, env=NATIVE)
        self.assertEqual([device["id"] for device in document["devices"]], [f"cpu0@{cap}" for cap in caps])
        self.assertEqual({device["hardware"] for device in document["devices"]}, {"cpu0"})
        self.assertEqual([device["isa"] for device in document["devices"]], caps)
        self.assertEqual(len({device["fingerprint"] for device in document["devices"]}), len(caps))
        pipes = {device["isa"]: {ceiling["pipe"] for ceiling in device["ceilings"]} for device in document["devices"]}
        self.assertFalse({"i8_dot", "bf16_dot", "bf16_matrix"} & pipes["avx2"])
        for device in document["devices"]:
            for ceiling in device["ceilings"]:
                if device["isa"] == "avx2":
                    self.assertIn("BITS=256", ceiling["how"])
        if "vnni" in caps:
            self.assertIn("i8_dot", pipes["vnni"])
            self.assertNotIn("bf16_dot", pipes["vnni"])
        if "avx512_bf16" in caps:
            self.assertIn("bf16_dot", pipes["avx512_bf16"])

    @unittest.skipUnless("avx2" in tiers(), "no x86 CPU with AVX2")
    def test_a_backend_without_caps_is_left_out(self):
        both = {"BENCHMARK_BACKENDS": "opencl,native", **SMALL}
        self.refused("run", *TINY, "--isa", "avx2", "--backend", "opencl", says=["under --isa", "native and onednn"], env=both)

    @unittest.skipUnless("avx2" in tiers(), "no x86 CPU with AVX2")
    def test_an_interrupted_run_goes_on_under_its_caps(self):
        words = ("--backend", "native", "--isa", "avx2")
        self.run_tiny(*words, output="first.json", env=NATIVE)
        _, document = self.run_tiny(*words, "--resume", "first.json", output="second.json", env=NATIVE)
        self.assertEqual([device["id"] for device in document["devices"]], ["cpu0@avx2"])
        self.refused("run", *TINY, "--backend", "native", "--resume", "first.json", "--output", "x.json", "--isa", "sse", env=NATIVE)


class Threads(ProgramTest):
    def threads(self, backend, *words):
        """{threads of the backend's rows}"""
        _, document = self.run_tiny("--dtype", "f32", *words, env={"BENCHMARK_BACKENDS": f"native,{backend}", **SMALL})
        return {row["threads"] for row in document["results"] if row["backend"].startswith(backend)}

    def test_every_backend_takes_as_many_as_it_is_told(self):
        for backend in ["opencl", "native"] + (["onednn"] if has_onednn() else []):
            with self.subTest(backend=backend):
                words = ("--backend", "native") if backend == "native" else ()
                self.assertEqual(self.threads(backend, "--threads", "1", *words), {1})
                if os.cpu_count() > 1 and len(os.sched_getaffinity(0)) > 1:
                    self.assertEqual(self.threads(backend, "--threads", "2", *words), {2})

    def test_more_than_there_are(self):
        self.refused("run", *TINY, "--threads", "16777216", says=["16777216 threads", "hardware threads"], env=NATIVE)
        self.refused("run", *TINY, "--threads", "0", says="--threads", env=NATIVE)
        self.refused("run", *TINY, "--threads", "many", says="--threads", env=NATIVE)

    def test_kinds_of_cores(self):
        self.refused("run", *TINY, "--cores", "big", says=["--cores: 'big'", "performance, efficiency or all"], env=NATIVE)
        machine = self.benchmark("devices", env=NATIVE).out
        if "efficiency cores" not in machine:
            self.refused("run", *TINY, "--cores", "efficiency", says="all of one kind", env=NATIVE)
        self.run_tiny("--backend", "native", "--cores", "all", env=NATIVE)

    def test_a_process_that_is_bound_uses_what_it_may(self):
        """taskset leaves it one CPU: one thread, on that."""
        one = max(os.sched_getaffinity(0))
        process = self.popen("run", *TINY, "--budget", "0.1", "--backend", "native", "--output", "bound.json", env=NATIVE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             preexec_fn=lambda: os.sched_setaffinity(0, {one}))
        self.assertEqual(process.wait(timeout=60), 0)
        document = self.load("bound.json")
        self.assertEqual({row["threads"] for row in document["results"]}, {1})


def has_onednn():
    done = subprocess.run([os.environ["BM_PROGRAM"], "devices", "--format", "json"], capture_output=True, check=True,
                          env={**os.environ, "BENCHMARK_BACKENDS": "onednn"})
    backends = [backend for device in json.loads(done.stdout)["devices"] for backend in device["backends"]]
    return any(backend["id"] == "onednn" and backend["usable"] for backend in backends)


def children_of(parent):
    """The fourth field of /proc/PID/stat, counted from behind the name, which may hold anything."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                pids.append(int(path.parent.name))
        except OSError:
            pass  # it ended meanwhile
    return pids


ONEDNN = {"BENCHMARK_BACKENDS": "native,onednn", **SMALL}
DTYPES = ("--dtype", "f32,bf16,f16,int8,int8af32")


@unittest.skipUnless(has_onednn(), "built without oneDNN")
class OneDnn(ProgramTest):
    def test_rows_are_run_or_skipped_with_a_reason(self):
        _, document = self.run_tiny(*DTYPES, env=ONEDNN)
        rows = [row for row in document["results"] if row["backend"] == "onednn"]
        by_status = {}
        for row in rows:
            by_status.setdefault(row["status"], []).append(row)
        self.assertEqual(set(by_status) - {"ok", "skipped"}, set(), [row["reason"] for row in rows])
        self.assertTrue({"f32"} <= {row["case"]["dtype"] for row in by_status["ok"]})
        for row in by_status["ok"]:
            self.assertIn(row["case"]["workload"], ("gemm", "gemv"))
            self.assertRegex(row["kernel"]["variant"], "brg|gemm|ref")
            self.assertEqual(set(row["kernel"]["parameters"]), {"UNSIGNED"} if row["case"]["dtype"] == "int8" else set())
        for row in by_status["skipped"]:
            self.assertRegex(row["reason"], "oneDNN|onednn")
        self.assertEqual({row["status"] for row in rows if row["case"]["workload"] == "attention"}, {"skipped"})
        (device,) = document["devices"]
        self.assertEqual({ceiling["backend"] for ceiling in device["ceilings"]}, {"native"}, "it has no ceilings of its own")
        self.assertIn("attn", device["summary"][0]["missing"])

    def test_the_pipe_is_one_that_the_cpu_showed(self):
        """A row in bf16 or int8 names the unit that did it, and that unit has a ceiling in the same run."""
        _, document = self.run_tiny("--dtype", "bf16,int8", "--workload", "gemm", env=ONEDNN)
        pipes = {ceiling["pipe"] for ceiling in document["devices"][0]["ceilings"]}
        for row in document["results"]:
            if row["backend"] == "onednn" and row["status"] == "ok":
                self.assertIn(row["kernel"]["pipe"], pipes)
                self.assertIsNotNone(row["utilization"]["compute_of_ceiling"], row["key"])

    @unittest.skipUnless("vnni" in tiers(), "no VNNI")
    def test_caps_run_side_by_side(self):
        _, document = self.run_tiny("--dtype", "f32,int8", "--workload", "gemm", "--isa", "avx2", "--isa", "vnni", env=ONEDNN)
        variants, statuses = {}, {}
        for row in document["results"]:
            if row["backend"] == "onednn":
                variant = row["kernel"]["variant"] if row["kernel"] else None
                variants.setdefault((row["device"], row["case"]["dtype"]), set()).add(variant)
                statuses.setdefault((row["device"], row["case"]["dtype"]), set()).add(row["status"])
        self.assertEqual(statuses["cpu0@avx2", "int8"], {"skipped"})
        self.assertEqual(statuses["cpu0@vnni", "int8"] | statuses["cpu0@avx2", "f32"] | statuses["cpu0@vnni", "f32"], {"ok"})
        self.assertFalse(any("avx512" in variant for variant in variants["cpu0@avx2", "f32"]), variants)
        versions = {device["id"]: backend["version"] for device in document["devices"] for backend in device["backends"]
                    if backend["id"] == "onednn"}
        self.assertEqual(versions["cpu0@avx2"], "avx2")
        self.assertIn("vnni", versions["cpu0@vnni"])

    def test_verify(self):
        result = self.benchmark("verify", *TINY, "--dtype", "f32,int8", "--workload", "gemm,gemv", env=ONEDNN)
        self.assertRegex(result.out, r"[0-9]+ passed, 0 failed")

    def test_an_interrupt_meets_program_and_worker(self):
        """A terminal sends it to both; the worker stays until the program is done with it."""
        process = self.popen("run", *TINY, "--budget", "20", "--dtype", "f32", "--output", "int.json", env=ONEDNN,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        for line in process.stderr:
            if "warming up" in line or "measuring" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        document = self.load("int.json")
        self.assertFalse(document["complete"])
        self.assertEqual({row["status"] for row in document["results"]} - {"ok", "skipped"}, set(),
                         [row["reason"] for row in document["results"]])

    def test_workers_end_with_the_program(self):
        process = self.popen("run", *TINY, "--budget", "20", "--dtype", "f32", "--output", "kill.json", env=ONEDNN,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if "warming up" in line:
                break
        pids = children_of(process.pid)
        self.assertTrue(pids)
        process.kill()
        process.wait()
        process.stderr.close()
        deadline = time.monotonic() + 20
        while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual([pid for pid in pids if os.path.exists(f"/proc/{pid}")], [])


if __name__ == "__main__":
    main()
