"""Interrupts: the first ends the run with what was measured on disk, a later second one ends it at once."""

import fcntl
import os
import select
import signal
import subprocess
import time

from harness import OPS, TINY, ProgramTest, layer, main

# Verifying takes seconds, measuring would take minutes: a signal meets the stage it is meant for.
LONG = ("--suite", "quick", "--model", "tinyllama-1.1b", "--dtype", "f16", "--tokens", "64", "--budget", "600")
MEASURING = (*TINY, "--budget", "4")  # a quarter of it at most is warm-up
SOON = 20  # seconds; a block of launches takes tens of milliseconds, a busy machine more


class Signals(ProgramTest):
    def start(self, *words, until, env=None):
        """Starts the program and waits for a line on standard error with the word `until`."""
        process = self.popen(*words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        seen = ""
        for line in process.stderr:
            seen += line
            if until in line:
                return process
        self.fail(f"ended before {until}: {process.wait()} {seen}")

    def end(self, process, code):
        began = time.monotonic()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, code, err)
        self.assertLess(time.monotonic() - began, SOON)
        return out, err

    def interrupted(self, number, code, until, words=LONG, command="run", env=None):
        output = f"{command}-{until}-{code}.json"
        process = self.start(command, *words, "--output", output, until=until, env=env)
        process.send_signal(number)
        _, err = self.end(process, code)
        self.assertTrue(err.endswith(f"benchmark: interrupted: partial results are in {output}\n"), err)
        document = self.load(output)
        self.assertFalse(document["complete"])
        self.assertEqual([path.name for path in self.folder.glob(f"{output}*")], [output])  # no temporary file
        return document["results"]

    def test_while_verifying(self):
        rows = self.interrupted(signal.SIGINT, 130, "verifying")
        self.assertEqual(len(rows), 4 + 2 * len(OPS))
        self.assertEqual({row["status"] for row in rows}, {"skipped"})
        self.assertIn("interrupted before it was verified", {row["reason"] for row in rows})
        self.assertEqual({row["verification"]["status"] for row in rows}, {"passed", "not_run"})

    def test_verify_claims_nothing_that_it_did_not_do(self):
        rows = self.interrupted(signal.SIGINT, 130, "verifying", words=LONG[:-2], command="verify")
        for row in rows:
            done = row["verification"]["status"] == "passed"
            self.assertEqual(row["status"], "ok" if done else "skipped", row)
        self.assertIn("skipped", {row["status"] for row in rows})

    def test_what_fails_because_of_the_signal_is_no_failure(self):
        """LLVM's own handler removes the file that it is writing, and the build fails. Here the layer fails the launch
        after the build that, with nothing cached, the signal most likely meets."""
        env = {"POCL_CACHE_DIR": str(self.folder), **layer(**{"from": "signalled", "fail": "clEnqueueNDRangeKernel:1+"})}
        process = self.start("verify", *TINY, "--output", "failing.json", until="verifying", env=env)
        process.send_signal(signal.SIGSTOP)
        (self.folder / "signalled").touch()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        self.end(process, 130)
        self.assertLessEqual({row["status"] for row in self.load("failing.json")["results"]}, {"ok", "skipped"})

    def test_while_warming_up(self):
        rows = self.interrupted(signal.SIGTERM, 143, "warming", words=MEASURING, env=layer())
        self.assertEqual({row["verification"]["status"] for row in rows}, {"passed"})

    def test_while_measuring_and_going_on_with_it(self):
        rows = self.interrupted(signal.SIGINT, 130, "measuring", words=MEASURING, env=layer())
        self.assertIn("ok", {row["status"] for row in rows})
        for row in rows:
            self.assertEqual(row["verification"]["status"], "passed")
            if row["status"] != "ok":
                self.assertEqual((row["status"], row["reason"]), ("skipped", "interrupted before it was measured"))
        _, document = self.run_tiny("--resume", "run-measuring-130.json", output="whole.json")
        self.assertTrue(document["complete"])
        self.assertEqual({row["status"] for row in document["results"]}, {"ok"})

    def test_one_wish_told_twice_is_one(self):
        """timeout(1) signals its child, then their group, and so the child again."""
        process = self.start("run", *LONG, "--output", "twice.json", until="verifying")
        process.send_signal(signal.SIGSTOP)  # so that both wait for it
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=60)
        self.assertIn(process.returncode, (130, 143))
        self.assertIn("interrupted: partial results are in twice.json", err)
        self.assertFalse(self.load("twice.json")["complete"])

    def test_a_later_second_signal_ends_at_once(self):
        """Here while the partial results wait for a reader."""
        process = self.start("run", *MEASURING, "--output", "-", until="measuring", env=layer())
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        process.send_signal(signal.SIGINT)
        self.assertTrue(select.select([process.stdout], [], [], SOON)[0], "nothing was written")
        time.sleep(0.5)  # more than what makes two signals one
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=SOON), 143)

    def test_without_a_file_the_partial_results_are_printed(self):
        process = self.start("run", *MEASURING, "--output", "-", until="measuring", env=layer())
        process.send_signal(signal.SIGINT)
        out, err = self.end(process, 130)
        self.write("printed.json", out)
        self.assertFalse(self.load("printed.json")["complete"])
        self.assertNotIn("results are in", err)

    def test_what_measures_nothing_ends_at_once(self):
        """Here while it waits for a file that nobody writes."""
        os.mkfifo(self.folder / "pipe.json")
        for number, code in (signal.SIGINT, 130), (signal.SIGTERM, 143):
            for words in (("compare", "./pipe.json", "./pipe.json"), ("estimate", "--model", "llama2-7b", "./pipe.json"),
                          ("models", "./pipe.json"), ("check", "--baseline", "./pipe.json", "./pipe.json")):
                process = self.popen(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
                self.addCleanup(process.kill)
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(timeout=0.5)
                process.send_signal(number)
                self.assertEqual(self.end(process, code), ("", ""))

    def test_a_killed_run_leaves_what_was_written(self):
        process = self.start("run", *MEASURING, "--output", "killed.json", until="measuring", env=layer())
        deadline = time.monotonic() + 60
        while not (self.folder / "killed.json").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        self.assertEqual(process.wait(timeout=60), -signal.SIGKILL)
        self.assertFalse(self.load("killed.json")["complete"])


if __name__ == "__main__":
    main()
