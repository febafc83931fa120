"""Files that are broken, absent or not writable: one line that names the file, the place and the mend."""

import json
import os
import shutil
import subprocess
import unittest

from harness import LAYER, MODEL, PROGRAM, SUITE, TINY, ProgramTest, layer, main

DRY = ("run", "--dry-run")


class Models(ProgramTest):
    def refused_model(self, content, *says):
        path = self.write("m.json", content)
        self.refused(*DRY, "--suite", "quick", "--model", path, says=("./m.json", *says))
        self.refused("verify", *TINY, "--model", path, says=("./m.json", *says))

    def test_a_file_of_the_users_own_works(self):
        out = self.benchmark(*DRY, "--suite", "quick", "--model", "./tiny.json", "--tokens", "8", "--context", "8").out
        self.assertIn("gemm/tiny/prefill/qkv/f32/m8n64k32", out)
        self.assertNotIn("llama", out)

    def test_broken_json(self):
        whole = json.dumps(MODEL, indent=1)
        self.refused_model(whole[: len(whole) // 2], ":10:", "not valid JSON")
        self.refused_model("", ":1:", "not valid JSON")
        self.refused_model(whole + "x", "not valid JSON")
        self.refused_model(b"\x00\x01\x02", "not valid JSON")
        self.refused_model(whole.replace('"Tiny"', '"\udcff"').encode("utf-8", "surrogateescape"), ":3:", "not valid JSON")
        self.refused_model("[" * 100000, "nested too deep")
        self.refused_model('{"a":' * 100000, "nested too deep")
        self.refused_model(whole.replace('"layers": 2', '"layers": 2, "layers": 3'), "duplicate")

    def test_wrong_fields_by_path(self):
        def changed(**fields):
            return {**MODEL, **fields}

        self.refused_model(changed(colour="red"), "$.colour")
        self.refused_model(changed(moe={"experts": 8, "colour": 1}), "$.moe")
        for field in "layers", "hidden", "heads", "vocabulary", "intermediate":
            for wrong in (-1, 0, 1 << 40, 1.5, "2", None, [2], True):
                self.refused_model(changed(**{field: wrong}), f"$.{field}")
            self.refused_model({k: v for k, v in MODEL.items() if k != field}, f"$.{field}")
        self.refused_model(changed(heads=3, kv_heads=2), "heads")
        self.refused_model(changed(attention="flash"), "$.attention", "flash")
        self.refused_model(json.dumps([MODEL]), "object")

    def test_numbers_that_json_does_not_have(self):
        for word in "NaN", "Infinity", "-Infinity", "1e999", "99999999999999999999999":
            self.refused_model(json.dumps(MODEL).replace('"layers": 2', f'"layers": {word}'), "not valid JSON")

    def test_too_large_a_file(self):
        self.refused_model(" " * (9 << 20), "limit")

    def test_absent_files_and_folders(self):
        for option in "--model", "--suite":
            self.refused(*DRY, option, "./absent.json", says=("./absent.json", "No such file"))
            self.refused(*DRY, option, "absent/x.json", says=("absent/x.json", "No such file"))
            self.refused(*DRY, option, "./", says=("./", "folder"))
            self.refused(*DRY, option, "tiny.json/x.json", says=("tiny.json/x.json", "Not a directory"))


class Suites(ProgramTest):
    def refused_suite(self, content, *says):
        self.refused("run", "--suite", self.write("s.json", content), says=("./s.json", *says))

    def test_broken_and_wrong(self):
        entry = SUITE["entries"][0]
        self.refused_suite(json.dumps(SUITE)[:100], "not valid JSON")
        self.refused_suite({**SUITE, "budget": 3}, "$.budget")
        self.refused_suite({**SUITE, "budget_s": -1}, "$.budget_s")
        self.refused_suite({**SUITE, "entries": []}, "$.entries")
        self.refused_suite({**SUITE, "entries": [entry] * 1000}, "$.entries")
        for field, wrong in (("tokens", [0]), ("tokens", [1 << 40]), ("batches", [-1]), ("dtypes", ["f64"]), ("phases", ["sleep"]),
                             ("contexts", ["32"]), ("models", []), ("models", "tiny"), ("shapes", [1])):
            self.refused_suite({**SUITE, "entries": [entry, {**entry, field: wrong}]}, f"$.entries[1].{field}")

    def test_a_suite_names_an_absent_model(self):
        self.refused_suite({**SUITE, "entries": [{**SUITE["entries"][0], "models": ["./absent.json"]}]},
                           "$.entries[0].models", "./absent.json: No such file")


class Kernels(ProgramTest):
    def test_a_folder_without_kernels(self):
        self.refused("run", *TINY, "--kernels", "absent", says=("absent", "No such file"))
        self.refused("verify", *TINY, "--kernels", "./tiny.json", says=("./tiny.json", "Not a directory"))
        self.refused("run", *TINY, "--kernels", ".", says=("--kernels", ".cl"))

    def test_a_kernel_that_does_not_compile_costs_its_rows(self):
        folder = self.folder / "kernels"
        shutil.copytree(f"{os.environ['BM_SOURCE_DIR']}/kernels", folder)
        (folder / "gemv.cl").write_text("kernel void broken( {\n")
        result, document = self.run_tiny("--kernels", "kernels", "--dtype", "f32", "--phase", "decode", code=1)
        for row in document["results"]:
            broken = row["case"]["workload"] == "gemv"
            self.assertEqual(row["status"], "failed" if broken else "ok", row)
            if broken:
                self.assertIn("CL_BUILD_PROGRAM_FAILURE", row["reason"])
        self.assertIn("CL_BUILD_PROGRAM_FAILURE", result.out)

    def test_a_missing_kernel_costs_its_rows(self):
        folder = self.folder / "fewer"
        shutil.copytree(f"{os.environ['BM_SOURCE_DIR']}/kernels", folder)
        (folder / "gemv.cl").unlink()
        _, document = self.run_tiny("--kernels", "fewer", "--dtype", "f32", "--phase", "decode", code=1)
        reasons = {row["reason"] for row in document["results"] if row["status"] == "failed"}
        self.assertEqual(reasons, {"fewer/gemv.cl: No such file or directory"})


class Output(ProgramTest):
    """Told before anything is measured: a single line, and no progress before it."""

    def refused_output(self, path, *says):
        self.refused("run", *TINY, "--output", path, says=says, env=layer())

    def left(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_no_folder_can_be_made_there(self):
        self.refused_output("/proc/absent/out.json", "/proc/absent")
        self.refused_output("tiny.json/deep/out.json", "tiny.json", "Not a directory")
        self.refused_output("/dev/null/out.json", "/dev/null", "Not a directory")

    def test_no_file_can_be_made_there(self):
        self.refused_output("/proc/out.json", "/proc/out.json")
        self.refused_output("x" * 300 + ".json", "File name too long")

    def test_a_folder_is_no_file(self):
        for path in ".", "./", "new-folder/", "/":
            self.refused_output(path, path, "folder")

    def test_what_is_no_regular_file_stays_what_it_is(self):
        os.mkfifo(self.folder / "pipe")
        self.refused_output("pipe", "pipe", "regular file")
        self.assertTrue((self.folder / "pipe").is_fifo())
        os.symlink("pipe", self.folder / "link")
        self.refused_output("link", "link", "regular file")
        self.assertTrue((self.folder / "link").is_symlink())

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_folder_without_permission(self):
        (self.folder / "closed").mkdir(mode=0o500)
        self.refused_output("closed/out.json", "closed/out.json", "Permission denied")

    def test_a_full_disk(self):
        (self.folder / "full").mkdir()
        words = [PROGRAM, "run", *TINY, "--output", "full/out.json"]
        mounted = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                   'mount -t tmpfs -o size=64k none full 2>/dev/null || exit 77; exec "$@"', "sh"]
        done = subprocess.run([*mounted, *words], cwd=self.folder, env={**self.environment, **layer()}, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        if done.returncode in (1, 77) and b"benchmark" not in done.stderr:
            self.skipTest("mounting is not allowed here")
        self.assertEqual(done.stderr.decode(), "benchmark: full/out.json: No space left on device\n")
        self.assertEqual((done.returncode, done.stdout), (2, b""))

    def test_folders_are_made_and_nothing_else_is_left(self):
        before = self.left()
        self.run_tiny("--phase", "decode", "--dtype", "f32", output="new/deep/out.json")
        self.assertEqual(self.left(), sorted([*before, "new"]))
        self.assertEqual([path.name for path in (self.folder / "new/deep").iterdir()], ["out.json"])
        self.assertEqual((self.folder / "new/deep/out.json").stat().st_mode & 0o777, 0o666 & ~self.umask())

    @staticmethod
    def umask():
        mask = os.umask(0)
        os.umask(mask)
        return mask


class StandardStreams(ProgramTest):
    def test_a_full_standard_output_is_told(self):
        for words in ("help",), ("help", "run"), ("--version",), ("devices",), ("models",), ("run", "--dry-run", *TINY):
            with open("/dev/full", "wb") as full:
                result = self.benchmark(*words, code=2, stdout=full)
            self.assertEqual(result.err, "benchmark: standard output: No space left on device\n", result)

    def test_a_full_standard_output_costs_no_results(self):
        with open("/dev/full", "wb") as full:
            result = self.benchmark("run", *TINY, "--budget", "0.1", "--output", "kept.json", code=2, stdout=full, env=layer())
        self.assertTrue(result.err.endswith("benchmark: standard output: No space left on device\n"), result)
        self.assertTrue(self.load("kept.json")["complete"])

    def test_a_closed_standard_stream_lends_its_number_to_no_file(self):
        closing = ["sh", "-c", 'exec "$@" <&- >out.txt 2>&-', "sh", PROGRAM, "run", *TINY, "--budget", "0.1", "--output", "c.json"]
        done = subprocess.run(closing, cwd=self.folder, env={**self.environment, **layer()}, timeout=60)
        self.assertEqual(done.returncode, 0)
        self.assertTrue(self.load("c.json")["complete"])

    def test_a_reader_that_has_seen_enough_is_no_error(self):
        for words in ("models",), ("help", "run"), ("run", *TINY, "--budget", "0.1", "--output", "p.json"):
            reading, writing = os.pipe()
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                result = self.benchmark(*words, stdout=pipe, env=layer())
            self.assertNotIn("standard output", result.err)


if __name__ == "__main__":
    main()
