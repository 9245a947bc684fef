// The names of runs and attempts in distributed traces. Not here: sending spans anywhere.
public import Core

/// W3C Trace Context of runs and their attempts.
///
/// The ids follow from those of the run and the attempt, so that all processes that have a part in
/// an attempt name the same span without having to agree first. Ids of runs are random. A run that was
/// submitted with a parent is part of the trace of that.
public enum TraceContext {
    /// The `traceparent` of what an attempt calls.
    public static func parent(
        run: RunID,
        attempt: AttemptID,
        of parent: TraceParent? = nil
    ) -> TraceParent {
        let own = digits("run \(run.text)")
        return TraceParent(
            traceHigh: parent?.traceHigh ?? own.0,
            traceLow: parent?.traceLow ?? own.1,
            span: digits("attempt \(attempt)").0,
            flags: parent?.flags ?? TraceParent.sampled
        )
    }

    /// The id of the trace of a run, 32 hexadecimal digits.
    public static func traceID(of run: RunID, _ parent: TraceParent? = nil) -> String {
        if let parent { return parent.traceID }
        let (high, low) = digits("run \(run.text)")
        return TraceParent.hexadecimal(high) + TraceParent.hexadecimal(low)
    }

    /// The id of the span of an attempt, 16 hexadecimal digits.
    public static func spanID(of attempt: AttemptID) -> String {
        TraceParent.hexadecimal(digits("attempt \(attempt)").0)
    }

    /// The id of the span of a run as a whole, 16 hexadecimal digits.
    public static func spanID(of run: RunID) -> String { spanID(named: "whole", of: run) }

    /// The id of another span of a run, which has one of that name, 16 hexadecimal digits.
    public static func spanID(named name: String, of run: RunID) -> String {
        TraceParent.hexadecimal(digits("span \(run.text) \(name)").0)
    }

    private static func digits(_ text: String) -> (UInt64, UInt64) {
        var hash = SHA256()
        hash.update(Array(text.utf8))
        let digest = hash.digest()
        func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
            bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }
        return (number(digest[..<8]), number(digest[8..<16]))
    }
}

/// The value of `traceparent`, W3C Trace Context: a span, and the trace that it is part of.
public struct TraceParent: Sendable, Hashable, CustomStringConvertible {
    fileprivate let traceHigh: UInt64
    fileprivate let traceLow: UInt64
    fileprivate let span: UInt64
    fileprivate let flags: UInt8

    fileprivate static let sampled: UInt8 = 1
    /// The characters of version 00.
    private static let length = 55

    fileprivate init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, flags: UInt8) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.flags = flags
    }

    /// Reads `00-`, 32 hexadecimal digits of the trace, `-`, 16 of the span, `-` and 2 of the flags;
    /// nil for anything else.
    ///
    /// Later versions may have more behind that.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= Self.length, bytes[2] == Self.dash, bytes[35] == Self.dash,
            bytes[52] == Self.dash,
            let version = Self.number(bytes[..<2]), version != 0xFF,
            let high = Self.number(bytes[3..<19]), let low = Self.number(bytes[19..<35]),
            let span = Self.number(bytes[36..<52]), let flags = Self.number(bytes[53..<55])
        else { return nil }
        let isWhole =
            bytes.count == Self.length || (version > 0 && bytes[Self.length] == Self.dash)
        guard isWhole, high | low != 0, span != 0 else { return nil }
        self.init(traceHigh: high, traceLow: low, span: span, flags: UInt8(flags))
    }

    /// The id of the trace, 32 hexadecimal digits.
    public var traceID: String { Self.hexadecimal(traceHigh) + Self.hexadecimal(traceLow) }

    /// The id of the span, 16 hexadecimal digits.
    public var spanID: String { Self.hexadecimal(span) }

    /// Whether the one who began the trace records it.
    public var isSampled: Bool { flags & Self.sampled != 0 }

    /// The value of version 00.
    public var text: String {
        "00-\(traceID)-\(spanID)-\(Self.hexadecimal(UInt64(flags), digits: 2))"
    }

    /// The value of version 00.
    public var description: String { text }

    private static let dash = UInt8(ascii: "-")

    /// The number of digits in lower case.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: number = number << 4 | UInt64(digit - 0x30)
            case 0x61...0x66: number = number << 4 | UInt64(digit - 0x61 + 10)
            default: return nil
            }
        }
        return number
    }

    fileprivate static func hexadecimal(_ number: UInt64, digits: Int = 16) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }
}
