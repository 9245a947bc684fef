"""Metrics of coordinator and worker, their documents, and the log as JSON."""

import http.client
import json
import re
import subprocess
import time
import unittest

from peer import PATIENCE, ROOT, WEFT, Coordinator, Process
from test_coordinator import CoordinatorTest, plan

ARTICLE = (ROOT / "Sources/Weftline/Weftline.docc/Observing.md").read_text()
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+=\"(?:[^\"\\\n]|\\[\\\"n])*\",?)*)\})? "
                    r"(NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}


def documented(*sections):
    """The metrics of the article's tables, by name: kind and labels."""
    found = {}
    for section in sections:
        text = ARTICLE.split(f"### Metrics of {section}\n")[1].split("\n### ")[0]
        for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| ", text, re.M):
            found[name] = (kind, set(re.findall(r"`(\w+)`", labels)))
    return found


def fetch(address, method="GET", path="/metrics", accept="text/plain"):
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    connection.request(method, path, headers={"Accept": accept})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def parse(text, is_open=False):
    """The families of a text, each with its kind and samples, strictly; both formats."""
    families, name, samples = {}, None, {}
    lines = text.split("\n")
    assert lines.pop() == "", "the text does not end with a line"
    if is_open:
        assert lines.pop() == "# EOF"
    for line in lines:
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in families, f"{name} comes twice"
            assert len(line.split(" ", 3)[3]) > 5, line
        elif line.startswith("# TYPE "):
            _, _, of, kind = line.split(" ")
            assert of == name, line
            families[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"this is no sample: {line!r}"
            base = match[1]
            if families[name] == "counter" and not is_open:
                assert base == name and name.endswith("_total"), line
            else:
                assert base[len(name):] in SUFFIXES[families[name]], line
                assert base.startswith(name), line
            labels = match[2] or ""
            assert (base, labels) not in samples, f"{line} comes twice"
            samples[base, labels] = float(match[3])
    return families, samples


def check_histograms(samples):
    """Buckets grow up to the count."""
    last = {}
    for (name, labels), value in samples.items():
        if name.endswith("_bucket"):
            key = (name, re.sub(r',?le="[^"]*"', "", labels))
            assert value >= last.get(key, 0), (name, labels)
            last[key] = value
    for (name, labels), value in last.items():
        assert samples[name.replace("_bucket", "_count"), labels] == value, (name, labels)
    return len(last)


class MetricsTest(CoordinatorTest):
    @classmethod
    def setUpClass(cls):
        cls.coordinator = Coordinator("--metrics", "127.0.0.1:0", "--log-format", "json",
                                      "--verbose")
        cls.addClassCleanup(cls.coordinator.stop)
        cls.address = cls.coordinator.process.wait_for(r"metrics at http://(\S+)/metrics")[1]

    def test_coordinator(self):
        worker = self.coordinator.worker([{"name": "t"}, {"name": 'odd "\\ name'[:3]}], slots=2)
        peer = self.client()
        run = self.submit(peer, plan(("a", "t", {}), ("b", "t", {}, ["a"])), watch="end")
        for is_ok in (True, False):
            dispatch = worker.skip_to("dispatch")
            end = {"ok": True, "output": 1} if is_ok else {
                "ok": False, "error": {"code": "tool_error", "message": "x"}}
            worker.send(type="result", attempt=dispatch["attempt"], duration_us=2_000, **end)
        self.end(peer, run)
        response, text = fetch(self.address)
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["Content-Type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        families, samples = parse(text)
        self.compare(families, samples, documented("a coordinator", "both"))
        self.assertGreater(check_histograms(samples), 3)
        self.assertEqual(samples["weft_nodes_total", 'tool="t",outcome="succeeded"'], 1)
        self.assertEqual(samples["weft_runs_total", 'outcome="failed"'], 1)
        self.assertEqual(samples["weft_tool_duration_seconds_count", 'tool="t"'], 2)
        self.assertEqual(samples["weft_worker_slots", f'worker="{worker.name}",state="idle"'], 2)
        self.assertGreater(samples["weft_journal_records_total", ""], 3)
        self.assertNotIn(run, text)
        response, text = fetch(self.address, accept=f"{OPEN_METRICS};q=0.6,text/plain;q=0.4")
        self.assertIn("openmetrics-text; version=1.0.0", response.headers["Content-Type"])
        open_families, open_samples = parse(text, is_open=True)
        self.assertEqual({name.removesuffix("_total") for name in families}, set(open_families))
        self.assertEqual(set(samples), set(open_samples))
        worker.close()
        deadline = time.monotonic() + PATIENCE
        while worker.name in fetch(self.address)[1]:
            self.assertLess(time.monotonic(), deadline, "a worker that left still has series")
            time.sleep(0.2)

    def compare(self, families, samples, expected):
        """Names, kinds and labels are those of the article."""
        self.assertEqual(families, {name: kind for name, (kind, _) in expected.items()})
        for name, (kind, labels) in expected.items():
            if kind == "histogram":
                labels = labels | {"le"}
                name += "_bucket"
            seen = [set(re.findall(r'(\w+)="', text)) for of, text in samples if of == name]
            for one in seen:
                self.assertEqual(one, labels, name)

    def test_only_metrics(self):
        for method, path, status in [("GET", "/", 404), ("GET", "/metrics/x", 404),
                                     ("POST", "/metrics", 405), ("DELETE", "/metrics", 405),
                                     ("HEAD", "/metrics", 200), ("GET", "/metrics?x=1", 200)]:
            response, body = fetch(self.address, method, path)
            self.assertEqual(response.status, status, (method, path))
            self.assertEqual(bool(body), method != "HEAD")

    def test_worker(self):
        worker = Process([WEFT, "worker", "--coordinator", self.coordinator.address, "--state",
                          self.coordinator.folder.name, "--diagnostics", "--slots", "3",
                          "--metrics", "127.0.0.1:0", "--log-format", "json", "--name", "m"])
        self.addCleanup(worker.stop)
        address = worker.wait_for(r"metrics at http://(\S+)/metrics")[1]
        worker.wait_for("registered")
        peer = self.client()
        run = self.submit(peer, plan(("a", "echo", {"text": "hello"}), ("b", "fail", {}),
                                     ("c", "noop", {})), watch="end")
        self.end(peer, run)
        families, samples = parse(fetch(address)[1])
        self.compare(families, samples, documented("a worker", "both"))
        check_histograms(samples)
        self.assertEqual(samples["weft_attempts_total", 'tool="echo",outcome="succeeded"'], 1)
        self.assertEqual(samples["weft_attempts_total", 'tool="fail",outcome="failed"'], 1)
        self.assertEqual(samples["weft_slots", ""], 3)
        self.assertEqual(samples["weft_connected", ""], 1)
        self.assertEqual(samples["weft_registrations_total", ""], 1)
        self.assertGreater(samples["weft_argument_bytes_total", ""], 10)
        parse(fetch(address, accept=OPEN_METRICS)[1], is_open=True)
        worker.terminate()
        self.assertEqual(worker.exit_code(), 0)
        self.check_log(worker, {"registered", "draining"})

    def check_log(self, process, messages):
        lines = [json.loads(line) for line in process.log]
        for line in lines:
            self.assertRegex(line["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertTrue(line["level"] and line["component"], line)
            for value in line.values():
                self.assertIsInstance(value, str)
        self.assertLessEqual(messages, {line["message"] for line in lines})
        return lines

    def test_log(self):
        hostile = 'w"\\\u202e'
        peer = self.client()
        peer.send(type="submit", key="k\n\"", label=hostile, plan=plan(("a", "none", {})))
        run = peer.skip_to("accepted")["run"]
        peer.send(type="cancel_run", run=run, reason='"\n{')
        self.coordinator.process.wait_for(f'"run":"{run}","status":"cancelled"')
        lines = self.check_log(self.coordinator.process, {"run accepted", "run ended"})
        ended = [line for line in lines if line["message"] == "run ended" and line["run"] == run]
        self.assertEqual(len(ended), 1)

    def test_refused_addresses(self):
        for address in ("127.0.0.1", "x:y", "198.51.100.1:9"):
            done = subprocess.run(
                [WEFT, "coordinator", "--ephemeral", "--listen", "127.0.0.1:0", "--metrics",
                 address], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--metrics", done.stderr)


class DashboardTest(unittest.TestCase):
    def test_names(self):
        """The dashboard asks for metrics that there are, by labels that they have."""
        dashboard = json.loads((ROOT / "Deploy/grafana.json").read_text())
        known = documented("a coordinator", "a worker", "both")
        inputs = {one["name"] for one in dashboard["__inputs"]}
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}),
                         len(dashboard["panels"]))
        for panel in dashboard["panels"]:
            self.assertIn(panel["datasource"]["uid"].strip("${}"), inputs)
            self.assertTrue(panel["title"] and panel["targets"])
            for target in panel["targets"]:
                names = re.findall(r"\b(?:weft|process)_\w+", target["expr"])
                self.assertTrue(names, target)
                labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                for name in names:
                    name = re.sub("_bucket$", "", name)
                    self.assertIn(name, known)
                    self.assertLessEqual(labels - {"instance"}, known[name][1], target)


if __name__ == "__main__":
    unittest.main()
