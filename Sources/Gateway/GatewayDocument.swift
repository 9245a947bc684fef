// Answers of the coordinator as bodies of responses. Not here: asking for them.
package import JSON
package import Wire

/// The body of a response with an answer.
package enum GatewayDocument {
    /// The answer as an object: a list is its field of the question's name, and the position of the
    /// next page is the field `next`.
    ///
    /// The answer of a run stays as it is.
    package static func body(_ what: GetKind, _ data: RawJSON, next: Int?) -> RawJSON {
        guard what != .answer else { return data }
        if data.kind == .array {
            return .object { writer in
                writer.key(escaping: what.rawValue)
                writer.raw(data)
                writer.field("next", next)
            }
        }
        // A page of nodes says by itself what is next.
        guard let next, what != .nodes, data.kind == .object else { return data }
        return .object { writer in
            data.forEachField { name, value in
                writer.key(escaping: name)
                writer.raw(value)
            }
            writer.field("next", next)
        }
    }
}
