"""HTTP tools from outside, against a local server that misbehaves in every way: slow, cut off, sent
elsewhere, packed without end, in the wrong charset, too busy. Each test is one run of many nodes."""

import contextlib
import gzip
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from peer import WEFT

SECRET = "s3cr3t-token"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    requests = ()
    """What came in, oldest first: method, path, headers, body."""

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def answer(self, body=b"", status=200, kind="application/json", **headers):
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        name = self.path.lstrip("/").split("?")[0].split("/")[0]
        getattr(self, "page_" + name, self.page_missing)()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def page_missing(self):
        self.answer(b'{"detail": "no such page, ' + SECRET.encode() + b'"}', 404)

    def page_echo(self):
        method, path, headers, body = self.server.requests[-1]
        self.answer(json.dumps({"method": method, "path": path, "body": body.decode(),
                                "type": self.headers.get("Content-Type"),
                                "key": self.headers.get("X-Key")}).encode())

    def page_nested(self):
        self.answer(b'{"current": {"list": [{"n": 1.50}]}}')

    def page_text(self):
        self.answer("grüße".encode("latin-1"), kind="text/plain; charset=ISO-8859-1")

    def page_wide(self):
        self.answer("grüße €".encode("utf-16"), kind="text/plain; charset=utf-16")

    def page_euro(self):
        self.answer("10 €".encode("cp1252"), kind='text/html; charset="windows-1252"')

    def page_japanese(self):
        self.answer("日本".encode("shift_jis"), kind="text/plain; charset=shift_jis")

    def page_lying(self):
        self.answer(b"\xff\xfegr\xfc\xdf", kind="application/json")

    def page_nojson(self):
        self.answer(b"<html>", kind="application/json")

    def page_image(self):
        self.answer(b"\x89PNG\x00", kind="image/png")

    def page_packed(self):
        self.answer(gzip.compress(b'{"packed": true}'), Content_Encoding="gzip")

    def page_bomb(self):
        packed = gzip.compress(b"[" + b"0," * (20 << 20) + b"0]", 9)
        self.answer(packed, Content_Encoding="gzip")

    def page_large(self):
        self.answer(b'"' + b"x" * 5000 + b'"')

    def page_cut(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"half": ')
        self.close_connection = True

    def page_slow(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(200):
                self.wfile.write(b" ")
                time.sleep(0.05)

    def page_abroad(self):
        self.answer(status=302, Location="http://localhost:%d/echo" % self.server.server_port)

    def page_port(self):
        self.answer(status=307, Location="http://127.0.0.1:1/echo")

    def page_file(self):
        self.answer(status=302, Location="file:///etc/passwd")

    def page_moved(self):
        self.answer(status=301, Location="echo?moved=1")

    def page_circle(self):
        self.answer(status=302, Location="/circle")

    def page_seeother(self):
        self.answer(status=303, Location="/echo")

    def page_busy(self):
        count = sum(path == self.path for _, path, _, _ in self.server.requests)
        if count < 3:
            return self.answer(b"too many", 429, "text/plain", Retry_After="1" if count == 1 else "0")
        self.answer(b'"at last"')

    def page_never(self):
        self.answer(b"", 503, None, Retry_After="0")

    def page_later(self):
        self.answer(b"", 503, None, Retry_After="3600")

    def page_error(self):
        count = sum(path == self.path for _, path, _, _ in self.server.requests)
        self.answer(b'"again"' if count > 1 else b"{}", 200 if count > 1 else 500)

    def page_raw(self):
        self.wfile.write(b"SSH-2.0-nothing\r\n\r\n")
        self.close_connection = True


class ToolTests(unittest.TestCase):
    base = ""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-http-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def weft(self, *words):
        return subprocess.run([WEFT, *words], capture_output=True, timeout=60, env={
            **os.environ, "HOME": str(self.folder), "X_KEY": SECRET, "BASE": self.base})

    def run_manifest(self, manifest, tasks):
        """Runs nodes (tool, arguments, and fields of the node) by their ids."""
        tools, plan = self.folder / "tools.yaml", self.folder / "plan.json"
        tools.write_text(json.dumps(manifest))
        plan.write_text(json.dumps({"tasks": [
            {"id": name, "tool_name": tool, "args": arguments,
             **{"max_attempts": 1, "timeout_ms": 20000, **(fields[0] if fields else {})}}
            for name, (tool, arguments, *fields) in tasks.items()]}))
        done = self.weft("run", "--plan", str(plan), "--tools", str(tools), "--json",
                         "--join", "json", "--workers", "1", "--slots", "32",
                         "--on-missing-tool", "fail")
        try:
            return json.loads(done.stdout)["nodes"]
        except (ValueError, KeyError):
            self.fail(done.stderr.decode() + done.stdout.decode())

    def problems(self, manifest):
        tools = self.folder / "tools.yaml"
        tools.write_text(json.dumps(manifest))
        plan = self.folder / "plan.json"
        plan.write_text('{"tasks":[]}')
        done = self.weft("plan", "--check", str(plan), "--tools", str(tools))
        self.assertNotEqual(done.returncode, 0)
        return done.stderr.decode() + done.stdout.decode()


class HTTPToolTests(ToolTests):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(("127.0.0.1", 0), Handler)
        cls.server.requests = []
        cls.base = "http://127.0.0.1:%d" % cls.server.server_port
        threading.Thread(target=cls.server.serve_forever, args=(0.05,), daemon=True).start()
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)

    def setUp(self):
        super().setUp()
        self.server.requests.clear()

    def pages(self, names, fields={}, http={}):
        """Gets pages, each by a tool of its own."""
        tools = [{"name": name, "http": {"url": f"{self.base}/{name}", **http.get(name, {})},
                  **fields.get(name, {})} for name in names]
        return self.run_manifest({"tools": tools}, {name: (name, {}, fields.get(name + "_node", {}))
                                                    for name in names})

    # What is sent.

    def test_requests(self):
        text = {"type": "string"}
        parameters = {"type": "object", "properties": {
            "a": text, "b": {"type": ["string", "null"]}, "n": {"type": "integer"}, "list": {"type": "array"},
            "deep": {"type": "object"}, "flag": {"type": "boolean"}}}
        tools = {
            "get": {"url": "${BASE}/echo/{a}/x", "query": {"q": "{b}", "n": "{n}", "l": "{list}",
                                                         "fixed": "1&2", "f": "{flag}"},
                    "headers": {"X-Key": "${X_KEY} {b}"}},
            "post": {"method": "POST", "url": self.base + "/echo/{a}"},
            "json": {"method": "POST", "url": self.base + "/echo", "body": {
                "n": "{n}", "text": "{{{a}}}", "none": "{b}", "list": ["{a}", "{b}", 1.50],
                "deep": "{deep}"}},
            "form": {"method": "PUT", "url": self.base + "/echo",
                     "form": {"a": "{a}", "b": "{b}", "l": "{list}"}},
            "plain": {"method": "POST", "url": self.base + "/echo", "body": "> {a}",
                      "headers": {"Content-Type": "text/plain"}},
            "bare": {"method": "DELETE", "url": self.base + "/echo"},
        }
        hostile = "../a b/?#&%é\n"
        nodes = self.run_manifest(
            {"tools": [{"name": name, "parameters": parameters, "http": http}
                       for name, http in tools.items()]},
            {"get": ("get", {"a": "é/?#&=", "b": "x&y=ü", "n": 3, "list": [1, "z w"], "flag": True}),
             "less": ("get", {"a": ".x", "b": None}),
             "post": ("post", {"a": "p", "n": 3, "deep": {"z": [1.50]}}),
             "json": ("json", {"n": 12345678901234567890, "a": hostile, "deep": {"z": 1.50}}),
             "form": ("form", {"a": "x y&", "list": [1, 2]}),
             "plain": ("plain", {"a": "é"}), "bare": ("bare", {"a": "x"})})
        sent = {name: node["output"] for name, node in nodes.items()}
        self.assertEqual(sent["get"]["path"],
                         "/echo/%C3%A9%2F%3F%23%26%3D/x?q=x%26y%3D%C3%BC&n=3&l=1&l=z%20w"
                         "&fixed=1%262&f=true")
        self.assertEqual(sent["get"]["key"], SECRET + " x&y=Ã¼")
        self.assertEqual(sent["less"]["path"], "/echo/.x/x?fixed=1%262")
        self.assertIsNone(sent["less"]["key"])
        self.assertEqual(json.loads(sent["post"]["body"]), {"deep": {"z": [1.5]}, "n": 3})
        self.assertEqual(sent["post"]["type"], "application/json")
        self.assertIn("12345678901234567890", sent["json"]["body"])
        self.assertEqual(json.loads(sent["json"]["body"]), {
            "n": 12345678901234567890, "text": "{" + hostile + "}", "list": [hostile, 1.5],
            "deep": {"z": 1.5}})
        self.assertEqual((sent["form"]["method"], sent["form"]["body"], sent["form"]["type"]),
                         ("PUT", "a=x%20y%26&l=1&l=2", "application/x-www-form-urlencoded"))
        self.assertEqual((sent["plain"]["body"], sent["plain"]["type"]), ("> é", "text/plain"))
        self.assertEqual((sent["bare"]["method"], sent["bare"]["body"]), ("DELETE", ""))

    def test_arguments_cannot_lead_elsewhere(self):
        tool = {"name": "get", "parameters": {"type": "object", "properties": {
            "a": {"type": "string"}, "h": {"type": "string"}}},
                "http": {"url": self.base + "/echo/{a}/x", "headers": {"X-Key": "{h}"}}}
        give = {"name": "give", "parameters": {"type": "object", "properties": {"v": {}}},
                "command": ["printf", "%s", "{v}"]}
        hostile = {"dots": "..", "dot": ".", "deep": "a/../../b", "windows": "..\\b", "empty": ""}
        tasks = {}
        for name, value in hostile.items():
            tasks["v" + name] = ("give", {"v": value})
            tasks[name] = ("get", {"a": f"$v{name}"})
        tasks["vline"] = ("give", {"v": "x\r\nX-Evil: 1"})
        tasks["line"] = ("get", {"a": "x", "h": "$vline"})
        tasks["missing"] = ("get", {"h": "$vline"})
        nodes = self.run_manifest({"tools": [tool, give]}, tasks)
        for name in [*hostile, "line", "missing"]:
            self.assertEqual(nodes[name]["error"]["code"], "bad_args", nodes[name])
        self.assertEqual(self.server.requests, [])

    # What comes back.

    def test_outputs(self):
        nodes = self.pages(
            ["nested", "text", "wide", "euro", "packed", "echo", "image", "moved", "seeother"],
            {"nested": {"output": {"path": "$.current.list[0].n", "schema": {"type": "number"}}},
             "echo": {"output": "text"}, "image": {"output": {"format": "base64"}}},
            {"seeother": {"method": "POST", "body": {"x": 1}}, "echo": {"method": "HEAD"}})
        outputs = {name: node.get("output", node) for name, node in nodes.items()}
        self.assertEqual(outputs["nested"], 1.5)
        self.assertEqual(outputs["text"], "grüße")
        self.assertEqual(outputs["wide"], "grüße €")
        self.assertEqual(outputs["euro"], "10 €")
        self.assertEqual(outputs["packed"], {"packed": True})
        self.assertEqual(outputs["echo"], "")
        self.assertEqual(outputs["image"], "iVBORwA=")
        self.assertEqual(outputs["moved"]["path"], "/echo?moved=1")
        self.assertEqual((outputs["seeother"]["method"], outputs["seeother"]["body"]), ("GET", ""))

    def test_failures(self):
        pages = {
            "japanese": ("bad_output", "shift_jis, which is not read here"),
            "lying": ("bad_output", "not text in the charset"),
            "nojson": ("bad_output", "must answer with one JSON value"),
            "bomb": ("output_too_large", "more than the allowed 1048576 bytes"),
            "large": ("output_too_large", "more than the allowed 4096 bytes"),
            "abroad": ("tool_error", "redirected to http://localhost:"),
            "port": ("tool_error", "redirected to http://127.0.0.1:1,"),
            "file": ("tool_error", "an address that is not one of http or https"),
            "circle": ("tool_error", "redirected more than 5 times"),
            "missing": ("tool_error", "status 404: {\"detail\": \"no such page, …\"}"),
            "later": ("tool_error", "to be asked again only after 3600"),
            "never": ("tool_error", "it was asked again 10 times"),
            "raw": ("bad_output", "no readable response"),
            "slow": ("timeout", ""),
            "image": ("bad_output", "image/png, which is no text"),
            "nested": ("bad_output", "gave no $.current.other"),
            "text": ("bad_output", "does not fit its schema: the value must be an object"),
        }
        nodes = self.pages(
            pages,
            {"bomb": {"max_output": "1MiB"}, "large": {"max_output": "4KiB"},
             "slow_node": {"timeout_ms": 400},
             "nested": {"output": {"path": "$.current.other"}},
             "text": {"output": {"schema": {"type": "object"}}}},
            {"missing": {"headers": {"X-Key": "${X_KEY}"}}})
        for name, (code, words) in pages.items():
            with self.subTest(name):
                self.assertEqual(nodes[name]["error"]["code"], code, nodes[name])
                self.assertIn(words, nodes[name]["error"]["message"])
                self.assertFalse(nodes[name]["error"]["retryable"] and name != "slow", nodes[name])
        self.assertNotIn(SECRET, json.dumps(nodes))

    def test_what_is_tried_again(self):
        # A port that is taken and on which nothing listens.
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        nodes = self.run_manifest({"tools": [
            {"name": "cut", "http": {"url": self.base + "/cut"}},
            {"name": "cut_post", "http": {"method": "POST", "url": self.base + "/cut"}},
            {"name": "error", "http": {"url": self.base + "/error"}},
            {"name": "error_post", "http": {"method": "POST", "url": self.base + "/error?post"}},
            {"name": "error_asked", "retry_on": ["5xx"],
             "http": {"method": "POST", "url": self.base + "/error?asked"}},
            {"name": "busy", "http": {"url": self.base + "/busy"}},
            {"name": "busy_post", "http": {"method": "POST", "url": self.base + "/busy?post"}},
            {"name": "nothing", "http": {"method": "POST",
                                         "url": "http://127.0.0.1:%d/" % silent.getsockname()[1]}},
        ]}, {name: (name, {}, {"max_attempts": 2}) for name in
             ["cut", "cut_post", "error", "error_post", "error_asked", "busy", "busy_post",
              "nothing"]})
        self.assertEqual(nodes["cut"]["error"]["code"], "tool_error")
        self.assertTrue(nodes["cut"]["error"]["retryable"])
        self.assertEqual(nodes["cut_post"]["error"]["code"], "outcome_unknown")
        self.assertFalse(nodes["cut_post"]["error"]["retryable"])
        self.assertEqual(nodes["error"]["output"], "again")
        self.assertFalse(nodes["error_post"]["error"]["retryable"])
        self.assertEqual(nodes["error_asked"]["output"], "again")
        self.assertTrue(nodes["nothing"]["error"]["retryable"])
        for name in ["busy", "busy_post"]:
            self.assertEqual(nodes[name]["output"], "at last")
        self.assertEqual(sum(path == "/cut" and method == "GET"
                             for method, path, _, _ in self.server.requests), 2)

    # Where it may go.

    def test_addresses(self):
        port = self.server.server_port
        # A name that resolves to this host, as a name of the outside that lies would.
        name = f"http://{os.uname().nodename}:{port}/echo"
        nodes = self.run_manifest({"tools": [
            {"name": "localhost", "http": {"url": f"http://localhost:{port}/echo"}},
            {"name": "private", "http": {"url": name}},
            {"name": "listed", "allow_hosts": ["localhost"],
             "http": {"url": f"http://localhost:{port}/echo"}},
            {"name": "network", "allow_hosts": ["10.0.0.0/8"],
             "http": {"url": f"http://localhost:{port}/echo"}},
        ]}, {tool: (tool, {}) for tool in ["localhost", "private", "listed", "network"]})
        for tool in ["localhost", "listed"]:
            self.assertEqual(nodes[tool]["status"], "succeeded", nodes[tool])
        self.assertIn("which is not public", nodes["network"]["error"]["message"])
        self.assertNotEqual(nodes["private"]["status"], "succeeded")
        self.assertFalse(nodes["network"]["error"]["retryable"])

    def test_a_variable_that_is_not_set(self):
        nodes = self.run_manifest(
            {"tools": [{"name": "get", "http": {"url": self.base + "/echo",
                                                "headers": {"X-Key": "${NOT_SET}"}}}]},
            {"get": ("get", {})})
        self.assertIn("the variable NOT_SET is not set", json.dumps(nodes["get"]["error"]))

    def test_problems_of_a_manifest(self):
        text = self.problems({"allow_hosts": ["api.example.com"], "tools": [
            {"name": "a", "http": {"url": "http://{host}/x"}, "parameters": {
                "properties": {"host": {}}}},
            {"name": "b", "http": {"url": "file:///etc/passwd"}},
            {"name": "c", "http": {"url": "http://other.example.com/"}},
            {"name": "d", "http": {"url": "http://api.example.com/?q={q}"},
             "parameters": {"properties": {"q": {}}}},
            {"name": "e", "http": {"url": "http://api.example.com/{nope}"}, "sandbox": {}},
            {"name": "f", "http": {"url": "http://api.example.com/", "headers": {"Host": "x"},
                                   "body": "x"}, "retry_on": [200]},
            {"name": "g", "http": {"url": "http://u:p@api.example.com/"},
             "output": {"path": "current"}},
        ]})
        for words in ["a: url: is no use: its url has no host that is fixed", "b: url: is no use",
                      "c: url: is no use: its host other.example.com is not in allow_hosts",
                      "d: url: has {q} behind its ?", "e: http: uses {nope}, which is not a",
                      "e: sandbox: has no effect for an HTTP tool",
                      "f: headers: has Host, which the connection decides",
                      "f: body: cannot be sent with GET", "f: retry_on: must be a list of statuses",
                      "g: url: is no use", "g: path: must be a path of names"]:
            self.assertIn(words, text)

    # OpenAPI.

    def test_openapi(self):
        pets = {
            "openapi": "3.0.3", "info": {"title": "Pets", "version": "1"},
            "servers": [{"url": self.base + "/{version}/",
                         "variables": {"version": {"default": "echo"}}}],
            "paths": {
                "/pets/{pet-id}": {
                    "parameters": [{"$ref": "#/components/parameters/Id"}],
                    "get": {"operationId": "getPet", "summary": "One pet.", "parameters": [
                        {"name": "tags", "in": "query", "schema": {"type": "array"}},
                        {"name": "ids", "in": "query", "explode": False,
                         "schema": {"type": "array"}},
                        {"name": "X-Key", "in": "header", "schema": {"type": "string"}}],
                        "responses": {"200": {"content": {"application/json": {
                            "schema": {"$ref": "#/components/schemas/Pet"}}}}}},
                    "put": {"operationId": "putPet", "requestBody": {"required": True, "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}}},
                "/form": {"post": {"requestBody": {"content": {
                    "application/x-www-form-urlencoded": {"schema": {
                        "type": "object", "properties": {"a": {"type": "string"},
                                                         "b": {"type": "integer"}}}}}}},
                          "get": {"operationId": "odd", "parameters": [
                              {"name": "f", "in": "query", "style": "deepObject",
                               "schema": {"type": "object"}}]}}},
            "components": {
                "parameters": {"Id": {"name": "pet-id", "in": "path", "required": True,
                                      "schema": {"type": "integer", "exclusiveMinimum": True,
                                                 "minimum": 0}}},
                "schemas": {"Pet": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string", "nullable": True},
                    "parent": {"$ref": "#/components/schemas/Pet"}}}}}}
        (self.folder / "pets.json").write_text(json.dumps(pets))
        entry = {"openapi": "pets.json", "allow": ["getPet", "putPet", "post_form"],
                 "prefix": "pets_", "headers": {"X-Key": "${X_KEY}"}, "query": {"v": "1"}}
        nodes = self.run_manifest({"tools": [entry]}, {
            "get": ("pets_getPet", {"pet-id": 7, "tags": ["a", "b"], "ids": [1, 2]}),
            "put": ("pets_putPet", {"pet-id": 7, "body": {"name": None, "parent": {"name": "x"}}}),
            "form": ("pets_post_form", {"a": "x y", "b": 2}),
        })
        sent = {name: node["output"] for name, node in nodes.items()}
        self.assertEqual(sent["get"]["path"], "/echo/pets/7?tags=a&tags=b&ids=1%2C2&v=1")
        self.assertEqual(sent["get"]["key"], SECRET)
        self.assertEqual((sent["put"]["method"], json.loads(sent["put"]["body"])),
                         ("PUT", {"name": None, "parent": {"name": "x"}}))
        self.assertEqual((sent["form"]["path"], sent["form"]["body"]), ("/echo/form?v=1", "a=x%20y&b=2"))
        plan = self.folder / "plan.json"
        for arguments, words in [({"pet-id": 0}, "/pet-id: must be greater than 0"),
                                 ({"body": {"parent": {"name": 1}}}, "/body/name: is required"),
                                 ({"x": 1}, "/x: is not a field of the schema")]:
            plan.write_text(json.dumps({"tasks": [{"id": "a", "tool_name": "pets_putPet", "args": {
                "pet-id": 1, "body": {"name": "x"}, **arguments}}]}))
            done = self.weft("plan", "--check", str(plan), "--tools", str(self.folder / "tools.yaml"))
            self.assertIn(words, done.stderr.decode() + done.stdout.decode())
        text = self.problems({"tools": [{"openapi": "pets.json", "allow": ["getPets", "odd"]}]})
        self.assertIn("names getPets, which is no operation of the file. Did you mean \"getPet\"?", text)
        self.assertIn("names odd. Its parameter f has the style", text)
        text = self.problems({"tools": [{"openapi": "pets.json"}]})
        self.assertIn("The file has getPet, putPet, post_form, odd.", text)


class ProgramTests(ToolTests):
    """What programs have in common with them: input, exit codes, outputs."""

    def test_programs(self):
        code = "import sys; print('again', file=sys.stderr); sys.exit(int(sys.argv[1]))"
        parameters = {"type": "object", "properties": {"text": {"type": "string"},
                                                       "code": {"type": "integer"}}}
        large = "x" * 200_000
        nodes = self.run_manifest({"tools": [
            {"name": "cat", "parameters": parameters, "command": ["cat"], "stdin": "-{text}-"},
            {"name": "echo", "parameters": parameters, "command": ["echo", "{text}"]},
            {"name": "path", "parameters": parameters, "command": ["cat"], "stdin": "{text}",
             "output": {"path": "$.a[1]", "schema": {"type": "integer"}}},
            {"name": "exit", "parameters": parameters, "command": ["python3", "-c", code, "{code}"],
             "retry_on_exit": [75]},
            {"name": "fail", "parameters": parameters, "command": ["python3", "-c", code, "{code}"],
             "fail_on_exit": [2]},
        ]}, {
            "cat": ("cat", {"text": "--help\n"}), "none": ("cat", {}),
            "path": ("path", {"text": '{"a": [1, 2]}'}),
            "wrong": ("path", {"text": '{"a": [1, "2"]}'}),
            "retried": ("exit", {"code": 75}), "given_up": ("exit", {"code": 1}),
            "failed": ("fail", {"code": 2}), "other": ("fail", {"code": 3}),
            "long": ("cat", {"text": large}), "too_long": ("echo", {"text": "x${long}"}),
        })
        outputs = {name: node.get("output") for name, node in nodes.items()}
        self.assertEqual(outputs["cat"], "---help\n-")
        self.assertEqual(outputs["none"], "--")
        self.assertEqual(outputs["path"], 2)
        self.assertEqual(nodes["wrong"]["error"]["code"], "bad_output")
        retryable = {name: nodes[name]["error"]["retryable"]
                     for name in ["retried", "given_up", "failed", "other"]}
        self.assertEqual(retryable,
                         {"retried": True, "given_up": False, "failed": False, "other": True})
        self.assertIn('stdin: "{name}"', nodes["too_long"]["error"]["message"])


if __name__ == "__main__":
    unittest.main()
