// A log for a terminal: names and reasons of peers are in it, which must not command the terminal.
internal import Logging

/// Passes on what is logged, with everything a terminal would obey made visible.
struct HarmlessLogHandler: LogHandler {
    private var inner: StreamLogHandler

    init(label: String) { inner = StreamLogHandler.standardError(label: label) }

    var metadata: Logger.Metadata {
        get { inner.metadata }
        set { inner.metadata = newValue }
    }

    var logLevel: Logger.Level {
        get { inner.logLevel }
        set { inner.logLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { inner[metadataKey: key] }
        set { inner[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) {
        var event = event
        event.message = "\(Text.printable(event.message.description))"
        event.metadata = event.metadata?.mapValues { "\(Text.printable("\($0)"))" }
        inner.log(event: event)
    }
}
