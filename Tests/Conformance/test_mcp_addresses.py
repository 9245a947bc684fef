"""Workers that host MCP servers at addresses, with a server that refuses, forgets its sessions and
changes its tools as servers of the legacy era do."""

import http.server
import json
import threading
import time
import unittest

from test_mcp_hosting import Hosting

ANY = {"type": "object"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def answer(self, status, body, type="application/json", **headers):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": type, "Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, message):
        # The servers that others write refuse so: they have not read the id.
        self.answer(status, {"jsonrpc": "2.0", "id": None,
                             "error": {"code": -32000, "message": message}})

    def do_GET(self):
        stub = self.server.stub
        if not stub.streams:
            return self.answer(405, "")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        stub.streams.append(self.headers["Mcp-Session-Id"])
        stub.is_changed.wait(20)
        message = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        self.wfile.write(f"data: {json.dumps(message)}\n\n".encode())

    def do_DELETE(self):
        self.answer(200, "")

    def do_POST(self):
        stub = self.server.stub
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method, id = message["method"], message.get("id")
        session = self.headers["Mcp-Session-Id"]
        if stub.always:
            return self.answer(*stub.always)
        if method == "server/discover":
            return self.refuse(400, "Bad Request: No valid session ID provided")
        if method == "initialize":
            stub.sessions.append(f"session-{len(stub.sessions)}")
            return self.result(id, {
                "protocolVersion": "2025-06-18", "serverInfo": {"name": "stub"},
                "capabilities": {"tools": {"listChanged": True}}},
                **{"Mcp-Session-Id": stub.sessions[-1]})
        if session in stub.forgotten or session not in stub.sessions:
            return self.refuse(stub.forgetting, "Session not found")
        if id is None:
            return self.answer(202, "")
        if method == "tools/list":
            return self.result(id, {"tools": [{"name": name, "inputSchema": ANY}
                                              for name in stub.tools]})
        if message["params"]["name"] == "picky":
            return self.refuse(400, "Not today")
        self.result(id, {"content": [{"type": "text", "text": session}]})

    def result(self, id, result, **headers):
        self.answer(200, {"jsonrpc": "2.0", "id": id, "result": result}, **headers)


class Stub:
    """A server at an address; `streams` has the sessions of the streams beside the responses."""

    def __init__(self, always=None, streams=()):
        self.always, self.streams, self.tools = always, list(streams), ["whoami", "picky"]
        self.sessions, self.forgotten, self.forgetting = [], set(), 404
        self.is_changed = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.stub = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/mcp"

    def stop(self):
        self.is_changed.set()
        self.server.shutdown()
        self.server.server_close()


class Addresses(Hosting):
    def stub(self, **options):
        stub = Stub(**options)
        self.addCleanup(stub.stop)
        return stub

    def test_refusals_without_an_id_and_sessions_that_are_forgotten(self):
        stub = self.stub()
        started = time.monotonic()
        self.start(stub={"url": stub.url})
        self.assertEqual("session-0", self.succeed("whoami"))
        self.assertIn("Not today", self.fail_with("tool_error", "picky")["message"])
        for status in 404, 400:
            stub.forgetting = status
            stub.forgotten.add(stub.sessions[-1])
            self.assertNotIn(self.succeed("whoami"), stub.forgotten)
        stub.forgotten.add(stub.sessions[-1])
        nodes = self.run_plan(*[("whoami", {}, {}) for _ in range(60)])
        self.assertEqual({"session-3"}, {node.get("output") for node in nodes.values()})
        self.assertEqual(4, len(stub.sessions))
        self.assertLess(time.monotonic() - started, 15)

    def test_changes_are_told_on_the_stream_beside_the_responses(self):
        stub = self.stub(streams=["opened"])
        self.start(stub={"url": stub.url})
        self.wait(lambda: stub.streams[1:] == ["session-0"], "the stream is open")
        stub.tools.append("newcomer")
        stub.is_changed.set()
        self.wait(lambda: "newcomer" in self.tools(), "the new tool is offered")

    def test_what_is_no_server_of_mcp_is_explained(self):
        for always, words in [
                ((401, {"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "who?"}}),
                 "set the header that it needs"),
                ((200, "<html>", "text/html"), "is its url that of an MCP endpoint?"),
                ((500, "out of order"), "out of order")]:
            with self.subTest(words):
                self.start(stub={"url": self.stub(always=always).url})
                withheld = self.wait(lambda: self.workers()["one"].get("withheld_tools"),
                                     "the server is named")
                self.assertIn(words, withheld[0]["reason"])


if __name__ == "__main__":
    unittest.main()
