"""Identities from outside: `weft keys`, join lines, and what a key gives and stops giving while the
coordinator runs."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from peer import PATIENCE, WEFT, Closed, Coordinator, Process
from tls import Client, weft

REFUSED = ("The coordinator does not accept the key: it is another coordinator's, or it was "
           "revoked.")


class KeysTest(unittest.TestCase):
    """A coordinator that encrypts, for all tests of a class; identities have names of their own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.coordinator = Coordinator("--tls", "always", "--verbose")
        cls.addClassCleanup(cls.coordinator.stop)
        cls.state = cls.coordinator.folder.name

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def keys(self, *words):
        """Runs `weft keys` to its end, which must be a success; its output."""
        done = weft("keys", *words, "--state", self.state)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def export(self, name):
        return self.keys("export", name, "--for", self.coordinator.address, "--tls", "always")

    def add(self, role, *options):
        """A new identity of the role: its name, and a file with its join line."""
        name = f"{role}-{secrets.token_hex(4)}"
        self.keys("add", name, "--role", role, *options)
        return name, self.join_file(name)

    def join_file(self, name):
        path = self.folder / f"{secrets.token_hex(4)}.join"
        path.touch(mode=0o600)
        path.write_text(self.export(name))
        return path

    def greet(self, join):
        """A raw peer over openssl with the key of a join line."""
        name, digits, role = re.fullmatch(r"wefts://(.*):([0-9a-f]{64})@.*/(.*)\n",
                                          join.read_text()).groups()
        key = bytes.fromhex(digits)
        client = Client(self.coordinator.address, name, key)
        self.addCleanup(client.close)
        return self.coordinator.greet(role, peer=client.peer, key=key, key_name=name)

    def worker(self, join, *options):
        """A worker process that has registered."""
        worker = Process([WEFT, "worker", "--diagnostics", "--join", join, *options])
        self.addCleanup(worker.stop)
        worker.wait_for("registered")
        return worker

    def plan(self, *calls):
        """A file with a plan of calls that depend on nothing."""
        path = self.folder / f"{secrets.token_hex(4)}.json"
        path.write_text(json.dumps({"tasks": [
            {"id": f"t{index}", "tool_name": tool, "args": args}
            for index, (tool, args) in enumerate(calls)]}))
        return path

    def refuses(self, *words):
        """Checks that a command is refused because of its key."""
        done = weft(*words)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn(REFUSED, done.stderr)

    def all_digits(self):
        """The digits of every key in the state folder."""
        text = "".join(path.read_text() for path in pathlib.Path(self.state).glob("*.key"))
        text += pathlib.Path(self.state, "keys.json").read_text()
        return re.findall("[0-9a-f]{64}", text)


class ListingTests(KeysTest):
    def test_identities_are_listed_and_keys_are_not(self):
        name, _ = self.add("client", "--allow-tool", "echo", "--allow-tool", "noop",
                           "--max-running", "2")
        table = self.keys()
        self.assertRegex(table, rf"{name} +client +{name} .*ago +echo, noop; 2 running")
        self.assertEqual(re.sub(r"[\d.]+ m?s ago", "", table).split(),
                         re.sub(r"[\d.]+ m?s ago", "", self.keys("list")).split())
        entries = {entry["name"]: entry for entry in json.loads(self.keys("list", "--json"))}
        self.assertLessEqual({"client", "viewer", "worker", name}, set(entries))
        made = entries[name].pop("made_at")
        self.assertRegex(made, r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(entries[name], {
            "name": name, "role": "client", "key": name, "revoked": False, "former": [],
            "allow_tools": ["echo", "noop"], "max_running": 2})
        self.keys("rotate", name, "--grace", "1h")
        entries = {entry["name"]: entry for entry in json.loads(self.keys("--json"))}
        self.assertEqual(entries[name]["key"], f"{name}~2")
        self.assertEqual([former["key"] for former in entries[name]["former"]], [name])
        shown = self.keys() + self.keys("--json")
        for digits in self.all_digits():
            self.assertNotIn(digits, shown)

    def test_a_join_line_is_shown_or_written_into_a_new_private_file(self):
        name, join = self.add("worker")
        self.assertRegex(join.read_text(),
                         rf"^wefts://{name}:[0-9a-f]{{64}}@{self.coordinator.address}/worker\n$")
        path = self.folder / "out.join"
        words = ["export", name, "--for", self.coordinator.address, "--tls", "always"]
        os.umask(os.umask(0o000))
        self.assertEqual(self.keys(*words, "--out", path), "")
        self.assertEqual(path.read_text(), join.read_text())
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        path.write_text("mine")
        done = weft("keys", *words, "--out", path, "--state", self.state)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, f"error: {path} is there already, and stays as it is. "
                                      "Remove it, or name another file.\n")
        self.assertEqual(path.read_text(), "mine")
        self.assertEqual(os.listdir(self.folder).count("out.join"), 1)
        self.assertFalse([file for file in os.listdir(self.folder) if "out.join." in file])

    def test_the_address_decides_how_a_line_begins(self):
        for address, tls, scheme in [
                ("10.0.0.5:7420", [], "wefts"), ("127.0.0.1:7420", [], "weft"),
                ("127.0.0.1:7420", ["--tls", "always"], "wefts"),
                ("10.0.0.5:7420", ["--tls", "never"], "weft"),
                ("a.example:1,[fd00::1]:2", [], "wefts")]:
            line = self.keys("export", "viewer", "--for", address, *tls)
            self.assertRegex(
                line, rf"^{scheme}://viewer:[0-9a-f]{{64}}@{re.escape(address)}/viewer\n$")

    def test_mistakes_are_named(self):
        name, _ = self.add("client")
        at = ["--for", "10.0.0.5:7420"]
        for words, problem in [
                (["lst"], 'weft keys has no command "lst". Did you mean "list"?'),
                (["list", "--jsn"], 'Did you mean "--json"?'),
                (["add"], "needs"),
                (["add", "x"], "needs --role"),
                (["add", "x", "--role", "clint"], 'Did you mean "client"?'),
                (["add", "a b", "--role", "client"], '"a b" cannot be a name'),
                (["add", "x~2", "--role", "client"], '"x~2" cannot be a name'),
                (["add", name, "--role", "client"], f"There is an identity {name}."),
                (["add", "worker", "--role", "client"], "the name of the first key of a role"),
                (["add", "x", "--role", "worker", "--allow-tool", "echo"], "are for clients"),
                (["add", "x", "--role", "viewer", "--max-running", "1"], "are for clients"),
                (["add", "x", "--role", "client", "--max-running", "0"], "must be at least 1"),
                (["add", "x", "--role", "client", "--max-running", "two"], "--max-running"),
                (["add", "x", "--role", "client", "--allow-tool"], "--allow-tool"),
                (["bind"], "needs"),
                (["bind", name, "--max-running", "0"], "must be at least 1"),
                (["bind", "nobody-at-all"], "There is no identity nobody-at-all."),
                (["bind", "worker", "--allow-tool", "echo"], "worker submits no runs"),
                (["rotate"], "needs"),
                (["rotate", name[:-1]], f"Did you mean {name}?"),
                (["rotate", name, "--grace", "2x"], "--grace: "),
                (["rotate", name, "--grace", "soon"], "--grace: "),
                (["revoke"], "needs"),
                (["revoke", "nobody-at-all"], "There is no identity nobody-at-all."),
                (["export", name], "needs --for"),
                (["export", "wrker", *at], "Did you mean worker?"),
                (["export", name, "--for", "10.0.0.5"], "has no port"),
                (["export", name, "--for", "127.0.0.1:1,10.0.0.5:1"], "say --tls always or"),
                (["export", name, *at, "--tls", "sometimes"], "--tls"),
                (["export", name, *at, "--out", self.folder / "none" / "x"], "Name another file."),
                (["export", name, *at, "--out", self.folder], "is there already")]:
            with self.subTest(" ".join(map(str, words))):
                done = weft("keys", *words, "--state", self.state)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(problem, done.stderr)
                self.assertNotRegex(done.stderr, "[0-9a-f]{64}")
        for words in [["status"], ["keys", "export", "viewer", *at, "--state", self.state],
                      ["coordinator", "--ephemeral"]]:
            done = weft(*words, environment={**os.environ, "WEFT_TLS": "sometimes"})
            self.assertEqual(done.returncode, 2)
            self.assertIn('WEFT_TLS is "sometimes"; it may be one of', done.stderr)
        done = weft("keys", "--state", self.folder / "none")
        self.assertIn("No keys in", done.stdout)


class JoinTests(KeysTest):
    def test_every_command_takes_a_join_line_from_a_file_standard_input_or_a_variable(self):
        _, worker = self.add("worker")
        _, client = self.add("client")
        self.worker(worker)
        with worker.open() as line:
            other = subprocess.Popen([WEFT, "worker", "--diagnostics", "--join", "-"], stdin=line,
                                     stderr=subprocess.PIPE)
            self.addCleanup(other.stderr.close)
            self.addCleanup(other.wait)
            self.addCleanup(other.kill)
        self.assertIn(b"registered", other.stderr.readline())
        plan = self.plan(("echo", {"of": "us"}))
        for words in [["status"], ["runs"], ["workers"], ["run", "--plan", plan]]:
            with self.subTest(words[0]):
                outputs = []
                for options, text, variable in [
                        (["--join", client], "", None), (["--join", "-"], client.read_text(), None),
                        ([], "", client)]:
                    environment = {**os.environ}
                    if variable:
                        environment["WEFT_JOIN"] = str(variable)
                    done = weft(*words, *options, text=text, environment=environment)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    outputs.append(done.stdout)
                self.assertTrue(all(outputs))
        done = weft("worker", "--diagnostics", "--exit-after", "1s",
                    environment={**os.environ, "WEFT_JOIN": str(client)})
        self.assertEqual(done.returncode, 4)
        self.assertIn("is the join line of a client. Use a worker's.", done.stderr)

    def test_a_flag_comes_before_the_variable(self):
        _, client = self.add("client")
        broken = self.folder / "broken"
        broken.touch(mode=0o600)
        environment = {**os.environ, "WEFT_JOIN": str(broken)}
        self.assertEqual(weft("status", "--join", client, environment=environment).returncode, 0)
        done = weft("status", "--coordinator", self.coordinator.address, "--state", self.state,
                    "--tls", "always", environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(weft("status", environment=environment).returncode, 4)

    def test_roles_are_kept(self):
        _, worker = self.add("worker")
        _, viewer = self.add("viewer")
        plan = self.plan(("echo", {}))
        for words, problem in [
                (["status", "--join", worker], "is the key of workers. Use a client's."),
                (["run", "--plan", plan, "--join", viewer], "who may only watch and ask"),
                (["worker", "--diagnostics", "--join", viewer], "is the join line of a viewer.")]:
            done = weft(*words)
            self.assertEqual(done.returncode, 4)
            self.assertIn(problem, done.stderr)
        self.assertEqual(weft("status", "--join", viewer).returncode, 0)

    def test_damaged_join_files_are_refused_without_their_key(self):
        _, client = self.add("client")
        line = client.read_text().rstrip("\n")
        damaged = self.folder / "damaged.join"
        damaged.touch(mode=0o600)
        for text, problem in [
                ("", "is missing"), ("\n", "is missing"),
                (line[1:], "does not begin with wefts://"),
                (line.replace("@", ""), "has no @"), (line.replace(":", "", 2), "begin with"),
                (line.replace("@", "0@"), "has a key that is not 64 hex digits"),
                (line[:-1], "does not end with /client"), (line + "x", "does not end with /client"),
                (re.sub(r":\d+/", "/", line), "has no address"),
                (line + "\n" + line, "other lines"),
                ("\0\1\2", "does not begin with wefts://")]:
            with self.subTest(problem):
                damaged.write_text(text)
                for words in [["status"], ["worker", "--diagnostics"]]:
                    done = weft(*words, "--join", damaged)
                    self.assertEqual(done.returncode, 4)
                    self.assertIn(problem, done.stderr)
                    self.assertNotRegex(done.stderr, "[0-9a-f]{63}")
                # Of standard input only the first line is read.
                done = weft("status", "--join", "-", text=text)
                self.assertEqual(done.returncode, 0 if problem == "other lines" else 4)
        damaged.write_text(line)
        damaged.chmod(0o644)
        self.assertIn("chmod 600", weft("status", "--join", damaged).stderr)
        for path in [self.folder / "none", self.folder]:
            done = weft("status", "--join", path)
            self.assertEqual(done.returncode, 4)
            self.assertIn("join line", done.stderr)
        for flags in [["--coordinator", "h:1"], ["--key-file", "x"], ["--tls", "never"]]:
            for words in [["status"], ["worker", "--diagnostics"]]:
                done = weft(*words, "--join", client, *flags)
                self.assertEqual(done.returncode, 2)
                self.assertIn(f"drop {flags[0]}", done.stderr)

    def test_no_key_is_seen_in_processes_or_logs(self):
        _, worker_join = self.add("worker")
        _, client_join = self.add("client")
        worker = self.worker(worker_join)
        with client_join.open() as line:
            run = subprocess.Popen(
                [WEFT, "run", "--plan", self.plan(("sleep", {"ms": 60_000})), "--join", "-"],
                stdin=line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(run.stderr.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        self.coordinator.process.wait_for("run accepted")
        digits = self.all_digits()
        self.assertGreaterEqual(len(digits), 5)
        for process in [worker.process, run, self.coordinator.process.process]:
            seen = pathlib.Path(f"/proc/{process.pid}/cmdline").read_text()
            seen += pathlib.Path(f"/proc/{process.pid}/environ").read_text()
            self.assertIn("weft", seen)
            for key in digits:
                self.assertNotIn(key, seen)
        for line in worker.log + self.coordinator.process.log:
            self.assertNotRegex(line, "[0-9a-f]{64}")


class ChangeTests(KeysTest):
    """Keys that change while the coordinator runs."""

    def ended(self, peer):
        """Waits until a raw peer is told that its key is not accepted any more; the time."""
        peer.answers_pings = False  # Nobody may be there any more.
        error = peer.skip_to("error", code="auth_failed", fatal=True)
        peer.expect_end()
        self.assertRegex(error["message"], r"^The key \S+ is not accepted any more; get a new")
        return time.monotonic()

    def test_a_new_identity_may_connect_at_once(self):
        for role in ["client", "viewer", "worker"]:
            _, join = self.add(role)
            self.greet(join)

    def test_a_former_key_is_accepted_for_the_grace_and_ends_by_itself(self):
        for role in ["client", "worker"]:
            with self.subTest(role):
                name, old = self.add(role)
                before = self.greet(old)
                begin = time.monotonic()
                self.assertIn(f"has the new key {name}~2. The former one is accepted for 3s.",
                              self.keys("rotate", name, "--grace", "3s"))
                new = self.join_file(name)
                self.assertIn(f"//{name}~2:", new.read_text())
                with_new, with_old = self.greet(new), self.greet(old)
                self.assertLess(time.monotonic() - begin, 3, "the machine is too slow for this")
                for peer in [before, with_old]:
                    self.assertGreaterEqual(self.ended(peer) - begin, 3 - 0.1)
                with_new.send(type="ping", n=5)
                with_new.skip_to("pong", n=5)
                self.refused(old)
                self.greet(new)

    def refused(self, join):
        """Checks that the key of a join line gives nothing, and our own commands say so."""
        with self.assertRaises((AssertionError, Closed)):
            self.greet(join)
        role = join.read_text().rstrip("\n").rsplit("/", 1)[1]
        words = ["worker", "--diagnostics"] if role == "worker" else ["status"]
        self.refuses(*words, "--join", join)

    def test_no_grace_ends_a_key_at_once(self):
        name, old = self.add("viewer")
        peer = self.greet(old)
        self.assertIn("is not accepted any more", self.keys("rotate", name, "--grace", "0s"))
        begin = time.monotonic()
        self.assertLess(self.ended(peer) - begin, 1)
        self.refused(old)
        self.greet(self.join_file(name))

    def test_a_revoked_identity_is_gone_within_a_second(self):
        _, kept = self.add("viewer")
        other = self.greet(kept)
        for role in ["client", "viewer", "worker"]:
            with self.subTest(role):
                name, join = self.add(role)
                self.keys("rotate", name)
                joins = [join, self.join_file(name)]
                peers = [self.greet(join) for join in joins]
                if role == "worker":
                    for number, peer in enumerate(peers):
                        peer.send(type="register", slots=1, tools=[])
                        peer.expect("registered")
                self.keys("revoke", name)
                begin = time.monotonic()
                for peer in peers:
                    self.assertLess(self.ended(peer) - begin, 1)
                for join in joins:
                    self.refused(join)
        other.send(type="ping", n=7)
        other.skip_to("pong", n=7)

    def test_revoked_processes_end_and_say_why(self):
        names, joins = zip(*[self.add(role) for role in ["worker", "client", "viewer"]])
        _, other = self.add("worker")
        _, asker = self.add("client")
        worker = self.worker(joins[0], "--slots", "1")
        run = self.spawn("run", "--plan", self.plan(("sleep", {"ms": 60_000})), "--join", joins[1])
        id = self.coordinator.process.wait_for(rf"by={names[1]} .*run=(\S+)")[1]
        watch = self.spawn("watch", id, "--join", joins[2])
        self.assertIn(b"started", self.first_line(watch, b"started"))
        self.worker(other)
        for name, process in [(names[2], watch), (names[1], run), (names[0], worker.process)]:
            self.keys("revoke", name)
            begin = time.monotonic()
            process.wait(timeout=PATIENCE)
            self.assertLess(time.monotonic() - begin, 1)
        for process in [worker.process, run, watch]:
            self.assertEqual(process.returncode, 4)
        worker.reader.join()
        texts = ["\n".join(worker.log), run.stderr.read().decode(), watch.stderr.read().decode()]
        for name, text in zip(names, texts):
            self.assertIn(f"The key {name} is not accepted any more; get a new one.", text)
        for join, words in zip(joins, [["worker", "--diagnostics"], ["runs"], ["runs"]]):
            self.refuses(*words, "--join", join)
        # The run goes on, on another worker.
        shown = json.loads(weft("show", id, "--json", "--join", asker).stdout)
        self.assertEqual((shown["status"], shown["submitted_by"]), ("running", names[1]))
        self.assertEqual(weft("cancel", id, "--join", asker).returncode, 0)

    def spawn(self, *words):
        process = subprocess.Popen([WEFT, *map(str, words)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for end in [process.stdout.close, process.stderr.close, process.wait, process.kill]:
            self.addCleanup(end)
        return process

    def first_line(self, process, text):
        """The first line of standard output that has the text."""
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        try:
            return next((line for line in process.stdout if text in line), b"")
        finally:
            timer.cancel()

    def test_a_role_that_was_revoked_can_have_a_key_again(self):
        viewer = self.join_file("viewer")
        peer = self.greet(viewer)
        self.keys("revoke", "viewer")
        self.ended(peer)
        self.assertFalse(os.path.exists(f"{self.state}/viewer.key"))
        self.assertRegex(self.keys(), r"viewer +viewer +revoked")
        done = weft("keys", "export", "viewer", "--for", "h:1", "--state", self.state)
        self.assertEqual(done.returncode, 2)
        self.assertIn("were revoked. Make a new one by weft keys add viewer", done.stderr)
        self.keys("add", "viewer", "--role", "viewer")
        self.refused(viewer)
        self.greet(self.join_file("viewer"))

    def test_a_damaged_file_changes_nothing_and_is_told(self):
        _, join = self.add("viewer")
        peer = self.greet(join)
        path = pathlib.Path(self.state, "keys.json")
        good = path.read_text()
        self.addCleanup(path.write_text, good)
        for text, problem in [
                ("", "it is no JSON object"),
                (good.replace('"role"', '"rule"', 1), "role is missing"),
                (good.replace('"made_ms"', '"allow_tool":["x"],"made_ms"', 1),
                 "unknown field allow_tool"),
                (re.sub('"[0-9a-f]{64}"', '"00"', good, count=1), "is damaged")]:
            with self.subTest(problem):
                path.write_text(text)
                line = self.coordinator.process.wait_for("keys stay as they were")
                self.assertIn(problem, line.string)
                peer.send(type="ping", n=9)
                peer.skip_to("pong", n=9)
                self.greet(join)
                done = weft("keys", "--state", self.state)
                self.assertEqual(done.returncode, 2)
                self.assertIn(problem, done.stderr)
                for output in [done.stderr, line.string]:
                    self.assertNotRegex(output, "[0-9a-f]{64}")
        done = weft("coordinator", "--listen", "127.0.0.1:0", "--state", self.copy(text))
        self.assertEqual(done.returncode, 2)
        self.assertIn("is damaged", done.stderr)
        path.write_text(good)
        self.add("viewer")
        self.greet(join)

    def copy(self, text):
        """A state folder of its own with that file of identities."""
        path = self.folder / "state"
        path.mkdir(mode=0o700)
        (path / "keys.json").touch(mode=0o600)
        (path / "keys.json").write_text(text)
        return path


class IdlePeerTests(unittest.TestCase):
    """A peer that just stays, where nothing is encrypted."""

    def test_the_socket_of_a_revoked_peer_is_closed_at_once(self):
        coordinator = Coordinator()
        self.addCleanup(coordinator.stop)

        def sockets():
            count = 0
            for file in pathlib.Path(f"/proc/{coordinator.process.process.pid}/fd").iterdir():
                # The coordinator goes on meanwhile, so a listed descriptor may be closed by now.
                with contextlib.suppress(FileNotFoundError):
                    count += os.readlink(file).startswith("socket:")
            return count

        before = sockets()
        peer = coordinator.greet("viewer")
        self.assertEqual(sockets(), before + 1)
        weft("keys", "revoke", "viewer", "--state", coordinator.folder.name)
        peer.answers_pings = False
        peer.skip_to("error", code="auth_failed", fatal=True)
        begin = time.monotonic()
        while sockets() > before:
            self.assertLess(time.monotonic() - begin, 2)
            time.sleep(0.01)


class BoundTests(KeysTest):
    """What identities are bound to, and what is known of who did what."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker = Process([WEFT, "worker", "--diagnostics", "--slots", "6", "--coordinator",
                              cls.coordinator.address, "--tls", "always", "--state", cls.state])
        cls.addClassCleanup(cls.worker.stop)
        cls.worker.wait_for("registered")

    def test_an_identity_may_use_its_tools_alone(self):
        _, bound = self.add("client", "--allow-tool", "echo", "--allow-tool", "noop")
        _, free = self.add("client")
        for calls, options, code in [
                ([("echo", {})], [], 0), ([("noop", {})], ["--allow-tool", "noop"], 0),
                ([("sleep", {"ms": 1})], [], 2),
                ([("sleep", {"ms": 1})], ["--allow-tool", "sleep"], 2),
                ([("echo", {}), ("sleep", {"ms": 1})], [], 2),
                ([("echo", {})], ["--join", "tool:sleep"], 2)]:
            with self.subTest(f"{calls} {options}"):
                words = ["run", "--plan", self.plan(*calls), *options, "--join"]
                done = weft(*words, bound)
                self.assertEqual(done.returncode, code, done.stderr)
                if code:
                    self.assertIn("sleep", done.stderr)
                    if not options:
                        self.assertEqual(weft(*words, free).returncode, 0)

    def test_an_identity_has_so_many_running_and_no_more(self):
        _, bound = self.add("client", "--max-running", "2")
        _, free = self.add("client")
        plan = {"tasks": [{"id": f"t{number}", "tool_name": "sleep", "args": {"ms": 60}}
                          for number in range(8)]}
        for join, budget, most in [(bound, {}, 2), (bound, {"running": 5}, 2),
                                   (bound, {"running": 1}, 1), (free, {}, 6)]:
            with self.subTest(most=most, budget=budget):
                peer = self.greet(join)
                peer.send(type="submit", key=secrets.token_hex(8), plan=plan, watch="nodes",
                          budget=budget)
                running, highest = set(), 0
                while (event := peer.skip_to("event"))["kind"] != "run_succeeded":
                    if event["kind"] == "dispatched":
                        running.add(event["node"])
                    if event["kind"] == "node_succeeded":
                        running.discard(event["node"])
                    highest = max(highest, len(running))
                self.assertEqual(highest, most)

    def test_all_runs_of_an_identity_share_its_bound(self):
        _, bound = self.add("client", "--max-running", "2")
        plan = {"tasks": [{"id": f"t{number}", "tool_name": "sleep", "args": {"ms": 60}}
                          for number in range(5)]}
        peer = self.greet(bound)
        for _ in range(3):
            peer.send(type="submit", key=secrets.token_hex(8), plan=plan, watch="nodes")
        running, highest, begun, ended = set(), 0, 0, 0
        while ended < 3:
            event = peer.skip_to("event")
            ended += event["kind"] == "run_succeeded"
            if event["kind"] == "dispatched":
                running.add((event["run"], event["node"]))
                begun += 1
            if event["kind"] == "node_succeeded":
                running.discard((event["run"], event["node"]))
            highest = max(highest, len(running))
        self.assertEqual((highest, begun), (2, 15))

    def test_bounds_that_change_count_from_the_next_run_on(self):
        name, join = self.add("client")
        plan = self.plan(("sleep", {"ms": 1}))
        self.assertEqual(weft("run", "--plan", plan, "--join", join).returncode, 0)
        self.keys("bind", name, "--allow-tool", "echo")
        deadline = time.monotonic() + PATIENCE
        while (code := weft("run", "--plan", plan, "--join", join).returncode) == 0:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(code, 2)
        self.keys("bind", name)
        while weft("run", "--plan", plan, "--join", join).returncode != 0:
            self.assertLess(time.monotonic(), deadline)

    def test_a_run_knows_who_submitted_and_who_cancelled_it(self):
        submitter, first = self.add("client")
        canceller, second = self.add("client")
        _, viewer = self.add("viewer")
        plan = self.plan(("sleep", {"ms": 60_000}))
        done = weft("run", "--detach", "--plan", plan, "--join", first)
        self.assertEqual(done.returncode, 0, done.stderr)
        id = done.stdout.strip()
        self.coordinator.process.wait_for(rf"by={submitter} .*run={id}.*run accepted")
        entry = next(run for run in json.loads(weft("runs", "--json", "--join", viewer).stdout)
                     if run["run"] == id)
        self.assertEqual(entry["submitted_by"], submitter)
        self.assertNotIn("cancelled_by", entry)
        self.assertEqual(weft("cancel", id, "--join", second).returncode, 0)
        self.coordinator.process.wait_for(rf"by={canceller} run={id}.*run is cancelled")
        shown = json.loads(weft("show", id, "--json", "--join", viewer).stdout)
        self.assertEqual((shown["submitted_by"], shown["cancelled_by"]), (submitter, canceller))
        table = weft("runs", "--join", viewer).stdout
        self.assertRegex(table, rf"(?m)^{id} .* {submitter}\b")
        text = weft("show", id, "--join", viewer).stdout
        self.assertRegex(text, rf"(?m)^by +{submitter}$")
        self.assertRegex(text, rf"(?m)^ended by +{canceller}$")


if __name__ == "__main__":
    unittest.main()
