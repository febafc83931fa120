"""What the scripts in the folders beside this share: rows of `benchmark run`, and medians of their shares beside targets."""
import json
import math
import statistics
import subprocess


def run(program, options, path, folder=None):
    """The results of one run of the CPU through OpenCL."""
    subprocess.run([program, "run", "--device", "cpu0", "--backend", "opencl", "--quiet", "--output", str(path), *options], check=True,
                   cwd=folder, stdout=subprocess.DEVNULL)
    return json.loads(path.read_text())


def rows_of(document, workloads):
    """Those that were measured themselves."""
    return [row for row in document["results"] if row["case"]["workload"] in workloads and not row["measured_as"]]


class Shares:
    """Rows of several runs in groups, such as (question, dtype)."""

    def __init__(self):
        self.rows, self.targets, self.not_ok = {}, {}, []

    def add(self, number, row, group, key, target, each=None):
        """`key`: of the row's utilization. `target`: of the group's geometric mean; `each`: of each row, or None. False: the row has none."""
        if row["status"] != "ok" or row["utilization"] is None:
            self.not_ok.append(f"run {number + 1}: {row['key']}: {row['status']} {row['reason'] or ''}")
            return False
        self.targets[group] = target, each
        self.rows.setdefault(group, {}).setdefault(row["key"], []).append(row["utilization"][key])
        return True

    def print(self):
        """The table of medians over the runs. True: a target was missed."""
        missed = bool(self.not_ok)
        print(*self.not_ok, sep="\n")
        print(f"{'':24} {'dtype':9} {'geomean':>7} {'least':>6}  target")
        for group, rows in self.rows.items():
            medians = [statistics.median(values) for values in rows.values()]
            mean = math.exp(statistics.fmean(map(math.log, medians)))
            target, each = self.targets[group]
            miss = mean < target or (each is not None and min(medians) < each)
            missed |= miss
            print(f"{group[0]:24} {group[1]:9} {mean:7.3f} {min(medians):6.3f}  {target}{' MISSED' if miss else ''}")
        return missed
