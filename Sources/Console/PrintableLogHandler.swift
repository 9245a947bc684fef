// A log for a terminal: it contains names and reasons sent by peers, which must not control the
// terminal.
package import Logging

/// Passes on log messages with control characters made visible.
package struct PrintableLogHandler: LogHandler {
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
