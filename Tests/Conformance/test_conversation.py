"""What language models were asked for a run and what they wrote: while it goes on, after its end, and
after a restart, in the protocol, over HTTP and as people see it."""

import json
import pathlib
import subprocess
import tempfile
import time
import unittest

from model import ModelServer
from page import Page
from peer import PATIENCE, WEFT, Coordinator
from test_coordinator import CoordinatorTest, plan as plan_of
from test_page import fit, names


class ConversationTest(CoordinatorTest):
    """Each test has a coordinator and a model of its own."""

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.model = ModelServer()
        self.addCleanup(self.model.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        config = pathlib.Path(folder.name, "weft.yaml")
        config.write_text(self.model.config)
        self.options = ["--config", str(config)]

    def start(self, *options):
        self.coordinator = Coordinator(*self.options, *options)
        self.addCleanup(self.coordinator.stop)
        worker = self.coordinator.worker(["weather"])
        client = self.client()
        client.send(type="submit", key="g", goal="How warm is it in Lima?", join="llm", watch="end")
        return worker, client, client.skip_to("accepted")["run"]

    def conversation(self, peer, run):
        return self.get(peer, "conversation", id=run)

    def reach(self, worker, client, run):
        """Answers the calls of the models until the run has ended; what they were asked."""
        planner = self.model.next_call()
        planner.end("I think so.")
        repair = self.model.next_call()
        repair.write("1. weather()\n")
        repair.end("2. join()\n")
        worker.send(type="result", attempt=worker.skip_to("dispatch")["attempt"], ok=True,
                    output=19)
        joiner = self.model.next_call()
        joiner.write("Action: Finish(It is")
        deadline = time.monotonic() + PATIENCE
        while (found := self.conversation(client, run))["calls"][-1]["reply"] == "":
            self.assertLess(time.monotonic(), deadline)
        open_call = found["calls"][-1]
        self.assertEqual((open_call["purpose"], open_call["reply"]),
                         ("joiner", "Action: Finish(It is"))
        self.assertNotIn("end", open_call)
        joiner.end(" 19 degrees.)")
        self.assertEqual(client.skip_to("event", kind="run_succeeded")["data"]["answer"],
                         "It is 19 degrees.")
        return planner, repair, joiner

    def check(self, found, planner, repair, joiner):
        calls = found["calls"]
        self.assertEqual([(call["number"], call["purpose"], call.get("repair", False))
                          for call in calls],
                         [(1, "planner", False), (2, "planner", True), (3, "joiner", False)])
        self.assertEqual([call["reply"] for call in calls],
                         ["I think so.", "1. weather()\n2. join()\n",
                          "Action: Finish(It is 19 degrees.)"])
        prompt = []
        for call, asked in zip(calls, [planner, repair, joiner]):
            # What is not told again is that of the call before.
            prompt = prompt[:call["shared"]] + [(one["role"], one["text"])
                                                for one in call["prompt"]]
            self.assertEqual(prompt, asked.messages)
            self.assertGreaterEqual(call["took_ms"], 0)
        self.assertGreater(calls[1]["shared"], 1)
        self.assertEqual(calls[0]["usage"], {"input": 20, "output": 5})
        self.assertEqual(calls[0]["end"], "end")

    def test_a_goal_is_the_same_after_a_restart(self):
        worker, client, run = self.start()
        asked = self.reach(worker, client, run)
        found = self.conversation(client, run)
        self.check(found, *asked)
        client.send(type="get", request=70, what="conversation", id=run, limit=2)
        first = client.skip_to("reply", request=70)
        client.send(type="get", request=71, what="conversation", id=run, **{"from": first["next"]})
        rest = client.skip_to("reply", request=71)
        self.assertEqual(first["data"]["calls"] + rest["data"]["calls"], found["calls"])
        self.assertNotIn("next", rest)
        self.coordinator.kill()
        self.coordinator.start()
        self.assertEqual(self.conversation(self.client(), run), found)

    def test_without_a_journal(self):
        worker, client, run = self.start("--ephemeral")
        asked = self.reach(worker, client, run)
        self.check(self.conversation(client, run), *asked)

    def test_a_call_that_is_lost_with_its_coordinator(self):
        _, client, run = self.start()
        lost = self.model.next_call()
        lost.write("1. wea")
        deadline = time.monotonic() + PATIENCE
        while self.conversation(client, run)["calls"][0]["reply"] == "":
            self.assertLess(time.monotonic(), deadline)
        self.coordinator.kill()
        self.coordinator.start()
        again = self.model.next_call()
        client = self.client()
        calls = self.conversation(client, run)["calls"]
        self.assertEqual([call.get("end") for call in calls], ["abandoned", None])
        self.assertEqual(calls[0]["reply"], "1. wea")
        client.send(type="cancel_run", run=run)
        deadline = time.monotonic() + PATIENCE
        while self.get(client, "run", id=run)["status"] == "running":
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual([call.get("end") for call in self.conversation(client, run)["calls"]],
                         ["abandoned", "abandoned"])
        again.end()

    def test_a_plan_has_none(self):
        self.start()
        self.model.next_call().end()
        client = self.client()
        run = self.submit(client, plan_of(("a", "weather", {})), key="p")
        self.assertEqual(self.conversation(client, run), {"run": run, "calls": [], "total": 0})


class ReadingTests(unittest.TestCase):
    """A goal with the diagnostic tools, over HTTP and at the command line."""

    def test_over_http_and_for_people(self):
        model = ModelServer()
        self.addCleanup(model.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        config = pathlib.Path(folder.name, "weft.yaml")
        config.write_text(model.config)
        page = Page("--config", str(config))
        self.addCleanup(page.stop)
        run = subprocess.Popen([WEFT, "run", "Say hello.", "--join", "concat", *page.arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        call = model.next_call()
        plan = {"tasks": [{"id": "t1", "tool_name": "echo", "args": {"x": "hello"}}]}
        call.end(json.dumps(plan))
        output, problems = run.communicate(timeout=PATIENCE)
        self.assertEqual(run.returncode, 0, problems)
        self.assertIn("hello", output)
        name = json.loads(page.weft("runs", "--json").stdout)[0]["run"]
        path = f"/v1/runs/{name}/conversation"
        description = json.loads(page.request("GET", "/v1/openapi.json")[2])
        status, _, body = page.request("GET", path, token=page.token())
        found = json.loads(body)
        self.assertEqual(status, 200, body)
        place = description["paths"]["/v1/runs/{run}/conversation"]["get"]
        schema = place["responses"]["200"]["content"]["application/json"]["schema"]
        self.assertEqual(fit(schema, found, description), [])
        for one in found["calls"]:
            unknown = set(one) - names({"$ref": "#/components/schemas/ModelCall"}, description)
            self.assertEqual(unknown, set())
        text = page.weft("show", name, "--conversation").stdout
        self.assertRegex(text, r"(?m)^call 1, planner, .*20 tokens in, 5 out$")
        self.assertIn("\nsystem\n  ", text)
        self.assertIn("Say hello.", text)
        self.assertEqual(json.loads(page.weft("show", name, "--conversation", "--json").stdout),
                         found)
        wrong = page.weft("show", name, "t1", "--conversation", check=False)
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("--conversation is for a whole run", wrong.stderr)


if __name__ == "__main__":
    unittest.main()
