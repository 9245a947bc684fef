// Converts the arguments of a call as written, `("x", limit=3)`, to the object that a tool takes.

import JSON
import OrderedCollections

extension PlannerTools.Entry {
    /// The object for the tool, or what is wrong with the call.
    enum Binding {
        case bound(OrderedDictionary<String, JSONValue>)
        case fault(String)
    }

    /// Binds arguments to parameters: named ones by name, the others in the order of the schema's
    /// properties.
    func bind(_ written: WrittenArguments, text: [UInt8]) -> Binding {
        if let nested = written.nestedCall {
            return .fault(
                "calls \(nested) within its arguments; write that call on a line of its own and "
                    + "refer to its output"
            )
        }
        if written.hasMisfitQuote || written.swallowsCall {
            return .fault(
                "has arguments whose quotes do not fit; put \\ before a quote inside a string"
            )
        }
        var items = written.items
        if let object = wholeObject(items) { return .bound(object) }
        if names.count == 1, items.count > 1, items.allSatisfy({ $0.name == nil }),
            items.contains(where: \.isBare)
        {
            // Unquoted words with commas between them are one text if the tool takes only a text.
            let whole = String(decoding: text, as: UTF8.self)
            let trimmed = whole.utf8.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
            let value = JSONValue.string(String(decoding: Array(trimmed), as: UTF8.self))
            items = [WrittenArgument(name: nil, value: value, isBare: true, source: whole)]
        }
        var bound: OrderedDictionary<String, JSONValue> = [:]
        for (position, item) in items.enumerated() {
            guard let name = item.name ?? (position < names.count ? names[position] : nil) else {
                return .fault(tooMany(items.count))
            }
            guard bound[name] == nil else {
                return .fault("gives the argument \(quoted(name)) twice")
            }
            bound[name] = fitted(item, to: name)
        }
        return .bound(bound)
    }

    /// The single argument if it is an object of arguments, `search({"query": "x"})`.
    private func wholeObject(
        _ items: [WrittenArgument]
    ) -> OrderedDictionary<String, JSONValue>? {
        guard items.count == 1, items[0].name == nil, let fields = items[0].value.objectValue
        else { return nil }
        guard let first = names.first else { return fields }
        let types = parameters["properties"]?[first]?.schemaTypes ?? []
        guard !types.isEmpty, !types.contains("object") else { return nil }
        return fields.keys.allSatisfy(names.contains) ? fields : nil
    }

    /// The value in the type of the parameter: numbers and unquoted words become text where only
    /// text is allowed.
    private func fitted(_ item: WrittenArgument, to name: String) -> JSONValue {
        guard parameters["properties"]?[name]?.schemaTypes == ["string"] else {
            return item.value
        }
        switch item.value {
        case .integer, .double, .bigNumber, .bool: return .string(item.source)
        default: return item.value
        }
    }

    private func tooMany(_ count: Int) -> String {
        switch names.count {
        case 0:
            "gives arguments without names to \(tool.name), whose parameters have no order; "
                + "write name=value"
        case 1:
            "gives \(count) arguments to \(tool.name), which takes one: \(names[0])"
        default:
            "gives \(count) arguments to \(tool.name), which takes \(names.count): "
                + names.joined(separator: ", ")
        }
    }
}
