// A model whose tokens have a price.
public import Core
public import PlannerCore

/// Tells the prices of a model with each of its calls.
public final class PricedModel: CallableModel {
    private let model: any CallableModel
    let prices: TokenPrices

    /// The model with these prices; confined to its loop.
    public init(_ model: any CallableModel, prices: TokenPrices) {
        self.model = model
        self.prices = prices
    }

    /// Calls the model; the prices come before anything else that it reports.
    @discardableResult
    public func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall {
        var isTold = false
        return model.call(request) { [prices] event in
            // Nothing may be reported within the call itself, so the prices come with the first
            // event.
            if !isTold { report(.charged(prices)) }
            isTold = true
            report(event)
        }
    }
}
