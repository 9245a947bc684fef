// HTTP tools in a manifest: `http`, `retry_on`, `allow_hosts`. Not here: what is made of them
// (HTTPTemplate, HTTPTool).
internal import Configuration
internal import Core
internal import JSON
internal import OrderedCollections
internal import Wire
internal import YAML

extension ManifestReader {
    private static let httpFields = [
        "method", "url", "query", "headers", "body", "form", "proxy",
    ]
    static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    /// Fields that are about programs.
    private static let programFields = [
        "command", "persistent", "success_exit_codes", "env", "pass_env", "allow_dash", "limits",
        "sandbox", "privileges", "stdin", "retry_on_exit", "fail_on_exit",
    ]
    /// Headers that belong to the connection.
    private static let ownHeaders = [
        "host", "content-length", "transfer-encoding", "connection", "accept-encoding",
    ]

    mutating func readHTTP(_ tool: inout ManifestTool, _ fields: YAMLNode.Mapping) {
        for name in Self.programFields where fields[name] != nil {
            report(fields[name], field: name, "has no effect for an HTTP tool. Remove it.")
        }
        tool.output = output(&tool.description, fields, usual: nil)
        guard let node = fields["http"], let inner = node.mapping else {
            return report(
                fields["http"],
                field: "http",
                "must be fields such as {method: GET, url: \"https://example.com/{id}\"}."
            )
        }
        checkNames(inner, Self.httpFields)
        guard let urlNode = inner["url"] else {
            return report(node, field: "url", "is missing. Give the address of the request.")
        }
        guard let url = template(urlNode, field: "url") else { return }
        var template = HTTPTemplate(method: method(inner), url: url)
        template.query = entries(inner, "query")
        template.headers = headers(inner)
        template.body = body(inner, template.method)
        checkParameters(template.parameters, of: tool, node, field: "http")
        let http = HTTPTool(
            template: template,
            retried: statuses(fields),
            allowed: fields["allow_hosts"] == nil ? allowedHosts : allowedHosts(fields),
            proxy: text(inner, "proxy")
        )
        check(http, urlNode)
        describeEffects(&tool.description, fields, Self.effects(of: template.method))
        tool.http = http
    }

    /// Reports what is wrong with an address, as far as it can be told without the variables.
    private mutating func check(_ http: HTTPTool, _ node: YAMLNode) {
        let url = http.template.url
        let texts = url.pieces.map { if case .text(let text) = $0 { text } else { "" } }
        if texts.joined().contains("#") {
            report(node, field: "url", "has a # in it, which is never sent. Remove it.")
        }
        var isInQuery = false
        for piece in url.pieces {
            switch piece {
            case .text(let text): isInQuery = isInQuery || text.contains("?")
            case .value(let name):
                guard isInQuery else { continue }
                report(node, field: "url", "has {\(name)} behind its ?. Put it under query.")
            case .variable: continue
            }
        }
        if url.variables.isEmpty {
            if let problem = http.problem(url) {
                report(node, field: "url", "is no use: \(problem).")
            }
            return
        }
        // With a variable at its start the worker checks the rest.
        if case .text? = url.pieces.first, HTTPTool.host(of: url) == nil {
            let plain = url.expanded(Dictionary(url.variables.map { ($0, "x") }) { $1 })
            if let problem = http.problem(plain) {
                report(node, field: "url", "is no use: \(problem).")
            }
        }
    }

    /// What a method does: GET changes nothing, PUT and DELETE do the same when they are repeated.
    static func effects(of method: String) -> (isIdempotent: Bool, isReadOnly: Bool) {
        let isReadOnly = ["GET", "HEAD", "OPTIONS"].contains(method)
        return (isReadOnly || ["PUT", "DELETE"].contains(method), isReadOnly)
    }

    private mutating func method(_ fields: YAMLNode.Mapping) -> String {
        guard let node = fields["method"] else { return "GET" }
        let method = node.plainText.uppercased()
        if Self.methods.contains(method) { return method }
        report(node, field: "method", "must be one of \(Self.methods.joined(separator: ", ")).")
        return "GET"
    }

    /// Names with templates as their values.
    mutating func entries(_ fields: YAMLNode.Mapping, _ name: String) -> [HTTPTemplate.Entry] {
        guard let node = fields[name], !node.isNull else { return [] }
        guard let mapping = node.mapping else {
            report(node, field: name, "must be names with their values, such as {q: \"{text}\"}.")
            return []
        }
        var entries: [HTTPTemplate.Entry] = []
        for (key, value) in mapping {
            guard let template = template(value, field: name) else { continue }
            entries.append(HTTPTemplate.Entry(name: key.plainText, value: template))
        }
        return entries
    }

    /// Header lines, whose names must be such.
    mutating func headers(_ fields: YAMLNode.Mapping) -> [HTTPTemplate.Entry] {
        let entries = entries(fields, "headers")
        for entry in entries {
            let isName =
                !entry.name.isEmpty
                && entry.name.utf8.allSatisfy {
                    $0 > 0x20 && $0 < 0x7F && !":()<>@,;\\\"/[]?={}".utf8.contains($0)
                }
            if !isName {
                report(fields["headers"], field: "headers", "has a name that no header can have.")
            } else if Self.ownHeaders.contains(entry.name.lowercased()) {
                report(
                    fields["headers"],
                    field: "headers",
                    "has \(entry.name), which the connection decides. Remove it."
                )
            }
        }
        return entries
    }

    private mutating func body(_ fields: YAMLNode.Mapping, _ method: String) -> HTTPTemplate.Body {
        let takesBody = ["POST", "PUT", "PATCH"].contains(method)
        if let node = fields["form"], let other = fields["body"], !node.isNull, !other.isNull {
            report(node, field: "form", "cannot be there beside body. Remove one of both.")
        }
        if let node = fields["form"], !node.isNull {
            if !takesBody, method != "DELETE" {
                report(node, field: "form", "cannot be sent with \(method).")
            }
            return .form(entries(fields, "form"))
        }
        guard let node = fields["body"] else { return takesBody ? .otherArguments : .none }
        if node.isNull { return .none }
        if !takesBody, method != "DELETE" {
            report(node, field: "body", "cannot be sent with \(method).")
        }
        do {
            let value = try JSONValue(node)
            do {
                return .json(try JSONTemplate(value))
            } catch {
                report(node, field: "body", error.message)
            }
        } catch {
            add(error.message, field: "body", line: error.line ?? node.line)
        }
        return .none
    }

    mutating func statuses(_ fields: YAMLNode.Mapping) -> StatusSet? {
        guard let node = fields["retry_on"] else { return nil }
        var set = StatusSet()
        guard let list = node.sequence, list.allSatisfy({ set.add($0.plainText) }) else {
            report(node, field: "retry_on", "must be a list of statuses, such as [429, 5xx].")
            return nil
        }
        return set
    }

    mutating func allowedHosts(_ fields: YAMLNode.Mapping) -> AllowedHosts? {
        guard let node = fields["allow_hosts"] else { return nil }
        var hosts = AllowedHosts()
        guard let list = node.sequence, list.allSatisfy({ hosts.add($0.plainText) }) else {
            report(
                node,
                field: "allow_hosts",
                "must be a list of hosts and networks: [api.example.com, \"*.example.org\", 10.0.0.0/8]."
            )
            return nil
        }
        return hosts
    }
}
