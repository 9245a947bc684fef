// The data of events about nodes and attempts.
package import Core
package import JSON

/// A worker has a node, or runs it.
package struct PlacedNode: Sendable, Equatable {
    /// The tool that it calls; nil from coordinators of earlier versions.
    package var tool: String?

    /// Makes the document of its fields.
    package init(tool: String?) {
        self.tool = tool
    }
}

/// An attempt failed, and another one follows.
package struct Retry: Sendable, Equatable {
    /// Why it failed.
    package var code: FailureCode
    /// The same in a sentence for people.
    package var message: String
    /// The pause before the next attempt, in milliseconds.
    package var afterMilliseconds: Int

    /// Makes the document of its fields.
    package init(code: FailureCode, message: String, afterMilliseconds: Int) {
        self.code = code
        self.message = message
        self.afterMilliseconds = afterMilliseconds
    }
}

/// No connected worker can run a node.
package struct MissingTool: Sendable, Equatable {
    /// The tool that it calls.
    package var tool: String
    /// Why, in a sentence for people.
    package var message: String

    /// Makes the document of its fields.
    package init(tool: String, message: String) {
        self.tool = tool
        self.message = message
    }
}

/// A node has its output.
package struct NodeSuccess: Sendable, Equatable {
    /// How long its tool ran, in microseconds.
    package var run: Int
    /// Whether its output was taken over from the run that its own one retries.
    package var isTakenOver: Bool

    /// Makes the document of its fields.
    package init(run: Int, isTakenOver: Bool = false) {
        self.run = run
        self.isTakenOver = isTakenOver
    }
}

/// A node will not run.
package struct SkippedNode: Sendable, Equatable {
    /// The node that failed.
    package var because: NodeID

    /// Makes the document of its fields.
    package init(because: NodeID) {
        self.because = because
    }
}

/// How far an attempt is, as its tool says.
package struct AttemptProgress: Sendable, Equatable {
    /// How much is done, from 0 to 1.
    package var fraction: Double?
    /// What it does, in words for people.
    package var note: String?

    /// Makes the document of its fields.
    package init(fraction: Double? = nil, note: String? = nil) {
        self.fraction = fraction
        self.note = note
    }
}

/// What a tool wrote while it ran.
package struct ToolOutput: Sendable, Equatable {
    /// Where it wrote: `stdout` or `stderr`.
    package var stream: ChunkStream
    /// The bytes; a character may be split between two events.
    package var bytes: ArraySlice<UInt8>

    /// Makes the document of its fields.
    package init(stream: ChunkStream, bytes: ArraySlice<UInt8>) {
        self.stream = stream
        self.bytes = bytes
    }
}

extension PlacedNode: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        tool = try fields.optionalString("tool")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("tool", tool)
    }
}

extension Retry: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        code = FailureCode(rawValue: try fields.string("code"))
        message = try fields.string("message")
        afterMilliseconds = try fields.integer("after_ms")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("code", code.rawValue)
        writer.field("message", message)
        writer.field("after_ms", afterMilliseconds)
    }
}

extension MissingTool: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        tool = try fields.string("tool")
        message = try fields.string("message")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("tool", tool)
        writer.field("message", message)
    }
}

extension NodeSuccess: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        run = try fields.microseconds("run_ms")
        isTakenOver = try fields.flag("taken_over")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("run_ms", microseconds: run)
        writer.flag("taken_over", isTakenOver)
    }
}

extension SkippedNode: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        because = try fields.node("because")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("because", because.text)
    }
}

extension AttemptProgress: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        fraction = try fields.optionalFraction("fraction")
        note = try fields.optionalString("note")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("fraction", fraction)
        writer.field("note", note)
    }
}

extension ToolOutput: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        stream = try fields.choice("stream")
        if fields.present("text") != nil {
            bytes = try fields.stringBytes("text")
        } else {
            guard let decoded = Base64.decode(Array(try fields.stringBytes("base64"))) else {
                throw fields.bad("base64", "must be base64 with padding")
            }
            bytes = decoded[...]
        }
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("stream", stream.rawValue)
        if isValidUTF8(bytes) {
            writer.key("text")
            writer.string(utf8: bytes)
        } else {
            writer.key("base64")
            writer.string(utf8: Base64.encode(Array(bytes))[...])
        }
    }
}
