// Orders: what a body says becomes the message of the protocol that does it, with the same rules for
// its fields. Not here: who may give orders.
package import Core
internal import JSON
package import Wire

/// Something that is to be done.
package enum GatewayOrder: Sendable, Equatable {
    /// Run a plan or a goal.
    case submit
    /// End a run.
    case cancel(RunID)
    /// Do a run again.
    case retry(RunID)
    /// Approve or deny nodes of a run.
    case approve(RunID)
    /// Take a worker out of service.
    case drain(String)

    /// The message that gives the order.
    ///
    /// - Parameters:
    ///   - body: The body of the request, an object or nothing.
    ///   - key: A fresh key, for a submission that has none.
    /// - Returns: What a client would send.
    /// - Throws: `GatewayError` if the body is not right.
    package func message(body: [UInt8], key: String) throws(GatewayError) -> Message {
        let given = try fields(of: body)
        var writer = JSONWriter(reserving: body.count + 128)
        writer.beginObject()
        var rest = given
        switch self {
        case .submit:
            writer.field("type", MessageKind.submit.rawValue)
            if !given.contains(where: { $0.name == "key" }) { writer.field("key", key) }
        case .cancel(let run):
            writer.field("type", MessageKind.cancelRun.rawValue)
            writer.field("run", run.text)
        case .retry(let run):
            writer.field("type", MessageKind.submit.rawValue)
            if !given.contains(where: { $0.name == "key" }) { writer.field("key", key) }
            writer.key("retry")
            writer.beginObject()
            writer.field("run", run.text)
            if let nodes = given.first(where: { $0.name == "nodes" })?.value {
                writer.field("nodes", nodes)
            }
            writer.endObject()
            rest.removeAll { $0.name == "nodes" }
        case .approve(let run):
            writer.field("type", MessageKind.approve.rawValue)
            writer.field("run", run.text)
        case .drain(let worker):
            writer.field("type", MessageKind.drain.rawValue)
            writer.field("worker", worker)
        }
        for (name, value) in rest {
            writer.key(escaping: name)
            writer.raw(value)
        }
        writer.endObject()
        do throws(WireError) {
            return try Message(decoding: writer.bytes[...])
        } catch {
            throw GatewayError(error.code, "The body is not right: \(error.message)")
        }
    }

    /// The fields that the path or this interface decides.
    private var decided: [String] {
        switch self {
        case .submit: ["type", "stream", "watch", "retry"]
        case .cancel, .approve: ["type", "run"]
        case .retry: ["type", "stream", "watch", "retry"]
        case .drain: ["type", "worker"]
        }
    }

    private func fields(
        of body: [UInt8]
    ) throws(GatewayError) -> [(name: String, value: RawJSON)] {
        guard !body.isEmpty else { return [] }
        let raw: RawJSON
        do throws(JSONError) {
            raw = try RawJSON(validating: body[...])
        } catch {
            throw GatewayError(.badJSON, "The body is no JSON: \(error).")
        }
        guard raw.kind == .object else { throw .badRequest("The body must be a JSON object.") }
        var fields: [(name: String, value: RawJSON)] = []
        raw.forEachField { fields.append(($0, $1)) }
        if let name = fields.lazy.map(\.name).first(where: decided.contains) {
            throw .badRequest("The body must not have the field \(name).")
        }
        return fields
    }
}
