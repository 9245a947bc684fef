"""The suite of goals itself: its tools, its answers, and how an answer is judged. The models that
reach the goals are not here: see Deploy/goals."""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request

GOALS = pathlib.Path(__file__).resolve().parent.parent / "Benchmarks" / "goals"
sys.path.insert(0, str(GOALS))

import suite  # noqa: E402
import world  # noqa: E402
from counting import counted  # noqa: E402

WEFT = os.environ.get("WEFT", "weft")


class WorldTests(unittest.TestCase):
    def test_tools_give_their_outputs(self):
        for call, output in [
            (("capital", "peru"), "Lima"), (("calculate", "(59 * 1000000) / 301340"), "195.792"),
            (("calculate", "2 ** 10 - -1"), "1025"), (("convert", "12", "km", "m"), "12000"),
            (("convert", "90", "min", "h"), "1.5"), (("weekday", "2024-02-29"), "Thursday"),
            (("days_between", "2024-01-01", "2024-03-01"), "60"),
            (("find_files", "*.py"), "count.py\nhello.py"), (("count_lines", "garden.md"), "3"),
            (("query_sales", "select sum(amount) from sales"), "645"),
        ]:
            self.assertEqual(world.TOOLS[call[0]](*call[1:]), output, call)

    def test_wrong_arguments_fail_with_a_sentence(self):
        for call in [
            ("capital", "Atlantis"), ("calculate", "__import__('os')"),
            ("read_file", "../suite.py"),
            ("convert", "1", "km", "kg"), ("query_sales", "drop table sales"), ("weekday", "today"),
        ]:
            with self.assertRaises(world.Wrong, msg=call):
                world.TOOLS[call[0]](*call[1:])

    def test_every_tool_of_the_manifest_runs(self):
        tasks = [{"id": "a", "tool_name": "population", "args": {"country": "France"}},
                 {"id": "b", "tool_name": "calculate", "args": {"expression": "${a} * -2"}}]
        run = subprocess.run(
            [WEFT, "run", "--plan", "-", "--tools", "tools.yaml", "--json"],
            input=json.dumps({"tasks": tasks}), cwd=GOALS, capture_output=True, text=True,
            timeout=60, check=False,
        )
        nodes = json.loads(run.stdout)["nodes"]
        self.assertEqual([nodes[each]["output"] for each in "ab"], ["68", "-136"])
        manifest = (GOALS / "tools.yaml").read_text(encoding="utf-8")
        for name in world.TOOLS:
            self.assertIn(f"world.py, {name},", manifest)


class JudgeTests(unittest.TestCase):
    def judge(self, answer, text, status="succeeded", **fields):
        goal = {"goal": "g", "kind": "k", "calls": 1, "answer": answer, **fields}
        return suite.judge(goal, text, [], status == "succeeded")["right"]

    def test_a_number_stands_alone(self):
        self.assertTrue(self.judge("16", "It is **16** million."))
        self.assertTrue(self.judge("1285216", "1,285,216 km²"))
        self.assertFalse(self.judge("16", "It is 116."))
        self.assertTrue(self.judge("16", "16.0."))
        self.assertFalse(self.judge("16", "It is 16.5."))

    def test_all_parts_are_needed(self):
        self.assertTrue(self.judge(["oslo", "lisbon"], "Oslo and Lisbon"))
        self.assertFalse(self.judge(["oslo", "lisbon"], "Oslo"))

    def test_capitals_count_where_the_answer_has_them(self):
        self.assertTrue(self.judge("MADRID", "It is MADRID."))
        self.assertFalse(self.judge("MADRID", "It is Madrid."))

    def test_a_failed_run_is_right_only_where_no_tool_can_help(self):
        self.assertFalse(self.judge("16", "16", status="failed"))
        self.assertTrue(self.judge("no", "", status="failed", may_fail=True))

    def test_outputs_are_judged_by_themselves(self):
        goal = {"calls": 2, "answer": "paris", "outputs": ["18", "15"]}
        self.assertTrue(suite.judge(goal, "Berlin", ["18", "15"], True)["outputs"])
        self.assertFalse(suite.judge(goal, "Paris", ["18"], True)["outputs"])

    def test_a_recording_gives_what_the_models_wrote(self):
        with tempfile.TemporaryDirectory() as folder:
            recording = pathlib.Path(folder) / "recording"
            recording.write_text(
                '{"weft_recording":1}\n{"call":"planner"}\n{"at_ms":1,"delta":"1. a"}\n'
                '{"at_ms":2,"delta":"()"}\n{"at_ms":3,"ended":"end"}\n{"call":"joiner"}\n',
                encoding="utf-8",
            )
            self.assertEqual(suite.written(recording), ["planner: 1. a()", "joiner: "])
            self.assertFalse(recording.exists())

    def test_tokens_of_peers_are_counted(self):
        class Model(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                text = b'{"usage":{"prompt_tokens":7,"completion_tokens":2}}'
                self.send_response(200)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_arguments):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Model) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            with counted(f"http://127.0.0.1:{server.server_port}/v1") as (url, counter):
                for _ in range(3):
                    request = urllib.request.Request(url + "/chat/completions", b"{}")
                    with urllib.request.urlopen(request, timeout=10) as reply:
                        self.assertIn(b"usage", reply.read())
                self.assertEqual(counter.take(), (21, 6))
                self.assertEqual(counter.take(), (0, 0))
            server.shutdown()

    def test_every_goal_says_what_it_needs(self):
        goals = json.loads((GOALS / "goals.json").read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(goals), 40)
        self.assertGreaterEqual(len(world.TOOLS), 12)
        for goal in goals:
            self.assertLessEqual({"kind", "calls", "goal", "answer"}, set(goal), goal)


if __name__ == "__main__":
    unittest.main()
