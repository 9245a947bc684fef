"""A coordinator's page as programs ask it, over HTTP in single requests, and its streams of events."""

import http.client
import json
import subprocess
import time

from peer import PATIENCE, WEFT, Coordinator, Process


class Page:
    """A coordinator with a page and a worker with the diagnostic tools."""

    def __init__(self, *options, slots=8):
        self.coordinator = Coordinator("--http", "127.0.0.1:0", *options)
        self.note_port()
        self.worker = Process([WEFT, "worker", *self.arguments, "--diagnostics", "--slots",
                               str(slots)])
        self.worker.wait_for("registered")

    @property
    def arguments(self):
        return ["--coordinator", self.coordinator.address, "--state",
                self.coordinator.folder.name]

    def note_port(self):
        self.port = int(self.coordinator.process.wait_for(r"page at http://127\.0\.0\.1:(\d+)")[1])

    def weft(self, *arguments, check=True):
        return subprocess.run([WEFT, *arguments, *self.arguments], timeout=PATIENCE, check=check,
                              capture_output=True, text=True)

    def token(self, *options):
        return self.weft("dashboard", "--token", *options).stdout.strip()

    def request(self, method, path, body=None, token=None, **headers):
        """Status, headers and body of a response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def stream(self, path, token, **headers):
        return Stream(self.port, path, token, headers)

    def stop(self):
        self.worker.stop()
        self.coordinator.stop()


class Stream:
    """A stream of events; each is a dictionary of its fields, with `data` read."""

    def __init__(self, port, path, token, headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {token}",
                                                      **headers})
        self.response = self.connection.getresponse()

    def __iter__(self):
        event, deadline = {}, time.monotonic() + PATIENCE
        for line in self.response:
            # Comments keep a silent stream alive, so that the socket alone waits for ever.
            if time.monotonic() > deadline:
                raise TimeoutError("the stream has not told what was waited for")
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name in ("event", "id", "data"):
                event[name] = json.loads(value) if name == "data" else value
            elif not name and event:
                yield event
                event = {}

    def find(self, wanted):
        """The first event for which a function is true."""
        return next(event for event in self if wanted(event))

    def close(self):
        self.response.close()
        self.connection.close()
