"""The formats of `compare` and `check`, each read by a parser that is not ours, whatever names hold.

With BM_REWRITE_EXPECTED=1 the expected outputs in expected/ are written anew: look at the difference before committing it."""

import csv
import io
import json
import math
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

from prometheus_client.openmetrics import parser as openmetrics

import made
from harness import ProgramTest, main
from made import Machine, Sheet

EVIL = 'E<v>i|l "GPU" & `co`, 100 %: {x} \\ *b* _u_ [l](m) @you ½ 显卡 ::error::\n\r\x07\x1b[31m'
MACHINE = Machine()
KEYS = [case["key"] for case in made.CASES]
REGRESSED, UNSTABLE, IMPROVED, THROTTLED, MISSING, UNVERIFIED = KEYS
BASE = {case["key"]: made.ideal_ns(MACHINE, case) / MACHINE.efficiency for case in made.CASES}


def run(day, factors=None, machine=MACHINE, cases=None, **options):
    times = {key: ns * (1 + 0.003 * math.cos(7 * day + i)) * (factors or {}).get(key, 1)
             for i, (key, ns) in enumerate(BASE.items())}
    return made.results([machine], cases=cases, times=times, created=f"2026-03-{day:02}T00:00:00Z", half_width=0.003, **options)


def parse(command, text):
    """Runs a parser over text and returns what it printed; fails where it does not like the text."""
    done = subprocess.run(command, input=text.encode(), capture_output=True)
    assert done.returncode == 0, (command, done.stderr.decode(), text)
    return done.stdout.decode()


class Tables(HTMLParser):
    """The cells of the tables in HTML."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.cell, self.tags = [], None, set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.cell.strip())
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


class FormatTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_gate("plain", MACHINE)
        cls.make_gate("evil", Machine(EVIL))
        a40 = Machine("NVIDIA A40", kind="gpu", compute=20000, bandwidth=600, efficiency=0.6,
                      sheet=Sheet("nvidia-a40", "2020-10", 37400, 696, 300))
        h100 = Machine("NVIDIA H100", kind="gpu", compute=50000, bandwidth=3000, efficiency=0.45,
                       sheet=Sheet("nvidia-h100", "2022-03", 66900, 3350, 700))
        cls.write("a40.json", made.results([a40]))
        cls.write("h100.json", made.unmeasured(made.results([h100]), MISSING, "skipped", "weights need 9 GiB, there are 8"))
        evil = made.results([Machine(EVIL, kind="gpu")])
        cls.write('ev"i,l|.json', evil)

    @classmethod
    def make_gate(cls, name, machine):
        """A history and new results with every verdict."""
        (cls.folder / name).mkdir()
        for day in range(1, 9):
            cls.write(f"{name}/{day}.json", run(day, machine=machine))
        added = made.gemm("lm_head", 1, 32000, 4096)
        new = run(20, {REGRESSED: 1.2, IMPROVED: 0.8}, machine=machine, cases=made.CASES + [added],
                  flags={UNSTABLE: ["unstable"], THROTTLED: ["throttled"]})
        new = made.unmeasured(made.without(new, MISSING), UNVERIFIED, "failed", f"output 7 is wrong{EVIL if name == 'evil' else ''}")
        other = Machine("Other CPU", device="cpu1", driver="2.0")
        elsewhere = run(20, machine=other, cases=made.CASES[:1])
        new["devices"] += elsewhere["devices"]
        new["results"] += elsewhere["results"]
        before = run(8, machine=Machine("Other CPU", device="cpu1", driver="1.0"), cases=made.CASES[:1])
        cls.write(f"{name}/other.json", before)
        cls.write(f"{name}.json", new)

    def check(self, name, form, code=1):
        return self.benchmark("check", "--baseline", name, f"{name}.json", "--format", form, code=code).out

    def gate(self, name="plain"):
        return json.loads(self.check(name, "json"))

    def rows(self, name="plain"):
        rows = self.gate(name)["rows"]
        self.assertEqual({row["verdict"] for row in rows},
                         {"regressed", "unverified", "missing", "incomparable", "throttled", "inconclusive", "improved", "added"})
        return rows


class Expected(FormatTest):
    """What a reader gets, word by word."""

    def test_gate(self):
        for form in ("text", "json", "markdown", "csv", "junit", "github", "github-action-benchmark", "bencher", "openmetrics"):
            with self.subTest(form):
                self.expect(f"check.{form}", self.check("plain", form))

    def test_comparison(self):
        for form in "text", "json", "markdown", "csv":
            with self.subTest(form):
                words = ("compare", "a40.json", "h100.json", "--price", "a40=5000", "--format", form)
                self.expect(f"compare.{form}", self.benchmark(*words).out)

    def test_formats_without_a_comparison_are_refused(self):
        for form in "junit", "github", "bencher", "openmetrics", "github-action-benchmark":
            self.refused("compare", "a40.json", "h100.json", "--format", form, says=("text, json, markdown, csv",))
        self.refused("models", "--format", "csv", says="text or json")


class Json(FormatTest):
    def test_jq_reads_it(self):
        for name in "plain", "evil":
            self.assertEqual(parse(["jq", "-r", ".counts.regressed"], self.check(name, "json")), "1\n")
        out = self.benchmark("compare", "a40.json", "h100.json", 'ev"i,l|.json', "--format", "json").out
        self.assertEqual(parse(["jq", ".lines[0].rows | length"], out), "6\n")
        # control characters are '?' since they were read
        self.assertEqual(json.loads(out)["lines"][0]["columns"][2]["name"], re.sub(r"[\x00-\x1f]", "?", EVIL))


class Csv(FormatTest):
    def test_gate(self):
        for name in "plain", "evil":
            records = list(csv.DictReader(io.StringIO(self.check(name, "csv"), newline=""), strict=True))
            rows = self.rows(name)
            self.assertEqual([r["key"] for r in records], [r["key"] for r in rows])
            for record, row in zip(records, rows):
                self.assertEqual(record["verdict"], row["verdict"])
                self.assertEqual(record["device_name"], row["device_name"])
                self.assertEqual(record["why"], row["why"] or "")
                self.assertEqual(record["time_ratio"] and float(record["time_ratio"]), row["time_ratio"] or "")
                self.assertNotIn(None, record)

    def test_comparison(self):
        words = ("compare", "a40.json", "h100.json", 'ev"i,l|.json')
        records = list(csv.DictReader(io.StringIO(self.benchmark(*words, "--format", "csv").out, newline=""), strict=True))
        line = json.loads(self.benchmark(*words, "--format", "json").out)["lines"][0]
        cells = {(r["column"], r["name"]): r for r in records if r["kind"] == "row"}
        self.assertEqual(len(cells), 18)
        for row in line["rows"]:
            for cell in row["columns"]:
                record = cells["ABC"[cell["column"]], row["key"]]
                ratio = cell["against_first"]
                self.assertEqual(record["speedup"] and float(record["speedup"]), ratio["speedup"]["value"] if ratio else "")
                self.assertEqual(record["why"], cell["why"] or "")
        self.assertEqual({r["file"] for r in records}, {"a40.json", "h100.json", 'ev"i,l|.json'})
        self.assertEqual(sum(r["kind"] == "model" for r in records), 6)


class Markdown(FormatTest):
    def html(self, text):
        return Tables(parse(["cmark-gfm", "--unsafe", "-e", "table", "-e", "strikethrough", "-e", "autolink"], text))

    def test_gate(self):
        for name in "plain", "evil":
            found = self.html(self.check(name, "markdown"))
            body = [row for row in found.rows if row[0] != "verdict"]
            rows = self.rows(name)
            self.assertEqual([row[0] for row in body], [row["verdict"] for row in rows])
            for cells, row in zip(body, rows):
                self.assertEqual(len(cells), 6)
                self.assertIn(row["key"], cells[1])
                self.assertEqual(" ".join(cells[5].split()), " ".join((row["why"] or "").split()))
            self.assertFalse(found.tags & {"v", "em", "strong", "code", "a", "b", "del"}, found.tags)

    def test_comparison(self):
        words = ("compare", "a40.json", "h100.json", 'ev"i,l|.json', "--format", "markdown")
        found = self.html(self.benchmark(*words).out)
        self.assertIn('ev"i,l|.json', [cell for row in found.rows for cell in row])
        self.assertFalse(found.tags & {"v", "em", "strong", "code", "a", "b", "del"}, found.tags)
        widths = {len(row) for row in found.rows}
        self.assertEqual(widths, {5, 6, 11} - ({6} if 6 not in widths else set()) | {5})
        ratios = [row for row in found.rows if len(row) == 11 and row[0] == "B" and row[1] in KEYS]
        self.assertEqual(len(ratios), 6)


class JUnit(FormatTest):
    def xpath(self, path, text):
        return parse(["xmllint", "--noout", "--xpath", path, "-"], text).strip()

    def test_counts_and_cases(self):
        for name in "plain", "evil":
            text = self.check(name, "junit")
            counts = self.gate(name)["counts"]
            for attribute, number in (("failures", counts["regressed"]), ("skipped", counts["throttled"] + counts["inconclusive"]),
                                      ("errors", counts["unverified"] + counts["missing"] + counts["incomparable"]),
                                      ("tests", sum(counts.values()))):
                self.assertEqual(self.xpath(f"string(//testsuite/@{attribute})", text), str(number))
            for element, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
                self.assertEqual(self.xpath(f"count(//{element})", text), self.xpath(f"string(//testsuite/@{attribute})", text))
            self.assertEqual(self.xpath("string(//testcase[failure]/@name)", text), REGRESSED)
            self.assertEqual(self.xpath("count(//testcase)", text), str(sum(counts.values())))
            why = next(row["why"] for row in self.rows(name) if row["verdict"] == "unverified")
            self.assertEqual(self.xpath("string(//error[@type='unverified']/@message)", text), why)

    def test_a_ceiling_has_no_time(self):
        """Runs differ in how much work a ceiling is: it is compared by its rate, and a time of it says nothing."""
        key, documents = "stream/-/-/read/-/-", [run(day) for day in (1, 2)]
        for name, document in zip(("ceiling-old.json", "ceiling.json"), documents):
            row = next(row for row in document["results"] if row["key"] == KEYS[3])
            row["key"], row["utilization"] = key, None
            row["case"] |= {"workload": "stream", "op": "read", **dict.fromkeys(("model", "phase", "dtype", "m", "n", "k"))}
            document["devices"][0]["summary"] = []
            self.write(name, document)
        words = ("check", "--baseline", "ceiling-old.json", "ceiling.json", "--format")
        text = self.benchmark(*words, "junit").out
        self.assertEqual(self.xpath(f"count(//testcase[@name='{key}'][not(@time)])", text), "1")
        self.assertEqual(self.xpath("count(//testcase[@time])", text), str(len(KEYS) - 1))
        for row in csv.DictReader(io.StringIO(self.benchmark(*words, "csv").out)):
            self.assertEqual((row["old_ns"] == "", row["new_ns"] == ""), (row["key"] == key,) * 2)
            self.assertGreater(float(row["time_ratio"]), 0)
        metrics = self.benchmark(*words, "openmetrics").out
        self.assertNotRegex(metrics, f'benchmark_time_seconds{{key="{key}"')
        self.assertRegex(metrics, f'benchmark_time_ratio{{key="{key}"')
        self.assertNotIn(key, self.benchmark(*words, "bencher").out)

    def test_characters_that_xml_cannot_hold(self):
        document = run(20)
        document["results"][0]["reason"] = "x\ufffe\uffff\x7f\u0085y"
        document["results"][0]["status"] = "failed"
        self.write("odd.json", document)
        text = self.benchmark("check", "--baseline", "plain", "odd.json", "--format", "junit", code=4).out
        self.assertIn("x\ufffd\ufffd", self.xpath("string(//error/@message)", text))


class GitHub(FormatTest):
    COMMAND = re.compile(r"::(error|warning|notice) title=([^,:\n]*)::([^\n]*)\Z")

    def annotations(self, text):
        """As the runner reads them (actions/runner, ActionCommand.TryParseV2): one a line, then unescaped."""
        found = []
        for line in text.splitlines():
            match = self.COMMAND.match(line)
            self.assertTrue(match, line)
            kind, title, message = match.groups()
            for code, char in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
                title, message = title.replace(code, char), message.replace(code, char)
            found.append((kind, title, message))
        return found

    def test_annotations(self):
        for name in "plain", "evil":
            text = self.check(name, "github")
            found = self.annotations(text)
            self.assertEqual(len(text.splitlines()), len(found))
            errors = [(title, message) for kind, title, message in found if kind == "error"]
            self.assertEqual(len(errors), 4)
            self.assertEqual(errors[0][0], f"regressed: {REGRESSED} (cpu0, opencl/pocl)")
            self.assertIn("time +20", errors[0][1])
            self.assertIn("(95 %: +", errors[0][1])
            self.assertEqual([kind for kind, _, _ in found].count("warning"), 2)

    def test_at_most_nine_and_how_many_more(self):
        cases = made.many(30)
        machine = Machine()
        self.write("many-old.json", made.results([machine], cases=cases))
        times = {case["key"]: 2 * made.ideal_ns(machine, case) / machine.efficiency for case in cases[:12]}
        self.write("many-new.json", made.results([machine], cases=cases, times=times, created="2026-03-02T00:00:00Z"))
        text = self.benchmark("check", "--baseline", "many-old.json", "many-new.json", "--format", "github", code=1).out
        found = self.annotations(text)
        errors = [(title, message) for kind, title, message in found if kind == "error"]
        self.assertEqual(len(errors), 10)
        self.assertEqual(errors[-1], ("benchmark", "3 more"))
        warnings = [message for kind, _, message in found if kind == "warning"]
        self.assertEqual((len(warnings), warnings[-1]), (10, "9 more"))


class Metrics(FormatTest):
    def test_github_action_benchmark(self):
        for name in "plain", "evil":
            text = self.check(name, "github-action-benchmark")
            measured = [row for row in self.rows(name) if row["new_ns"]]
            self.assertEqual(parse(["jq", "length"], text), f"{len(measured)}\n")
            self.assertEqual(parse(["jq", '[.[] | select((.name | type) == "string" and (.unit | type) == "string" and '
                                    '(.value | type) == "number")] | length'], text), f"{len(measured)}\n")
            self.assertEqual([e["value"] for e in json.loads(text)], [row["new_ns"] for row in measured])

    def test_bencher(self):
        for name in "plain", "evil":
            text = self.check(name, "bencher")
            measured = [row for row in self.rows(name) if row["new_ns"]]
            self.assertEqual(parse(["jq", "length"], text), f"{len(measured)}\n")
            good = parse(["jq", "[.[].latency | select(.value | type == \"number\")] | length"], text)
            self.assertEqual(good, f"{len(measured)}\n")
            for metric in json.loads(text).values():
                latency = metric["latency"]
                if "lower_value" in latency:
                    self.assertTrue(latency["lower_value"] <= latency["value"] <= latency["upper_value"])

    def test_openmetrics(self):
        for name in "plain", "evil":
            families = {family.name: family for family in
                        openmetrics.text_string_to_metric_families(self.check(name, "openmetrics"))}
            rows = self.rows(name)
            judged = {row["key"]: row["time_ratio"] for row in rows if row["time_ratio"]}
            samples = families["benchmark_time_ratio"].samples
            self.assertEqual({s.labels["key"]: s.value for s in samples}, judged)
            self.assertEqual(families["benchmark_time_seconds"].unit, "seconds")
            self.assertTrue(all(s.labels["device_name"] in (row["device_name"] for row in rows) for s in samples))
            counts = {s.labels["verdict"]: s.value for s in families["benchmark_rows"].samples}
            self.assertEqual(counts, self.gate(name)["counts"])


if __name__ == "__main__":
    main()
