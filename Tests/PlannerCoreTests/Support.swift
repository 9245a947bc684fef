// Tools, readers and seeded splits for the tests of planning.

import Core
import Foundation
import JSON
import PlannerCore
import Plans
import Testing

/// Tools like those of the ParallelQA benchmark, and some with parameters of other types.
let tools: [PlannerTool] = [
    tool(
        "search",
        #"{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}"#
    ),
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
        {"type":"object","properties":{"data":{"type":["object","array"]},"tag":{"type":"string"}},
        "required":["data"],"additionalProperties":false}
        """
    ),
]

func tool(_ name: String, _ parameters: String) -> PlannerTool {
    let raw = try? RawJSON(validating: parameters)
    return PlannerTool(name: name, description: "does \(name)", parameters: raw ?? .null)
}

/// The result of reading one reply.
struct Reading: Equatable {
    var nodes: [PlannerNode] = []
    var end: ModelPlanReader.Summary?
    var bytesRead = 0
    var trailingBytes = 0

    /// `1 search {"query":"x"}`, with `<- 2,3` for declared dependencies.
    var lines: [String] {
        nodes.map { node in
            let definition = node.definition
            let needs = definition.dependencies.map(\.text).joined(separator: ",")
            return "\(definition.id) \(definition.tool) \(definition.arguments.text)"
                + (needs.isEmpty ? "" : " <- \(needs)")
        }
    }

    var codes: [String] { (end?.problems ?? []).filter { !$0.isWarning }.map(\.code.rawValue) }
    var warnings: [String] { (end?.problems ?? []).filter(\.isWarning).map(\.code.rawValue) }
    var messages: [String] { (end?.problems ?? []).map(\.message) }
}

/// Reads a reply in pieces of the given sizes, then the rest at once.
func read(
    _ bytes: [UInt8],
    _ format: PlanFormat,
    ledger: PlanLedger = PlanLedger(),
    room: Int = 1000,
    isCut: Bool = false,
    sizes: [Int] = []
) -> Reading {
    var reader = ModelPlanReader(format: format, tools: tools, ledger: ledger, room: room)
    var reading = Reading()
    var rest = bytes[...]
    for size in sizes {
        reading.nodes += reader.feed(rest.prefix(size))
        rest = rest.dropFirst(size)
    }
    reading.nodes += reader.feed(rest)
    let end = reader.finish(isCut: isCut)
    reading.nodes += end.nodes
    reading.end = end
    reading.bytesRead = reader.bytesRead
    reading.trailingBytes = reader.trailingBytes
    return reading
}

func text(_ text: String, isCut: Bool = false, ledger: PlanLedger = PlanLedger()) -> Reading {
    read(Array(text.utf8), .text, ledger: ledger, isCut: isCut)
}

func json(_ text: String, isCut: Bool = false, ledger: PlanLedger = PlanLedger()) -> Reading {
    read(Array(text.utf8), .json, ledger: ledger, isCut: isCut)
}

/// The seeds of a test: those of the environment, or the usual number.
func seeds(_ usual: UInt64) -> Range<UInt64> {
    let environment = ProcessInfo.processInfo.environment
    if let one = environment["WEFT_SEED"].flatMap(UInt64.init) { return one..<one + 1 }
    return 0..<(environment["WEFT_SEEDS"].flatMap(UInt64.init) ?? usual)
}

/// Sizes of pieces that add up to about `count`, mostly small ones.
func splits(of count: Int, using generator: inout SplitMix64) -> [Int] {
    var sizes: [Int] = []
    var rest = count
    let largest = [1, 3, 8, 40].randomElement(using: &generator) ?? 1
    while rest > 0 {
        let size = Int.random(in: 0...largest, using: &generator)
        sizes.append(size)
        rest -= max(1, size)
    }
    return sizes
}

func definition(_ id: String, _ tool: String, _ arguments: String) throws -> NodeDefinition {
    NodeDefinition(
        id: try #require(NodeID(id)),
        tool: tool,
        arguments: try RawJSON(validating: arguments)
    )
}
