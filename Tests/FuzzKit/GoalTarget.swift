// The text of a model, read while it is written: the result does not depend on the split, and a
// plan gives only nodes that can be added at once. The first byte selects how the rest is read.

import Core
import JSON
import PlannerCore
import Plans

func tryGoal(_ bytes: [UInt8]) throws {
    guard let first = bytes.first else { return }
    let reply = Array(bytes.dropFirst())
    var generator = generator(for: bytes)
    let manner = Manner(first)
    if manner.isDecision {
        try tryDecision(reply, manner, using: &generator)
        return
    }
    let whole = read([reply[...]], manner)
    for _ in 0..<2 {
        let split = read(pieces(of: reply, using: &generator), manner)
        try demand(split == whole, "\(split) in pieces, not \(whole)")
    }
    try tryAdding(whole, manner)
    _ = read([Array(reply.prefix(reply.count / 2))[...]], manner)
}

/// How to read a reply, encoded as digits and letters from `0`.
private struct Manner {
    let format: PlanFormat
    let isCut: Bool
    let isDecision: Bool
    /// How many more nodes the run may have.
    let room: Int

    init(_ byte: UInt8) {
        let bits = byte &- UInt8(ascii: "0")
        format = bits & 1 == 0 ? .json : .text
        isCut = bits & 2 != 0
        isDecision = bits & 4 != 0
        room = bits & 8 == 0 ? 1000 : Int(bits >> 4)
    }
}

private let tools = [
    tool("search", #"{"type":"object","properties":{"query":{"type":"string"}}}"#),
    tool(
        "math",
        """
        {"type":"object","properties":{"problem":{"type":"string"},"context":{}},
        "required":["problem"],"additionalProperties":false}
        """
    ),
    tool(
        "add",
        """
        {"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},
        "required":["a","b"],"additionalProperties":false}
        """
    ),
    tool(
        "store",
        """
        {"type":"object","properties":{"data":{"type":["object","array"]},
        "tag":{"type":"string","pattern":"^[a-z]+$"}},"required":["data"]}
        """
    ),
]

private func tool(_ name: String, _ parameters: String) -> PlannerTool {
    let raw = RawJSON(trusted: Array(parameters.utf8)[...])
    return PlannerTool(name: name, description: "does \(name)", parameters: raw)
}

private let oldNode = NodeID("old").map { id in
    NodeDefinition(
        id: id,
        tool: "search",
        arguments: RawJSON(trusted: Array(#"{"query":"a"}"#.utf8)[...])
    )
}

private struct Reading: Equatable {
    var nodes: [PlannerNode] = []
    var end: ModelPlanReader.Summary?
    var bytesRead = 0
    var trailingBytes = 0
}

private func read(_ pieces: [ArraySlice<UInt8>], _ manner: Manner) -> Reading {
    var reader = ModelPlanReader(
        format: manner.format,
        tools: tools,
        ledger: PlanLedger(nodes: [oldNode].compactMap { $0 }),
        room: manner.room
    )
    var reading = Reading()
    for piece in pieces { reading.nodes += reader.feed(piece) }
    let end = reader.finish(isCut: manner.isCut)
    reading.nodes += end.nodes
    reading.end = end
    reading.end?.nodes = []
    reading.bytesRead = reader.bytesRead
    reading.trailingBytes = reader.trailingBytes
    return reading
}

/// Each node can be added at once, and a reply without nodes has a reason.
private func tryAdding(_ reading: Reading, _ manner: Manner) throws {
    var plan = Plan()
    try plan.append([oldNode].compactMap { $0 })
    for node in reading.nodes {
        try demand(tools.contains { $0.name == node.definition.tool }, "no such tool: \(node)")
        let growth = try plan.append([node.definition])
        try demand(growth.held.isEmpty, "waits for an id: \(node)")
    }
    _ = try plan.close()
    try demand(reading.nodes.count <= manner.room, "\(reading.nodes.count) nodes")
    let problems = reading.end?.problems ?? []
    try demand(!reading.nodes.isEmpty || problems.contains { !$0.isWarning }, "nothing, no reason")
    try demand(problems.allSatisfy { !$0.message.isEmpty }, "a problem without a sentence")
}

// MARK: - Decisions

private struct Decided: Equatable {
    var decision: Result<JoinerReply.Decision, JoinerReply.Fault>
    var text: String
}

private func tryDecision(
    _ reply: [UInt8],
    _ manner: Manner,
    using generator: inout SplitMix64
) throws {
    let whole = decide([reply[...]], manner)
    for _ in 0..<2 {
        let split = decide(pieces(of: reply, using: &generator), manner)
        try demand(split == whole, "\(split) in pieces, not \(whole)")
    }
    switch whole.decision {
    case .success(.finish(let answer)):
        _ = try RawJSON(validating: answer.bytes)
        if answer.kind == .string {
            try demand(answer.stringValue == whole.text, "\(whole.text), not \(answer)")
        }
    case .success(.replan): try demand(whole.text.isEmpty, "text of no answer: \(whole.text)")
    case .failure(let fault): try demand(!fault.message.isEmpty, "a fault without a sentence")
    }
}

private func decide(_ pieces: [ArraySlice<UInt8>], _ manner: Manner) -> Decided {
    var reply = JoinerReply()
    var text = ""
    for piece in pieces { text += reply.feed(piece) }
    let end = reply.finish(isCut: manner.isCut)
    return Decided(decision: end.decision, text: text + end.text)
}
