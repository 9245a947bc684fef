"""The limits of what runs hold: the coordinator never keeps more, for any tools, plans and
failures. The limits are small here, and so is the allowed memory."""

import json
import pathlib
import re
import resource
import socket
import time
import unittest

from peer import Coordinator
from test_coordinator import CoordinatorTest, plan

KIB, MIB = 1 << 10, 1 << 20


class HoldingTest(CoordinatorTest):
    """Each test has a coordinator of its own, whose memory is measured."""

    OPTIONS = []
    LIMITS = {}

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.coordinator = Coordinator(*self.OPTIONS, **self.LIMITS)
        self.addCleanup(self.coordinator.stop)
        self.tool_name = self.tool()
        self.worker = self.coordinator.worker([self.tool_name], slots=64)
        self.observer = self.client()
        self.before = self.memory("VmRSS")

    def memory(self, field):
        """How much memory the coordinator has (VmRSS), or had at the most (VmHWM), in bytes."""
        status = pathlib.Path(f"/proc/{self.coordinator.process.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) << 10

    def assertHeld(self, most):
        """Checks that the coordinator's memory grew by at most that many bytes."""
        peak = self.memory("VmHWM") - self.before
        self.assertLess(peak, most, f"{peak / MIB:.0f} MiB")

    def plan(self, nodes, **fields):
        return plan(*[(f"n{number}", self.tool_name, {}) for number in range(nodes)], **fields)

    def send_value(self, attempt, text):
        """Sends an output in chunks, as the window allows."""
        room, count, size = 8 * MIB, 0, 200_000
        for start in range(0, len(text), size):
            piece = text[start:start + size]
            while room < len(piece):
                room += self.worker.skip_to("window", attempt=attempt)["bytes"]
            self.worker.send(type="chunk", attempt=attempt, seq=count, stream="value", data=piece)
            room, count = room - len(piece), count + 1
        self.worker.send(type="result", attempt=attempt, ok=True,
                         output_chunks={"count": count, "bytes": len(text)})

    def finish(self, client, run, status="succeeded"):
        self.assertEqual(self.end(client, run)[-1]["kind"], f"run_{status}")


class ArgumentTests(HoldingTest):
    """Arguments that repeat a large output, many times in many nodes: together 768 MB."""

    NODES, TIMES, BYTES = 24, 16, 2_000_000

    def run_fanout(self, reference, output):
        args = {"x": [reference] * self.TIMES}
        tasks = plan(("p", self.tool_name, {}),
                     *[(f"n{number}", self.tool_name, args) for number in range(self.NODES)])
        run = self.submit(self.observer, tasks, watch="end")
        first = self.worker.skip_to("dispatch")["attempt"]
        self.send_value(first, output)
        time.sleep(1)
        # Nothing was read yet. Only arguments for which there is room were made.
        self.assertHeld(100 * MIB)
        done, total, kind = 0, 0, re.compile(rb'"type": ?"(\w+)"')
        self.worker.socket.settimeout(20)
        with self.worker.socket.makefile("rb", buffering=1 << 20) as lines:
            while done < self.NODES:
                text = lines.readline()
                word = kind.search(text[:200] + text[-200:])[1]
                if word == b"chunk":
                    total += len(text)
                elif word == b"ping":
                    self.worker.send(type="pong", n=json.loads(text)["n"])
                elif word == b"dispatch":
                    done += 1
                    self.worker.send(type="result", attempt=json.loads(text)["attempt"], ok=True,
                                     output=None)
        self.assertGreater(total, self.NODES * self.TIMES * len(output))
        self.finish(self.observer, run)
        self.assertHeld(100 * MIB)

    def test_an_output_repeated_in_a_list(self):
        self.run_fanout("$p", json.dumps("x" * self.BYTES))

    def test_an_output_repeated_within_text(self):
        self.run_fanout("about ${p}, ${p}", json.dumps("x" * (self.BYTES // 2)))

    def test_an_output_repeated_within_text_that_is_rewritten(self):
        # An object becomes text with all its quotes escaped.
        self.run_fanout("about ${p}", json.dumps({"a": "x" * (self.BYTES // 10)}))

    def test_within_a_small_address_space(self):
        pid = self.coordinator.process.process.pid
        size = self.memory("VmSize") + 250 * MIB
        resource.prlimit(pid, resource.RLIMIT_AS, (size, size))
        self.run_fanout("$p", json.dumps("x" * self.BYTES))


class FinishedTests(HoldingTest):
    """What finished runs keep. Each test sends 60 MB or more."""

    # Without a journal, so that the memory is that of runs alone.
    OPTIONS = ["--ephemeral"]
    LIMITS = {"finished_bytes": "4MiB"}
    MOST = 30 * MIB

    def tearDown(self):
        self.assertGreaterEqual(self.get(self.observer, "status")["runs"]["kept"], 1)
        self.assertHeld(self.MOST)

    def test_failures(self):
        message = "it broke: " + "x" * 15_000
        error = {"code": "tool_error", "message": message, "stderr_tail": "y" * 16_000}
        for _ in range(20):
            run = self.submit(self.observer, self.plan(100), watch="end")
            for _ in range(100):
                self.answer(self.worker, ok=False, error=error)
            self.finish(self.observer, run, "failed")

    def test_join_instructions(self):
        # Of a plan it may be 16 KiB long; beside the plan, as long as a line.
        for _ in range(70):
            run = self.submit(self.observer, self.plan(1), join_instruction="j" * 900_000,
                              watch="end")
            self.answer(self.worker)
            self.finish(self.observer, run)

    def test_arguments(self):
        for _ in range(20):
            key = f"large-{time.monotonic_ns()}"
            self.observer.send(type="submit", key=key, plan={"tasks": []}, stream=True,
                               watch="end")
            for number in range(4):
                task = plan((f"n{number}", self.tool_name, {"x": "y" * 900_000}))["tasks"]
                self.observer.send(type="nodes", key=key, tasks=task, last=number == 3)
            run = self.observer.skip_to("accepted", key=key)["run"]
            for _ in range(4):
                self.answer(self.worker)
            self.finish(self.observer, run)

    def test_arguments_that_no_worker_ever_got(self):
        for _ in range(70):
            task = plan(("a", "nobody-has-this", {"x": "y" * 900_000}))
            run = self.submit(self.observer, task, watch="end")
            self.observer.send(type="cancel_run", run=run)
            self.finish(self.observer, run, "cancelled")

    def test_outputs(self):
        for _ in range(30):
            run = self.submit(self.observer, self.plan(3), watch="end")
            for _ in range(3):
                self.answer(self.worker, output="x" * 700_000)
            self.finish(self.observer, run)

    def test_answers_that_were_requested(self):
        for _ in range(20):
            run = self.submit(self.observer, self.plan(2), watch="end", join="json")
            for _ in range(2):
                self.answer(self.worker, output="x" * 800_000)
            self.finish(self.observer, run)
            for what, fields in [("answer", {}), ("nodes", {}), ("node", {"node": "n0"})]:
                self.observer.send(type="get", request=1, what=what, id=run, **fields)
                self.observer.skip_to("reply")

    def test_names_of_the_largest_size(self):
        many = [f"tool-{number}-" + "t" * 100 for number in range(1_000)]
        for number in range(300):
            key = f"{number:04}" + "k" * 252
            client = self.observer
            client.send(type="submit", key=key, label="l" * 256, plan=self.plan(1), watch="end",
                        tools=[self.tool_name, *many])
            run = client.skip_to("accepted", key=key)["run"]
            self.answer(self.worker)
            self.finish(client, run)


class EventTests(HoldingTest):
    """What a watched run keeps of the standard error of its tools."""

    LIMITS = {"finished_bytes": "4MiB", "event_bytes": "2MiB"}
    MOST = 30 * MIB

    def send_errors(self, attempt, total, size=64 * KIB):
        """Sends that many bytes of standard error, as the window allows."""
        text, room = "e" * size, 8 * MIB
        for seq in range(total // size):
            while room < size:
                room += self.worker.skip_to("window", attempt=attempt)["bytes"]
            self.worker.send(type="chunk", attempt=attempt, seq=seq, stream="stderr", data=text)
            room -= size

    def start(self, watch="all"):
        run = self.submit(self.observer, self.plan(1), watch=watch)
        return run, self.worker.skip_to("dispatch")["attempt"]

    def test_a_live_run_with_a_watcher_that_reads_nothing(self):
        lazy = self.client(answers_pings=False)
        run, attempt = self.start(watch="end")
        lazy.send(type="watch", run=run, level="all")
        lazy.skip_to("event", run=run)
        self.send_errors(attempt, 300 * MIB)
        self.worker.send(type="result", attempt=attempt, ok=True, output=None)
        self.finish(self.observer, run)
        # 64 MiB of this wait for the watcher that does not read.
        self.assertHeld(130 * MIB)

    def test_small_chunks(self):
        for _ in range(3):
            run, attempt = self.start()
            self.send_errors(attempt, 2 * MIB, size=100)
            self.worker.send(type="result", attempt=attempt, ok=True, output=None)
            self.finish(self.observer, run)
        self.assertHeld(self.MOST)

    def test_finished_runs_that_were_watched(self):
        for _ in range(10):
            run, attempt = self.start()
            self.send_errors(attempt, 16 * MIB)
            self.worker.send(type="result", attempt=attempt, ok=True, output=None)
            self.finish(self.observer, run)
        # The events of one run wait for the watcher, which reads when the run has ended.
        self.assertHeld(70 * MIB)


class LateWatcherTests(HoldingTest):
    """Late watchers get earlier events of nodes, as they read."""

    LIMITS = {"event_bytes": "64KiB", "unsent_bytes": "8MiB"}

    def test_late_watchers_that_read_nothing(self):
        run = self.submit(self.observer, self.plan(500), watch="end")
        error = {"code": "tool_error", "message": "x" * 15_000, "stderr_tail": "y" * 16_000}
        for _ in range(499):
            self.answer(self.worker, ok=False, error=error)
        late = [self.client(answers_pings=False) for _ in range(20)]
        for one in late:
            one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
            one.send(type="watch", run=run, level="nodes")
        self.get(self.observer, "status")
        # All of it would be 300 MB. Peers get much while less than half of all_unsent_bytes waits,
        # which is 128 MiB; the run itself holds 15.
        self.assertHeld(160 * MIB)
        # A watcher that reads gets every node.
        failed = set()
        while len(failed) < 499:
            failed.add(late[7].skip_to("event", run=run, kind="node_failed")["node"])


class ActiveTests(HoldingTest):
    """Unfinished runs: a limit for each, and one for all."""

    LIMITS = {"run_bytes": "8MiB", "held_bytes": "20MiB", "max_value": "4MiB"}

    def tearDown(self):
        # New work still runs.
        tool, client = self.tool(), self.client()
        worker = self.coordinator.worker([tool])
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        self.answer(worker)
        self.finish(client, run)

    def test_outputs_of_one_run(self):
        run = self.submit(self.observer, self.plan(60), watch="end")
        for _ in range(60):
            attempt = self.worker.skip_to("dispatch")["attempt"]
            self.worker.send(type="result", attempt=attempt, ok=True, output="x" * 900_000)
        last = self.end(self.observer, run)[-1]
        self.assertEqual(last["kind"], "run_failed")
        self.assertEqual(last["data"]["error"]["code"], "limit")
        self.assertIn("run_bytes", last["data"]["error"]["message"])
        self.assertHeld(40 * MIB)

    def test_outputs_of_many_runs(self):
        runs = [self.submit(self.observer, self.plan(2), watch="end") for _ in range(30)]
        attempts = [self.worker.skip_to("dispatch")["attempt"] for _ in range(60)]
        for attempt in attempts:
            if attempt.split("/")[1] == "0":
                self.worker.send(type="result", attempt=attempt, ok=True, output="x" * 900_000)
        cancelled, ended = set(), {}
        while len(ended) < len(runs):
            # The largest runs have ended; the others continue and succeed.
            if not cancelled:
                while (message := self.worker.receive())["type"] != "cancel":
                    pass
                cancelled.add(message["attempt"])
                for attempt in attempts:
                    if attempt.split("/")[1] == "1":
                        self.worker.send(type="result", attempt=attempt, ok=True, output=None)
            event = self.observer.skip_to("event")
            if event["kind"].startswith("run_"):
                ended[event["run"]] = event
        kinds = [event["kind"] for event in ended.values()]
        self.assertGreater(kinds.count("run_succeeded"), 10)
        for event in ended.values():
            if event["kind"] == "run_failed":
                self.assertIn("held_bytes", event["data"]["error"]["message"])
        self.assertHeld(60 * MIB)

    def test_failures_of_one_run(self):
        run = self.submit(self.observer, self.plan(600), watch="end")
        error = {"code": "tool_error", "message": "x" * 200_000}
        ended = False
        while not ended:
            message = self.worker.receive()
            if message["type"] == "dispatch":
                self.worker.send(type="result", attempt=message["attempt"], ok=False, error=error)
            ended = message["type"] == "cancel"
        while True:
            message = self.observer.receive()
            if message["type"] == "event" and message["kind"].startswith("run_"):
                break
        self.assertEqual(message["data"]["error"]["code"], "limit")
        self.assertHeld(40 * MIB)

    def test_plans_that_wait_for_a_tool(self):
        task = plan(("a", "nobody-has-this", {"x": "y" * 900_000}))
        accepted, busy = 0, 0
        for number in range(60):
            self.observer.send(type="submit", key=f"k{number}", plan=task)
            message = self.observer.receive()
            accepted += message["type"] == "accepted"
            if message["type"] == "error":
                self.assertEqual(message["code"], "busy")
                self.assertIn("held_bytes", message["message"])
                busy += 1
        self.assertGreater(busy, 30)
        self.assertGreater(accepted, 10)
        self.assertHeld(50 * MIB)

    def test_an_answer_larger_than_a_value_may_be(self):
        for join, expected in [("json", "limit"), ("concat", "limit")]:
            with self.subTest(join):
                run = self.submit(self.observer, self.plan(6), watch="end", join=join)
                for _ in range(6):
                    self.answer(self.worker, output="x" * 900_000)
                self.finish(self.observer, run)
                self.observer.send(type="get", request=1, what="answer", id=run)
                error = self.observer.skip_to("error", request=1)
                self.assertEqual(error["code"], expected)
                self.assertIn("max_value", error["message"])
                # Every node can be fetched.
                self.observer.send(type="get", request=2, what="node", id=run, node="n5")
                self.observer.skip_to("reply", request=2)
        self.assertHeld(50 * MIB)


class FinishedRunsTests(HoldingTest):
    """Runs that have ended are on disk; memory has the latest ones only."""

    OPTIONS = ["--memory-budget", "24MiB"]
    RUNS = 300

    def test_they_leave_memory_and_are_read_back(self):
        text = json.dumps("x" * (256 * KIB))
        runs = []
        for number in range(self.RUNS):
            runs.append(self.submit(self.observer, self.plan(1), watch="end", join="json"))
            attempt = self.worker.skip_to("dispatch")["attempt"]
            self.send_value(attempt, text)
            self.end(self.observer, runs[-1])
        # All outputs together have 75 MiB.
        self.assertHeld(60 * MIB)
        for run in (runs[0], runs[self.RUNS // 2], runs[-1]):
            node = self.get(self.observer, "node", id=run, node="n0")
            self.assertEqual(len(node["output"]), 256 * KIB)
        self.assertHeld(60 * MIB)


if __name__ == "__main__":
    unittest.main()
