"""results/schema.json is a sound schema, a sound file passes validate.py, and each single mistake is named."""

import copy
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from jsonschema import Draft202012Validator

import validate

HERE = Path(__file__).parent
SAMPLE = json.loads((HERE / "sample.json").read_text())
GONE = object()
ROW, SAME, WRONG, SKIPPED, CEILING_ROW = (("results", i) for i in range(5))
STATE = ("host", "environment")
CPU, GPU = ("devices", 0), ("devices", 1)

# (path, new value or GONE, place that the problem is reported at, part of the message)
MISTAKES = [
    # the top
    (("schema_version",), "2.0", "$.schema_version", "was expected"),
    (("schema_version",), GONE, "$", "'schema_version' is a required property"),
    (("id",), "3f0c8a52-6d1e-1b7a-9c55-0a1b2c3d4e5f", "$.id", "does not match"),
    (("created",), "2026-01-31 12:00:00", "$.created", "does not match"),
    (("created",), "2026-13-31T12:00:00Z", "$.created", "does not match"),
    (("created",), "2026-01-31T12:00:00+01:00", "$.created", "does not match"),
    (("complete",), "yes", "$.complete", "not of type 'boolean'"),
    (("ab",), {"side": "a"}, "$.ab", "'id' is a required property"),
    (("extra",), 1, "$", "'extra' was unexpected"),
    (("results",), {}, "$.results", "not of type 'array'"),
    # tool, host, settings
    (("tool", "name"), "bench", "$.tool.name", "was expected"),
    (("tool", "version"), "1", "$.tool.version", "does not match"),
    (("tool", "commit"), "main", "$.tool.commit", "does not match"),
    (("tool", "build", "compiler"), "", "$.tool.build.compiler", "too short|non-empty"),
    (("tool", "kernels_sha256"), "0" * 63, "$.tool.kernels_sha256", "does not match"),
    (("host", "memory_bytes"), 0, "$.host.memory_bytes", "less than the minimum"),
    (("host", "user"), "root", "$.host", "'user' was unexpected"),
    (("host", "topology", "caches", 0, "level"), 0, "$.host.topology.caches[0].level", "less than the minimum"),
    (("host", "topology", "cores"), 1.5, "$.host.topology.cores", "not of type 'integer'"),
    (STATE + ("turbo",), "on", "$.host.environment.turbo", "not of type 'boolean'"),
    (STATE + ("load_average",), -0.1, "$.host.environment.load_average", "less than the minimum"),
    (STATE + ("cpu_quota",), 0, "$.host.environment.cpu_quota", "minimum"),
    (STATE + ("memory_limit_bytes",), 0, "$.host.environment.memory_limit_bytes", "less than the minimum"),
    (STATE + ("libraries", "hwloc"), GONE, "$.host.environment.libraries", "'hwloc' is a required property"),
    (STATE + ("variables", 0, "name"), "home=", "$.host.environment.variables[0].name", "does not match"),
    (STATE + ("warnings", 0), "", "$.host.environment.warnings[0]", "too short|non-empty"),
    (STATE + ("sensors", 0, "tagged"), -1, "$.host.environment.sensors[0].tagged", "less than the minimum"),
    (STATE + ("sensors", 0, "tagged"), 813, "$.host.environment.sensors[0]", "more blocks tagged than checked"),
    (STATE + ("sensors", 1, "checked"), 5, "$.host.environment.sensors[1]", "not available, but judged"),
    (STATE + ("sensors", 1, "name"), "run_delay", "$.host.environment.sensors[1]", "stands twice"),
    (("settings", "cache"), "warm", "$.settings.cache", "not one of"),
    (("settings", "seed"), -1, "$.settings.seed", "less than the minimum"),
    (("settings", "target_half_width"), 0, "$.settings.target_half_width", "minimum"),
    (("settings", "command"), [], "$.settings.command", "too short|non-empty"),
    # devices
    (CPU + ("id",), "CPU", "$.devices[0].id", "does not match"),
    (CPU + ("id",), "cpu0@avx2", "$.devices[0].id", "does not match"),
    (CPU + ("isa",), "avx2", "$.devices[0].id", "does not match"),
    (CPU + ("hardware",), "cpu1", "$.devices[0].hardware", "not the hardware of cpu0"),
    (CPU + ("kind",), "gpu", "$.devices[0].hardware", "does not match"),
    (CPU + ("pci",), "0000:00:00.0", "$.devices[0].pci", "not of type 'null'"),
    (CPU + ("clock_mhz",), 0, "$.devices[0].clock_mhz", "less than the minimum"),
    (CPU + ("fingerprint",), "A" * 64, "$.devices[0].fingerprint", "does not match"),
    (CPU + ("flags",), ["busy"], "$.devices[0].flags[0]", "not one of"),
    (CPU + ("flags",), ["drift", "drift"], "$.devices[0].flags", "non-unique"),
    (CPU + ("datasheet", "bandwidth_status"), "guessed", "$.devices[0].datasheet.bandwidth_status", "not one of"),
    (CPU + ("datasheet", "released"), "Jan 2023", "$.devices[0].datasheet.released", "does not match"),
    (CPU + ("datasheet", "peaks", 0, "gflops"), 0, "$.devices[0].datasheet.peaks[0].gflops", "minimum"),
    (CPU + ("backends", 0, "id"), "PoCL", "$.devices[0].backends[0].id", "does not match"),
    (CPU + ("backends", 0, "driver"), GONE, "$.devices[0].backends[0]", "'driver' is a required property"),
    (GPU + ("pci",), "3b:00.0", "$.devices[1].pci", "does not match"),
    (GPU + ("id",), "gpu1", "$.devices[1].hardware", "not the hardware of gpu1"),
    (GPU + ("id",), "cpu0", "$.devices[1].id", "stands twice"),
    # ceilings
    (CPU + ("ceilings", 0, "resource"), "memory", "$.devices[0].ceilings[0].resource", "not one of"),
    (CPU + ("ceilings", 0, "unit"), "GFLOP/s", "$.devices[0].ceilings[0].unit", "was expected"),
    (CPU + ("ceilings", 0, "pipe"), "f32_vector", "$.devices[0].ceilings[0].pipe", "not of type 'null'"),
    (CPU + ("ceilings", 2, "pipe"), None, "$.devices[0].ceilings[2].pipe", "not of type 'string'"),
    (CPU + ("ceilings", 2, "unit"), "GB/s", "$.devices[0].ceilings[2].unit", "not one of"),
    (CPU + ("ceilings", 2, "unit"), "GOP/s", "$.devices[0].ceilings[2].unit", "should not be valid"),
    (CPU + ("ceilings", 2, "pipe"), "i8_dot", "$.devices[0].ceilings[2].unit", "was expected"),
    (CPU + ("ceilings", 0, "steady"), 0, "$.devices[0].ceilings[0].steady", "minimum"),
    (CPU + ("ceilings", 0, "steady"), GONE, "$.devices[0].ceilings[0]", "'steady' is a required property"),
    (CPU + ("ceilings", 3, "unit"), "GB/s", "$.devices[0].ceilings[3].unit", "was expected"),
    (CPU + ("ceilings", 0, "value"), 0, "$.devices[0].ceilings[0].value", "minimum"),
    (CPU + ("ceilings", 0, "value"), None, "$.devices[0].ceilings[0].ci", "not of type 'null'"),
    (CPU + ("ceilings", 0, "value"), 30.0, "$.devices[0].ceilings[0]", "outside its interval"),
    (CPU + ("ceilings", 0, "ci"), [25.0], "$.devices[0].ceilings[0].ci", "too short|non-empty"),
    (CPU + ("ceilings", 0, "ci"), None, "$.devices[0].ceilings[0].ci", "not of type 'array'"),
    (CPU + ("ceilings", 0, "backend"), "opencl/nvidia", "$.devices[0].ceilings[0].backend", "not among the device's"),
    # summary
    (CPU + ("summary", 0, "phase"), "train", "$.devices[0].summary[0].phase", "not one of"),
    (CPU + ("summary", 0, "tokens"), None, "$.devices[0].summary[0].tokens", "not of type 'integer'"),
    (CPU + ("summary", 0, "phase"), "decode", "$.devices[0].summary[0].context", "not of type 'integer'"),
    (CPU + ("summary", 0, "ops"), [], "$.devices[0].summary[0].tokens_per_s", "not of type 'null'"),
    (CPU + ("summary", 0, "tokens_per_s"), None, "$.devices[0].summary[0].tokens_per_s", "not of type 'number'"),
    (CPU + ("summary", 0, "lacking"), ["norm"], "$.devices[0].summary[0].tokens_per_s", "not of type 'null'"),
    (CPU + ("summary", 0, "lacking"), ["attn"], "$.devices[0].summary[0].tokens_per_s", "not of type 'null'"),
    (CPU + ("summary", 0, "mbu"), 0, "$.devices[0].summary[0].mbu", "minimum"),
    (CPU + ("summary", 0, "missing"), ["qkv"], "$.devices[0].summary[0]", "both covered and missing"),
    (CPU + ("summary", 0, "rows", 0, "count"), 0, "$.devices[0].summary[0].rows[0].count", "minimum"),
    (CPU + ("summary", 0, "rows", 0, "count"), 31, "$.devices[0].summary[0].rows", "add up to"),
    (CPU + ("summary", 0, "rows", 0, "key"), "gemm/none/prefill/qkv/f16/m128n12288k4096", "$.devices[0].summary[0].rows",
     "no measured row"),
    # rows: names
    (ROW + ("key",), "gemm/llama2-7b/prefill/qkv/f16", "$.results[0].key", "does not match"),
    (ROW + ("key",), "gemm/llama2-7b/decode/qkv/f16/m128n12288k4096", "$.results[0].key", "does not match"),
    (ROW + ("key",), "gemm/llama2-7b/prefill/qkv/f16/m128n12288k4096/hot", "$.results[0].key", "should not be valid"),
    (SKIPPED + ("key",), "gemv/llama2-7b/decode/lm_head/f16/m1n32000k4096", "$.results[3].key", "does not match"),
    (ROW + ("case", "op"), "attn_out", "$.results[0].key", "not the key of its case"),
    (ROW + ("case", "dtype"), "fp16", "$.results[0].case.dtype", "not one of"),
    (ROW + ("case", "m"), None, "$.results[0].case.m", "not of type 'integer'"),
    (ROW + ("case", "m"), 1, "$.results[0].case.m", "less than the minimum"),
    (SKIPPED + ("case", "m"), 2, "$.results[3].case.m", "was expected"),
    (WRONG + ("case", "context"), None, "$.results[2].case.context", "not of type 'integer'"),
    (WRONG + ("case", "kv_heads"), 0, "$.results[2].case.kv_heads", "less than the minimum"),
    (ROW + ("case", "hot"), GONE, "$.results[0].case", "'hot' is a required property"),
    (ROW + ("device",), "gpu7", "$.results[0].device", "not among the devices"),
    (ROW + ("backend",), "opencl/nvidia", "$.results[0].backend", "not among the backends of cpu0"),
    (ROW + ("threads",), 0, "$.results[0].threads", "less than the minimum"),
    (SAME + ("key",), ROW, "$.results[1]", "stands twice"),
    (SAME + ("measured_as",), "gemm/none/prefill/qkv/f16/m128n12288k4096", "$.results[1].measured_as", "no other row"),
    (ROW + ("measured_as",), SAMPLE["results"][1]["key"], "$.results[0].measured_as", "was itself not measured"),
    # rows: states
    (ROW + ("status",), "passed", "$.results[0].status", "not one of"),
    (ROW + ("status",), "invalid", "$.results[0].reason", "not of type 'string'"),
    (ROW + ("reason",), "slow", "$.results[0].reason", "not of type 'null'"),
    (ROW + ("verification", "status"), "not_run", "$.results[0].verification.status", "was expected"),
    (ROW + ("verification", "checked"), 0, "$.results[0].verification.checked", "less than the minimum"),
    (ROW + ("verification", "tolerance"), None, "$.results[0].verification.tolerance", "not of type 'number'"),
    (ROW + ("kernel",), None, "$.results[0].kernel", "not of type 'object'"),
    (CEILING_ROW + ("kernel", "pipe"), "-", "$.results[4].kernel.pipe", "does not match"),
    (ROW + ("kernel", "parameters_from"), "luck", "$.results[0].kernel.parameters_from", "not one of"),
    (ROW + ("kernel", "parameters", "TILE_M"), 0.5, "$.results[0].kernel.parameters.TILE_M", "not of type 'integer'"),
    (ROW + ("time_ns",), None, "$.results[0].time_ns", "not of type 'object'"),
    (ROW + ("time_ns", "median"), 0, "$.results[0].time_ns.median", "minimum"),
    (ROW + ("time_ns", "confidence"), 95, "$.results[0].time_ns.confidence", "maximum"),
    (ROW + ("time_ns", "ci"), [1.0, 2.0], "$.results[0].time_ns.median", "outside its interval"),
    (ROW + ("time_ns", "min"), 7e7, "$.results[0].time_ns", "out of order"),
    (ROW + ("rounds", 0, "launches"), 0, "$.results[0].rounds[0].launches", "less than the minimum"),
    (ROW + ("rounds", 0, "flags"), ["odd"], "$.results[0].rounds[0].flags[0]", "not one of"),
    (ROW + ("gflops",), 1.0, "$.results[0].gflops", "not flops / median time"),
    (ROW + ("gflops",), 0, "$.results[0].gflops", "not flops / median time"),
    (ROW + ("gflops",), -1, "$.results[0].gflops", "minimum"),
    (ROW + ("flops",), None, "$.results[0].gflops", "a rate without flops"),
    (CEILING_ROW + ("gbytes_per_s",), None, "$.results[4].gflops", "not of type 'number'"),
    (WRONG + ("status",), "skipped", "$.results[2].status", "was expected"),
    (WRONG + ("status",), "invalid", "$.results[2].status", "not one of"),
    (WRONG + ("gflops",), 1.0, "$.results[2].gflops", "not of type 'null'"),
    (SKIPPED + ("tokens_per_s",), 1.0, "$.results[3].tokens_per_s", "not of type 'null'"),
    (WRONG + ("utilization",), SAMPLE["results"][0]["utilization"], "$.results[2].utilization", "not of type 'null'"),
    (WRONG + ("time_ns",), SAMPLE["results"][0]["time_ns"], "$.results[2].time_ns", "not of type 'null'"),
    (WRONG + ("rounds",), SAMPLE["results"][0]["rounds"], "$.results[2].rounds", "too long|to be empty"),
    (SKIPPED + ("reason",), None, "$.results[3].reason", "not of type 'string'"),
    (ROW + ("utilization", "bound"), "disk", "$.results[0].utilization.bound", "not one of"),
    (ROW + ("utilization", "roofline_efficiency_ci"), [0.75, 0.76], "$.results[0].utilization.roofline_efficiency", "outside its interval"),
    (ROW + ("utilization", "roofline_efficiency_ci"), 0.75, "$.results[0].utilization.roofline_efficiency_ci", "not of type"),
    (ROW + ("utilization", "roofline_efficiency_flags"), ["shaky"], "$.results[0].utilization.roofline_efficiency_flags[0]", "not one of"),
    (ROW + ("utilization", "roofline_efficiency"), None, "$.results[0].utilization.roofline_efficiency_ci", "not of type 'null'"),
    (ROW + ("utilization", "compute_ceiling"), "f32_vector", "$.results[0].utilization.compute_ceiling", "does not match"),
    (ROW + ("utilization", "memory_ceiling"), None, "$.results[0].utilization.memory_of_ceiling", "not of type 'null'"),
    (ROW + ("utilization", "memory_ceiling"), "fma/opencl/pocl", "$.results[0].utilization.memory_ceiling", "does not match"),
    (ROW + ("utilization", "memory_ceiling"), "l2_read/opencl/pocl", "$.results[0].utilization.memory_ceiling", "no ceiling of cpu0"),
    (ROW + ("energy", "reason"), None, "$.results[0].energy.reason", "not of type 'string'"),
    (ROW + ("energy", "joules"), 1.0, "$.results[0].energy", "is not of type"),
    (ROW + ("flags",), GONE, "$.results[0]", "'flags' is a required property"),
]


def changed(path, value):
    document = copy.deepcopy(SAMPLE)
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is GONE:
        del place[path[-1]]
    elif path == SAME + ("key",):
        place.update(copy.deepcopy(SAMPLE["results"][0]))
    else:
        place[path[-1]] = value
    return document


def problems(document):
    return list(validate.schema_problems(document)) or list(validate.relation_problems(document))


class Schema(unittest.TestCase):
    def test_is_a_schema(self):
        schema = json.loads(validate.SCHEMA.read_text())
        self.assertEqual(schema["$schema"], Draft202012Validator.META_SCHEMA["$id"])
        Draft202012Validator.check_schema(schema)

    def test_objects_are_closed(self):
        """Every described object of our own refuses unknown keys and requires its known ones."""
        schema = json.loads(validate.SCHEMA.read_text())
        optional = {"sanitizers", "part", "rows", "lacking", "routing", "groups", "groups_used", "kv", "window", "sinks",  # not in files of earlier versions
                    "between_runs", "launches", "roofline_efficiency_ci", "roofline_efficiency_flags", "numa_policy"}
        for name, definition in [("the top", schema), *schema["$defs"].items()]:
            if definition.get("type") == "object":
                with self.subTest(name):
                    self.assertIs(definition["additionalProperties"], False)
                    self.assertLessEqual(set(definition["required"]), set(definition["properties"]))
                    self.assertLessEqual(set(definition["properties"]) - set(definition["required"]), optional)

    def test_sample_passes(self):
        self.assertEqual(problems(SAMPLE), [])

    def test_variants_pass(self):
        for path, value in [
            (("complete",), False),
            (("ab",), {"id": SAMPLE["id"], "side": "a", "round": 3}),
            (("tool", "build", "sanitizers"), "address,undefined"),
            (("tool", "commit"), None),
            (("host", "hostname"), None),
            (("results",), []),
            (CPU + ("datasheet",), None),
            (ROW + ("time_ns_uncontaminated",), SAMPLE["results"][0]["time_ns"]),
            (ROW + ("utilization",), None),
            (ROW + ("utilization", "roofline_efficiency_ci"), None),
            (ROW + ("utilization", "roofline_efficiency_ci"), GONE),
            (ROW + ("utilization", "roofline_efficiency_flags"), ["drift"]),
            (ROW + ("utilization", "roofline_efficiency_flags"), GONE),
            (ROW + ("energy",), {"joules": 0.5, "source": "nvml", "reason": None}),
            (ROW + ("threads",), None),
            (CEILING_ROW + ("kernel", "pipe"), None),
            (CEILING_ROW + ("verification", "tolerance"), 0),
            (CEILING_ROW, dict(SAMPLE["results"][4], flops=0, gflops=0)),
            (CPU + ("ceilings", 0), dict(SAMPLE["devices"][0]["ceilings"][0], value=None, ci=None, burst=None, steady=None, how=None)),
        ]:
            with self.subTest(path):
                document = changed(path, value)
                if path == ROW + ("threads",):
                    document["results"][1]["threads"] = None
                if path == ("results",):
                    document["devices"][0]["summary"] = []
                self.assertEqual(problems(document), [])

    def test_verify_has_no_times(self):
        document = changed(("settings", "command"), ["benchmark", "verify"])
        document["devices"][0]["summary"] = []
        row = document["results"][0]
        row.update(rounds=[], **dict.fromkeys(["time_ns", "gflops", "gbytes_per_s", "tokens_per_s", "utilization"]))
        self.assertEqual(problems(document), [])
        row["gflops"] = 1.0
        self.assertIn(("$.results[0].gflops", "1.0 is not of type 'null'"), problems(document))

    def test_each_mistake_is_named(self):
        for path, value, place, message in MISTAKES:
            with self.subTest(path=path, value="gone" if value is GONE else value):
                found = problems(changed(path, value))
                wanted = [f for f in found if (f[0] == place or f[0].startswith(place + ".")) and re.search(message, f[1])]
                self.assertTrue(wanted, found)


class Program(unittest.TestCase):
    def run_on(self, *texts):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for i, text in enumerate(texts):
                paths.append(Path(folder) / f"{i}.json")
                paths[-1].write_text(text)
            return subprocess.run([sys.executable, "-B", HERE / "validate.py", *paths], text=True, capture_output=True)

    def test_sound_file(self):
        done = self.run_on(json.dumps(SAMPLE))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_one_line_a_problem(self):
        document = changed(("complete",), 1)
        document["id"] = "x"
        done = self.run_on(json.dumps(SAMPLE), json.dumps(document))
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertRegex(line, r"1\.json: \$\.(complete|id): ")

    def test_not_json(self):
        text = json.dumps(SAMPLE)
        for broken, message in [(text[:-1], "Expecting"), (text.replace('"budget_s": 60', '"budget_s": NaN'), "NaN is not JSON"),
                                (text.replace('"complete": true', '"complete": true, "complete": true'), "stands twice")]:
            with self.subTest(message):
                done = self.run_on(broken)
                self.assertEqual(done.returncode, 1)
                self.assertTrue(re.search(message, done.stdout), done.stdout)
                self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_missing_file(self):
        done = subprocess.run([sys.executable, "-B", HERE / "validate.py", "/nonexistent.json"], text=True, capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No such file", done.stdout)

    def test_no_file(self):
        done = subprocess.run([sys.executable, "-B", HERE / "validate.py"], text=True, capture_output=True)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
