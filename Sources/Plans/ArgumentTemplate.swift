// The arguments of a node before the outputs of other nodes are put in. Putting them in is in
// ArgumentTemplate+Resolving.swift.

public import Core
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
/// `$` uses the longest run of ASCII letters, digits and underscores after it, so `$15` is never
/// `$1` and a 5; an id with a hyphen needs braces. `${t1['odd.key']}` refers to a key that contains
/// a dot or a bracket. Text does not depend on how a tool has escaped its output; numbers and the
/// order of keys stay as written. Keys of objects are never scanned. A `$` may be written as the
/// escape `\u0024`.
public struct ArgumentTemplate: Sendable {
    /// One reference to the output of a node.
    public struct Reference: Sendable, Hashable {
        /// The id it names; there may be no such node.
        public var id: NodeID
        /// The part of the output; empty for the whole output.
        public var path: [JSONPathStep]
        /// Whether it is a whole string, so that the value keeps its type.
        public var isWhole: Bool
    }

    /// What a reference means.
    public enum Value: Sendable {
        /// The output of the node.
        case output(RawJSON)
        /// No node has the id; the text stays as written.
        case literal
    }

    /// The arguments as written; without references, as they are sent.
    public private(set) var source: RawJSON
    let marks: [TemplateMark]
    /// Whether one of two dollar signs was removed somewhere in `source`, so that text that looks
    /// like a reference may be none.
    let isUnescaped: Bool

    /// Compiles arguments; never fails, because text that is not a well-formed reference stays
    /// text.
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

    /// Arguments without references, even if some text looks like one.
    init(literal arguments: RawJSON) {
        source = arguments
        marks = []
        isUnescaped = true
    }

    /// The memory of the template.
    var heldBytes: Int { source.count + marks.count * MemoryLayout<TemplateMark>.stride }

    /// Keeps the same text in another buffer.
    mutating func move(to text: ArraySlice<UInt8>) {
        source = RawJSON(trusted: text)
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

    // MARK: - Places

    func spelling(at mark: TemplateMark, in content: StringContent) -> ReferenceSpelling? {
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

    /// Whether a scan can find anything: a dollar sign, or an escape that may encode one.
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
