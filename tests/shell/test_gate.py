"""examples/ci: the script in a repository of its own, and what its callers hand to a shell.

The repository's ./run makes build/release/bin/benchmark a script that invents results (tests/cli/fake_run.py) where it would
measure, and is the program itself for everything else."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

SOURCE = Path(os.environ["BM_SOURCE_DIR"])
EXAMPLES = SOURCE / "examples" / "ci"
PROGRAM = os.environ["BM_PROGRAM"]
sys.path.insert(0, str(SOURCE / "tests" / "cli"))
import made  # noqa: E402

KEY = made.CASES[0]["key"]
RUN = """#!/bin/sh
root=$(dirname "$(readlink -f "$0")")
mkdir -p "$root/build/release/bin"
cat > "$root/build/release/bin/benchmark" <<'END'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/../../..
if [ "$1" = run ]; then
    exec python3 -S -B FAKE "$root/orders.json" "$@"
fi
exec PROGRAM "$@"
END
chmod +x "$root/build/release/bin/benchmark"
"""


class GateTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="benchmark-gate-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.tree = self.folder / "a tree"
        self.tree.mkdir()
        self.environment = {**os.environ, "PYTHONPATH": str(SOURCE / "tests" / "cli"), "HOME": str(self.folder),
                            "TMPDIR": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"}
        self.git("init", "-q", "-b", "main")
        (self.tree / "bench" / "suites").mkdir(parents=True)
        shutil.copy(SOURCE / "bench" / "suites" / "gate.json", self.tree / "bench" / "suites")
        run = RUN.replace("FAKE", str(SOURCE / "tests" / "cli" / "fake_run.py")).replace("PROGRAM", PROGRAM)
        (self.tree / "run").write_text(run)
        (self.tree / "run").chmod(0o755)
        self.commit(1)

    def git(self, *words):
        return subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words], cwd=self.tree, check=True,
                              env=self.environment, capture_output=True, text=True).stdout

    def commit(self, factor):
        (self.tree / "orders.json").write_text(json.dumps({"factors": {KEY: factor}, "noise": 0.003, "shared": 0}))
        self.git("add", "-A", "run", "orders.json", "bench")
        self.git("commit", "-q", "--allow-empty", "-m", "x")

    def gate(self, *words, code=0, **variables):
        done = subprocess.run([str(EXAMPLES / "gate.sh"), *words], cwd=self.tree, env={**self.environment, **variables},
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(done.returncode, code, done)
        self.assertEqual(list(self.folder.glob("tmp.*")), [], "a temporary file or tree is left behind")
        self.assertEqual(self.git("worktree", "list").count("\n"), 1)
        return done


class Ab(GateTest):
    def test_a_slower_commit_fails(self):
        self.commit(1.2)
        done = self.gate("ab", "HEAD~1", code=1)
        self.assertIn("regressed", done.stdout)
        self.assertIn(KEY, done.stdout)
        self.assertEqual(sorted(p.name for p in (self.tree / "gate-results").iterdir()), ["new.json", "old.json"])

    def test_an_equal_commit_passes_and_the_report_is_kept(self):
        self.commit(1)
        (self.tree / "here").mkdir()
        (self.tree / "here" / "old.json").write_text("of the last time")
        done = self.gate("ab", "HEAD~1", SELECT="--device cpu0 --phase decode", FORMAT="junit", REPORT="gate.xml", KEEP="here", OPTIONS="--margin 2%")
        self.assertEqual((self.tree / "gate.xml").read_text(), done.stdout)
        self.assertIn('failures="0"', done.stdout)
        command = json.loads((self.tree / "here" / "old.json").read_text())["settings"]["command"]
        self.assertEqual(command[-4:], ["--device", "cpu0", "--phase", "decode"])

    def test_a_base_that_is_none(self):
        self.assertRegex(self.gate("ab", "no-such", code=2).stderr, r"\Agate.sh: there is no commit no-such here: [^\n]+\n\Z")

    def test_no_repository(self):
        done = subprocess.run([str(EXAMPLES / "gate.sh"), "check"], cwd=self.folder, env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"\Agate.sh: this is no git repository: [^\n]+\n\Z")

    def test_a_build_that_fails(self):
        (self.tree / "run").write_text("#!/bin/sh\nexit 70\n")
        self.commit(1)
        self.gate("ab", "HEAD", code=70)

    def test_usage(self):
        self.assertIn("usage", self.gate(code=2).stderr)
        self.assertIn("usage", self.gate("abc", code=2).stderr)


class Check(GateTest):
    def kept(self):
        return len(list((self.folder / "history").glob("*.json")))

    def check(self, code=0, **variables):
        """The names of runs are their seconds: the kept one gets another."""
        before = self.kept()
        done = self.gate("check", "../history", code=code, **variables)
        for path in (self.folder / "history").glob("2*.json"):
            path.rename(path.with_name(f"run{before}.json"))
        return done

    def test_a_history_grows_and_a_slower_run_is_found_and_kept_out(self):
        self.assertIn("first of the history", self.check().stderr)
        for _ in range(6):
            self.check()
        self.assertEqual(self.kept(), 7)
        self.commit(1.6)
        self.assertIn("regressed", self.check(code=1).stdout)
        self.assertEqual(self.kept(), 7)


class Callers(unittest.TestCase):
    def scripts(self):
        """(name, the script of a step, the variables it may use)"""
        github = yaml.safe_load((EXAMPLES / "github.yml").read_text())
        # YAML 1.1 reads the key `on` as true
        self.assertEqual(set(github), {"name", True, "permissions", "concurrency", "jobs"})
        for name, job in github["jobs"].items():
            self.assertTrue(job["runs-on"] and job["timeout-minutes"])
            for step in job["steps"]:
                self.assertEqual(len({"run", "uses"} & set(step)), 1, step)
                if "run" in step:
                    yield f"github.yml {name}", step["run"], step.get("env", {})
        gitlab = yaml.safe_load((EXAMPLES / "gitlab.yml").read_text())
        job = gitlab["benchmark"]
        self.assertEqual(job["artifacts"]["reports"]["junit"], job["variables"]["REPORT"])
        yield "gitlab.yml", "\n".join(job["before_script"] + job["script"]), job["variables"]

    def test_their_scripts_are_clean_and_call_the_gate_as_it_is(self):
        usage = (EXAMPLES / "gate.sh").read_text()
        calls = 0
        for name, script, variables in self.scripts():
            with self.subTest(name):
                done = subprocess.run([os.environ["SHELLCHECK"], "-s", "sh", "-"], input=script, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout)
                for call in re.findall(r"(\S*gate\.sh) (\w+)", script):
                    calls += 1
                    self.assertTrue((SOURCE / call[0]).exists())
                    self.assertIn(f"gate.sh {call[1]} ", usage)
                for variable in set(variables) - {"BASE", "GIT_DEPTH"}:
                    self.assertRegex(usage, rf"(?m)^#   {variable} ")
        self.assertEqual(calls, 3)


if __name__ == "__main__":
    unittest.main()
