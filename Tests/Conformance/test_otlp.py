"""Traces for a collector of OpenTelemetry: what is sent, in both encodings, and that it is never
waited for."""

import http.server
import json
import pathlib
import struct
import tempfile
import threading
import time
import unittest

from peer import PATIENCE, Coordinator
from test_coordinator import CoordinatorTest, plan
from test_metrics import fetch, parse

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "what-the-tool-got-and-gave"


# The parts of opentelemetry-proto that are sent: of each message its fields by number, with a name
# as in JSON and a type, which is another message, or a function of the bytes or the number.
def hexadecimal(value):
    return value.hex()


def text(value):
    return value.decode()


def long(value):
    return str(value)


def double(value):
    return struct.unpack("<d", struct.pack("<Q", value))[0]


ANY = {1: ("stringValue", text), 3: ("intValue", long), 4: ("doubleValue", double)}
PAIR = {1: ("key", text), 2: ("value", ANY)}
LINK = {1: ("traceId", hexadecimal), 2: ("spanId", hexadecimal)}
STATUS = {2: ("message", text), 3: ("code", int)}
SPAN = {1: ("traceId", hexadecimal), 2: ("spanId", hexadecimal), 4: ("parentSpanId", hexadecimal),
        5: ("name", text), 6: ("kind", int), 7: ("startTimeUnixNano", long),
        8: ("endTimeUnixNano", long), 9: ("attributes", [PAIR]), 13: ("links", [LINK]),
        15: ("status", STATUS)}
SCOPE = {1: ("scope", {1: ("name", text), 2: ("version", text)}), 2: ("spans", [SPAN])}
REQUEST = {1: ("resourceSpans", [{1: ("resource", {1: ("attributes", [PAIR])}),
                                  2: ("scopeSpans", [SCOPE])}])}


def decode(data, message):
    """A message of Protocol Buffers as the JSON of it."""
    found, place = {}, 0

    def variable():
        nonlocal place
        value, shift = 0, 0
        while True:
            value |= (data[place] & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if not data[place - 1] & 0x80:
                return value

    while place < len(data):
        key = variable()
        name, kind = message[key >> 3]
        if key & 7 == 0:
            value = variable()
        elif key & 7 == 1:
            value, place = int.from_bytes(data[place:place + 8], "little"), place + 8
        else:
            assert key & 7 == 2
            length = variable()
            value, place = data[place:place + length], place + length
            assert len(value) == length
        of = kind[0] if isinstance(kind, list) else kind
        value = decode(value, of) if isinstance(of, dict) else of(value)
        if isinstance(kind, list):
            found.setdefault(name, []).append(value)
        else:
            assert name not in found
            found[name] = value
    return found


class Collector:
    """Takes requests and keeps them."""

    def __init__(self, status=200):
        self.requests = []
        # Cleared, it answers nobody.
        self.answers = threading.Event()
        self.answers.set()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append((self.path, self.headers, body))
                collector.answers.wait()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        self.answers.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @staticmethod
    def document(headers, body):
        is_json = headers["Content-Type"] == "application/json"
        assert is_json or headers["Content-Type"] == "application/x-protobuf"
        return json.loads(body) if is_json else decode(body, REQUEST)

    def spans(self, count):
        """So many spans, when they have come."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = []
            for _, headers, body in list(self.requests):
                for resource in self.document(headers, body)["resourceSpans"]:
                    assert attributes(resource["resource"])["service.name"] == "weft-coordinator"
                    for scope in resource["scopeSpans"]:
                        assert scope["scope"]["name"] == "weftline"
                        found += scope["spans"]
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} spans of {count}: {found}")
            time.sleep(0.05)


def attributes(one):
    return {pair["key"]: next(iter(pair["value"].values())) for pair in one.get("attributes", [])}


class TracesTest(CoordinatorTest):
    @classmethod
    def setUpClass(cls):
        """Each test has a coordinator of its own."""

    def setUp(self):
        """See `start`."""

    def start(self, *options, status=200, environment=None):
        self.collector = Collector(status)
        self.addCleanup(self.collector.close)
        self.coordinator = Coordinator("--otlp", self.collector.address, "--metrics",
                                       "127.0.0.1:0", *options)
        self.addCleanup(self.coordinator.stop)
        self.addCleanup(self.coordinator.hang_up)
        self.metrics = self.coordinator.process.wait_for(r"metrics at http://(\S+)/metrics")[1]

    def mixed(self, **fields):
        """A run: a succeeds the second time, b needs it and fails, c is skipped."""
        peer = self.client()
        worker = self.coordinator.worker(
            [{"name": "t", "idempotent": True, "max_attempts": 2}], slots=1)
        run = self.submit(peer, plan(("a", "t", {"x": SECRET}), ("b", "t", {"y": "${a}"}),
                                     ("c", "t", {}, ["b"])), watch="end", label="nightly", **fields)
        dispatches = []
        for is_ok, retryable in [(False, True), (True, False), (False, False)]:
            dispatches.append(worker.skip_to("dispatch"))
            end = {"ok": True, "output": SECRET} if is_ok else {
                "ok": False, "error": {"code": "tool_error", "message": SECRET,
                                       "retryable": retryable}}
            worker.send(type="result", attempt=dispatches[-1]["attempt"], duration_us=1_000, **end)
        self.end(peer, run)
        worker.close()
        return run, dispatches

    def check_mixed(self, run, dispatches, has_content):
        spans = self.collector.spans(4)
        self.assertEqual(len(spans), 4)
        root = next(span for span in spans if span["name"] == "invoke_workflow nightly")
        first, second, failed = sorted((span for span in spans if span is not root),
                                       key=lambda span: int(span["startTimeUnixNano"]))
        self.assertNotIn("parentSpanId", root)
        self.assertEqual(len({span["spanId"] for span in spans}), 4)
        for span in spans:
            self.assertEqual(span["traceId"], root["traceId"])
            self.assertRegex(span["spanId"], "^[0-9a-f]{16}$")
            start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
            self.assertLess(abs(start / 1e9 - time.time()), 60)
            self.assertLessEqual(int(root["startTimeUnixNano"]), start)
            self.assertLessEqual(start, end)
            self.assertLessEqual(end, int(root["endTimeUnixNano"]))
            self.assertEqual(span["kind"], 1)
        about = attributes(root)
        self.assertEqual(about["gen_ai.operation.name"], "invoke_workflow")
        self.assertEqual(about["gen_ai.workflow.name"], "nightly")
        self.assertEqual((about["weft.run.id"], about["error.type"]), (run, "node_failed"))
        self.assertEqual(root["status"]["code"], 2)
        for span, dispatch in zip((first, second, failed), dispatches, strict=True):
            self.assertEqual(span["name"], "execute_tool t")
            self.assertEqual(span["parentSpanId"], root["spanId"])
            # What the tool itself sends belongs to the span of its attempt.
            self.assertEqual(dispatch["traceparent"], f"00-{span['traceId']}-{span['spanId']}-01")
            about = attributes(span)
            self.assertEqual(about["gen_ai.operation.name"], "execute_tool")
            self.assertEqual(about["gen_ai.tool.name"], "t")
            self.assertEqual(about["gen_ai.tool.call.id"], dispatch["node"])
            self.assertEqual(about["weft.attempt.id"], dispatch["attempt"])
        self.assertEqual([attributes(span).get("error.type") for span in (first, second, failed)],
                         ["tool_error", None, "tool_error"])
        self.assertEqual([span.get("status", {}).get("code") for span in (first, second, failed)],
                         [2, None, 2])
        self.assertEqual([link["spanId"] for link in failed["links"]], [second["spanId"]])
        self.assertNotIn("links", first)
        bodies = b"".join(body for _, _, body in self.collector.requests)
        self.assertEqual(SECRET.encode() in bodies, has_content)
        if has_content:
            about = attributes(failed)
            self.assertEqual(json.loads(about["gen_ai.tool.call.arguments"]), {"y": SECRET})
            self.assertEqual(failed["status"]["message"], SECRET)
            self.assertEqual(json.loads(attributes(second)["gen_ai.tool.call.result"]), SECRET)

    def test_json(self):
        self.start("--otlp-protocol", "http/json")
        self.check_mixed(*self.mixed(), has_content=False)
        self.assertEqual({path for path, _, _ in self.collector.requests}, {"/v1/traces"})
        _, samples = parse(fetch(self.metrics)[1])
        self.assertEqual(samples["weft_spans_total", 'outcome="sent"'], 4)
        self.assertEqual(samples["weft_spans_total", 'outcome="dropped"'], 0)

    def test_protobuf_with_content(self):
        self.start("--otlp-content")
        self.check_mixed(*self.mixed(), has_content=True)

    def test_the_trace_of_a_client(self):
        self.start()
        self.mixed(traceparent=f"00-{TRACE}-00f067aa0ba902b7-00")
        run, dispatches = self.mixed(traceparent=f"00-{TRACE}-00f067aa0ba902b7-01", key="k2")
        spans = self.collector.spans(4)
        self.assertEqual(len(spans), 4, "a run is sent that the client does not record")
        self.assertEqual({span["traceId"] for span in spans}, {TRACE})
        root = next(span for span in spans if span["name"].startswith("invoke_workflow"))
        self.assertEqual(root["parentSpanId"], "00f067aa0ba902b7")
        self.assertEqual(attributes(root)["weft.run.id"], run)

    def test_plans_and_chats(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        recording = pathlib.Path(folder.name, "goal.jsonl")
        recording.write_text("\n".join(json.dumps(one) for one in [
            {"weft_recording": 1}, {"call": "planner"}, {"at_ms": 1, "delta": "1. t()\njoin()\n"},
            {"at_ms": 2, "usage": {"input": 30, "output": 7}}, {"at_ms": 3, "ended": "end"}]))
        config = pathlib.Path(folder.name, "weft.yaml")
        config.write_text("models: {planner: {api: recorded, file: goal.jsonl}}\n")
        self.start("--config", str(config), "--otlp-protocol", "http/json")
        worker = self.coordinator.worker(["t"])
        peer = self.client()
        peer.send(type="submit", key="g", goal="Call t.", join="concat", watch="end")
        run = peer.skip_to("accepted")["run"]
        worker.send(type="result", attempt=worker.skip_to("dispatch")["attempt"], ok=True, output=1)
        self.assertEqual(self.end(peer, run)[-1]["kind"], "run_succeeded")
        spans = {span["name"]: span for span in self.collector.spans(4)}
        self.assertEqual(set(spans), {"invoke_workflow", "plan", "chat recorded",
                                      "execute_tool t"})
        self.assertEqual(spans["plan"]["parentSpanId"], spans["invoke_workflow"]["spanId"])
        chat = spans["chat recorded"]
        self.assertEqual((chat["parentSpanId"], chat["kind"]), (spans["plan"]["spanId"], 3))
        about = attributes(chat)
        self.assertEqual(about["gen_ai.provider.name"], "recorded")
        self.assertEqual(about["gen_ai.request.model"], "recorded")
        self.assertEqual(about["gen_ai.usage.input_tokens"], "30")
        self.assertEqual(about["gen_ai.usage.output_tokens"], "7")
        _, samples = parse(fetch(self.metrics)[1])
        model = 'model="recorded",provider="recorded"'
        self.assertEqual(samples["weft_llm_tokens_total", f'{model},kind="input"'], 30)
        self.assertEqual(samples["weft_llm_calls_total", f'{model},outcome="succeeded"'], 1)

    def test_what_waits_at_the_end_is_sent(self):
        self.start()
        self.mixed()
        self.coordinator.process.terminate()
        self.assertEqual(self.coordinator.process.exit_code(), 0)
        self.assertEqual(len(self.collector.spans(4)), 4)

    def test_a_collector_without_an_answer_does_not_hold_up_the_end(self):
        self.start()
        self.collector.answers.clear()
        self.mixed()
        self.coordinator.process.terminate()
        begun = time.monotonic()
        self.assertEqual(self.coordinator.process.exit_code(), 0)
        # Of an answer it would wait for ten seconds.
        self.assertLess(time.monotonic() - begun, 9)

    def test_a_collector_that_is_not_there(self):
        """Runs go on, spans are counted as dropped, and the log says it once."""
        self.start()
        self.collector.close()
        self.mixed()
        self.mixed(key="k2")
        self.dropped(8)
        lines = [line for line in self.coordinator.process.log if "traces are not sent" in line]
        self.assertEqual(len(lines), 1)

    def test_a_collector_that_refuses(self):
        self.start(status=503)
        self.mixed()
        self.dropped(4)

    def dropped(self, count):
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = parse(fetch(self.metrics)[1])[1]["weft_spans_total", 'outcome="dropped"']
            if seen == count:
                return
            self.assertLess(time.monotonic(), deadline, f"{seen} spans are dropped, not {count}")
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
