"""Reports of a run for other programs: one with retries, failures, skipped nodes and hostile texts."""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from peer import WEFT, Coordinator
from test_coordinator import CoordinatorTest, plan

HOSTILE = "\"</script>\\\t\n\u202e\u2028\u001b[31m"


class ReportTest(CoordinatorTest):
    @classmethod
    def setUpClass(cls):
        # A run that has ended is on disk only as soon as another one has.
        cls.coordinator = Coordinator(finished_runs=1)
        cls.addClassCleanup(cls.coordinator.stop)

    def weft(self, *arguments, status=0):
        done = subprocess.run(
            [WEFT, *arguments, "--coordinator", self.coordinator.address, "--state",
             self.coordinator.folder.name], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def mixed(self):
        """A run of which a succeeds the second time, b and e succeed, c fails, d is skipped."""
        peer = self.client()
        worker = self.coordinator.worker([{"name": "t", "idempotent": True, "max_attempts": 2}],
                                         slots=2, name=f"w-{HOSTILE.count('s')}")
        run = self.submit(peer, plan(("a", "t", {}), ("b", "t", {}), ("c", "t", {}, ["a"]),
                                     ("d", "t", {"x": "${c}"}), ("e", "t", {"x": "${b}"})),
                          watch="end")
        times = {}
        for _ in range(5):
            dispatch = worker.skip_to("dispatch")
            node = dispatch["node"]
            times[node] = times.get(node, 0) + 1
            if node == "c" or (node, times[node]) == ("a", 1):
                end = {"ok": False, "error": {"code": "tool_error", "message": HOSTILE,
                                              "retryable": node == "a", "exit_code": 7}}
            else:
                end = {"ok": True, "output": HOSTILE}
            worker.send(type="result", attempt=dispatch["attempt"], **end)
        self.assertEqual(self.end(peer, run)[-1]["kind"], "run_failed")
        return run, worker.name

    def check(self, run, worker):
        trace = json.loads(self.weft("report", run, "--format", "timeline"))
        self.assertEqual(trace["otherData"]["run"], run)
        slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
        self.assertEqual(
            sorted((one["args"]["node"], one["args"]["outcome"]) for one in slices),
            [("a", "retried"), ("a", "succeeded"), ("b", "succeeded"), ("c", "failed"),
             ("e", "succeeded")])
        self.assertIn(HOSTILE, [one["args"].get("error", "")[-len(HOSTILE):] for one in slices])
        lanes = {}
        for one in slices:
            lanes.setdefault((one["pid"], one["tid"]), []).append((one["ts"], one["dur"]))
        for bars in lanes.values():
            bars.sort()
            for (start, length), (following, _) in zip(bars, bars[1:]):
                self.assertLessEqual(start + length, following)

        lines = self.weft("report", run, "--format", "joblog").split("\n")
        self.assertEqual(lines.pop(), "")
        rows = [line.split("\t") for line in lines]
        self.assertEqual(rows[0], ["Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive",
                                   "Exitval", "Signal", "Command"])
        self.assertEqual([(row[0], row[1], row[6], row[8]) for row in rows[1:]], [
            ("1", worker, "0", "t a"), ("2", worker, "0", "t b"), ("3", worker, "7", "t c"),
            ("4", "-", "-1", "t d"), ("5", worker, "0", "t e")])

        dot = self.weft("report", run, "--format", "dot")
        for edge in ('"a" -> "c"', '"c" -> "d"', '"b" -> "e"'):
            self.assertIn(edge, dot)
        self.assertIn('"a" [label="a\\nt\\nsucceeded, 2 attempts"', dot)
        self.assertIn("n2 --> n3\n", self.weft("report", run, "--format", "mermaid"))

        page = self.weft("report", run)
        self.assertTrue(page.startswith("<!doctype html>"))
        element = '<script type="application/json" id="weft-data">'
        self.assertEqual(page.count(element), 1)
        data = json.loads(page.split(element)[1].split("</script>")[0])
        self.assertEqual([(node["id"], [one["outcome"] for one in node["attempts"]],
                           node["dependencies"]) for node in data["nodes"]], [
            ("a", ["retried", "succeeded"], []), ("b", ["succeeded"], []),
            ("c", ["failed"], [0]), ("d", [], [2]), ("e", ["succeeded"], [1])])
        self.assertEqual(data["nodes"][2]["error"]["message"], HOSTILE)
        self.assertIn(HOSTILE, data["answer"])

        analysis = json.loads(self.weft("analyse", run, "--json"))
        self.assertAlmostEqual(sum(analysis["parts"].values()), analysis["wall_ms"], delta=0.01)
        self.assertLessEqual({step["node"] for step in analysis["critical_path"]}, set("abce"))
        self.assertEqual(analysis["levels"], 2)
        shown = self.weft("analyse", run)
        self.assertIn("Critical path: ", shown)
        self.assertIn("2 levels; ", shown)

    def test_reports_of_a_run_in_memory_and_on_disk(self):
        run, worker = self.mixed()
        self.check(run, worker)
        self.mixed()
        self.check(run, worker)

    def test_every_attempt_of_many_nodes(self):
        """In memory and on disk; of so many nodes all records are read at once."""
        peer, count = self.client(), 60
        worker = self.coordinator.worker([{"name": "u", "idempotent": True, "max_attempts": 2}],
                                         slots=count)
        run = self.submit(peer, plan(*((f"n{place}", "u", {}) for place in range(count))),
                          watch="end")
        for place in range(2 * count):
            attempt = worker.skip_to("dispatch")["attempt"]
            if place < count:
                error = {"code": "tool_error", "message": "again", "retryable": True}
                worker.send(type="result", attempt=attempt, ok=False, error=error)
            else:
                worker.send(type="result", attempt=attempt, ok=True, output=None)
        self.end(peer, run)
        for _ in range(2):
            trace = json.loads(self.weft("report", run, "--format", "timeline"))
            slices = [(one["args"]["node"], one["args"]["attempt"], one["args"]["outcome"])
                      for one in trace["traceEvents"] if one["ph"] == "X"]
            self.assertEqual(sorted(slices), sorted(
                (f"n{place}", number, outcome) for place in range(count)
                for number, outcome in ((1, "retried"), (2, "succeeded"))))
            self.mixed()
        story = self.get(peer, "story", id=run)
        self.assertNotIn("node", story)
        self.assertEqual({record["node"] for record in story["records"]}, set(range(count)))

    def test_many_runs_together(self):
        run, _ = self.mixed()
        other, _ = self.mixed()
        document = json.loads(self.weft("analyse", "--since", "1h", "--json"))
        self.assertLessEqual({run, other}, {one["run"] for one in document["slowest"]})
        walls = [one["wall_ms"] for one in document["slowest"]]
        self.assertEqual(walls, sorted(walls, reverse=True))
        self.assertAlmostEqual(sum(document["parts"].values()), sum(walls), delta=0.1)
        self.assertIn("t", {tool["tool"] for tool in document["tools"]})
        shown = self.weft("analyse", "--since", "1h")
        self.assertRegex(shown, r"^\d+ runs: .*\d+ failed; \d+ nodes\n")
        self.assertEqual(self.weft("analyse", "--label", "none such"), "No such runs are kept.\n")
        for mistake in ((), (run, "--since", "1h"), ("--since", "soon"), (run, "--label", "x")):
            self.weft("analyse", *mistake, status=2)

    def test_into_a_file(self):
        run, _ = self.mixed()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "run.json")
            file.write_text("x" * 100_000)
            self.assertEqual(
                self.weft("report", run, "--format", "timeline", "--out", str(file)), "")
            self.assertEqual(len(json.loads(file.read_text())["otherData"]["run"]), len(run))
        self.weft("report", run, "--format", "dot", "--out", f"{folder}/gone/file", status=1)
        self.weft("report", "zzzzzz", "--format", "dot", status=2)
        self.weft("report", run, "--format", "paint", status=2)


if __name__ == "__main__":
    unittest.main()
