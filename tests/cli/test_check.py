"""`benchmark check`: verdicts, what is told apart, exit codes, histories."""

import json
import math
import os
import random
import shutil
from pathlib import Path

from jsonschema import Draft202012Validator

import made
from harness import ProgramTest, main, validate
from made import Machine

SCHEMA = json.loads((Path(os.environ["BM_SOURCE_DIR"]) / "results" / "gate.schema.json").read_text())
MACHINE = Machine()
PREFILL, DECODE = "gemm/test-7b/prefill/qkv/f32/m128n6144k4096", "gemv/test-7b/decode/qkv/f32/m1n6144k4096"
BASE = {case["key"]: made.ideal_ns(MACHINE, case) / MACHINE.efficiency for case in made.CASES}


def run(scatter=0.004, seed=0, day=0, slower=None, machine=MACHINE, **options):
    """One run of the machine; its rows scatter, and those of `slower` take as many times as long."""
    noise = random.Random(seed)
    times = {key: ns * math.exp(noise.gauss(0, scatter)) * (slower or {}).get(key, 1) for key, ns in BASE.items()}
    return made.results([machine], times=times, created=f"2026-03-{1 + day // 24:02}T{day % 24:02}:00:00Z", half_width=0.003, **options)


class CheckTest(ProgramTest):
    def put(self, name, document):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
        found = validate.problems(path)
        self.assertEqual(found, [])
        return name

    def history(self, name, count, **options):
        """A folder of runs, and nothing else."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        for i in range(count):
            self.put(f"{name}/run-{i:03}.json", run(seed=100 + i, day=i, **options))
        return name

    def check(self, *words, code=0):
        out = self.benchmark("check", "--format", "json", *words, code=code).out
        document = json.loads(out)
        self.assertEqual([e.message for e in Draft202012Validator(SCHEMA).iter_errors(document)], [])
        self.assertEqual(sum(document["counts"].values()), len(document["rows"]))
        return document

    def verdicts(self, document):
        return {row["key"]: row["verdict"] for row in document["rows"]}

    def row(self, document, key):
        return next(row for row in document["rows"] if row["key"] == key)


class Histories(CheckTest):
    def test_unchanged(self):
        self.history("base", 12)
        document = self.check("--baseline", "base", self.put("new.json", run(seed=1, day=50)))
        self.assertEqual(set(self.verdicts(document).values()), {"unchanged"})
        self.assertEqual(document["margin"], 0.01)
        self.assertTrue(document["margin_calibrated"])
        row = self.row(document, PREFILL)
        self.assertEqual((row["old_runs"], row["new_runs"], row["deviation_assumed"]), (12, 1, False))
        self.assertLess(row["detectable_ratio"], 1.04)

    def test_regressed_and_improved(self):
        self.history("base", 12)
        slow = self.put("slow.json", run(seed=1, day=50, slower={PREFILL: 1.06}))
        document = self.check("--baseline", "base", slow, code=1)
        self.assertEqual(self.verdicts(document)[PREFILL], "regressed")
        self.assertEqual(document["counts"]["unchanged"], len(BASE) - 1)
        row = document["rows"][0]
        self.assertEqual(row["key"], PREFILL, "the worst come first")
        self.assertAlmostEqual(row["time_ratio"], 1.06, delta=0.01)
        self.assertTrue(row["ci"][0] < 1.06 < row["ci"][1])
        fast = self.put("fast.json", run(seed=1, day=50, slower={PREFILL: 0.9}))
        document = self.check("--baseline", "base", fast)
        self.assertEqual(self.verdicts(document)[PREFILL], "improved")
        both = self.put("both.json", run(seed=1, day=50, slower={PREFILL: 0.9, DECODE: 1.1}))
        document = self.check("--baseline", "base", both, code=1)
        self.assertEqual((document["counts"]["improved"], document["counts"]["regressed"]), (1, 1))

    def test_only_what_follows_the_last_change_counts(self):
        for i in range(16):
            self.put(f"changed/run-{i:03}.json", run(seed=i, day=i, slower={PREFILL: 1.2} if i < 8 else None))
        document = self.check("--baseline", "changed", self.put("new.json", run(seed=99, day=50)))
        row = self.row(document, PREFILL)
        self.assertEqual((row["verdict"], row["runs_before_change"], row["old_runs"]), ("unchanged", 8, 8))
        self.assertAlmostEqual(row["old_ns"] / BASE[PREFILL], 1, delta=0.01, msg="of those that count")
        self.assertIn("of 1 rows baselines before the last change in them are left out", document["notes"])
        back = self.put("back.json", run(seed=99, day=50, slower={PREFILL: 1.2}))
        self.check("--baseline", "changed", back, code=1)

    def test_files_in_any_order_and_repeated_options(self):
        self.history("base", 12)
        files = sorted((self.folder / "base").iterdir(), reverse=True)
        new = self.put("new.json", run(seed=1, day=50))
        words = [word for file in files for word in ("--baseline", str(file))]
        self.assertEqual(self.check(*words, new)["rows"], self.check("--baseline", "base", new)["rows"])

    def test_the_latest_baseline_is_so_by_its_date(self):
        """... not by its place on the command line: it says what is missing, and what changed since."""
        less = made.without(run(seed=2, day=9, commit="2222222"), DECODE)
        less["devices"] = new_devices = [device | {"summary": []} for device in less["devices"]]
        files = [self.put("older.json", run(seed=1, day=3, commit="1111111")), self.put("newer.json", less)]
        new = made.without(run(seed=3, day=50, commit="3333333"), DECODE) | {"devices": new_devices}
        again = made.without(run(seed=4, day=60, commit="4444444"), DECODE) | {"devices": new_devices}
        news = [self.put("new.json", new), self.put("again.json", again)]
        for old in files, files[::-1]:
            for fresh in news, news[::-1]:
                document = self.check("--baseline", old[0], "--baseline", old[1], *fresh)
                self.assertNotIn(DECODE, self.verdicts(document))
                self.assertIn("changed since the baseline: commit 2222222 -> 4444444", document["notes"])

    def test_outliers_are_left_out_and_told(self):
        for i in range(12):
            self.put(f"outlier/run-{i:03}.json", run(seed=i, day=i, slower={PREFILL: 1.3} if i == 5 else None))
        document = self.check("--baseline", "outlier", self.put("new.json", run(seed=99, day=50)))
        row = self.row(document, PREFILL)
        self.assertEqual((row["verdict"], row["runs_left_out"], row["old_runs"]), ("unchanged", 1, 11))
        self.assertAlmostEqual(row["old_ns"] / BASE[PREFILL], 1, delta=0.01)
        self.assertIn("of 1 rows outlying baselines are left out", document["notes"])

    def test_new_results_in_the_folder_of_baselines(self):
        self.history("same", 6)
        new = self.put("same/run-999.json", run(seed=1, day=50))
        document = self.check("--baseline", "same", new)
        self.assertEqual(self.row(document, PREFILL)["old_runs"], 6)

    def test_several_new_runs(self):
        self.history("base", 12)
        names = [self.put(f"new-{i}.json", run(seed=300 + i, day=50 + i, slower={PREFILL: 1.04})) for i in range(4)]
        one, four = self.check("--baseline", "base", names[0], code=None), self.check("--baseline", "base", *names, code=1)
        self.assertEqual(self.row(four, PREFILL)["new_runs"], 4)
        widths = [math.log(self.row(d, PREFILL)["ci"][1] / self.row(d, PREFILL)["ci"][0]) for d in (one, four)]
        self.assertLess(widths[1], widths[0])


class OneBaseline(CheckTest):
    def test_what_could_not_have_been_seen_is_told(self):
        old = self.put("old.json", run(seed=1))
        document = self.check("--baseline", old, self.put("new.json", run(seed=2, day=1)))
        self.assertEqual(set(self.verdicts(document).values()), {"inconclusive"})
        row = self.row(document, PREFILL)
        self.assertEqual((row["deviation"], row["deviation_assumed"]), (0.027, True))
        self.assertTrue(1.1 < row["detectable_ratio"] < 1.25)
        text = self.benchmark("check", "--baseline", old, "new.json").out
        self.assertIn("a spread of 2.7 % between runs is assumed", text)
        self.check("--baseline", old, "new.json", "--fail-on-inconclusive", code=3)

    def test_a_large_change_is_found(self):
        old = self.put("old.json", run(seed=1))
        self.check("--baseline", old, self.put("slow.json", run(seed=2, slower={PREFILL: 1.3})), code=1)

    def test_a_regression_goes_before_what_is_inconclusive(self):
        old = self.put("old.json", run(seed=1))
        self.check("--baseline", old, self.put("slow.json", run(seed=2, slower={PREFILL: 1.3})), "--fail-on-inconclusive", code=1)


MOVED = Machine(bandwidth=MACHINE.bandwidth * 0.6)  # by its host, to where memory is slower


class AMachineThatMoved(CheckTest):
    """Rows that memory bounds take 1 / 0.6 of the time, and nothing that we run has changed."""

    def moved(self, name, seed, slower=None):
        times = {case["key"]: 1 / 0.6 * (slower or {}).get(case["key"], 1) if case["m"] == 1 else (slower or {}).get(case["key"], 1)
                 for case in made.CASES}
        return self.put(name, run(seed=seed, day=50, slower=times, machine=MOVED))

    def test_is_no_regression_of_its_rows(self):
        self.history("base", 12)
        old = self.put("old.json", run(seed=1))
        for baseline in ("base", old):
            document = self.check("--baseline", baseline, self.moved("new.json", 2))
            row = self.row(document, DECODE)
            self.assertEqual(row["verdict"], "inconclusive")
            self.assertAlmostEqual(row["time_ratio"], 1 / 0.6, delta=0.03)
            self.assertEqual(row["why"], "slower with the machine: its share of what that delivers did not fall")
            self.assertTrue(any(note.startswith("3 rows are slower or faster as the machine itself is") for note in document["notes"]))
            self.check("--baseline", baseline, "new.json", "--fail-on-inconclusive", code=3)

    def test_and_back_is_no_improvement(self):
        old = self.moved("old.json", 1)
        row = self.row(self.check("--baseline", old, self.put("new.json", run(seed=2, day=60))), DECODE)
        self.assertEqual((row["verdict"], row["why"]), ("inconclusive", "faster with the machine: its share of what that delivers did not rise"))

    def test_does_not_hide_what_is_slower_by_itself(self):
        self.history("base", 12)
        document = self.check("--baseline", "base", self.moved("new.json", 2, slower={DECODE: 1.06}), code=1)
        self.assertEqual(self.verdicts(document)[DECODE], "regressed")
        self.assertEqual(document["counts"]["regressed"], 1)

    def test_a_share_that_falls_alone_is_a_ceiling_that_rose(self):
        self.history("base", 12)
        new = self.put("new.json", run(seed=2, day=50, machine=Machine(bandwidth=MACHINE.bandwidth * 1.5)))
        self.assertEqual(self.check("--baseline", "base", new)["counts"]["regressed"], 0)

    def test_a_ceiling_without_a_history_is_no_verdict(self):
        key = "stream/-/-/read/-/-"

        def ceiling(seed, slower=1.0, day=0):
            document = run(seed=seed, day=day, slower={DECODE: slower})
            row = next(row for row in document["results"] if row["key"] == DECODE)
            row["key"] = key
            row["case"] |= {"workload": "stream", "op": "read", **{axis: None for axis in ("model", "phase", "dtype", "m", "n", "k")}}
            row["utilization"] = None
            return made.without(document) | {"devices": [device | {"summary": []} for device in document["devices"]]}

        old, new = self.put("old.json", ceiling(1)), self.put("new.json", ceiling(2, 1.6, day=60))
        row = self.row(self.check("--baseline", old, new), key)
        self.assertEqual((row["verdict"], row["why"], row["detectable_ratio"]),
                         ("inconclusive", "the machine is slower: 5 baselines would tell whether it often is", None))
        for i in range(6):
            self.put(f"calm/run-{i}.json", ceiling(10 + i, day=i))
        self.assertEqual(self.row(self.check("--baseline", "calm", new, code=1), key)["verdict"], "regressed")

    def test_a_ceiling_is_its_rate_however_long_it_ran(self):
        key = "stream/-/-/read/-/-"

        def ceiling(seed, times, day=0):
            document = run(seed=seed, day=day, slower={DECODE: times})
            row = next(row for row in document["results"] if row["key"] == DECODE)
            row["key"], row["utilization"], row["bytes"] = key, None, times * row["bytes"]
            row["gbytes_per_s"], row["flops"], row["gflops"] = row["bytes"] / row["time_ns"]["median"], None, None
            row["case"] |= {"workload": "stream", "op": "read", **{axis: None for axis in ("model", "phase", "dtype", "m", "n", "k")}}
            return document | {"devices": [device | {"summary": []} for device in document["devices"]]}

        for i in range(6):
            self.put(f"rates/run-{i}.json", ceiling(10 + i, 1.0, day=i))
        row = self.row(self.check("--baseline", "rates", self.put("longer.json", ceiling(2, 2.0, day=60))), key)
        self.assertEqual(row["verdict"], "unchanged")
        self.assertAlmostEqual(row["time_ratio"], 1, delta=0.02)

    def test_files_without_ceilings_are_judged_by_time(self):
        documents = [run(seed=1), run(seed=2, day=50, slower={DECODE: 1.3})]
        for document in documents:
            for row in document["results"]:
                row["utilization"] |= {"roofline_efficiency": None, "roofline_efficiency_ci": None}
        names = [self.put(f"blind-{i}.json", document) for i, document in enumerate(documents)]
        self.assertEqual(self.verdicts(self.check("--baseline", *names, code=1))[DECODE], "regressed")


class ToldApart(CheckTest):
    def setUp(self):
        self.history("base", 8)

    def test_missing_rows(self):
        new = self.put("less.json", made.without(run(seed=1, day=50), DECODE) | {"devices": self.devices_without_summary(run())})
        document = self.check("--baseline", "base", new, code=4)
        self.assertEqual(self.verdicts(document)[DECODE], "missing")
        self.assertEqual(document["counts"]["unchanged"], len(BASE) - 1)

    def devices_without_summary(self, document):
        for device in document["devices"]:
            device["summary"] = []
        return document["devices"]

    def test_a_row_that_is_gone_since_long_is_not_missed(self):
        latest = made.without(run(seed=5, day=20), DECODE)
        latest["devices"] = self.devices_without_summary(run())
        self.put("base/run-900.json", latest)
        new = made.without(run(seed=1, day=50), DECODE)
        new["devices"] = latest["devices"]
        document = self.check("--baseline", "base", self.put("less.json", new))
        self.assertNotIn(DECODE, self.verdicts(document))
        (self.folder / "base/run-900.json").unlink()

    def test_added_rows_do_not_fail(self):
        cases = made.CASES + [made.gemm("lm_head", 1, 32000, 4096)]
        new = made.results([MACHINE], cases=cases, times=BASE, created="2026-03-09T00:00:00Z")
        document = self.check("--baseline", "base", self.put("more.json", new))
        self.assertEqual(self.verdicts(document)["gemv/test-7b/decode/lm_head/f32/m1n32000k4096"], "added")

    def test_rows_without_a_figure(self):
        for status, reason in (("failed", "verification failed: output 7 is wrong"), ("skipped", "weights need 9 GiB")):
            new = made.unmeasured(run(seed=1, day=50), DECODE, status, reason)
            new["devices"] = self.devices_without_summary(run())
            document = self.check("--baseline", "base", self.put("broken.json", new), code=4)
            row = self.row(document, DECODE)
            self.assertEqual((row["verdict"], row["why"]), ("unverified", f"{status}: {reason}"))
            self.assertIsNone(row["time_ratio"])

    def test_a_row_that_is_wrong_in_one_of_several_new_files(self):
        good = run(seed=1, day=50)
        wrong = made.unmeasured(run(seed=2, day=51), DECODE, "failed", "verification failed: output 7 is wrong")
        left = made.unmeasured(run(seed=3, day=52), DECODE, "skipped", "the budget ended")
        wrong["devices"] = left["devices"] = self.devices_without_summary(run())
        good, wrong, left = (self.put(f"several-{i}.json", document) for i, document in enumerate((good, wrong, left)))
        for names in ((good, wrong), (wrong, good), (wrong, left, good), (left, wrong, good)):
            row = self.row(self.check("--baseline", "base", *names, code=4), DECODE)
            self.assertEqual(row["verdict"], "unverified", names)
            self.assertEqual(row["why"], f"failed in 1 of {len(names)} new files: verification failed: output 7 is wrong")
        for names in ((good, left), (left, good)):
            row = self.row(self.check("--baseline", "base", *names), DECODE)
            self.assertEqual((row["verdict"], row["why"], row["new_runs"]), ("unchanged", None, 1))

    def test_a_new_row_that_is_wrong_is_told(self):
        cases = made.CASES + [made.gemm("lm_head", 1, 32000, 4096)]
        key = cases[-1]["key"]
        for status, verdict in (("failed", "unverified"), ("skipped", None)):
            new = made.unmeasured(made.results([MACHINE], cases=cases, times=BASE, created="2026-03-09T00:00:00Z"), key, status, "why")
            new["devices"] = self.devices_without_summary(run())
            document = self.check("--baseline", "base", self.put("new-row.json", new), code=4 if verdict else 0)
            self.assertEqual(self.verdicts(document).get(key), verdict)

    def test_equal_devices_of_one_machine(self):
        """Their fingerprints are equal; what happens to one of them is not shared out over both."""
        machines = [Machine("Twin GPU", kind="gpu", device=f"gpu{i}") for i in range(2)]

        def twins(day, slower=1.0, only=None):
            times = {key: ns * (1 + 0.003 * math.cos(7 * day + i)) for i, (key, ns) in enumerate(BASE.items())}
            document = made.results([m for m in machines if only in (None, m.device)],
                                    times=times | {("gpu1", PREFILL): times[PREFILL] * slower},
                                    created=f"2026-03-{day:02}T00:00:00Z", half_width=0.003)
            for device in document["devices"]:
                device["fingerprint"] = machines[0].fingerprint
            return document

        for day in range(1, 7):
            self.put(f"twins/run-{day}.json", twins(day))
        for only, count in ((None, 2 * len(BASE)), ("gpu1", len(BASE))):
            document = self.check("--baseline", "twins", self.put("twins-new.json", twins(9, 1.1, only)), code=1)
            found = [(row["device"], row["key"]) for row in document["rows"] if row["verdict"] == "regressed"]
            self.assertEqual(found, [("gpu1", PREFILL)])
            self.assertEqual(document["counts"]["missing"], 2 * len(BASE) - count)
        other = json.loads(json.dumps(twins(9, only="gpu0")).replace('"gpu0"', '"gpu3"'))
        self.put("one/run.json", twins(1, only="gpu0"))
        document = self.check("--baseline", "one", self.put("renamed.json", other))
        self.assertEqual({row["device"] for row in document["rows"]}, {"gpu3"})
        self.assertEqual((document["counts"]["added"], document["counts"]["missing"]), (0, 0), "the only one of its kind")

    def test_nothing_in_common_is_no_pass(self):
        new = made.results([MACHINE], cases=[made.gemm("qkv", 128, 4096, 4096, model="other-7b")], created="2026-03-09T00:00:00Z")
        document = self.check("--baseline", "base", self.put("other.json", new), code=4)
        self.assertEqual(document["counts"]["missing"], len(BASE))

    def test_a_row_that_never_ran_is_no_change(self):
        old = made.unmeasured(run(seed=1), DECODE, "skipped", "weights need 9 GiB")
        new = made.unmeasured(run(seed=2, day=50), DECODE, "skipped", "weights need 9 GiB")
        old["devices"] = new["devices"] = self.devices_without_summary(run())
        document = self.check("--baseline", self.put("never-old.json", old), self.put("never-new.json", new))
        self.assertNotIn(DECODE, self.verdicts(document))

    def test_throttled_rows(self):
        new = run(seed=1, day=50, slower={DECODE: 2}, flags={DECODE: ["throttled"]})
        document = self.check("--baseline", "base", self.put("hot.json", new))
        self.assertEqual(self.verdicts(document)[DECODE], "throttled")
        self.check("--baseline", "base", "hot.json", "--fail-on-inconclusive", code=3)
        row = self.row(self.check("--baseline", "base", "hot.json", self.put("cool.json", run(seed=2, day=51))), DECODE)
        self.assertEqual((row["verdict"], row["new_runs"]), ("unchanged", 1), "one of them was not")

    def test_throttled_baselines_do_not_count(self):
        self.put("base/run-800.json", run(seed=7, day=30, slower={DECODE: 2}, flags={DECODE: ["throttled"]}))
        document = self.check("--baseline", "base", self.put("new.json", run(seed=1, day=50)))
        self.assertEqual(self.row(document, DECODE)["old_runs"], 8)
        (self.folder / "base/run-800.json").unlink()

    def test_other_drivers_and_systems_cannot_be_compared(self):
        for machine, says in ((Machine(driver="2.0"), "driver opencl/pocl 1.0 -> opencl/pocl 2.0"),
                              (Machine(kernel="Linux 6.9"), "system Linux 6.1 -> Linux 6.9")):
            document = self.check("--baseline", "base", self.put("other.json", run(seed=1, day=50, machine=machine)), code=4)
            self.assertEqual(document["counts"]["incomparable"], len(document["rows"]), "and none is missing besides")
            self.assertIn(says, self.row(document, DECODE)["why"])

    def test_what_differs_is_told_of_the_latest_baseline(self):
        files = [self.put(f"driver-{i}.json", run(seed=i, day=i, machine=Machine(driver=f"{i}.0"))) for i in (3, 4)]
        new = self.put("other.json", run(seed=1, day=50, machine=Machine(driver="5.0")))
        for old in files, files[::-1]:
            document = self.check("--baseline", old[0], "--baseline", old[1], new, code=4)
            self.assertIn("driver opencl/pocl 4.0 -> opencl/pocl 5.0", self.row(document, DECODE)["why"])

    def test_what_another_backend_or_device_did_is_no_baseline(self):
        for machine in Machine(backend="onednn"), Machine(device="cpu1"):
            document = self.check("--baseline", "base", self.put("apart.json", run(seed=1, day=50, machine=machine)), code=4)
            self.assertEqual((document["counts"]["added"], document["counts"]["missing"]), (len(BASE), len(BASE)))

    def test_other_threads_and_other_work_cannot_be_compared(self):
        new = run(seed=1, day=50)
        for row in new["results"]:
            row["threads"] = 4
        document = self.check("--baseline", "base", self.put("threads.json", new), code=4)
        self.assertIn("the baseline used 2 threads, the new results 4", self.row(document, DECODE)["why"])
        for amount, rate in (("flops", "gflops"), ("bytes", "gbytes_per_s")):
            new = run(seed=1, day=50)
            for row in new["results"]:
                if row["key"] == DECODE:
                    row[amount], row[rate] = 2 * row[amount], 2 * row[rate]
            document = self.check("--baseline", "base", self.put("work.json", new), code=4)
            self.assertEqual(self.verdicts(document)[DECODE], "incomparable")
            self.assertIn("other work", self.row(document, DECODE)["why"])

    def test_undisturbed_rounds_count_where_enough_are_left(self):
        for confidence, time in ((0.95, 1.0), (0.5, 1.4)):
            new = run(seed=1, day=50, slower={DECODE: 1.4}, flags={DECODE: ["contaminated"]})
            for row in new["results"]:
                if row["key"] == DECODE:
                    row["time_ns_uncontaminated"] = made.time_json(BASE[DECODE], 0.003) | {"confidence": confidence}
            row = self.row(self.check("--baseline", "base", self.put("disturbed.json", new), code=None), DECODE)
            self.assertAlmostEqual(row["time_ratio"], time, delta=0.01)

    def test_a_device_without_fingerprint(self):
        new = run(seed=1, day=50)
        new["devices"][0]["fingerprint"] = None
        document = self.check("--baseline", "base", self.put("anonymous.json", new), code=4)
        self.assertIn("no fingerprint", self.row(document, DECODE)["why"])

    def test_baselines_of_other_machines_are_passed_over(self):
        self.put("base/run-700.json", run(seed=7, day=30, machine=Machine("Other CPU")))
        document = self.check("--baseline", "base", self.put("new.json", run(seed=1, day=50)))
        self.assertEqual(document["counts"]["unchanged"], len(BASE))
        (self.folder / "base/run-700.json").unlink()

    def test_unstable_rows_are_never_unchanged(self):
        for flag in "unstable", "bimodal":
            new = run(seed=1, day=50, flags={DECODE: [flag]})
            document = self.check("--baseline", "base", self.put("unstable.json", new))
            row = self.row(document, DECODE)
            self.assertEqual(row["verdict"], "inconclusive")
            self.assertIn("cannot be called unchanged", row["why"])

    def test_shared_measurements_are_judged_once(self):
        new = run(seed=1, day=50)
        copy = json.loads(json.dumps(new["results"][-1]))
        copy["measured_as"] = copy["key"]
        copy["key"] = copy["key"].replace("test-7b", "copy-7b")
        copy["case"]["model"] = "copy-7b"
        new["results"].append(copy)
        document = self.check("--baseline", "base", self.put("shared.json", new))
        self.assertEqual(len(document["rows"]), len(BASE))
        self.assertIn("1 rows share another row's measurement and are judged there", document["notes"])
        notes = self.check("--baseline", "shared.json", self.put("alone.json", run(seed=2, day=51)))["notes"]
        self.assertNotIn("share another row", "\n".join(notes))


class Notes(CheckTest):
    def test_possible_causes(self):
        self.history("base", 6)
        new = run(seed=1, day=50, commit="fedcba9")
        for row in new["results"][:2]:
            row["kernel"]["parameters"]["TILE_M"] = 16
        document = self.check("--baseline", "base", self.put("new.json", new))
        notes = "\n".join(document["notes"])
        self.assertIn("changed since the baseline: commit 0123abc -> fedcba9", notes)
        self.assertIn("changed since the baseline: the kernels' sources", notes)
        self.assertIn("kernel or parameters of 2 rows", notes)

    def test_all_rows_at_once_point_at_the_machine(self):
        self.history("base", 8)
        new = run(seed=1, day=50, slower=dict.fromkeys(BASE, 1.1))
        document = self.check("--baseline", "base", self.put("new.json", new), code=1)
        self.assertIn("nearly all rows moved together", "\n".join(document["notes"]))

    def test_some_rows_are_not_nearly_all(self):
        self.history("base", 8)
        new = run(seed=1, day=50, slower=dict.fromkeys(BASE, 1.1) | dict.fromkeys(list(BASE)[:2], 1.02))
        document = self.check("--baseline", "base", self.put("new.json", new), code=1)
        self.assertNotIn("nearly all rows", "\n".join(document["notes"]))

    def test_of_a_few_rows_nothing_is_common(self):
        for i in range(9):
            document = made.results([MACHINE], cases=made.CASES[:3], half_width=0.003, created=f"2026-03-{1 + i:02}T00:00:00Z",
                                    times={key: ns * (1 + 0.004 * math.cos(i)) * (1.1 if i == 8 else 1) for key, ns in BASE.items()})
            self.put(f"few/run-{i}.json" if i < 8 else "few.json", document)
        document = self.check("--baseline", "few", "few.json", code=1)
        self.assertEqual(document["counts"]["regressed"], 3)
        self.assertNotIn("nearly all rows", "\n".join(document["notes"]))


class Margin(CheckTest):
    """How far a run lies from the mean of the others: the 95th percentile."""

    def margin(self, factors):
        shutil.rmtree(self.folder / "runs", ignore_errors=True)
        for i, factor in enumerate(factors + [1.0]):
            name = f"runs/run-{i:03}.json" if i < len(factors) else "new.json"
            self.put(name, made.results([MACHINE], cases=made.CASES[:1], times={PREFILL: BASE[PREFILL] * factor},
                                        created=f"2026-03-{1 + i:02}T00:00:00Z", half_width=0.0001))
        return self.check("--baseline", "runs", "new.json", code=None)["margin"]

    def test_of_the_mean_of_the_others(self):
        self.assertAlmostEqual(self.margin([math.exp(side * 0.015) for side in (1, -1)] * 3), math.expm1(0.015 * 6 / 5), 9)

    def test_what_is_left_out_is_no_measure(self):
        calm = [math.exp(side * 0.002) for side in (1, -1)] * 6
        self.assertAlmostEqual(self.margin([1.06 * factor for factor in calm] + calm), 0.01, 9, "before the last change")
        self.assertAlmostEqual(self.margin(calm[:6] + [1.5] + calm[:6]), 0.01, 9, "an outlier")

    def test_few_runs_tell_nothing(self):
        self.assertAlmostEqual(self.margin([1.03, 1.0, 0.97]), 0.01, 9)


class Options(CheckTest):
    def test_margin(self):
        self.history("base", 12)
        new = self.put("new.json", run(seed=1, day=50, slower={PREFILL: 1.05}))
        self.check("--baseline", "base", new, "--margin", "0.02", code=1)
        for margin in "0.1", "10%":
            document = self.check("--baseline", "base", new, "--margin", margin)
            self.assertEqual(self.verdicts(document)[PREFILL], "unchanged")
            self.assertAlmostEqual(document["margin"], 0.1)
            self.assertFalse(document["margin_calibrated"])
        text = self.benchmark("check", "--baseline", "base", new, "--margin", "10%").out
        self.assertRegex(text, r"a change\s+counts\s+above\s+10.0 %,[^;]+;\s+unchanged\s+is\s+shown\s+within\s+10.0\s+%")

    def test_alpha(self):
        self.history("base", 12)
        new = self.put("new.json", run(seed=1, day=50, slower={PREFILL: 1.025}))
        self.check("--baseline", "base", new, "--alpha", "0.2", code=1)
        self.check("--baseline", "base", new, "--alpha", "0.0001", code=0)

    def test_wrong_values(self):
        old, new = self.put("old.json", run(seed=1)), self.put("new.json", run(seed=2, day=1))
        for option in "margin", "alpha":
            for wrong in "0", "-1", "2", "x", "0x1", "nan", "%", "1000%":
                self.refused("check", "--baseline", old, new, f"--{option}", wrong, says=(f"--{option}", f"'{wrong}'"))
        self.refused("check", "--baseline", old, new, "--format", "xml", says=("--format", "'xml'", "text"))

    def test_what_is_needed(self):
        old = self.put("old.json", run(seed=1))
        self.refused("check", old, says="--baseline FILE|DIR is needed")
        self.refused("check", "--baseline", old, says="name the new results")
        self.refused("check", "--baseline", "absent.json", old, says="absent.json: No such file")
        (self.folder / "empty").mkdir()
        self.refused("check", "--baseline", "empty", old, says=("empty holds no results", "benchmark run --output"))
        self.refused("check", "--baseline", old, "absent.json", says="absent.json")

    def test_an_interrupted_run_is_told(self):
        cut = run(seed=2, day=9)
        cut["complete"] = False
        new = self.put("cut.json", cut)
        result = self.benchmark("check", "--baseline", self.put("whole.json", run(seed=1)), new, code=None)
        self.assertIn(f"{new} was interrupted: what is missing was not measured\n", result.out)

    def test_results_without_rows(self):
        old, empty = self.put("full.json", run(seed=1)), run(seed=1)
        empty["results"] = empty["devices"][0]["summary"] = []
        self.refused("check", "--baseline", old, self.put("none.json", empty), says="none.json: has no rows to judge")

    def test_a_report_never_takes_the_place_of_results(self):
        self.history("kept", 2)
        new = self.put("new.json", run(seed=1, day=50))
        (self.folder / "link.json").symlink_to("new.json")
        before = {path: path.read_bytes() for path in (*self.folder.glob("kept/*.json"), self.folder / "new.json")}
        for output in new, "link.json", *(str(path) for path in self.folder.glob("kept/*.json")):
            self.refused("check", "--baseline", "kept", new, "--output", output, says=("--output", "would be lost"))
        self.refused("check", "--baseline", new, new, "--output", new, says="would be lost")
        self.assertEqual({path: path.read_bytes() for path in before}, before)
        self.benchmark("check", "--baseline", "kept", new, "--output", "kept/report.txt", code=None)
        self.assertIn("rows", (self.folder / "kept/report.txt").read_text())

    def test_a_pipe_in_a_folder_is_not_waited_for(self):
        self.history("piped", 2)
        os.mkfifo(self.folder / "piped/pipe.json")
        self.assertEqual(self.benchmark("check", "--baseline", "piped", self.put("new.json", run(seed=1, day=50)), code=None).err, "")

    def test_broken_files_are_named_and_the_others_judged(self):
        self.history("mixed", 8)
        (self.folder / "mixed/run-broken.json").write_text('{"schema_version": "1.0", "devices": [')
        new = self.put("new.json", run(seed=1, day=50, slower={PREFILL: 1.3}))
        result = self.benchmark("check", "--baseline", "mixed", new, code=2)
        self.assertEqual(result.err.count("\n"), 1)
        self.assertIn("run-broken.json:1:", result.err)
        self.assertIn("1 regressed", result.out)

    def test_text(self):
        self.history("base", 8)
        result = self.benchmark("check", "--baseline", "base", self.put("new.json", run(seed=1, day=50, slower={PREFILL: 1.3})),
                                code=1)
        self.assertRegex(result.out, r"\Acpu0: Test CPU, opencl/pocl\nVERDICT +TIME +95 % INTERVAL +DETECTABLE +RUNS +ROW\n")
        self.assertRegex(result.out, r"regressed +\+30\.\d % +\+2\d\.\d to \+3\d\.\d % +\+\d\.\d % +8\+1 +" + PREFILL)
        self.assertIn("\n1 regressed, 5 unchanged of 6 rows\n", result.out)
        self.assertIn("a change counts above 1.", result.out)
        self.assertEqual(result.err, "")


if __name__ == "__main__":
    main()
