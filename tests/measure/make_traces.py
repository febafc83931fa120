#!/usr/bin/env python3
"""Makes traces.h: the rounds of real runs, for replay.

    tests/measure/make_traces.py RESULTS.json... > tests/measure/traces.h

Takes every series of 24 rounds or more: start in ms since the start of the run, and the time of a launch relative to
the series' median. Files of one machine, quiet or not; the more different the cases the better.
"""
import json
import statistics
import sys


def traces(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
        for row in results["results"]:
            if len(row["rounds"]) >= 24:
                times = [r["ns"] / r["launches"] for r in row["rounds"]]
                middle = statistics.median(times)
                starts = [r["start_ns"] // 1000000 for r in row["rounds"]]
                yield row["key"], starts, [t / middle for t in times]


def main():
    print("/* Rounds of real runs, made by make_traces.py: do not edit. */")
    print("#ifndef BM_TRACES_H\n#define BM_TRACES_H\n\n#include <stddef.h>\n")
    names = []
    for i, (key, starts, times) in enumerate(traces(sys.argv[1:])):
        names.append((key, len(times)))
        for name, kind, values in (("start_ms", "unsigned", [str(s) for s in starts]),
                                   ("time", "double", [f"{t:.5f}" for t in times])):
            print(f"static const {kind} trace{i}_{name}[] = {{")
            for at in range(0, len(values), 12):
                print("    " + ", ".join(values[at:at + 12]) + ",")
            print("};")
    print("\nstatic const struct trace {\n    const char *key;\n    size_t count;\n    const unsigned *start_ms;\n"
          "    const double *time; /* of a launch, relative to the median */\n} traces[] = {")
    for i, (key, count) in enumerate(names):
        print(f'    {{"{key}", {count}, trace{i}_start_ms, trace{i}_time}},')
    print("};\n\n#endif")


if __name__ == "__main__":
    main()
