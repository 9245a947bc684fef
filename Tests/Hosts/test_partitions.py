"""Partitions between hosts in the middle of a run, in each direction and healed later: while the
coordinator is killed and started again, between a client and the coordinator, and for good, which both
sides have to find out by themselves."""

import json
import pathlib
import re
import time
import unittest

from hosts import Hosts, eventually

HEARTBEAT, LEASE = 0.5, 8.0
LIMITS = "limits: {heartbeat: 500ms, lease: 8s, resume_window: 4s}\n"
ADDRESS = "10.99.0.1:7420"
# Notes its start and waits for a file.
GATE = 'echo "$WEFT_NODE $WEFT_ATTEMPT" >> "$0.on"; until [ -e "$0" ]; do sleep 0.05; done; echo "$1"'


class Partitions(unittest.TestCase):
    def setUp(self):
        self.hosts = Hosts("a", "b")
        self.addCleanup(self.hosts.close)
        self.addCleanup(self.tell)
        self.hosts.write("weft.yaml", LIMITS)
        self.hosts.write("tools.yaml", json.dumps({"tools": [
            {"name": name, "description": "Waits for a file.", "idempotent": name == "again",
             "parameters": {"type": "object", "required": ["path", "value"], "properties": {
                 "path": {"type": "string"}, "value": {"type": "string"}}},
             "command": ["sh", "-c", GATE, "{path}", "{value}"]} for name in ("gate", "again")]}))
        self.start_coordinator()

    def tell(self):
        """Shows the outputs when the test has failed."""
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            for process in self.hosts.started:
                print(f"--- {' '.join(process.args[-6:])}\n{process.log.read_text()}")

    def start_coordinator(self):
        self.coordinator = self.hosts.start("coordinator", "--listen", ADDRESS, "--config", "weft.yaml")
        eventually("it listens", lambda: "listens on" in self.coordinator.log.read_text())

    def kill_coordinator(self):
        self.hosts.run("hub", "pkill", "-KILL", "-f", "coordinator --listen")
        self.coordinator.wait(10)

    def start_on(self, name, *words):
        """Starts weft on any host; keys and files are those of the hub."""
        return self.hosts.start(*words, host=name)

    def start_worker(self, name):
        worker = self.start_on(name, "worker", "--coordinator", ADDRESS, "--tools", "tools.yaml",
                               "--name", name, "--slots", "2")
        eventually(f"{name} is there", lambda: "registered" in worker.log.read_text())
        return worker

    def start_run(self, name, *tasks):
        """A run whose client is on a host."""
        path = self.hosts.write(f"plan-{len(self.hosts.started)}.json", json.dumps({"tasks": [
            {"id": id, "tool_name": tool, "args": {"path": self.gate(id), "value": value}}
            for id, tool, value in tasks]}))
        return self.start_on(name, "run", "--plan", path.name, "--join", "json", "--coordinator",
                             ADDRESS)

    def gate(self, id):
        return str(self.hosts.files / f"gate-{id}")

    def starts(self, id):
        path = pathlib.Path(self.gate(id) + ".on")
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def open(self, id):
        pathlib.Path(self.gate(id)).touch()

    def cut(self, name, direction):
        self.hosts.cut(name, direction)
        self.addCleanup(self.hosts.heal, name)

    def answer(self, run):
        self.assertEqual(run.wait(40), 0, run.log.read_text())
        return json.loads(run.log.read_text().splitlines()[-1])

    def test_the_coordinator_is_started_again_while_a_worker_is_cut_off(self):
        self.start_worker("a")
        for direction in ("in", "out", "both"):
            with self.subTest(direction):
                run = self.start_run("hub", (direction, "gate", "one"), (f"{direction}2", "gate", "two"))
                eventually("both run", lambda: self.starts(direction)
                           and self.starts(f"{direction}2"))
                self.cut("a", direction)
                self.kill_coordinator()
                # It ends where the coordinator cannot hear of it, the other one later.
                self.open(direction)
                self.start_coordinator()
                eventually("the client is back",
                           lambda: "connected again" in run.log.read_text())
                self.hosts.heal("a")
                self.open(f"{direction}2")
                self.assertEqual(self.answer(run), {direction: "one", f"{direction}2": "two"})
                # Neither of them may be repeated.
                self.assertEqual(len(self.starts(direction)), 1)
                self.assertEqual(len(self.starts(f"{direction}2")), 1)

    def test_a_client_is_cut_off(self):
        self.start_worker("a")
        for direction in ("in", "out", "both"):
            with self.subTest(direction):
                run = self.start_run("b", (direction, "gate", "one"))
                eventually("it runs", lambda: self.starts(direction))
                self.cut("b", direction)
                self.open(direction)
                # The run ends without its client, which hears of it when it is back.
                eventually("it has ended", lambda: not json.loads(self.hosts.weft(
                    "runs", "--status", "running", "--coordinator", ADDRESS, "--json")))
                if direction != "out":
                    # What comes to it still arrives there.
                    self.assertIsNone(run.poll())
                self.hosts.heal("b")
                self.assertEqual(self.answer(run), {direction: "one"})
                self.assertEqual(len(self.starts(direction)), 1)

    def test_a_client_finds_out_that_nothing_comes_any_more(self):
        """Half-open: its coordinator is gone, and nothing tells it."""
        self.start_worker("a")
        run = self.start_run("b", ("a", "gate", "one"))
        eventually("it runs", lambda: self.starts("a"))
        self.cut("b", "in")
        begun = time.monotonic()
        # A coordinator may have been paused for longer than a lease.
        eventually("it notices", lambda: "connection lost" in run.log.read_text())
        self.assertLess(time.monotonic() - begun, 2 * LEASE + 4 * HEARTBEAT + 1)
        self.hosts.heal("b")
        self.open("a")
        self.assertEqual(self.answer(run), {"a": "one"})

    def test_half_open_connections_are_found(self):
        """A host that vanishes says nothing: each side finds it by heartbeats alone."""
        first = self.start_worker("a")
        run = self.start_run("hub", ("n", "again", "one"))
        eventually("it runs", lambda: self.starts("n"))
        self.start_worker("b")
        self.cut("a", "both")
        begun = time.monotonic()
        eventually("the worker notices", lambda: "connection lost" in first.log.read_text())
        # Three heartbeats, a ping, and the rest of the heartbeat that was under way.
        self.assertLess(time.monotonic() - begun, 6 * HEARTBEAT)
        self.hosts.run("a", "pkill", "-KILL", "-f", "worker --coordinator")
        eventually("it runs elsewhere", lambda: len(self.starts("n")) == 2)
        self.assertLess(time.monotonic() - begun, LEASE + 4 * HEARTBEAT)
        left = re.findall("worker left.*|its lease ended.*", self.coordinator.log.read_text())
        self.assertTrue(left)
        self.open("n")
        self.assertEqual(self.answer(run), {"n": "one"})


if __name__ == "__main__":
    unittest.main()
