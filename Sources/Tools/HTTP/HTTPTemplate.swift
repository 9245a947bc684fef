// The request of an HTTP tool, compiled once: where it goes is fixed by the manifest, arguments
// become single segments of the path, values of the query, header lines or parts of the body. Not
// here: reading it from a manifest, sending it.
internal import Core
internal import JSON

/// What an HTTP tool sends, with placeholders.
struct HTTPTemplate: Sendable, Equatable {
    enum Body: Sendable, Equatable {
        case none
        /// JSON, or a text as it is where the type is not JSON.
        case json(JSONTemplate)
        /// A form, whose fields are encoded as in a query.
        case form([Entry])
        /// The arguments that nothing else names, as a JSON object.
        case otherArguments
    }

    /// A name with its value: of a query, a header, a form.
    struct Entry: Sendable, Equatable {
        var name: String
        var value: TextTemplate
        /// Whether the values of a list are joined by commas; otherwise each has an entry.
        var joins = false
        /// Whether a list or object is written as JSON.
        var isJSON = false
    }

    var method = "GET"
    /// The URL up to its query: the host has no argument in it.
    var url: TextTemplate
    var query: [Entry] = []
    var headers: [Entry] = []
    var body = Body.none

    /// The names of the arguments that are used, as far as they are named.
    var parameters: [String] {
        url.parameters + (query + headers).flatMap(\.value.parameters) + bodyParameters
    }

    private var bodyParameters: [String] {
        switch body {
        case .none, .otherArguments: []
        case .json(let template): template.texts.flatMap(\.parameters)
        case .form(let entries): entries.flatMap(\.value.parameters)
        }
    }

    /// The worker's variables that it names.
    var variables: [String] {
        var texts = [url] + (query + headers).map(\.value)
        switch body {
        case .json(let template): texts += template.texts
        case .form(let entries): texts += entries.map(\.value)
        case .none, .otherArguments: break
        }
        return texts.flatMap(\.variables)
    }

    /// The template with the worker's variables put in.
    func expanded(_ environment: [String: String]) -> HTTPTemplate {
        func expanded(_ entries: [Entry]) -> [Entry] {
            entries.map { entry in
                var entry = entry
                entry.value = entry.value.expanded(environment)
                return entry
            }
        }
        var copy = self
        copy.url = url.expanded(environment)
        copy.query = expanded(query)
        copy.headers = expanded(headers)
        switch body {
        case .json(let template): copy.body = .json(template.expanded(environment))
        case .form(let entries): copy.body = .form(expanded(entries))
        case .none, .otherArguments: break
        }
        return copy
    }

    // MARK: - Rendering

    /// A request without its time limits.
    struct Rendered: Equatable {
        var method: String
        var url: String
        var headers: [Header]
        var body: [UInt8]
    }

    struct Header: Equatable {
        var name: String
        var value: String
    }

    /// The request of one call; its variables have been put in.
    ///
    /// Throws `bad_args` for a value that would lead to another place, or cannot be sent.
    func render(_ arguments: RawJSON) throws(Failure) -> Rendered {
        let values = CallArguments(arguments)
        let address = try url.text(values) { (text, name) throws(Failure) in
            try URLEncoding.segment(text, name)
        }
        guard let address else { throw Self.lacks(url.parameters.first { values[$0] == nil }) }
        var headers: [Header] = []
        for entry in self.headers {
            let value = try entry.value.text(values) { (text, name) throws(Failure) in
                try Self.header(text, name)
            }
            if let value { headers.append(Header(name: entry.name, value: value)) }
        }
        let pairs = Self.encoded(query, values)
        let separator = address.contains("?") ? "&" : "?"
        let (bytes, type) = body(values)
        if let type, !headers.contains(where: { $0.name.lowercased() == "content-type" }) {
            headers.append(Header(name: "Content-Type", value: type))
        }
        return Rendered(
            method: method,
            url: pairs.isEmpty ? address : address + separator + pairs,
            headers: headers,
            body: bytes
        )
    }

    private static func lacks(_ name: String?) -> Failure {
        Failure(
            code: .badArguments,
            message: "/\(name ?? ""): is required, because it is a part of the address."
        )
    }

    private static func header(_ text: String, _ name: String) throws(Failure) -> String {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw Failure(
                code: .badArguments,
                message: "/\(name): holds a line end or another control character, which no header"
                    + " can hold."
            )
        }
        return text
    }

    /// The entries as `a=1&b=2`; those with an absent argument are left out.
    private static func encoded(_ entries: [Entry], _ arguments: CallArguments) -> String {
        entries.flatMap { entry in
            entry.texts(arguments).map {
                URLEncoding.value(entry.name) + "=" + URLEncoding.value($0)
            }
        }
        .joined(separator: "&")
    }

    private func body(_ arguments: CallArguments) -> ([UInt8], type: String?) {
        switch body {
        case .none: return ([], nil)
        case .form(let entries):
            let text = Self.encoded(entries, arguments)
            return (Array(text.utf8), "application/x-www-form-urlencoded")
        case .otherArguments:
            let named = Set(parameters)
            let object = RawJSON.object { writer in
                for (name, value) in arguments.values.sorted(by: { $0.key < $1.key })
                where !named.contains(name) {
                    writer.key(escaping: name)
                    writer.raw(value)
                }
            }
            return (Array(object.bytes), "application/json")
        case .json(let template):
            guard template.isPresent(arguments) else { return ([], nil) }
            if isText, case .text(let text) = template {
                return (Array(text.plainText(arguments).utf8), nil)
            }
            var writer = JSONWriter(reserving: 256)
            template.write(arguments, into: &writer)
            return (writer.bytes, "application/json")
        }
    }

    /// Whether a text is sent as it is, because the type that the manifest gives is not JSON.
    private var isText: Bool {
        let type = headers.first { $0.name.lowercased() == "content-type" }?.value.literal
        return type.map { !$0.lowercased().contains("json") } ?? false
    }
}

extension HTTPTemplate.Entry {
    /// The values of the entry for a call; none if an argument is absent.
    fileprivate func texts(_ arguments: CallArguments) -> [String] {
        if let name = value.wholeParameter, !isJSON, let list = arguments[name], list.kind == .array
        {
            var texts: [String] = []
            list.forEachElement { texts.append($0.plainText) }
            return joins ? [texts.joined(separator: ",")] : texts
        }
        let isComplete = value.parameters.allSatisfy { arguments[$0] != nil }
        return isComplete ? [value.plainText(arguments)] : []
    }
}

/// Percent-encoding of what arguments put into a URL.
enum URLEncoding {
    /// A value as one segment of a path, or a part of one.
    ///
    /// Throws `bad_args` for a value that a server could read as another path.
    static func segment(_ text: String, _ name: String) throws(Failure) -> String {
        let parts = text.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }
        guard !text.isEmpty, !parts.contains("."), !parts.contains("..") else {
            throw Failure(
                code: .badArguments,
                message: "/\(name): is a part of the address and can be neither empty nor hold . or"
                    + " .. as a part of a path."
            )
        }
        return value(text)
    }

    /// A value of a query or a form.
    static func value(_ text: String) -> String {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.append(byte)
            default:
                let digits = Array("0123456789ABCDEF".utf8)
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
