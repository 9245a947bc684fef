// The targets of the fuzzer and how a fault is reported. The fuzzer's entry is in Tests/FuzzRunner,
// the test of the kept corpus in Tests/FuzzTests.

import Core

/// Code that reads untrusted bytes, together with properties that must hold for all input.
public enum FuzzTarget: String, Sendable, CaseIterable {
    /// The bytes of a connection: lines, messages, and messages written again.
    case lines
    /// The actions of peers of a coordinator, as a script.
    case handshake
    /// A plan document.
    case plan
    /// The text of a model: a plan in either form, or a decision.
    case goal
    /// A manifest or a configuration file.
    case yaml
    /// The lines of a client of MCP.
    case mcp
    /// A request over HTTP.
    case http

    /// Tries the bytes; throws if a property does not hold, and traps if the code does.
    public func run(_ bytes: [UInt8]) throws {
        switch self {
        case .lines: try tryLines(bytes)
        case .handshake: try tryHandshake(bytes)
        case .plan: try tryPlan(bytes)
        case .goal: try tryGoal(bytes)
        case .yaml: try tryYAML(bytes)
        case .mcp: try tryMCP(bytes)
        case .http: try tryHTTP(bytes)
        }
    }
}

/// Two values that should be equal but are not, or a state that should be impossible.
public struct Disagreement: Error, CustomStringConvertible {
    /// The property that does not hold.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Throws unless the condition holds.
func demand(_ holds: Bool, _ story: @autoclosure () -> String) throws {
    if !holds { throw Disagreement(story()) }
}

/// A generator that depends only on the bytes, so that a finding can be repeated.
func generator(for bytes: [UInt8]) -> SplitMix64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return SplitMix64(seed: hash)
}

/// The bytes in pieces of random sizes, mostly small ones; some are empty.
func pieces(
    of bytes: [UInt8],
    using generator: inout SplitMix64
) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    let largest = [1, 3, 8, 40].randomElement(using: &generator) ?? 1
    while !rest.isEmpty {
        let size = Int.random(in: 0...largest, using: &generator)
        pieces.append(rest.prefix(size))
        rest = rest.dropFirst(size)
    }
    return pieces
}
