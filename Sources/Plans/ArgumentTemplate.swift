// The arguments of a node with the outputs of other nodes still to be put in. Putting them in
// splices bytes: nothing is decoded, and what was put in is never looked at again.

public import JSON

/// Arguments compiled once into literal runs and references.
///
/// | written | means |
/// |---|---|
/// | `"$t1"` or `"${t1}"` as the whole string | the output of t1, typed |
/// | `"${t1.items[0].name}"` | that part of the output; typed if it is the whole string |
/// | `"about ${t1} and $t2."` | the output as text: a string without quotes, else compact JSON |
/// | `$$` | a dollar sign |
///
/// `$` takes the longest run of ASCII letters, digits and underscores behind it, so `$15` is never
/// `$1` and a 5; what has a hyphen needs braces. `${t1['odd.key']}` reaches a key that holds a dot
/// or a bracket. Text is the same however a tool has escaped its output; numbers and the order of
/// keys stay as written. Keys of objects are never scanned. A `$` may be written as the escape `\u0024`.
public struct ArgumentTemplate: Sendable {
    /// One reference to the output of a node.
    public struct Reference: Sendable, Hashable {
        /// The id it names, which need not be that of a node.
        public var id: NodeID
        /// The part of the output it names; empty for all of it.
        public var path: [JSONPathStep]
        /// Whether it is a whole string, so that the value keeps its type.
        public var isWhole: Bool
    }

    /// What a reference stands for.
    public enum Value: Sendable {
        /// The output of the node.
        case output(RawJSON)
        /// The id is no node of the plan; the text stays as written.
        case literal
    }

    /// The arguments as written; without references, as they are sent.
    public let source: RawJSON
    private let marks: [TemplateMark]
    /// Whether `source` lost the second of two dollar signs somewhere, so that what looks like a
    /// reference in it may be none.
    let isUnescaped: Bool

    /// Compiles arguments; never fails, because what is no well-formed reference stays text.
    public init(compiling arguments: RawJSON) {
        guard ArgumentTemplate.mayHoldMarks(arguments.bytes), arguments.count < UInt32.max else {
            source = arguments
            marks = []
            isUnescaped = false
            return
        }
        var scanner = TemplateScanner(content: StringContent(bytes: arguments.bytes))
        scanner.scan()
        if scanner.marks.contains(where: { $0.kind != .dropped }) {
            source = arguments
            marks = scanner.marks
            isUnescaped = false
        } else {
            source = ArgumentTemplate.removing(scanner.marks, from: arguments)
            marks = []
            isUnescaped = !scanner.marks.isEmpty
        }
    }

    /// Arguments without references, whatever looks like one.
    init(literal arguments: RawJSON) {
        source = arguments
        marks = []
        isUnescaped = true
    }

    /// Whether there is any reference; if not, resolving costs nothing.
    public var hasReferences: Bool { !marks.isEmpty }

    /// The references in order of appearance.
    public var references: [Reference] {
        if marks.isEmpty { return [] }
        let content = StringContent(bytes: source.bytes)
        var references: [Reference] = []
        references.reserveCapacity(marks.count)
        forEachSpelling { spelling, mark in
            references.append(
                Reference(
                    id: spelling.id(in: content),
                    path: spelling.path(in: content),
                    isWhole: mark.kind == .whole
                )
            )
        }
        return references
    }

    /// Calls the body with the id of each reference, in order of appearance.
    func forEachID(_ body: (NodeID) -> Void) {
        let content = StringContent(bytes: source.bytes)
        forEachSpelling { spelling, _ in body(spelling.id(in: content)) }
    }

    /// The arguments with the outputs put in.
    ///
    /// `value` is asked once for each reference, by its position in ``references``. Throws
    /// `reference_not_found` if an output has no such part, `limit` if the arguments become too
    /// large or too deep.
    public func resolve(_ value: (Int) -> Value) throws(Failure) -> RawJSON {
        var position = -1
        return try resolveByID({ _ in
            position += 1
            return value(position)
        })
    }

    /// The same, with the id in place of the position.
    func resolveByID(_ value: (NodeID) -> Value) throws(Failure) -> RawJSON {
        if marks.isEmpty { return source }
        let content = StringContent(bytes: source.bytes)
        let bytes = content.bytes
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + 32 * marks.count)
        var cursor = bytes.startIndex
        var holdsContainer = false
        for (place, mark) in marks.enumerated() {
            let start = bytes.startIndex + Int(mark.start)
            let end = bytes.startIndex + Int(mark.end)
            if mark.kind == .dropped {
                output.append(contentsOf: bytes[cursor..<start])
                cursor = end
                continue
            }
            guard let spelling = spelling(at: mark, in: content),
                case .output(let whole) = value(spelling.id(in: content))
            else { continue }
            output.append(contentsOf: bytes[cursor..<start])
            cursor = end
            let part = try part(of: whole, at: spelling, in: content)
            try checkSize(output.count + part.count)
            if output.capacity < output.count + part.count {
                // Those to come are taken to be as large: memory that is not touched costs nothing,
                // moving large outputs each time the room has doubled does.
                let guess = output.count + (marks.count - place) * part.count + bytes.count
                output.reserveCapacity(min(guess, PlanLimits.resolvedArgumentBytes))
            }
            if mark.kind == .whole {
                output.append(contentsOf: part.bytes)
                holdsContainer = holdsContainer || part.kind == .object || part.kind == .array
            } else {
                appendText(of: part, to: &output)
            }
        }
        if cursor == bytes.startIndex { return source }
        output.append(contentsOf: bytes[cursor...])
        try checkSize(output.count)
        let resolved = RawJSON(trusted: output[...])
        if holdsContainer, resolved.depth > maximumDepth {
            throw Failure(
                code: .limit,
                message: "the arguments are nested deeper than \(maximumDepth) levels once the "
                    + "outputs are put in"
            )
        }
        return resolved
    }

    private func checkSize(_ count: Int) throws(Failure) {
        let limit = PlanLimits.resolvedArgumentBytes
        guard count > limit else { return }
        throw Failure(
            code: .limit,
            message: "the arguments are larger than \(limit) bytes once the outputs are put in"
        )
    }

    // MARK: - Places

    private func spelling(at mark: TemplateMark, in content: StringContent) -> ReferenceSpelling? {
        let quotes = mark.kind == .whole ? 1 : 0
        let start = content.bytes.startIndex
        return ReferenceSpelling(
            at: start + Int(mark.start) + quotes,
            before: start + Int(mark.end) - quotes,
            in: content
        )
    }

    private func forEachSpelling(_ body: (ReferenceSpelling, TemplateMark) -> Void) {
        let content = StringContent(bytes: source.bytes)
        for mark in marks where mark.kind != .dropped {
            if let spelling = spelling(at: mark, in: content) { body(spelling, mark) }
        }
    }

    private func part(
        of output: RawJSON,
        at spelling: ReferenceSpelling,
        in content: StringContent
    ) throws(Failure) -> RawJSON {
        if spelling.steps.isEmpty { return output }
        let path = spelling.path(in: content)
        if let part = output.value(at: path) { return part }
        throw Failure(
            code: .referenceNotFound,
            message: missingStep(of: path, in: output, node: content.text(spelling.id))
        )
    }

    /// Whether a scan can find anything: a dollar sign, or an escape that may spell one.
    private static func mayHoldMarks(_ bytes: ArraySlice<UInt8>) -> Bool {
        let span = bytes.span
        for index in span.indices {
            let byte = span[index]
            if byte == UInt8(ascii: "$") { return true }
            if byte == UInt8(ascii: "\\"), index + 5 < span.count,
                span[index + 1] == UInt8(ascii: "u"), span[index + 2] == UInt8(ascii: "0"),
                span[index + 3] == UInt8(ascii: "0"), span[index + 4] == UInt8(ascii: "2"),
                span[index + 5] == UInt8(ascii: "4")
            {
                return true
            }
        }
        return false
    }

    private static func removing(_ marks: [TemplateMark], from arguments: RawJSON) -> RawJSON {
        if marks.isEmpty { return arguments }
        let bytes = arguments.bytes
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var cursor = bytes.startIndex
        for mark in marks {
            output.append(contentsOf: bytes[cursor..<(bytes.startIndex + Int(mark.start))])
            cursor = bytes.startIndex + Int(mark.end)
        }
        output.append(contentsOf: bytes[cursor...])
        return RawJSON(trusted: output[...])
    }
}
