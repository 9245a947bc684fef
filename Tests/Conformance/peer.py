"""Helpers of the conformance tests: raw lines over a socket, the handshake, and real processes.
Written from the protocol document; nothing here is shared with the project's own code.
"""

import atexit
import hashlib
import hmac
import json
import os
import pathlib
import queue
import re
import secrets
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = os.environ.get("WEFT") or str(ROOT / ".build" / "debug" / "weft")
PATIENCE = 20
"""Seconds to wait for something that should happen."""


# SIGTERM ends a test run like Ctrl-C, together with its processes.
signal.signal(signal.SIGTERM, signal.default_int_handler)


def mac(key, side, role, client_nonce, coordinator_nonce, name, session):
    """The proof of one side; nonces as hex digits."""
    parts = [b"weft1", side.encode(), role.encode(), bytes.fromhex(client_nonce),
             bytes.fromhex(coordinator_nonce), name.encode(), session.encode()]
    text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def line(message):
    return json.dumps(message).encode() + b"\n"


class Closed(Exception):
    """The other side closed the connection."""


class Peer:
    """One end of a connection: sends raw bytes and reads lines.

    Pings are answered unless the test wants to see them."""

    def __init__(self, sock, answers_pings=True):
        self.socket = sock
        self.socket.settimeout(PATIENCE)
        if sock.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.answers_pings = answers_pings

    def send(self, **message):
        self.socket.sendall(line(message))

    def send_raw(self, data):
        """Sends bytes; a connection closed by the other side is not an error here."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive(self, seconds=PATIENCE):
        """The next message; raises Closed at the end of the stream, TimeoutError without one."""
        deadline = time.monotonic() + seconds
        while True:
            while b"\n" not in self.buffer:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"nothing within {seconds} s; half a line: {self.buffer!r}")
                self.socket.settimeout(left)
                try:
                    data = self.socket.recv(1 << 16)
                except ConnectionResetError as error:
                    raise Closed(f"reset: {error}") from error
                except TimeoutError:
                    continue
                if not data:
                    raise Closed(f"closed; half a line: {self.buffer!r}")
                self.buffer += data
            text, self.buffer = self.buffer.split(b"\n", 1)
            message = json.loads(text)
            if message["type"] == "ping" and self.answers_pings:
                self.send(type="pong", n=message["n"])
                continue
            return message

    def expect(self, type, /, **fields):
        """The next message, which must be of that type and have these fields."""
        message = self.receive()
        wanted = {"type": type, **fields}
        found = {key: message.get(key) for key in wanted}
        if found != wanted:
            raise AssertionError(f"expected {wanted}, got {message}")
        return message

    def skip_to(self, type, /, **fields):
        """The next message of that type with these fields; others before it do not matter."""
        seen = []
        while True:
            try:
                message = self.receive()
            except (TimeoutError, Closed) as error:
                raise AssertionError(f"no {type} {fields}, only {seen}: {error}") from error
            wanted = {"type": type, **fields}
            if {key: message.get(key) for key in wanted} == wanted:
                return message
            seen.append(message)

    def expect_silence(self, seconds):
        """Checks that only pings arrive for that long."""
        try:
            message = self.receive(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"expected nothing, got {message}")

    def expect_end(self, seconds=PATIENCE):
        """Checks that the other side closes without another message."""
        try:
            message = self.receive(seconds)
        except Closed:
            return
        raise AssertionError(f"expected the end, got {message}")

    def expect_fatal(self, code):
        """A fatal error with that code, then the end."""
        error = self.expect("error", code=code, fatal=True)
        self.expect_end()
        return error

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Process:
    """A real process in a group of its own, which ends with the test run at the latest."""

    def __init__(self, arguments, environment=None):
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no", **(environment or {})})
        atexit.register(self.stop)
        self.log = []
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for text in self.process.stderr:
            self.log.append(text.decode(errors="replace").rstrip("\n"))
            self.lines.put(self.log[-1])
        self.lines.put(None)

    def wait_for(self, pattern):
        """The match of the pattern in the first line of standard error that contains it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                text = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line {pattern!r} in {self.log}") from None
            if text is None:
                raise AssertionError(f"ended before a line {pattern!r}: {self.log}")
            if match := re.search(pattern, text):
                return match

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self):
        return self.process.wait(timeout=PATIENCE)

    def stop(self):
        """Kills the rest of the group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        atexit.unregister(self.stop)


class Coordinator:
    """A real coordinator with a state folder of its own, and raw peers for it."""

    environment = None

    def __init__(self, *options, **limits):
        self.peers = []
        self.folder = tempfile.TemporaryDirectory()
        arguments = [WEFT, "coordinator", "--listen", "127.0.0.1:0", "--state", self.folder.name,
                     *options]
        if limits:
            path = pathlib.Path(self.folder.name, "weft.yaml")
            path.write_text(f"limits: {json.dumps(limits)}\n")
            arguments += ["--config", str(path)]
        self.arguments = arguments
        self.start()

    def start(self):
        """Starts the process; the state folder is that of the process before."""
        self.process = Process(self.arguments, self.environment)
        self.port = int(self.process.wait_for(r"listens on 127\.0\.0\.1:(\d+)")[1])

    def kill(self):
        """The process dies at once."""
        self.process.process.kill()
        self.process.process.wait(PATIENCE)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def key(self, role):
        return bytes.fromhex(pathlib.Path(self.folder.name, f"{role}.key").read_text().strip())

    def connect(self, **options):
        self.peers.append(
            Peer(socket.create_connection(("127.0.0.1", self.port)), **options))
        return self.peers[-1]

    def hang_up(self):
        """Closes every connection that a test has left open."""
        for peer in self.peers:
            peer.close()
        self.peers = []

    def greet(self, role, name=None, resume=None, key=None, key_name=None, peer=None, **options):
        """A peer after the handshake, with the message in its `welcome`."""
        peer = peer or self.connect(**options)
        name = name or f"{role}-{secrets.token_hex(4)}"
        nonce = secrets.token_hex(32)
        hello = {"type": "hello", "versions": [1], "role": role, "name": name, "nonce": nonce}
        if resume:
            hello["resume"] = resume
        if key_name:
            hello["key"] = key_name
        peer.send(**hello)
        challenge = peer.expect("challenge", version=1)
        key = key or self.key(role)
        proof = mac(key, "coordinator", role, nonce, challenge["nonce"], name,
                    challenge["session"])
        if challenge["mac"] != proof:
            raise AssertionError("the coordinator's proof is wrong")
        peer.send(type="auth", mac=mac(key, "peer", role, nonce, challenge["nonce"], name,
                                       challenge["session"]))
        peer.welcome = peer.expect("welcome")
        peer.name = name
        return peer

    def worker(self, tools, slots=4, in_flight=None, replace=False, **options):
        """A registered worker of the test's own; `tools` are names or descriptions."""
        peer = self.greet("worker", **options)
        tools = [{"name": tool} if isinstance(tool, str) else tool for tool in tools]
        peer.send(type="register", slots=slots, tools=tools, in_flight=in_flight or [],
                  replace=replace)
        peer.registered = peer.expect("registered")
        return peer

    def stop(self):
        self.hang_up()
        self.process.stop()
        self.folder.cleanup()


class Listener:
    """A scripted coordinator: waits for a worker and exchanges lines with it."""

    def __init__(self, key):
        self.key = key
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.peers = []

    def accept(self):
        """The next connection, before any message."""
        self.socket.settimeout(PATIENCE)
        self.peers.append(Peer(self.socket.accept()[0]))
        return self.peers[-1]

    def has_caller(self, seconds):
        """Whether a connection arrives within that time."""
        return bool(select.select([self.socket], [], [], seconds)[0])

    def challenge(self, peer, hello, session, key=None, side="coordinator", role="worker"):
        """Sends a challenge and returns its nonce."""
        nonce = secrets.token_hex(32)
        peer.send(type="challenge", version=1, nonce=nonce, session=session,
                  mac=mac(key or self.key, side, role, hello["nonce"], nonce, hello["name"],
                          session))
        return nonce

    def shake_hands(self, session="s1", epoch=1, max_line=1 << 20, role="worker"):
        """Accepts a worker: mutual proof of the key, then the welcome. Or a client."""
        peer = self.accept()
        peer.hello = peer.expect("hello", role=role)
        session = (peer.hello.get("resume") or {}).get("session", session)
        nonce = self.challenge(peer, peer.hello, session, role=role)
        auth = peer.expect("auth")
        proof = mac(self.key, "peer", role, peer.hello["nonce"], nonce, peer.hello["name"],
                    session)
        if not hmac.compare_digest(auth["mac"], proof):
            raise AssertionError("the worker's proof is wrong")
        peer.send(type="welcome", session=session, epoch=epoch, software="a script",
                  limits={"max_line": max_line, "max_value": 1 << 28, "window": 8 << 20},
                  heartbeat_ms=2000, lease_ms=10000)
        if role == "worker":
            peer.register = peer.expect("register")
        return peer

    def ready(self, adopt=None, abandon=None, **options):
        """A worker that is registered and waits for work."""
        peer = self.shake_hands(**options)
        listed = [entry["attempt"] for entry in peer.register.get("in_flight", [])]
        peer.send(type="registered", adopt=listed if adopt is None else adopt,
                  abandon=abandon or [])
        return peer

    def close(self):
        self.socket.close()
        for peer in self.peers:
            peer.close()
