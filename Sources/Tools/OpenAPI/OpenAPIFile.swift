// An OpenAPI 3.x file as a list of operations. References within the file are followed; nothing is
// fetched. Not here: making tools of them (OpenAPITools).
internal import FoundationEssentials
internal import JSON
internal import OrderedCollections
internal import YAML

/// Why a file or one of its operations cannot be used, as a sentence.
struct OpenAPIProblem: Error {
    var message: String
}

/// The operations of a file.
struct OpenAPIFile {
    struct Operation {
        var id: String
        /// In capitals.
        var method: String
        /// With its placeholders: `/pets/{id}`.
        var path: String
        var fields: JSONValue
        /// The parameters of the operation and those of its path.
        var parameters: [JSONValue]
        /// Where its servers are listed: the operation, its path or the file.
        var servers: JSONValue?
    }

    let document: JSONValue
    /// Whether it is of version 3.0, whose schemas are not JSON Schema.
    let isOld: Bool
    private(set) var operations: [Operation] = []

    private static let sizeLimit = 32 << 20

    /// Reads YAML or JSON.
    init(path: String) throws(OpenAPIProblem) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw OpenAPIProblem(message: "There is no file \(path), or it cannot be read.")
        }
        guard data.count <= Self.sizeLimit, let text = String(validating: data, as: UTF8.self)
        else {
            throw OpenAPIProblem(message: "\(path) is too large, or is not UTF-8 text.")
        }
        try self.init(text: text)
    }

    init(text: String) throws(OpenAPIProblem) {
        document = try Self.parsed(text)
        let version = document["openapi"]?.stringValue ?? ""
        guard version.hasPrefix("3.") else {
            throw OpenAPIProblem(
                message: "The file must say openapi: 3.x; older ones have to be converted first."
            )
        }
        isOld = version.hasPrefix("3.0")
        for (path, item) in document["paths"]?.objectValue ?? [:] {
            let item = resolved(item) ?? item
            for (method, fields) in item.objectValue ?? [:] {
                let method = method.uppercased()
                guard ManifestReader.methods.contains(method) else { continue }
                let words = path.split { !($0.isLetter || $0.isNumber || $0 == "_") }
                operations.append(
                    Operation(
                        id: fields["operationId"]?.stringValue
                            ?? ([method.lowercased()] + words.map(String.init))
                            .joined(separator: "_"),
                        method: method,
                        path: path,
                        fields: fields,
                        parameters: merged(item["parameters"], fields["parameters"]),
                        servers: fields["servers"] ?? item["servers"] ?? document["servers"]
                    )
                )
            }
        }
    }

    private static func parsed(_ text: String) throws(OpenAPIProblem) -> JSONValue {
        if text.first(where: { !$0.isWhitespace }) == "{" {
            do {
                return try JSONValue(parsing: text)
            } catch {
                throw OpenAPIProblem(message: "The file is not JSON. \(error)")
            }
        }
        do {
            guard let node = try YAMLNode.parse(text) else {
                throw OpenAPIProblem(message: "The file is empty.")
            }
            return try JSONValue(node)
        } catch let problem as OpenAPIProblem {
            throw problem
        } catch let error as YAMLError {
            throw OpenAPIProblem(message: "The file is not YAML. \(error.message)")
        } catch let error as YAMLConversionError {
            throw OpenAPIProblem(
                message: "The file's line \(error.line ?? 0) \(error.message)"
            )
        } catch {
            throw OpenAPIProblem(message: "The file cannot be read. \(error)")
        }
    }

    /// The parameters of a path and of an operation, which replaces those with the same name.
    private func merged(_ outer: JSONValue?, _ inner: JSONValue?) -> [JSONValue] {
        let own = (inner?.arrayValue ?? []).map { resolved($0) ?? $0 }
        let common = (outer?.arrayValue ?? []).map { resolved($0) ?? $0 }
        return own
            + common.filter { parameter in
                !own.contains { $0["name"] == parameter["name"] && $0["in"] == parameter["in"] }
            }
    }

    /// What a value is, behind its references; nil if they lead nowhere.
    func resolved(_ value: JSONValue) -> JSONValue? {
        var value = value
        for _ in 0..<20 {
            guard let reference = value["$ref"]?.stringValue else { return value }
            guard let target = target(of: reference) else { return nil }
            value = target
        }
        return nil
    }

    /// The part of the file that a reference means.
    func target(of reference: String) -> JSONValue? {
        guard reference.hasPrefix("#/") else { return nil }
        var part = document
        for step in reference.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false) {
            let key = String(step).replacing("~1", with: "/").replacing("~0", with: "~")
            let next = part.arrayValue == nil ? part[key] : Int(key).flatMap { part[$0] }
            guard let next else { return nil }
            part = next
        }
        return part
    }
}
