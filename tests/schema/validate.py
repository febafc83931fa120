#!/usr/bin/env python3
"""validate.py FILE...: checks results files against results/schema.json, and what a schema cannot say: that rows are
unique, that what they name exists, and that figures are in order. One line per problem; exits 1 when there is one."""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).resolve().parents[2] / "results" / "schema.json"


def load(path):
    """Parses strictly: no NaN, no key twice."""
    def constant(name):
        raise ValueError(f"{name} is not JSON")

    def pairs(items):
        keys = [key for key, _ in items]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f'key "{key}" stands twice in one object')
        return dict(items)

    return json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=constant, object_pairs_hook=pairs)


def leaves(error):
    """The errors that say what is wrong: below an anyOf, those of the branch that the value comes nearest to."""
    if not error.context:
        yield error
        return
    branches = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    nearest = max(branches.values(), key=lambda errors: (all(e.validator != "type" or e.path for e in errors), -len(errors)))
    for inner in nearest:
        yield from leaves(inner)


def schema_problems(document):
    for error in Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(document):
        for leaf in leaves(error):
            message = leaf.message if len(leaf.message) < 300 else leaf.message[:140] + " ... " + leaf.message[-140:]
            yield leaf.json_path, message


def interval_problems(path, middle, interval):
    if interval and not interval[0] <= middle <= interval[1]:
        yield path, f"{middle} lies outside its interval {interval}"


def sum_problems(document):
    """A summary is what its rows add up to."""
    for i, device in enumerate(document["devices"]):
        times = {}
        for row in document["results"]:
            if row["device"] == device["id"] and row["time_ns"]:
                times.setdefault((row["backend"], row["key"]), []).append(row["time_ns"]["median"])
        for j, item in enumerate(device["summary"]):
            if not item.get("rows"):
                continue
            path = f"$.devices[{i}].summary[{j}].rows"
            lost = [use["key"] for use in item["rows"] if len(times.get((item["backend"], use["key"]), ())) != 1]
            if lost:
                yield path, f"{lost[0]} is no measured row of {device['id']} and {item['backend']}"
                continue
            total = sum(use["count"] * times[item["backend"], use["key"]][0] for use in item["rows"])
            tokens = item["batch"] * (item["tokens"] if item["phase"] == "prefill" else 1)
            if item["tokens_per_s"] and abs(item["tokens_per_s"] * total / 1e9 - tokens) > 1e-6 * tokens:
                yield path, f"they add up to {tokens / total * 1e9} tokens/s, not {item['tokens_per_s']}"


def relation_problems(document):
    """Of a document that fits the schema."""
    names = set()
    for i, sensor in enumerate(document["host"]["environment"]["sensors"]):
        path = f"$.host.environment.sensors[{i}]"
        if sensor["name"] in names:
            yield path, f"{sensor['name']} stands twice"
        names.add(sensor["name"])
        if sensor["tagged"] > sensor["checked"]:
            yield path, "more blocks tagged than checked"
        if sensor["checked"] and not sensor["available"]:
            yield path, "not available, but judged"

    devices, ceilings = {}, {}
    for i, device in enumerate(document["devices"]):
        path = f"$.devices[{i}]"
        if device["id"] in devices:
            yield f"{path}.id", f"{device['id']} stands twice"
        if device["id"].partition("@")[0] != device["hardware"]:
            yield f"{path}.hardware", f"{device['hardware']} is not the hardware of {device['id']}"
        backends = devices[device["id"]] = {backend["id"] for backend in device["backends"]}
        for name in ("ceilings", "summary"):
            for j, item in enumerate(device[name]):
                if item["backend"] not in backends:
                    yield f"{path}.{name}[{j}].backend", f"{item['backend']} is not among the device's backends"
        ceilings[device["id"]] = {"/".join(filter(None, (c["resource"], c["pipe"], c["backend"]))) for c in device["ceilings"]}
        for j, ceiling in enumerate(device["ceilings"]):
            if ceiling["value"] is not None:
                yield from interval_problems(f"{path}.ceilings[{j}]", ceiling["value"], ceiling["ci"])
        for j, item in enumerate(device["summary"]):
            if both := set(item["ops"]) & set(item["missing"]):
                yield f"{path}.summary[{j}]", f"{sorted(both)} are both covered and missing"
            if unnamed := set(item.get("lacking", ())) - set(item["missing"]):
                yield f"{path}.summary[{j}].lacking", f"{sorted(unnamed)} are not among the missing"

    rows = {}
    for i, row in enumerate(document["results"]):
        place = (row["device"], row["backend"], row["threads"], row["key"])
        if place in rows:
            yield f"$.results[{i}]", f"{place} stands twice"
        rows[place] = row
    yield from sum_problems(document)
    for i, row in enumerate(document["results"]):
        path = f"$.results[{i}]"
        case = row["case"]
        if row["device"] not in devices:
            yield f"{path}.device", f"{row['device']} is not among the devices"
        elif row["backend"] not in devices[row["device"]]:
            yield f"{path}.backend", f"{row['backend']} is not among the backends of {row['device']}"
        stated = [case["workload"], case["model"] or "-", case["phase"] or "-", case["op"], case["dtype"] or "-"]
        if row["key"].split("/")[:5] != stated:
            yield f"{path}.key", f"{row['key']} is not the key of its case ({'/'.join(stated)})"
        if row["measured_as"] is not None:
            source = rows.get((row["device"], row["backend"], row["threads"], row["measured_as"]))
            if source is None or source is row:
                yield f"{path}.measured_as", f"{row['measured_as']} is no other row of this device and backend"
            elif source["measured_as"] is not None:
                yield f"{path}.measured_as", f"{row['measured_as']} was itself not measured"
        for name in ("compute_ceiling", "memory_ceiling"):
            used = row["utilization"] and row["utilization"][name]
            if used and used not in ceilings.get(row["device"], ()):
                yield f"{path}.utilization.{name}", f"{used} is no ceiling of {row['device']}"
        if use := row["utilization"]:
            yield from interval_problems(f"{path}.utilization.roofline_efficiency", use["roofline_efficiency"],
                                         use.get("roofline_efficiency_ci"))
        for name in ("time_ns", "time_ns_uncontaminated"):
            if time := row[name]:
                yield from interval_problems(f"{path}.{name}.median", time["median"], time["ci"])
                if not time["min"] <= time["p5"] <= time["median"] <= time["p95"]:
                    yield f"{path}.{name}", "min, p5, median and p95 are out of order"
        for rate, amount in (("gflops", "flops"), ("gbytes_per_s", "bytes")):
            if row[rate] is not None:
                if row[amount] is None or row["time_ns"] is None:
                    yield f"{path}.{rate}", f"a rate without {amount} or time"
                elif abs(row[rate] * row["time_ns"]["median"] - row[amount]) > 1e-6 * row[amount]:
                    yield f"{path}.{rate}", f"{row[rate]} is not {amount} / median time"


def problems(path):
    try:
        document = load(path)
    except (OSError, ValueError) as error:
        return [f"{path}: {error}"]
    found = list(schema_problems(document)) or list(relation_problems(document))
    return [f"{path}: {place}: {' '.join(message.split())}" for place, message in found]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: validate.py FILE...")
    lines = [line for path in sys.argv[1:] for line in problems(path)]
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(1 if lines else 0)
