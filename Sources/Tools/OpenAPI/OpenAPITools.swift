// Tools of the operations of an OpenAPI file: parameters and body become arguments, the response's
// schema what planners know of the output. Not here: reading the file (OpenAPIFile).
internal import Core
internal import JSON
internal import OrderedCollections
internal import Schemas
internal import Wire

/// Makes one tool of an operation.
struct OpenAPITools {
    let file: OpenAPIFile
    let operation: OpenAPIFile.Operation
    private var schemas: OpenAPISchemas
    private var properties: OrderedDictionary<String, JSONValue> = [:]
    private var required: [JSONValue] = []
    /// The arguments of the path's placeholders.
    private var pathArguments: [String: String] = [:]
    private(set) var template: HTTPTemplate

    /// Makes the template of an operation at an address, which has no slash at its end.
    init(
        file: OpenAPIFile,
        operation: OpenAPIFile.Operation,
        base: TextTemplate
    ) throws(OpenAPIProblem) {
        self.file = file
        self.operation = operation
        schemas = OpenAPISchemas(file: file)
        template = HTTPTemplate(method: operation.method, url: base)
        for parameter in operation.parameters { try add(parameter) }
        try addPath()
        try addBody()
    }

    /// The schema of the arguments.
    mutating func parameters() throws(OpenAPIProblem) -> RawJSON {
        var schema: OrderedDictionary<String, JSONValue> = [
            "type": "object", "properties": .object(properties), "required": .array(required),
            "additionalProperties": false,
        ]
        let definitions = try schemas.definitions()
        if !definitions.isEmpty { schema["$defs"] = .object(definitions) }
        let raw = RawJSON(.object(schema))
        do {
            _ = try Schema(compiling: raw)
        } catch {
            throw OpenAPIProblem(message: "Its parameters are no usable schema. \(error)")
        }
        return raw
    }

    /// The schema of the response to a success; nil if there is none that can be used.
    func output() -> RawJSON? {
        var schemas = OpenAPISchemas(file: file)
        let responses = operation.fields["responses"]?.objectValue ?? [:]
        for (status, response) in responses where status.hasPrefix("2") {
            guard let response = file.resolved(response),
                let schema = content(response)?.json?["schema"]
            else { continue }
            let converted = schemas.convert(schema)
            guard var fields = converted.objectValue, let definitions = try? schemas.definitions()
            else { return nil }
            if !definitions.isEmpty { fields["$defs"] = .object(definitions) }
            let raw = RawJSON(.object(fields))
            return (try? Schema(compiling: raw)) == nil ? nil : raw
        }
        return nil
    }

    /// What it does, for planners.
    var words: String {
        let parts = ["summary", "description"].compactMap { operation.fields[$0]?.stringValue }
            .filter { !$0.isEmpty }
        guard parts.count == 2, !parts[1].hasPrefix(parts[0]) else { return parts.last ?? "" }
        return parts.joined(separator: "\n")
    }

    /// A name of letters, digits and a few signs, as tools and arguments have.
    static func plainName(_ name: String) -> String {
        let plain = name.unicodeScalars.map { scalar -> Character in
            scalar.isASCII
                && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                    || "_-.".unicodeScalars.contains(scalar))
                ? Character(scalar) : "_"
        }
        return String(plain)
    }

    // MARK: - Parameters

    private mutating func add(_ parameter: JSONValue) throws(OpenAPIProblem) {
        guard let name = parameter["name"]?.stringValue, let place = parameter["in"]?.stringValue
        else { throw OpenAPIProblem(message: "One of its parameters has no name or place.") }
        let isRequired = parameter["required"] == .bool(true) || place == "path"
        if place == "cookie" {
            guard !isRequired else {
                throw OpenAPIProblem(message: "It needs the cookie \(name); cookies are not sent.")
            }
            return
        }
        // OpenAPI has these elsewhere, whatever a parameter says.
        if place == "header",
            ["accept", "content-type", "authorization"].contains(name.lowercased())
        {
            return
        }
        let content = content(parameter)
        let schema = parameter["schema"] ?? content?.json?["schema"] ?? [:]
        let argument = try addArgument(
            name,
            schema,
            description: parameter["description"],
            isRequired: isRequired
        )
        var entry = HTTPTemplate.Entry(name: name, value: TextTemplate(argument: argument))
        entry.isJSON = parameter["schema"] == nil
        switch place {
        case "path": pathArguments[name] = argument
        case "header": template.headers.append(entry)
        case "query":
            let style = parameter["style"]?.stringValue ?? "form"
            let isObject = file.resolved(schema)?["type"] == "object"
            guard style == "form", !isObject || entry.isJSON else {
                throw OpenAPIProblem(
                    message:
                        "Its parameter \(name) has the style \(isObject ? "of an object" : style),"
                        + " which is not supported."
                )
            }
            entry.joins = parameter["explode"] == .bool(false)
            template.query.append(entry)
        default: throw OpenAPIProblem(message: "Its parameter \(name) has the place \(place).")
        }
    }

    /// Declares an argument under a name of its own.
    private mutating func addArgument(
        _ name: String,
        _ schema: JSONValue,
        description: JSONValue?,
        isRequired: Bool
    ) throws(OpenAPIProblem) -> String {
        let argument = Self.plainName(name)
        guard properties[argument] == nil else {
            throw OpenAPIProblem(message: "Two of its arguments would be named \(argument).")
        }
        var converted = schemas.convert(schema)
        if case .object(var fields) = converted, fields["description"] == nil, let description {
            fields["description"] = description
            converted = .object(fields)
        }
        properties[argument] = converted
        if isRequired { required.append(.string(argument)) }
        return argument
    }

    private mutating func addPath() throws(OpenAPIProblem) {
        var rest = operation.path[...]
        while let start = rest.firstIndex(of: "{"), let end = rest[start...].firstIndex(of: "}") {
            template.url.append(text: String(rest[..<start]))
            let name = String(rest[rest.index(after: start)..<end])
            guard let argument = pathArguments[name] else {
                throw OpenAPIProblem(message: "Its path has {\(name)}, which is not a parameter.")
            }
            template.url.append(argument: argument)
            rest = rest[rest.index(after: end)...]
        }
        template.url.append(text: String(rest))
    }

    // MARK: - The body

    private mutating func addBody() throws(OpenAPIProblem) {
        guard let written = operation.fields["requestBody"] else { return }
        guard let body = file.resolved(written), let content = content(body) else {
            throw OpenAPIProblem(message: "Its requestBody has no content.")
        }
        let isRequired = body["required"] == .bool(true)
        if let json = content.json {
            let argument = try addArgument(
                properties["body"] == nil ? "body" : "request_body",
                json["schema"] ?? [:],
                description: body["description"],
                isRequired: isRequired
            )
            template.body = .json(.text(TextTemplate(argument: argument)))
        } else if let form = content.form {
            let schema = form["schema"].flatMap { file.resolved($0) } ?? [:]
            let needed = schema["required"]?.arrayValue ?? []
            var entries: [HTTPTemplate.Entry] = []
            for (name, property) in schema["properties"]?.objectValue ?? [:] {
                let argument = try addArgument(
                    name,
                    property,
                    description: nil,
                    isRequired: isRequired && needed.contains(.string(name))
                )
                entries.append(
                    HTTPTemplate.Entry(name: name, value: TextTemplate(argument: argument))
                )
            }
            template.body = .form(entries)
        } else {
            throw OpenAPIProblem(message: "Its body is neither JSON nor a form.")
        }
    }

    private func content(_ holder: JSONValue) -> (json: JSONValue?, form: JSONValue?)? {
        guard let types = holder["content"]?.objectValue else { return nil }
        let json = types.first { name, _ in
            let type = name.prefix { $0 != ";" }.lowercased()
            return type == "application/json" || type.hasSuffix("+json")
        }
        return (json?.value, types["application/x-www-form-urlencoded"])
    }
}
