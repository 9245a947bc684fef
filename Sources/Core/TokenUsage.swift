// The tokens used by language models, and what they cost.

/// Tokens that calls have used.
public struct TokenUsage: Sendable, Hashable {
    /// Tokens of the requests.
    public var input: Int
    /// Tokens of the replies.
    public var output: Int
    /// What they cost, in the currency of the configured prices; nil without prices.
    public var cost: Double?

    /// A usage of these counts.
    public init(input: Int = 0, output: Int = 0, cost: Double? = nil) {
        self.input = input
        self.output = output
        self.cost = cost
    }

    /// The sum; beyond the range of `Int` it stays at the maximum.
    public var total: Int { saturatingSum(input, output) }

    /// The usage of two calls together; calls without a price add nothing to the cost.
    public static func + (left: TokenUsage, right: TokenUsage) -> TokenUsage {
        var cost = left.cost ?? right.cost
        if let first = left.cost, let second = right.cost { cost = first + second }
        return TokenUsage(
            input: saturatingSum(left.input, right.input),
            output: saturatingSum(left.output, right.output),
            cost: cost
        )
    }

    /// Adds the usage of another call.
    public static func += (left: inout TokenUsage, right: TokenUsage) {
        left = left + right
    }

    /// The same tokens at these prices; without a cost if there are none.
    public func charged(at prices: TokenPrices?) -> TokenUsage {
        TokenUsage(input: input, output: output, cost: prices?.cost(of: self))
    }
}

/// What a model's tokens cost, for a million of them, in a currency of the user's choice.
public struct TokenPrices: Sendable, Hashable {
    /// Of a request; 0 or more.
    public var input: Double
    /// Of a reply; 0 or more.
    public var output: Double

    /// Prices for a million tokens.
    public init(input: Double, output: Double) {
        self.input = input
        self.output = output
    }

    func cost(of usage: TokenUsage) -> Double {
        (Double(usage.input) * input + Double(usage.output) * output) / 1_000_000
    }

    /// The higher of both prices, for each kind of token.
    public func highest(with other: TokenPrices) -> TokenPrices {
        TokenPrices(input: max(input, other.input), output: max(output, other.output))
    }
}

/// Counts come from a peer, so their sum must not trap.
private func saturatingSum(_ left: Int, _ right: Int) -> Int {
    let (sum, overflows) = left.addingReportingOverflow(right)
    if !overflows { return sum }
    return left < 0 ? .min : .max
}
