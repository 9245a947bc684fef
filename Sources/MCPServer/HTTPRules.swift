// What a request over HTTP must be like before its message counts: where it comes from, who sent it,
// and that its header lines agree with the message. Not here: connections, sessions.
internal import Core
package import HTTPRequests
internal import JSON
package import MCP
internal import Wire

extension HTTPRequestHead {
    /// The session of the legacy era.
    package var sessionID: String? { values("mcp-session-id").first }

    /// Whether the client reads streams of events.
    package var acceptsStream: Bool {
        let accepted = values("accept").joined(separator: ",").lowercased()
        return accepted.isEmpty || accepted.contains("text/event-stream")
            || accepted.contains("*/*")
    }
}

/// A refused request.
package struct HTTPRefusal: Error, Sendable, Equatable {
    /// The status of the response.
    package var status: Int
    /// Why, and what to do.
    package var error: JSONRPCError
    /// A further header line of the response.
    package var header: Header?

    /// A header line.
    package struct Header: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    /// Refuses with an error.
    package init(status: Int, _ error: JSONRPCError, header: Header? = nil) {
        self.status = status
        self.error = error
        self.header = header
    }

    /// Refuses for a reason in words.
    package init(status: Int, message: String, header: Header? = nil) {
        self.init(status: status, JSONRPCError(.invalidRequest, message), header: header)
    }
}

/// The rules for requests over HTTP.
package struct HTTPRules: Sendable {
    private let site: HTTPSite
    /// What clients must know; nil for nothing.
    private let token: String?

    /// The path of the endpoint.
    package static let path = "/mcp"

    /// Rules for a loopback address, other names that lead to it, and a token.
    package init(otherHosts: [String] = [], token: String?) {
        site = HTTPSite(otherHosts: otherHosts)
        self.token = token
    }

    /// Checks where a request comes from and who sent it.
    package func check(_ head: HTTPRequestHead) throws(HTTPRefusal) {
        do throws(HTTPSite.Problem) {
            try site.check(head)
        } catch {
            let line =
                error == .foreignHost ? "Host is not one of this server" : "Origin is not allowed"
            throw HTTPRefusal(status: 403, message: "The \(line); see --allow-host.")
        }
        guard head.path == Self.path else {
            throw HTTPRefusal(status: 404, message: "The endpoint is \(Self.path).")
        }
        guard head.method == "POST" || head.method == "DELETE" else {
            throw HTTPRefusal(
                status: 405,
                message: "The endpoint takes POST.",
                header: HTTPRefusal.Header(name: "Allow", value: "POST, DELETE")
            )
        }
        guard isAuthorized(head) else {
            throw HTTPRefusal(
                status: 401,
                message:
                    "The request lacks the header line Authorization: Bearer TOKEN with the token of "
                    + "this server; the file with it is named where it was started.",
                header: HTTPRefusal.Header(name: "WWW-Authenticate", value: "Bearer")
            )
        }
        guard head.method == "POST" else { return }
        let type = head.values("content-type").first?.lowercased() ?? ""
        guard type.hasPrefix("application/json") else {
            throw HTTPRefusal(status: 415, message: "The body must be application/json.")
        }
    }

    private func isAuthorized(_ head: HTTPRequestHead) -> Bool {
        guard let token else { return true }
        guard let given = head.bearer else { return false }
        return constantTimeEqual(Array(given.utf8), Array(token.utf8))
    }

    // MARK: - Header lines and message

    /// The era of a message; header lines that disagree with it are refused.
    package static func era(
        of message: JSONRPCMessage,
        _ head: HTTPRequestHead
    ) throws(HTTPRefusal) -> MCPEra {
        let versions = head.values("mcp-protocol-version")
        guard versions.count <= 1 else { throw mismatch("There are two MCP-Protocol-Version.") }
        let version = versions.first
        guard case .request(_, let method, let params) = message else {
            return version.map(MCPVersion.legacy.contains) ?? true ? .legacy : .modern
        }
        let path: [JSONPathStep] = [
            .key("_meta"), .key(MCPKey.protocolVersion.description),
        ]
        guard let written = params?.value(at: path)?.stringValue else {
            return try eraWithoutMeta(version)
        }
        guard version == written else {
            throw mismatch(
                "MCP-Protocol-Version is \(version ?? "missing"), but _meta says \(written)."
            )
        }
        try demand("Mcp-Method", method, head)
        if method == MCPMethod.callTool {
            try demand("Mcp-Name", params?.value(at: [.key("name")])?.stringValue ?? "", head)
        } else if [MCPMethod.getTask, MCPMethod.cancelTask, MCPMethod.updateTask].contains(method),
            !head.values("mcp-name").isEmpty
        {
            try demand("Mcp-Name", params?.value(at: [.key("taskId")])?.stringValue ?? "", head)
        }
        return .modern
    }

    private static func eraWithoutMeta(_ version: String?) throws(HTTPRefusal) -> MCPEra {
        guard let version, !MCPVersion.legacy.contains(version) else { return .legacy }
        guard version == MCPVersion.modern else {
            throw HTTPRefusal(status: 400, Request.unsupported(version))
        }
        throw HTTPRefusal(
            status: 400,
            JSONRPCError(.invalidParams, "params._meta lacks \(MCPKey.protocolVersion).")
        )
    }

    private static func demand(
        _ name: String,
        _ value: String,
        _ head: HTTPRequestHead
    ) throws(HTTPRefusal) {
        let values = head.values(name.lowercased())
        guard values.count == 1, decoded(values[0]) == value else {
            throw mismatch("\(name) must be there once and agree with the message.")
        }
    }

    /// A value as it was before it became one of a header line; nil if it cannot be read.
    private static func decoded(_ value: String) -> String? {
        let (prefix, suffix) = ("=?base64?", "?=")
        guard value.hasPrefix(prefix), value.hasSuffix(suffix) else { return value }
        let text = Array(value.dropFirst(prefix.count).dropLast(suffix.count).utf8)
        return Base64.decode(text).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func mismatch(_ message: String) -> HTTPRefusal {
        HTTPRefusal(status: 400, JSONRPCError(.headerMismatch, message))
    }

    /// The status of a response with a message of the modern era.
    package static func status(of message: JSONRPCMessage) -> Int {
        guard case .error(_, let error) = message else { return 200 }
        switch JSONRPCError.Code(rawValue: error.code) {
        case .methodNotFound: return 404
        case .internalError, nil: return 200
        default: return 400
        }
    }
}
