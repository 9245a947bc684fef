// The tools that a worker offers, each read for itself: one whose description cannot be read is not
// offered, and the session goes on. Not here: what a coordinator knows about schemas.
internal import JSON

/// The tools of a `register` or an `offer`.
struct OfferedTools {
    private(set) var tools: [ToolDescription] = []
    /// Those whose descriptions cannot be read, and why.
    private(set) var unreadable: [WithheldTool] = []

    /// Reads the tools of a message, which must have the field, unless they have been read already.
    init(_ fields: FieldReader, or known: OfferedTools?) throws(WireError) {
        if let known {
            self = known
            return
        }
        for (index, raw) in try fields.requiredElements("tools").enumerated() {
            if let object = try? JSONFields(raw) {
                add(object, index)
            } else {
                refuse(nil, index, "It must be an object.")
            }
        }
    }

    /// Reads the tools of an array that is no JSON; nil if it is not known where each one ends.
    init?(mending array: ArraySlice<UInt8>) {
        guard let elements = MendedFields.elements(of: array) else { return nil }
        for (index, text) in elements.enumerated() {
            if let object = try? JSONFields(parsing: text) {
                add(object, index)
            } else if let mended = MendedFields(text) {
                let faults = mended.broken.sorted { $0.key < $1.key }
                    .map { "The \($0.key) is no JSON: \($0.value.error.message)" }
                refuse(mended.fields, index, faults.joined(separator: " "))
            } else {
                refuse(nil, index, "It is no JSON.")
            }
        }
    }

    private mutating func add(_ object: JSONFields, _ index: Int) {
        do {
            tools.append(try ToolDescription(reading: FieldReader(object, of: "a tool")))
        } catch {
            refuse(object, index, error.message)
        }
    }

    /// Notes a tool under its name, or under its place if that cannot be read either.
    private mutating func refuse(_ object: JSONFields?, _ index: Int, _ reason: String) {
        let name = object?["name"]?.stringValue ?? ""
        let isName = (1...Limits.toolNameLength).contains(name.utf8.count)
        unreadable.append(
            WithheldTool(name: isName ? name : "tools[\(index)]", reason: reason)
        )
    }
}
