// The names of nodes, runs and attempts. Each is checked once, where it is made.

/// The name of a node within its plan: 1–64 of `[A-Za-z0-9_-]`.
public struct NodeID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The name as written in the plan.
    public let text: String

    /// The longest name, in bytes.
    public static let maximumLength = 64

    /// The id of that name, or nil if it is not 1–64 of `[A-Za-z0-9_-]`.
    public init?(_ text: String) {
        let length = text.utf8.count
        guard length >= 1, length <= NodeID.maximumLength,
            text.utf8.allSatisfy({ NodeID.allows($0) })
        else { return nil }
        self.text = text
    }

    /// The id of a text that is already known to be valid.
    package init(checked text: String) {
        self.text = text
    }

    /// Whether a byte may occur in a node's id.
    @inlinable package static func allows(_ byte: UInt8) -> Bool {
        allowsUnbraced(byte) || byte == UInt8(ascii: "-")
    }

    /// Whether a byte may occur in an id that is referred to without braces.
    @inlinable package static func allowsUnbraced(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }

    /// Whether the left id comes first in byte order.
    public static func < (left: NodeID, right: NodeID) -> Bool { left.text < right.text }

    /// The name as written in the plan.
    public var description: String { text }
}

/// The name of a run: 1–15 of `[a-z0-9-]`, short enough to be copied without a heap allocation.
public struct RunID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The name as written on the wire.
    public let text: String

    /// The longest name, in bytes.
    public static let maximumLength = 15

    /// The id of that name, or nil if it is not 1–15 of `[a-z0-9-]`.
    public init?(_ text: String) {
        let length = text.utf8.count
        guard length >= 1, length <= RunID.maximumLength,
            text.utf8.allSatisfy({ RunID.allows($0) })
        else { return nil }
        self.text = text
    }

    /// The id encoded by `bytes`, or nil if they are not 1–15 of `[a-z0-9-]`.
    public init?(parsing bytes: ArraySlice<UInt8>) {
        guard bytes.count >= 1, bytes.count <= RunID.maximumLength,
            bytes.allSatisfy({ RunID.allows($0) })
        else { return nil }
        text = String(decoding: bytes, as: UTF8.self)
    }

    private static func allows(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"):
            true
        default:
            false
        }
    }

    /// Whether the left id comes first in byte order.
    public static func < (left: RunID, right: RunID) -> Bool { left.text < right.text }

    /// The name as written on the wire.
    public var description: String { text }
}

/// One try of one node, on the wire `run/index/number`; opaque to peers.
///
/// It contains the node's dense index in its run, not the node's id: the coordinator finds the node
/// of an incoming result without hashing a string.
public struct AttemptID: Sendable, Hashable, CustomStringConvertible {
    /// The run the node belongs to.
    public var run: RunID
    /// The dense index of the node in its run, from 0.
    public var node: Int
    /// The number of the attempt, from 1.
    public var number: Int

    /// The attempt with that number at the node with that index.
    public init(run: RunID, node: Int, number: Int) {
        self.run = run
        self.node = node
        self.number = number
    }

    /// The attempt encoded by `bytes`, or nil if they are not exactly `run/index/number`.
    ///
    /// Numbers are decimal without sign or leading zeros, at most ten digits, so that every attempt
    /// has one spelling.
    public init?(parsing bytes: ArraySlice<UInt8>) {
        let slash = UInt8(ascii: "/")
        // A run's id contains no slash, so the first slash ends it.
        guard let first = bytes.firstIndex(of: slash),
            let run = RunID(parsing: bytes[..<first])
        else { return nil }
        let rest = bytes[(first + 1)...]
        guard let second = rest.firstIndex(of: slash),
            let node = decimal(rest[..<second]),
            let number = decimal(rest[(second + 1)...]), number >= 1
        else { return nil }
        self.init(run: run, node: node, number: number)
    }

    /// Appends the wire text to `bytes`, without an intermediate string.
    public func append(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: run.text.utf8)
        bytes.append(UInt8(ascii: "/"))
        appendDecimal(node, to: &bytes)
        bytes.append(UInt8(ascii: "/"))
        appendDecimal(number, to: &bytes)
    }

    /// The wire text, `run/index/number`.
    public var text: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(40)
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The wire text, `run/index/number`.
    public var description: String { text }
}

/// The value of 1–10 decimal digits without a leading zero.
private func decimal(_ digits: ArraySlice<UInt8>) -> Int? {
    guard let first = digits.first, digits.count <= 10,
        first != UInt8(ascii: "0") || digits.count == 1
    else { return nil }
    var value = 0
    for digit in digits {
        guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
        value = value * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return value
}

private func appendDecimal(_ value: Int, to bytes: inout [UInt8]) {
    guard value >= 0 else {
        bytes.append(contentsOf: String(value).utf8)
        return
    }
    let start = bytes.count
    var rest = value
    repeat {
        bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
        rest /= 10
    } while rest > 0
    bytes[start...].reverse()
}
