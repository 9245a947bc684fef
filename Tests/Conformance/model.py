"""A model's server with the interface of OpenAI: what it writes is up to the test, piece by piece."""

import http.server
import json
import queue
import threading
import time

from peer import PATIENCE


class ModelServer:
    """Streams replies; a test takes each call and writes its reply."""

    def __init__(self):
        calls = self.calls = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                call = Call(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                calls.put(call)
                try:
                    call.stream(self.wfile)
                except OSError:
                    call.is_closed.set()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def config(self):
        """The text of a configuration with this model."""
        url = f"http://127.0.0.1:{self.server.server_port}/v1"
        return f'models: {{planner: {{api: openai, model: m, base_url: "{url}"}}}}\n'

    def next_call(self):
        return self.calls.get(timeout=PATIENCE)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Call:
    """A request, and the reply that a test writes."""

    def __init__(self, request):
        self.messages = [(message["role"], message["content"]) for message in request["messages"]]
        self.is_closed = threading.Event()
        self.pieces = queue.Queue()

    def write(self, text):
        self.pieces.put({"choices": [{"index": 0, "delta": {"content": text}}]})

    def end(self, text="", prompt=20, completion=5):
        if text:
            self.write(text)
        self.pieces.put({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.pieces.put({"choices": [], "usage": {"prompt_tokens": prompt,
                                                  "completion_tokens": completion}})
        self.pieces.put(None)

    def stream(self, file):
        deadline = time.monotonic() + 2 * PATIENCE
        while time.monotonic() < deadline:
            piece = self.pieces.get(timeout=2 * PATIENCE)
            text = "[DONE]" if piece is None else json.dumps(piece)
            file.write(f"data: {text}\n\n".encode())
            file.flush()
            if piece is None:
                return
