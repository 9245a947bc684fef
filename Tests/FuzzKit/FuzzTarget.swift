// What is tried with bytes that anybody may have made up, and how a fault shows. The fuzzer's entry
// is in Tests/FuzzRunner, the test of the kept corpus in Tests/FuzzTests.

import Core

/// Something that reads bytes of strangers, together with what must hold whatever they are.
public enum FuzzTarget: String, Sendable, CaseIterable {
    /// The bytes of a connection: lines, messages, and messages written again.
    case lines
    /// What peers do to a coordinator, as a script.
    case handshake
    /// A plan document.
    case plan
    /// What a model wrote: a plan in either form, or a decision.
    case goal

    /// Tries the bytes; throws if something that must hold does not, and traps where the code does.
    public func run(_ bytes: [UInt8]) throws {
        switch self {
        case .lines: try tryLines(bytes)
        case .handshake: try tryHandshake(bytes)
        case .plan: try tryPlan(bytes)
        case .goal: try tryGoal(bytes)
        }
    }
}

/// Two things that should be the same and are not, or something that should never happen.
public struct Disagreement: Error, CustomStringConvertible {
    /// What does not hold.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Throws unless the condition holds.
func demand(_ holds: Bool, _ story: @autoclosure () -> String) throws {
    if !holds { throw Disagreement(story()) }
}

/// A generator that depends on the bytes alone, so that a finding can be repeated.
func generator(for bytes: [UInt8]) -> SplitMix64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return SplitMix64(seed: hash)
}

/// The bytes in pieces of random sizes, small ones most of all; some are empty.
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
