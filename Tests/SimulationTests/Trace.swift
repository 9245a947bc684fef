// The trace of a simulation, one line for each transition: hashed, so that two runs of a seed can
// be compared, and kept for people.

import Core

final class Trace {
    /// FNV-1a over all lines.
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var count = 0
    /// The newest lines, or all of them.
    private(set) var lines: [String] = []
    let keepsAll: Bool
    private static let kept = 400

    init(keepsAll: Bool) {
        self.keepsAll = keepsAll
    }

    func add(_ now: Instant, _ line: String) {
        count += 1
        let micros = now.nanoseconds / 1_000
        for byte in "\(micros) \(line)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        let milliseconds = String(micros / 1_000)
        let fraction = String(1_000 + micros % 1_000).dropFirst()
        let padding = String(repeating: " ", count: max(0, 6 - milliseconds.utf8.count))
        lines.append("\(padding)\(milliseconds).\(fraction) \(line)")
        if !keepsAll, lines.count > 2 * Self.kept { lines.removeFirst(Self.kept) }
    }

    var tail: String { lines.suffix(Self.kept).joined(separator: "\n") }
}
