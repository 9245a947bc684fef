// Changes references in arguments: to plain text, or to another node.

import Core
import JSON
import OrderedCollections
import Plans

/// What a reference is changed to.
enum ReferenceRewriting {
    /// A second dollar sign makes it text.
    case escape
    /// It refers to that node.
    case rename(NodeID)
}

/// The arguments with changed references.
///
/// Those for which there is nil stay as they are.
func rewritingReferences(
    in arguments: RawJSON,
    _ rewriting: (NodeID) -> ReferenceRewriting?
) -> RawJSON {
    let value = JSONValue(arguments)
    let rewritten = value.mappingTexts { rewrittenReferences(in: $0, rewriting) }
    return rewritten == value ? arguments : RawJSON(rewritten)
}

extension JSONValue {
    func mappingTexts(_ change: (String) -> String) -> JSONValue {
        switch self {
        case .string(let text): .string(change(text))
        case .array(let elements): .array(elements.map { $0.mappingTexts(change) })
        case .object(let fields): .object(fields.mapValues { $0.mappingTexts(change) })
        default: self
        }
    }
}

private func rewrittenReferences(
    in text: String,
    _ rewriting: (NodeID) -> ReferenceRewriting?
) -> String {
    guard text.contains("$") else { return text }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
        let byte = bytes[index]
        result.append(byte)
        index += 1
        guard byte == UInt8(ascii: "$"), index < bytes.count else { continue }
        if bytes[index] == byte {
            result.append(byte)
            index += 1
            continue
        }
        let isBraced = bytes[index] == UInt8(ascii: "{")
        let start = isBraced ? index + 1 : index
        let name = bytes[start...].prefix { byte in
            isNameByte(byte) && !".:/".utf8.contains(byte)
                && (isBraced || byte != UInt8(ascii: "-"))
        }
        guard let id = NodeID(String(decoding: name, as: UTF8.self)) else { continue }
        switch rewriting(id) {
        case nil:
            break
        case .escape:
            result.append(byte)
        case .rename(let other):
            if isBraced { result.append(UInt8(ascii: "{")) }
            result += other.text.utf8
            index = start + name.count
        }
    }
    return String(decoding: result, as: UTF8.self)
}
