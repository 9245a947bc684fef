"""Clients of a chaos session: `weft run` processes, and raw ones that submit with a key of their own,
lose their connection and submit again. Each keeps what it was told, for the auditor."""

import contextlib
import dataclasses
import json
import os
import secrets
import signal
import socket
import subprocess
import threading
import time

from processes import PATIENCE, WEFT, Closed

LOST = (OSError, Closed, AssertionError)


@dataclasses.dataclass
class Promise:
    """What a client asked for and what it was told of it."""

    plan: object
    way: str
    run: str = None
    """The run that was accepted, as far as the client knows."""
    status: str = None
    answer: object = None
    report: dict = None
    """What `weft run --json` printed."""
    accepted: int = 0
    exit: int = None
    said: str = ""
    is_calm: bool = False
    """Nothing is hurt while it goes through."""
    was_killed: bool = False
    was_cancelled: bool = False
    begun: float = dataclasses.field(default_factory=time.time)
    ended: float = None
    """When its end was known here, in Unix time."""


class Command:
    """A `weft run` through the proxy."""

    def __init__(self, clients, promise, *options):
        session = clients.session
        self.promise = promise
        plan = session.folder / "plans" / f"{promise.plan.label}.json"
        plan.write_text(json.dumps(promise.plan.document))
        self.paths = [session.folder / "answers" / f"{promise.plan.label}.{name}"
                      for name in ("out", "err")]
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("WEFT_")}
        with self.paths[0].open("wb") as out, self.paths[1].open("wb") as err:
            self.process = subprocess.Popen(
                [WEFT, "run", "--plan", str(plan), "--coordinator", clients.address, "--key-file",
                 str(session.state / "client.key"), "--label", promise.plan.label, "--join", "json",
                 *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                env={**environment, "WEFT_CHAOS": session.marker, "SWIFT_BACKTRACE": "enable=no"})

    def kill(self):
        self.promise.was_killed = True
        self.process.kill()

    def collect(self):
        """Whether it has ended; then the promise has what it said."""
        if self.process.poll() is None:
            return False
        promise = self.promise
        out, promise.said = (path.read_text(errors="replace") for path in self.paths)
        promise.exit, promise.ended = self.process.returncode, time.time()
        with contextlib.suppress(ValueError):
            if promise.way == "detached" and promise.exit == 0:
                promise.run = out.strip()
                promise.accepted = 1
            elif promise.exit in (0, 1):
                promise.report = json.loads(out)
                promise.run, promise.status = promise.report["run"], promise.report["status"]
                promise.answer = promise.report.get("answer")
                promise.accepted = 1
        for path in self.paths:
            path.unlink()
        return True


class Raw:
    """A client of the protocol on a thread: it goes on until it knows the end of its run."""

    def __init__(self, clients, promise, hangs_up):
        self.clients, self.promise, self.hangs_up = clients, promise, hangs_up
        self.key = secrets.token_hex(8)
        self.problem = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.clients.has_given_up:
            try:
                with socket.create_connection(("127.0.0.1", self.clients.port), 3) as connection:
                    if self.talk(self.clients.session.door.client(connection)):
                        return
            except LOST:
                time.sleep(0.1)
            except Exception as error:  # noqa: BLE001
                self.problem = repr(error)
                return

    def talk(self, client):
        """Whether all is known."""
        promise = self.promise
        client.send(type="submit", key=self.key, plan=promise.plan.document, join="json",
                    label=promise.plan.label)
        if self.hangs_up > 0:
            # It leaves without the answer, and the coordinator may have its plan.
            self.hangs_up -= 1
            return False
        while (message := client.receive())["type"] != "accepted":
            if message["type"] == "error":
                if message["code"] not in ("busy", "shutting_down"):
                    self.problem = f"a submission was refused: {message}"
                    return True
                time.sleep(0.3)
                return False
        if promise.run not in (None, message["run"]):
            self.problem = f"one key gave two runs, {promise.run} and {message['run']}"
            return True
        promise.run = message["run"]
        promise.accepted += 1
        client.send(type="watch", run=promise.run, level="end")
        while not (message := client.receive()).get("kind", "").startswith("run_"):
            if message["type"] == "error":
                self.problem = f"an accepted run cannot be watched: {message}"
                return True
        promise.status = message["kind"].removeprefix("run_")
        promise.ended = promise.ended or time.time()
        client.send(type="get", request=1, what="answer", id=promise.run)
        promise.answer = self.value(client)
        return True

    def value(self, client):
        """The answer, which may come in chunks."""
        parts = []
        while True:
            message = client.receive()
            if message["type"] == "chunk":
                parts.append(message["data"])
            elif message["type"] == "reply":
                return json.loads("".join(parts)) if "data_chunks" in message else message["data"]
            elif message["type"] == "error":
                raise Closed(str(message))

    def collect(self):
        return not self.thread.is_alive()


class Clients:
    """All clients of a session."""

    def __init__(self, session, proxy):
        self.session = session
        self.address = proxy["clients"].address
        self.port = int(self.address.rsplit(":", 1)[1])
        self.running = []
        self.ended = []
        self.problems = []
        self.has_given_up = False
        self.canceller = None

    def start(self, plan, way, number=0):
        """A client of a kind: `waiting`, `detached`, or `raw`."""
        promise = Promise(plan, way)
        match way:
            case "waiting":
                client = Command(self, promise, "--json")
            case "detached":
                client = Command(self, promise, "--detach")
            case "raw":
                client = Raw(self, promise, hangs_up=number % 3)
        self.running.append(client)
        return promise

    def collect(self):
        """Takes those that have ended out of the way."""
        for client in list(self.running):
            if client.collect():
                self.running.remove(client)
                self.ended.append(client.promise)
                if getattr(client, "problem", None):
                    self.problems.append(f"{client.promise.plan.label}: {client.problem}")

    def one(self, number):
        """A process among those that run, by chance."""
        commands = [client for client in self.running
                    if isinstance(client, Command) and client.process.poll() is None]
        return commands[number % len(commands)].process if commands else None

    def kill_one(self, number):
        commands = [client for client in self.running if isinstance(client, Command)]
        if not commands:
            return False
        commands[number % len(commands)].kill()
        return True

    def cancel_one(self, number):
        """Asks for the end of a run that a client knows and that has not ended."""
        known = [client.promise for client in self.running
                 if client.promise.run and client.promise.status is None]
        known += [promise for promise in self.ended
                  if promise.way == "detached" and promise.run and not promise.was_cancelled][-3:]
        if not known or (self.canceller and self.canceller.poll() is None):
            return False
        promise = known[number % len(known)]
        promise.was_cancelled = True
        self.canceller = subprocess.Popen(
            [WEFT, "cancel", promise.run, "--reason", "chaos", "--coordinator", self.address,
             "--key-file", str(self.session.state / "client.key")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, env={**os.environ, "WEFT_CHAOS": self.session.marker})
        return True

    def wait(self, seconds=PATIENCE):
        """Waits until all have ended; those that do not are a fault."""
        deadline = time.monotonic() + seconds
        while self.running and time.monotonic() < deadline:
            self.collect()
            time.sleep(0.02)
        left = [client.promise.plan.label for client in self.running]
        if self.canceller:
            try:
                self.canceller.wait(max(1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                left.append("weft cancel")
        return left

    def take(self):
        """All promises whose clients have ended, once."""
        taken, self.ended = self.ended, []
        return taken

    def close(self):
        self.has_given_up = True
        for client in self.running:
            if isinstance(client, Command):
                with contextlib.suppress(ProcessLookupError):
                    client.process.send_signal(signal.SIGKILL)
                client.process.wait()
        if self.canceller:
            self.canceller.kill()
            self.canceller.wait()
