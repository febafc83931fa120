"""fake_run.py ORDERS [words of `benchmark run`...]: writes a results file with invented times, as ORDERS (a JSON file) says, and
adds a line to the file `log`. Every process of a side has other noise, the same at every test."""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import made

path, words = Path(sys.argv[1]), sys.argv[2:]
orders = json.loads(path.read_text())
log = Path("log")
before = log.read_text().splitlines() if log.exists() else []
turn = sum(line.split()[0] == path.stem for line in before)  # 0: the trial before the first round
with log.open("a") as file:
    file.write(f"{path.stem} {os.environ.get('SIDE', '-')} {' '.join(words)}\n")
if words[-3:-1] != ["--quiet", "--output"]:
    sys.exit(70)
if turn == orders.get("fail_at"):
    print("something else before", file=sys.stderr)
    print(f"benchmark: {orders['says']}", file=sys.stderr)
    sys.exit(orders.get("code", 2))
if turn == orders.get("crash_at"):
    os.kill(os.getpid(), signal.SIGSEGV)
if turn == orders.get("hang_at"):
    time.sleep(1000)
if turn == orders.get("silent_at"):
    sys.exit(orders.get("code", 0))
if turn == orders.get("garbage_at"):
    Path(words[-1]).write_text('{"schema_version": "1.0", "results": [')
    sys.exit(0)
machine = made.Machine(**orders.get("machine", {}))
cases = [case for case in made.CASES if case["key"] not in orders.get("without", ())]
noise = random.Random(f"{path.stem} {turn}")
shared = random.Random(turn).gauss(0, orders.get("shared", 0.1))  # what both sides of a round meet
times = {case["key"]: made.ideal_ns(machine, case) / machine.efficiency * orders.get("factors", {}).get(case["key"], 1)
         * 2.718281828 ** (shared + noise.gauss(0, orders.get("noise", 0.004))) for case in cases}
document = made.results([machine], cases=cases, times=times, flags=orders.get("flags"), commit=orders.get("commit", "0123abc"),
                        complete=turn != orders.get("incomplete_at"))
document["settings"]["command"] = ["benchmark", "run", *words]
for key, (status, turns) in orders.get("unmeasured", {}).items():
    if turns is None or turn in turns:
        document = made.unmeasured(document, key, status, f"{key} {status} in turn {turn}")
for key, factor in orders.get("work", {}).items():
    for row in document["results"]:
        if row["key"] == key:
            row["flops"] *= factor
            row["gflops"] *= factor
# a summary of rows that were not measured would be none
measured = {row["key"] for row in document["results"] if row["time_ns"]}
for device in document["devices"]:
    device["summary"] = [item for item in device["summary"] if all(use["key"] in measured for use in item["rows"])]
Path(words[-1]).write_text(json.dumps(document))
sys.exit(1 if any(row["status"] == "failed" for row in document["results"]) else 0)
