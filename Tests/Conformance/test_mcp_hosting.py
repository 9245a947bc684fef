"""Workers that host MCP servers, seen from outside: a server that misbehaves on request, and real
servers of both eras, which were written elsewhere."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from peer import PATIENCE, WEFT, Coordinator, Process

HERE = pathlib.Path(__file__).parent
PYTHONS = pathlib.Path(
    os.environ.get("WEFT_TEST_PYTHON") or HERE.parent.parent / ".build" / "python")
ODD = str(HERE / "mcp_stdio.py")


def program(kind, name):
    """A program of a virtual environment with real servers."""
    return str(PYTHONS / kind / "bin" / name)


def needs(kind, name):
    return unittest.skipUnless(
        pathlib.Path(program(kind, name)).exists(),
        f"{name} is not there; Deploy/install --mcp installs it")


def odd(**config):
    return {"command": sys.executable, "args": [ODD, json.dumps(config)]}


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}, not within {PATIENCE} s")


class Hosting(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-mcp-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def manifest(self, **servers):
        path = self.folder / f"{len(list(self.folder.iterdir()))}.yaml"
        path.write_text(json.dumps({"mcpServers": servers}))
        return str(path)

    def start(self, **servers):
        """A coordinator and a worker with these servers, which has registered."""
        self.coordinator = Coordinator()
        self.addCleanup(self.coordinator.stop)
        return self.join("one", self.manifest(**servers))

    def join(self, name, manifest, environment=None):
        worker = Process(
            [WEFT, "worker", "--coordinator", self.coordinator.address, "--state",
             self.coordinator.folder.name, "--name", name, "--tools", manifest, "--slots", "128"],
            environment)
        self.addCleanup(worker.stop)
        self.wait(lambda: name in self.workers(), f"{name} has registered", worker)
        return worker

    def wait(self, condition, what, worker=None):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what}, not within {PATIENCE} s: {worker and worker.log}")

    def weft(self, *words):
        return subprocess.run(
            [WEFT, *words, "--coordinator", self.coordinator.address, "--state",
             self.coordinator.folder.name], capture_output=True, text=True, timeout=PATIENCE)

    def listed(self, command):
        done = self.weft(command, "--json")
        self.assertEqual(0, done.returncode, done.stderr)
        return {entry["name"]: entry for entry in json.loads(done.stdout)}

    def workers(self):
        return self.listed("workers")

    def tools(self):
        return self.listed("tools")

    def run_plan(self, *nodes):
        """The nodes with their outcomes by id; a node is a tool, its arguments, and more fields."""
        tasks = [{"id": f"t{number}", "tool_name": tool, "args": dict(*arguments), **more}
                 for number, (tool, *arguments, more) in enumerate(nodes, 1)]
        path = self.folder / "plan.json"
        path.write_text(json.dumps({"tasks": tasks}))
        done = self.weft("run", "--plan", str(path), "--json")
        self.assertTrue(done.stdout, done.stderr)
        return json.loads(done.stdout)["nodes"]

    def call(self, tool, arguments={}, **more):
        return self.run_plan((tool, arguments, more))["t1"]

    def succeed(self, tool, arguments={}, **more):
        node = self.call(tool, arguments, **more)
        self.assertEqual("succeeded", node["status"], node)
        return node["output"]

    def fail_with(self, code, tool, arguments={}, **more):
        node = self.call(tool, arguments, **more)
        self.assertEqual(code, node.get("error", {}).get("code"), node)
        return node["error"]


class Misbehaving(Hosting):
    def test_each_era_is_found_and_pages_are_read(self):
        for era in "modern", "legacy":
            with self.subTest(era=era):
                worker = self.start(odd=odd(era=era, pages=2, endless=True))
                self.assertEqual(9, len(self.tools()))
                self.assertEqual({"a": [1]}, self.succeed("echo", {"a": [1]}))
                version = "2026-07-28" if era == "modern" else "2025-06-18"
                self.assertTrue(any(f"MCP={version}" in line for line in worker.log), worker.log)

    def test_results_become_outputs(self):
        self.start(odd=odd())
        image = [{"type": "image", "data": "AA==", "mimeType": "image/png"}]
        for form, output in [("image", image), ("texts", "a\nb"), ("empty", None),
                             ("structure", [1, {"a": None}])]:
            self.assertEqual(output, self.succeed("odd", {"form": form}), form)
        self.assertEqual({"n": 3}, self.succeed("typed", {"n": 3}))
        for form, code, words in [
                ("type", "tool_error", "sonnet"), ("input", "tool_error", "Which one?"),
                ("error", "tool_error", "it broke"), ("deep", "bad_output", "deep"),
                ("unknown-error", "spawn_failed", "no longer"),
                ("unknown-success", "spawn_failed", "no longer"),
                ("unknown-code", "spawn_failed", "no longer")]:
            failure = self.fail_with(code, "odd", {"form": form}, max_attempts=1)
            self.assertIn(words, failure["message"], form)
        failure = self.fail_with("bad_output", "typed", {"n": "three"})
        self.assertIn("/n", failure["message"])

    def test_standard_error_since_the_call_began_goes_into_the_failure(self):
        worker = self.start(odd=odd())
        for _ in range(2):
            failure = self.fail_with("tool_error", "noise")
            self.assertEqual("it failed", failure["message"])
            self.assertEqual("only of this call\n", failure["stderr_tail"])
        self.assertTrue(any("only of this call" in line for line in worker.log))

    def test_progress_is_passed_on(self):
        self.start(odd=odd())
        client = self.coordinator.greet("client")
        client.send(type="submit", key="p", watch="progress",
                    plan={"tasks": [{"id": "t1", "tool_name": "count", "args": {}}]})
        for step in 1, 2, 3:
            data = client.skip_to("event", kind="progress", node="t1")["data"]
            self.assertEqual((f"step {step}", round(step / 3, 3)),
                             (data.get("note"), round(data.get("fraction", 0), 3)))

    def test_tools_that_come_are_offered_without_losing_what_runs(self):
        for era in "modern", "legacy":
            with self.subTest(era=era):
                self.start(odd=odd(era=era))
                nodes = self.run_plan(
                    ("sleep", {"seconds": 1}, {}), ("grow", {}),
                    ("echo", {"a": "$t1"}, {"max_attempts": 1}))
                self.assertEqual({"a": "slept"}, nodes["t3"]["output"])
                self.wait(lambda: "grown" in self.tools(), "the new tool is offered")
                self.assertEqual("new", self.succeed("grown"))

    def test_a_server_that_ends_is_started_again(self):
        journal = self.folder / "journal"
        self.start(odd={**odd(journal=str(journal)),
                        "tools": {"sleep": {"idempotent": True}, "echo": {"idempotent": True}}})
        nodes = self.run_plan(
            ("sleep", {"seconds": 0.5}, {}), ("die", {}),
            *[("echo", {"n": n, "wait": "$t1"}, {}) for n in range(20)])
        self.assertEqual("outcome_unknown", nodes["t2"]["error"]["code"])
        self.assertIn("exited with code 7", nodes["t2"]["error"]["message"])
        # The call beside it may be repeated, and was.
        self.assertEqual("slept", nodes["t1"].get("output"), nodes["t1"])
        self.assertEqual(19, nodes["t22"]["output"]["n"])
        calls = [json.loads(line) for line in journal.read_text().splitlines()]
        calls = [call["params"]["name"] for call in calls if call.get("method") == "tools/call"]
        self.assertEqual(1, calls.count("die"))
        self.assertEqual(2, calls.count("sleep"))

    def test_a_server_that_ignores_a_cancel_is_killed_with_its_group(self):
        self.start(odd={**odd(), "tools": {"sleep": {"idempotent": True}}})
        started = time.monotonic()
        nodes = self.run_plan(
            ("hang", {}, {"timeout_ms": 500}), ("sleep", {"seconds": 0.1}, {}))
        self.assertEqual("timeout", nodes["t1"]["error"]["code"])
        # What it had not read when it was killed is done by its successor.
        self.assertEqual("slept", nodes["t2"]["output"])
        self.assertEqual("slept", self.succeed("sleep", {"seconds": 0}))
        self.assertLess(time.monotonic() - started, 12)
        left = subprocess.run(["pgrep", "-f", "^sleep 987$"], capture_output=True, text=True)
        self.assertEqual("", left.stdout)

    def test_a_late_answer_to_a_cancelled_call_is_dropped(self):
        journal = self.folder / "journal"
        worker = self.start(odd=odd(journal=str(journal)))
        self.fail_with("timeout", "sleep", {"seconds": 1}, timeout_ms=200)
        self.assertEqual({"n": 1}, self.succeed("echo", {"n": 1}))
        self.assertEqual("slept", self.succeed("sleep", {"seconds": 1}))
        messages = [json.loads(line) for line in journal.read_text().splitlines()]
        cancelled = [m["params"] for m in messages if m["method"] == "notifications/cancelled"]
        calls = [m for m in messages if m["method"] == "tools/call"]
        self.assertEqual(calls[0]["id"], cancelled[0]["requestId"])
        parents = [call["params"]["_meta"]["traceparent"] for call in calls]
        self.assertEqual(3, len(set(parents)))
        for parent in parents:
            self.assertRegex(parent, "^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")
        self.assertEqual(1, sum("MCP server ready" in line for line in worker.log))

    def test_a_server_that_cannot_start_says_why(self):
        script = "import sys; print('no license', file=sys.stderr); sys.exit(3)"
        worker = self.start(
            broken={"command": sys.executable, "args": ["-c", script]},
            lacking={"command": sys.executable, "env": {"TOKEN": "${WEFT_TEST_NOT_SET}"}},
            good=odd())
        withheld = {tool["name"]: tool["reason"]
                    for tool in self.wait(lambda: self.workers()["one"].get("withheld_tools"),
                                          "the servers are named", worker)}
        self.assertIn("no license", withheld["broken"])
        self.assertIn("WEFT_TEST_NOT_SET", withheld["lacking"])
        self.assertEqual({"a": 1}, self.succeed("echo", {"a": 1}))

    def test_names_that_collide_get_the_servers_name(self):
        self.start(a={**odd(bad_schema=True), "allow": ["echo", "bad"]},
                   b={**odd(), "allow": ["echo"]},
                   c={**odd(), "prefix": "c.", "deny": ["hang", "die"]})
        tools = self.tools()
        self.assertEqual(
            ["b_echo", "c.count", "c.echo", "c.grow", "c.noise", "c.odd", "c.sleep", "c.typed",
             "echo"], sorted(tools))
        withheld = self.workers()["one"]["withheld_tools"]
        self.assertEqual(["bad"], [tool["name"] for tool in withheld])
        self.assertFalse(tools["echo"]["idempotent"])

    def test_names_that_cannot_be_offered_keep_nothing_else_back(self):
        usual = ["echo", "sleep", "hang", "die", "grow", "count", "odd", "noise", "typed"]
        self.start(a={**odd(names=["", "n" * 129, "b_echo"]), "deny": usual},
                   b={**odd(names=["a"]), "allow": ["a", "echo"]},
                   c={**odd(names=["b_echo", "echo"]), "allow": ["echo", "b_echo"]},
                   a_tool={"command": "/bin/false"}, echo={"command": "/bin/false"})
        self.assertEqual(["a", "b_echo", "c_b_echo", "c_echo", "echo"], sorted(self.tools()))
        withheld = [tool["name"] for tool in self.workers()["one"]["withheld_tools"]]
        self.assertEqual(["a_tool", "mcpServers.a", "mcpServers.echo"], sorted(withheld))

    def test_more_tools_than_a_worker_may_have(self):
        self.start(many={**odd(names=[f"t{n}" for n in range(1500)]), "prefix": "m_"})
        self.assertEqual(1000, len(self.tools()))
        withheld = self.workers()["one"]["withheld_tools"]
        self.assertEqual(["mcpServers.many"], [tool["name"] for tool in withheld])
        self.assertIn("509", withheld[0]["reason"])

    def test_hints_count_if_they_are_trusted(self):
        self.start(odd={**odd(), "trust_hints": True, "timeout": "9s", "concurrency": 3})
        echo = self.tools()["echo"]
        self.assertEqual((True, True, 9000),
                         (echo["idempotent"], echo["read_only"], echo["timeout_ms"]))

    def test_a_hundred_calls_at_once_through_one_server(self):
        self.start(odd={**odd(), "pool": 2})
        nodes = self.run_plan(*[("echo", {"n": n}, {}) for n in range(100)])
        self.assertEqual(list(range(100)), [nodes[f"t{n + 1}"]["output"]["n"] for n in range(100)])

    def test_mistakes_in_a_manifest_are_named(self):
        path = self.folder / "bad.yaml"
        path.write_text("""
mcpServers:
  one: {command: a, url: "http://b/"}
  two: {comand: a}
  three: {url: "ftp://b/", type: sse}
  four: {url: "http://b/mcp", args: [x], headers: {A: "${B"}}
  five: {command: a, args: x, pool: 0, tools: {t: {idempotent: 7}}}
""")
        done = subprocess.run([WEFT, "worker", "--tools", str(path), "--coordinator", "127.0.0.1:1"],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(2, done.returncode)
        for words in ("cannot be there beside command", 'Did you mean "command"?', "needs command",
                      "transport of 2024", "args: has no effect", "has a ${ without",
                      "must be a list of texts"):
            self.assertIn(words, done.stderr)


TASKS = """
import asyncio, sys
from fastmcp import FastMCP
from fastmcp_tasks import TasksExtension
from datetime import timedelta
from fastmcp.utilities.tasks import TaskConfig
server = FastMCP("tasks")
server.add_extension(TasksExtension())

@server.tool(task=TaskConfig(mode="optional", poll_interval=timedelta(milliseconds=200)))
async def slow(seconds: float) -> dict:
    "Waits."
    await asyncio.sleep(seconds)
    return {"slept": seconds}

@server.tool
async def triple(n: int) -> int:
    "Multiplies by three."
    return 3 * n

if len(sys.argv) > 1:
    server.run(transport="http", port=int(sys.argv[1]), show_banner=False)
else:
    server.run(show_banner=False)
"""
OLD = """
import sys
from fastmcp import FastMCP, Context
server = FastMCP("old")

@server.tool
async def halve(n: int, context: Context) -> dict:
    "Halves."
    await context.report_progress(1, 2)
    return {"half": n // 2}

server.run(transport="http", port=int(sys.argv[1]), show_banner=False)
"""


class Real(Hosting):
    """Servers that were written elsewhere."""

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    @needs("modern", "mcp-server-git")
    @needs("legacy", "mcp-server-sqlite")
    def test_a_plan_over_three_servers_on_two_workers(self):
        tree = self.folder / "tree"
        for command in (["init", "-q", str(tree)], ["-C", str(tree), "-c", "user.name=Ada", "-c",
                        "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "the first one"]):
            subprocess.run(["git", *command], check=True)
        self.start(
            git={"command": program("modern", "mcp-server-git"),
                 "args": ["--repository", "tree"]},
            time={"command": program("modern", "mcp-server-time"),
                  "args": ["--local-timezone=UTC"], "prefix": "time_",
                  "allow": ["get_current_time"], "pool": 2})
        self.join("two", self.manifest(db={
            "command": program("legacy", "mcp-server-sqlite"), "args": ["--db-path", "x.db"]}))
        nodes = self.run_plan(
            ("time_get_current_time", {"timezone": "UTC"}, {}),
            ("git_log", {"repo_path": str(tree), "max_count": 1}, {}),
            ("create_table", {"query": "CREATE TABLE log (day TEXT, text TEXT)"}, {}),
            ("write_query", {"query": "INSERT INTO log VALUES ('${t1.day_of_week}', '$t2')"},
             {"dependencies": ["t3"]}),
            ("read_query", {"query": "SELECT * FROM log"}, {"dependencies": ["t4"]}))
        self.assertEqual({"succeeded"}, {node["status"] for node in nodes.values()}, nodes)
        self.assertEqual({"one", "two"}, {node["worker"] for node in nodes.values()})
        self.assertIn(nodes["t1"]["output"]["day_of_week"], nodes["t5"]["output"])
        self.assertIn("the first one", nodes["t5"]["output"])
        failure = self.fail_with("tool_error", "git_log", {"repo_path": "/"})
        self.assertTrue(failure["message"])

    @unittest.skipUnless((HERE.parent.parent / ".build/python/modern/installed").exists()
                         and (HERE.parent.parent / ".build/python/legacy/installed").exists(),
                         "the servers are not there; Deploy/install --mcp installs them")
    def test_the_plan_of_the_readme(self):
        demo = HERE.parent.parent / "Deploy" / "demo"
        done = subprocess.run(
            [WEFT, "run", "--plan", str(demo / "mcp.json"), "--tools", str(demo / "mcp.yaml"),
             "--json"], capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        nodes = json.loads(done.stdout)["nodes"]
        day = nodes["now"]["output"]["day_of_week"]
        self.assertIn(day, json.dumps(nodes["answer"]["output"]))

    @needs("legacy", "mcp-testkit")
    def test_the_tools_of_a_large_server_of_the_legacy_era(self):
        self.start(kit={"command": program("legacy", "mcp-testkit"), "trust_hints": True})
        self.assertGreater(len(self.tools()), 60)
        nodes = self.run_plan(*[("math_add", {"a": n, "b": 1}, {}) for n in range(100)])
        self.assertEqual(["succeeded"] * 100, [node["status"] for node in nodes.values()],
                         nodes["t1"])

    @needs("modern", "fastmcp")
    def test_tasks_are_polled_and_cancelled(self):
        self.start(tasks={"command": program("modern", "python"),
                          "args": [self.write("tasks.py", TASKS)]})
        nodes = self.run_plan(("slow", {"seconds": 0.5}, {}), ("triple", {"n": 7}, {}),
                              ("slow", {"seconds": 60}, {"timeout_ms": 1000}))
        self.assertEqual({"slept": 0.5}, nodes["t1"].get("output"), nodes["t1"])
        self.assertEqual({"result": 21}, nodes["t2"]["output"])
        self.assertEqual("timeout", nodes["t3"]["error"]["code"])

    @needs("modern", "fastmcp")
    @needs("legacy", "fastmcp")
    def test_servers_at_addresses_of_both_eras(self):
        ports = []
        for kind, text in ("modern", TASKS), ("legacy", OLD):
            with socket.create_server(("127.0.0.1", 0)) as free:
                ports.append(free.getsockname()[1])
            server = Process([program(kind, "python"), self.write(f"{kind}.py", text),
                              str(ports[-1])])
            self.addCleanup(server.stop)
        # The worker comes first: what it cannot reach yet is tried again. One address redirects.
        self.start(new={"url": f"http://127.0.0.1:{ports[0]}/mcp/"},
                   old={"url": f"http://127.0.0.1:{ports[1]}/mcp",
                        "headers": {"X-Test": "${HOME}"}})
        self.wait(lambda: {"slow", "triple", "halve"} <= set(self.tools()), "all are offered")
        nodes = self.run_plan(
            ("triple", {"n": 8}, {}), ("halve", {"n": "${t1.result}"}, {}),
            ("slow", {"seconds": 0.1}, {}), ("slow", {"seconds": 60}, {"timeout_ms": 1000}),
            *[("halve", {"n": n}, {}) for n in range(50)])
        self.assertEqual({"half": 12}, nodes["t2"].get("output"), nodes)
        self.assertEqual({"slept": 0.1}, nodes["t3"].get("output"), nodes["t3"])
        self.assertEqual("timeout", nodes["t4"]["error"]["code"])
        self.assertEqual({"half": 24}, nodes["t54"]["output"])

    @needs("modern", "mcp-server-fetch")
    def test_a_server_that_hangs_and_leaves_a_grandchild(self):
        page = self.folder / "index.html"
        page.write_text("<html><body><p>text</p></body></html>")
        web = Process([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                       str(self.folder), "0"])
        self.addCleanup(web.stop)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        web = Process([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                       str(self.folder), str(port)])
        self.addCleanup(web.stop)
        bin = self.folder / "bin"
        bin.mkdir()
        for name in "npm", "node":
            # Offline, the real ones wait for the network in the same way.
            (bin / name).write_text("#!/bin/sh\nsleep 986\n")
            (bin / name).chmod(0o755)
        self.start(fetch={
            "command": program("modern", "mcp-server-fetch"),
            "args": ["--allow-private-ips", "--ignore-robots-txt"],
            "env": {"PATH": f"{bin}:/usr/bin:/bin"}})
        url = f"http://127.0.0.1:{port}/index.html"
        self.fail_with("timeout", "fetch", {"url": url}, timeout_ms=1500)
        self.assertIn("text", self.succeed("fetch", {"url": url, "raw": True}))
        left = subprocess.run(["pgrep", "-f", "^sleep 986$"], capture_output=True, text=True)
        self.assertEqual("", left.stdout)
