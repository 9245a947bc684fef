"""A real `weft mcp` as a client of MCP starts it, spoken to in single lines, and the Python
environments with clients that others wrote."""

import contextlib
import http.client
import json
import os
import pathlib
import queue
import subprocess
import threading
import time

from peer import PATIENCE, ROOT, WEFT, Coordinator, Process

MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": {}}


def python(environment):
    """The Python of an environment with clients, or nothing."""
    folder = os.environ.get("WEFT_TEST_PYTHON") or ROOT / ".build" / "python"
    path = pathlib.Path(folder, environment, "bin", "python")
    return str(path) if path.exists() else None


class Cluster:
    """A coordinator and a worker with the diagnostic tools."""

    def __init__(self):
        self.coordinator = Coordinator()
        state = self.coordinator.folder.name
        self.arguments = ["--coordinator", self.coordinator.address, "--state", state]
        self.worker = Process([WEFT, "worker", *self.arguments, "--diagnostics", "--slots", "32"])
        self.worker.wait_for("registered")

    def weft(self, *arguments):
        """What a command prints as JSON."""
        result = subprocess.run([WEFT, *arguments, *self.arguments, "--json"], timeout=PATIENCE,
                                capture_output=True, text=True, check=True)
        return json.loads(result.stdout)

    def wait_for_status(self, run, *statuses):
        deadline = time.monotonic() + PATIENCE
        while (status := self.weft("show", run)["status"]) not in statuses:
            if time.monotonic() > deadline:
                raise AssertionError(f"run {run} is {status}")
            time.sleep(0.05)

    def stop(self):
        self.worker.stop()
        self.coordinator.stop()


class Server:
    """A `weft mcp`: requests as dictionaries, lines as they come."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [WEFT, "mcp", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
        self.messages = queue.Queue()
        self.readers = [threading.Thread(target=self.read, daemon=True)]
        self.log = b""
        self.readers.append(threading.Thread(target=self.read_log, daemon=True))
        for reader in self.readers:
            reader.start()
        self.last = 0

    def read(self):
        for line in self.process.stdout:
            self.messages.put(json.loads(line))
        self.messages.put(None)

    def read_log(self):
        self.log = self.process.stderr.read()

    def send_line(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def send(self, method, params=None, meta=MODERN, notify=False, **more):
        """Sends a request and returns its id."""
        message = {"jsonrpc": "2.0", "method": method}
        params = dict(params or {})
        if meta is not None:
            params["_meta"] = {**meta, **more}
        if params:
            message["params"] = params
        if not notify:
            self.last += 1
            message["id"] = self.last
        self.send_line(json.dumps(message))
        return message.get("id")

    def receive(self):
        message = self.messages.get(timeout=PATIENCE)
        if message is None:
            raise AssertionError(f"the server ended: {self.log}")
        return message

    def ask(self, method, params=None, **options):
        """Sends a request and waits for its response, the next message."""
        number = self.send(method, params, **options)
        message = self.receive()
        if message.get("id") != number:
            raise AssertionError(f"no response to {number}: {message}")
        return message

    def call(self, name, arguments=None, **options):
        """The structured content of a tool's result."""
        result = self.ask("tools/call", {"name": name, "arguments": arguments or {}}, **options)
        if result["result"]["isError"]:
            raise AssertionError(f"{name} failed: {result}")
        return result["result"]["structuredContent"]

    def close_input(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join()
        for stream in self.process.stdin, self.process.stdout, self.process.stderr:
            try:
                stream.close()
            except BrokenPipeError:
                pass


class HTTPServer:
    """A `weft mcp` that serves HTTP, and its token."""

    def __init__(self, cluster, *arguments):
        self.process = Process([WEFT, "mcp", *cluster.arguments, "--http", "127.0.0.1:0",
                                *arguments])
        self.url = self.process.wait_for(r"serves (http://\S+)")[1]
        self.port = int(self.url.split(":")[2].split("/")[0])
        path = self.process.wait_for(r"token in (.*)")[1]
        self.token = pathlib.Path(path).read_text().strip()

    def headers(self, body, changes):
        message = json.loads(body) if isinstance(body, str) and body.startswith("{") else {}
        meta = message.get("params", {}).get("_meta", {})
        version = meta.get("io.modelcontextprotocol/protocolVersion")
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}",
                   "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": version,
                   "Mcp-Method": message.get("method") if version else None,
                   "Mcp-Name": message.get("params", {}).get("name")}
        for name, value in changes.items():
            headers[name.replace("_", "-").title()] = value
        return {name: value for name, value in headers.items() if value is not None}

    def send(self, method, path, body, **changes):
        """The response and its text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, self.headers(body, changes))
            response = connection.getresponse()
            return response, response.read().decode()
        finally:
            connection.close()

    def post(self, body, **changes):
        body = json.dumps(body) if isinstance(body, dict) else body
        return self.send("POST", "/mcp", body, **changes)

    @contextlib.contextmanager
    def open(self, message):
        """A request without its response, until the connection is closed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = json.dumps(message)
        connection.request("POST", "/mcp", body, self.headers(body, {}))
        yield
        connection.close()

    def stop(self):
        self.process.terminate()
        self.process.exit_code()
        self.process.stop()


def request(method, params=None):
    """A request of the modern era."""
    return {"jsonrpc": "2.0", "id": 1, "method": method,
            "params": {**(params or {}), "_meta": dict(MODERN)}}


def sleeping(milliseconds):
    return {"tasks": [{"id": "a", "tool_name": "sleep", "args": {"ms": milliseconds}}]}
