"""test_options.py PROGRAM SOURCE: the options that the program's help names are those of the man page and the README."""

import re
import subprocess
import sys
from pathlib import Path

COMMANDS = "run compare check ab estimate devices verify tune models workloads suites".split()
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
EVERYWHERE = {"--help", "--version"}


def main(program, source):
    problems = []
    helped = set()
    for command in COMMANDS:
        done = subprocess.run([program, "help", command], text=True, capture_output=True, timeout=60)
        if done.returncode != 0 or not done.stdout.strip():
            problems.append(f"benchmark help {command}: exit {done.returncode}, printed {done.stdout!r}")
        helped |= set(OPTION.findall(done.stdout))
    manual = (source / "cmake/benchmark.1").read_text().replace(r"\-", "-")
    # Only rows of the option table, and of the manual only what it defines: examples may name other programs' options.
    readme = "\n".join(line for line in (source / "README.md").read_text().splitlines() if line.startswith("| `--"))
    defined = "\n".join(re.findall(r"^\.TP\n(\.B[IR]? .*)$", manual, re.M))
    for name, text in (("cmake/benchmark.1", defined), ("README.md", readme)):
        documented = set(OPTION.findall(text))
        problems += [f"{name} lacks {option}" for option in sorted(helped - documented - EVERYWHERE)]
        problems += [f"{name} has {option}, which no help names" for option in sorted(documented - helped - EVERYWHERE)]
    for command in COMMANDS:
        if not re.search(rf"\b{command}\b", manual):
            problems.append(f"cmake/benchmark.1 lacks the command {command}")
    if not helped - EVERYWHERE:
        problems.append("no help names an option: nothing was compared")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
