// Spans as OpenTelemetry has them, apart from how they are written. What the spans of a run are is in
// RunSpans.swift.

/// A piece of work in a trace.
public struct Span: Sendable, Equatable {
    /// On which side of a call the work is.
    public enum Kind: Int, Sendable {
        /// Within one side.
        case `internal` = 1
        /// On the side of the one who calls.
        case client = 3
    }

    /// The trace, 32 hexadecimal digits.
    public var trace: String
    /// The span, 16 hexadecimal digits.
    public var id: String
    /// The span that it is part of; nil for the outermost one.
    public var parent: String?
    /// What is done, with few different values.
    public var name: String
    /// On which side of a call it is.
    public var kind: Kind
    /// When it began and ended, in nanoseconds of Unix time.
    public var start: Int
    /// When it ended.
    public var end: Int
    /// What is known of it.
    public var attributes: [Attribute] = []
    /// The spans of the same trace whose results it needed.
    public var links: [String] = []
    /// Whether it failed.
    public var isFailed = false
    /// Why, for people; empty if that is not to be told.
    public var message = ""

    /// A named value.
    public struct Attribute: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Its value.
        public var value: Value

        /// Names a value.
        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// The value of an attribute.
    public enum Value: Sendable, Equatable {
        /// Text.
        case text(String)
        /// A whole number.
        case number(Int)
        /// A fraction.
        case fraction(Double)
    }

    mutating func add(_ name: String, _ value: String?) {
        if let value { attributes.append(Attribute(name, .text(value))) }
    }

    mutating func add(_ name: String, _ value: Int?) {
        if let value { attributes.append(Attribute(name, .number(value))) }
    }
}

/// Spans to send, with what sends them.
public struct SpanBatch: Sendable {
    /// What is said of the process, such as its name.
    public var resource: [Span.Attribute]
    /// The version of the software.
    public var version: String
    /// The spans.
    public var spans: [Span]

    /// The name under which the spans are made.
    static let scope = "weftline"

    /// Collects spans.
    public init(resource: [Span.Attribute], version: String, spans: [Span]) {
        self.resource = resource
        self.version = version
        self.spans = spans
    }
}
