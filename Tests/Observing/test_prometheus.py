"""Metrics as others read them: promtool, a real Prometheus, and Prometheus' library for Python."""

import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Conformance"))

from peer import WEFT, Coordinator, Process  # noqa: E402
from test_coordinator import plan  # noqa: E402
from test_metrics import OPEN_METRICS, fetch  # noqa: E402

try:
    from prometheus_client.openmetrics.parser import (
        text_string_to_metric_families as parse_open_metrics)
    from prometheus_client.parser import text_string_to_metric_families as parse_text
except ImportError:
    parse_text = None


class ClusterTest(unittest.TestCase):
    """A coordinator and a worker that have run something, with the addresses of their metrics."""

    @classmethod
    def setUpClass(cls):
        cls.coordinator = Coordinator("--metrics", "127.0.0.1:0")
        cls.addClassCleanup(cls.coordinator.stop)
        worker = Process([WEFT, "worker", "--coordinator", cls.coordinator.address, "--state",
                          cls.coordinator.folder.name, "--diagnostics", "--metrics",
                          "127.0.0.1:0", "--name", "m"])
        cls.addClassCleanup(worker.stop)
        cls.addresses = [process.wait_for(r"metrics at http://(\S+)/metrics")[1]
                         for process in (cls.coordinator.process, worker)]
        worker.wait_for("registered")
        peer = cls.coordinator.greet("client")
        peer.send(type="submit", key="k", watch="end",
                  plan=plan(("a", "echo", {"text": "x"}), ("b", "fail", {}), ("c", "noop", {})))
        peer.skip_to("event", kind="run_failed")


class PromtoolTest(ClusterTest):
    @unittest.skipUnless(shutil.which("promtool"), "promtool (Debian: prometheus) is not there")
    def test_check_metrics(self):
        for address in self.addresses:
            done = subprocess.run(["promtool", "check", "metrics"], input=fetch(address)[1],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", ""))

    @unittest.skipUnless(parse_text, "prometheus_client is not there")
    def test_parsers(self):
        for address in self.addresses:
            plain = {(s.name, *sorted(s.labels.items())) for family in parse_text(fetch(address)[1])
                     for s in family.samples}
            families = list(parse_open_metrics(fetch(address, accept=OPEN_METRICS)[1]))
            strict = {(s.name, *sorted(s.labels.items())) for family in families
                      for s in family.samples}
            self.assertGreater(len(families), 12)
            self.assertEqual(plain, strict)


class PrometheusTest(ClusterTest):
    @unittest.skipUnless(shutil.which("prometheus"), "prometheus is not there")
    def test_scrape(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        config = pathlib.Path(folder.name, "prometheus.yml")
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "weft",
                                "static_configs": [{"targets": self.addresses}]}]}))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.at = f"127.0.0.1:{free.getsockname()[1]}"
        prometheus = Process(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder.name}/data",
             f"--web.listen-address={self.at}"])
        self.addCleanup(prometheus.stop)
        self.until('count(up{job="weft"} == 1)', 2)
        self.until('sum(weft_runs_total{outcome="failed"})', 1)
        self.until('sum(weft_nodes_total{tool="echo",outcome="succeeded"})', 1)
        self.until('sum(weft_attempts_total{outcome="succeeded"})', 2)
        self.until('count(weft_tool_duration_seconds_bucket{tool="noop",le="+Inf"})', 1)
        # Each question of the dashboard is one that Prometheus understands.
        dashboard = json.loads((ROOT / "Deploy/grafana.json").read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                question = target["expr"].replace("$__rate_interval", "30s").replace(
                    "$job", ".*")
                self.assertEqual(self.ask(question)["status"], "success", question)

    def ask(self, question):
        query = urllib.parse.urlencode({"query": question})
        with urllib.request.urlopen(f"http://{self.at}/api/v1/query?{query}", timeout=10) as reply:
            return json.load(reply)

    def until(self, question, value):
        deadline, seen = time.monotonic() + 40, None
        while time.monotonic() < deadline:
            try:
                seen = self.ask(question)["data"]["result"]
                if seen and float(seen[0]["value"][1]) == value:
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.3)
        self.fail(f"{question} is {seen}, not {value}")


if __name__ == "__main__":
    unittest.main()
