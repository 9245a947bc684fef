// A model with others behind it, for when it fails before it has said anything.
internal import Core
internal import PlannerCore

/// Calls the first of several models; if that fails before its first text, the next one.
///
/// A cancelled call is not made again. Which model answered is not remembered: the next call begins
/// with the first one.
final class FallbackModel: CallableModel {
    private let models: [any CallableModel]

    /// At least one model, the preferred one first.
    init(_ models: [any CallableModel]) {
        precondition(!models.isEmpty, "there is no model to call")
        self.models = models
    }

    @discardableResult
    func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall {
        let call = FallbackCall(models: models, request: request, report: report)
        call.begin()
        return call
    }
}

private final class FallbackCall: ModelCall {
    private var rest: [any CallableModel]
    private let request: ModelRequest
    private let report: (ModelEvent) -> Void
    private var open: (any ModelCall)?
    private var hasText = false
    /// Whether prices or a usage of the open call were reported.
    private var hasCost = false
    /// The prices of the open call, which count only if it says anything else.
    private var prices: TokenPrices?
    private var isCancelled = false

    init(
        models: [any CallableModel],
        request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) {
        rest = models
        self.request = request
        self.report = report
    }

    /// The model that was called last.
    var source: ModelSource { open?.source ?? ModelSource(provider: "none", model: "none") }

    func begin() {
        let model = rest.removeFirst()
        open = model.call(request) { [self] in handle($0) }
    }

    func cancel() {
        isCancelled = true
        open?.cancel()
    }

    private func handle(_ event: ModelEvent) {
        switch event {
        case .failed where !hasText && !isCancelled && !rest.isEmpty:
            prices = nil
            // The next one begins with nothing used, at no price.
            if hasCost {
                report(.charged(TokenPrices(input: 0, output: 0)))
                report(.usage(TokenUsage()))
            }
            hasCost = false
            begin()
        case .charged(let told):
            prices = told
        case .delta, .usage, .formatLowered, .ended, .failed:
            if case .delta = event { hasText = true }
            if case .usage = event { hasCost = true }
            if let told = prices {
                hasCost = true
                report(.charged(told))
            }
            prices = nil
            report(event)
        }
    }
}
