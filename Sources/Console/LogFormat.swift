// How a command that runs for long writes its log: lines for people, or one JSON object a line.
internal import ArgumentParser
internal import Glibc
internal import JSON
package import Logging
internal import UVLoop
internal import Wire

/// How the log is written.
package enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// A line for people, with its time.
    case text
    /// A JSON object, for programs.
    case json

    private static let used = Locked(LogFormat.text)

    /// The format of this process: that of its log, and of everything else on standard error.
    package static var current: LogFormat { used.withLock { $0 } }

    /// Writes this format from here on.
    package func use() { Self.used.withLock { $0 = self } }
}

/// A line of the log as a JSON object.
///
/// It has `time`, `level`, `component`, `message`, and a field for each thing that the line names,
/// such as `run`, `node` and `worker`, all of them text.
package struct JSONLogLine {
    private static let own: Set<String> = ["time", "level", "component", "message"]

    /// The line with its end.
    package static func written(
        _ message: String,
        level: String,
        component: String,
        fields: [(name: String, value: String)] = [],
        milliseconds: Int
    ) -> [UInt8] {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.field("time", UnixTime(milliseconds: milliseconds).text)
        writer.field("level", level)
        writer.field("component", component)
        writer.field("message", message)
        for field in fields {
            // No field comes twice.
            writer.key(escaping: own.contains(field.name) ? "\(field.name)_" : field.name)
            writer.string(field.value)
        }
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// Writes a line to standard error, with the time of now.
    package static func write(
        _ message: String,
        level: String,
        component: String,
        fields: [(name: String, value: String)] = []
    ) {
        let now = OwnTime.unixMilliseconds
        let line = written(
            message,
            level: level,
            component: component,
            fields: fields,
            milliseconds: now
        )
        Output.error.writeNow(line)
    }
}

private enum OwnTime {
    static var unixMilliseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }
}

/// Writes log messages as JSON.
package struct JSONLogHandler: LogHandler {
    private let component: String
    package var metadata: Logger.Metadata = [:]
    package var logLevel = Logger.Level.info

    package init(label: String) { component = label }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        JSONLogLine.write(
            event.message.description,
            level: event.level.rawValue,
            component: component,
            fields: all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        )
    }
}
