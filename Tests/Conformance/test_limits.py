"""Every limit at its edge: the largest allowed value is accepted, the next one is refused as the
protocol says, without effect on others. The limits are set by a configuration file."""

import json
import secrets
import socket
import time
import unittest

from peer import PATIENCE, Closed, Coordinator, line
from test_coordinator import CoordinatorTest, plan

KIB = 1 << 10


class SmallLimits(CoordinatorTest):
    """A coordinator whose limits are small enough to be reached."""

    OPTIONS = []
    LIMITS = {}

    @classmethod
    def setUpClass(cls):
        cls.coordinator = Coordinator(*cls.OPTIONS, **cls.LIMITS)
        cls.addClassCleanup(cls.coordinator.stop)

    def assertWell(self):
        """Checks that a new client can run a plan from end to end."""
        tool = self.tool()
        worker, client = self.coordinator.worker([tool], slots=1), self.client()
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        self.answer(worker)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        worker.close()
        client.close()

    def eventually_welcomed(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.coordinator.greet("client")
            except (AssertionError, Closed, ConnectionError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


class LineTests(SmallLimits):
    LIMITS = {"max_line": "8KiB", "max_line_before_authentication": "4KiB", "chunk": "2KiB",
              "window": "4KiB", "max_value": "64KiB"}

    def padded(self, length, **message):
        text = json.dumps({**message, "x": ""})
        return text.replace('"x": ""', '"x": "%s"' % ("x" * (length - len(text)))).encode()

    def test_the_welcome_announces_what_was_set(self):
        limits = self.client().welcome["limits"]
        self.assertEqual(limits, {"max_line": 8 * KIB, "max_value": 64 * KIB, "window": 4 * KIB})

    def test_a_line_before_the_welcome(self):
        hello = {"type": "hello", "versions": [1], "role": "client", "name": "ada",
                 "nonce": secrets.token_hex(32)}
        peer = self.coordinator.connect()
        peer.send_raw(self.padded(4 * KIB, **hello) + b"\n")
        peer.expect("challenge")
        peer = self.coordinator.connect()
        peer.send_raw(self.padded(4 * KIB + 1, **hello) + b"\n")
        peer.expect_fatal("line_too_long")
        self.assertWell()

    def test_a_line(self):
        client = self.client()
        client.send_raw(self.padded(8 * KIB, type="ping", n=1) + b"\n")
        client.expect("pong", n=1)
        client.send_raw(self.padded(8 * KIB + 1, type="ping", n=2) + b"\n")
        client.expect_fatal("line_too_long")
        self.assertWell()

    def test_a_line_that_never_ends(self):
        client = self.client()
        client.send_raw(b"x" * (8 * KIB + 1))
        client.expect_fatal("line_too_long")
        self.assertWell()

    def value(self, length):
        """A worker sends a value of that many bytes; returns the worker, the client and the run."""
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        attempt = worker.skip_to("dispatch")["attempt"]
        text = json.dumps("x" * (length - 2))
        pieces = [text[start:start + 2 * KIB] for start in range(0, length, 2 * KIB)]
        room = 4 * KIB
        for seq, piece in enumerate(pieces):
            while room < len(piece):
                room += worker.skip_to("window", attempt=attempt)["bytes"]
            room -= len(piece)
            worker.send(type="chunk", attempt=attempt, seq=seq, stream="value", data=piece)
        worker.send(type="result", attempt=attempt, ok=True, output_chunks={
            "count": len(pieces), "bytes": length})
        return worker, client, run

    def test_a_value(self):
        _, client, run = self.value(64 * KIB)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        with self.assertRaises((AssertionError, ConnectionError)) as caught:
            worker, _, _ = self.value(64 * KIB + 1)
            worker.skip_to("error", code="limit", fatal=True)
            worker.expect_end()
            raise AssertionError("refused as it should be")
        self.assertIn("refused", str(caught.exception))
        self.assertWell()

    def long(self, message, *path):
        """The message with a text at that path that makes it as long as a line may be."""
        place = message
        for key in path[:-1]:
            place = place[key]
        # In JSON this is one character of six bytes; a part of the rest is ordinary text.
        for part, text in (("\u0001", ""), ("x", "\u0001" * 100)):
            place[path[-1]] = text
            room = 8 * KIB - len(json.dumps(message))
            place[path[-1]] = text + part * (room // len(json.dumps(part)[1:-1]))
            yield json.loads(json.dumps(message))

    def assertFits(self, client, kind):
        """Reads up to that event, and expects that every line keeps the limit."""
        while True:
            message = client.receive()
            self.assertLessEqual(len(line(message)), 8 * KIB + 1, str(message)[:200])
            if message.get("kind") == kind:
                return

    def test_events_about_long_texts_keep_the_limit(self):
        tool = self.tool()
        client, worker = self.client(), self.coordinator.worker([tool])
        for field in ("message", "stderr_tail", "code"):
            error = {"code": "tool_error", "message": "m"}
            result = {"type": "result", "ok": False, "attempt": "0123456789/0/1", "error": error}
            for message in self.long(result, "error", field):
                run = self.submit(client, plan(("a", tool, {})), watch="all")
                message["attempt"] = worker.skip_to("dispatch", run=run)["attempt"]
                worker.send(**message)
                self.assertFits(client, "run_failed")
        run = self.submit(client, plan(("a", tool, {})), watch="all")
        attempt = worker.skip_to("dispatch", run=run)["attempt"]
        progress = {"type": "progress", "attempt": attempt, "fraction": 0.5}
        for message in self.long(progress, "note"):
            worker.send(**message)
            self.assertFits(client, "progress")
        chunk = {"type": "chunk", "attempt": attempt, "stream": "stdout", "seq": 0}
        for number, message in enumerate(self.long(chunk, "data")):
            worker.send(**{**message, "seq": number})
            self.assertFits(client, "chunk")
        worker.send(type="result", attempt=attempt, ok=True, output=1)
        self.assertFits(client, "run_succeeded")
        for message in self.long({"type": "cancel_run", "run": "0123456789"}, "reason"):
            message["run"] = self.submit(client, plan(("a", tool, {})), watch="all")
            attempt = worker.skip_to("dispatch", run=message["run"])["attempt"]
            client.send(**message)
            worker.skip_to("cancel", attempt=attempt)
            worker.send(type="result", attempt=attempt, ok=False,
                        error={"code": "cancelled", "message": "it was"})
            self.assertFits(client, "run_cancelled")

    def test_messages_of_the_coordinator_keep_the_limit(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        names = [f"n{number}-{'x' * 50}" for number in range(300)]
        for start in range(0, len(names), 20):
            tasks = plan(*[(name, tool, {}) for name in names[start:start + 20]])["tasks"]
            if start == 0:
                client.send(type="submit", key="long", plan={"tasks": tasks}, stream=True)
            else:
                client.send(type="nodes", key="long", tasks=tasks,
                            last=start + 20 >= len(names))
        run = client.skip_to("accepted", key="long")["run"]
        client.send(type="get", request=1, what="run", id=run)
        longest, seen = 0, 0
        while True:
            message = client.receive()
            longest = max(longest, len(line(message)))
            seen += message["type"] == "chunk"
            if message["type"] == "reply":
                break
        self.assertLessEqual(longest, 8 * KIB + 1)


class CountTests(SmallLimits):
    # With a journal, runs that are too many for memory are read from disk.
    OPTIONS = ["--ephemeral"]
    LIMITS = {"connections": 30, "unauthenticated_connections": 4, "unknown_types": 3,
              "tools_per_worker": 2, "slots_per_worker": 5, "unfinished_runs": 3,
              "finished_runs": 2, "finished_events": 2}

    def test_connections_before_the_handshake(self):
        waiting = [self.coordinator.connect() for _ in range(40)]
        # Idle connections keep no peer out: the oldest is closed.
        client = self.coordinator.greet("client")
        client.send(type="ping", n=1)
        client.expect("pong", n=1)
        for peer in waiting[:36]:
            peer.expect_fatal("busy")
        waiting[-1].send(type="hello", versions=[1], role="client", name="a",
                         nonce=secrets.token_hex(32))
        waiting[-1].expect("challenge")
        for peer in waiting:
            peer.close()
        self.eventually_welcomed()

    def test_connections(self):
        peers = [self.eventually_welcomed()]
        try:
            while len(peers) <= 30:
                peers.append(self.client())
        except AssertionError as error:
            self.assertIn("busy", str(error))
        self.assertEqual(len(peers), 30)
        peers[7].send(type="ping", n=7)
        peers[7].expect("pong", n=7)
        peers.pop().close()
        self.eventually_welcomed()

    def test_unknown_types(self):
        client = self.client()
        for _ in range(3):
            client.send(type="celebrate")
            self.assertIs(client.expect("error", code="unknown_type").get("fatal", False), False)
        client.send(type="celebrate")
        client.expect_fatal("unknown_type")

    def test_tools_and_slots_of_a_worker(self):
        self.coordinator.worker(["a", "b"], slots=5)
        for slots, tools in [(5, ["a", "b", "c"]), (6, ["a"])]:
            worker = self.coordinator.greet("worker")
            worker.send(type="register", slots=slots, in_flight=[],
                        tools=[{"name": name} for name in tools])
            worker.expect_fatal("limit")

    def test_unfinished_runs(self):
        tool, client = self.tool(), self.client()
        runs = [self.submit(client, plan(("a", tool, {})), watch="end") for _ in range(3)]
        client.send(type="submit", key="more", plan=plan(("a", tool, {})))
        error = client.skip_to("error", code="busy")
        self.assertIs(error.get("fatal", False), False)
        for run in runs:
            client.send(type="cancel_run", run=run)
            client.skip_to("event", run=run, kind="run_cancelled")
        self.assertWell()

    def test_finished_runs(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        runs = []
        for _ in range(3):
            runs.append(self.submit(client, plan(("a", tool, {})), watch="end"))
            self.answer(worker)
            self.end(client, runs[-1])
        client.send(type="get", request=1, what="run", id=runs[0])
        client.expect("error", code="unknown_run", request=1)
        for run in runs[1:]:
            self.get(client, "run", id=run)


class TimeTests(SmallLimits):
    LIMITS = {"handshake": "1s", "heartbeat": "500ms", "lease": "1500ms", "resume_window": "0s",
              "cancel_grace": "700ms", "missed_heartbeats": 1}

    def test_the_welcome_announces_what_was_set(self):
        welcome = self.client().welcome
        self.assertEqual((welcome["heartbeat_ms"], welcome["lease_ms"]), (500, 1500))

    def test_a_handshake(self):
        peer = self.coordinator.connect()
        begin = time.monotonic()
        peer.expect_fatal("auth_timeout")
        self.assertGreater(time.monotonic() - begin, 0.9)
        self.assertWell()

    def test_a_silent_worker_keeps_its_attempt_for_a_lease(self):
        tool = {"name": self.tool(), "idempotent": True}
        silent = self.coordinator.worker([tool], answers_pings=False)
        client = self.client()
        run = self.submit(client, plan(("a", tool["name"], {})))
        client.close()
        silent.skip_to("dispatch")
        begin = time.monotonic()
        other = self.coordinator.worker([tool])
        self.answer(other)
        self.assertGreater(time.monotonic() - begin, 0.9)
        client = self.client()
        client.send(type="watch", run=run, level="end")
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_a_cancel_tells_the_grace(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="started", attempt=attempt)
        client.send(type="cancel_run", run=run)
        self.assertEqual(worker.skip_to("cancel", attempt=attempt)["grace_ms"], 700)


class HandshakeRateTests(SmallLimits):
    LIMITS = {"handshake_rate": 2}

    def test_an_address_that_proves_nothing_has_to_wait(self):
        # Those who prove themselves cost nothing.
        for _ in range(60):
            self.coordinator.greet("client").close()
        closed = 0
        for _ in range(60):
            peer = self.coordinator.connect()
            peer.send_raw(b"nonsense\n")
            try:
                while True:
                    peer.receive()
            except (Closed, ConnectionError):
                closed += 1
            peer.close()
        self.assertEqual(closed, 60)
        self.assertTrue(any("has to wait" in each for each in self.coordinator.process.log),
                        self.coordinator.process.log)
        self.eventually_welcomed()


class CrowdTests(SmallLimits):
    """The effect of many and of slow peers on the others."""

    LIMITS = {"unsent_bytes": "1MiB"}

    def test_a_thousand_connections_at_once(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        crowd = []
        self.addCleanup(lambda: [one.close() for one in crowd])
        for _ in range(1000):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.coordinator.port))
            crowd.append(one)
        # Meanwhile work continues.
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        self.answer(worker)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        for number, one in enumerate(crowd):
            one.setblocking(True)
            one.settimeout(PATIENCE)
            one.sendall(line({"type": "hello", "versions": [1], "role": "client",
                              "name": f"c{number}", "nonce": secrets.token_hex(32)}))
        for one in crowd:
            self.assertIn(b'"challenge"', one.recv(4096))
        self.assertWell()

    def test_a_watcher_that_reads_late(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        lazy = self.client(answers_pings=False)
        lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
        lazy.send(type="watch", run=run, level="all")
        lazy.skip_to("event", run=run)
        dispatch = worker.skip_to("dispatch")
        worker.send(type="started", attempt=dispatch["attempt"])
        room, seq, sent = 8 << 20, 0, 0
        while sent < 24 << 20:
            while room < 64 * KIB:
                room += worker.skip_to("window", attempt=dispatch["attempt"])["bytes"]
            worker.send(type="chunk", attempt=dispatch["attempt"], seq=seq, stream="stdout",
                        data="x" * (64 * KIB))
            room, seq, sent = room - 64 * KIB, seq + 1, sent + 64 * KIB
        worker.send(type="result", attempt=dispatch["attempt"], ok=True, output=None)
        # The run ends, and others hear of it; the lazy one is not waited for, and hears of it when
        # it reads: a snapshot stands for the events that are not kept any more.
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        kinds = [""]
        while not kinds[-1].startswith("run_"):
            kinds.append(lazy.skip_to("event", run=run)["kind"])
        self.assertIn("snapshot", kinds)
        self.assertEqual(kinds[-1], "run_succeeded")
        self.assertWell()

    def test_a_worker_that_stops_reading(self):
        tool = {"name": self.tool(), "idempotent": True}
        lazy, client = self.coordinator.worker([tool], slots=64), self.client()
        lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
        tasks = [(f"n{number}", tool["name"], {"x": "y" * 200_000}) for number in range(100)]
        client.send(type="submit", key="big", plan={"tasks": []}, stream=True)
        for number, task in enumerate(tasks):
            client.send(type="nodes", key="big", tasks=plan(task)["tasks"],
                        last=number == len(tasks) - 1)
        run = client.skip_to("accepted", key="big")["run"]
        # Another worker runs the nodes of the one that does not read, after that is given up.
        other = self.coordinator.worker([tool], slots=64)
        done = 0
        while done < len(tasks):
            message = other.receive(40)
            if message["type"] == "dispatch":
                other.send(type="result", attempt=message["attempt"], ok=True, output=None)
                done += 1
        # The client that submitted the run sent nothing for a lease, and may be gone.
        client = self.client()
        client.send(type="watch", run=run, level="end")
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")


if __name__ == "__main__":
    unittest.main()
