"""A proxy before a model server that adds up the tokens of all replies; peers do not tell theirs."""

import contextlib
import http.server
import json
import threading
import urllib.error
import urllib.request


class Counter:
    """Tokens since the last call of `take`."""

    def __init__(self):
        self.lock = threading.Lock()
        self.input = self.output = 0

    def add(self, usage):
        with self.lock:
            self.input += usage.get("prompt_tokens", 0)
            self.output += usage.get("completion_tokens", 0)

    def take(self):
        with self.lock:
            tokens = (self.input, self.output)
            self.input = self.output = 0
            return tokens


@contextlib.contextmanager
def counted(url):
    """The URL of a proxy before `url`, and its counter."""
    counter = Counter()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            target = url.removesuffix("/v1") + self.path
            request = urllib.request.Request(
                target, body, {"content-type": "application/json"}, method="POST"
            )
            try:
                with urllib.request.urlopen(request, timeout=600) as reply:
                    status, kind, text = reply.status, reply.headers["content-type"], reply.read()
            except urllib.error.HTTPError as error:
                status, kind, text = error.code, "application/json", error.read()
            for line in text.splitlines():
                with contextlib.suppress(json.JSONDecodeError, AttributeError):
                    usage = json.loads(line.removeprefix(b"data: ")).get("usage")
                    counter.add(usage or {})
            self.send_response(status)
            self.send_header("content-type", kind or "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(text)

        def log_message(self, *_arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", counter
    finally:
        server.shutdown()
        server.server_close()
