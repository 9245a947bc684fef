// Refused requests: the status, and the error as JSON. Not here: when something is refused.
package import JSON
package import Wire

/// Why a request is refused.
package struct GatewayError: Error, Sendable, Equatable {
    /// The status of the response.
    package var status: Int
    /// A stable code.
    package var code: String
    /// Why, and what to do, in a sentence.
    package var message: String
    /// What is wrong with a plan, a JSON list; nil if it is about something else.
    package var problems: RawJSON?
    /// A further header line of the response.
    package var header: Header?

    /// A header line.
    package struct Header: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    /// Refuses a request.
    package init(_ status: Int, _ code: String, _ message: String, header: Header? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.header = header
    }

    /// Refuses as the coordinator does.
    package init(_ code: ErrorCode, _ message: String) {
        let status =
            switch code {
            case .unknownRun, .unknownNode, .unknownWorker, .unknownPlan: 404
            case .badJSON, .badMessage, .badPlan: 400
            case .conflict: 409
            case .limit, .lineTooLong: 413
            case .forbidden: 403
            case .authFailed: 401
            case .busy, .shuttingDown, .notLeader: 503
            default: 502
            }
        self.init(status, code.rawValue, message)
    }

    /// Nothing is at that path.
    package static func notFound(_ path: String) -> GatewayError {
        GatewayError(404, "not_found", "Nothing is at \(path); see /v1/openapi.json.")
    }

    static func badRequest(_ message: String) -> GatewayError {
        GatewayError(400, "bad_request", message)
    }

    /// The request does not prove who asks.
    package static let unauthorized = GatewayError(
        401,
        "unauthorized",
        "The request lacks Authorization: Bearer TOKEN with a token that is good; get one by weft "
            + "dashboard.",
        header: Header(name: "WWW-Authenticate", value: "Bearer")
    )

    /// The body of the response: `{"error":{"code","message","problems"?}}`.
    package var body: [UInt8] {
        Array(
            RawJSON.object { writer in
                writer.key("error")
                writer.beginObject()
                writer.field("code", code)
                writer.field("message", message)
                writer.field("problems", problems)
                writer.endObject()
            }
            .bytes
        )
    }
}
