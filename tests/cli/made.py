"""Results files made by hand, as valid as measured ones, for the commands that read them.

    machine = Machine("NVIDIA A40", kind="gpu", compute=20000, bandwidth=600, sheet=Sheet("nvidia-a40", "2020-10", 37400, 696, 300))
    document = results([machine], CASES, {key: ns, ...})
"""

import copy
import hashlib
import math
import uuid


class Sheet:
    def __init__(self, name, released, gflops, gbs, watts, status="verified"):
        self.name, self.released, self.gflops, self.gbs, self.watts, self.status = name, released, gflops, gbs, watts, status

    def json(self):
        return {"id": self.name, "name": self.name.upper(), "released": self.released, "architecture": None,
                "bandwidth_gbs": self.gbs, "bandwidth_status": self.status, "tdp_watts": self.watts,
                "peaks": [{"pipe": "f32_vector", "gflops": self.gflops, "status": self.status}]}


class Machine:
    """A device as results tell of it. efficiency: what share of the roofline its rows reach."""

    def __init__(self, name="Test CPU", kind="cpu", compute=500.0, bandwidth=50.0, sheet=None, device=None, backend=None,
                 driver="1.0", kernel="Linux 6.1", efficiency=0.5, half_width=0.005):
        self.name, self.kind, self.compute, self.bandwidth, self.sheet = name, kind, compute, bandwidth, sheet
        self.device = device or kind + "0"
        self.backend = backend or ("opencl/pocl" if kind == "cpu" else "opencl/nvidia")
        self.driver, self.kernel, self.efficiency, self.half_width = driver, kernel, efficiency, half_width

    @property
    def fingerprint(self):
        return hashlib.sha256(f"{self.name} {self.driver} {self.kernel} {self.device}".encode()).hexdigest()


def gemm(op, m, n, k, dtype="f32", model="test-7b"):
    phase, workload = ("decode", "gemv") if m == 1 else ("prefill", "gemm")
    size = 4 if dtype == "f32" else 2
    return {"key": f"{workload}/{model}/{phase}/{op}/{dtype}/m{m}n{n}k{k}", "workload": workload, "model": model, "phase": phase,
            "op": op, "dtype": dtype, "batch": 1, "tokens": m, "context": 0, "m": m, "n": n, "k": k,
            "flops": 2.0 * m * n * k, "bytes": float(size) * (m * k + n * k + m * n), "count": 32}


CASES = [gemm("qkv", 128, 6144, 4096), gemm("attn_out", 128, 4096, 4096), gemm("ffn_down", 128, 4096, 11008),
         gemm("qkv", 1, 6144, 4096), gemm("attn_out", 1, 4096, 4096), gemm("ffn_down", 1, 4096, 11008)]


def many(count):
    """As many cases as wanted, half of them bound by compute."""
    return [gemm(f"op{i}", 128 if i % 2 else 1, 1024 + 64 * i, 2048) for i in range(count)]


def ideal_ns(machine, case):
    return max(case["flops"] / machine.compute, case["bytes"] / machine.bandwidth)


def time_json(median, half):
    return {"median": median, "ci": [median * math.exp(-half), median * math.exp(half)], "confidence": 0.95,
            "min": median * 0.97, "p5": median * 0.98, "p95": median * 1.03, "mad": median * half}


def row_json(machine, case, ns, half, rounds, flags):
    reached = ideal_ns(machine, case) / ns
    sheet = machine.sheet if machine.sheet and machine.sheet.status in ("verified", "derived") else None
    ceiling = f"{machine.backend}"
    compute_bound = case["flops"] / machine.compute >= case["bytes"] / machine.bandwidth
    gflops, gbs = case["flops"] / ns, case["bytes"] / ns
    if rounds is None:
        rounds = [ns * math.exp(half * shift) for shift in (-1, 0, 1)]
    axes = {name: case[name] or None for name in ("batch", "tokens", "context", "m", "n", "k")}
    return {
        "key": case["key"], "device": machine.device, "backend": machine.backend,
        "threads": 2 if machine.kind == "cpu" else None, "measured_as": None,
        "case": {"workload": case["workload"], "model": case["model"], "phase": case["phase"], "op": case["op"],
                 "dtype": case["dtype"], **axes, "heads": None, "kv_heads": None, "head_dim": None, "v_dim": None, "hot": False},
        "status": "ok", "reason": None,
        "verification": {"status": "passed", "reference": "float64", "max_relative_error": 1e-6, "tolerance": 1e-4, "checked": 64},
        "kernel": {"variant": "packed", "parameters": {"TILE_M": 12}, "parameters_from": "shipped", "pipe": "f32_vector"},
        "rounds": [{"start_ns": int(1e9 + i * 1e8), "ns": max(1, round(t * 100)), "launches": 100, "flags": []}
                   for i, t in enumerate(rounds)],
        "time_ns": time_json(ns, half), "time_ns_uncontaminated": None,
        "flops": case["flops"], "bytes": case["bytes"], "gflops": gflops, "gbytes_per_s": gbs,
        "tokens_per_s": case["tokens"] / ns * 1e9,
        "utilization": {
            "bound": "compute" if compute_bound else "memory", "roofline_efficiency": reached,
            "compute_ceiling": f"fma/f32_vector/{ceiling}", "memory_ceiling": f"memory_read/{ceiling}",
            "compute_of_ceiling": gflops / machine.compute, "compute_of_device": gflops / machine.compute,
            "memory_of_ceiling": gbs / machine.bandwidth,
            "compute_of_datasheet": gflops / sheet.gflops if sheet else None,
            "memory_of_datasheet": gbs / sheet.gbs if sheet else None},
        "energy": {"joules": None, "source": None, "reason": "no energy counter is read"},
        "flags": list(flags)}


def ceiling_json(machine, resource, pipe, value, unit):
    return {"resource": resource, "pipe": pipe, "backend": machine.backend, "threads": None, "value": value, "unit": unit,
            "ci": [value * 0.995, value * 1.005], "burst": value * 1.02, "steady": None, "how": "best of several", "flags": []}


def summaries(machine, rows, cases):
    found = []
    for phase in ("prefill", "decode"):
        times = {row["key"]: row["time_ns"]["median"] for row in rows if row["status"] == "ok" and row["case"]["phase"] == phase}
        used = [case for case in cases if case["key"] in times]
        for dtype in sorted({case["dtype"] for case in used}):
            mine = [case for case in used if case["dtype"] == dtype]
            total = sum(case["count"] * times[case["key"]] for case in mine)
            ideal = sum(case["count"] * ideal_ns(machine, case) for case in mine)
            tokens = mine[0]["tokens"]
            found.append({
                "backend": machine.backend, "model": mine[0]["model"], "phase": phase, "dtype": dtype, "batch": 1,
                "tokens": tokens if phase == "prefill" else None, "context": None if phase == "prefill" else 1024,
                "tokens_per_s": tokens / total * 1e9, "ops": sorted({case["op"] for case in mine}), "missing": ["norm"], "lacking": [],
                "rows": [{"key": case["key"], "count": case["count"]} for case in mine],
                "mfu": None, "mbu": None, "roofline_efficiency": ideal / total})
    return found


def results(machines, cases=None, times=None, half_width=None, rounds=None, flags=None, created="2026-03-01T10:00:00Z", ab=None,
            commit="0123abc", complete=True):
    """times: {key: ns} or {(device, key): ns} where a row's time is not what the machine's efficiency says; rounds: {key: [ns]};
    flags: {key: [names]}."""
    cases = CASES if cases is None else cases
    times, rounds, flags = times or {}, rounds or {}, flags or {}
    devices, rows = [], []
    for machine in machines:
        half = machine.half_width if half_width is None else half_width
        mine = []
        for case in cases:
            key = case["key"]
            ns = times.get((machine.device, key), times.get(key, ideal_ns(machine, case) / machine.efficiency))
            mine.append(row_json(machine, case, ns, half, rounds.get(key), flags.get(key, ())))
        rows += mine
        devices.append({
            "id": machine.device, "hardware": machine.device, "kind": machine.kind, "name": machine.name, "vendor": None,
            "architecture": None, "compute_units": 2, "clock_mhz": None, "memory_bytes": 1 << 34, "llc_bytes": 1 << 25,
            "pci": None, "numa_nodes": [], "isa": None, "fingerprint": machine.fingerprint, "flags": [],
            "datasheet": machine.sheet.json() if machine.sheet else None,
            "backends": [{"id": machine.backend, "name": "test", "driver": machine.driver, "version": "OpenCL 3.0",
                          "platform": None, "compute_units": 2, "memory_bytes": 1 << 33, "max_allocation_bytes": 1 << 31}],
            "ceilings": [ceiling_json(machine, "memory_read", None, machine.bandwidth, "GB/s"),
                         ceiling_json(machine, "fma", "f32_vector", machine.compute, "GFLOP/s")],
            "summary": summaries(machine, mine, cases)})
    environment = dict.fromkeys(["turbo", "smt", "numa_balancing", "on_battery", "huge_pages", "load_average", "cpu_quota",
                                 "memory_limit_bytes", "cpuset", "swap_used_bytes"])
    environment.update(libraries={"opencl_loader": None, "hwloc": None, "jansson": None}, variables=[], warnings=[], sensors=[])
    name = f"{created} {commit} {[m.name for m in machines]} {ab}"
    return {
        "schema_version": "1.0", "id": str(uuid.UUID(hashlib.md5(name.encode()).hexdigest(), version=4)), "created": created,
        "complete": complete, "ab": ab,
        "tool": {"name": "benchmark", "version": "0.1.0", "commit": commit, "build": {"type": "Release", "compiler": "GNU 12.2.0"},
                 "kernels_sha256": hashlib.sha256(commit.encode()).hexdigest()},
        "host": {"hostname": "test", "os": "Debian", "kernel": machines[0].kernel, "cpu_model": "Test CPU",
                 "memory_bytes": 1 << 34, "virtualized": None, "governor": None,
                 "topology": {"packages": 1, "cores": 2, "threads": 2, "numa_nodes": 1, "caches": []},
                 "environment": environment},
        "settings": {"suite": "quick", "seed": 1, "budget_s": 45, "target_half_width": 0.01, "cache": "cold",
                     "command": ["benchmark", "run"]},
        "devices": devices, "results": rows}


def without(document, *keys):
    """A copy that lacks these rows."""
    document = copy.deepcopy(document)
    document["results"] = [row for row in document["results"] if row["key"] not in keys]
    return document


def paired(document, beside, half):
    """A copy whose rows were measured in pairs with ceilings that were `beside` times as slow as their medians say."""
    document = copy.deepcopy(document)
    for row in document["results"]:
        if use := row["utilization"]:
            use["roofline_efficiency"] *= beside
            use["roofline_efficiency_ci"] = [use["roofline_efficiency"] * math.exp(side * half) for side in (-1, 1)]
    return document


def unmeasured(document, key, status, reason):
    """A copy in which a row did not run."""
    document = copy.deepcopy(document)
    for row in document["results"]:
        if row["key"] == key:
            row.update(status=status, reason=reason, rounds=[], time_ns=None, gflops=None, gbytes_per_s=None, tokens_per_s=None,
                       utilization=None)
            row["verification"].update(status="failed" if status == "failed" else "not_run", checked=0)
    return document
