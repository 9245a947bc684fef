// How a node ends.

public import Core
public import JSON

/// The final value of a node.
///
/// Every node of a finished run has exactly one.
public enum Outcome: Sendable, Hashable {
    /// The tool's output.
    case succeeded(RawJSON)
    /// The last attempt failed, or the node could not run at all.
    indirect case failed(Failure)
    /// A node it depends on, directly or not, did not succeed; the id is that of the node that
    /// failed.
    case skipped(because: NodeID)
    /// The run was cancelled before the node had ended.
    case cancelled

    /// The output, if there is one.
    public var output: RawJSON? {
        if case .succeeded(let output) = self { output } else { nil }
    }

    /// Why a node has no output; nil on success.
    public var failure: Failure? {
        switch self {
        case .succeeded:
            nil
        case .failed(let failure):
            failure
        case .skipped(let id):
            Failure(code: .skipped, message: "skipped because \(id) failed")
        case .cancelled:
            Failure(code: .cancelled, message: "cancelled")
        }
    }
}

extension RawJSON {
    /// Why the value cannot be an output, or nil: it nests too deep for the messages that contain
    /// it.
    public var depthFailure: Failure? {
        // So few bytes cannot nest too deep, and a scalar does not nest.
        guard count > 2 * JSONLimits.payloadDepth, kind == .object || kind == .array,
            depth > JSONLimits.payloadDepth
        else { return nil }
        return Failure(
            code: .badOutput,
            message: "the output nests deeper than the \(JSONLimits.payloadDepth) levels allowed"
        )
    }
}
