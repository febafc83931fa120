"""Every OpenCL call of a small run fails once in turn: no crash, no leak, a typed row or one line each time."""

import json
from concurrent.futures import ThreadPoolExecutor

from harness import MIB, TINY, ProgramTest, layer, main, statuses

SMALL = (*TINY, "--dtype", "f32", "--phase", "decode", "--workload", "attention")
# one row beside the ceilings, in their format; two kernels
MEMORY = 16 * MIB  # little, for speed: a ceiling that needs more is skipped
# A failure of these is survived: queries with an answer of "unknown", and releases, which have released all the same.
SURVIVED = ("clGetPlatformInfo", "clGetDeviceInfo", "clGetEventProfilingInfo", "clRelease")
WORKERS = 2


class EveryCall(ProgramTest):
    def counts(self, name):
        """What the layer counted: calls by function, and objects that were never released by kind."""
        calls, left = {}, {}
        for line in (self.folder / name).read_text().splitlines():
            words = line.split()
            (left if words[0] == "live" else calls)[words[-2]] = int(words[-1])
        return calls, left

    def count(self, command, *words):
        self.benchmark(command, *SMALL, *words, "--output", "whole.json", env=layer(MEMORY, count="whole.txt"))
        self.expected = statuses(self.load("whole.json"))
        sound = {key.split("/")[0] for key, status in self.expected.items() if status == "ok"}
        self.assertLessEqual({"stream", "attention"}, sound)
        self.assertLessEqual(set(self.expected.values()), {"ok", "skipped"})
        calls, left = self.counts("whole.txt")
        self.assertEqual(left, {})
        return calls

    def fail_call(self, command, words, function, number):
        """Runs with one failing call and checks everything that must hold; returns what was seen."""
        name = f"{command}-{function}-{number}"
        env = layer(MEMORY, fail=f"{function}:{number}", count=f"{name}.txt")
        result = self.benchmark(command, *SMALL, *words, "--quiet", "--output", f"{name}.json", env=env, code=None)
        self.assertIn(result.code, (0, 1, 2, 5, 70), result)
        lines = [line for line in result.err.splitlines() if not line.startswith("benchmark: warning: ")]
        calls, left = self.counts(f"{name}.txt")
        self.assertEqual(left, {}, f"{name} leaves objects behind")
        self.assertGreaterEqual(calls[function], number, f"{name} was not called")
        if result.code >= 2:
            self.assertEqual(len(lines), 1, result)
            self.assertEqual(result.out, "", result)
            return result.code, "one line"
        self.assertEqual(lines, [], result)
        document = self.load(f"{name}.json", rows=len(self.expected))
        self.assertTrue(document["complete"])
        bad = [row for row, expected in zip(document["results"], self.expected.values()) if row["status"] != expected]
        self.assertEqual(result.code, 1 if any(row["status"] == "failed" for row in bad) else 0, result)
        for row in bad if not function.startswith(SURVIVED) else ():
            self.assertRegex(row["reason"], rf"{function}\b.* failed: CL_OUT_OF_RESOURCES \(-5\)", name)
        return result.code, f"{len(bad)} rows"

    def fail_in_turn(self, command, words, calls):
        """calls: (function, number) pairs; each outcome must be one that its function may have."""
        with ThreadPoolExecutor(WORKERS) as workers:
            outcomes = list(workers.map(lambda call: self.fail_call(command, words, *call), calls))
        for (function, number), (code, seen) in zip(calls, outcomes):
            if not function.startswith(SURVIVED):
                self.assertNotEqual((code, seen), (0, "0 rows"), f"{command}: {function} {number}: the failure went unnoticed")

    def test_of_verify(self):
        calls = self.count("verify")
        self.assertGreater(sum(calls.values()), 100)
        self.fail_in_turn("verify", (), [(function, number + 1) for function in sorted(calls) for number in range(calls[function])])

    def test_of_measuring(self):
        """The calls that a run makes beyond those of verify: the first ones, and a later one that a busy machine comes to as well."""
        budget = ("--budget", "0.1")
        before, whole = self.count("verify"), self.count("run", *budget)
        calls = []
        for function in sorted(whole):
            first, last = before.get(function, 0) + 1, whole[function]
            calls += [(function, number) for number in sorted({first, first + 1, first + min(8, (last - first) // 4)}) if first <= number <= last]
        self.assertGreater(len(calls), 12)
        with ThreadPoolExecutor(WORKERS) as workers:
            list(workers.map(lambda call: self.fail_call("run", budget, *call), calls))


if __name__ == "__main__":
    main()
