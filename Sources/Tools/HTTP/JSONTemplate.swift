// A JSON value in which `{name}` stands for an argument: the body of an HTTP tool.
internal import Core
internal import JSON
internal import OrderedCollections

/// A value with placeholders in its texts.
///
/// A text that is a placeholder becomes the argument as it is; within a longer text it becomes text.
/// A field or element with an absent argument is left out.
indirect enum JSONTemplate: Sendable, Equatable {
    case value(JSONValue)
    case text(TextTemplate)
    case array([JSONTemplate])
    case object(OrderedDictionary<String, JSONTemplate>)

    /// Reads a value; keys have no placeholders.
    init(_ value: JSONValue) throws(TextTemplate.Problem) {
        switch value {
        case .string(let text): self = .text(try TextTemplate(text))
        case .array(let elements):
            var list: [JSONTemplate] = []
            for element in elements { list.append(try JSONTemplate(element)) }
            self = .array(list)
        case .object(let fields):
            var object: OrderedDictionary<String, JSONTemplate> = [:]
            for (name, field) in fields { object[name] = try JSONTemplate(field) }
            self = .object(object)
        default: self = .value(value)
        }
    }

    /// All texts in it.
    var texts: [TextTemplate] {
        switch self {
        case .value: []
        case .text(let text): [text]
        case .array(let elements): elements.flatMap(\.texts)
        case .object(let fields): fields.values.flatMap(\.texts)
        }
    }

    /// The template with the worker's variables put in.
    func expanded(_ environment: [String: String]) -> JSONTemplate {
        switch self {
        case .value: self
        case .text(let text): .text(text.expanded(environment))
        case .array(let elements): .array(elements.map { $0.expanded(environment) })
        case .object(let fields): .object(fields.mapValues { $0.expanded(environment) })
        }
    }

    /// Whether it has a value for a call: a text has none if an argument in it is absent.
    func isPresent(_ arguments: CallArguments) -> Bool {
        guard case .text(let text) = self else { return true }
        return text.parameters.allSatisfy { arguments[$0] != nil }
    }

    /// Writes the value for a call, which must be present; arguments go in as they came.
    func write(_ arguments: CallArguments, into writer: inout JSONWriter) {
        switch self {
        case .value(let value): writer.value(value)
        case .text(let text):
            if let value = text.wholeParameter.flatMap({ arguments[$0] }) {
                writer.raw(value)
            } else {
                writer.string(text.plainText(arguments))
            }
        case .array(let elements):
            writer.beginArray()
            for element in elements where element.isPresent(arguments) {
                element.write(arguments, into: &writer)
            }
            writer.endArray()
        case .object(let fields):
            writer.beginObject()
            for (name, field) in fields where field.isPresent(arguments) {
                writer.key(escaping: name)
                field.write(arguments, into: &writer)
            }
            writer.endObject()
        }
    }
}
