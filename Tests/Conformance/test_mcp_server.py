"""`weft mcp` as clients of MCP see it: in single lines, and by clients that others wrote."""

import concurrent.futures
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from mcp_server import MODERN, Cluster, HTTPServer, Server, python, request, sleeping
from peer import PATIENCE, WEFT

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients"


MODEL = """
import json, sys
text = "\\n".join(message["content"] for message in json.load(sys.stdin)["messages"])
if text.startswith("You plan calls"):
    print(json.dumps({"tasks": [{"id": "t1", "tool_name": "echo", "args": {"x": "rivers"}}]}))
else:
    print(json.dumps({"thought": "", "action": "finish", "reason": None,
                      "answer": "seen" if "rivers" in text else "unseen"}))
"""


class ServerTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def serve(self, *arguments):
        server = Server(*self.cluster.arguments, *arguments)
        self.addCleanup(server.stop)
        return server

    def active(self):
        return self.cluster.weft("runs", "--status", "running")

    def begin(self, server, milliseconds=60_000, **options):
        """Calls run_plan and waits until the run is there; the request's id and the run."""
        before = {each["run"] for each in self.active()}
        number = server.send("tools/call", {
            "name": "run_plan", "arguments": {"plan": sleeping(milliseconds)}}, **options)
        runs = []
        while not runs:
            runs = [each["run"] for each in self.active() if each["run"] not in before]
        return number, runs[0]

    def test_lines_that_are_no_requests_are_answered_or_ignored(self):
        server = self.serve()
        server.send_line("")
        server.send_line("{")
        self.assertEqual(server.receive()["error"]["code"], -32700)
        server.send_line('{"jsonrpc":"2.0"}')
        self.assertEqual(server.receive()["error"]["code"], -32600)
        server.send("notifications/unheard_of", notify=True)
        server.send_line('{"jsonrpc":"2.0","id":5,"result":{}}')
        self.assertIn("result", server.ask("server/discover"))
        self.assertEqual(server.close_input(), 0)

    def test_cancelling_a_call_cancels_its_run(self):
        server = self.serve()
        number, run = self.begin(server)
        server.send("notifications/cancelled", {"requestId": number}, notify=True)
        self.cluster.wait_for_status(run, "cancelled")
        self.assertIn("result", server.ask("server/discover"))

    def test_the_end_of_the_client_cancels_what_it_waits_for_and_nothing_else(self):
        server = self.serve()
        submitted = server.call("submit_plan", {"plan": sleeping(60_000)})["run"]
        _, waited = self.begin(server)
        self.assertEqual(server.close_input(), 0)
        self.cluster.wait_for_status(waited, "cancelled")
        other = self.serve()
        self.assertEqual(other.call("get_run", {"run_id": submitted})["status"], "running")
        self.assertIn(
            other.call("cancel_run", {"run_id": submitted})["status"], ("running", "cancelled"))
        self.cluster.wait_for_status(submitted, "cancelled")

    def test_an_interrupt_does_the_same(self):
        server = self.serve()
        _, run = self.begin(server)
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.process.wait(PATIENCE), 130)
        self.cluster.wait_for_status(run, "cancelled")

    def test_a_task_outlives_its_client_and_its_server(self):
        extension = {"io.modelcontextprotocol/tasks": {}}
        meta = {**MODERN, "io.modelcontextprotocol/clientCapabilities": {"extensions": extension}}
        server = self.serve()
        task = server.ask("tools/call", {
            "name": "run_plan", "arguments": {"plan": sleeping(300)}}, meta=meta)["result"]
        self.assertEqual((task["resultType"], task["status"]), ("task", "working"))
        self.assertEqual(server.close_input(), 0)
        other = self.serve()
        self.cluster.wait_for_status(task["taskId"], "succeeded")
        state = other.ask("tasks/get", {"taskId": task["taskId"]}, meta=meta)["result"]
        self.assertEqual(state["status"], "completed")
        self.assertFalse(state["result"]["isError"])
        unknown = other.ask("tasks/get", {"taskId": "nope"}, meta=meta)
        self.assertEqual(unknown["error"]["code"], -32602)

    def test_calls_that_wait_for_the_same_run_all_get_its_end(self):
        server = self.serve()
        run = server.call("submit_plan", {"plan": sleeping(300)})["run"]
        waiting = {server.send("tools/call", {
            "name": "get_run", "arguments": {"run_id": run, "wait_seconds": 20}})
            for _ in range(3)}
        for _ in range(3):
            message = server.receive()
            self.assertEqual(message["result"]["structuredContent"]["status"], "succeeded")
            waiting.remove(message["id"])
        self.assertFalse(waiting)

    def test_many_calls_at_once_lose_nothing(self):
        server = self.serve("--expose-tools")
        numbers = {server.send("tools/call", {"name": "echo", "arguments": {"value": index}}): index
                   for index in range(100)}
        for _ in range(100):
            message = server.receive()
            index = numbers.pop(message["id"])
            self.assertEqual(message["result"]["content"], [
                {"type": "text", "text": '{"value": %d}' % index}])

    def test_goals_and_answers_of_the_language_model_of_its_own_cluster(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "model.py").write_text(MODEL, encoding="utf-8")
            (path / "weft.yaml").write_text(json.dumps({"models": {"planner": {
                "api": "command", "command": [sys.executable, str(path / "model.py")]}}}),
                encoding="utf-8")
            server = Server("--diagnostics", "--config", str(path / "weft.yaml"))
            self.addCleanup(server.stop)
            names = [tool["name"] for tool in server.ask("tools/list")["result"]["tools"]]
            self.assertIn("run_goal", names)
            reached = server.call("run_goal", {"goal": "Say what you see.", "tools": ["echo"]})
            self.assertEqual((reached["status"], reached["answer"]), ("succeeded", "seen"))
            plan = {"tasks": [{"id": "a", "tool_name": "echo", "args": {"x": "lakes"}}],
                    "join_instruction": "Say what you see."}
            self.assertEqual(
                server.call("run_plan", {"plan": plan, "join": "llm"})["answer"], "unseen")
            self.assertEqual(server.close_input(), 0)
        plain = Server("--diagnostics")
        self.addCleanup(plain.stop)
        names = [tool["name"] for tool in plain.ask("tools/list")["result"]["tools"]]
        self.assertNotIn("run_goal", names)

    def test_changes_of_the_tools_are_told(self):
        server = self.serve("--expose-tools")
        number = server.send("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        self.assertEqual(server.receive()["params"]["notifications"], {"toolsListChanged": True})
        server.call("search_tools")
        self.cluster.coordinator.worker(["newcomer"])
        self.addCleanup(self.cluster.coordinator.hang_up)
        change = server.receive()
        self.assertEqual(change["method"], "notifications/tools/list_changed")
        self.assertEqual(change["params"]["_meta"],
                         {"io.modelcontextprotocol/subscriptionId": number})
        tools = server.ask("tools/list")["result"]["tools"]
        self.assertIn("newcomer", [tool["name"] for tool in tools])

    def test_without_a_coordinator_calls_say_so(self):
        server = Server("--state", self.cluster.coordinator.folder.name, "--coordinator",
                        "127.0.0.1:1")
        self.addCleanup(server.stop)
        self.assertIn("result", server.ask("server/discover"))
        result = server.ask("tools/call", {"name": "search_tools"})["result"]
        self.assertTrue(result["isError"])
        self.assertIn("no coordinator at 127.0.0.1:1", result["content"][0]["text"])


class HTTPTests(unittest.TestCase):
    """The transport itself, by requests that clients of others do not send."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.http = HTTPServer(cls.cluster)

    @classmethod
    def tearDownClass(cls):
        cls.http.stop()
        cls.cluster.stop()

    def post(self, body, status, code=None, **headers):
        response, text = self.http.post(body, **headers)
        self.assertEqual(response.status, status, text)
        if code is not None:
            self.assertEqual(json.loads(text)["error"]["code"], code, text)
        return response, text

    def test_where_a_request_comes_from_and_who_sent_it(self):
        discover = request("server/discover")
        self.post(discover, 200)
        self.post(discover, 401, authorization=None)
        self.post(discover, 401, authorization="Bearer " + "0" * 64)
        self.post(discover, 403, origin="http://evil.example")
        self.post(discover, 403, origin="null")
        self.post(discover, 403, host="evil.example")
        self.post(discover, 200, origin="http://localhost:3000")
        self.post(discover, 415, content_type="text/plain")
        for method, path, status in ("GET", "/mcp", 405), ("PUT", "/mcp", 405), (
                "POST", "/other", 404):
            response, _ = self.http.send(method, path, json.dumps(discover))
            self.assertEqual(response.status, status, method)

    def test_header_lines_agree_with_the_message(self):
        call = request("tools/call", {"name": "search_tools"})
        self.post(call, 200)
        self.post(call, 400, -32020, mcp_protocol_version=None)
        self.post(call, 400, -32020, mcp_protocol_version="2025-11-25")
        self.post(call, 400, -32020, mcp_method=None)
        self.post(call, 400, -32020, mcp_method="tools/list")
        self.post(call, 400, -32020, mcp_name="get_run")
        self.post(call, 200, mcp_name="=?base64?c2VhcmNoX3Rvb2xz?=")
        self.post(request("nonsense"), 404, -32601)
        self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, 400, -32602,
                  mcp_protocol_version="2026-07-28")
        old = request("tools/list")
        old["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "1900-01-01"
        self.post(old, 400, -32022, mcp_protocol_version="1900-01-01")

    def test_bodies_that_are_no_messages(self):
        self.post("nonsense", 400, -32700)
        self.post("[]", 400, -32700)
        self.post(b" " * (17 << 20), 413)
        self.post({"jsonrpc": "2.0", "method": "notifications/cancelled"}, 202,
                  mcp_protocol_version="2026-07-28")

    def test_a_session_of_the_legacy_era(self):
        legacy = {"mcp_protocol_version": "2025-06-18", "mcp_method": None}
        opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize",
                   "params": {"protocolVersion": "2025-06-18"}}
        response, _ = self.post(opening, 200, **legacy)
        session = response.headers["Mcp-Session-Id"]
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        self.post(listing, 400, **legacy)
        self.post(listing, 404, mcp_session_id="0" * 32, **legacy)
        _, text = self.post(listing, 200, mcp_session_id=session, **legacy)
        self.assertIn("run_plan", text)
        response, _ = self.http.send("DELETE", "/mcp", "", mcp_session_id=session, **legacy)
        self.assertEqual(response.status, 204)
        self.post(listing, 404, mcp_session_id=session, **legacy)

    def test_closing_the_connection_cancels_the_run(self):
        before = {each["run"] for each in self.cluster.weft("runs")}
        with self.http.open(request("tools/call", {
                "name": "run_plan", "arguments": {"plan": sleeping(60_000)}})):
            run = None
            while not run:
                run = next((each["run"] for each in self.cluster.weft("runs")
                            if each["run"] not in before), None)
        self.cluster.wait_for_status(run, "cancelled")

    def test_requests_in_pieces_and_in_a_row(self):
        body = json.dumps(request("server/discover")).encode()
        head = f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        for name, value in self.http.headers(body.decode(), {}).items():
            head += f"{name}: {value}\r\n"
        message = head.encode() + b"\r\n" + body
        with socket.create_connection(("127.0.0.1", self.http.port), PATIENCE) as peer:
            for byte in message[:-1]:
                peer.sendall(bytes([byte]))
            # The end of the first, all of the second and the beginning of the third at once.
            peer.sendall(message[-1:] + message + message[:200])
            peer.sendall(message[200:])
            text = b""
            while text.count(b"supportedVersions") < 3:
                piece = peer.recv(1 << 16)
                self.assertTrue(piece, text)
                text += piece
        self.assertEqual(text.count(b"HTTP/1.1 200"), 3)

    def test_many_requests_at_once(self):
        def ask(number):
            _, text = self.post(request("tools/call", {
                "name": "run_plan", "arguments": {"plan": sleeping(number % 7)}}), 200)
            return json.loads(text)["result"]["structuredContent"]["status"]

        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            self.assertEqual(set(pool.map(ask, range(100))), {"succeeded"})


class ClientTests(unittest.TestCase):
    """Clients of others; each script fails by itself."""

    def test_clients_that_others_wrote(self):
        scripts = {"official.py": "modern", "fastmcp_tasks_client.py": "modern",
                   "fastmcp_legacy_client.py": "legacy"}
        scripts = {script: python(kind) for script, kind in scripts.items() if python(kind)}
        if not scripts:
            self.skipTest("there are no Python environments (Deploy/install --mcp)")
        cluster = Cluster()
        self.addCleanup(cluster.stop)
        http = HTTPServer(cluster, "--expose-tools")
        self.addCleanup(http.stop)
        arguments = [WEFT, *cluster.arguments, http.url, http.token]
        running = {script: subprocess.Popen(
            [interpreter, str(CLIENTS / script), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for script, interpreter in scripts.items()}
        for script, process in running.items():
            with self.subTest(script), process:
                output, _ = process.communicate(timeout=90)
                self.assertEqual(process.returncode, 0, output)
        # Calls that were given up have ended their runs.
        deadline = time.monotonic() + PATIENCE
        while active := cluster.weft("runs", "--status", "running"):
            self.assertLess(time.monotonic(), deadline, active)
            time.sleep(0.05)

    def test_conformance(self):
        interpreter = python("modern")
        if not interpreter:
            self.skipTest("there is no Python environment modern (Deploy/install --mcp)")
        program = pathlib.Path(interpreter).with_name("mcp-conform")
        for arguments in "", " --diagnostics --expose-tools":
            result = subprocess.run(
                [program, "server", "--command", f"{WEFT} mcp{arguments}"], timeout=60,
                capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
