// A plan document: read at once, in pieces and piece by piece into a growing plan, always with the
// same result; a document without problems stays the same when it is written again, and can be run.

import Core
import JSON
import Plans

func tryPlan(_ bytes: [UInt8]) throws {
    var generator = generator(for: bytes)
    let whole = stream([bytes[...]])
    for _ in 0..<2 {
        let split = stream(pieces(of: bytes, using: &generator))
        try demand(split == whole, "\(split) in pieces, not \(whole)")
    }
    let (document, problems) = PlanDocument.read(bytes)
    for problem in problems {
        try demand(!problem.message.isEmpty, "a problem without a sentence: \(problem)")
        try demand(!problem.isWarning, "a warning among the problems: \(problem)")
    }
    // One more entry gives the number of further problems.
    try demand(problems.count <= PlanLimits.problemsReported + 1, "\(problems.count) problems")
    _ = PlanDrawing.dot(document)
    _ = PlanDrawing.mermaid(document)
    let plan: Plan
    do {
        plan = try Plan(reading: bytes[...])
    } catch {
        try demand(error.problems == problems, "\(error.problems), elsewhere \(problems)")
        return
    }
    try demand(problems.isEmpty, "a plan with problems: \(problems)")
    try tryWritten(document)
    try tryGrowing(document, plan, using: &generator)
    try tryResolving(plan)
}

private struct Streamed: Equatable {
    var nodes: [RawJSON] = []
    var instruction: String?
    var problems: [PlanProblem] = []
}

private func stream(_ pieces: [ArraySlice<UInt8>]) -> Streamed {
    var streamed = Streamed()
    var reader = PlanReader()
    do {
        for piece in pieces { try reader.feed(piece) { streamed.nodes.append($0) } }
        streamed.instruction = try reader.finish()
    } catch {
        streamed.problems = error.problems
    }
    return streamed
}

private func tryWritten(_ document: PlanDocument) throws {
    var writer = JSONWriter()
    document.encode(into: &writer)
    let again = PlanDocument.read(writer.bytes)
    try demand(again.problems.isEmpty, "problems when written again: \(again.problems)")
    try demand(again.document == document, "another document when written again")
}

/// The plan that grows node by node, or batch by batch, has the same edges.
private func tryGrowing(
    _ document: PlanDocument,
    _ plan: Plan,
    using generator: inout SplitMix64
) throws {
    var growing = Plan()
    var holds = Array(repeating: 0, count: document.nodes.count)
    var rest = document.nodes[...]
    while !rest.isEmpty {
        let batch = rest.prefix(Int.random(in: 1...5, using: &generator))
        rest = rest.dropFirst(batch.count)
        let growth = try growing.append(Array(batch))
        for index in growth.held { holds[index] += 1 }
        for index in growth.released { holds[index] -= 1 }
    }
    for index in try growing.close() { holds[index] -= 1 }
    try demand(holds.allSatisfy { $0 == 0 }, "nodes are held for ever: \(holds)")
    try demand(growing.count == plan.count, "\(growing.count) nodes, not \(plan.count)")
    for index in 0..<plan.count {
        let (grown, whole) = (growing.dependencies(of: index), plan.dependencies(of: index))
        try demand(Set(grown) == Set(whole), "node \(index) waits for \(grown), not \(whole)")
        try demand(grown.count == Set(grown).count, "an edge twice: \(grown)")
    }
    try demand(growing.warnings() == plan.warnings(), "other warnings")
}

/// Outputs are inserted, or there is a reason why not.
private func tryResolving(_ plan: Plan) throws {
    let outputs = [
        #"{"a":[1,{"b":"x\n"}],"items":["é"]}"#, #""text""#, "[[[]]]", "-0.5", "null",
    ]
    for index in 0..<plan.count {
        for output in outputs {
            let value = try RawJSON(validating: output)
            do {
                let arguments = try plan.resolveArguments(of: index) { _ in value }
                _ = try RawJSON(validating: arguments.bytes)
            } catch let failure as Failure {
                try demand(!failure.message.isEmpty, "a failure without a sentence")
            }
        }
    }
}
