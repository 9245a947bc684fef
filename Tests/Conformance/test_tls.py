"""Encrypted connections from outside: programs that share no code with the project connect, and
everything that does not fit is refused in one clear sentence, on both sides."""

import json
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from peer import PATIENCE, WEFT, Coordinator, Process
from tls import Client, Relay, python_with_psk, weft

HERE = pathlib.Path(__file__).resolve().parent
ROLES = ["client", "viewer", "worker"]
SENTENCES = {
    "encrypts": "This port takes encrypted connections only. Use a join line that begins with "
                "wefts://, or --tls always.",
    "plain": "The coordinator there does not encrypt, or another program answers in its place. "
             "Start it with --tls always; on this host or behind a tunnel, connect with --tls "
             "never.",
    "key": "The coordinator does not accept the key: it is another coordinator's, or it was "
           "revoked.",
}
LOGGED = {
    "encrypts": "encryption: The peer does not encrypt, and this port takes encrypted connections "
                "only.",
    "plain": "encryption: The peer encrypts, and this port takes connections without encryption "
             "only. Use a join line that begins with weft://, or --tls never.",
    "key": "auth_failed: Not authenticated: the key, the role or the name is not accepted.",
}


class TLSTest(unittest.TestCase):
    """A coordinator that encrypts, for all tests of a class."""

    options, limits = ["--tls", "always"], {}

    @classmethod
    def setUpClass(cls):
        cls.coordinator = Coordinator(*cls.options, **cls.limits)
        cls.addClassCleanup(cls.coordinator.stop)

    def setUp(self):
        self.addCleanup(self.coordinator.hang_up)
        # What another test was told is of no interest here.
        self.coordinator.process.lines.queue.clear()

    def open(self, name, *options, key=None, address=None, quiet=True):
        """A connection by openssl with the key of a role, or another one."""
        client = Client(address or self.coordinator.address, name,
                        key or self.coordinator.key(name), *options, quiet=quiet)
        self.addCleanup(client.close)
        return client

    def greet(self, role, *options, **fields):
        """A peer over openssl after both handshakes."""
        return self.coordinator.greet(role, peer=self.open(role, *options).peer, **fields)

    def work(self, tools):
        """A registered worker over openssl."""
        worker = self.greet("worker")
        worker.send(type="register", slots=1, tools=[{"name": tool} for tool in tools])
        worker.expect("registered")
        return worker

    def dismissals(self, count, seconds=PATIENCE):
        """Why the coordinator dismissed that many peers since the last call."""
        return [self.coordinator.process.wait_for(r"error=(.*) peer=connection#\d+ .*dismissed")[1]
                for _ in range(count)]

    def run_on(self, name, tool="echo"):
        """Has a plan of one call run once a worker of that name is there; its answer."""
        client = self.greet("client")
        deadline = time.monotonic() + PATIENCE
        while True:
            client.send(type="get", request=1, what="workers")
            workers = client.skip_to("reply", request=1)["data"]
            if any(worker["name"] == name for worker in workers):
                break
            self.assertLess(time.monotonic(), deadline, "the worker did not come")
        plan = {"tasks": [{"id": "a", "tool_name": tool, "args": {"of": "us"}}]}
        client.send(type="submit", key=secrets.token_hex(8), plan=plan, join="json", watch="all")
        run = client.skip_to("accepted")["run"]
        while not (event := client.skip_to("event", run=run))["kind"].startswith("run_"):
            pass
        self.assertEqual(event["kind"], "run_succeeded", event)
        return event["data"]["answer"]


class ForeignPeerTests(TLSTest):
    """Peers over other implementations of TLS."""

    def test_a_whole_run_over_openssl(self):
        tool = f"tool-{secrets.token_hex(4)}"
        worker, client = self.work([tool]), self.greet("client")
        plan = {"tasks": [{"id": "a", "tool_name": tool, "args": {"n": 1}}]}
        client.send(type="submit", key="k", plan=plan, join="json", watch="end")
        run = client.expect("accepted")["run"]
        dispatch = worker.skip_to("dispatch", tool=tool, args={"n": 1})
        worker.send(type="result", attempt=dispatch["attempt"], ok=True, output=[2, 3])
        worker.skip_to("ack", attempts=[dispatch["attempt"]])
        event = client.skip_to("event", run=run, kind="run_succeeded")
        self.assertEqual(event["data"]["answer"], {"a": [2, 3]})
        viewer = self.greet("viewer")
        viewer.send(type="get", request=1, what="run", id=run)
        self.assertEqual(viewer.skip_to("reply")["data"]["submitted_by"], "client")

    def test_large_values_pass_in_both_directions(self):
        tool = f"tool-{secrets.token_hex(4)}"
        worker, client = self.work([tool]), self.greet("client")
        text = secrets.token_hex(100_000)
        plan = {"tasks": [{"id": "a", "tool_name": tool, "args": {"text": text}}]}
        client.send(type="submit", key="large", plan=plan, join="json", watch="end")
        dispatch = worker.skip_to("dispatch", tool=tool)
        self.assertEqual(dispatch["args"]["text"], text)
        worker.send(type="result", attempt=dispatch["attempt"], ok=True, output=text)
        client.skip_to("event", kind="run_succeeded")
        client.send(type="get", request=9, what="node", id=dispatch["run"], node="a")
        self.assertEqual(client.skip_to("reply", request=9)["data"]["output"], text)

    def test_both_cipher_suites_and_groups(self):
        for cipher in ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"]:
            for group in ["X25519", "P-256"]:
                with self.subTest(cipher=cipher, group=group):
                    self.greet("viewer", "-ciphersuites", cipher, "-groups", group).close()

    def test_a_connection_has_the_key_the_version_and_no_ticket(self):
        client = self.open("viewer", quiet=False)
        hello = {"type": "hello", "versions": [1], "role": "viewer", "name": "v",
                 "nonce": secrets.token_hex(32)}
        client.peer.send(**hello)
        text = b""
        while b'"challenge"' not in text:
            text += client.peer.socket.recv(1 << 16)
        text = text.decode()
        self.assertRegex(text, r"Reused, TLSv1\.3, Cipher is TLS_(CHACHA20|AES_128)")
        self.assertIn("Early data was not sent", text)
        self.assertIn("no peer certificate available", text)
        self.assertNotIn("Session Ticket", text)

    def test_other_ways_to_encrypt_are_refused(self):
        for options in [["-tls1_2"], ["-ciphersuites", "TLS_AES_256_GCM_SHA384"],
                        ["-groups", "P-384"]]:
            with self.subTest(" ".join(options)):
                client = self.open("worker", *options)
                client.peer.expect_end()
                self.assertTrue(client.error())
                self.assertEqual(self.dismissals(1), [LOGGED["key"]])

    def test_the_handshake_inside_must_name_the_same_key(self):
        for role, name in [("client", "worker"), ("worker", "client"), ("worker", "nobody"),
                           ("worker", "worker~2"), ("worker", "a b"), ("worker", "")]:
            with self.subTest(role=role, key=name):
                peer = self.open("worker").peer
                peer.send(type="hello", versions=[1], role=role, name="w",
                          nonce=secrets.token_hex(32), key=name)
                peer.expect_fatal("auth_failed")
        self.greet("worker", key_name="worker")

    def test_the_proof_inside_is_still_needed(self):
        peer = self.open("viewer").peer
        peer.send(type="hello", versions=[1], role="viewer", name="v",
                  nonce=secrets.token_hex(32))
        peer.expect("challenge")
        peer.send(type="auth", mac="00" * 32)
        peer.expect_fatal("auth_failed")

    def test_the_worker_in_python_by_its_standard_library(self):
        python = python_with_psk()
        if not python:
            self.skipTest("there is no Python 3.13, whose ssl module knows pre-shared keys")
        weft("keys", "add", "snake", "--role", "worker", "--state", self.coordinator.folder.name)
        line = weft("keys", "export", "snake", "--for", self.coordinator.address, "--state",
                    self.coordinator.folder.name).stdout
        digits = re.match(r"weft://snake:([0-9a-f]{64})@", line)[1]
        for text in [self.coordinator.key("worker").hex(), f"snake:{digits}"]:
            with self.subTest(named=":" in text):
                file = pathlib.Path(self.folder(), "worker.key")
                file.write_text(text + "\n")
                name = f"py-{secrets.token_hex(4)}"
                worker = Process([python, HERE / "worker.py", "--tls", "--coordinator",
                                  self.coordinator.address, "--key-file", file, "--name", name])
                self.addCleanup(worker.stop)
                self.assertEqual(self.run_on(name), {"a": {"of": "us"}})
                worker.terminate()
                self.assertEqual(worker.exit_code(), 0)
        file.write_text(secrets.token_hex(32))
        refused = Process([python, HERE / "worker.py", "--tls", "--coordinator",
                           self.coordinator.address, "--key-file", file])
        self.addCleanup(refused.stop)
        self.assertEqual(refused.exit_code(), 4)

    def test_the_worker_in_python_through_stunnel(self):
        stunnel = shutil.which("stunnel")
        if not stunnel:
            self.skipTest("stunnel is not installed (Debian: stunnel4)")
        folder = self.folder()
        key = self.coordinator.key("worker").hex()
        pathlib.Path(folder, "key").write_text(key + "\n")
        pathlib.Path(folder, "psk").write_text(f"worker:{key}\n")
        pathlib.Path(folder, "psk").chmod(0o600)
        # An authority whose key nobody has, so that no certificate passes.
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=nobody", "-keyout",
                        "/dev/null", "-out", f"{folder}/nobody.pem"], check=True,
                       capture_output=True)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        configuration = pathlib.Path(folder, "stunnel.conf")
        configuration.write_text(
            f"foreground = yes\npid =\nsyslog = no\n[weft]\nclient = yes\n"
            f"accept = 127.0.0.1:{port}\nconnect = {self.coordinator.address}\n"
            f"sslVersionMin = TLSv1.3\nPSKsecrets = {folder}/psk\nverifyChain = yes\n"
            f"CAfile = {folder}/nobody.pem\n")
        tunnel = Process([stunnel, configuration])
        self.addCleanup(tunnel.stop)
        tunnel.wait_for("Configuration successful")
        name = f"py-{secrets.token_hex(4)}"
        worker = Process([sys.executable, HERE / "worker.py", "--coordinator",
                          f"127.0.0.1:{port}", "--key-file", f"{folder}/key", "--name", name])
        self.addCleanup(worker.stop)
        self.assertEqual(self.run_on(name), {"a": {"of": "us"}})
        worker.terminate()
        self.assertEqual(worker.exit_code(), 0)

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name


class RefusalTests(TLSTest):
    """What a port that encrypts refuses."""

    limits = {"handshake": "1s"}

    def commands(self, *options):
        """The commands of each role, and how each of them tells an error."""
        state = ["--coordinator", self.coordinator.address, "--state",
                 self.coordinator.folder.name, *options]
        viewer = [*state, "--key-file", f"{self.coordinator.folder.name}/viewer.key"]
        return {"client": (["status", *state], f"error: {self.coordinator.address}: "),
                "viewer": (["status", *viewer], f"error: {self.coordinator.address}: "),
                "worker": (["worker", "--diagnostics", "--quiet", *state], "error: Refused: ")}

    def test_a_wrong_key_and_an_unknown_name_look_alike(self):
        wrong = secrets.token_bytes(32)
        seen = []
        cases = [(name, wrong) for name in ROLES]
        cases += [("nobody", self.coordinator.key("worker")), ("nobody", wrong),
                  ("client", self.coordinator.key("worker")), ("worker~2", wrong),
                  ("a" * 128, wrong),
                  ("worker", self.coordinator.key("worker")[:16]), ("worker", b"\0")]
        for name, key in cases:
            client = self.open(name, key=key)
            client.peer.expect_end()
            seen.append(client.error())
        self.assertEqual(len(seen[0]), 1, seen)
        self.assertIn("SSL alert number 47", seen[0][0])
        self.assertEqual(seen, [seen[0]] * len(cases))
        self.assertEqual(self.dismissals(len(cases)), [LOGGED["key"]] * len(cases))

    def test_a_wrong_key_is_one_sentence_for_each_role(self):
        with tempfile.TemporaryDirectory() as folder:
            for role in ROLES:
                file = pathlib.Path(folder, f"{role}.key")
                file.touch(mode=0o600)
                for text in [secrets.token_hex(32), f"nobody:{secrets.token_hex(32)}"]:
                    file.write_text(text + "\n")
                    words, before = self.commands("--tls", "always")[role]
                    words = [word for word in words if "viewer.key" not in word]
                    words = [word for word in words if word != "--key-file"]
                    with self.subTest(role=role, named=":" in text):
                        done = weft(*words, "--key-file", file)
                        self.assertEqual(done.returncode, 4)
                        advice = "" if role == "worker" else (
                            " Use the key file of that coordinator: --key-file or --state.")
                        self.assertEqual(done.stderr.splitlines()[-1],
                                         before + SENTENCES["key"] + advice)
                        self.assertEqual(self.dismissals(1), [LOGGED["key"]])

    def test_a_wrong_join_line_is_one_sentence_about_join_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "wrong.join")
            file.touch(mode=0o600)
            for scheme, problem in [("wefts", SENTENCES["key"]), ("weft", SENTENCES["encrypts"])]:
                file.write_text(f"{scheme}://client:{secrets.token_hex(32)}@"
                                f"{self.coordinator.address}/client\n")
                done = weft("status", "--join", file)
                advice = " Get a new join line: weft keys export, on the coordinator's host."
                self.assertEqual(done.stderr, f"error: {self.coordinator.address}: {problem}"
                                 + (advice if scheme == "wefts" else "") + "\n")
                self.dismissals(1)

    def test_an_end_without_a_word_is_told_as_what_it_may_be(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = "127.0.0.1:%d" % server.getsockname()[1]
            command = subprocess.Popen(
                [WEFT, "status", "--tls", "always", "--coordinator", address, "--state",
                 self.coordinator.folder.name], stderr=subprocess.PIPE, text=True)
            near, _ = server.accept()
            with near:
                near.settimeout(PATIENCE)
                self.assertEqual(near.recv(1 << 16)[:1], b"\x16")
            text = command.communicate(timeout=PATIENCE)[1]
        self.assertEqual(command.returncode, 3)
        self.assertEqual(text, f"error: No coordinator can be reached at {address}: it closed the "
                         "connection without a word, as one that is full or shuts down does.\n")

    def test_a_peer_that_does_not_encrypt_is_told(self):
        for role in ROLES:
            with self.subTest(role=role):
                peer = self.coordinator.connect()
                peer.send(type="hello", versions=[1], role=role, name="p",
                          nonce=secrets.token_hex(32))
                error = peer.expect_fatal("encryption")
                self.assertEqual(error["message"], SENTENCES["encrypts"])
                self.assertEqual(self.dismissals(1), [LOGGED["encrypts"]])
                words, before = self.commands()[role]
                done = weft(*words)
                self.assertEqual(done.returncode, 4)
                self.assertEqual(done.stderr.splitlines()[-1], before + SENTENCES["encrypts"])
                self.assertEqual(self.dismissals(1), [LOGGED["encrypts"]])

    def test_other_first_bytes_are_told_too(self):
        for data in [b"GET / HTTP/1.1\r\n\r\n", b"\0", b"\n", b"\x15\x03\x03\0\x02\x01\0"]:
            with self.subTest(data):
                peer = self.coordinator.connect()
                peer.send_raw(data)
                peer.expect_fatal("encryption")
                self.assertEqual(self.dismissals(1), [LOGGED["encrypts"]])

    def test_a_handshake_that_stops_ends_in_its_time(self):
        for data in [b"", b"\x16", b"\x16\x03\x01\x02\0\x01"]:
            with self.subTest(data):
                peer = self.coordinator.connect()
                peer.send_raw(data)
                peer.expect_end(5)
                self.assertIn("auth_timeout", self.dismissals(1)[0])

    def test_noise_ends_the_connection(self):
        peer = self.coordinator.connect()
        peer.send_raw(b"\x16\x03\x01\x00\x05hello" + bytes(100))
        while True:
            data = peer.socket.recv(1 << 16)
            if not data:
                break
            self.assertEqual(data[:3], b"\x15\x03\x03", "only an alert is sent")
        self.assertEqual(self.dismissals(1), [LOGGED["key"]])

    def test_a_byte_changed_on_its_way_ends_the_connection(self):
        relay = Relay(self.coordinator.port)
        self.addCleanup(relay.close)
        peer = self.coordinator.greet(
            "viewer", peer=self.open("viewer", address=relay.address).peer)
        peer.send(type="ping", n=1)
        peer.skip_to("pong", n=1)
        relay.damages = True
        peer.send(type="ping", n=2)
        peer.expect_end()
        self.assertEqual(self.dismissals(1), ["encryption: The encrypted stream is damaged."])


class PlainPortTests(TLSTest):
    """What a port that does not encrypt says to peers that do."""

    options = ["--tls", "never"]
    commands = RefusalTests.commands

    def test_a_peer_that_encrypts_is_told(self):
        for role in ROLES:
            with self.subTest(role=role):
                client = self.open(role)
                client.peer.expect_end()
                self.assertTrue(client.error())
                self.assertEqual(self.dismissals(1), [LOGGED["plain"]])
                words, before = self.commands("--tls", "always")[role]
                done = weft(*words)
                self.assertEqual(done.returncode, 4)
                self.assertEqual(done.stderr.splitlines()[-1], before + SENTENCES["plain"])
                self.assertEqual(self.dismissals(1), [LOGGED["plain"]])

    def test_it_is_told_by_a_plain_line(self):
        peer = self.coordinator.connect()
        peer.send_raw(b"\x16\x03\x01\x02\0\x01")
        error = peer.expect_fatal("encryption")
        self.assertEqual(f"encryption: {error['message']}", LOGGED["plain"])

    def test_the_worker_in_python_is_told(self):
        python = python_with_psk()
        if not python:
            self.skipTest("there is no Python 3.13, whose ssl module knows pre-shared keys")
        worker = Process([python, HERE / "worker.py", "--tls", "--coordinator",
                          self.coordinator.address, "--key-file",
                          f"{self.coordinator.folder.name}/worker.key"])
        self.addCleanup(worker.stop)
        self.assertEqual(worker.exit_code(), 4)


class ListeningTests(unittest.TestCase):
    """When a coordinator encrypts."""

    def start(self, listen, *options):
        with tempfile.TemporaryDirectory() as folder:
            process = Process([WEFT, "coordinator", "--listen", listen, "--state", folder,
                               *options])
            self.addCleanup(process.stop)
            process.wait_for("listens on")
            process.terminate()
            process.exit_code()
        return process.log

    def test_beyond_this_host_it_encrypts(self):
        self.assertRegex("\n".join(self.start("0.0.0.0:0")), r"listens on \S+, encrypted, state in")
        self.assertRegex("\n".join(self.start("0.0.0.0:0", "--tls", "off-host")), ", encrypted,")

    def test_on_this_host_it_does_so_when_it_is_told(self):
        for listen in ["127.0.0.1:0", "127.0.0.2:0", "localhost:0"]:
            self.assertNotIn("encrypted", "\n".join(self.start(listen)))
        self.assertIn(", encrypted,", "\n".join(self.start("127.0.0.1:0", "--tls", "always")))

    def test_without_encryption_beyond_this_host_it_warns(self):
        text = "\n".join(self.start("0.0.0.0:0", "--insecure-plaintext"))
        self.assertIn("warning: connections are not encrypted (--insecure-plaintext)", text)
        self.assertNotIn(", encrypted,", text)

    def test_contradictions_are_refused(self):
        for words, problem in [
                (["--tls", "never"], "Drop --tls never, or accept the risk"),
                (["--tls", "always", "--insecure-plaintext"], "contradicts --tls always"),
                (["--tls", "sometimes"], '--tls cannot be "sometimes"')]:
            with self.subTest(" ".join(words)):
                done = weft("coordinator", "--listen", "0.0.0.0:0", "--ephemeral", *words)
                self.assertEqual(done.returncode, 2)
                self.assertIn(problem, done.stderr)


if __name__ == "__main__":
    unittest.main()
