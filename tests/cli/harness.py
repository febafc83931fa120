"""What the tests of the program share: a folder with a tiny model and suite, the program, the fault layer.

The program is the one of BM_PROGRAM, the layer that of BM_FAULT_LAYER (tests/layer/layer.h)."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
EXPECTED = TESTS / "cli" / "expected"
sys.path.insert(0, str(TESTS / "schema"))
import validate  # noqa: E402

PROGRAM = os.environ["BM_PROGRAM"]
LAYER = os.environ["BM_FAULT_LAYER"]
MIB = 1 << 20

# Work so small that starting a kernel is most of its time: its rates stay far below every ceiling.
MODEL = {
    "id": "tiny", "name": "Tiny", "layers": 2, "hidden": 32, "heads": 2, "kv_heads": 1, "head_dim": 16, "attention": "gqa",
    "ffn": "swiglu", "intermediate": 64, "vocabulary": 128, "max_context": 64, "tied_embeddings": False, "parameters": 1e5,
}
SUITE = {
    "name": "tiny", "description": "The smallest work that has every kind of row", "budget_s": 2,
    "ceilings": "judging",
    "entries": [{"models": ["./tiny.json"], "phases": ["prefill", "decode"], "dtypes": ["f32", "f16"],
                 "workloads": ["gemm", "gemv", "attention"], "batches": [1], "tokens": [16], "contexts": [32]}],
}
TINY = ("--suite", "./tiny-suite.json")
OPS = ("qkv", "attn", "attn_out", "ffn_gate_up", "ffn_down", "lm_head")  # of a dense model, in each phase


def layer(memory=64 * MIB, **orders):
    """Environment that loads the layer: layer(fail="clFinish:1") sets BM_LAYER_FAIL. The device shows 64 MiB of
    memory unless told otherwise, which also keeps the set of rotating inputs small."""
    orders["memory"] = memory
    return {"OPENCL_LAYERS": LAYER, **{f"BM_LAYER_{name.upper()}": str(value) for name, value in orders.items() if value}}


class Result:
    """What a finished program said."""

    def __init__(self, words, done):
        self.words, self.code = words, done.returncode
        self.out, self.err = done.stdout.decode(), done.stderr.decode()

    def __str__(self):
        return f"{' '.join(self.words)}\nexit code {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}---"


class ProgramTest(unittest.TestCase):
    """A test case with a folder of its own, in which the program runs."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="benchmark-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.write("tiny.json", MODEL)
        cls.write("tiny-suite.json", SUITE)
        cls.environment = cls.make_environment()

    @classmethod
    def make_environment(cls):
        """PoCL alone, whatever drivers and other backends the machine has; no terminal's settings."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("BM_LAYER_", "OPENCL_LAYERS", "NO_COLOR"))}
        environment["BENCHMARK_BACKENDS"] = "opencl"
        environment["XDG_CACHE_HOME"] = str(cls.folder / "cache")
        environment["LSAN_OPTIONS"] = f"suppressions={TESTS / 'lsan.supp'}:print_suppressions=0"
        pocl = Path("/etc/OpenCL/vendors/pocl.icd")
        if pocl.exists():
            vendors = cls.folder / "vendors"
            vendors.mkdir()
            shutil.copy(pocl, vendors)
            environment["OCL_ICD_VENDORS"] = str(vendors)
        return environment

    @classmethod
    def write(cls, name, content):
        """A file in the folder; anything but bytes and text becomes JSON. Returns its path for the command line."""
        if isinstance(content, dict):
            content = json.dumps(content)
        (cls.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return f"./{name}"

    def popen(self, *words, env=None, **options):
        return subprocess.Popen([PROGRAM, *words], cwd=self.folder, env={**self.environment, **(env or {})}, **options)

    def benchmark(self, *words, code=0, env=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
        """Runs the program to its end and expects its exit code, if any."""
        for _ in range(3):
            done = subprocess.run([PROGRAM, *words], cwd=self.folder, env={**self.environment, **(env or {})}, stdout=stdout,
                                  stderr=stderr, stdin=subprocess.DEVNULL, timeout=120)
            done.stdout, done.stderr = done.stdout or b"", done.stderr or b""
            # The leak checker of a sanitizer build itself dies now and then beside a driver's threads: no leak was looked for.
            if b"LeakSanitizer has encountered a fatal error" not in done.stderr:
                break
        result = Result(words, done)
        if code is not None:
            self.assertEqual(result.code, code, result)
        return result

    def refused(self, *words, says=(), code=2, env=None):
        """Expects exactly one line on standard error, with every word of `says`, and nothing on standard output."""
        result = self.benchmark(*words, code=code, env=env)
        self.assertEqual(result.out, "", result)
        self.assertRegex(result.err, r"\Abenchmark: [^\n]+\n\Z", result)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, result.err, result)
        return result

    def expect(self, name, text):
        """Expects this text word by word. With BM_REWRITE_EXPECTED=1 what is expected is written anew."""
        path = EXPECTED / name
        if os.environ.get("BM_REWRITE_EXPECTED"):
            path.write_bytes(text.encode())
        self.assertEqual(text, path.read_bytes().decode())

    def load(self, name, rows=None):
        """A results file that fits the schema; `rows`: how many it must have."""
        path = self.folder / name
        self.assertEqual(validate.problems(path), [])
        document = validate.load(path)
        if rows is not None:
            self.assertEqual(len(document["results"]), rows)
        for row in document["results"]:
            self.check_row(row)
        return document

    def check_row(self, row):
        """What holds of every row: only an ok row has rates, any other has a reason."""
        if row["status"] == "ok":
            self.assertEqual(row["verification"]["status"], "passed", row)
            self.assertIsNone(row["reason"], row)
        else:
            self.assertTrue(row["reason"], row)
            self.assertEqual([row["gflops"], row["gbytes_per_s"], row["tokens_per_s"]], [None] * 3, row)

    def run_tiny(self, *words, output="out.json", code=0, env=None, rows=None):
        """`benchmark run` of the tiny suite in a tenth of a second; returns (what it said, the results)."""
        (self.folder / output).unlink(missing_ok=True)
        result = self.benchmark("run", *TINY, "--budget", "0.1", "--output", output, *words, code=code,
                                env=layer() if env is None else env)
        return result, self.load(output, rows)


def statuses(document):
    """{key: status}; the key of a second backend's row gets that backend's name."""
    return {f"{row['key']} {row['device']} {row['backend']}": row["status"] for row in document["results"]}


def main():
    unittest.main(verbosity=1)
