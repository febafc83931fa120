#!/usr/bin/python3
"""Writes oracle.h, the expected values of tests/stats, with scipy 1.10 and numpy (Debian: python3-scipy).

    /usr/bin/python3 tests/stats/make_oracle.py > tests/stats/oracle.h

Where scipy has no such function, or a less exact one, the value comes from the definition, written out plainly here.
"""
import itertools
import math

import numpy as np
from scipy import optimize, stats
from scipy.stats import _hypotests, _mannwhitneyu, _resampling

CONFIDENCES = (0.5, 0.9, 0.95, 0.99)


def samples():
    rng = np.random.default_rng(20260131)
    out = {"one": [3.25], "two": [2.0, 1.0], "constant": [0.1] * 12,
           "ties": [1.5, -0.5, 0.5, 0.0, 2.5, -1.5, 0.5, 0.0, 3.0, 2.5, -0.5, 0.5]}
    for n in (3, 5, 6, 7, 8, 12, 16, 24, 33, 48, 50):
        out[f"normal{n}"] = rng.normal(0.4, 1, n)
    for n in (9, 32, 65):
        out[f"lognormal{n}"] = np.exp(rng.normal(0, 0.8, n))
    out["tied80"] = np.round(rng.normal(0.3, 1.5, 80) * 4) / 4
    series = rng.normal(0, 1, 60)
    for i in range(1, 60):
        series[i] += 0.6 * series[i - 1]
    out["serial60"] = series
    out["settling100"] = 5 * np.exp(-np.arange(100) / 6) + rng.normal(0, 0.3, 100)
    out["drifting63"] = np.arange(63) * 0.2 + rng.normal(0, 0.5, 63)
    return {name: np.array(values, dtype=float) for name, values in out.items()}


DATA = samples()
NAMES = list(DATA)


def number(x):
    if isinstance(x, (bool, np.bool_)):
        return "true" if x else "false"
    if isinstance(x, (int, np.integer)):
        return str(x)
    if isinstance(x, str):
        return x
    return repr(float(x))


def braces(row):
    return "{" + ", ".join(braces(x) if isinstance(x, (tuple, list, np.ndarray)) else number(x) for x in row) + "}"


def table(fields, name, rows):
    print(f"\nstatic const struct {{\n    {fields};\n}} {name}[] = {{")
    for row in rows:
        print(f"    {braces(row)},")
    print("};")


def ref(name):
    return f"SAMPLE({name})"


# ---- distributions ----

def distributions():
    table("double x, cdf", "oracle_normal_cdf",
          [(x, stats.norm.cdf(x)) for x in (-37, -20, -8, -3, -1.96, -0.5, -1e-3, 0, 0.7, 2.5, 8)])
    table("double p, x", "oracle_normal_quantile",
          [(p, stats.norm.ppf(p)) for p in (1e-300, 1e-30, 1e-9, 1e-3, 0.025, 0.2, 0.4, 0.499, 0.5, 0.6, 0.95, 0.975, 1 - 1e-9)])
    freedoms = (0.5, 1, 2, 3, 7.5, 30, 47, 1e3, 1e6, 1.01e6)
    table("double x, freedom, cdf", "oracle_t_cdf",
          [(x, v, stats.t.cdf(x, v)) for v in freedoms for x in (-1e4, -12, -3, -1, -0.2, 0, 0.5, 4)])

    def quantile(p, v):  # scipy's own is good to 1e-7 only
        start = stats.t.ppf(p, v)
        width = abs(start) * 1e-3 + 1e-3
        return optimize.brentq(lambda x: math.log(stats.t.cdf(x, v) / p), start - width, start + width,
                               xtol=1e-16, rtol=1e-15)
    table("double p, freedom, x", "oracle_t_quantile",
          [(p, v, quantile(p, v)) for v in freedoms for p in (1e-6, 0.001, 0.025, 0.2, 0.3, 0.45)])
    table("size_t k, n; double p, cdf", "oracle_binomial",
          [(k, n, p, stats.binom.cdf(k, n, p)) for k, n, p in
           ((0, 1, 0.5), (0, 5, 0.5), (2, 8, 0.5), (7, 24, 0.5), (20, 48, 0.5), (48, 48, 0.5), (3, 10, 0.05),
            (9, 10, 0.99), (0, 12, 1e-4), (480, 1000, 0.5), (49500, 100000, 0.5), (5, 20, 0.0), (5, 20, 1.0))])


# ---- one sample ----

PROBABILITIES = (0, 0.05, 0.25, 0.5, 0.9, 0.95, 1)


def one_sample():
    table("struct bm_observations sample; double median, mad, mean, percentiles[7]", "oracle_sample",
          [(ref(n), np.median(x), stats.median_abs_deviation(x), math.fsum(x) / len(x), np.percentile(x, np.array(PROBABILITIES) * 100))
           for n, x in DATA.items()])
    table("struct bm_observations sample; double confidence, low, high", "oracle_median_interval",
          [(ref(n), c, *stats.mstats.median_cihs(x, 1 - c)) for n, x in DATA.items() for c in (0.9, 0.95, 0.99)
           if 2.0 ** (1 - len(x)) < 1 - c])


# ---- series ----

def autocorrelation(x):
    if len(x) < 4 or np.all(x == x[0]):
        return 0.0
    d = x - x.mean()
    r = (d[1:] * d[:-1]).sum() / (d * d).sum()
    return min(1, max(-1, r + (1 + 4 * r) / len(x)))


def trend(x):
    n = len(x)
    time = np.arange(n)
    s = sum(np.sign(x[j] - x[i]) for i in range(n) for j in range(i + 1, n))
    _, t = np.unique(x, return_counts=True)
    if t.max() == 1 and n <= 50:
        tau, p = stats.kendalltau(time, x, method="exact")
        return s, tau, p, True
    tau = stats.kendalltau(time, x)[0] if len(t) > 1 else 0.0
    variance = (n * (n - 1) * (2 * n + 5) - (t * (t - 1) * (2 * t + 5)).sum()) / 18
    p = min(1, 2 * stats.norm.sf((abs(s) - 1) / math.sqrt(variance))) if variance > 0 else 1.0
    return s, tau, p, False


def mser5(x):
    z = x[:len(x) // 5 * 5].reshape(-1, 5).mean(axis=1)
    m = len(z)
    if m == 0:
        return 0, False
    mser = [((z[d:] - z[d:].mean()) ** 2).sum() / (m - d) ** 2 for d in range(m // 2 + 1) if d < m]
    d = int(np.argmin(np.round(mser, 25)))
    return 5 * d, m >= 4 and d < m // 2


def series():
    rows = []
    for n, x in DATA.items():
        rho = autocorrelation(x)
        count = len(x) if rho <= 0 else max(1, len(x) * (1 - rho) / (1 + rho))
        low, high = 0.0, 0.0
        if len(x) >= 6:
            low, high = np.median(x) + (np.array(stats.mstats.median_cihs(x, 0.05)) - np.median(x)) * math.sqrt(len(x) / count)
        rows.append((ref(n), rho, count, low, high))
    table("struct bm_observations sample; double rho, effective, low, high", "oracle_series", rows)
    table("struct bm_observations sample; double s, tau, p; bool exact", "oracle_trend",
          [(ref(n), *trend(x)) for n, x in DATA.items() if len(x) >= 2])
    table("struct bm_observations sample; size_t discard; bool steady", "oracle_mser5",
          [(ref(n), *mser5(x)) for n, x in DATA.items()])


# ---- location ----

def invert(pairs, cdf, mean, deviation, confidence):
    """The interval from the c-th smallest to the c-th largest pair; cdf None: normal with continuity correction."""
    half = (1 - confidence) / 2
    tail = cdf if cdf is not None else lambda k: stats.norm.cdf((k + 0.5 - mean) / deviation)
    c = 1
    while 2 * (c + 1) <= len(pairs) + 1 and tail(c) <= half:
        c += 1
    return pairs[c - 1], pairs[len(pairs) - c], max(0, 1 - 2 * tail(c - 1))


def location():
    rows = []
    for name, x in DATA.items():
        n = len(x)
        walsh = np.sort([(x[i] + x[j]) / 2 for i in range(n) for j in range(i, n)])
        cdf = np.cumsum(_hypotests._get_wilcoxon_distr(n)) if n <= 50 else None
        deviation = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        for c in CONFIDENCES:
            rows.append((ref(name), c, np.median(walsh),
                         *invert(walsh, (lambda k: cdf[k]) if n <= 50 else None, n * (n + 1) / 4, deviation, c)))
    table("struct bm_observations sample; double confidence, estimate, low, high, reached", "oracle_hodges_lehmann", rows)

    rows = []
    for a, b in PAIRS:
        x, y = DATA[a], DATA[b]
        m, n = len(x), len(y)
        differences = np.sort(np.subtract.outer(y, x).ravel())
        exact = m <= 50 and n <= 50
        cdf = np.cumsum(mann_whitney_pmf(m, n)) if exact else None
        deviation = math.sqrt(m * n * (m + n + 1) / 12)
        for c in CONFIDENCES:
            rows.append((ref(a), ref(b), c, np.median(differences),
                         *invert(differences, (lambda k: cdf[k]) if exact else None, m * n / 2, deviation, c)))
    table("struct bm_observations from, to; double confidence, estimate, low, high, reached", "oracle_shift", rows)


PAIRS = (("one", "two"), ("normal3", "normal5"), ("normal6", "normal7"), ("normal8", "lognormal9"),
         ("normal12", "lognormal32"), ("normal16", "normal24"), ("ties", "normal12"), ("ties", "tied80"), ("constant", "constant"),
         ("normal48", "normal50"), ("lognormal65", "normal33"))


def mann_whitney_pmf(m, n):
    return _mannwhitneyu._mwu_state.pmf(np.arange(m * n + 1), m, n)


# ---- tests ----

ALTERNATIVES = (("BM_TWO_SIDED", "two-sided"), ("BM_GREATER", "greater"), ("BM_LESS", "less"))


def signed_rank(x, alternative):
    x = x[x != 0]
    ranks = stats.rankdata(np.abs(x))
    t = ranks[x > 0].sum()
    tied = len(np.unique(ranks)) < len(ranks)
    if len(x) == 0:
        return 0.0, 1.0, True
    if len(x) > 50:
        return t, stats.wilcoxon(x, correction=True, alternative=alternative, method="approx").pvalue, False
    if not tied:
        return t, stats.wilcoxon(x, alternative=alternative, method="exact").pvalue, True
    sums = np.array([ranks[np.array(s, dtype=bool)].sum() for s in itertools.product((0, 1), repeat=len(x))])
    upper, lower = (sums >= t).mean(), (sums <= t).mean()
    return t, {"greater": upper, "less": lower, "two-sided": min(1, 2 * min(lower, upper))}[alternative], True


def mann_whitney(x, y, alternative):
    tied = len(np.unique(np.concatenate((x, y)))) < len(x) + len(y)
    exact = not tied and len(x) <= 50 and len(y) <= 50
    if len(np.unique(np.concatenate((x, y)))) == 1:
        return len(x) * len(y) / 2, 1.0, False
    u, p = stats.mannwhitneyu(x, y, alternative=alternative, method="exact" if exact else "asymptotic")
    return u, p, exact


def tests():
    rows = []
    for name, x in DATA.items():
        if len(x[x != 0]) <= 50 and len(np.unique(np.abs(x))) < len(x) and len(x) > 12:
            continue  # too many signs to list
        rows += [(ref(name), c, *signed_rank(x, word)) for c, word in ALTERNATIVES]
    table("struct bm_observations sample; enum bm_alternative alternative; double statistic, p; bool exact", "oracle_signed_rank", rows)
    table("struct bm_observations a, b; enum bm_alternative alternative; double statistic, p; bool exact", "oracle_mann_whitney",
          [(ref(a), ref(b), c, *mann_whitney(DATA[a], DATA[b], word)) for a, b in PAIRS for c, word in ALTERNATIVES])


# ---- many tests ----

def adjustments():
    rng = np.random.default_rng(7)
    p = np.concatenate((rng.uniform(0, 0.02, 8), rng.uniform(0, 1, 10), [0.01, 0.01, 1.0, 0.0]))
    n = len(p)
    holm = [min(1, max((n - r) * q for r, q in enumerate(np.sort(p)) if q <= x)) for x in p]
    bh = [min(min(1, n / (r + 1) * q) for r, q in enumerate(np.sort(p)) if q >= x) for x in p]
    table("double p, holm, benjamini_hochberg", "oracle_adjusted", zip(p, holm, bh))


# ---- bootstrap: the statistic's values in the order of its calls, and scipy's interval of them ----

def bootstrap_case(name, data, statistic, confidence, resamples, rng):
    estimate = statistic(*data, axis=-1)
    replicates = np.array([statistic(*[rng.choice(x, len(x)) for x in data], axis=-1) for _ in range(resamples)])
    left_out = [statistic(*[np.delete(y, i) if k == s else y for k, y in enumerate(data)], axis=-1)
                for s, x in enumerate(data) for i in range(len(x))]
    low, high, _ = _resampling._bca_interval(data, statistic, -1, (1 - confidence) / 2, replicates, None)
    values = np.concatenate(([estimate], replicates, left_out))
    print(f"\nstatic const double {name}_values[] = {braces(values)};")
    ends = np.percentile(replicates, (100 * low, 100 * high))
    return f"{{{name}_values, {len(values)}}}", [len(x) for x in data] + [0] * (2 - len(data)), confidence, resamples, *np.ravel(ends)


def bootstrap():
    rng = np.random.default_rng(11)
    skewed, other = np.exp(rng.normal(0, 1, 14)), np.exp(rng.normal(1, 0.5, 9))
    rows = [bootstrap_case("bootstrap_mean", (skewed,), np.mean, 0.95, 150, rng),
            bootstrap_case("bootstrap_median", (skewed,), np.median, 0.9, 120, rng),
            bootstrap_case("bootstrap_ratio", (skewed, other), lambda a, b, axis: np.mean(a, axis=axis) / np.mean(b, axis=axis),
                           0.95, 150, rng)]
    table("struct bm_observations calls; size_t counts[2]; double confidence; size_t resamples; double low, high", "oracle_bootstrap", rows)


def main():
    print("/* Made by make_oracle.py (scipy 1.10, numpy 1.24): do not edit. */\n/* clang-format off */")
    print("#ifndef TESTS_STATS_ORACLE_H\n#define TESTS_STATS_ORACLE_H\n\n#include \"bm/stats.h\"\n")
    for name, x in DATA.items():
        print(f"static const double sample_{name}[] = {braces(x)};")
    print("#define SAMPLE(name) {sample_##name, BM_COUNT_OF(sample_##name)}")
    print(f"static const double oracle_probabilities[7] = {braces(PROBABILITIES)};")
    distributions()
    one_sample()
    series()
    location()
    tests()
    adjustments()
    bootstrap()
    print("\n#endif")


main()
