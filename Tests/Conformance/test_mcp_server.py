"""`weft mcp` as clients of MCP see it: in single lines, and by clients that others wrote."""

import pathlib
import signal
import subprocess
import unittest

from mcp_server import Cluster, Server, python, sleeping
from peer import PATIENCE, WEFT

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients"


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

    def test_without_a_coordinator_calls_say_so(self):
        server = Server("--state", self.cluster.coordinator.folder.name, "--coordinator",
                        "127.0.0.1:1")
        self.addCleanup(server.stop)
        self.assertIn("result", server.ask("server/discover"))
        result = server.ask("tools/call", {"name": "search_tools"})["result"]
        self.assertTrue(result["isError"])
        self.assertIn("no coordinator at 127.0.0.1:1", result["content"][0]["text"])


class ClientTests(unittest.TestCase):
    """Clients of others; each script fails by itself."""

    def run_script(self, environment, script, *arguments):
        interpreter = python(environment)
        if not interpreter:
            self.skipTest(f"there is no Python environment {environment} (Deploy/install --mcp)")
        result = subprocess.run(
            [interpreter, str(CLIENTS / script), WEFT, *arguments], timeout=60,
            capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_the_official_client(self):
        self.run_script("modern", "official.py")

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
