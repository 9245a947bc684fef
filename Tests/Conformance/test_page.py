"""The interface of the coordinator over HTTP: answers against their description, orders, streams that
go on, and who is let in."""

import json
import pathlib
import socket
import time
import unittest

from page import Page
from peer import PATIENCE
from tls import weft

SLEEPING = {"tasks": [{"id": "t1", "tool_name": "sleep", "args": {"ms": 60_000}}]}
SHORT = {"tasks": [{"id": "t1", "tool_name": "echo", "args": {"x": 1}},
                   {"id": "t2", "tool_name": "echo", "args": {"y": "$t1"}}]}


def fit(schema, value, root, place="body"):
    """What of a value does not fit a schema, as far as the description uses JSON Schema."""
    if "$ref" in schema:
        schema = _find(root, schema["$ref"])
    problems = [each for part in schema.get("allOf", []) for each in fit(part, value, root, place)]
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool}
    kind = schema.get("type")
    if kind in kinds and not isinstance(value, kinds[kind]):
        return [*problems, f"{place} is no {kind}: {value!r}"]
    if kind in ("integer", "number"):
        right = int if kind == "integer" else (int, float)
        if not isinstance(value, right) or isinstance(value, bool):
            problems.append(f"{place} is no {kind}: {value!r}")
    if "enum" in schema and value not in schema["enum"]:
        problems.append(f"{place} is {value!r}")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        problems += [f"{place} lacks {name}" for name in schema.get("required", [])
                     if name not in value]
        for name, inner in value.items():
            rest = schema.get("additionalProperties")
            if name in known or rest:
                problems += fit(known.get(name, rest), inner, root, f"{place}.{name}")
    if isinstance(value, list):
        for index, inner in enumerate(value):
            problems += fit(schema.get("items", {}), inner, root, f"{place}[{index}]")
    return problems


def names(schema, root):
    """The properties that a schema knows, also those of its parts."""
    if "$ref" in schema:
        schema = _find(root, schema["$ref"])
    found = set(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found |= names(part, root)
    return found


def _find(root, reference):
    for step in reference.removeprefix("#/").split("/"):
        root = root[step]
    return root


class PageTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = Page()
        cls.addClassCleanup(cls.page.stop)
        cls.viewer = cls.page.token()
        cls.client = cls.page.token("--control")
        cls.description = json.loads(cls.page.request("GET", "/v1/openapi.json")[2])

    def ask(self, path, token=None):
        status, _, body = self.page.request("GET", path, token=token or self.viewer)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def order(self, path, body=None, status=202):
        found, _, answer = self.page.request("POST", path, body or {}, token=self.client)
        self.assertEqual(found, status, answer)
        return json.loads(answer)

    def submit(self, plan):
        return self.order("/v1/runs", {"plan": plan, "join": "json"}, 201)["run"]

    def wait_for(self, run, status):
        deadline = time.monotonic() + PATIENCE
        while (found := self.ask(f"/v1/runs/{run}"))["status"] != status:
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.02)
        return found

    # What is described.

    def test_answers_are_as_described(self):
        run = self.submit(SHORT)
        self.wait_for(run, "succeeded")
        goal = self.submit({"tasks": [{"id": "t1", "tool_name": "fail",
                                       "args": {"message": "no"}}]})
        self.wait_for(goal, "failed")
        sleeping = self.submit({"tasks": [*SLEEPING["tasks"], {
            "id": "t2", "tool_name": "echo", "args": {"x": "$t1"}}]})
        launcher = self.page.coordinator.greet("client")
        self.addCleanup(self.page.coordinator.hang_up)
        launcher.send(type="launch", name="hosts", host="h", pid=1, more=1, groups=[
            {"name": "g", "kind": "slurm", "wanted": 1, "running": 0, "pending": 1, "min": 0,
             "max": 2}], members=[{"name": "hosts-g-1", "group": "g", "site": "slurm",
                                   "state": "pending", "slots": 1, "note": "Resources"}])
        launcher.send(type="ping", n=1)
        launcher.skip_to("pong", n=1)
        checked = set()
        for path, item in self.description["paths"].items():
            if "get" not in item or "event-stream" in json.dumps(item) or path == "/metrics":
                continue
            for name in (run, goal, sleeping):
                filled = path.replace("{run}", name).replace("{node}", "t1")
                schema = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
                answer = self.ask(filled)
                self.assertEqual(fit(schema, answer, self.description), [], filled)
                # Lists of every kind have entries somewhere here.
                checked.add(path)
                if isinstance(answer, dict) and names(schema, self.description):
                    unknown = set(answer) - names(schema, self.description)
                    self.assertEqual(unknown, set(), f"{filled} is described without them")
        self.assertIn("/v1/runs/{run}/nodes/{node}/logs", checked)
        for name, documents in [("Worker", self.ask("/v1/workers")["workers"]),
                                ("Tool", self.ask("/v1/tools")["tools"]),
                                ("Launch", self.ask("/v1/launches")["launches"]),
                                ("Run", self.ask("/v1/runs")["runs"])]:
            self.assertTrue(documents, name)
            for document in documents:
                unknown = set(document) - names({"$ref": f"#/components/schemas/{name}"},
                                                self.description)
                self.assertEqual(unknown, set(), f"{name} is described without them")
        self.order(f"/v1/runs/{sleeping}/cancel")

    def test_paths_that_are_described_are_those_that_exist(self):
        for path, item in self.description["paths"].items():
            filled = path.replace("{run}", "r1").replace("{node}", "t1").replace("{worker}", "w")
            for method in ("GET", "POST", "PUT", "DELETE"):
                if method.lower() in item and "event" in path:
                    continue
                with self.subTest(f"{method} {path}"):
                    body = {} if method != "GET" else None
                    status = self.page.request(method, filled, body, self.client)[0]
                    self.assertEqual(status == 405, method.lower() not in item, status)
        self.assertEqual(self.page.request("GET", "/v1/other", token=self.viewer)[0], 404)

    def test_lists_come_in_pages(self):
        plan = {"tasks": [{"id": f"n{index}", "tool_name": "noop", "args": {}}
                          for index in range(25)]}
        run = self.submit(plan)
        self.wait_for(run, "succeeded")
        for kind in ("graph", "nodes"):
            found, path = [], f"/v1/runs/{run}/{kind}?limit=10"
            while path:
                page = self.ask(path)
                found += [node["id"] if kind == "graph" else node for node in page["nodes"]]
                path = "next" in page and f"/v1/runs/{run}/{kind}?limit=10&from={page['next']}"
            self.assertEqual(found, [task["id"] for task in plan["tasks"]])
        status, _, body = self.page.request("GET", "/v1/runs?status=fine", token=self.viewer)
        self.assertEqual((status, json.loads(body)["error"]["code"]), (400, "bad_request"))

    # Orders.

    def test_orders(self):
        run = self.submit(SLEEPING)
        again = self.order("/v1/runs", {"plan": SHORT, "key": "the same"}, 201)
        self.assertEqual(again, {"run": again["run"], "existing": False})
        self.assertTrue(self.order("/v1/runs", {"plan": SHORT, "key": "the same"}, 201)["existing"])
        self.order(f"/v1/runs/{run}/cancel", {"reason": "enough"})
        self.assertEqual(self.wait_for(run, "cancelled")["reason"], "enough")
        self.assertNotEqual(self.order(f"/v1/runs/{run}/retry", {}, 201)["run"], run)
        asking = self.order("/v1/runs", {"plan": SHORT, "approve": ["echo"]}, 201)["run"]
        self.order(f"/v1/runs/{asking}/approve", {"approved": True, "nodes": ["t1"]})
        deadline = time.monotonic() + PATIENCE
        while not [each for each in self.ask("/v1/approvals")["approvals"]
                   if each["run"] == asking and each["node"] == "t2"]:
            self.assertLess(time.monotonic(), deadline)
        self.order(f"/v1/runs/{asking}/approve", {"approved": False})
        self.wait_for(asking, "failed")
        for path, body, status, code in [
                (f"/v1/runs/{asking}/approve", {"approved": True}, 409, "conflict"),
                ("/v1/runs/r0/retry", {}, 404, "unknown_run"),
                ("/v1/runs", {"plan": {"tasks": [{"id": "t1"}]}}, 400, "bad_plan"),
                ("/v1/runs", {"goal": ""}, 400, "bad_message"),
                ("/v1/runs", [1], 400, "bad_request"),
                ("/v1/workers/none/drain", {}, 404, "unknown_worker")]:
            with self.subTest(path=path, body=body):
                self.assertEqual(self.order(path, body, status)["error"]["code"], code)

    def test_bodies_that_are_not_right(self):
        for body, headers, status in [
                (b"{", {"Content-Type": "application/json"}, 400),
                (b"{}", {"Content-Type": "text/plain"}, 415),
                (b"{}", {}, 415),
                (b'{"goal":"' + b"x" * (17 << 20), {"Content-Type": "application/json"}, 413)]:
            with self.subTest(body[:10], status=status):
                found = self.page.request("POST", "/v1/runs", body, self.client, **headers)
                self.assertEqual(found[0], status)

    # Streams.

    def test_a_run_is_told_to_its_end(self):
        run = self.submit(SHORT)
        stream = self.page.stream(f"/v1/runs/{run}/events", self.viewer)
        self.addCleanup(stream.close)
        events = list(stream)
        self.assertEqual(events[-1]["data"]["kind"], "run_succeeded")
        ids = [int(event["id"]) for event in events if "id" in event]
        self.assertEqual(ids, sorted(set(ids)))
        middle = ids[len(ids) // 2]
        rest = self.page.stream(f"/v1/runs/{run}/events", self.viewer,
                                **{"Last-Event-ID": str(middle)})
        self.addCleanup(rest.close)
        self.assertEqual([int(event["id"]) for event in rest if "id" in event],
                         [each for each in ids if each > middle])
        dispatched = [event["data"] for event in events if event["data"]["kind"] == "dispatched"]
        self.assertEqual({event["data"]["tool"] for event in dispatched}, {"echo"})
        self.assertEqual(
            self.page.request("GET", "/v1/runs/r0/events", token=self.viewer)[0], 404)

    def test_the_cluster_is_told_as_it_changes(self):
        stream = self.page.stream("/v1/events", self.viewer)
        self.addCleanup(stream.close)
        hello = stream.find(lambda event: event.get("event") == "hello")["data"]
        self.assertEqual((hello["role"], hello["name"]), ("viewer", "client"))
        first = {}
        while not {"status", "workers", "launches", "tools", "runs", "approvals"} <= first.keys():
            event = next(iter(stream))
            first[event["event"]] = event["data"]
        self.assertTrue(first["workers"]["workers"])
        run = self.submit(SHORT)
        end = stream.find(lambda event: event.get("event") == "run"
                          and event["data"]["run"] == run
                          and event["data"]["kind"] == "run_succeeded")
        self.assertEqual(end["data"]["data"]["counts"]["succeeded"], 2)

    def test_a_reader_that_does_not_read_holds_nobody_up(self):
        run = self.submit(SLEEPING)
        sockets = []
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", self.page.port)) as peer:
                slow = peer.dup()
            self.addCleanup(slow.close)
            slow.sendall(f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
                         f"Authorization: Bearer {self.viewer}\r\n\r\n".encode())
            sockets.append(slow)
        for _ in range(3):
            many = self.submit({"tasks": [{"id": f"n{index}", "tool_name": "payload",
                                           "args": {"bytes": 2_000}} for index in range(1_000)]})
            self.wait_for(many, "succeeded")
        status = pathlib.Path(
            f"/proc/{self.page.coordinator.process.process.pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines()
                    if line.startswith("VmHWM"))
        self.assertLess(peak, 400 << 10)
        self.order(f"/v1/runs/{run}/cancel")

    # Who is let in.

    def test_only_good_tokens(self):
        for token in [None, "", "x", self.viewer[:-1], self.viewer.replace("viewer", "client")]:
            with self.subTest(token=token):
                status, headers, body = self.page.request("GET", "/v1/status", token=token)
                self.assertEqual(status, 401)
                self.assertEqual(headers["WWW-Authenticate"], "Bearer")
                self.assertEqual(json.loads(body)["error"]["code"], "unauthorized")
        for path in ("/metrics", "/v1/events", "/v1/runs/r1/events"):
            self.assertEqual(self.page.request("GET", path)[0], 401)
        status, _, body = self.page.request("GET", "/metrics", token=self.viewer)
        self.assertEqual(status, 200)
        self.assertIn(b"weft_build_info", body)

    def test_a_ticket_is_good_once(self):
        address = self.page.weft("dashboard", "--no-open").stdout.strip()
        base, ticket = address.split("/#ticket=")
        self.assertEqual(base, f"http://127.0.0.1:{self.page.port}")
        status, _, body = self.page.request("POST", "/v1/session", {"ticket": ticket})
        self.assertEqual(status, 200)
        session = json.loads(body)
        self.assertEqual((session["role"], session["name"]), ("viewer", "client"))
        self.assertEqual(self.ask("/v1/status", session["token"])["epoch"], 1)
        self.assertEqual(self.page.request("POST", "/v1/session", {"ticket": ticket})[0], 401)
        self.assertEqual(self.page.request("GET", "/v1/status", token=ticket)[0], 401)

    def test_a_viewer_only_looks(self):
        run = self.submit(SLEEPING)
        for path in ("/v1/runs", f"/v1/runs/{run}/cancel", f"/v1/runs/{run}/retry"):
            status, _, body = self.page.request("POST", path, {"plan": SHORT}, self.viewer)
            self.assertEqual((status, json.loads(body)["error"]["code"]), (403, "forbidden"))
        self.assertEqual(self.ask(f"/v1/runs/{run}")["status"], "running")
        self.order(f"/v1/runs/{run}/cancel")

    def test_only_its_own_pages_may_ask(self):
        own = f"127.0.0.1:{self.page.port}"
        for headers, path, status in [
                ({"Host": "evil.example"}, "/", 421),
                ({"Host": "evil.example"}, "/v1/status", 421),
                ({"Origin": "http://evil.example"}, "/v1/status", 403),
                ({"Origin": "http://127.0.0.1:1"}, "/v1/status", 403),
                ({"Origin": "null"}, "/v1/status", 403),
                ({"Sec-Fetch-Site": "cross-site"}, "/v1/status", 403),
                ({"Sec-Fetch-Site": "same-site"}, "/v1/status", 403),
                ({"Sec-Fetch-Site": "cross-site"}, "/", 200),
                ({"Origin": f"http://{own}", "Sec-Fetch-Site": "same-origin"}, "/v1/status", 200)]:
            with self.subTest(headers=headers, path=path):
                self.assertEqual(
                    self.page.request("GET", path, token=self.viewer, **headers)[0], status)

    def test_the_page_runs_its_own_script_alone(self):
        status, headers, body = self.page.request("GET", "/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertLess(len(body), 150 << 10)
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        for foreign in (b"http://", b"https://", b"//cdn", b"@import"):
            self.assertNotIn(foreign, body.replace(b"http://www.w3.org/", b""))


class RestartTests(unittest.TestCase):
    def test_streams_and_tokens_outlive_the_coordinator(self):
        page = Page()
        self.addCleanup(page.stop)
        viewer, client = page.token(), page.token("--control")
        body = {"plan": {"tasks": [{"id": "t1", "tool_name": "sleep", "args": {"ms": 1_500}},
                                   {"id": "t2", "tool_name": "echo", "args": {"x": "$t1"}}]}}
        run = json.loads(page.request("POST", "/v1/runs", body, client)[2])["run"]
        single = page.stream(f"/v1/runs/{run}/events", viewer)
        self.addCleanup(single.close)
        started = single.find(lambda event: event["data"]["kind"] == "started")
        cluster = page.stream("/v1/events", viewer)
        self.addCleanup(cluster.close)
        position = cluster.find(lambda event: event.get("event") == "position"
                                and run in event["id"])["id"]
        page.coordinator.kill()
        # The address stays the same, as it does where it was chosen.
        page.coordinator.arguments[page.coordinator.arguments.index("--listen") + 1] = (
            page.coordinator.address)
        page.coordinator.start()
        page.note_port()
        single = page.stream(f"/v1/runs/{run}/events", viewer,
                             **{"Last-Event-ID": started["id"]})
        self.addCleanup(single.close)
        kinds = [event["data"]["kind"] for event in single if "id" in event]
        self.assertEqual(kinds[-1], "run_succeeded")
        self.assertNotIn("planned", kinds)
        self.assertIn("node_succeeded", kinds)
        cluster = page.stream("/v1/events", viewer, **{"Last-Event-ID": position})
        self.addCleanup(cluster.close)
        cluster.find(lambda event: event.get("event") == "run" and event["data"]["run"] == run
                     and event["data"]["kind"] == "run_succeeded")
        weft("keys", "revoke", "client", "--state", page.coordinator.folder.name)
        deadline = time.monotonic() + PATIENCE
        while page.request("GET", "/v1/status", token=viewer)[0] != 401:
            self.assertLess(time.monotonic(), deadline, "a revoked key's token is still good")
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
