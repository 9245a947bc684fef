// The pieces of a text of YAML one after the other, as libyaml finds them.
internal import CYAML

/// Reads the pieces of one text.
final class YAMLEvents {
    /// A piece of a text.
    struct Event {
        /// The kinds of pieces.
        enum Kind {
            /// The text is over.
            case end
            /// A document begins.
            case document
            /// A scalar.
            case scalar(YAMLNode.Scalar)
            /// A sequence begins; its values follow, then ``close``.
            case sequence
            /// A mapping begins; its keys and values follow in turn, then ``close``.
            case mapping
            /// A sequence or mapping ends.
            case close
            /// The value with that anchor comes again.
            case alias(String)
        }

        /// What it is.
        var kind: Kind
        /// The name by which aliases find the value; nil if it has none.
        var anchor: String?
        /// Where it begins, both from 1.
        var line: Int
        var column: Int
    }

    private let reader: OpaquePointer

    /// Starts with a text.
    init(_ text: String) throws(YAMLError) {
        let bytes = Array(text.utf8)
        guard let reader = weft_yaml_open(bytes, bytes.count) else { throw .noMemory }
        self.reader = reader
    }

    deinit {
        weft_yaml_close(reader)
    }

    /// The next piece.
    func next() throws(YAMLError) -> Event {
        let event = weft_yaml_next(reader)
        let kind: Event.Kind
        switch event.kind {
        case WEFT_YAML_DOCUMENT: kind = .document
        case WEFT_YAML_SCALAR: kind = .scalar(scalar(event))
        case WEFT_YAML_SEQUENCE: kind = .sequence
        case WEFT_YAML_MAPPING: kind = .mapping
        case WEFT_YAML_CLOSE: kind = .close
        case WEFT_YAML_ALIAS: kind = .alias(part(WEFT_YAML_ANCHOR, event.lengths.2))
        case WEFT_YAML_INVALID:
            throw YAMLError(
                line: event.line > 0 ? Int(event.line) : nil,
                invalid: part(WEFT_YAML_TEXT, event.lengths.0)
            )
        case WEFT_YAML_NO_MEMORY: throw .noMemory
        default: kind = .end
        }
        return Event(
            kind: kind,
            anchor: event.lengths.2 > 0 ? part(WEFT_YAML_ANCHOR, event.lengths.2) : nil,
            line: Int(event.line),
            column: Int(event.column)
        )
    }

    private func scalar(_ event: weft_yaml_event) -> YAMLNode.Scalar {
        let style: YAMLNode.Scalar.Style =
            switch event.style {
            case WEFT_YAML_SINGLE_QUOTED: .singleQuoted
            case WEFT_YAML_DOUBLE_QUOTED: .doubleQuoted
            case WEFT_YAML_LITERAL: .literal
            case WEFT_YAML_FOLDED: .folded
            default: .plain
            }
        return YAMLNode.Scalar(
            part(WEFT_YAML_TEXT, event.lengths.0),
            style: style,
            tag: event.lengths.1 > 0 ? part(WEFT_YAML_TAG, event.lengths.1) : nil
        )
    }

    private func part(_ part: weft_yaml_part, _ length: Int) -> String {
        guard length > 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: length)
        weft_yaml_copy(reader, part, &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension YAMLError {
    static let noMemory = YAMLError(line: nil, message: "There is no memory to read the file.")
}
