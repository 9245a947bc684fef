"""A coordinator that dies and is started again: runs go on, nothing that was promised is lost, and a
tool that must not run twice does not."""

import secrets
import unittest

from peer import Coordinator
from test_coordinator import CoordinatorTest, plan


class RestartTest(CoordinatorTest):
    """Each test has a coordinator of its own."""

    limits = {"heartbeat": "500ms", "lease": "2500ms", "resume_window": "500ms",
              "finished_runs": 1}

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.coordinator = Coordinator(**self.limits)
        self.addCleanup(self.coordinator.stop)

    def restart(self):
        # An answer tells nothing that is not on disk: by then all that went before it is there.
        self.get(self.client(), "status")
        self.coordinator.kill()
        self.coordinator.start()

    def worker(self, tools, **options):
        tools = [{"name": name, "idempotent": True} if isinstance(name, str) else name
                 for name in tools]
        return self.coordinator.worker(tools, **options)

    def again(self, worker, tools, attempts):
        """The same worker process on a new connection, with what it holds."""
        session = worker.welcome["session"]
        resume = {"session": session, "epoch": worker.welcome["epoch"]}
        peer = self.coordinator.greet("worker", name=worker.name, resume=resume)
        self.assertEqual(peer.welcome["session"], session)
        self.assertEqual(peer.welcome["epoch"], worker.welcome["epoch"] + 1)
        peer.send(type="register", slots=4, in_flight=attempts, tools=[
            {"name": name, "idempotent": True} if isinstance(name, str) else name
            for name in tools])
        peer.registered = peer.expect("registered")
        return peer


class KilledTests(RestartTest):
    def test_a_worker_that_comes_back_keeps_what_it_runs(self):
        worker = self.worker(["slow", "next"])
        client = self.client()
        run = self.submit(client, plan(("a", "slow", {}), ("b", "next", {"x": "${a}"})))
        attempt = worker.skip_to("dispatch", tool="slow")["attempt"]
        worker.send(type="started", attempt=attempt)
        self.restart()
        held = [{"attempt": attempt, "state": "running"}]
        worker = self.again(worker, ["slow", "next"], held)
        self.assertEqual(worker.registered["adopt"], [attempt])
        client = self.client()
        client.send(type="watch", run=run, level="end")
        worker.send(type="result", attempt=attempt, ok=True, output=7)
        following = worker.skip_to("dispatch", tool="next")
        self.assertEqual(following["args"], {"x": 7})
        worker.send(type="result", attempt=following["attempt"], ok=True, output=8)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_a_result_that_was_not_acknowledged_is_taken(self):
        worker = self.worker(["slow"])
        run = self.submit(self.client(), plan(("a", "slow", {})), join="json")
        attempt = worker.skip_to("dispatch")["attempt"]
        self.restart()
        worker = self.again(worker, ["slow"], [{"attempt": attempt, "state": "done"}])
        self.assertEqual(worker.registered["adopt"], [attempt])
        worker.send(type="result", attempt=attempt, ok=True, output=[1])
        self.assertIn(attempt, worker.skip_to("ack")["attempts"])
        # Acknowledged is on disk.
        self.restart()
        self.assertEqual(self.get(self.client(), "answer", id=run), {"a": [1]})

    def test_what_nobody_claims_runs_again_if_it_may(self):
        worker = self.worker(["slow"])
        client = self.client()
        run = self.submit(client, plan(("a", "slow", {})))
        first = worker.skip_to("dispatch")["attempt"]
        self.restart()
        other = self.worker(["slow"])
        again = other.skip_to("dispatch")
        self.assertEqual(again["attempt"].split("/")[:2], first.split("/")[:2])
        self.assertNotEqual(again["attempt"], first)
        other.send(type="result", attempt=again["attempt"], ok=True, output=1)
        client = self.client()
        client.send(type="watch", run=run, level="end")
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_what_must_not_run_twice_has_an_unknown_outcome(self):
        tool = {"name": "once"}
        worker = self.worker([tool])
        client = self.client()
        run = self.submit(client, plan(("a", "once", {})))
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="started", attempt=attempt)
        self.restart()
        other = self.worker([tool])
        client = self.client()
        client.send(type="watch", run=run, level="nodes")
        events = self.end(client, run)
        self.assertEqual(events[-1]["kind"], "run_failed")
        failed = [event for event in events if event["kind"] == "node_failed"]
        self.assertEqual([event["data"]["code"] for event in failed],
                         ["outcome_unknown"])
        other.expect_silence(0.3)

    def test_the_same_key_is_the_same_run_also_when_it_has_ended(self):
        worker = self.worker(["quick"])
        client = self.client()
        document = plan(("a", "quick", {}))
        key = secrets.token_hex(8)
        run = self.submit(client, document, key=key, watch="end", join="json")
        self.answer(worker, output={"n": 1})
        self.end(client, run)
        for _ in range(2):
            self.restart()
            client = self.client()
            client.send(type="submit", key=key, plan=document, watch="end", join="json")
            accepted = client.skip_to("accepted", key=key)
            self.assertEqual((accepted["run"], accepted["existing"]), (run, True))
            self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
            self.assertEqual(self.get(client, "answer", id=run), {"a": {"n": 1}})
            client.send(type="submit", key=key, plan=plan(("b", "quick", {})), watch="end")
            self.assertEqual(client.skip_to("error")["code"], "conflict")

    def test_numbers_of_events_rise_over_a_restart(self):
        worker = self.worker(["slow"])
        client = self.client()
        run = self.submit(client, plan(("a", "slow", {})), watch="nodes")
        attempt = worker.skip_to("dispatch")["attempt"]
        last = client.skip_to("event", kind="dispatched")["seq"]
        self.restart()
        worker = self.again(worker, ["slow"], [{"attempt": attempt, "state": "running"}])
        client = self.client()
        client.send(type="watch", run=run, level="nodes", **{"from": last + 1})
        worker.send(type="result", attempt=attempt, ok=True, output=7)
        events = self.end(client, run)
        self.assertGreater(events[-1]["seq"], last)
        self.assertIn("node_succeeded", [event["kind"] for event in events])

    def test_runs_that_are_not_in_memory_are_read_again(self):
        worker, client = self.worker(["quick"]), self.client()
        runs = []
        for number in range(4):
            runs.append(self.submit(client, plan(("a", "quick", {})), watch="end", join="json",
                                    label=f"n{number % 2}"))
            self.answer(worker, output=number)
            self.end(client, runs[-1])
        for number, run in enumerate(runs):
            self.assertEqual(self.get(client, "answer", id=run), {"a": number})
            client.send(type="watch", run=run, level="end")
            self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        self.assertEqual([entry["run"] for entry in self.get(client, "runs")], runs[::-1])
        labelled = self.get(client, "runs", label="n1", status="succeeded")
        self.assertEqual([entry["run"] for entry in labelled], [runs[3], runs[1]])
        client.send(type="forget", run=runs[1])
        client.send(type="get", request=9, what="run", id=runs[1])
        client.skip_to("error", code="unknown_run", request=9)
        self.restart()
        client = self.client()
        kept = [runs[3], runs[2], runs[0]]
        self.assertEqual([entry["run"] for entry in self.get(client, "runs")], kept)

    def test_a_streamed_plan_breaks_off(self):
        client = self.client()
        client.send(type="submit", key="streamed", stream=True, watch="end", plan={"tasks": []})
        run = client.skip_to("accepted")["run"]
        self.restart()
        client = self.client()
        client.send(type="watch", run=run, level="end")
        end = self.end(client, run)[-1]
        self.assertEqual((end["kind"], end["data"]["error"]["code"]), ("run_failed", "bad_plan"))

    def test_a_cancelled_run_stays_cancelled(self):
        worker = self.worker(["slow"])
        client = self.client()
        run = self.submit(client, plan(("a", "slow", {})), watch="end")
        attempt = worker.skip_to("dispatch")["attempt"]
        client.send(type="cancel_run", run=run, reason="enough")
        worker.skip_to("cancel", attempt=attempt)
        self.get(client, "run", id=run)
        self.restart()
        worker = self.again(worker, ["slow"], [{"attempt": attempt, "state": "running"}])
        worker.skip_to("cancel", attempt=attempt)
        worker.send(type="result", attempt=attempt, ok=False,
                    error={"code": "cancelled", "message": "told to"})
        client = self.client()
        client.send(type="watch", run=run, level="end")
        end = self.end(client, run)[-1]
        self.assertEqual(end["kind"], "run_cancelled")
        self.assertEqual(end["data"]["reason"], "enough")


if __name__ == "__main__":
    unittest.main()
