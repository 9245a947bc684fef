"""Commands that outlive their connection: the coordinator is killed and started again on its port, or
the connection alone is cut, and `weft run`, `watch`, `show` and `cancel` go on."""

import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from peer import PATIENCE, WEFT, Coordinator, Process
from test_coordinator import plan

GATE = 'echo x >> "$1.on"; until [ -e "$1" ]; do sleep 0.02; done; echo "through $1"'
ENDS = ("node_succeeded", "node_failed", "node_skipped", "node_cancelled")


class Command:
    """A weft command with its output in files, which never make it wait."""

    def __init__(self, folder, arguments, stdin=subprocess.DEVNULL):
        self.folder = tempfile.TemporaryDirectory(dir=folder)
        self.paths = [pathlib.Path(self.folder.name, name) for name in ("out", "err")]
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("WEFT_")}
        with open(self.paths[0], "wb") as out, open(self.paths[1], "wb") as err:
            self.process = subprocess.Popen([WEFT, *arguments], stdin=stdin, stdout=out, stderr=err,
                                            env=environment, start_new_session=True)

    @property
    def out(self):
        return self.paths[0].read_text()

    @property
    def err(self):
        return self.paths[1].read_text()

    @property
    def events(self):
        """The JSON lines that are there in full."""
        lines = self.out.split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def wait(self):
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there: {self.out!r} {self.err!r}") from None

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.folder.cleanup()


class Proxy:
    """Passes lines between clients and a coordinator, and cuts connections where it is told.

    `cut` gets each line with its direction, `>` to the coordinator or `<` from it: True ends the
    connection before the line is passed on."""

    def __init__(self, port, cut):
        self.port, self.cut = port, cut
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.connections = 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                client = self.socket.accept()[0]
            except OSError:
                return
            self.connections += 1
            with client:
                try:
                    with socket.create_connection(("127.0.0.1", self.port)) as coordinator:
                        self.pass_on(client, coordinator)
                except OSError:
                    pass

    def pass_on(self, client, coordinator):
        """Until one side closes, or the connection is cut."""
        ways = {client: (">", coordinator), coordinator: ("<", client)}
        rests = {client: b"", coordinator: b""}
        while True:
            for side in select.select(list(ways), [], [], PATIENCE)[0]:
                data = side.recv(1 << 16)
                if not data:
                    return
                direction, other = ways[side]
                *lines, rests[side] = (rests[side] + data).split(b"\n")
                for text in lines:
                    if self.cut(direction, json.loads(text)):
                        return
                    other.sendall(text + b"\n")

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(PATIENCE)


def once(direction, kind, **fields):
    """Cuts at the first such line."""
    found = []

    def cut(way, message):
        wanted = {"type": kind, **fields}
        if found or way != direction or {key: message.get(key) for key in wanted} != wanted:
            return False
        found.append(message)
        return True
    return cut


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.coordinator = Coordinator()
        self.addCleanup(self.coordinator.stop)
        # The port of the first start is that of all.
        arguments = self.coordinator.arguments
        arguments[arguments.index("--listen") + 1] = self.coordinator.address
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def start_worker(self):
        manifest = self.folder / "tools.yaml"
        manifest.write_text(json.dumps({"tools": [
            {"name": "gate", "description": "Waits for a file.", "idempotent": True,
             "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
             "command": ["sh", "-c", GATE, "gate", "{path}"]}]}))
        worker = Process([WEFT, "worker", "--coordinator", self.coordinator.address,
                          "--key-file", str(self.key("worker")), "--tools", str(manifest),
                          "--diagnostics", "--slots", "4"])
        self.addCleanup(worker.stop)

    def key(self, role):
        return pathlib.Path(self.coordinator.folder.name, f"{role}.key")

    def gate(self, name="gate"):
        return str(self.folder / name)

    def weft(self, command, *arguments, address=None, **options):
        started = Command(self.folder, [
            command, *arguments, "--coordinator", address or self.coordinator.address,
            "--key-file", str(self.key("client"))], **options)
        self.addCleanup(started.stop)
        return started

    def run_plan(self, *tasks, options=(), **fields):
        path = self.folder / "plan.json"
        path.write_text(json.dumps(plan(*tasks)))
        return self.weft("run", "--plan", str(path), *options, **fields)

    def start_run(self, *tasks):
        """Submits a plan and leaves; returns its run."""
        command = self.run_plan(*tasks, options=["--detach"])
        self.assertEqual(command.wait(), 0, command.err)
        return command.out.strip()

    def proxy(self, cut):
        proxy = Proxy(self.coordinator.port, cut)
        self.addCleanup(proxy.close)
        return proxy

    def eventually(self, condition, words):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, words() if callable(words) else words)
            time.sleep(0.02)

    def until_held(self, name="gate"):
        """Waits until the tool runs that waits for a gate, and its run is on disk; returns the
        newest run."""
        path = pathlib.Path(self.gate(name) + ".on")
        self.eventually(path.exists, f"{name} does not run")
        # This answer comes after the `accepted` of the run has left.
        with self.coordinator.greet("client") as client:
            client.send(type="get", request=1, what="runs")
            return client.skip_to("reply")["data"][0]["run"]

    def until_said(self, command, words, times=1):
        self.eventually(lambda: command.err.count(words) >= times,
                        lambda: f"never {words!r}: {command.err!r} {command.out!r}")

    def open(self, name="gate"):
        pathlib.Path(self.gate(name)).touch()

    def restart(self, *commands, times=1):
        """The coordinator dies, the commands notice, it is back, the commands notice."""
        self.coordinator.kill()
        for command in commands:
            self.until_said(command, "connection lost", times)
        self.coordinator.start()
        for command in commands:
            self.until_said(command, "connected again", times)

    def check_notices(self, command, run=None, times=1):
        """Standard error has these notices and nothing else."""
        lines = command.err.splitlines()
        self.assertEqual(len(lines), 2 * times, lines)
        for lost, again in zip(lines[::2], lines[1::2]):
            self.assertRegex(lost, r"^connection lost \([^()]+\); trying again for 60 s$")
            self.assertRegex(again, rf"^connected again; run {run or '.+'} goes on$")

    def check_ends(self, events, nodes):
        """Each node has ended once; numbers never fall."""
        ended = [event["node"] for event in events if event["kind"] in ENDS]
        self.assertEqual(sorted(ended), sorted(nodes))
        numbers = [event["seq"] for event in events if event["kind"] != "snapshot"]
        self.assertEqual(numbers, sorted(numbers))


class KilledTests(ClientTest):
    def test_a_run_goes_on_after_each_restart(self):
        self.start_worker()
        command = self.run_plan(
            ("a", "gate", {"path": self.gate("a")}), ("b", "gate", {"path": self.gate("b")}, ["a"]),
            ("c", "echo", {"said": "$a"}), options=["--json", "--label", "nightly"])
        self.until_held("a")
        self.restart(command)
        self.open("a")
        self.until_held("b")
        self.restart(command, times=2)
        self.open("b")
        self.assertEqual(command.wait(), 0, command.err)
        report = json.loads(command.out)
        self.assertEqual((report["status"], report["label"]), ("succeeded", "nightly"))
        outputs = {name: node["output"] for name, node in report["nodes"].items()}
        said = "through " + self.gate("a")
        self.assertEqual(outputs, {
            "a": said, "b": "through " + self.gate("b"), "c": {"said": said}})
        self.check_notices(command, report["run"], times=2)

    def test_a_coordinator_that_shuts_down_comes_back(self):
        self.start_worker()
        command = self.run_plan(("a", "gate", {"path": self.gate()}))
        self.until_held()
        self.coordinator.process.terminate()
        self.until_said(command, "connection lost (the coordinator is shutting down)")
        self.coordinator.process.exit_code()
        self.coordinator.start()
        self.until_said(command, "connected again")
        self.open()
        self.assertEqual(command.wait(), 0, command.err)
        self.assertEqual(command.out, f"[gate] through {self.gate()}\n")
        self.check_notices(command)

    def test_watch_prints_the_end_of_each_node_once(self):
        self.start_worker()
        run = self.start_run(("a", "echo", {"n": 1}), ("b", "gate", {"path": self.gate()}, ["a"]),
                             ("c", "echo", {"n": "$b"}))
        watch = self.weft("watch", run, "--json")
        self.until_held()
        self.eventually(lambda: "started" in [event["kind"] for event in watch.events
                                              if event.get("node") == "b"], "b was not told")
        last = watch.events[-1]["seq"]
        self.restart(watch)
        self.open()
        self.assertEqual(watch.wait(), 0, watch.err)
        self.check_ends(watch.events, "abc")
        told = [(event["kind"], event["node"], event["attempt"]) for event in watch.events
                if event["kind"] in ("dispatched", "started")]
        self.assertEqual(len(told), len(set(told)), told)
        self.assertEqual(watch.events[-1]["kind"], "run_succeeded")
        self.check_notices(watch, run)
        later = self.weft("watch", run, "--json", "--from", str(last + 1))
        self.assertEqual(later.wait(), 0, later.err)
        self.assertEqual(later.events[-1]["kind"], "run_succeeded")

    def test_a_cancel_is_asked_again(self):
        self.start_worker()
        run = self.start_run(("a", "gate", {"path": self.gate()}))
        self.until_held()
        proxy = self.proxy(once(">", "cancel_run"))
        cancel = self.weft("cancel", run, "--reason", "enough", address=proxy.address)
        self.assertEqual(cancel.wait(), 0, cancel.err)
        self.assertEqual(cancel.out, f"Run {run} is cancelled.\n")
        self.check_notices(cancel, run)

    def test_an_interrupt_leaves_at_once_while_there_is_no_coordinator(self):
        self.start_worker()
        command = self.run_plan(("a", "gate", {"path": self.gate()}))
        run = self.until_held()
        self.coordinator.kill()
        self.until_said(command, "connection lost")
        command.process.send_signal(signal.SIGINT)
        self.assertEqual(command.wait(), 130)
        self.assertIn(f"weft cancel {run}", command.err)

    def test_it_gives_up_when_it_was_told_to(self):
        self.start_worker()
        for limit, words in [("0s", "is lost"), ("1s", "not back within 1 s")]:
            command = self.run_plan(("a", "gate", {"path": self.gate(limit)}),
                                    options=["--reconnect", limit])
            self.until_held(limit)
            self.coordinator.kill()
            self.assertEqual(command.wait(), 3, command.err)
            self.assertIn(words, command.err)
            self.assertIn("weft watch", command.err)
            self.assertEqual(command.err.count("connection lost"), 0 if limit == "0s" else 1)
            self.coordinator.start()

    def test_a_run_without_a_journal_is_lost_and_so_it_says(self):
        self.start_worker()
        command = self.run_plan(("a", "gate", {"path": self.gate()}))
        self.until_held()
        self.coordinator.kill()
        self.until_said(command, "connection lost")
        for path in pathlib.Path(self.coordinator.folder.name).glob("journal.*"):
            path.unlink()
        self.coordinator.start()
        self.assertEqual(command.wait(), 3, command.err)
        self.assertRegex(command.err.splitlines()[-1],
                         "^error: The coordinator was started again and does not know run ")
        self.assertNotIn("connected again", command.err)

    def test_another_key_at_the_same_place_ends_it(self):
        self.start_worker()
        command = self.run_plan(("a", "gate", {"path": self.gate()}))
        self.until_held()
        self.coordinator.kill()
        self.until_said(command, "connection lost")
        for path in pathlib.Path(self.coordinator.folder.name).iterdir():
            if path.name != "weft.yaml":
                path.unlink()
        self.coordinator.start()
        self.assertEqual(command.wait(), 4, command.err)
        self.assertIn("--ephemeral", command.err.splitlines()[-1])

    def test_a_plan_that_was_still_being_sent_fails(self):
        self.start_worker()
        command = self.weft("run", "--plan", "-", stdin=subprocess.PIPE)
        # More than is checked before it is sent, and then an open end.
        filler = "x" * 100_000
        text = ",".join(
            json.dumps({"id": f"t{n}", "tool_name": "noop", "args": {"x": filler}})
            for n in range(200))
        first = json.dumps({"id": "g", "tool_name": "gate", "args": {"path": self.gate()}})
        command.process.stdin.write(f'{{"tasks":[{first},{text}'.encode())
        command.process.stdin.flush()
        self.until_held()
        self.restart(command)
        self.assertEqual(command.wait(), 1, command.err)
        self.assertRegex(command.err.splitlines()[-1], "^run .+ failed: bad_plan: ")
        self.assertEqual(command.err.count(" failed: bad_plan"), 1)


class CutTests(ClientTest):
    """The connection alone is lost; the coordinator goes on."""

    def test_a_submission_that_did_not_arrive_is_sent_again(self):
        self.start_worker()
        proxy = self.proxy(once(">", "submit"))
        command = self.run_plan(("a", "echo", {"n": 1}), address=proxy.address)
        self.assertEqual(command.wait(), 0, command.err)
        self.assertEqual(json.loads(command.out.removeprefix("[echo] ")), {"n": 1})
        self.assertEqual(command.err.splitlines()[0][:15], "connection lost")
        self.assertEqual(len(command.err.splitlines()), 2)

    def test_a_submission_whose_answer_was_lost_gives_the_same_run(self):
        self.start_worker()
        cut = once("<", "accepted")
        lost = []

        def kill(way, message):
            if not cut(way, message):
                return False
            # What was said holds, though nobody heard it.
            lost.append(message["run"])
            self.coordinator.kill()
            return True
        proxy = self.proxy(kill)
        command = self.run_plan(("a", "gate", {"path": self.gate()}), options=["--json"],
                                address=proxy.address)
        self.until_said(command, "connection lost")
        self.coordinator.start()
        self.open()
        self.assertEqual(command.wait(), 0, command.err)
        self.assertEqual([json.loads(command.out)["run"]], lost)
        self.assertEqual(len(command.err.splitlines()), 2)

    def test_every_event_comes_once_wherever_the_connection_is_cut(self):
        self.start_worker()
        nodes = [f"t{n}" for n in range(12)]
        run = self.start_run(("t0", "gate", {"path": self.gate()}),
                             *((name, "echo", {"n": "$t0"}) for name in nodes[1:]))
        self.until_held()
        passed = [0]

        def cut(way, message):
            passed[0] += way == "<" and message["type"] == "event"
            if passed[0] < 7:
                return False
            passed[0] = 0
            return True
        proxy = self.proxy(cut)
        watch = self.weft("watch", run, "--json", address=proxy.address)
        self.eventually(lambda: watch.events, "nothing was told")
        self.open()
        self.assertEqual(watch.wait(), 0, watch.err)
        self.assertGreater(proxy.connections, 3)
        self.check_ends(watch.events, nodes)
        whole = self.weft("watch", run, "--json")
        self.assertEqual(whole.wait(), 0, whole.err)
        kept = [event for event in whole.events if event["kind"] not in ("snapshot", "progress")]
        told = [event for event in watch.events if event["kind"] not in ("snapshot", "progress")]
        self.assertEqual([event["seq"] for event in told], [event["seq"] for event in kept])

    def test_pages_of_a_run_are_asked_for_again(self):
        self.start_worker()
        run = self.start_run(("a", "echo", {"n": 1}))
        whole = self.weft("watch", run)
        self.assertEqual(whole.wait(), 0, whole.err)
        for what in ("run", "answer", "nodes"):
            proxy = self.proxy(once(">", "get", what=what))
            show = self.weft("show", run, "--json", address=proxy.address)
            self.assertEqual(show.wait(), 0, show.err)
            self.assertEqual(json.loads(show.out)["nodes"]["a"]["output"], {"n": 1})
            self.assertEqual(len(show.err.splitlines()), 2)


if __name__ == "__main__":
    unittest.main()
