"""Nodes that a person has to approve: by raw lines, by the commands, over a restart, at a terminal."""

import json
import os
import subprocess
import unittest

from peer import PATIENCE, WEFT, Coordinator
from test_coordinator import CoordinatorTest, plan
from test_terminal import TerminalTest

PAY = {"name": "pay", "approval": True}
ORDER = plan(("price", "look", {}), ("buy", "pay", {"amount": "${price}"}),
             ("thank", "look", {"for": "${buy}"}))


class ApprovalTest(CoordinatorTest):
    options = ()

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.coordinator = Coordinator(*self.options)
        self.addCleanup(self.coordinator.stop)
        self.peer = self.client()
        self.worker = self.coordinator.worker([PAY, "look"])

    def asked(self, **fields):
        """A run that waits for approval, and the event that asks for it."""
        run = self.submit(self.peer, ORDER, watch="nodes", join="json", **fields)
        self.answer(self.worker, output=5)
        return run, self.peer.skip_to("event", kind="approval_asked")

    def decide(self, run, nodes=None, approved=True, **fields):
        """Answers; returns the error, if it is refused."""
        nodes = {} if nodes is None else {"nodes": nodes}
        person = self.client()
        person.send(type="approve", run=run, approved=approved, **nodes, **fields)
        person.send(type="ping", n=99)
        message = person.receive()
        if message["type"] == "pong":
            return None
        self.assertEqual((message["type"], message["about"]), ("error", run))
        self.assertFalse(message.get("fatal", False))
        person.expect("pong", n=99)
        return message["code"]

    def weft(self, *arguments, expect=0):
        done = subprocess.run(
            [WEFT, *arguments, "--coordinator", self.coordinator.address,
             "--state", self.coordinator.folder.name],
            capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr


class LineTests(ApprovalTest):
    def test_a_node_waits_until_it_is_approved(self):
        run, event = self.asked()
        self.assertEqual(event["node"], "buy")
        self.assertEqual(event["data"],
                         {"tool": "pay", "args": {"amount": 5}, "timeout_ms": 3600000})
        node = self.get(self.peer, "node", id=run, node="buy")
        self.assertEqual((node["status"], node["attempts"]), ("awaiting_approval", 0))
        waiting = self.get(self.peer, "explain", id=run)["nodes"][0]
        self.assertEqual((waiting["id"], waiting["reasons"][0]["code"]), ("buy", "approval"))
        listed = self.get(self.coordinator.greet("viewer"), "approvals")
        self.assertEqual([(entry["run"], entry["node"], entry["args"]) for entry in listed],
                         [(run, "buy", {"amount": 5})])
        self.assertLess(listed[0]["asked_at"], listed[0]["fails_at"])
        self.assertEqual(self.decide(run, ["price"]), "conflict")
        self.assertEqual(self.decide(run, ["nothing"]), "unknown_node")
        self.assertEqual(self.decide("none", ["buy"]), "unknown_run")
        self.assertIsNone(self.decide(run, ["buy"], reason="as agreed"))
        dispatch = self.answer(self.worker, output="paid")
        self.assertEqual((dispatch["tool"], dispatch["args"]), ("pay", {"amount": 5}))
        self.answer(self.worker, output="done")
        # The same answer is taken again, whatever has happened since; another one is not.
        self.assertIsNone(self.decide(run, ["buy"]))
        self.assertEqual(self.decide(run, ["buy"], approved=False), "conflict")
        self.assertEqual(self.decide(run), "conflict")
        self.assertEqual(self.get(self.peer, "run", id=run)["status"], "succeeded")
        self.assertEqual(self.get(self.peer, "approvals"), [])

    def test_a_denial_fails_the_node_by_name(self):
        run, _ = self.asked()
        self.assertIsNone(self.decide(run, approved=False, reason="too dear"))
        events = {(event["kind"], event.get("node")): event for event in self.end(self.peer, run)}
        error = events["node_failed", "buy"]["data"]
        self.assertEqual((error["code"], error["retryable"]), ("denied", False))
        self.assertEqual(error["message"], "client denied it: too dear")
        self.assertIn(("node_skipped", "thank"), events)
        self.assertIn(("run_failed", None), events)

    def test_no_answer_in_time_fails_the_node_by_name(self):
        run, event = self.asked(budget={"approval_ms": 300})
        self.assertEqual(event["data"]["timeout_ms"], 300)
        failed = [event for event in self.end(self.peer, run) if event["kind"] == "node_failed"]
        self.assertEqual(failed[0]["data"]["code"], "approval_timeout")
        self.assertIn("node buy needs approval to call pay", failed[0]["data"]["message"])

    def test_a_run_may_ask_for_more_and_cancels_end_questions(self):
        tasks = plan(("a", "look", {}), ("b", "look", {"x": "${a}"}))
        run = self.submit(self.peer, tasks, approve=["look"], watch="nodes")
        self.peer.skip_to("event", kind="approval_asked", node="a")
        self.peer.send(type="cancel_run", run=run)
        kinds = [event["kind"] for event in self.end(self.peer, run)]
        self.assertEqual(kinds.count("node_cancelled"), 2)
        self.assertEqual(self.decide(run), "conflict")
        # A late watcher is told what waits, and a run done again asks again.
        run = self.submit(self.peer, tasks, approve=["*"])
        late = self.client()
        late.send(type="watch", run=run, level="progress")
        late.skip_to("event", kind="approval_asked", node="a")
        self.assertIsNone(self.decide(run, approved=False))
        late.skip_to("event", kind="run_failed")
        self.peer.send(type="submit", key="again", retry={"run": run}, watch="progress")
        self.peer.skip_to("event", kind="approval_asked", node="a")


class RestartTests(ApprovalTest):
    def restart(self):
        self.coordinator.kill()
        self.coordinator.start()
        self.peer = self.client()

    def test_a_question_stands_and_an_answer_holds(self):
        run, _ = self.asked()
        # An answer tells nothing that is not on disk.
        asked = self.get(self.peer, "approvals")
        self.restart()
        again = self.get(self.peer, "approvals")
        for entry in asked + again:
            entry.pop("wait_ms")
        self.assertEqual(again, asked)
        self.peer.send(type="watch", run=run, level="progress")
        self.peer.skip_to("event", kind="approval_asked", node="buy")
        self.assertIsNone(self.decide(run, ["buy"]))
        self.restart()
        self.worker = self.coordinator.worker([PAY, "look"])
        self.peer.send(type="watch", run=run, level="end")
        self.assertEqual(self.answer(self.worker, output="paid")["tool"], "pay")
        self.answer(self.worker, output="done")
        self.assertEqual(self.end(self.peer, run)[-1]["kind"], "run_succeeded")
        story = self.get(self.peer, "story", id=run, node="buy")["records"]
        self.assertEqual([record["kind"] for record in story][:3],
                         ["approval_asked", "approved", "ready"])

    def test_time_goes_on_while_there_is_no_coordinator(self):
        run, _ = self.asked(budget={"approval_ms": 1500})
        self.get(self.peer, "approvals")
        self.restart()
        self.peer.send(type="watch", run=run, level="end")
        self.assertEqual(self.end(self.peer, run)[-1]["kind"], "run_failed")
        error = self.get(self.peer, "node", id=run, node="buy")["error"]
        self.assertEqual(error["code"], "approval_timeout")


class EphemeralTests(ApprovalTest):
    options = ("--ephemeral",)

    def test_commands_list_approve_and_deny(self):
        run, _ = self.asked(label="shop")
        table = self.weft("approvals")
        for text in (run, "buy", "pay", '{"amount": 5}'):
            self.assertIn(text, table)
        self.assertEqual(json.loads(self.weft("approvals", "--json"))[0]["label"], "shop")
        self.assertIn(f"weft approve {run} buy", self.weft("explain", run))
        self.assertIn("does not wait", self.weft("deny", run, "price", expect=1))
        self.assertIn("buy", self.weft("approve", run, "buy"))
        self.answer(self.worker, output="paid")
        self.answer(self.worker, output="done")
        self.end(self.peer, run)
        run, _ = self.asked()
        self.weft("deny", run, "--all", "--reason", "too dear")
        failed = [event for event in self.end(self.peer, run) if event["kind"] == "node_failed"]
        self.assertEqual(failed[0]["data"]["message"], "client denied it: too dear")
        self.assertIn("Nothing waits", self.weft("approvals"))
        self.weft("approve", run, expect=2)


MANIFEST = """
tools:
  - name: pay
    description: Pays.
    parameters: {type: object, properties: {amount: {type: integer}}, required: [amount]}
    command: [echo, "paid {amount}"]
    approval: required
"""


class TerminalTests(TerminalTest):
    """`weft run` on a cluster of its own."""

    def arguments(self, *more):
        path = f"{self.folder.name}/tools.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(MANIFEST)
        tasks = self.plan(("buy", "pay", {"amount": 5}), ("more", "pay", {"amount": 7}))
        return ["run", "--plan", tasks, "--tools", path, *more]

    def type(self, text):
        os.write(self.control, text.encode())

    def test_a_terminal_asks_and_takes_answers(self):
        self.start(*self.arguments("--join", "json"), columns=120)
        self.read(until='"amount": 5')
        self.read(until="[y]es")
        self.type("y\n")
        self.read(until='"amount": 7')
        self.type("what\n")
        self.read(until="all that wait")
        self.type("n too dear\n")
        self.read()
        self.assertEqual(self.process.wait(PATIENCE), 1)
        self.assertIn("client denied it: too dear", self.text)
        self.assertIn("paid 5", self.text)
        self.assertFalse(self.screen.has_wrapped)

    def test_without_a_terminal_one_line_says_what_to_do(self):
        done = subprocess.run([WEFT, *self.arguments("--approval-timeout", "200ms")],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("buy (pay) needs approval", done.stderr)
        self.assertIn("--yes", done.stderr)
        self.assertIn("approval_timeout", done.stderr)
        done = subprocess.run([WEFT, *self.arguments("--yes", "--approve", "pay")],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("paid 7", done.stdout)


if __name__ == "__main__":
    unittest.main()
