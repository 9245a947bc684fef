// Messages of JSON-RPC 2.0 as MCP uses it: read from and written to single lines. Not here: which
// methods there are, and what their parameters mean.
public import JSON

/// One message of JSON-RPC 2.0; MCP has no batches.
public enum JSONRPCMessage: Sendable, Equatable {
    /// Asks for a response with the same id, which is a string or a number.
    case request(id: RawJSON, method: String, params: RawJSON?)
    /// Asks for nothing.
    case notification(method: String, params: RawJSON?)
    /// The response of a request that succeeded.
    case result(id: RawJSON, RawJSON)
    /// The response of a request that failed; without an id if the request could not be read.
    case error(id: RawJSON?, JSONRPCError)

    /// Reads one message.
    ///
    /// - Throws: `parseError` for text that is not a JSON object, `invalidRequest` for an object
    ///   that is not a message.
    public init(parsing line: ArraySlice<UInt8>) throws(JSONRPCError) {
        let fields: JSONFields
        do {
            fields = try JSONFields(parsing: line)
        } catch {
            throw JSONRPCError(.parseError, "The message is not a JSON object. \(error)")
        }
        guard fields["jsonrpc"]?.stringValue == "2.0" else {
            throw JSONRPCError(.invalidRequest, "The message lacks \"jsonrpc\":\"2.0\".")
        }
        let id = fields["id"]
        if let id, id.kind != .string, id.kind != .number, id.kind != .null {
            throw JSONRPCError(.invalidRequest, "The id must be a string or a number.")
        }
        if let method = fields["method"] {
            guard let method = method.stringValue else {
                throw JSONRPCError(.invalidRequest, "The method must be a string.")
            }
            let params = fields["params"]
            guard let id else {
                self = .notification(method: method, params: params)
                return
            }
            guard id.kind != .null else {
                throw JSONRPCError(.invalidRequest, "The id of a request must not be null.")
            }
            self = .request(id: id, method: method, params: params)
        } else if let error = fields["error"] {
            self = .error(id: id?.kind == .null ? nil : id, JSONRPCError(error))
        } else if let result = fields["result"], let id, id.kind != .null {
            self = .result(id: id, result)
        } else {
            throw JSONRPCError(
                .invalidRequest,
                "The message has neither a method nor a result nor an error."
            )
        }
    }

    /// The message as one line without its line feed.
    public var bytes: [UInt8] {
        var writer = JSONWriter(reserving: 256)
        write(into: &writer)
        return writer.bytes
    }

    /// Writes the message as a JSON object.
    public func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("jsonrpc", "2.0")
        switch self {
        case .request(let id, let method, let params):
            writer.field("id", id)
            writer.field("method", method)
            writer.field("params", params)
        case .notification(let method, let params):
            writer.field("method", method)
            writer.field("params", params)
        case .result(let id, let result):
            writer.field("id", id)
            writer.field("result", result)
        case .error(let id, let error):
            writer.field("id", id ?? .null)
            writer.key("error")
            error.write(into: &writer)
        }
        writer.endObject()
    }
}

extension RawJSON {
    /// The number of a request whose response has this id.
    ///
    /// Some servers make a text or a fraction of the numbers that they get.
    public var requestNumber: Int? {
        intValue ?? doubleValue.flatMap { Int(exactly: $0) } ?? stringValue.flatMap { Int($0) }
    }
}

/// The error of a request.
public struct JSONRPCError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A code of JSON-RPC, of MCP (``Code``) or of the peer's own.
    public var code: Int
    /// What is wrong, in a sentence.
    public var message: String
    /// More about it, for programs.
    public var data: RawJSON?

    /// Codes that JSON-RPC and MCP define.
    public enum Code: Int, Sendable {
        /// The text is not JSON.
        case parseError = -32700
        /// The JSON is not a request.
        case invalidRequest = -32600
        /// There is no such method.
        case methodNotFound = -32601
        /// The parameters do not fit; also the usual answer for an unknown tool or task.
        case invalidParams = -32602
        /// The receiver failed.
        case internalError = -32603
        /// HTTP headers and body differ (2026-07-28).
        case headerMismatch = -32020
        /// The request needs a capability that the client did not declare (2026-07-28).
        case missingRequiredClientCapability = -32021
        /// The version of a request is not supported; the data say which are (2026-07-28).
        case unsupportedProtocolVersion = -32022
    }

    /// Makes an error with a code that is defined.
    public init(_ code: Code, _ message: String, data: RawJSON? = nil) {
        self.init(code: code.rawValue, message: message, data: data)
    }

    /// Makes an error with any code.
    public init(code: Int, message: String, data: RawJSON? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    /// Reads the error of a response; a peer's mistakes in it are tolerated.
    init(_ raw: RawJSON) {
        let message = raw.value(at: [.key("message")])?.stringValue
        self.init(
            code: raw.value(at: [.key("code")])?.intValue ?? 0,
            message: message ?? String(raw.text.prefix(500)),
            data: raw.value(at: [.key("data")])
        )
    }

    func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("code", code)
        writer.field("message", message)
        writer.field("data", data)
        writer.endObject()
    }

    /// The message with the code.
    public var description: String { "\(message) (\(code))" }
}
