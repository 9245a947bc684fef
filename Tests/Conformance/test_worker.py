"""The protocol's rules for a worker, tested by a scripted coordinator on two of them: the project's
own and the independent one in this folder."""

import json
import secrets
import sys
import tempfile
import time
import unittest
from pathlib import Path

from peer import WEFT, Closed, Listener, Process, line, mac

HERE = Path(__file__).resolve().parent


class Suite:
    """The tests; a subclass for each worker starts it."""

    program = []

    def setUp(self):
        self.key = secrets.token_bytes(32)
        self.coordinator = Listener(self.key)
        self.addCleanup(self.coordinator.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.key_file = Path(folder.name, "worker.key")
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(self.key.hex() + "\n")

    def start(self, slots=2):
        self.worker = Process([*self.program, "--coordinator", self.coordinator.address,
                               "--key-file", str(self.key_file), "--name", "w-1",
                               "--slots", str(slots)])
        self.addCleanup(self.worker.stop)

    def ready(self, slots=2, **options):
        self.start(slots)
        peer = self.coordinator.ready(**options)
        return peer

    def dispatch(self, peer, attempt, tool, args=None, **fields):
        run, _, number = attempt.split("/")
        message = {"type": "dispatch", "attempt": attempt, "run": run, "node": "t1", "tool": tool,
                   "args": {} if args is None else args, "lease_ms": 10000,
                   "max_output": 1 << 24, "number": int(number), **fields}
        if "args_chunks" in message:
            del message["args"]
        peer.send(**message)

    def held(self, peer, number=99):
        """The attempts that the worker reports; earlier results are skipped."""
        peer.send(type="ping", n=number)
        return peer.skip_to("pong", n=number)["in_flight"]

    # Handshake

    def test_both_sides_prove_the_key(self):
        self.start()
        peer = self.coordinator.shake_hands()
        self.assertEqual(peer.hello["name"], "w-1")
        self.assertIn(1, peer.hello["versions"])
        self.assertRegex(peer.hello["nonce"], "^[0-9a-f]{64}$")
        self.assertIsNone(peer.hello.get("resume"))

    def assert_refused(self, peer):
        peer.expect("error", code="auth_failed", fatal=True)
        peer.expect_end()
        self.assertEqual(self.worker.exit_code(), 4)
        self.assertFalse(self.coordinator.has_caller(0))

    def test_a_coordinator_with_another_key_is_refused(self):
        self.start()
        peer = self.coordinator.accept()
        hello = peer.expect("hello")
        self.coordinator.challenge(peer, hello, "s1", key=secrets.token_bytes(32))
        self.assert_refused(peer)

    def test_a_proof_of_the_other_side_is_refused(self):
        self.start()
        peer = self.coordinator.accept()
        hello = peer.expect("hello")
        self.coordinator.challenge(peer, hello, "s1", side="peer")
        self.assert_refused(peer)

    def test_a_recorded_challenge_is_refused(self):
        self.start()
        first = self.coordinator.accept()
        hello = first.expect("hello")
        nonce = self.coordinator.challenge(first, hello, "s1")
        first.expect("auth")
        first.close()
        second = self.coordinator.accept()
        again = second.expect("hello")
        self.assertNotEqual(again["nonce"], hello["nonce"])
        # The same nonce, session and proof as before: what a listener could send.
        second.send(type="challenge", version=1, nonce=nonce, session="s1",
                    mac=mac(self.key, "coordinator", "worker", hello["nonce"], nonce, "w-1", "s1"))
        self.assert_refused(second)

    def test_a_worker_that_is_refused_ends(self):
        self.start()
        peer = self.coordinator.accept()
        hello = peer.expect("hello")
        self.coordinator.challenge(peer, hello, "s1")
        peer.expect("auth")
        peer.send(type="error", code="auth_failed", message="not authenticated", fatal=True)
        peer.close()
        self.assertEqual(self.worker.exit_code(), 4)

    def test_a_replaced_worker_ends(self):
        peer = self.ready()
        peer.send(type="error", code="duplicate_name", message="another one came", fatal=True)
        self.assertEqual(self.worker.exit_code(), 1)
        self.assertFalse(self.coordinator.has_caller(0))

    def test_work_before_the_handshake_is_refused(self):
        self.start()
        peer = self.coordinator.accept()
        peer.expect("hello")
        self.dispatch(peer, "r/0/1", "noop")
        while True:
            try:
                message = peer.receive()
            except Closed:
                break
            self.assertEqual(message["type"], "error")
            self.assertTrue(message["fatal"])

    # Registration

    def test_registration_lists_its_tools(self):
        register = self.ready(slots=3).register
        self.assertEqual(register["slots"], 3)
        self.assertEqual(register.get("in_flight") or [], [])
        tools = {tool["name"]: tool for tool in register["tools"]}
        for name in ("noop", "echo", "sleep", "fail"):
            self.assertTrue(tools[name]["idempotent"], name)
        self.assertEqual(tools["echo"].get("parameters") or {}, {})
        self.assertEqual(tools["sleep"]["parameters"]["required"], ["ms"])
        self.assertIs(tools["fail"]["parameters"]["additionalProperties"], False)
        if "pid" in register:
            self.assertEqual(register["pid"], self.worker.process.pid)

    # Attempts

    def test_a_result_answers_a_dispatch(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "noop")
        result = peer.skip_to("result", attempt="r/0/1")
        self.assertIs(result["ok"], True)
        self.assertIn("output", result)
        self.assertIsNone(result["output"])

    def test_values_come_back_unchanged(self):
        peer = self.ready()
        values = {"text": "ä\u0000\n\"\\\u2028😀", "n": [0, -1, 2**53, 0.5, 1e-7],
                  "": {"a": [[], {}, None, True]}, "deep": json.loads("[" * 50 + "]" * 50)}
        self.dispatch(peer, "r/0/1", "echo", values)
        self.assertEqual(peer.skip_to("result", attempt="r/0/1")["output"], values)

    def test_a_tool_that_takes_a_while_is_announced(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 50})
        peer.expect("started", attempt="r/0/1")
        result = peer.expect("result", attempt="r/0/1", ok=True)
        self.assertGreaterEqual(result.get("duration_us", 50_000), 49_000)

    def test_a_failure_has_all_its_fields(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "fail",
                      {"code": "no_luck", "message": "Not today.", "retryable": True})
        error = peer.skip_to("result", attempt="r/0/1", ok=False)["error"]
        self.assertEqual((error["code"], error["message"], error["retryable"]),
                         ("no_luck", "Not today.", True))
        self.dispatch(peer, "r/1/1", "fail")
        error = peer.skip_to("result", attempt="r/1/1", ok=False)["error"]
        self.assertEqual((error["code"], error.get("retryable", False)), ("tool_error", False))

    def test_the_number_of_the_attempt_reaches_the_tool(self):
        peer = self.ready()
        for number, is_good in [(1, False), (2, False), (3, True)]:
            self.dispatch(peer, f"r/0/{number}", "fail", {"times": 2, "retryable": True})
            result = peer.skip_to("result", attempt=f"r/0/{number}")
            self.assertEqual(result["ok"], is_good)

    def test_an_unknown_tool_is_rejected(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "nothing_like_it")
        peer.expect("reject", attempt="r/0/1", code="unknown_tool")
        self.assertEqual(self.held(peer), [])

    def test_arguments_that_do_not_fit_fail(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "sleep", {"ms": "long"})
        answer = peer.receive()
        if answer["type"] == "result":
            self.assertEqual((answer["ok"], answer["error"]["code"]), (False, "bad_args"))
        else:
            self.assertEqual((answer["type"], answer["code"]), ("reject", "bad_args"))

    def test_a_second_dispatch_of_an_attempt_changes_nothing(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 100})
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 100})
        peer.expect("started", attempt="r/0/1")
        peer.expect("result", attempt="r/0/1")
        # Not even when the result is waiting for its acknowledgement.
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 100})
        self.assertEqual(self.held(peer), ["r/0/1"])
        peer.expect_silence(0.3)

    def test_attempts_beyond_the_slots_wait_in_order(self):
        peer = self.ready(slots=1)
        for node in range(3):
            self.dispatch(peer, f"r/{node}/1", "sleep", {"ms": 20})
        self.assertEqual(sorted(self.held(peer)), ["r/0/1", "r/1/1", "r/2/1"])
        order = []
        while len(order) < 3:
            message = peer.receive()
            if message["type"] == "result":
                order.append(message["attempt"])
        self.assertEqual(order, ["r/0/1", "r/1/1", "r/2/1"])

    def test_a_time_limit_ends_the_attempt(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 60000}, timeout_ms=100)
        result = peer.skip_to("result", attempt="r/0/1", ok=False)
        self.assertEqual(result["error"]["code"], "timeout")

    # Cancelling

    def test_a_running_attempt_is_cancelled(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 60000})
        peer.expect("started", attempt="r/0/1")
        peer.send(type="cancel", attempt="r/0/1", reason="cancelled", grace_ms=5000)
        result = peer.expect("result", attempt="r/0/1", ok=False)
        self.assertEqual(result["error"]["code"], "cancelled")

    def test_a_waiting_attempt_is_cancelled(self):
        peer = self.ready(slots=1)
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 60000})
        peer.expect("started", attempt="r/0/1")
        self.dispatch(peer, "r/1/1", "noop")
        peer.send(type="cancel", attempt="r/1/1", reason="cancelled", grace_ms=5000)
        result = peer.expect("result", attempt="r/1/1", ok=False)
        self.assertEqual(result["error"]["code"], "cancelled")

    def test_only_a_waiting_attempt_is_recalled(self):
        peer = self.ready(slots=1)
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 300})
        peer.expect("started", attempt="r/0/1")
        self.dispatch(peer, "r/1/1", "noop")
        for attempt in ("r/0/1", "r/1/1"):
            peer.send(type="cancel", attempt=attempt, reason="recalled", grace_ms=0)
        peer.expect("reject", attempt="r/1/1", code="recalled")
        self.assertEqual(self.held(peer), ["r/0/1"])
        peer.expect("result", attempt="r/0/1", ok=True)

    def test_cancelling_an_unknown_attempt_does_nothing(self):
        peer = self.ready()
        peer.send(type="cancel", attempt="r/7/1", reason="cancelled", grace_ms=0)
        self.assertEqual(self.held(peer), [])
        self.dispatch(peer, "r/0/1", "noop")
        peer.skip_to("result", attempt="r/0/1")
        peer.send(type="cancel", attempt="r/0/1", reason="cancelled", grace_ms=0)
        self.assertEqual(self.held(peer), ["r/0/1"])

    # What it holds

    def test_a_pong_lists_all_attempts(self):
        peer = self.ready(slots=1)
        self.assertEqual(self.held(peer, 1), [])
        self.dispatch(peer, "r/0/1", "noop")
        self.dispatch(peer, "r/1/1", "sleep", {"ms": 60000})
        self.dispatch(peer, "r/2/1", "noop")
        peer.skip_to("started", attempt="r/1/1")
        # Ended without acknowledgement, running, waiting.
        self.assertEqual(sorted(self.held(peer, 2)), ["r/0/1", "r/1/1", "r/2/1"])
        peer.send(type="ack", attempts=["r/0/1"])
        self.assertEqual(sorted(self.held(peer, 3)), ["r/1/1", "r/2/1"])

    def test_a_stale_result_is_forgotten(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "noop")
        peer.skip_to("result", attempt="r/0/1")
        peer.send(type="ack", stale=["r/0/1"])
        self.assertEqual(self.held(peer), [])

    def test_a_result_is_sent_again_until_it_is_acknowledged(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "echo", {"a": 1})
        first = peer.skip_to("result", attempt="r/0/1")
        for _ in range(2):
            peer.close()
            peer = self.coordinator.ready()
            self.assertEqual(peer.hello["resume"], {"session": "s1", "epoch": 1})
            self.assertEqual(peer.register["in_flight"], [{"attempt": "r/0/1", "state": "done"}])
            again = peer.expect("result", attempt="r/0/1", ok=True)
            self.assertEqual(again["output"], first["output"])
        peer.send(type="ack", attempts=["r/0/1"])
        self.assertEqual(self.held(peer), [])

    def test_an_attempt_continues_when_the_connection_is_lost(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 1500})
        peer.expect("started", attempt="r/0/1")
        peer.close()
        peer = self.coordinator.ready()
        self.assertEqual(peer.register["in_flight"], [{"attempt": "r/0/1", "state": "running"}])
        peer.skip_to("result", attempt="r/0/1", ok=True)

    def test_an_abandoned_attempt_is_not_mentioned_again(self):
        peer = self.ready(slots=1)
        self.dispatch(peer, "r/0/1", "noop")
        peer.skip_to("result", attempt="r/0/1")
        self.dispatch(peer, "r/1/1", "sleep", {"ms": 60000})
        peer.expect("started", attempt="r/1/1")
        peer.close()
        peer = self.coordinator.ready(adopt=[], abandon=["r/0/1", "r/1/1"])
        self.assertEqual(self.held(peer), [])
        # Its slot is free again.
        self.dispatch(peer, "r/2/1", "noop")
        self.assertEqual(peer.skip_to("result")["attempt"], "r/2/1")

    def test_a_new_session_adopts_nothing(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 60000})
        peer.expect("started", attempt="r/0/1")
        peer.close()
        peer = self.coordinator.accept()
        hello = peer.expect("hello")
        self.coordinator.challenge(peer, hello, "s2")
        peer.expect("auth")
        peer.send(type="welcome", session="s2", epoch=2, software="a script",
                  limits={"max_line": 1 << 20, "max_value": 1 << 28, "window": 8 << 20},
                  heartbeat_ms=2000, lease_ms=10000)
        peer.expect("register")
        peer.send(type="registered", adopt=[], abandon=["r/0/1"])
        self.assertEqual(self.held(peer), [])

    def test_it_comes_back_after_a_bye(self):
        peer = self.ready()
        peer.send(type="bye", reason="shutting_down")
        peer.expect_end()
        again = self.coordinator.ready()
        self.assertEqual(again.hello["resume"], {"session": "s1", "epoch": 1})

    # Draining

    def test_a_drained_worker_finishes_and_sends_bye(self):
        peer = self.ready(slots=1)
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 200})
        peer.expect("started", attempt="r/0/1")
        self.dispatch(peer, "r/1/1", "noop")
        peer.send(type="drain", reason="update")
        peer.skip_to("reject", attempt="r/1/1", code="draining")
        self.dispatch(peer, "r/2/1", "noop")
        peer.expect("reject", attempt="r/2/1", code="draining")
        peer.expect("result", attempt="r/0/1", ok=True)
        # Not before the result is safe.
        self.assertEqual(self.held(peer), ["r/0/1"])
        peer.send(type="ack", attempts=["r/0/1"])
        peer.expect("bye")
        peer.expect_end()
        self.assertEqual(self.worker.exit_code(), 0)

    def test_a_terminated_worker_drains(self):
        peer = self.ready(slots=1)
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 200})
        peer.expect("started", attempt="r/0/1")
        self.worker.terminate()
        peer.expect("drain")
        peer.expect("result", attempt="r/0/1", ok=True)
        peer.send(type="ack", attempts=["r/0/1"])
        peer.expect("bye")
        self.assertEqual(self.worker.exit_code(), 0)

    def test_a_terminated_idle_worker_leaves_at_once(self):
        peer = self.ready()
        self.worker.terminate()
        peer.skip_to("bye")
        self.assertEqual(self.worker.exit_code(), 0)

    # Versions, framing

    def test_an_unknown_type_is_answered_and_tolerated(self):
        peer = self.ready()
        peer.send(type="celebrate", attempt="r/0/1", cake=True)
        error = peer.expect("error", code="unknown_type")
        self.assertFalse(error.get("fatal", False))
        self.assertEqual(self.held(peer), [])

    def test_unknown_fields_and_codes_are_ignored(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "echo", {"a": 1}, colour="blue", later={"x": [1, None]})
        self.assertEqual(peer.skip_to("result", attempt="r/0/1")["output"], {"a": 1})
        peer.send(type="error", code="from_the_future", message="take note", fatal=False)
        peer.send(type="ack", attempts=["r/0/1"], colour="blue")
        self.assertEqual(self.held(peer), [])

    def test_lines_may_come_in_any_pieces(self):
        peer = self.ready()
        ping = {"type": "ping", "n": 1}
        for byte in line(ping):
            peer.send_raw(bytes([byte]))
        peer.expect("pong", n=1)
        lines = b"\r\n" + line(ping)[:-1] + b"\r\n\n"
        peer.send_raw(lines + lines + line({"type": "pi"})[:12])
        peer.expect("pong", n=1)
        peer.expect("pong", n=1)

    def assert_drops(self, data, code):
        peer = self.ready()
        peer.send_raw(data)
        peer.expect("error", code=code, fatal=True)
        peer.expect_end()
        # The process goes on.
        self.coordinator.ready()

    def test_a_line_that_is_not_json_ends_the_connection(self):
        self.assert_drops(b'{"type":"ping",\n', "bad_json")

    def test_a_line_that_is_not_an_object_ends_the_connection(self):
        self.assert_drops(b'["ping",1]\n', "bad_json")

    def test_a_line_without_end_ends_the_connection(self):
        self.assert_drops(b'{"type":"ping","n":1,"x":"' + b"x" * (1 << 20), "line_too_long")

    def test_a_missing_field_ends_the_connection(self):
        self.assert_drops(b'{"type":"ping"}\n', "bad_message")

    # Large values

    def test_arguments_in_chunks_are_accepted_or_rejected(self):
        peer = self.ready()
        text = json.dumps({"text": "x" * 600_000})
        pieces = [text[start:start + 200_000] for start in range(0, len(text), 200_000)]
        for seq, piece in enumerate(pieces):
            peer.send(type="chunk", attempt="r/0/1", seq=seq, stream="args", data=piece)
        self.dispatch(peer, "r/0/1", "echo",
                      args_chunks={"count": len(pieces), "bytes": len(text)})
        self.assert_large_outcome(peer, "r/0/1", text)

    def assert_large_outcome(self, peer, attempt, text):
        peer.expect("reject", attempt=attempt, code="bad_args")
        self.assertEqual(self.held(peer), [])

    def test_arguments_with_a_piece_missing_are_rejected(self):
        peer = self.ready()
        peer.send(type="chunk", attempt="r/0/1", seq=0, stream="args", data='{"a":')
        self.dispatch(peer, "r/0/1", "echo", args_chunks={"count": 2, "bytes": 7})
        peer.expect("reject", attempt="r/0/1", code="bad_args")
        self.assertEqual(self.held(peer), [])

    def test_no_line_is_longer_than_announced(self):
        peer = self.ready(max_line=64 << 10)
        text = "x" * 50_000
        self.dispatch(peer, "r/0/1", "echo", {"text": text})
        while (message := peer.receive())["type"] == "chunk":
            self.assertLess(len(json.dumps(message)), 64 << 10)
        self.assertEqual(message["type"], "result")
        self.assertTrue("output_chunks" in message
                        or message["error"]["code"] == "output_too_large")


class OwnWorker(Suite, unittest.TestCase):
    """The worker of this project."""

    program = [WEFT, "worker", "--diagnostics", "--quiet"]

    def test_the_log_names_the_node_of_an_attempt(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "sleep", {"ms": 60000}, timeout_ms=100)
        peer.skip_to("result", attempt="r/0/1", ok=False)
        self.worker.wait_for(r"attempt=r/0/1 node=t1 run=r .*attempt timed out")

    def assert_large_outcome(self, peer, attempt, text):
        data = ""
        seq = 0
        while (message := peer.receive())["type"] in ("started", "chunk"):
            if message["type"] == "chunk" and message["stream"] == "value":
                self.assertEqual(message["seq"], seq)
                seq += 1
                data += message["data"]
        announced = message["output_chunks"]
        self.assertEqual(message["attempt"], attempt)
        self.assertEqual((announced["count"], announced["bytes"]), (seq, len(text)))
        self.assertEqual(json.loads(data), json.loads(text))

    def test_values_wait_for_their_window(self):
        peer = self.ready()
        self.dispatch(peer, "r/0/1", "payload", {"bytes": 9 << 20}, max_output=16 << 20)
        got = 0
        while got < 8 << 20:
            message = peer.receive()
            if message["type"] == "chunk":
                got += len(message["data"])
        self.assertEqual(got, 8 << 20)
        # A waiting value does not delay a heartbeat.
        self.assertEqual(self.held(peer), ["r/0/1"])
        peer.expect_silence(0.2)
        peer.send(type="window", attempt="r/0/1", bytes=2 << 20)
        while (message := peer.receive())["type"] == "chunk":
            got += len(message["data"])
        self.assertEqual(got, (9 << 20) + 2)
        self.assertEqual(message["output_chunks"]["bytes"], got)

    def test_a_key_twice_ends_the_connection(self):
        self.assert_drops(b'{"type":"ping","n":1,"n":2}\n', "bad_json")

    def test_text_that_is_not_utf8_ends_the_connection(self):
        self.assert_drops(b'{"type":"ping","n":1,"x":"\xff"}\n', "bad_json")

    def test_it_pings_a_silent_coordinator_and_then_leaves(self):
        self.start()
        peer = self.coordinator.ready()
        peer.answers_pings = False
        begin = time.monotonic()
        peer.expect("ping")
        peer.expect_end()
        self.assertLess(time.monotonic() - begin, 11)
        self.coordinator.ready()


class IndependentWorker(Suite, unittest.TestCase):
    """The worker in this folder, written from the protocol document."""

    program = [sys.executable, str(HERE / "worker.py")]
