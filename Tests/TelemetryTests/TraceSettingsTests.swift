// Where traces are sent: flags before variables, variables for traces before those for all.
import Telemetry
import Testing

@Suite("Settings of traces")
struct TraceSettingsTests {
    private func settings(
        _ endpoint: String? = nil,
        _ encoding: TraceSettings.Encoding? = nil,
        _ environment: [String: String] = [:]
    ) throws(TraceSettingsError) -> TraceSettings? {
        try TraceSettings(
            endpoint: endpoint,
            encoding: encoding,
            hasContent: false,
            environment: environment
        )
    }

    @Test("Without an address nothing is sent")
    func none() throws {
        #expect(try settings() == nil)
        #expect(try settings(nil, .json, ["OTEL_EXPORTER_OTLP_ENDPOINT": ""]) == nil)
    }

    @Test("The path is added to a base, not to the address of traces alone")
    func addresses() throws {
        #expect(try settings("http://h:4318")?.url == "http://h:4318/v1/traces")
        let base = ["OTEL_EXPORTER_OTLP_ENDPOINT": "https://h/otlp/"]
        #expect(try settings(nil, nil, base)?.url == "https://h/otlp/v1/traces")
        #expect(try settings("http://x", nil, base)?.url == "http://x/v1/traces")
        let both = base.merging(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/here"]) { $1 }
        #expect(try settings(nil, nil, both)?.url == "http://t/here")
    }

    @Test("The encoding is that of the flag, else of the variables, else Protocol Buffers")
    func encodings() throws {
        let environment = ["OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"]
        #expect(try settings("http://h")?.encoding == .protobuf)
        #expect(try settings("http://h", nil, environment)?.encoding == .json)
        #expect(try settings("http://h", .protobuf, environment)?.encoding == .protobuf)
    }

    @Test("Header lines are decoded, and cannot begin further lines")
    func headers() throws {
        let text = "api-key=a%20b%3D, x = y=z"
        let found = try settings("http://h", nil, ["OTEL_EXPORTER_OTLP_HEADERS": text])
        #expect(found?.headers.map(\.0) == ["api-key", "x"])
        #expect(found?.headers.map(\.1) == ["a b=", "y=z"])
        for bad in ["x", "x=%0a", "x=%4", "x=%zz"] {
            #expect(throws: TraceSettingsError.self) {
                try settings("http://h", nil, ["OTEL_EXPORTER_OTLP_HEADERS": bad])
            }
        }
    }

    @Test("What cannot be used is refused, and the sentence does not repeat a key")
    func refused() {
        for address in ["h:4318", "grpc://h:4317", "http://", ""] {
            #expect(throws: TraceSettingsError.self) { try settings(address) }
        }
        #expect(throws: TraceSettingsError.self) {
            try settings("http://h", nil, ["OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"])
        }
        do throws(TraceSettingsError) {
            _ = try settings("http://h", nil, ["OTEL_EXPORTER_OTLP_HEADERS": "secret"])
        } catch {
            #expect(!error.description.contains("secret"))
        }
    }
}
