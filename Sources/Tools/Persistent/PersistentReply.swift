// The reply lines of persistent tools: an output, or an error in the tool's own words.
internal import Core
internal import JSON
internal import Wire

/// Reads reply lines.
enum PersistentReply {
    /// The outcome in a line; throws `bad_output` when the line is not a reply to that call.
    static func read(
        _ line: ArraySlice<UInt8>,
        to number: Int,
        of tool: ManifestTool
    ) throws(Failure) -> Result<RawJSON, Failure> {
        let fields: JSONFields
        do {
            fields = try JSONFields(parsing: line)
        } catch {
            throw .badReply(tool, "printed a line that is not a reply (\(error))", line)
        }
        guard let id = fields["id"] else {
            throw .badReply(tool, "printed a reply without an id", line)
        }
        guard id.intValue == number else {
            throw .badReply(tool, "answered a different call, \(number)", line)
        }
        if let error = fields["error"], error.kind != .null {
            return .failure(failure(error, of: tool))
        }
        guard let output = fields["output"] else {
            throw .badReply(tool, "printed a reply with neither an output nor an error", line)
        }
        return .success(output)
    }

    private static func failure(_ error: RawJSON, of tool: ManifestTool) -> Failure {
        let message = error.stringValue ?? error.value(at: [.key("message")])?.stringValue
        let code = error.value(at: [.key("code")])?.stringValue
        return Failure(
            code: code.flatMap { FailureCode(toolReported: $0) } ?? .toolError,
            message: message ?? "\(tool.description.name) reported an error: \(error.text)",
            isRetryable: error.value(at: [.key("retryable")])?.boolValue ?? false
        )
    }
}

extension Failure {
    /// The failure of a process that broke the protocol; it is replaced, so another attempt may
    /// succeed.
    static func badReply(
        _ tool: ManifestTool,
        _ problem: String,
        _ line: ArraySlice<UInt8>
    ) -> Failure {
        var message = "\(tool.description.name) \(problem)."
        if !line.isEmpty {
            message += " It printed: \(String(decoding: line.prefix(200), as: UTF8.self))"
        }
        return Failure(code: .badOutput, message: message, isRetryable: true)
    }
}
