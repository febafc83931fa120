"""The command line itself: help, options, and every wrong use told in one line."""

import re

from harness import ProgramTest, main

READERS = ("compare", "check", "ab")  # of results files
OTHERS = ("run", "verify", "tune", "devices", "models", "workloads", "suites")
COMMANDS = OTHERS + READERS
DRY = ("run", "--dry-run", "--suite", "quick")


class Help(ProgramTest):
    def test_help_names_every_command_and_exit_code(self):
        for words in ("help",), ("--help",), ("-h",):
            out = self.benchmark(*words).out
            for command in COMMANDS:
                self.assertRegex(out, rf"(?m)^  {command} ")
            for code in "0 1 2 3 4 5 70 130".split():
                self.assertRegex(out, rf"(?m)^  {code} ")

    def test_help_of_each_command_in_three_spellings(self):
        for command in COMMANDS:
            text = self.benchmark("help", command).out
            self.assertTrue(text.startswith(f"benchmark {command}: "), text)
            self.assertIn(f"Usage: benchmark {command} ", text)
            self.assertIn("--format FORMAT" if command in READERS else "--format text|json", text)
            self.assertEqual(self.benchmark(command, "--help").out, text)
            self.assertEqual(self.benchmark(command, "-h").out, text)

    def test_help_tells_the_exit_codes_of_its_command(self):
        of = {"run": "0 1 2 5 70 130", "tune": "0 1 2 5 70 130", "devices": "0 2 70", "compare": "0 2 70", "check": "0 1 2 3 4 70",
              "ab": "0 1 2 3 4 70 130", "estimate": "0 2 4 70"}
        for command, codes in of.items():
            text = self.benchmark("help", command).out
            self.assertEqual(re.findall(r"(?m)^  (\d+) ", text.partition("Exit codes:")[2]), codes.split(), command)
            self.assertNotIn("check", text.partition("Exit codes:")[2])

    def test_help_on_help(self):
        self.assertEqual(self.benchmark("help", "help").out, self.benchmark("help").out)

    def test_help_fits_a_terminal(self):
        for words in ("help",), *(("help", command) for command in COMMANDS):
            for line in self.benchmark(*words).out.splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_version(self):
        self.assertRegex(self.benchmark("--version").out, r"\Abenchmark \d+\.\d+\.\d+( [0-9a-f]{7,40}\S*)? \(.+\)\n\Z")

    def test_help_and_version_say_nothing_on_standard_error(self):
        for words in ("help",), ("--version",), ("help", "run"):
            self.assertEqual(self.benchmark(*words).err, "")


class Commands(ProgramTest):
    def test_a_command_is_needed(self):
        self.refused(says=("a command is needed", "benchmark help"))

    def test_unknown_commands(self):
        self.refused("verfy", says=("'verfy'", "did you mean `benchmark verify`?"))
        self.refused("rnu", says=("'rnu'", "did you mean `benchmark run`?"))
        self.refused("device", says=("'device'", "did you mean `benchmark devices`?"))
        self.refused("dance", says=("'dance'", "benchmark help"))
        self.refused("", says=("unknown command ''", "benchmark help"))
        self.refused("help", "dance", says=("'dance'", "benchmark help"))
        self.refused("--dry-run", "run", says=("'--dry-run'", "benchmark help"))

    def test_words_too_many(self):
        self.refused("--version", "please", says="'please'")
        self.refused("help", "run", "please", says="'please'")
        for command in OTHERS:
            if command != "models": # takes names
                self.refused(command, "please", says=(f"{command}: unknown argument 'please'", f"benchmark help {command}"))
        self.refused("models", "please", says="unknown model 'please'")

    def test_a_message_is_one_line_whatever_a_name_holds(self):
        self.refused("run\nnow\x1b[31m", says="'run?now?[31m'")
        self.refused("run", "--su\nite", says="'--su?ite'")
        self.refused(*DRY, "--model", "a\nb", says="'a?b'")
        self.refused("run", "--dry-run", "--suite", "./a\nb.json", says="./a?b.json")
        self.refused("x" * 100000, says="xxx")
        self.refused(*DRY, "--model", "x" * 100000, says="xxx")


class Options(ProgramTest):
    def test_unknown_options(self):
        self.refused("run", "--suit", "quick", says=("run: unknown option '--suit'", "did you mean --suite?"))
        self.refused("run", "--dryrun", says=("'--dryrun'", "--dry-run?"))
        self.refused("run", "--sweet=1", says=("'--sweet=1'", "benchmark help run"))
        self.refused("run", "-n", says=("'-n'", "benchmark help run"))
        self.refused("run", "--", says="'--'")
        self.refused("run", "--help", "--bogus", says="'--bogus'")
        self.refused("devices", "--suite", "quick", says=("devices: unknown option '--suite'", "benchmark help devices"))
        self.refused("verify", "--budget", "3", says="verify: unknown option '--budget'")

    def test_missing_and_superfluous_values(self):
        for option, metavar in (("suite", "NAME|FILE"), ("budget", "SECONDS"), ("seed", "N"), ("device", "SEL"), ("batch", "N"),
                                ("cache", "cold|hot"), ("output", "FILE|-"), ("format", "text|json")):
            self.refused("run", f"--{option}", says=(f"run: --{option} needs a value", metavar))
        for option in "suite", "model", "output", "kernels", "device", "phase":
            self.refused("run", f"--{option}", "", says=(f"--{option}: ", "empty"))
            self.refused("run", f"--{option}=", says=(f"--{option}: ", "empty"))
        self.refused("run", "--model", "tinyllama-1.1b,,llama2-7b", says="--model: an empty value")
        self.refused("run", "--dry-run=yes", says="--dry-run takes no value")
        self.refused("run", "--quiet=", says="--quiet takes no value")

    def test_whole_numbers(self):
        for option in "batch", "tokens", "context":
            for wrong in "0", "-1", "1e9", "abc", "", "99999999999999999999", "16777217", "1.5", "0x10", " 1", "1 ", "+1", "1,,2", "1,":
                shown = next((part for part in wrong.split(",") if not part.isdigit()), wrong)
                self.refused(*DRY, f"--{option}", wrong, says=(f"run: --{option}: '{shown}'", "whole number from 1 to"))
        for wrong in "-1", "abc", "", "1e3", "99999999999999999999":
            self.refused(*DRY, f"--seed={wrong}", says=(f"--seed: '{wrong}'", "whole number from 0 to"))
        self.refused(*DRY, "--batch", ",".join("1" * 33), says=("--batch", "more than 32 values"))

    def test_seconds(self):
        for wrong in "0", "-1", "1e9", "abc", "", "nan", "inf", "1e400", "0x10", "1s":
            self.refused(*DRY, "--budget", wrong, says=(f"--budget: '{wrong}'", "number from 0.001 to 604800"))

    def test_a_number_that_the_model_does_not_go_to(self):
        self.refused(*DRY, "--tokens", "100000", says=("llama2-7b", "--tokens", "4096", "100000"))
        self.refused(*DRY, "--context", "100000", says=("llama2-7b", "--context", "4096", "100000"))

    def test_unknown_names(self):
        for option, wrong, *mend in (("suite", "quik", "did you mean 'quick'?"), ("suite", "xyz", "benchmark suites"),
                                     ("model", "llama2-7", "did you mean 'llama2-7b'?"), ("model", "xyz", "benchmark models"),
                                     ("device", "xyz", "benchmark devices"), ("device", "cpu7", "benchmark devices"),
                                     ("backend", "cuda", "benchmark devices"), ("workload", "gem", "benchmark workloads"),
                                     ("phase", "prefil", "prefill or decode"), ("dtype", "f64", "use f32, f16, bf16, int8, int8af32, int8af16, int4af32 or int4af16"),
                                     ("format", "xml", "text or json"), ("cache", "warm", "cold|hot")):
            self.refused(*DRY, f"--{option}", wrong, says=(option, f"'{wrong}'", *mend))
        for command in "verify", "tune", "devices", "models", "workloads", "suites":
            self.refused(command, "--format", "xml", says=("--format", "'xml'", "text or json"))

    def test_a_wrong_name_among_right_ones(self):
        self.refused(*DRY, "--model", "llama2-7b,xyz", says="'xyz'")
        self.refused(*DRY, "--dtype", "f32", "--dtype", "f64", says="'f64'")

    def test_values_after_a_blank_and_after_an_equals_sign(self):
        plan = self.benchmark(*DRY, "--dtype", "f16", "--phase", "decode").out
        self.assertEqual(self.benchmark("run", "--dry-run", "--suite=quick", "--dtype=f16", "--phase=decode").out, plan)

    def test_the_last_of_an_option_counts_and_lists_add_up(self):
        both = self.benchmark(*DRY, "--dtype", "f32,f16").out
        self.assertEqual(self.benchmark(*DRY, "--dtype", "f32", "--dtype", "f16").out, both)
        self.assertEqual(self.benchmark("run", "--suite", "full", *DRY[1:], "--dtype", "f32,f16").out, both)


if __name__ == "__main__":
    main()
