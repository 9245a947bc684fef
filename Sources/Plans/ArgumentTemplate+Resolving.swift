// Puts outputs into arguments. It copies bytes: nothing is decoded, and inserted text is never
// scanned again. Large arguments are not even copied: they become a list of pieces.

public import Core
public import JSON

/// Arguments with the outputs of other nodes in them.
public enum ResolvedArguments: Sendable {
    /// In one buffer.
    case whole(RawJSON)
    /// In pieces, of which outputs and the template are shared with the run.
    case pieces(JSONPieces)

    /// Length of the JSON text in bytes.
    public var count: Int {
        switch self {
        case .whole(let value): value.count
        case .pieces(let pieces): pieces.count
        }
    }

    /// The arguments in one buffer.
    public var joined: RawJSON {
        switch self {
        case .whole(let value): value
        case .pieces(let pieces): pieces.joined
        }
    }
}

/// The limits for the size of arguments, and for the work to make them.
public struct ResolutionBounds: Sendable {
    /// Arguments up to this length are put into one buffer, larger ones stay in pieces.
    public var wholeBytes: Int
    /// The most bytes of the arguments.
    public var totalBytes: Int
    /// The most bytes of outputs that may be scanned for parts or rewritten as text.
    public var workBytes: Int

    /// Describes limits; the defaults are those of every plan.
    public init(
        wholeBytes: Int = .max,
        totalBytes: Int = PlanLimits.resolvedArgumentBytes,
        workBytes: Int = PlanLimits.resolutionWork
    ) {
        self.wholeBytes = wholeBytes
        self.totalBytes = totalBytes
        self.workBytes = workBytes
    }
}

extension ArgumentTemplate {
    /// The arguments with the outputs put in.
    ///
    /// `value` is called once for each reference, with its position in ``references``. Throws
    /// `reference_not_found` if an output has no such part, `limit` if the arguments become too
    /// large or too deep, or take too much work.
    public func resolve(_ value: (Int) -> Value) throws(Failure) -> RawJSON {
        var position = -1
        var work = 0
        let resolved = try resolveByID(within: ResolutionBounds(), work: &work) { _ in
            position += 1
            return value(position)
        }
        return resolved.joined
    }

    /// The same, with the id in place of the position.
    ///
    /// Adds to `work` the bytes that were scanned, rewritten or copied.
    func resolveByID(
        within bounds: ResolutionBounds,
        work: inout Int,
        _ value: (NodeID) -> Value
    ) throws(Failure) -> ResolvedArguments {
        if marks.isEmpty {
            guard source.count <= bounds.totalBytes else { throw tooLarge(bounds) }
            return source.count > bounds.wholeBytes
                ? .pieces(JSONPieces(source, isShared: true)) : .whole(source)
        }
        let content = StringContent(bytes: source.bytes)
        let bytes = content.bytes
        var splicer = Splicer(within: bounds, expecting: bytes.count + 32 * marks.count)
        var parts = OutputParts(workBytes: bounds.workBytes)
        defer { work += parts.work + splicer.copiedBytes }
        var cursor = bytes.startIndex
        var levels = LevelCounter(bytes)
        for mark in marks {
            let start = bytes.startIndex + Int(mark.start)
            let end = bytes.startIndex + Int(mark.end)
            if mark.kind == .dropped {
                try splicer.append(bytes[cursor..<start])
                cursor = end
                continue
            }
            guard let spelling = spelling(at: mark, in: content),
                case .output(let whole) = value(spelling.id(in: content))
            else { continue }
            try splicer.append(bytes[cursor..<start])
            cursor = end
            let key = bytes[start..<end]
            if mark.kind == .embedded {
                let (text, isHeld) = try parts.text(
                    of: whole,
                    at: spelling,
                    in: content,
                    written: key
                )
                try splicer.append(text, isShared: isHeld)
                continue
            }
            let part = try parts.part(of: whole, at: spelling, in: content, written: key)
            try splicer.append(part.bytes, isShared: true)
            guard part.kind == .object || part.kind == .array else { continue }
            let depth = try parts.depth(of: part, written: key)
            guard levels.level(at: start) + depth <= maximumDepth else {
                throw Failure(
                    code: .limit,
                    message: "the arguments are nested deeper than \(maximumDepth) levels once the "
                        + "outputs are put in"
                )
            }
        }
        if cursor == bytes.startIndex { return .whole(source) }
        try splicer.append(bytes[cursor...])
        return splicer.finish()
    }
}

private func tooLarge(_ bounds: ResolutionBounds) -> Failure {
    Failure(
        code: .limit,
        message: "the arguments are larger than \(bounds.totalBytes) bytes once the outputs are "
            + "put in"
    )
}

/// Text that is composed: in one buffer while it is short, then in pieces.
private struct Splicer {
    private let bounds: ResolutionBounds
    /// The text after `pieces`.
    private var output: [UInt8] = []
    private var pieces = JSONPieces()
    private(set) var copiedBytes = 0

    /// Shorter parts are copied: a piece of their own would take as much memory.
    private static let sharedBytes = 128

    init(within bounds: ResolutionBounds, expecting count: Int) {
        self.bounds = bounds
        output.reserveCapacity(min(count, 1 << 20))
    }

    mutating func append(
        _ part: ArraySlice<UInt8>,
        isShared: Bool = false
    ) throws(Failure) {
        let total = pieces.count + output.count + part.count
        guard total <= bounds.totalBytes else {
            throw tooLarge(bounds)
        }
        if total > bounds.wholeBytes, part.count >= Self.sharedBytes {
            closeOutput()
            pieces.append(part, isShared: isShared)
        } else {
            copiedBytes += part.count
            output.append(contentsOf: part)
        }
    }

    mutating func finish() -> ResolvedArguments {
        if pieces.count == 0, output.count <= bounds.wholeBytes {
            return .whole(RawJSON(trusted: output[...]))
        }
        closeOutput()
        return .pieces(pieces)
    }

    private mutating func closeOutput() {
        pieces.append(output[...])
        output = []
    }
}

/// The parts of outputs that the references of one template use.
///
/// A reference that is used a second time costs nothing more.
private struct OutputParts {
    private let workBytes: Int
    /// Bytes scanned or rewritten so far.
    private(set) var work = 0
    private var parts: [ArraySlice<UInt8>: RawJSON] = [:]
    private var texts: [ArraySlice<UInt8>: ArraySlice<UInt8>] = [:]
    private var depths: [ArraySlice<UInt8>: Int] = [:]

    /// Shorter values are not worth remembering.
    private static let rememberedBytes = 4_096

    init(workBytes: Int) {
        self.workBytes = workBytes
    }

    /// The part of an output for a reference, cached by the text of the reference.
    mutating func part(
        of output: RawJSON,
        at spelling: ReferenceSpelling,
        in content: StringContent,
        written key: ArraySlice<UInt8>
    ) throws(Failure) -> RawJSON {
        if spelling.steps.isEmpty { return output }
        if let known = parts[key] { return known }
        try spend(output.count)
        let path = spelling.path(in: content)
        guard let part = output.value(at: path) else {
            throw Failure(
                code: .referenceNotFound,
                message: missingStep(of: path, in: output, node: content.text(spelling.id))
            )
        }
        if output.count >= Self.rememberedBytes { parts[key] = part }
        return part
    }

    /// The same part as text within a string, and whether the text is also kept elsewhere: by the
    /// run, or by an earlier reference.
    mutating func text(
        of output: RawJSON,
        at spelling: ReferenceSpelling,
        in content: StringContent,
        written key: ArraySlice<UInt8>
    ) throws(Failure) -> (text: ArraySlice<UInt8>, isHeld: Bool) {
        if let known = texts[key] { return (known, true) }
        let part = try part(of: output, at: spelling, in: content, written: key)
        if let text = part.textWithoutRewriting { return (text, true) }
        try spend(part.count)
        var text: [UInt8] = []
        text.reserveCapacity(part.count + part.count / 8)
        appendText(of: part, to: &text)
        if part.count >= Self.rememberedBytes { texts[key] = text[...] }
        return (text[...], false)
    }

    /// How deep a part nests.
    mutating func depth(of part: RawJSON, written key: ArraySlice<UInt8>) throws(Failure) -> Int {
        if let known = depths[key] { return known }
        try spend(part.count)
        let depth = part.depth
        if part.count >= Self.rememberedBytes { depths[key] = depth }
        return depth
    }

    private mutating func spend(_ bytes: Int) throws(Failure) {
        work += bytes
        guard work > workBytes else { return }
        throw Failure(
            code: .limit,
            message: "its references look through more than \(workBytes) bytes of outputs; refer "
                + "to fewer parts of large outputs, or let a tool pick them"
        )
    }
}

/// Counts how many arrays and objects are open at positions of a text, which must ascend.
private struct LevelCounter {
    private let bytes: ArraySlice<UInt8>
    private var index: Int
    private var open = 0

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        index = bytes.startIndex
    }

    /// The number of open levels where a string begins.
    mutating func level(at start: Int) -> Int {
        while index < start {
            switch bytes[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["): open += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): open -= 1
            case UInt8(ascii: "\""): skipString()
            default: break
            }
            index += 1
        }
        return open
    }

    /// Goes from the first quote of a string to the last one.
    private mutating func skipString() {
        index += 1
        while index < bytes.endIndex, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
    }
}
