"""Runs that are done again: what succeeded is taken over, the rest runs, also when the old run is on
disk only."""

import json
import secrets
import subprocess
import tempfile
import unittest
from pathlib import Path

from peer import WEFT, Coordinator, Process
from test_coordinator import CoordinatorTest, plan

CHAIN = plan(("a", "first", {}), ("b", "second", {"x": "${a}"}), ("c", "third", {"y": "${b}"}),
             ("d", "first", {"n": 1}))


class RetryTest(CoordinatorTest):
    limits = {"finished_runs": 1}

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.coordinator = Coordinator(**self.limits)
        self.addCleanup(self.coordinator.stop)
        self.peer = self.client()
        self.worker = self.coordinator.worker(
            [{"name": name, "idempotent": True} for name in ("first", "second", "third")])

    def work(self, count, failing=()):
        """Answers dispatches; returns the arguments by node. Outputs name node and tool."""
        done = {}
        for _ in range(count):
            dispatch = self.worker.skip_to("dispatch")
            done[dispatch["node"]] = dispatch["args"]
            if dispatch["node"] in failing:
                end = {"ok": False, "error": {"code": "tool_failed", "message": "no"}}
            else:
                end = {"ok": True, "output": f"{dispatch['node']} of {dispatch['tool']}"}
            self.worker.send(type="result", attempt=dispatch["attempt"], **end)
        return done

    def failed(self):
        """A run of which a and d have succeeded, b failed, and c was skipped."""
        run = self.submit(self.peer, CHAIN, watch="end", join="json", label="nightly")
        self.work(3, failing=["b"])
        self.assertEqual(self.end(self.peer, run)[-1]["kind"], "run_failed")
        return run

    def retry(self, run, *nodes, **fields):
        retry = {"run": run, **({"nodes": list(nodes)} if nodes else {})}
        key = fields.pop("key", None) or secrets.token_hex(8)
        self.peer.send(type="submit", key=key, retry=retry, **fields)
        return self.peer.skip_to("accepted", key=key)["run"]

    def refused(self, **fields):
        key = secrets.token_hex(8)
        self.peer.send(type="submit", key=key, **fields)
        error = self.peer.skip_to("error")
        self.assertEqual(error["about"], key)
        return error


class RetryTests(RetryTest):
    def test_only_what_did_not_succeed_runs_again(self):
        old = self.failed()
        run = self.retry(old, watch="nodes")
        self.assertEqual(self.work(2), {"b": {"x": "a of first"}, "c": {"y": "b of second"}})
        events = self.end(self.peer, run)
        self.assertEqual(events[-1]["kind"], "run_succeeded")
        taken = {event["node"] for event in events
                 if event["kind"] == "node_succeeded" and event["data"].get("taken_over")}
        self.assertEqual(taken, {"a", "d"})
        self.assertEqual(
            self.get(self.peer, "answer", id=run),
            {"a": "a of first", "b": "b of second", "c": "c of third", "d": "d of first"})
        document = self.get(self.peer, "run", id=run)
        self.assertEqual(document["retries"], old)
        self.assertEqual(document["label"], "nightly")
        self.assertEqual(document["counts"]["succeeded"], 4)
        node = self.get(self.peer, "node", id=run, node="a")
        self.assertEqual((node["attempts"], node["taken_over"]), (0, True))

    def test_a_named_node_and_what_depends_on_it_run_again(self):
        old = self.failed()
        run = self.retry(old, "a", watch="end", label="again")
        self.assertEqual(set(self.work(3)), {"a", "b", "c"})
        self.assertEqual(self.end(self.peer, run)[-1]["kind"], "run_succeeded")
        self.assertEqual(self.get(self.peer, "run", id=run)["label"], "again")
        # A run that has succeeded can be done again from a node on.
        once_more = self.retry(run, "c", watch="end")
        self.assertEqual(self.work(1), {"c": {"y": "b of second"}})
        self.assertEqual(self.end(self.peer, once_more)[-1]["kind"], "run_succeeded")

    def test_a_run_that_is_on_disk_only(self):
        old = self.failed()
        key = secrets.token_hex(8)
        # An answer tells nothing that is not on disk.
        self.get(self.peer, "status")
        self.coordinator.kill()
        self.coordinator.start()
        self.peer = self.client()
        self.worker = self.coordinator.worker(
            [{"name": name, "idempotent": True} for name in ("first", "second", "third")])
        run = self.retry(old, key=key, watch="end")
        dispatch = self.worker.skip_to("dispatch")
        self.assertEqual(dispatch["args"], {"x": "a of first"})
        self.get(self.peer, "status")
        # The new run goes on after a restart, too, with what it took over.
        self.coordinator.kill()
        self.coordinator.start()
        self.peer = self.client()
        self.worker = self.coordinator.worker(
            [{"name": name, "idempotent": True} for name in ("first", "second", "third")])
        self.assertEqual(self.retry(old, key=key, watch="end"), run)
        self.work(2)
        self.assertEqual(self.end(self.peer, run)[-1]["kind"], "run_succeeded")
        self.assertEqual(set(self.get(self.peer, "answer", id=run)), set("abcd"))

    def test_cancelled_runs(self):
        old = self.submit(self.peer, CHAIN, watch="end", join="json")
        self.work(1)
        self.peer.send(type="cancel_run", run=old)
        self.worker.skip_to("cancel")
        attempt = self.get(self.peer, "run", id=old)
        self.assertEqual(attempt["status"], "running")
        error = self.refused(retry={"run": old})
        self.assertEqual(error["code"], "conflict")
        self.worker.send(type="bye")
        self.assertEqual(self.end(self.peer, old)[-1]["kind"], "run_cancelled")
        self.worker = self.coordinator.worker(
            [{"name": name, "idempotent": True} for name in ("first", "second", "third")])
        run = self.retry(old, watch="end")
        again = self.work(3)
        self.assertEqual(self.end(self.peer, run)[-1]["kind"], "run_succeeded")
        self.assertIn("b", again)

    def test_refusals_name_the_reason(self):
        old = self.failed()
        done = self.submit(self.peer, plan(("a", "first", {})), watch="end")
        self.work(1)
        self.end(self.peer, done)
        for fields, code, words in [
            ({"retry": {"run": "nope"}}, "unknown_run", "nope"),
            ({"retry": {"run": old, "nodes": ["z"]}}, "unknown_node", "z"),
            ({"retry": {"run": done}}, "conflict", "has succeeded"),
        ]:
            with self.subTest(code):
                error = self.refused(**fields)
                self.assertEqual(error["code"], code)
                self.assertIn(words, error["message"])
        broken = secrets.token_hex(8)
        self.peer.send(type="submit", key=broken, stream=True, watch="end")
        run = self.peer.skip_to("accepted", key=broken)["run"]
        self.peer.send(type="nodes", key=broken, tasks=[], broken_off="the text ended")
        self.end(self.peer, run)
        error = self.refused(retry={"run": run})
        self.assertEqual(error["code"], "bad_plan")

    def test_a_retry_beside_a_plan_is_a_bad_message(self):
        peer = self.client()
        peer.send(type="submit", key="k", retry={"run": "r1"}, goal="win")
        self.assertEqual(peer.skip_to("error")["code"], "bad_message")


class CommandTests(RetryTest):
    def weft(self, *arguments, status=0):
        done = subprocess.run(
            [WEFT, *arguments, "--coordinator", self.coordinator.address, "--state",
             self.coordinator.folder.name], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def test_weft_retry(self):
        with tempfile.TemporaryDirectory() as folder:
            gate = Path(folder, "gate")
            manifest = Path(folder, "tools.yaml")
            manifest.write_text(
                "tools:\n"
                "  - name: list\n    description: Counts its calls.\n    idempotent: true\n"
                "    parameters: {type: object, properties: {}}\n"
                f"    command: [/bin/sh, -c, 'echo x >> {folder}/listed; echo listed']\n"
                "  - name: pass\n    description: Fails until the gate is there.\n"
                "    parameters: {type: object, properties: {text: {type: string}}}\n"
                f"    command: [/bin/sh, -c, 'test -e {gate} && echo \"$1\"', sh, '{{text}}']\n",
                encoding="utf-8")
            self.worker.send(type="bye")
            worker = Process([WEFT, "worker", "--tools", str(manifest), "--coordinator",
                              self.coordinator.address, "--state", self.coordinator.folder.name])
            self.addCleanup(worker.stop)
            worker.wait_for("registered")
            document = plan(("a", "list", {}), ("b", "pass", {"text": "${a}!"}))
            path = Path(folder, "plan.json")
            path.write_text(json.dumps(document), encoding="utf-8")
            failed = self.weft("run", "--plan", str(path), "--join", "json", "--json", status=1)
            old = json.loads(failed.stdout)["run"]
            again = self.weft("retry", old, status=1)
            self.assertIn("b", again.stderr)
            gate.touch()
            done = self.weft("retry", old)
            self.assertEqual(json.loads(done.stdout)["b"].strip(), "listed!")
            self.assertEqual(Path(folder, "listed").read_text(), "x\n")
            fresh = self.weft("retry", old, "--detach").stdout.strip()
            shown = self.weft("show", fresh).stdout
            self.assertIn(old, shown)
            both = self.weft("retry", old, "--failed", "--node", "a", status=2)
            self.assertIn("not both", both.stderr)
            unknown = self.weft("retry", old, "--node", "zz", status=2)
            self.assertIn("has no node zz", unknown.stderr)


if __name__ == "__main__":
    unittest.main()
