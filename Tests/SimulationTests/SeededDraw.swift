// All random choices of a simulation come from here, so that a seed repeats it.

import Core

/// Draws from one seeded generator.
struct SeededDraw {
    private var generator: SplitMix64

    init(seed: UInt64) {
        generator = SplitMix64(seed: seed)
    }

    mutating func next() -> UInt64 { generator.next() }

    mutating func int(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &generator)
    }

    /// True that many times in a thousand.
    mutating func permille(_ chance: Int) -> Bool { int(0...999) < chance }

    mutating func element<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[int(0...(elements.count - 1))]
    }

    /// A duration in steps of 50 µs, so that some things happen in the same loop turn.
    mutating func duration(_ range: ClosedRange<Duration>) -> Duration {
        let unit: Duration = .microseconds(50)
        return unit * int(Int(range.lowerBound / unit)...Int(range.upperBound / unit))
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}
