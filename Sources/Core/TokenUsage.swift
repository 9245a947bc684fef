// The tokens used by language models.

/// Tokens that a call has used.
public struct TokenUsage: Sendable, Hashable {
    /// Tokens of the request.
    public var input: Int
    /// Tokens of the reply.
    public var output: Int

    /// A usage of these counts.
    public init(input: Int = 0, output: Int = 0) {
        self.input = input
        self.output = output
    }

    /// The sum; beyond the range of `Int` it stays at the maximum.
    public var total: Int { saturatingSum(input, output) }

    /// The usage of two calls together.
    public static func + (left: TokenUsage, right: TokenUsage) -> TokenUsage {
        TokenUsage(
            input: saturatingSum(left.input, right.input),
            output: saturatingSum(left.output, right.output)
        )
    }

    /// Adds the usage of another call.
    public static func += (left: inout TokenUsage, right: TokenUsage) {
        left = left + right
    }
}

/// Counts come from a peer, so their sum must not trap.
private func saturatingSum(_ left: Int, _ right: Int) -> Int {
    let (sum, overflows) = left.addingReportingOverflow(right)
    if !overflows { return sum }
    return left < 0 ? .min : .max
}
