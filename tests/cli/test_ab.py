"""`benchmark ab`: order, pairs, verdicts and files with invented times (fake_run.py), and with the program itself."""

import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import made
from harness import PROGRAM, TINY, ProgramTest, layer, main, validate

HERE = Path(__file__).parent
KEYS = [case["key"] for case in made.CASES]
SCHEMA = json.loads((Path(os.environ["BM_SOURCE_DIR"]) / "results" / "gate.schema.json").read_text())


class AbTest(ProgramTest):
    def setUp(self):
        self.begin()

    def begin(self):
        """Forgets what processes there were, and what they left."""
        for name in "log", "out":
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    @classmethod
    def make_environment(cls):
        return {**super().make_environment(), "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self, side, **orders):
        """A command that invents results."""
        return [sys.executable, "-S", str(HERE / "fake_run.py"), self.write(f"{side}.json", orders), "run"]

    def words(self, old=None, new=None, *options):
        old = self.command("old") if old is None else old
        new = self.command("new") if new is None else new
        self.begin()
        return ("ab", "--output", "out", *options, "--", *old, "--vs", *new)

    def ab(self, old=None, new=None, *options, code=0, env=None):
        """(what it said, the gate by its JSON)"""
        result = self.benchmark(*self.words(old, new, "--format", "json", *options), code=code, env=env)
        gate = json.loads(result.out)
        self.assertEqual([f"{e.json_path}: {e.message}" for e in validate.Draft202012Validator(SCHEMA).iter_errors(gate)], [])
        return result, gate

    def log(self):
        return (self.folder / "log").read_text().splitlines()

    def left(self):
        return sorted(path.name for path in (self.folder / "out").iterdir())


class Rounds(AbTest):
    def test_pairs_in_abba_or_baab_order_after_one_trial_of_each(self):
        seen = set()
        for _ in range(6):
            self.ab(None, None, "--rounds", "8")
            sides = "".join("A" if line.startswith("old ") else "B" for line in self.log())
            self.assertTrue(sides.startswith("AB"), sides)
            self.assertEqual(len(sides), 2 + 2 * 8)
            seen |= {sides[i:i + 4] for i in range(2, len(sides), 4)}
        self.assertEqual(seen, {"ABBA", "BAAB"})  # 24 coins

    def test_every_process_gets_the_words_and_an_output_of_its_own(self):
        self.ab([*self.command("old"), "a b", "--device", "*"], ["env", "SIDE=$x y", *self.command("new")], "--rounds", "8")
        for line in self.log():
            if line.startswith("old"):
                self.assertEqual(line, "old - run a b --device * --quiet --output out/old.process.json")
            else:
                self.assertEqual(line, "new $x y run --quiet --output out/new.process.json")
        self.assertEqual(self.left(), ["new.json", "old.json"])

    def test_stops_when_every_row_has_a_verdict(self):
        result, gate = self.ab(None, self.command("new", noise=0.001, factors={KEYS[0]: 1.3}), code=1)
        self.assertEqual(gate["counts"]["regressed"], 1)
        self.assertEqual(gate["counts"]["unchanged"], 5)
        self.assertEqual({row["new_runs"] for row in gate["rows"]}, {12})
        self.assertIn("after 12 rounds 6 of 6 rows have a verdict", result.err)
        self.assertIn("old.json and new.json are in out", result.err)

    def test_rows_without_a_verdict_go_on_to_the_last_look(self):
        _, gate = self.ab(self.command("old", noise=0.05), self.command("new", noise=0.05, factors={KEYS[0]: 2}), "--rounds", "20",
                          code=1)
        verdicts = {row["key"]: row["verdict"] for row in gate["rows"]}
        self.assertEqual(verdicts.pop(KEYS[0]), "regressed")
        self.assertEqual(set(verdicts.values()), {"inconclusive"})
        runs = {row["key"]: row["new_runs"] for row in gate["rows"]}
        self.assertEqual(runs.pop(KEYS[0]), 20)
        self.assertEqual(set(runs.values()), {20})
        for row in gate["rows"]:
            self.assertGreater(row["detectable_ratio"] or math.inf, 1.01)


class Verdicts(AbTest):
    def test_both_ways(self):
        _, gate = self.ab(None, self.command("new", factors={KEYS[0]: 1.06, KEYS[1]: 0.9}), code=1)
        rows = {row["key"]: row for row in gate["rows"]}
        self.assertEqual(gate["method"], "ab")
        self.assertEqual(rows[KEYS[0]]["verdict"], "regressed")
        self.assertEqual(rows[KEYS[1]]["verdict"], "improved")
        self.assertEqual({rows[key]["verdict"] for key in KEYS[2:]}, {"unchanged"})
        self.assertLess(abs(rows[KEYS[0]]["time_ratio"] - 1.06), 0.01)
        low, high = rows[KEYS[0]]["ci"]
        self.assertTrue(low < 1.06 < high)

    def test_improvements_and_what_is_open_do_not_fail(self):
        _, gate = self.ab(None, self.command("new", noise=0.0001, factors={key: 0.9 for key in KEYS}))
        self.assertEqual(gate["counts"]["improved"], 6)
        self.ab(self.command("old", noise=0.2), self.command("new", noise=0.2), "--rounds", "8")
        self.ab(self.command("old", noise=0.2), self.command("new", noise=0.2), "--rounds", "8", "--fail-on-inconclusive", code=3)

    def test_what_both_sides_meet_is_in_neither(self):
        """Rounds that differ by half, but both sides alike: check would see nothing, pairs see 3 %."""
        _, gate = self.ab(self.command("old", shared=0.08, noise=0.002),
                          self.command("new", shared=0.08, noise=0.002, factors={KEYS[5]: 1.03}), code=1)
        self.assertEqual(next(row["verdict"] for row in gate["rows"] if row["key"] == KEYS[5]), "regressed")
        self.assertEqual(gate["counts"]["unchanged"], 5)

    def test_unstable_sides_are_never_unchanged(self):
        """Pairs that agree, of sides that jump about: luck is not ruled out."""
        _, gate = self.ab(self.command("old", shared=0.5, noise=0.0001), self.command("new", shared=0.5, noise=0.0001),
                          "--rounds", "8")
        self.assertEqual(gate["counts"]["inconclusive"], 6)
        self.assertIn("unstable", gate["rows"][0]["why"])

    def test_margin_and_alpha(self):
        slower = self.command("new", noise=0.001, factors={KEYS[0]: 1.04})
        self.ab(None, slower, code=1)
        _, gate = self.ab(None, slower, "--margin", "6%", "--alpha", "0.01")
        self.assertEqual(gate["counts"]["unchanged"], 6)
        self.assertEqual((round(gate["margin"], 6), gate["alpha"]), (0.06, 0.01))

    def test_rows_that_cannot_be_judged(self):
        new = self.command("new", without=[KEYS[1]], work={KEYS[2]: 2},
                           unmeasured={KEYS[0]: ("failed", [3]), KEYS[3]: ("skipped", None)}, flags={KEYS[4]: ["throttled"]})
        _, gate = self.ab(self.command("old", unmeasured={KEYS[5]: ("skipped", None)}), new, "--rounds", "8", code=4)
        rows = {row["key"]: row for row in gate["rows"]}
        expected = {KEYS[0]: ("unverified", "in 1 of 8 processes of the new side: failed"), KEYS[1]: ("missing", "does not"),
                    KEYS[2]: ("incomparable", "other work"), KEYS[3]: ("unverified", "on the new side skipped"),
                    KEYS[4]: ("throttled", "in 8 of 8"), KEYS[5]: ("added", "on the old side skipped")}
        for key, (verdict, why) in expected.items():
            self.assertEqual(rows[key]["verdict"], verdict)
            self.assertIn(why, rows[key]["why"])
        for side in "old", "new":
            self.load(f"out/{side}.json")

    def test_nothing_to_judge_ends_at_once(self):
        _, gate = self.ab(None, self.command("new", unmeasured={key: ("failed", None) for key in KEYS}), code=4)
        self.assertEqual(gate["counts"]["unverified"], 6)
        self.assertEqual(len(self.log()), 4)

    def test_a_round_without_a_figure_on_one_side_is_no_pair(self):
        _, gate = self.ab(None, self.command("new", unmeasured={KEYS[0]: ("invalid", [2, 5])}), "--rounds", "14")
        row = next(row for row in gate["rows"] if row["key"] == KEYS[0])
        self.assertEqual((row["verdict"], row["new_runs"]), ("unchanged", 12))
        for side in "old", "new":
            saved = self.load(f"out/{side}.json")
            self.assertEqual([len(r["rounds"]) for r in saved["results"]], [12] + [14] * 5)

    def test_devices_under_other_names(self):
        """Another driver: another backend and fingerprint, the same hardware."""
        _, gate = self.ab(None, self.command("new", machine={"backend": "opencl/other", "driver": "9"}), "--rounds", "8")
        self.assertEqual(gate["counts"]["unchanged"], 6)
        self.assertIn("backend: opencl/pocl -> opencl/other", "\n".join(gate["notes"]))
        self.assertIn("driver: 1.0 -> 9", "\n".join(gate["notes"]))

    def test_notes_name_commands_and_causes(self):
        _, gate = self.ab(None, self.command("new", commit="fedcba9"), "--rounds", "8")
        notes = "\n".join(gate["notes"])
        for part in "commit: 0123abc -> fedcba9", "kernels' sources", "old.json run", "new.json run":
            self.assertIn(part, notes)

    def test_formats(self):
        for form, sign in (("text", "ROUNDS"), ("markdown", "benchmark ab"), ("csv", "verdict"), ("junit", "<testsuite"),
                           ("bencher", "latency"), ("openmetrics", "# EOF")):
            result = self.benchmark(*self.words(None, None, "--rounds", "8", "--format", form, "--quiet"))
            self.assertIn(sign, result.out)
            self.assertEqual(result.err, "")


class Files(AbTest):
    def test_both_sides_share_an_id_and_hold_a_round_a_process(self):
        _, gate = self.ab(None, self.command("new", factors={KEYS[0]: 1.1}), "--rounds", "8", code=1)
        old, new = self.load("out/old.json", rows=6), self.load("out/new.json", rows=6)
        self.assertEqual((old["ab"]["side"], new["ab"]["side"]), ("old", "new"))
        self.assertEqual({old["ab"]["id"], new["ab"]["id"]}, {gate["ab_id"]})
        self.assertNotEqual(old["id"], new["id"])
        self.assertTrue((self.folder / "out/old.json").read_text().endswith("}\n"))
        self.assertEqual(old["settings"]["command"], ["benchmark", "run", "run"])  # without what was added to it
        for document in old, new:
            self.assertTrue(document["complete"])
            for row in document["results"]:
                times = [r["ns"] / r["launches"] for r in row["rounds"]]
                self.assertEqual(len(times), 8)
                logs = sorted(map(math.log, times))
                self.assertLess(abs(math.log(row["time_ns"]["median"]) - statistics.median(logs)), 1e-6)
                self.assertTrue(row["time_ns"]["min"] <= row["time_ns"]["median"] <= row["time_ns"]["ci"][1])
        efficiency = [row["utilization"]["roofline_efficiency"] for row in (old["results"][0], new["results"][0])]
        self.assertLess(abs(efficiency[0] / efficiency[1] - 1.1), 0.02)

    def test_compare_takes_them_as_pairs(self):
        _, gate = self.ab(None, self.command("new", factors={KEYS[0]: 1.1}), "--rounds", "8", code=1)
        out = self.benchmark("compare", "out/old.json", "out/new.json", "--format", "json").out
        compared = {row["key"]: row["columns"][1]["against_first"] for row in json.loads(out)["lines"][0]["rows"]}
        for row in gate["rows"]:
            ratio = compared[row["key"]]
            self.assertTrue(ratio["paired"])
            self.assertLess(abs(ratio["speedup"]["value"] * row["time_ratio"] - 1), 1e-6)
            low, high = row["ci"]
            self.assertLess(abs(ratio["speedup"]["ci"][0] * high - 1), 1e-6)
            self.assertLess(abs(ratio["speedup"]["ci"][1] * low - 1), 1e-6)

    def test_default_folder(self):
        words = [word for word in self.words(None, None, "--rounds", "8") if word not in ("--output", "out")]
        self.benchmark(*words)
        folder, = (self.folder / "results").glob("ab-*")
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["new.json", "old.json"])

    def test_a_folder_that_cannot_be_written(self):
        self.write("plain-file", "x")
        words = [("plain-file/out" if word == "out" else word) for word in self.words()]
        self.refused(*words, says="plain-file")
        self.refused(*[("x" * 2000 if word == "out" else word) for word in self.words()], says="longer")
        self.assertFalse((self.folder / "log").exists(), "nothing may be measured for nothing")

    def test_files_that_are_there_stay(self):
        words = self.words()
        (self.folder / "out").mkdir()
        self.write("out/new.json", "mine")
        self.refused(*words, says=("out/new.json is there already", "another folder"))
        self.assertEqual((self.folder / "out/new.json").read_text(), "mine")
        self.assertEqual(self.left(), ["new.json"])


class Wrong(AbTest):
    def test_command_lines(self):
        run = ("benchmark", "run")
        self.refused("ab", says=("name the two commands", "--vs"))
        self.refused("ab", "--", *run, says="--vs is missing")
        self.refused("ab", *run, says=("'benchmark'", "behind `--`"))
        self.refused("ab", "--vs", *run, says=("'--vs'", "behind `--`"))
        self.refused("ab", "--", "--vs", *run, says="no word before --vs")
        self.refused("ab", "--", *run, "--vs", says="no word behind --vs")
        self.refused("ab", "--", *run, "--vs", *run, "--vs", *run, says="twice")
        self.refused("ab", "--budgt", "3", says=("'--budgt'", "did you mean --budget?"))
        for wrong in "0", "-1", "abc", "99999999", "1.5":
            self.refused("ab", "--rounds", wrong, "--", *run, "--vs", *run, says=(f"'{wrong}'", "whole number from 1 to"))
        for wrong in ("--output", "x"), ("--output=x",), ("--resume", "x"), ("--dry-run",):
            self.refused(*self.words(None, [*self.command("new"), *wrong]), says=(wrong[0], "new command", "leave it out"))
        self.refused(*self.words(None, None, "--format", "yaml"), says=("'yaml'", "junit"))

    def test_programs_that_cannot_be_started(self):
        self.refused(*self.words(None, ["no-such-program", "run"]), says=("new command", "no-such-program", "PATH"))
        self.refused(*self.words([self.write("text", "x"), "run"]), says=("old command", "text"))

    def test_a_command_that_fails_says_why(self):
        self.refused(*self.words(self.command("old", fail_at=0, says="--suite: 'x' is unknown")), says=("old command", "exit code 2: --suite: 'x'"))
        self.refused(*self.words(None, self.command("new", fail_at=0, code=5, says="no usable device")), code=5, says="no usable device")
        self.refused(*self.words(None, self.command("new", crash_at=0)), says=("new command", "signal 11"))
        self.refused(*self.words(None, self.command("new", silent_at=0)), says=("new command", "wrote no results file", "benchmark run"))
        self.refused(*self.words(None, self.command("new", silent_at=0, code=3)), says=("exit code 3", "does not say why"))
        self.refused(*self.words(None, self.command("new", garbage_at=0)), says=("new command's results", "new.process.json:1"))
        self.refused(*self.words(None, self.command("new", incomplete_at=0)), says=("new command", "not complete"))
        self.assertFalse((self.folder / "out").exists(), "nothing came of it")

    def test_a_command_that_fails_later_loses_no_round(self):
        result = self.benchmark(*self.words(None, self.command("new", fail_at=4, says="lost the device")), code=2)
        self.assertEqual(result.out, "")
        self.assertIn("benchmark: ab: the new command failed with exit code 2 in round 4: lost the device\n", result.err)
        self.assertEqual(self.left(), ["new.json", "old.json"])
        for side in "old", "new":
            document = self.load(f"out/{side}.json")
            self.assertFalse(document["complete"])
            self.assertEqual({len(row["rounds"]) for row in document["results"]}, {3})

    def test_nothing_in_common(self):
        self.refused(*self.words(self.command("old", without=KEYS[:3]), self.command("new", without=KEYS[3:])),
                     says=("no row in common", KEYS[5], KEYS[2]))

    def test_what_cannot_end_with_a_verdict_is_not_begun(self):
        result = self.benchmark(*self.words(None, None, "--rounds", "7"), code=2)
        self.assertIn("--rounds 7: a change in one of 6 rows can show from 8 rounds on", result.err)
        self.refused(*self.words(None, None, "--budget", "0.001"), says=("--budget 0.001", "even once"))
        self.refused(*self.words(None, self.command("new", hang_at=0), "--budget", "2"), says="--budget 2")


class Interrupts(AbTest):
    def interrupted(self, number, **orders):
        process = self.popen(*self.words(None, self.command("new", **orders)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, text=True)
        self.addCleanup(process.kill)
        turns = max(orders.values()) + 1
        while process.poll() is None:
            if (self.folder / "log").exists() and sum(line.startswith("new") for line in self.log()) == turns:
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def test_between_rounds_keeps_what_there_is(self):
        code, out, err = self.interrupted(signal.SIGINT, hang_at=9)
        self.assertEqual(code, 130, err)
        self.assertIn("interrupted: partial old.json and new.json are in out", err)
        self.assertIn("6 rows", out)
        self.assertEqual(self.left(), ["new.json", "old.json"])
        for side in "old", "new":
            document = self.load(f"out/{side}.json")
            self.assertFalse(document["complete"])
            self.assertEqual({len(row["rounds"]) for row in document["results"]}, {8})

    def test_before_the_first_round(self):
        code, out, err = self.interrupted(signal.SIGTERM, hang_at=0)
        self.assertEqual((code, out), (143, ""), err)
        self.assertEqual(err, "benchmark: interrupted\n")
        self.assertFalse((self.folder / "out").exists(), "nothing came of it")


class Real(AbTest):
    """The program itself, on the smallest work."""

    def test_two_kernel_folders(self):
        kernels = self.folder / "kernels"
        shutil.copytree(Path(os.environ["BENCHMARK_DATA_DIR"]) / "kernels", kernels)
        run = ["benchmark", "run", *TINY, "--budget", "0.1", "--phase", "decode", "--workload", "gemv", "--dtype", "f32"]
        (kernels / "gemv.cl").write_text((kernels / "gemv.cl").read_text() + "\n/* another */\n")
        result, gate = self.ab(run, [*run, "--kernels", "kernels"], "--rounds", "9", env={**layer(), "PATH": "/nowhere"}, code=None)
        self.assertIn(result.code, (0, 1))  # of times so short anything may be true
        self.assertEqual(sum(gate["counts"].values()), 4)  # lm_head has ffn_gate_up's shape
        self.assertIn("kernels' sources", "\n".join(gate["notes"]))
        for side in "old", "new":
            self.assertEqual(len(self.load(f"out/{side}.json")["results"][-1]["rounds"]), 9)

    def test_a_side_that_computes_wrongly(self):
        kernels = self.folder / "wrong"
        shutil.copytree(Path(os.environ["BENCHMARK_DATA_DIR"]) / "kernels", kernels)
        source = (kernels / "gemv.cl").read_text()
        (kernels / "gemv.cl").write_text(source + "\n#error on purpose\n")
        run = [PROGRAM, "run", *TINY, "--budget", "0.1", "--phase", "decode", "--workload", "gemv", "--dtype", "f32"]
        _, gate = self.ab(run, [*run, "--kernels", "wrong"], env=layer(), code=4)
        self.assertEqual(gate["counts"]["unverified"], 4)


if __name__ == "__main__":
    main()
