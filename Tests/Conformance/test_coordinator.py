"""The protocol's rules for a coordinator, tested on a real one with raw lines by peers that share
no code with it."""

import json
import random
import secrets
import sys
import tempfile
import time
import unittest
from pathlib import Path

from peer import WEFT, Closed, Coordinator, Process, line, mac

HERE = Path(__file__).resolve().parent


def plan(*tasks, **fields):
    """A plan of (id, tool, args) triples; a fourth element names dependencies."""
    nodes = []
    for id, tool, args, *rest in tasks:
        nodes.append({"id": id, "tool_name": tool, "args": args,
                      "dependencies": rest[0] if rest else []})
    return {"tasks": nodes, **fields}


class CoordinatorTest(unittest.TestCase):
    """One coordinator for all tests of a class; every test leaves with its connections closed."""

    @classmethod
    def setUpClass(cls):
        cls.coordinator = Coordinator()
        cls.addClassCleanup(cls.coordinator.stop)

    def setUp(self):
        self.addCleanup(self.coordinator.hang_up)

    def client(self, **options):
        return self.coordinator.greet("client", **options)

    def tool(self):
        """A tool name that no other test uses."""
        return f"tool-{secrets.token_hex(4)}"

    def submit(self, client, plan, **fields):
        """Submits a plan and returns the id of its run."""
        key = fields.pop("key", None) or secrets.token_hex(8)
        client.send(type="submit", key=key, plan=plan, **fields)
        return client.skip_to("accepted", key=key)["run"]

    def answer(self, worker, ok=True, **fields):
        """Reads the next dispatch and answers it; returns the dispatch."""
        dispatch = worker.skip_to("dispatch")
        result = {"output": None} if ok else {}
        worker.send(type="result", attempt=dispatch["attempt"], ok=ok, **{**result, **fields})
        return dispatch

    def get(self, peer, what, **fields):
        number = random.randrange(1 << 30)
        peer.send(type="get", request=number, what=what, **fields)
        return peer.skip_to("reply", request=number, what=what)["data"]

    def end(self, client, run):
        """The events of the run up to the last one; checks their numbers."""
        events = [client.skip_to("event", run=run)]
        while not events[-1]["kind"].startswith("run_"):
            events.append(client.skip_to("event", run=run))
        numbers = [event["seq"] for event in events
                   if event["kind"] not in ("progress", "snapshot")]
        self.assertEqual(numbers, sorted(set(numbers)))
        times = [event["at_us"] for event in events if event["kind"] != "snapshot"]
        self.assertEqual(times, sorted(times))
        return events


class StateTests(unittest.TestCase):
    """The number of starts that a coordinator keeps in its lock file."""

    def start(self, text):
        with tempfile.TemporaryDirectory() as folder:
            lock = Path(folder, "coordinator.lock")
            lock.write_text(text)
            process = Process([WEFT, "coordinator", "--listen", "127.0.0.1:0", "--state", folder])
            try:
                if process.process.poll() is None:
                    try:
                        process.wait_for("listens on")
                        return lock.read_text()
                    except AssertionError:
                        pass
                return process.exit_code(), "\n".join(process.log), lock.read_text()
            finally:
                process.stop()

    def test_it_counts(self):
        self.assertEqual(self.start(""), "1\n")
        self.assertEqual(self.start("41\n"), "42\n")
        self.assertEqual(self.start(f"{(1 << 53) - 1}\n"), f"{1 << 53}\n")

    def test_a_file_without_a_number_is_reported_and_kept(self):
        for text in [f"{(1 << 63) - 1}\n", f"{1 << 63}\n", f"{1 << 53}\n", "-1\n", "many\n",
                     "9" * 40 + "\n"]:
            with self.subTest(text):
                code, log, left = self.start(text)
                self.assertGreater(code, 0)
                self.assertIn("should hold the number of this coordinator's starts", log)
                self.assertEqual(left, text)


class HandshakeTests(CoordinatorTest):
    def hello(self, peer, **fields):
        hello = {"type": "hello", "versions": [1], "role": "client", "name": "ada",
                 "nonce": secrets.token_hex(32), **fields}
        peer.send(**hello)
        return hello

    def proof(self, hello, challenge, side="peer", key=None):
        role = hello["role"]
        return mac(key or self.coordinator.key(role), side, role, hello["nonce"],
                   challenge["nonce"], hello["name"], challenge["session"])

    def test_the_handshake_in_any_pieces(self):
        key = self.coordinator.key("client")
        for split in ("bytes", "whole", "random"):
            with self.subTest(split):
                peer = self.coordinator.connect()
                hello = {"type": "hello", "versions": [1], "role": "client", "name": "ada",
                         "nonce": secrets.token_hex(32)}
                self.send_split(peer, line(hello), split)
                challenge = peer.expect("challenge", version=1)
                self.assertEqual(challenge["mac"],
                                 self.proof(hello, challenge, side="coordinator"))
                auth = line({"type": "auth", "mac": self.proof(hello, challenge, key=key)})
                # Messages that are legal only after the handshake may be in the same write.
                self.send_split(peer, auth + line({"type": "ping", "n": 7}), split)
                peer.expect("welcome")
                peer.expect("pong", n=7)

    def send_split(self, peer, data, split):
        if split == "whole":
            return peer.send_raw(data)
        source = random.Random(7)
        while data:
            size = 1 if split == "bytes" else source.randrange(1, 40)
            peer.send_raw(data[:size])
            data = data[size:]

    def test_the_welcome_announces_the_limits(self):
        welcome = self.client().welcome
        self.assertEqual(welcome["limits"]["max_line"], 1 << 20)
        self.assertGreater(welcome["limits"]["max_value"], 1 << 20)
        self.assertGreater(welcome["limits"]["window"], 0)
        self.assertEqual((welcome["heartbeat_ms"], welcome["lease_ms"]), (2000, 10000))
        self.assertGreaterEqual(welcome["epoch"], 1)

    def test_a_wrong_key_is_refused(self):
        peer = self.coordinator.connect()
        hello = self.hello(peer)
        challenge = peer.expect("challenge")
        peer.send(type="auth", mac=self.proof(hello, challenge, key=secrets.token_bytes(32)))
        peer.expect_fatal("auth_failed")

    def test_the_key_of_another_role_is_refused(self):
        for role, other in [("client", "worker"), ("client", "viewer"), ("worker", "client")]:
            with self.subTest(role=role, key=other):
                peer = self.coordinator.connect()
                hello = self.hello(peer, role=role)
                challenge = peer.expect("challenge")
                peer.send(type="auth",
                          mac=self.proof(hello, challenge, key=self.coordinator.key(other)))
                peer.expect_fatal("auth_failed")

    def test_a_key_that_there_is_not_looks_like_a_wrong_one(self):
        seen, wrong = [], secrets.token_bytes(32)
        for role, name, key in [
                ("worker", "worker", wrong), ("worker", None, wrong), ("worker", "nobody", wrong),
                ("worker", "worker~2", self.coordinator.key("worker")),
                ("client", "worker", self.coordinator.key("worker")),
                ("viewer", "client", self.coordinator.key("client"))]:
            with self.subTest(role=role, key=name):
                peer = self.coordinator.connect()
                hello = self.hello(peer, role=role, **({"key": name} if name else {}))
                challenge = peer.expect("challenge")
                peer.send(type="auth", mac=self.proof(hello, challenge, key=key))
                error = peer.expect_fatal("auth_failed")
                # Names and numbers that are never the same twice.
                shape = [(field, type(value), len(str(value)))
                         for field, value in challenge.items()]
                seen.append((shape, error))
        self.assertEqual(seen, [seen[0]] * 6)

    def test_a_reflected_proof_is_refused(self):
        peer = self.coordinator.connect()
        self.hello(peer)
        peer.send(type="auth", mac=peer.expect("challenge")["mac"])
        peer.expect_fatal("auth_failed")

    def test_a_recorded_handshake_is_refused(self):
        first = self.coordinator.connect()
        hello = self.hello(first)
        challenge = first.expect("challenge")
        proof = self.proof(hello, challenge)
        first.send(type="auth", mac=proof)
        first.expect("welcome")
        second = self.coordinator.connect()
        second.send(**hello)
        again = second.expect("challenge")
        self.assertNotEqual(again["nonce"], challenge["nonce"])
        self.assertNotEqual(again["mac"], challenge["mac"])
        second.send(type="auth", mac=proof)
        second.expect_fatal("auth_failed")

    def test_an_unknown_role_and_a_bad_name_look_like_a_wrong_key(self):
        texts = set()
        for fields in [{"role": "admin"}, {"name": ""}, {"name": "a b"}, {"name": "x" * 65}]:
            with self.subTest(**fields):
                peer = self.coordinator.connect()
                self.hello(peer, **fields)
                texts.add(peer.expect_fatal("auth_failed")["message"])
        peer = self.coordinator.connect()
        self.hello(peer)
        peer.expect("challenge")
        peer.send(type="auth", mac="00" * 32)
        texts.add(peer.expect_fatal("auth_failed")["message"])
        self.assertEqual(len(texts), 1, texts)

    def test_an_unknown_version_is_refused(self):
        peer = self.coordinator.connect()
        self.hello(peer, versions=[2, 3])
        peer.expect_fatal("unsupported_version")

    def test_the_best_common_version_is_chosen(self):
        peer = self.coordinator.connect()
        self.hello(peer, versions=[9, 1, 4])
        peer.expect("challenge", version=1)

    def test_bad_fields_are_named(self):
        for fields, name in [({"nonce": "ab"}, "nonce"), ({"nonce": "z" * 64}, "nonce"),
                             ({"versions": "1"}, "versions"), ({"versions": None}, "versions")]:
            with self.subTest(**fields):
                peer = self.coordinator.connect()
                self.hello(peer, **fields)
                self.assertIn(name, peer.expect_fatal("bad_message")["message"])

    def test_nothing_but_the_handshake_before_the_welcome(self):
        for message in [{"type": "ping", "n": 1}, {"type": "get", "request": 1, "what": "status"},
                        {"type": "submit", "key": "k", "plan": plan(("a", "x", {}))},
                        {"type": "auth", "mac": "00" * 32},
                        {"type": "register", "slots": 1, "tools": []}]:
            with self.subTest(message["type"]):
                peer = self.coordinator.connect()
                peer.send(**message)
                peer.expect_fatal("not_ready")

    def test_an_unknown_type_before_the_welcome_is_fatal(self):
        peer = self.coordinator.connect()
        peer.send(type="celebrate")
        peer.expect_fatal("unknown_type")

    def test_a_second_hello_is_refused(self):
        peer = self.coordinator.connect()
        self.hello(peer)
        peer.expect("challenge")
        self.hello(peer)
        peer.expect_fatal("not_ready")

    def test_a_hello_after_the_welcome_is_refused(self):
        peer = self.client()
        self.hello(peer)
        peer.expect_fatal("not_ready")

    def test_a_line_before_the_welcome_is_at_most_64_kib(self):
        peer = self.coordinator.connect()
        text = json.dumps({"type": "hello", "versions": [1], "role": "client", "name": "ada",
                           "nonce": secrets.token_hex(32), "x": ""})
        fits = text.replace('""', '"%s"' % ("x" * (65536 - len(text))))
        peer.send_raw(fits.encode() + b"\n")
        peer.expect("challenge")
        peer = self.coordinator.connect()
        peer.send_raw(b" " + fits.encode() + b"\n")
        peer.expect_fatal("line_too_long")

    def test_a_long_line_is_refused_before_it_ends(self):
        # The rest of it is still on its way, and the answer arrives nevertheless.
        peer = self.coordinator.connect()
        peer.send_raw(b"x" * (4 << 20))
        peer.expect_fatal("line_too_long")

    def test_bad_lines_before_the_welcome(self):
        nested = b'{"type":"hello","x":' + b"[" * 70 + b"]" * 70 + b"}"
        for data in [b"GET / HTTP/1.1", b"{", b"[]", b"7", b'"hello"', b"\x00", b"\xff\xfe",
                     b'{"type":"hello","type":"hello"}', b'{"type":"hello","x":"\xc3\x28"}',
                     b'{"type":"hello","x":1e}', b"\xef\xbb\xbf{}", b"{}}", nested,
                     b'{"type":"hello","x":"a\x00b"}', b'{"type":"hello",}']:
            with self.subTest(data[:40]):
                peer = self.coordinator.connect()
                peer.send_raw(data + b"\n")
                peer.expect_fatal("bad_json")
        for data in [b"{}", b'{"type":7}', b'{"Type":"hello"}']:
            with self.subTest(data):
                peer = self.coordinator.connect()
                peer.send_raw(data + b"\n")
                peer.expect_fatal("bad_message")

    def test_a_handshake_has_five_seconds(self):
        silent = self.coordinator.connect()
        drips = self.coordinator.connect()
        halfway = self.coordinator.connect()
        self.hello(halfway)
        halfway.expect("challenge")
        begin = time.monotonic()
        # A byte now and then does not lengthen it.
        while time.monotonic() - begin < 4.6:
            drips.send_raw(b" ")
            time.sleep(0.2)
        for peer in (silent, drips, halfway):
            peer.expect_fatal("auth_timeout")
        self.assertLess(time.monotonic() - begin, 6.5)


class FramingTests(CoordinatorTest):
    """Lines after the welcome."""

    def test_lines_in_any_pieces(self):
        client = self.client()
        lines = b"".join(line({"type": "ping", "n": n, "x": "ä😀" * n}) for n in range(50))
        source = random.Random(11)
        while lines:
            size = source.choice([1, 2, 3, 50, 500])
            client.send_raw(lines[:size])
            lines = lines[size:]
        for n in range(50):
            client.expect("pong", n=n)

    def test_all_lines_at_once_with_any_line_ends(self):
        client = self.client()
        ping = json.dumps({"type": "ping", "n": 1}).encode()
        client.send_raw(b"\n\r\n\n".join([ping] * 200) + b"\n")
        for _ in range(200):
            client.expect("pong", n=1)

    def test_a_bad_line_is_reported_and_ends_the_connection(self):
        ping = b'{"type":"ping","n":1,'
        for code, data in [
            ("bad_json", ping + b'"n":1}'), ("bad_json", ping + b'"x":"\xff"}'),
            ("bad_json", ping + b'"x":"\x01"}'), ("bad_json", ping + b'"x":\x00}'),
            ("bad_json", ping + b'"x":' + b"[" * 65 + b"]" * 65 + b"}"),
            ("bad_json", ping + b'"x":01}'), ("bad_json", ping + b"}"),
            ("bad_json", ping + b'"x":NaN}'), ("bad_json", ping + b'"x":"\\ud800"}'),
            ("bad_json", b"hello"), ("bad_message", b'{"type":"ping"}'),
            ("bad_message", b'{"type":"ping","n":"1"}'), ("bad_message", b'{"type":"ping","n":1.0}'),
            ("bad_message", b'{"type":"ping","n":-1}'),
            ("bad_message", b'{"type":"ping","n":9007199254740993}'),
        ]:
            with self.subTest(data[:60]):
                client = self.client()
                client.send_raw(data + b"\n" + line({"type": "ping", "n": 2}))
                client.expect_fatal(code)

    def test_a_line_of_the_longest_length_and_one_more(self):
        client = self.client()
        text = b'{"type":"ping","n":1,"x":"%s"}'
        longest = text % (b"x" * ((1 << 20) - len(text) + 2))
        self.assertEqual(len(longest), 1 << 20)
        client.send_raw(longest + b"\r\n")
        client.expect("pong", n=1)
        client.send_raw(b" " + longest + b"\n")
        client.expect_fatal("line_too_long")

    def test_half_a_line_at_the_end_is_forgotten(self):
        client = self.client()
        client.send_raw(b'{"type":"ping","n":')
        client.close()
        self.client().close()

    def test_unknown_fields_are_ignored_and_null_is_absent(self):
        client = self.client()
        client.send(type="get", request=3, what="status", colour="blue", id=None, node=None)
        client.expect("reply", request=3)

    def test_a_hundred_unknown_types_are_tolerated(self):
        client = self.client()
        for _ in range(100):
            client.send(type="celebrate", cake=True)
            self.assertIs(client.expect("error", code="unknown_type").get("fatal", False), False)
        client.send(type="ping", n=1)
        client.expect("pong", n=1)
        client.send(type="celebrate")
        client.expect_fatal("unknown_type")

    def test_a_message_of_another_role_is_refused(self):
        messages = [
            {"type": "register", "slots": 1, "tools": []}, {"type": "started", "attempt": "r/0/1"},
            {"type": "result", "attempt": "r/0/1", "ok": True, "output": 1},
            {"type": "dispatch", "attempt": "r/0/1", "run": "r", "node": "a", "tool": "t",
             "args": {}, "lease_ms": 1, "max_output": 1, "number": 1},
            {"type": "ack"}, {"type": "accepted", "key": "k", "run": "r"},
            {"type": "event", "run": "r", "seq": 1, "kind": "joined", "at_us": 1},
            {"type": "reply", "request": 1, "what": "status", "data": 1},
            {"type": "welcome", "session": "s", "epoch": 1, "software": "x", "heartbeat_ms": 1,
             "limits": {"max_line": 4096, "max_value": 1, "window": 1}, "lease_ms": 1},
        ]
        for message in messages:
            with self.subTest(message["type"]):
                client = self.client()
                client.send(**message)
                client.expect_fatal("forbidden")

    def test_a_viewer_may_only_read(self):
        client = self.client()
        run = self.submit(client, plan(("a", self.tool(), {})))
        for message in [
            {"type": "submit", "key": "k", "plan": plan(("a", "x", {}))},
            {"type": "nodes", "key": "k", "tasks": []}, {"type": "cancel_run", "run": run},
            {"type": "drain", "worker": "w-1"},
            {"type": "launch", "name": "l", "host": "h", "pid": 1, "groups": [], "members": []},
        ]:
            with self.subTest(message["type"]):
                viewer = self.coordinator.greet("viewer")
                viewer.send(**message)
                viewer.expect_fatal("forbidden")
        viewer = self.coordinator.greet("viewer")
        self.assertEqual(self.get(viewer, "run", id=run)["run"], run)
        viewer.send(type="watch", run=run, level="all")
        client.send(type="cancel_run", run=run)
        self.assertEqual(self.end(viewer, run)[-1]["kind"], "run_cancelled")

    def test_a_worker_registers_before_anything_else(self):
        worker = self.coordinator.greet("worker")
        worker.send(type="ping", n=1)
        worker.expect("pong", n=1)
        worker.send(type="started", attempt="r/0/1")
        worker.expect_fatal("not_ready")

    def test_a_worker_registers_once(self):
        worker = self.coordinator.worker([self.tool()])
        worker.send(type="register", slots=1, tools=[])
        worker.expect_fatal("not_ready")

    def test_a_worker_may_not_ask_or_submit(self):
        for message in [{"type": "get", "request": 1, "what": "status"},
                        {"type": "submit", "key": "k", "plan": plan(("a", "x", {}))}]:
            worker = self.coordinator.worker([self.tool()])
            worker.send(**message)
            worker.expect_fatal("forbidden")


    def test_damaged_messages_do_no_harm(self):
        """Every line of valid messages with a few bytes changed gets an answer or an end."""
        source = random.Random(23)
        tool = self.tool()
        messages = {
            "client": [
                {"type": "submit", "key": "k", "plan": plan(("a", tool, {"x": "${b.c[0]}"}),
                                                            ("b", tool, {})), "watch": "all"},
                {"type": "submit", "key": "s", "stream": True, "budget": {"nodes": 3}},
                {"type": "nodes", "key": "s", "tasks": [{"id": "n", "tool_name": tool}]},
                {"type": "watch", "run": "r7", "from": 3, "level": "nodes", "request": 3},
                {"type": "get", "request": 4, "what": "node", "id": "r7", "node": "t1"},
                {"type": "cancel_run", "run": "r7"}, {"type": "drain", "worker": "w"},
                {"type": "remember", "run": "r7"}, {"type": "forget", "plan": "p1"},
                {"type": "remember", "goal": "Find it.", "plan": plan(("a", tool, {}))},
                {"type": "launch", "name": "l", "host": "h", "pid": 1, "groups": [
                    {"name": "g", "kind": "local", "wanted": 1, "running": 0, "pending": 1,
                     "min": 0, "max": 2}], "members": [
                    {"name": "l-g-1", "group": "g", "site": "h", "state": "failed", "note": "n"}]},
            ],
            "worker": [
                {"type": "register", "slots": 4, "tools": [
                    {"name": tool, "parameters": {"type": "object", "required": ["q"]}}],
                 "labels": {"zone": "a"}, "in_flight": [{"attempt": "r7/0/1", "state": "done"}]},
                {"type": "result", "attempt": "r7/0/1", "ok": True, "output": {"a": [1, 2]}},
                {"type": "result", "attempt": "r7/0/1", "ok": False, "error": {"code": "x"}},
                {"type": "chunk", "attempt": "r7/0/1", "seq": 0, "stream": "value", "data": "x"},
                {"type": "progress", "attempt": "r7/0/1", "fraction": 0.5},
                {"type": "pong", "n": 17, "in_flight": ["r7/0/1"]},
            ],
        }
        for _ in range(150):
            role = source.choice(list(messages))
            peer = self.coordinator.greet(role)
            text = bytearray(json.dumps(source.choice(messages[role])).encode())
            for _ in range(source.randrange(1, 4)):
                where = source.randrange(len(text))
                text[where:where + source.randrange(2)] = source.choice(
                    [b"", b'"', b"{", b"]", b"-1", b"1e", b"\\", b"\x00", b"\xc3", b"null"])
            peer.send_raw(bytes(text).replace(b"\n", b"") + b"\n")
            peer.send_raw(line({"type": "ping", "n": 1}))
            try:
                while peer.receive()["type"] != "pong":
                    pass
            except Closed:
                pass
            peer.close()
        self.assertIsNone(self.coordinator.process.process.poll())
        self.assertGreaterEqual(self.get(self.client(), "status")["connections"], 1)


class RunTests(CoordinatorTest):
    """Plans, with scripted workers."""

    def test_a_run_from_submission_to_its_end(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        client.send(type="submit", key="whole", watch="all", join="json", plan=plan(
            ("a", tool, {"q": "ä"}), ("b", tool, {"of": "$a", "text": "<${a.n}>"})))
        run = client.expect("accepted", key="whole").get("run")
        first = worker.expect("dispatch", run=run, node="a", tool=tool, number=1)
        self.assertEqual(first["args"], {"q": "ä"})
        self.assertEqual(first["lease_ms"], 10000)
        worker.send(type="started", attempt=first["attempt"])
        worker.send(type="result", attempt=first["attempt"], ok=True, output={"n": [1, "x"]})
        second = worker.skip_to("dispatch", node="b")
        self.assertEqual(second["args"], {"of": {"n": [1, "x"]}, "text": '<[1,"x"]>'})
        worker.send(type="result", attempt=second["attempt"], ok=True, output=6, duration_us=40)
        events = self.end(client, run)
        kinds = [event["kind"] for event in events if event["kind"] != "progress"]
        self.assertEqual(kinds.count("run_succeeded"), 1)
        for node in ("a", "b"):
            of_node = [event["kind"] for event in events if event.get("node") == node]
            self.assertEqual([kind for kind in of_node if kind != "started"],
                             ["node_ready", "dispatched", "node_succeeded"], node)
        succeeded = [event for event in events if event["kind"] == "node_succeeded"]
        self.assertEqual({event["worker"] for event in succeeded}, {worker.name})
        self.assertEqual(events[-1]["data"]["answer"], {"a": {"n": [1, "x"]}, "b": 6})
        client.send(type="ping", n=1)
        client.expect("pong", n=1)

    def test_results_are_acknowledged_once_each(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool], slots=16), self.client()
        nodes = [(f"n{number}", tool, {}) for number in range(16)]
        run = self.submit(client, plan(*nodes), watch="end")
        attempts = [worker.skip_to("dispatch")["attempt"] for _ in range(16)]
        worker.send_raw(b"".join(
            line({"type": "result", "attempt": attempt, "ok": True, "output": 1})
            for attempt in attempts))
        acknowledged = []
        while len(acknowledged) < 16:
            acknowledged += worker.skip_to("ack").get("attempts", [])
        self.assertEqual(sorted(acknowledged), sorted(attempts))
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        # Once more, too late: it is stale and changes nothing.
        worker.send(type="result", attempt=attempts[0], ok=False, error={"code": "tool_error"})
        self.assertEqual(worker.skip_to("ack").get("stale"), [attempts[0]])
        self.assertEqual(self.get(client, "run", id=run)["status"], "succeeded")

    def test_the_same_key_gives_the_same_run(self):
        client, other = self.client(), self.client()
        content = plan(("a", self.tool(), {}))
        run = self.submit(client, content, key="again")
        other.send(type="submit", key="again", plan=content, watch="end")
        accepted = other.expect("accepted", key="again")
        self.assertEqual((accepted["run"], accepted["existing"]), (run, True))
        for change in [{"plan": plan(("a", "x", {}))}, {"join": "json"}, {"tools": ["x"]}]:
            other.send(**{"type": "submit", "key": "again", "plan": content, **change})
            error = other.expect("error", code="conflict", about="again")
            self.assertIs(error.get("fatal", False), False)
        other.send(type="cancel_run", run=run)
        other.skip_to("event", kind="run_cancelled")
        # A client that submits it again gets its end again.
        client.send(type="submit", key="again", plan=content, watch="end")
        client.expect("accepted", run=run, existing=True)
        client.expect("event", run=run, kind="run_cancelled")

    def test_a_bad_plan_comes_back_with_every_problem(self):
        tool = self.tool()
        self.coordinator.worker([{"name": tool, "parameters": {
            "type": "object", "required": ["q"], "properties": {"q": {"type": "string"}}}}])
        client = self.client()
        client.send(type="submit", key="bad", plan=plan(
            ("a", tool, {"q": 7}), ("a", tool, {"q": "x"}), ("b", tool, {"q": "x"}, ["nobody"]),
            ("c", tool, {"q": "$d"}), ("d", tool, {"q": "$c"}), ("e", tool, {}, ["e"])))
        error = client.expect("error", code="bad_plan", about="bad")
        self.assertIs(error.get("fatal", False), False)
        codes = {(problem["code"], problem.get("node")) for problem in error["problems"]}
        for expected in [("duplicate_id", "a"), ("unknown_dependency", "b"), ("cycle", "c"),
                         ("bad_args", "a")]:
            self.assertIn(expected[0], {code for code, _ in codes}, codes)
        self.assertTrue(codes & {("self_reference", "e"), ("cycle", "e")}, codes)
        self.assertTrue(all(problem["message"] for problem in error["problems"]))
        # The key is free for a better plan.
        self.submit(client, plan(("a", tool, {"q": "x"})), key="bad")

    def test_tools_and_budgets_hold(self):
        client, tool = self.client(), self.tool()
        client.send(type="submit", key="tools", plan=plan(("a", tool, {})), tools=["other"])
        error = client.expect("error", code="bad_plan", about="tools")
        self.assertEqual(error["problems"][0]["node"], "a")
        client.send(type="submit", key="nodes", budget={"nodes": 1},
                    plan=plan(("a", tool, {}), ("b", tool, {})))
        client.expect("error", code="bad_plan", about="nodes")
        run = self.submit(client, plan(("a", tool, {})), budget={"wall_ms": 200}, watch="end")
        end = self.end(client, run)[-1]
        self.assertEqual(end["kind"], "run_failed")
        self.assertEqual(end["data"]["error"]["code"], "timeout", end)

    def test_a_missing_tool_waits_or_fails(self):
        client, tool = self.client(), self.tool()
        run = self.submit(client, plan(("a", tool, {})), on_missing_tool="fail", watch="nodes")
        events = self.end(client, run)
        self.assertEqual(events[-1]["kind"], "run_failed")
        failed = [event for event in events if event["kind"] == "node_failed"][0]
        self.assertEqual(failed["data"]["code"], "unknown_tool")
        run = self.submit(client, plan(("a", tool, {})), on_missing_tool="wait", watch="nodes")
        client.skip_to("event", kind="unplaceable", node="a")
        reasons = self.get(client, "explain", id=run)["nodes"][0]["reasons"]
        self.assertIn(tool, reasons[0]["message"])
        worker = self.coordinator.worker([tool])
        self.answer(worker)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_a_streamed_plan_in_any_batches(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool], slots=64), self.client()
        source = random.Random(5)
        for batch in ("one", "all", "random"):
            key = f"streamed-{batch}"
            # Every node waits for one before it; some are sent before that one.
            nodes = [{"id": f"n{number}", "tool_name": tool, "args": {}, "dependencies":
                      [f"n{source.randrange(number)}"] if number else []} for number in range(30)]
            source.shuffle(nodes)
            messages = [{"type": "submit", "key": key, "stream": True, "join": "json",
                         "watch": "nodes"}]
            while nodes:
                size = {"one": 1, "all": 30, "random": source.randrange(0, 9)}[batch]
                messages.append({"type": "nodes", "key": key, "tasks": nodes[:size]})
                nodes = nodes[size:]
            if batch == "one":
                messages.append({"type": "nodes", "key": key, "tasks": [], "last": True})
            else:
                messages[-1]["last"] = True
            # In one go: the client need not wait for `accepted`.
            client.send_raw(b"".join(map(line, messages)))
            run = client.skip_to("accepted", key=key)["run"]
            done = set()
            for _ in range(30):
                dispatch = worker.skip_to("dispatch", run=run)
                done.add(dispatch["node"])
                worker.send(type="result", attempt=dispatch["attempt"], ok=True, output=1)
            self.assertEqual(len(done), 30)
            events = self.end(client, run)
            self.assertEqual(events[-1]["kind"], "run_succeeded")
            ended = [event["node"] for event in events if event["kind"] == "node_succeeded"]
            self.assertEqual(sorted(ended), sorted(done))

    def test_a_streamed_plan_runs_while_it_is_sent(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        client.send(type="submit", key="slow", stream=True, watch="end")
        run = client.expect("accepted", key="slow")["run"]
        client.send(type="nodes", key="slow", tasks=[{"id": "a", "tool_name": tool, "args": {}}])
        self.answer(worker, output=5)
        client.send(type="nodes", key="slow", last=True, tasks=[
            {"id": "b", "tool_name": tool, "args": {"of": "$a"}}])
        self.assertEqual(self.answer(worker)["args"], {"of": 5})
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_a_streamed_plan_that_breaks_off_fails(self):
        tool = self.tool()
        worker, client, viewer = (self.coordinator.worker([tool]), self.client(),
                                  self.coordinator.greet("viewer"))
        client.send(type="submit", key="half", stream=True)
        run = client.expect("accepted")["run"]
        client.send(type="nodes", key="half", tasks=[{"id": "a", "tool_name": tool, "args": {}}])
        dispatch = worker.skip_to("dispatch", run=run)
        viewer.send(type="watch", run=run, level="end")
        viewer.send(type="ping", n=1)
        viewer.skip_to("pong", n=1)
        client.close()
        worker.skip_to("cancel", attempt=dispatch["attempt"])
        worker.send(type="result", attempt=dispatch["attempt"], ok=False,
                    error={"code": "cancelled"})
        self.assertEqual(self.end(viewer, run)[-1]["kind"], "run_failed")

    def test_a_streamed_plan_with_a_bad_node_fails(self):
        client = self.client()
        client.send(type="submit", key="bad-node", stream=True, watch="end")
        run = client.expect("accepted")["run"]
        client.send(type="nodes", key="bad-node", tasks=[{"id": "a", "args": {}}])
        client.expect("error", code="bad_plan", about="bad-node")
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_failed")
        client.send(type="ping", n=1)
        client.expect("pong", n=1)

    def test_nodes_for_a_run_of_another_client(self):
        client, other = self.client(), self.client()
        client.send(type="submit", key="mine", stream=True)
        client.expect("accepted")
        other.send(type="nodes", key="mine", tasks=[], last=True)
        other.expect("error", code="unknown_run", about="mine")
        client.send(type="nodes", key="mine", last=True,
                    tasks=[{"id": "a", "tool_name": self.tool(), "args": {}}])
        client.send(type="ping", n=1)
        client.expect("pong", n=1)

    def test_a_late_watcher_gets_what_it_missed(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {}), ("b", tool, {"x": "$a"})), watch="nodes")
        self.answer(worker)
        middle = client.skip_to("event", kind="node_succeeded", node="a")
        late = self.client()
        late.send(type="watch", run=run, level="nodes")
        self.answer(worker)
        first, second = self.end(client, run), self.end(late, run)
        seen = [event for event in second if event["kind"] not in ("progress", "snapshot")]
        self.assertEqual(seen[-1], first[-1])
        self.assertIn(("node_succeeded", "a"), [(e["kind"], e.get("node")) for e in seen])
        # After the end, and from a number on.
        after = self.client()
        after.send(type="watch", run=run, level="nodes", **{"from": middle["seq"] + 1})
        rest = [e for e in self.end(after, run) if e["kind"] not in ("progress", "snapshot")]
        self.assertGreater(rest[0]["seq"], middle["seq"])
        self.assertEqual(rest[-1], first[-1])
        after.send(type="watch", run="nosuchrun", request=9)
        after.expect("error", code="unknown_run", request=9)

    def test_every_watcher_that_missed_something_gets_the_counts(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {}), ("b", tool, {"x": "$a"})))
        self.answer(worker)
        dispatch = worker.skip_to("dispatch")
        # Earlier events are not kept, so neither watcher can get them.
        for _ in range(2):
            late = self.client()
            late.send(type="watch", run=run, level="nodes")
            counts = late.skip_to("event", kind="snapshot")["data"]["counts"]
            self.assertEqual((counts["total"], counts["succeeded"]), (2, 1))
        worker.send(type="result", attempt=dispatch["attempt"], ok=True, output=1)
        late.skip_to("event", kind="run_succeeded")

    def test_a_watcher_of_the_end_gets_the_end(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        self.answer(worker)
        self.assertEqual([event["kind"] for event in self.end(client, run)], ["run_succeeded"])
        client.expect_silence(0.1)

    def test_a_cancelled_run_cancels_its_attempts(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool], slots=1), self.client()
        run = self.submit(client, plan(("a", tool, {}), ("b", tool, {}, ["a"])), watch="nodes")
        dispatch = worker.skip_to("dispatch")
        worker.send(type="started", attempt=dispatch["attempt"])
        client.skip_to("event", kind="started", node="a")
        client.send(type="cancel_run", run=run, reason="no longer needed")
        cancel = worker.skip_to("cancel", attempt=dispatch["attempt"], reason="cancelled")
        self.assertEqual(cancel["grace_ms"], 5000)
        worker.send(type="result", attempt=dispatch["attempt"], ok=False,
                    error={"code": "cancelled"})
        events = self.end(client, run)
        self.assertEqual(events[-1]["kind"], "run_cancelled")
        self.assertEqual({event["node"] for event in events
                          if event["kind"] == "node_cancelled"}, {"a", "b"})
        self.assertEqual(self.get(client, "run", id=run)["reason"], "no longer needed")
        # Again, and of nothing: no harm.
        client.send(type="cancel_run", run=run)
        client.send(type="cancel_run", run="nosuchrun")
        client.expect("error", code="unknown_run", about="nosuchrun")

    def test_a_failed_node_skips_its_dependents(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {}), ("b", tool, {"x": "$a"}),
                                       ("c", tool, {})), watch="nodes")
        for _ in range(2):
            dispatch = worker.skip_to("dispatch")
            if dispatch["node"] == "a":
                worker.send(type="result", attempt=dispatch["attempt"], ok=False,
                            error={"code": "no_luck", "message": "Not today."})
            else:
                worker.send(type="result", attempt=dispatch["attempt"], ok=True, output=3)
        events = self.end(client, run)
        self.assertEqual(events[-1]["kind"], "run_failed")
        nodes = self.get(client, "nodes", id=run)["nodes"]
        self.assertEqual({id: node["status"] for id, node in nodes.items()},
                         {"a": "failed", "b": "skipped", "c": "succeeded"})
        self.assertEqual(nodes["a"]["error"]["code"], "no_luck")
        self.assertEqual(nodes["a"]["error"]["message"], "Not today.")
        self.assertEqual(nodes["b"]["because"], "a")

    def test_a_missing_path_fails_its_node(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {}), ("b", tool, {"x": "${a.n[3]}"})),
                          watch="end")
        self.answer(worker, output={"n": [1]})
        self.end(client, run)
        error = self.get(client, "node", id=run, node="b")["error"]
        self.assertEqual(error["code"], "reference_not_found")
        self.assertIn("a.n[3]", error["message"])

    def test_a_rejected_attempt_goes_elsewhere(self):
        tool = self.tool()
        first = self.coordinator.worker([tool], slots=1)
        client = self.client()
        run = self.submit(client, plan(("a", tool, {})), watch="nodes")
        dispatch = first.skip_to("dispatch")
        second = self.coordinator.worker([tool], slots=1)
        first.send(type="reject", attempt=dispatch["attempt"], code="unknown_tool")
        again = second.skip_to("dispatch", run=run)
        self.assertNotEqual(again["attempt"], dispatch["attempt"])
        second.send(type="result", attempt=again["attempt"], ok=True, output=1)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_a_lost_worker_is_replaced_if_the_tool_allows_it(self):
        for is_idempotent, status, code in [(True, "succeeded", None),
                                            (False, "failed", "outcome_unknown")]:
            with self.subTest(idempotent=is_idempotent):
                tool = {"name": self.tool(), "idempotent": is_idempotent}
                first, client = self.coordinator.worker([tool], slots=1), self.client()
                run = self.submit(client, plan(("a", tool["name"], {})), watch="nodes")
                dispatch = first.skip_to("dispatch")
                first.send(type="started", attempt=dispatch["attempt"])
                client.skip_to("event", kind="started")
                second = self.coordinator.worker([tool], slots=1)
                first.send(type="bye", reason="had enough")
                first.close()
                if is_idempotent:
                    self.answer(second)
                self.end(client, run)
                node = self.get(client, "node", id=run, node="a")
                self.assertEqual(node["status"], status)
                self.assertEqual(node.get("error", {}).get("code"), code)
                self.coordinator.hang_up()

    def test_a_worker_comes_back_to_its_session(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool], name="back"), self.client()
        run = self.submit(client, plan(("a", tool, {}), ("b", tool, {})), watch="end")
        attempts = {}
        for _ in range(2):
            dispatch = worker.skip_to("dispatch")
            attempts[dispatch["node"]] = dispatch["attempt"]
            worker.send(type="started", attempt=dispatch["attempt"])
        worker.send(type="ping", n=1)
        worker.skip_to("pong", n=1)
        session = {key: worker.welcome[key] for key in ("session", "epoch")}
        worker.close()
        worker = self.coordinator.worker(
            [tool], name="back", resume=session, in_flight=[
                {"attempt": attempts["a"], "state": "done"},
                {"attempt": attempts["b"], "state": "running"},
                {"attempt": "nosuch/0/1", "state": "done"}])
        self.assertEqual(worker.welcome["session"], session["session"])
        self.assertEqual(sorted(worker.registered["adopt"]), sorted(attempts.values()))
        self.assertEqual(worker.registered["abandon"], ["nosuch/0/1"])
        for attempt in attempts.values():
            worker.send(type="result", attempt=attempt, ok=True, output=1)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_a_second_session_of_a_live_name_is_refused(self):
        tool = self.tool()
        first = self.coordinator.worker([tool], name="twin")
        second = self.coordinator.greet("worker", name="twin")
        second.send(type="register", slots=1, tools=[{"name": tool}])
        # The coordinator asks whether the first one lives, which answers while it looks for a pong.
        first.send(type="ping", n=1)
        first.skip_to("pong", n=1)
        second.expect_fatal("duplicate_name")
        first.send(type="ping", n=1)
        first.skip_to("pong", n=1)

    def test_a_second_session_of_a_silent_name_takes_its_place(self):
        tool = self.tool()
        first = self.coordinator.worker([tool], name="mute", answers_pings=False)
        for _ in range(3):
            first.skip_to("ping")
        second = self.coordinator.worker([tool], name="mute")
        second.send(type="ping", n=1)
        second.expect("pong", n=1)
        first.close()

    def test_a_second_session_that_replaces_ends_the_first(self):
        tool = self.tool()
        first = self.coordinator.worker([tool], name="twins")
        second = self.coordinator.worker([tool], name="twins", replace=True)
        first.expect_fatal("duplicate_name")
        second.send(type="ping", n=1)
        second.expect("pong", n=1)

    def test_another_schema_under_a_name_is_not_offered(self):
        tool = self.tool()
        self.coordinator.worker([{"name": tool, "parameters": {"type": "object"}}])
        same = self.coordinator.worker([{"name": tool, "parameters": {"type": "object"}}])
        self.assertEqual(same.registered.get("conflicts") or [], [])
        other = self.coordinator.worker([{"name": tool, "parameters": {"type": "array"}}])
        self.assertEqual(other.registered["conflicts"], [tool])

    def test_a_tool_that_cannot_be_read_is_refused_alone(self):
        good, bad = self.tool(), self.tool() + "-bad"
        worker = self.coordinator.worker([
            {"name": good}, {"name": bad, "parameters": {"const": float("nan")}}])
        self.assertEqual(worker.registered["conflicts"], [bad])
        self.assertIn("no JSON", worker.registered["refused"][0]["reason"])
        worker.send(type="offer", slots=1, tools=[
            {"name": good}, {"name": bad + "2", "parameters": {"title": "\ud800"}}])
        self.assertIn(bad + "2", worker.expect("error", fatal=False)["message"])
        worker.send(type="ping", n=1)
        worker.expect("pong", n=1)

    def test_an_attempt_missing_in_a_pong_is_lost(self):
        tool = {"name": self.tool(), "idempotent": True}
        worker = self.coordinator.worker([tool], slots=1, answers_pings=False)
        client = self.client()
        run = self.submit(client, plan(("a", tool["name"], {})), watch="nodes")
        first = worker.skip_to("dispatch")
        # As if the dispatch had never arrived.
        ping = worker.skip_to("ping")
        worker.send(type="pong", n=ping["n"], in_flight=[])
        second = worker.skip_to("dispatch", run=run)
        self.assertNotEqual(second["attempt"], first["attempt"])
        worker.send(type="result", attempt=second["attempt"], ok=True, output=1)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_a_retryable_failure_is_tried_again(self):
        tool = {"name": self.tool(), "max_attempts": 3}
        worker, client = self.coordinator.worker([tool], slots=1), self.client()
        run = self.submit(client, plan(("a", tool["name"], {})), watch="nodes")
        for number in (1, 2):
            dispatch = worker.skip_to("dispatch", number=number)
            worker.send(type="result", attempt=dispatch["attempt"], ok=False,
                        error={"code": "no_luck", "retryable": True})
        self.assertEqual(self.answer(worker)["number"], 3)
        events = self.end(client, run)
        self.assertEqual([event["kind"] for event in events].count("retrying"), 2)
        self.assertEqual(self.get(client, "node", id=run, node="a")["attempts"], 3)

    def test_labels_choose_the_worker(self):
        tool = self.tool()
        self.coordinator.worker([tool])
        right = self.coordinator.greet("worker")
        right.send(type="register", slots=1, tools=[{"name": tool}], labels={"zone": "b"})
        right.expect("registered")
        client = self.client()
        content = plan(("a", tool, {}))
        content["tasks"][0]["requires"] = {"zone": "b"}
        run = self.submit(client, content, watch="end")
        self.answer(right)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")

    def test_a_drained_worker_gets_nothing_new(self):
        tool = self.tool()
        first, client = self.coordinator.worker([tool], name="leaving"), self.client()
        client.send(type="drain", worker="leaving", reason="update")
        first.skip_to("drain")
        run = self.submit(client, plan(("a", tool, {})), watch="end")
        first.expect_silence(0.2)
        second = self.coordinator.worker([tool])
        self.answer(second)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")
        client.send(type="drain", worker="nobody")
        client.expect("error", code="unknown_worker", about="nobody")

    def test_slots_are_never_exceeded_by_running_attempts(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool], slots=2), self.client()
        run = self.submit(client, plan(*[(f"n{n}", tool, {}) for n in range(6)]), watch="nodes")
        for _ in range(2):
            dispatch = worker.skip_to("dispatch")
            worker.send(type="started", attempt=dispatch["attempt"])
            worker.send(type="result", attempt=dispatch["attempt"], ok=True, output=1)
        for _ in range(4):
            self.answer(worker)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")


class LargeValueTests(CoordinatorTest):
    TEXT = json.dumps("ä" * 300_000, ensure_ascii=False)

    def chunks(self, worker, attempt, text):
        """Sends a value in chunks and returns their number."""
        pieces = [text[start:start + 100_000] for start in range(0, len(text), 100_000)]
        for seq, piece in enumerate(pieces):
            worker.send(type="chunk", attempt=attempt, seq=seq, stream="value", data=piece)
        return len(pieces)

    def test_a_value_in_chunks_reaches_the_next_node_and_the_client(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {}), ("b", tool, {"x": "$a"})), watch="end")
        first = worker.skip_to("dispatch")
        count = self.chunks(worker, first["attempt"], self.TEXT)
        worker.send(type="result", attempt=first["attempt"], ok=True, output_chunks={
            "count": count, "bytes": len(self.TEXT.encode())})
        text, seq = "", 0
        while (message := worker.receive())["type"] != "dispatch":
            if message["type"] == "chunk":
                self.assertEqual((message["stream"], message["seq"]), ("args", seq))
                text += message["data"]
                seq += 1
        self.assertEqual(message["args_chunks"]["count"], seq)
        self.assertEqual(message["args_chunks"]["bytes"], len(text.encode()))
        self.assertEqual(json.loads(text), {"x": json.loads(self.TEXT)})
        worker.send(type="result", attempt=message["attempt"], ok=True, output=None)
        self.end(client, run)
        client.send(type="get", request=1, what="node", id=run, node="a")
        text = ""
        while (message := client.receive())["type"] == "chunk":
            self.assertEqual((message["request"], message["stream"]), (1, "value"))
            text += message["data"]
        self.assertEqual(message["data_chunks"]["bytes"], len(text.encode()))
        self.assertEqual(json.loads(text)["output"], json.loads(self.TEXT))

    def test_a_value_that_differs_from_its_announcement(self):
        right = {"count": 1, "bytes": 5}
        for data, announced in [('"abc"', {**right, "count": 2}), ('"abc"', {**right, "bytes": 6}),
                                ('"abc"', {**right, "sha256": "0" * 64})]:
            with self.subTest(announced, data=data):
                tool = self.tool()
                worker, client = self.coordinator.worker([tool]), self.client()
                self.submit(client, plan(("a", tool, {})))
                attempt = worker.skip_to("dispatch")["attempt"]
                worker.send(type="chunk", attempt=attempt, seq=0, stream="value", data=data)
                worker.send(type="result", attempt=attempt, ok=True, output_chunks=announced)
                worker.skip_to("error", code="bad_message", fatal=True)
                worker.expect_end()

    def test_a_value_that_is_not_json_fails_only_its_attempt(self):
        deep = "[" * 70 + "]" * 70
        for bad in ['"\\ud800"', "NaN", '[Infinity]', '"\x01"', '{"a":}', deep, b'"\xff"']:
            with self.subTest(bad):
                tool, other = self.tool(), self.tool()
                worker, client = self.coordinator.worker([tool, other], slots=2), self.client()
                run = self.submit(client, plan(("a", tool, {}), ("b", other, {})), watch="nodes")
                attempts = {}
                while len(attempts) < 2:
                    dispatch = worker.skip_to("dispatch")
                    attempts[dispatch["node"]] = dispatch["attempt"]
                data = bad if isinstance(bad, bytes) else bad.encode()
                worker.send_raw(b'{"type":"result","attempt":"%s","ok":true,"output":%s}\n'
                                % (attempts["a"].encode(), data))
                worker.skip_to("ack")
                worker.send(type="result", attempt=attempts["b"], ok=True, output=10**21)
                client.skip_to("event", kind="run_failed")
                self.assertEqual(self.get(client, "node", id=run, node="a")["error"]["code"],
                                 "bad_output")
                self.assertEqual(self.get(client, "node", id=run, node="b")["output"], 10**21)

    def test_chunks_that_are_not_json_fail_only_their_attempt(self):
        for data, count in [(b'"\\"abc,"', 5), (b'"\\ud800"', 5), (b'"\xff"', 1)]:
            with self.subTest(data):
                tool = self.tool()
                worker, client = self.coordinator.worker([tool]), self.client()
                run = self.submit(client, plan(("a", tool, {})), watch="end")
                attempt = worker.skip_to("dispatch")["attempt"]
                worker.send_raw(b'{"type":"chunk","attempt":"%s","seq":0,"stream":"value","data":%s}\n'
                                % (attempt.encode(), data))
                worker.send(type="result", attempt=attempt, ok=True,
                            output_chunks={"count": 1, "bytes": count})
                worker.skip_to("ack")
                client.skip_to("event", kind="run_failed")
                self.assertEqual(self.get(client, "node", id=run, node="a")["error"]["code"],
                                 "bad_output")

    def test_a_plan_that_is_not_json_is_a_bad_plan(self):
        client = self.client()
        client.send_raw(b'{"type":"submit","key":"nan","plan":{"tasks":[{"id":"a","tool_name":"x",'
                        b'"args":{"v":NaN}}]}}\n')
        error = client.skip_to("error", code="bad_plan", about="nan")
        self.assertEqual(error["problems"][0]["code"], "bad_json")
        client.send(type="ping", n=1)
        client.skip_to("pong", n=1)

    def test_an_unknown_field_of_a_node_is_refused(self):
        client = self.client()
        client.send(type="submit", key="fields", plan={
            "tasks": [{"id": "a", "tool_name": "x", "depends_on": ["b"]}]})
        error = client.skip_to("error", code="bad_plan", about="fields")
        self.assertIn("did you mean dependencies?", error["problems"][0]["message"])

    def test_chunks_out_of_order(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        self.submit(client, plan(("a", tool, {})))
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="chunk", attempt=attempt, seq=1, stream="value", data='"a"')
        worker.skip_to("error", code="bad_message", fatal=True)

    def test_output_of_a_tool_is_passed_on(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {})), watch="all")
        attempt = worker.skip_to("dispatch")["attempt"]
        worker.send(type="started", attempt=attempt)
        worker.send(type="chunk", attempt=attempt, seq=0, stream="stdout", data="ä\n")
        worker.send(type="chunk", attempt=attempt, seq=1, stream="stdout", encoding="base64",
                    data="/9j/4A==")
        first = client.skip_to("event", run=run, kind="chunk", node="a")
        self.assertIn("ä\n", json.dumps(first["data"], ensure_ascii=False).replace("\\n", "\n"))
        client.skip_to("event", run=run, kind="chunk", node="a")
        worker.send(type="result", attempt=attempt, ok=True, output=None)
        self.assertEqual(self.end(client, run)[-1]["kind"], "run_succeeded")


class QueryTests(CoordinatorTest):
    def test_everything_can_be_asked_for(self):
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        run = self.submit(client, plan(("a", tool, {}), ("b", tool, {"x": "$a"})), watch="end",
                          label="nightly", join="json")
        self.answer(worker, output={"n": 1})
        waiting = worker.skip_to("dispatch")
        self.assertEqual(self.get(client, "run", id=run)["status"], "running")
        self.assertEqual(self.get(client, "node", id=run, node="b")["args"], {"x": {"n": 1}})
        worker.send(type="result", attempt=waiting["attempt"], ok=True, output=2)
        self.end(client, run)
        viewer = self.coordinator.greet("viewer")
        for peer in (client, viewer):
            status = self.get(peer, "status")
            self.assertGreaterEqual(status["workers"]["connected"], 1)
            workers = {entry["name"]: entry for entry in self.get(peer, "workers")}
            self.assertEqual(workers[worker.name]["slots"], 4)
            self.assertEqual(workers[worker.name]["tools"], [tool])
            tools = {entry["name"]: entry for entry in self.get(peer, "tools")}
            self.assertEqual(tools[tool]["workers"], [worker.name])
            self.assertIn(run, [entry["run"] for entry in self.get(peer, "runs")])
            summary = self.get(peer, "run", id=run)
            self.assertEqual((summary["status"], summary["label"]), ("succeeded", "nightly"))
            self.assertEqual(summary["counts"]["succeeded"], 2)
            nodes = self.get(peer, "nodes", id=run)["nodes"]
            self.assertEqual([node["output"] for node in nodes.values()], [{"n": 1}, 2])
            page = self.get(peer, "nodes", id=run, limit=1, **{"from": 1})
            self.assertEqual((list(page["nodes"]), page["total"]), (["b"], 2))
            self.assertEqual(self.get(peer, "node", id=run, node="b")["dependencies"], ["a"])
            self.assertEqual(self.get(peer, "answer", id=run), {"a": {"n": 1}, "b": 2})
            self.assertEqual(self.get(peer, "explain", id=run)["nodes"], [])

    def test_questions_about_nothing(self):
        client = self.client()
        run = self.submit(client, plan(("a", self.tool(), {})))
        for fields, code in [({"what": "run", "id": "nosuchrun"}, "unknown_run"),
                             ({"what": "answer"}, "unknown_run"),
                             ({"what": "node", "id": run, "node": "zz"}, "unknown_node"),
                             ({"what": "explain", "id": run, "node": "zz"}, "unknown_node"),
                             ({"what": "node", "id": run}, "unknown_node")]:
            with self.subTest(**fields):
                client.send(type="get", request=5, **fields)
                error = client.expect("error", code=code, request=5)
                self.assertIs(error.get("fatal", False), False)
        client.send(type="get", request=5, what="everything")
        client.expect_fatal("bad_message")

    def test_values_come_through_byte_for_byte(self):
        # Numbers that a parser would change must not be touched on the way.
        tool = self.tool()
        worker, client = self.coordinator.worker([tool]), self.client()
        odd = b'{"a":1.0,"b":1e2,"c":1234567890123456789012,"d":0.1000,"e":"\\u00e4\\/","f":1e400}'
        submit = b'{"type":"submit","key":"odd","plan":{"tasks":[{"id":"a","tool_name":"%s",' \
                 b'"args":%s}]},"watch":"end"}\n' % (tool.encode(), odd)
        client.send_raw(submit)
        client.expect("accepted")
        while b'"dispatch"' not in worker.buffer:
            worker.buffer += worker.socket.recv(1 << 16)
        self.assertIn(b'"args":' + odd, worker.buffer)


class ClusterTests(CoordinatorTest):
    """The independent worker and the project's own at one coordinator."""

    def test_two_kinds_of_worker_share_a_run(self):
        key_file = str(Path(self.coordinator.folder.name, "worker.key"))
        address = f"127.0.0.1:{self.coordinator.port}"
        programs = {"own": [WEFT, "worker", "--diagnostics"],
                    "other": [sys.executable, str(HERE / "worker.py")]}
        client = self.client()
        for name, program in programs.items():
            worker = Process([*program, "--coordinator", address, "--key-file", key_file,
                              "--name", name, "--slots", "2"])
            self.addCleanup(worker.stop)
        deadline = time.monotonic() + 20
        while len(workers := self.get(client, "workers")) < 2:
            self.assertLess(time.monotonic(), deadline, workers)
        # No tool of one is refused because of the other's schema.
        self.assertEqual([entry["refused_tools"] for entry in workers], [[], []])
        tasks = [(f"n{number}", "sleep", {"ms": 30}) for number in range(40)]
        tasks += [("all", "echo", {"of": [f"$n{number}" for number in range(40)]}),
                  ("retry", "fail", {"times": 1, "retryable": True})]
        run = self.submit(client, plan(*tasks), watch="nodes")
        events = self.end(client, run)
        self.assertEqual(events[-1]["kind"], "run_succeeded")
        by = {event["worker"] for event in events if event["kind"] == "node_succeeded"}
        self.assertEqual(by, set(programs))


class ShutdownTests(unittest.TestCase):
    def test_a_coordinator_sends_bye(self):
        coordinator = Coordinator()
        self.addCleanup(coordinator.stop)
        worker, client = coordinator.worker(["x"]), coordinator.greet("client")
        coordinator.process.terminate()
        for peer in (worker, client):
            self.assertEqual(peer.expect("bye")["reason"], "shutting_down")
            peer.expect_end()
        self.assertEqual(coordinator.process.exit_code(), 0)
