"""A coordinator that is stopped and continues does not count its absence as silence of its peers,
and no request blocks its loop."""

import json
import os
import pathlib
import signal
import tempfile
import time
import unittest

from peer import PATIENCE, WEFT, Closed, Coordinator, Process, line
from test_coordinator import CoordinatorTest, plan


class AbsenceTests(CoordinatorTest):
    """A coordinator with short heartbeats and leases, which is stopped for longer than a lease."""

    @classmethod
    def setUpClass(cls):
        cls.coordinator = Coordinator(heartbeat="500ms", lease="2500ms", resume_window="500ms")
        cls.addClassCleanup(cls.coordinator.stop)

    def pause(self, seconds, body=lambda: None):
        """Stops the coordinator for that long, and calls a function meanwhile."""
        process = self.coordinator.process.process
        process.send_signal(signal.SIGSTOP)
        try:
            body()
            time.sleep(seconds)
        finally:
            process.send_signal(signal.SIGCONT)

    def test_a_pause_loses_no_connection_and_no_outcome(self):
        tool = self.tool()
        worker, idle = self.coordinator.worker([tool], slots=1), self.coordinator.worker(["other"])
        client = self.client()
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        attempt = worker.skip_to("dispatch")["attempt"]

        def work():
            worker.send(type="started", attempt=attempt)
            worker.send(type="result", attempt=attempt, ok=True, output=7, duration_us=5)

        self.pause(6, work)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        self.assertIn(attempt, worker.skip_to("ack")["attempts"])
        for peer in [worker, idle, client]:
            peer.send(type="ping", n=77)
            peer.skip_to("pong", n=77)
        # And a heartbeat later, too.
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            for peer in [worker, idle, client]:
                peer.send(type="ping", n=78)
                peer.skip_to("pong", n=78)

    def test_a_worker_that_reconnected_meanwhile_is_accepted(self):
        tool = self.tool()
        worker = self.coordinator.worker([tool], slots=1)
        client = self.client()
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        attempt = worker.skip_to("dispatch")["attempt"]
        resume = {"session": worker.welcome["session"], "epoch": worker.welcome["epoch"]}
        self.pause(4, worker.close)
        # It waits a while before it connects again, as after several failures.
        time.sleep(1.5)
        back = self.coordinator.worker([tool], slots=1, name=worker.name, resume=resume,
                                       in_flight=[{"attempt": attempt, "state": "running"}])
        self.assertEqual(back.registered["adopt"], [attempt])
        back.send(type="result", attempt=attempt, ok=True, output=7, duration_us=5)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_a_lease_still_ends(self):
        silent = self.coordinator.greet("client", answers_pings=False)
        self.pause(3)
        begin = time.monotonic()
        with self.assertRaises(Closed):
            while True:
                silent.receive()
        self.assertGreater(time.monotonic() - begin, 0.5)


class StoppedWorkerTests(CoordinatorTest):
    """A real worker that is stopped for longer than its lease: its nodes run elsewhere, and when it
    continues, it ends its old attempts."""

    @classmethod
    def setUpClass(cls):
        cls.coordinator = Coordinator(heartbeat="500ms", lease="1500ms", resume_window="300ms")
        cls.addClassCleanup(cls.coordinator.stop)

    def start_worker(self, name, folder):
        manifest = folder / "tools.yaml"
        wait = 'echo "$$ $WEFT_ATTEMPT" >> {0}/{1}; exec sleep 97'
        manifest.write_text(json.dumps({"tools": [
            {"name": "again", "description": "Waits.", "idempotent": True,
             "command": ["sh", "-c", wait.format(folder, "again")]},
            {"name": "once", "description": "Waits.",
             "command": ["sh", "-c", wait.format(folder, "once")]}]}))
        key = pathlib.Path(self.coordinator.folder.name, "worker.key")
        worker = Process([WEFT, "worker", "--coordinator", f"127.0.0.1:{self.coordinator.port}",
                          "--key-file", str(key), "--tools", str(manifest), "--name", name,
                          "--slots", "4"])
        self.addCleanup(worker.stop)
        return worker

    def eventually(self, condition, words):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            self.assertLess(time.monotonic(), deadline, words)
            time.sleep(0.05)
        return found

    def test_its_nodes_go_elsewhere_and_its_processes_end(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        folder = pathlib.Path(scratch.name)
        worker = self.start_worker("stopped", folder)
        worker.wait_for("connected|registered|joined")
        client = self.client()
        tasks = plan(("a", "again", {}), ("o", "once", {}))
        run = self.submit(client, tasks, watch="nodes")
        started = {name: self.eventually(
            lambda: (folder / name).exists() and (folder / name).read_text().split(), name)
            for name in ["again", "once"]}
        pids = [int(words[0]) for words in started.values()]
        # The next worker for the node is one of the test's own.
        other = self.coordinator.worker([{"name": "again", "idempotent": True,
                                          "description": "Waits."}])
        worker.process.send_signal(signal.SIGSTOP)
        try:
            dispatch = other.skip_to("dispatch", node="a")
            other.send(type="result", attempt=dispatch["attempt"], ok=True, output="done")
            # The first client has sent nothing for a lease, and may be gone.
            client = self.client()
            client.send(type="watch", run=run, level="nodes", **{"from": 0})
            failed = client.skip_to("event", run=run, kind="node_failed")
            self.assertEqual((failed["node"], failed["data"]["code"]), ("o", "outcome_unknown"))
            client.skip_to("event", run=run, kind="run_failed")
            for pid in pids:
                os.kill(pid, 0)
        finally:
            worker.process.send_signal(signal.SIGCONT)
        self.eventually(lambda: not any(self.lives(pid) for pid in pids), "they still run")
        viewer = self.coordinator.greet("viewer")
        self.eventually(lambda: [one for one in self.get(viewer, "workers")
                                 if one["name"] == "stopped" and one["state"] == "ready"
                                 and one["in_flight"] == 0], "it is not back")
        # It works again, and nothing was started twice.
        other.close()
        run = self.submit(self.client(), plan(("b", "again", {})))
        self.eventually(lambda: len((folder / "again").read_text().splitlines()) == 2, "no start")
        self.assertEqual(len((folder / "once").read_text().splitlines()), 1)

    def lives(self, pid):
        try:
            status = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return status.rsplit(")", 1)[1].split()[0] != "Z"


class FloodTests(CoordinatorTest):
    """Peers that send very many requests in one write, while another one wants a short answer."""

    NODES = 20_000
    QUESTIONS = 900
    LONGEST = 3
    """Seconds; a debug build on a busy machine is slow, but a blocked loop takes far longer."""

    def large_run(self, ended):
        client = self.client()
        key = f"large-{ended}"
        client.send(type="submit", key=key, stream=True, join="json", watch="end")
        for first in range(0, self.NODES, 2_000):
            tasks = [{"id": f"n{number}", "tool_name": "nobody", "args": {}, "dependencies": []}
                     for number in range(first, first + 2_000)]
            client.send(type="nodes", key=key, tasks=tasks, last=first + 2_000 == self.NODES)
        run = client.skip_to("accepted", key=key)["run"]
        if ended:
            client.send(type="cancel_run", run=run)
            client.skip_to("event", kind="run_cancelled")
        else:
            client.send(type="ping", n=1)
            client.skip_to("pong", n=1)
        return run

    def slowest_pong(self, flood):
        """The longest that a ping takes while a viewer's flood is being answered."""
        viewer, other = self.coordinator.greet("viewer"), self.client()
        viewer.socket.setblocking(False)
        left, slowest, answered = flood, 0.0, b""
        quiet = 0
        while quiet < 3:
            if left:
                try:
                    left = left[viewer.socket.send(left[:1 << 16]):]
                except BlockingIOError:
                    pass
            try:
                answered = viewer.socket.recv(1 << 20)
            except BlockingIOError:
                answered = b""
            begin = time.monotonic()
            other.send(type="ping", n=5)
            other.skip_to("pong", n=5)
            slowest = max(slowest, time.monotonic() - begin)
            quiet = quiet + 1 if not left and not answered and slowest > 0 else 0
            if quiet:
                time.sleep(0.05)
        viewer.close()
        return slowest

    def test_questions_do_not_hold_the_loop(self):
        ended, running = self.large_run(True), self.large_run(False)
        questions = {
            "explain of an ended run": {"what": "explain", "id": ended},
            "explain of a running run": {"what": "explain", "id": running},
            "nodes": {"what": "nodes", "id": ended},
            "runs": {"what": "runs", "limit": 1000},
            "a node": {"what": "node", "id": running, "node": "n7"},
            "workers": {"what": "workers"},
            "status": {"what": "status"},
        }
        for words, question in questions.items():
            with self.subTest(words):
                flood = b"".join(line({"type": "get", "request": number, **question})
                                 for number in range(self.QUESTIONS))
                self.assertLess(self.slowest_pong(flood), self.LONGEST)

    def test_other_requests_do_not_hold_the_loop(self):
        bad = plan(*[(f"n{number % 5}", "t", {"x": number}) for number in range(2_000)])
        floods = {
            "pings": b"".join(line({"type": "ping", "n": number}) for number in range(50_000)),
            "watches": b"".join(line({"type": "watch", "run": "nosuchrun", "request": number})
                                for number in range(5_000)),
        }
        for words, flood in floods.items():
            with self.subTest(words):
                self.assertLess(self.slowest_pong(flood), self.LONGEST)
        client = self.client()
        text = b"".join(line({"type": "submit", "key": f"bad-{number}", "plan": bad})
                        for number in range(40))
        other = self.client()
        client.socket.sendall(text)
        begin = time.monotonic()
        other.send(type="ping", n=6)
        other.skip_to("pong", n=6)
        self.assertLess(time.monotonic() - begin, self.LONGEST)
        for _ in range(40):
            client.skip_to("error", code="bad_plan")

    def test_pages_come_to_the_end(self):
        run = self.large_run(False)
        client, start, nodes, pages = self.client(), 0, 0, 0
        while start is not None:
            client.send(type="get", request=1, what="explain", id=run, **{"from": start})
            reply = self.reply(client)
            nodes += len(reply["data"]["nodes"])
            start = reply.get("next")
            pages += 1
        self.assertEqual(nodes, self.NODES)
        self.assertGreater(pages, 1)

    def reply(self, client):
        chunks = b""
        while True:
            message = client.receive()
            if message["type"] == "chunk":
                chunks += message["data"].encode()
                continue
            self.assertEqual(message["type"], "reply")
            if "data" not in message:
                message["data"] = json.loads(chunks)
            return message


if __name__ == "__main__":
    unittest.main()
