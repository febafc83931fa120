#!/usr/bin/env python3
"""ab_noise.py NAME=FOLDER[,FOLDER...]...: the noise of A/A comparisons (folders that `benchmark ab` left, both sides the same command) as C tables:
what tests/ab/test_look.c replays. ln(new / old) of every round and row, in units of 1e-4.

    benchmark ab --rounds 33 --alpha 1e-8 --output aa1 -- benchmark run --suite gate --vs benchmark run --suite gate
    tests/perf/ab_noise.py quiet=aa1 busy=aa2 > tests/ab/noise.h    # busy: with other work beside it

At such an alpha no row has a verdict early, and all rounds are taken.
"""

import json
import math
import sys
from pathlib import Path


def differences(folder):
    sides = [json.loads((Path(folder) / f"{side}.json").read_text()) for side in ("old", "new")]
    if sides[0]["ab"]["id"] != sides[1]["ab"]["id"]:
        sys.exit(f"{folder}: old.json and new.json are not of one comparison")
    times = [{row["key"]: [r["ns"] / r["launches"] for r in row["rounds"]] for row in side["results"] if row["rounds"]}
             for side in sides]
    rows = [[math.log(b / a) for a, b in zip(times[0][key], times[1][key])] for key in times[0] if key in times[1]]
    return list(zip(*rows))


def table(name, folders):
    lines = [line for folder in folders for line in differences(folder)]
    if len({len(line) for line in lines}) != 1:
        sys.exit(f"{name}: the comparisons do not have the same rows")
    upper = name.upper()
    print(f"enum {{ {upper}_ROUNDS = {len(lines)}, {upper}_ROWS = {len(lines[0])} }};\n"
          f"static const short {name}_rounds[{upper}_ROUNDS][{upper}_ROWS] = {{")
    for line in lines:
        print("    {" + ", ".join(str(round(value * 1e4)) for value in line) + "},")
    print("};\n")


def main(tables):
    print("/* Recorded with tests/perf/ab_noise.py: ln(new / old) of every round and row of A/A comparisons, in 1e-4. */\n"
          "#ifndef TESTS_AB_NOISE_H\n#define TESTS_AB_NOISE_H\n")
    for word in tables:
        name, _, folders = word.partition("=")
        table(name, folders.split(","))
    print("#endif")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
