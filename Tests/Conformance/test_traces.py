"""A run is part of its client's trace: `traceparent` by submission, flag, environment and MCP, kept over
a restart, and given to tools of every kind."""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading

from peer import WEFT, Coordinator, Process
from test_coordinator import CoordinatorTest, plan

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class TraceTest(CoordinatorTest):
    def test_a_submission_names_the_trace_and_a_restart_keeps_it(self):
        coordinator = Coordinator()
        self.addCleanup(coordinator.stop)
        self.coordinator = coordinator
        peer = self.client()
        worker = coordinator.worker(["t"], slots=1)
        run = self.submit(peer, plan(("a", "t", {}), ("b", "t", {})), traceparent=PARENT, key="k")
        first = worker.skip_to("dispatch")
        self.assertRegex(first["traceparent"], f"^00-{TRACE}-[0-9a-f]{{16}}-01$")
        self.assertEqual(self.get(peer, "run", id=run)["traceparent"], PARENT)
        self.assertEqual(self.submit(peer, plan(("a", "t", {}), ("b", "t", {})), key="k"), run,
                         "the trace is about who asks, not about what is done")
        coordinator.hang_up()
        coordinator.kill()
        coordinator.start()
        peer = self.client()
        self.assertEqual(self.get(peer, "run", id=run)["traceparent"], PARENT)
        worker = coordinator.worker(["t"], slots=2)
        second = worker.skip_to("dispatch", run=run, node="b")
        self.assertEqual(second["traceparent"][:36], first["traceparent"][:36])
        self.assertNotEqual(second["traceparent"], first["traceparent"])
        other = self.submit(peer, plan(("a", "t", {})))
        self.assertNotIn("traceparent", worker.skip_to("dispatch", run=other))
        self.assertNotIn("traceparent", self.get(peer, "run", id=other))
        peer.send(type="submit", key="bad", plan=plan(("a", "t", {})), traceparent=PARENT[:-1])
        peer.expect_fatal("bad_message")


class ToolTests(CoordinatorTest):
    """A worker with tools of three kinds that return what they were given."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()

        class Echo(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(self.headers.get_all("traceparent")).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        shell = {"command": ["/bin/sh", "-c", 'echo "$TRACEPARENT"']}
        tools = [
            {"name": "program", "description": "Its variable.", **shell},
            {"name": "own", "description": "Its own variable.", "env": {"TRACEPARENT": "mine"},
             **shell},
            {"name": "request", "description": "Its header.", "http": {
                "url": f"http://127.0.0.1:{server.server_port}/"}}]
        folder = pathlib.Path(cls.coordinator.folder.name)
        (folder / "tools.yaml").write_text(json.dumps({"tools": tools}))
        (folder / "plan.json").write_text(json.dumps(plan(
            ("p", "program", {}), ("o", "own", {}), ("r", "request", {}))))
        cls.folder = folder
        worker = Process([WEFT, "worker", "--coordinator", cls.coordinator.address, "--state",
                          str(folder), "--tools", str(folder / "tools.yaml")])
        cls.addClassCleanup(worker.stop)
        worker.wait_for("registered")

    def weft(self, *arguments, **variables):
        environment = {**os.environ, **variables}
        return subprocess.run(
            [WEFT, *arguments, "--coordinator", self.coordinator.address, "--state",
             str(self.folder)], capture_output=True, text=True, timeout=60, check=False,
            env=environment)

    def traces(self, *arguments, **variables):
        """The traces that the tools of a run got."""
        done = self.weft("run", "--plan", f"{self.folder}/plan.json", "--join", "json", *arguments,
                         **variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        outputs = json.loads(done.stdout)
        self.assertEqual(outputs["o"].strip(), "mine")
        values = [outputs["p"].strip(), *outputs["r"]]
        self.assertEqual(len(set(values)), 2)
        for value in values:
            self.assertRegex(value, "^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$")
        return {value[3:35] for value in values}

    def test_flag_environment_or_a_trace_of_the_run(self):
        self.assertEqual(self.traces("--traceparent", PARENT, TRACEPARENT="00-nonsense"), {TRACE})
        self.assertEqual(self.traces(TRACEPARENT=PARENT), {TRACE})
        own = self.traces(TRACEPARENT="00-nonsense")
        self.assertEqual(len(own), 1)
        self.assertNotEqual(own, {TRACE})

    def test_a_flag_that_is_no_traceparent(self):
        done = self.weft("run", "--plan", f"{self.folder}/plan.json", "--traceparent", "00-12")
        self.assertEqual(done.returncode, 2)
        self.assertIn("it is no traceparent", done.stderr)

    def test_a_client_of_mcp(self):
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {}, "traceparent": PARENT}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "program", "arguments": {}, "_meta": meta}}
        environment = {key: value for key, value in os.environ.items() if key != "TRACEPARENT"}
        served = subprocess.Popen(
            [WEFT, "mcp", "--expose-tools", "--coordinator", self.coordinator.address, "--state",
             str(self.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=sys.stderr, env=environment)
        with served:
            served.stdin.write(json.dumps(call).encode() + b"\n")
            served.stdin.flush()
            answer = served.stdout.readline().decode()
            served.stdin.close()
        self.assertRegex(answer, f"00-{TRACE}-[0-9a-f]{{16}}-01")
