// Where a coordinator sends the traces of its runs.
internal import ArgumentParser
internal import Console
internal import FoundationEssentials
internal import Telemetry

struct TraceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Send traces of runs to a collector of OpenTelemetry, such as http://127.0.0.1:4318 "
                + "(default: OTEL_EXPORTER_OTLP_ENDPOINT, else none).",
            valueName: "url"
        )
    )
    var otlp: String?

    @Option(
        help: ArgumentHelp(
            "How they are written: http/protobuf or http/json (default: "
                + "OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf).",
            valueName: "protocol"
        )
    )
    var otlpProtocol: TraceEncoding?

    @Flag(help: "Put arguments, outputs and messages of failures into the traces, too.")
    var otlpContent = false

    func validate() throws {
        do throws(TraceSettingsError) {
            _ = try settings()
        } catch {
            throw ValidationError(error.description)
        }
    }

    /// The settings; nil if traces are not sent.
    func settings() throws(TraceSettingsError) -> TraceSettings? {
        try TraceSettings(
            endpoint: otlp,
            encoding: otlpProtocol.flatMap { TraceSettings.Encoding(rawValue: $0.rawValue) },
            hasContent: otlpContent,
            environment: ProcessInfo.processInfo.environment
        )
    }
}

/// How traces are written, as it is named on the command line.
enum TraceEncoding: String, CaseIterable, ExpressibleByArgument {
    case protobuf = "http/protobuf"
    case json = "http/json"
}
