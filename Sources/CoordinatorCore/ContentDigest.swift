// What makes two submissions of one key the same: every field that says what is to be done.

internal import Core
internal import JSON
internal import Plans
internal import Wire

/// A digest of a submission's content.
///
/// Every field goes in with its length, and an absent one differs from an empty one, so that no
/// two contents look alike. Left out are the key itself, `watch`, which is about who listens, and
/// `traceparent`, which is about who asks.
struct ContentDigest {
    let bytes: [UInt8]

    init(of submit: Submit) {
        var fields = Fields()
        fields.add(submit.plan.map { Array($0.bytes) })
        fields.add(submit.goal)
        fields.add(submit.planner.format?.rawValue)
        fields.add(submit.planner.repairs)
        fields.add(submit.planner.rounds)
        fields.add(submit.planner.onModelFailure.rawValue)
        fields.add(submit.planner.strategy.rawValue)
        fields.add(submit.planner.isPlanOnly ? "plan only" : nil)
        fields.add(submit.isStreamed ? "streamed" : nil)
        fields.add(submit.join.rawValue)
        // In whatever order they are named, they are the same tools.
        let tools = submit.tools?.sorted()
        fields.add(tools?.count)
        for tool in tools ?? [] { fields.add(tool) }
        fields.add(submit.budget.nodes)
        fields.add(submit.budget.wallMilliseconds)
        fields.add(submit.budget.tokens)
        fields.add(submit.budget.cost.map { "\($0)" })
        fields.add(submit.budget.running)
        fields.add(submit.onMissingTool.rawValue)
        fields.add(submit.joinInstruction)
        fields.add(submit.label)
        // Submissions without them have the digests that they had before there were approvals.
        for tool in submit.approve.sorted() { fields.add("approve \(tool)") }
        if let time = submit.budget.approvalMilliseconds { fields.add("approval \(time)") }
        bytes = fields.hash.digest()
    }

    private struct Fields {
        var hash = SHA256()

        mutating func add(_ field: [UInt8]?) {
            // A length that no field has stands for an absent one.
            let length = field.map { UInt64($0.count) } ?? .max
            hash.update((0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) })
            if let field { hash.update(field) }
        }

        mutating func add(_ text: String?) { add(text.map { Array($0.utf8) }) }

        mutating func add(_ number: Int?) { add(number.map(String.init)) }
    }
}
