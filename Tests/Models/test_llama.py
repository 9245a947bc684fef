"""Goals planned and joined by a real llama.cpp server, through the real program.

Run by Deploy/check --models, which installs what it needs into a folder of its own. WEFT names the
program.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
WEFT = os.environ.get("WEFT", "weft")

TOOLS = """
tools:
  - name: shout
    description: Says a word loudly.
    parameters:
      type: object
      properties: {word: {type: string}}
      required: [word]
      additionalProperties: false
    command: [printf, "%s!", "{word}"]
    idempotent: true
"""


class Llama(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        server = subprocess.Popen(
            [sys.executable, f"{HERE}/tiny_llama.py", f"{cls.folder}/tiny.gguf"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.kill)
        cls.addClassCleanup(server.stdout.close)
        cls.url = server.stdout.readline().split()[1]
        cls.write("tools.yaml", TOOLS)

    @classmethod
    def write(cls, name, text):
        with open(f"{cls.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        return f"{cls.folder}/{name}"

    def weft(self, *arguments, api="openai", fields=""):
        path = "/v1" if api == "openai" else ""
        config = self.write(
            "weft.yaml",
            f"models:\n  planner: {{api: {api}, model: tiny, base_url: '{self.url}{path}'{fields}}}\n",
        )
        environment = {k: v for k, v in os.environ.items() if not k.startswith("WEFT")}
        return subprocess.run(
            [WEFT, *arguments, "--config", config],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def goal(self, *arguments, goal="Shout something.", **more):
        tools = ["--tools", f"{self.folder}/tools.yaml", "--workers", "1"]
        return self.weft("run", goal, "--json", *tools, *arguments, **more)

    def test_both_interfaces_are_found_to_work(self):
        check = self.weft("models", "check", "--json")
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        found = json.loads(check.stdout)["models"][0]
        self.assertEqual((found["form"], found["fits_schema"]), ("schema", True))
        self.assertTrue(found["streaming"])
        self.assertGreater(found["usage"]["input"], 100)
        self.assertTrue(found["keeps_to_grammar"])
        check = self.weft("models", "check", "--json", api="anthropic", fields=", max_tokens: 50")
        found = json.loads(check.stdout)["models"][0]
        self.assertTrue(found["streaming"], check.stdout)

    def test_a_goal_is_planned_by_schema_run_and_joined(self):
        run = self.goal()
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        document = json.loads(run.stdout)
        self.assertGreater(len(document["nodes"]), 0)
        for node in document["nodes"].values():
            self.assertEqual(node["status"], "succeeded")
            self.assertTrue(node["output"].endswith("!"))
        self.assertTrue(document["answer"].isalnum(), document["answer"])

    def test_a_plan_cut_at_its_limit_is_a_plan_that_was_cut(self):
        # Here llama.cpp reports an error of its own, HTTP 500, instead of the reason "length".
        run = self.goal("--repairs", "1", fields=", max_tokens: 12")
        error = json.loads(run.stdout)["error"]
        self.assertEqual((run.returncode, error["code"]), (1, "bad_plan"), error)
        self.assertIn("ends", error["message"])

    def test_a_goal_beyond_the_context_is_told_as_such(self):
        run = self.goal(goal="very long " * 900)
        error = json.loads(run.stdout)["error"]
        self.assertEqual((run.returncode, error["code"]), (1, "model_too_long"), error)

    def test_nonsense_without_a_schema_ends_in_a_sentence(self):
        for api in ("openai", "anthropic"):
            run = self.goal("--plan-format", "text", api=api, fields=", max_tokens: 300")
            error = json.loads(run.stdout)["error"]
            self.assertEqual((run.returncode, error["code"]), (1, "bad_plan"), error)
            self.assertIn("did not write a plan", error["message"])


if __name__ == "__main__":
    unittest.main()
