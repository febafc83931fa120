"""What the comparisons of kernels with ceilings share: running the program, and a table of medians beside targets."""
import json
import math
import statistics
import subprocess


def measure(program, options, budget, path, cwd=None):
    """The rows of a run that were measured themselves."""
    subprocess.run([program, "run", "--device", "cpu0", "--backend", "opencl", "--quiet", "--budget", str(budget), "--output", str(path),
                    *options], check=True, stdout=subprocess.DEVNULL, cwd=cwd)
    return [row for row in json.loads(path.read_text())["results"] if not row["measured_as"] and row["case"]["model"]]


class Shares:
    """Shares by group and row over runs, and rows that have none."""

    def __init__(self):
        self.shares, self.targets, self.not_ok = {}, {}, []

    def add(self, run, row, group, key, target, each=None):
        if row["status"] != "ok" or row["utilization"] is None:
            self.not_ok.append(f"run {run + 1}: {row['key']}: {row['status']} {row['reason'] or ''}")
            return False
        self.targets[group] = target, each
        self.shares.setdefault(group, {}).setdefault(row["key"], []).append(row["utilization"][key])
        return True

    def report(self):
        """Prints the table; whether anything misses."""
        missed = bool(self.not_ok)
        print(*self.not_ok, sep="\n")
        print(f"{'':32} {'dtype':9} {'geomean':>7} {'least':>6}  target")
        for group, rows in self.shares.items():
            medians = [statistics.median(values) for values in rows.values()]
            mean = math.exp(statistics.fmean(map(math.log, medians)))
            wanted, each = self.targets[group]
            miss = mean < wanted or (each is not None and min(medians) < each)
            missed |= miss
            print(f"{group[0]:32} {group[1]:9} {mean:7.3f} {min(medians):6.3f}  {wanted}{' MISSED' if miss else ''}")
        return missed
