// A log for a terminal: names and reasons of peers are in it, which must not command the terminal.
package import Logging

/// Passes on what is logged, with everything a terminal would obey made visible.
package struct HarmlessLogHandler: LogHandler {
    private var inner: StreamLogHandler

    package init(label: String) { inner = StreamLogHandler.standardError(label: label) }

    package var metadata: Logger.Metadata {
        get { inner.metadata }
        set { inner.metadata = newValue }
    }

    package var logLevel: Logger.Level {
        get { inner.logLevel }
        set { inner.logLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { inner[metadataKey: key] }
        set { inner[metadataKey: key] = newValue }
    }

    package func log(event: LogEvent) {
        var event = event
        event.message = "\(Text.printable(event.message.description))"
        event.metadata = event.metadata?.mapValues { "\(Text.printable("\($0)"))" }
        inner.log(event: event)
    }
}
