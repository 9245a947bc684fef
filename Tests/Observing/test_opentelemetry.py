"""Traces as OpenTelemetry's own classes for OTLP/JSON read them."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Conformance"))

import test_otlp  # noqa: E402

try:
    from opentelemetry.proto_json.collector.trace.v1.trace_service import (
        ExportTraceServiceRequest)
except ImportError:
    ExportTraceServiceRequest = None


@unittest.skipUnless(ExportTraceServiceRequest, "opentelemetry-proto-json is not there")
class OpenTelemetryTest(test_otlp.TracesTest):
    """The tests of traces with JSON; each body is read as OpenTelemetry reads it, too."""

    def start(self, *options, **fields):
        super().start(*options, "--otlp-protocol", "http/json", **fields)
        self.addCleanup(self.check_bodies)

    def check_bodies(self):
        for _, headers, body in self.collector.requests:
            self.assertEqual(headers["Content-Type"], "application/json")
            request = ExportTraceServiceRequest.from_json(body.decode())
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.assertEqual((len(span.trace_id), len(span.span_id)), (16, 8))
                        self.assertGreater(span.end_time_unix_nano, span.start_time_unix_nano - 1)
                        # Names that the class does not know are left out by it, and so differ.
                        self.assertTrue(span.name and span.attributes)
            self.assertEqual(self.collector.document(headers, body), request.to_dict())


if __name__ == "__main__":
    unittest.main()
