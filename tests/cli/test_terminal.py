"""What is shown on a terminal: progress on one line, colours, widths; and nothing of it elsewhere."""

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import termios

import made
from harness import MIB, TINY, ProgramTest, layer, main

SMALL = (*TINY, "--dtype", "f16", "--phase", "decode")
ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class TerminalTest(ProgramTest):
    def on_terminal(self, *words, columns=80, env=None, both=True, code=0, watch=None):
        """Runs the program with standard error, and standard output if `both`, on a terminal of its own. watch() is
        given what was shown so far."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        null = os.open(os.devnull, os.O_WRONLY)
        process = self.popen(*words, stdin=theirs, stdout=theirs if both else null, stderr=theirs,
                             env={"TERM": "xterm", "LC_ALL": "C.UTF-8", **layer(16 * MIB), **(env or {})})
        os.close(theirs)
        os.close(null)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            shown += piece
            if watch:
                watch(shown.decode(errors="replace"))
        os.close(ours)
        self.assertEqual(process.wait(timeout=60), code, shown.decode())
        return shown.decode().replace("\r\n", "\n")

    def run_tiny_on_terminal(self, *words, **options):
        return self.on_terminal("run", *SMALL, "--budget", "0.1", "--output", "t.json", *words, **options)


class Progress(TerminalTest):
    def test_one_line_is_written_over_and_fits(self):
        for columns in 80, 40, 20, 1:
            shown = self.run_tiny_on_terminal(columns=columns, both=False)
            last = shown.rindex("\r")
            lines = shown[:last].split("\r")
            self.assertGreater(len(lines), 3)
            for line in lines[1:]:
                self.assertTrue(line.startswith("\x1b[K"), repr(line))
                text = ESCAPE.sub("", line)
                self.assertNotIn("\n", text)
                self.assertLess(len(text), max(columns, 2), repr(text))
            self.assertEqual(ESCAPE.sub("", shown[last + 1:]), "benchmark: the results are in t.json\n")

    def test_stages_and_counts(self):
        words = ("run", *SMALL, "--budget", "3", "--output", "t.json")
        shown = ESCAPE.sub("", self.on_terminal(*words, columns=200, both=False))
        for stage in "verifying", "warming up", "measuring":
            self.assertRegex(shown, rf"\r{stage} \d+/\d+(, at most \d s left)?: \w+/")
        self.assertIn(" s left: ", shown)

    def test_verifying_alone_has_no_budget(self):
        shown = ESCAPE.sub("", self.on_terminal("verify", *TINY, both=False, columns=200))
        self.assertRegex(shown, r"\rverifying \d+/\d+: \w+/")
        self.assertNotIn("left", shown)
        self.assertRegex(self.benchmark("verify", *TINY).err, r"\Abenchmark: verifying \d+ cases\n\Z")

    def test_quiet(self):
        self.assertEqual(self.run_tiny_on_terminal("--quiet", both=False), "")

    def test_an_error_clears_the_line(self):
        (self.folder / "vanishing").mkdir()

        def remove(shown):
            if "measuring" in shown:
                shutil.rmtree(self.folder / "vanishing", ignore_errors=True)

        shown = self.on_terminal("run", *SMALL, "--budget", "1", "--output", "vanishing/t.json", both=False, code=2, watch=remove)
        self.assertRegex(shown, r"\r\x1b\[Kbenchmark: vanishing/t\.json: No such file or directory\n\Z")


class Colour(TerminalTest):
    """A row that failed is red."""

    FAULT = {"BM_LAYER_SPOIL": "4"}

    def verify(self, code=1, **options):
        return self.on_terminal("verify", *TINY, "--quiet", code=code, **options)

    def test_failed_rows_are_red_on_a_terminal(self):
        self.assertIn("\x1b[31m", self.verify(env=self.FAULT))
        self.assertNotIn("\x1b", self.verify(code=0))

    def test_no_color_is_honoured(self):
        self.assertNotIn("\x1b", self.verify(env={**self.FAULT, "NO_COLOR": "1"}))
        self.assertIn("\x1b[31m", self.verify(env={**self.FAULT, "NO_COLOR": ""}))

    def test_a_terminal_without_colours(self):
        self.assertNotIn("\x1b", self.verify(env={**self.FAULT, "TERM": "dumb"}))

    def test_no_escape_code_elsewhere(self):
        for words in ("verify", *TINY), ("run", *TINY, "--budget", "0.1", "--output", "f.json"):
            result = self.benchmark(*words, code=1, env={"TERM": "xterm", **layer(spoil=4)})
            self.assertNotRegex(result.out + result.err, r"[\x1b\r]")


class Width(TerminalTest):
    def longest(self, text):
        return max((len(ESCAPE.sub("", line)) for line in text.split("\n")), default=0)

    def test_tables_fit_eighty_columns(self):
        self.assertLessEqual(self.longest(self.run_tiny_on_terminal("--quiet")), 80)
        self.assertLessEqual(self.longest(self.on_terminal("verify", *TINY, "--quiet")), 80)
        for command in "suites", "workloads":
            self.assertLessEqual(self.longest(self.on_terminal(command)), 80, command)

    def test_reports_of_long_names_fit_eighty_columns(self):
        """Commands to be copied are the only longer lines."""
        model, folder = "deepseek-r1-distill-qwen-7b-tp8", "a-folder-whose-name-is-long/and-another-one-in-it"
        case = {**made.gemm("qkv", 1, 2, 3), "model": model, "dtype": "int4af16"}
        cases = [{**case, "key": f"grouped_gemm/{model}/prefill/experts_gate_up/int4af16/m131072n4096k7168e256t8g8u4",
                  "workload": "grouped_gemm", "op": "experts_gate_up"},
                 {**case, "key": f"attention/{model}/decode/attn_window/int4af16/b64h128kv8d128c131072/kvint8", "workload": "attention",
                  "phase": "decode", "op": "attn_window", "batch": 64, "context": 131072}]
        (self.folder / folder).mkdir(parents=True)
        files = []
        for i, name in enumerate(("Intel(R) Xeon(R) Platinum 8480+ CPU @ 2.00GHz in a machine of a long name", "AMD Instinct MI300X " * 5)):
            machine = made.Machine(name.strip(), compute=1000 * 10**i, sheet=made.Sheet("a-datasheet-of-a-long-name", "2024-01", 1e5, 1e4, 500))
            files.append(self.write(f"{folder}/{i}.json", made.results([machine], cases)))
        estimate = ("estimate", "--model", "deepseek-v3", "--dtype", "f16,int4af16", "--batch", "1,2,4,8,16,32,64,128,256,512,1024")
        for code, words in ((0, ("compare", *files)), (4, ("check", "--baseline", files[0], files[1])), (4, (*estimate, *files)),
                            (0, ("help", "run")), (0, ("help", "check")), (0, ("help",)), (0, ("models",))):
            shown = self.on_terminal(*words, code=code)
            prose = "\n".join(line for line in shown.split("\n") if not line.startswith("benchmark run --model"))
            self.assertLessEqual(self.longest(prose), 80, shown)

    def test_no_word_is_broken(self):
        """Flags and names of operations are searched for: they stay whole, however narrow the terminal is."""
        shown = ESCAPE.sub("", self.run_tiny_on_terminal("--quiet"))
        document = json.loads((self.folder / "t.json").read_text())
        flags = {flag for row in document["results"] for flag in row["flags"]}
        self.assertTrue(flags)
        for word in flags | {op for item in document["devices"][0]["summary"] for op in item["missing"]}:
            self.assertRegex(shown, rf"\b{word}\b")

    def test_a_wide_terminal_shows_the_same_rows(self):
        shown = self.on_terminal("models", columns=300)
        self.assertEqual(shown.split(), self.benchmark("models").out.split())

    def test_json_is_the_same_on_a_terminal(self):
        self.assertEqual(self.on_terminal("models", "--format", "json"), self.benchmark("models", "--format", "json").out)


if __name__ == "__main__":
    main()
