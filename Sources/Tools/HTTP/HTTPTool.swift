// An HTTP tool as a manifest declares it, and what can be said of it before a call: its host, what
// keeps it from running. Not here: reading the manifest (ManifestReader+HTTP), calls (HTTPToolCall).
internal import Core
internal import HTTP

/// What an HTTP tool sends, where, and how it reads statuses.
struct HTTPTool: Sendable {
    var template: HTTPTemplate
    /// The statuses after which another attempt may do; nil for the usual ones.
    var retried: StatusSet?
    var allowed: AllowedHosts?
    /// The proxy's URL; nil for none.
    var proxy: String?

    /// Whether another attempt after a status may succeed.
    ///
    /// By default a request that does no harm when it is repeated is repeated after any passing
    /// trouble, another one only where the server has surely not begun with it.
    func isRetried(_ status: Int, mayRunTwice: Bool) -> Bool {
        if let retried { return retried.contains(status) }
        return status == 429 || status == 503
            || mayRunTwice && (status == 408 || status >= 500)
    }

    /// Why it cannot run with the worker's variables, as a sentence without its period, or nil.
    func obstacle(_ environment: [String: String]) -> String? {
        if let name = template.variables.first(where: { environment[$0] == nil }) {
            return "the variable \(name) is not set in the worker's environment"
        }
        return problem(template.expanded(environment).url)
    }

    /// What is wrong with an address in which variables are expanded, or nil.
    func problem(_ url: TextTemplate) -> String? {
        guard let host = Self.host(of: url) else {
            return
                "its url has no host that is fixed: it must start with http:// or https://, a host"
                + " and /, before any placeholder, without a user's name"
        }
        guard allowed?.admits(host: host) != false else {
            return "its host \(host) is not in allow_hosts"
        }
        return nil
    }

    /// The host of an address whose start is fixed, in small letters; nil for any other.
    static func host(of url: TextTemplate) -> String? {
        guard case .text(let start)? = url.pieces.first,
            let scheme = ["https://", "http://"].first(where: start.lowercased().hasPrefix)
        else { return nil }
        let rest = start.dropFirst(scheme.count)
        let authority = rest.prefix { !"/?#".contains($0) }
        guard authority.endIndex < rest.endIndex || url.pieces.count == 1 else { return nil }
        let isPlain = authority.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && !"@\\%{}".utf8.contains($0)
        }
        guard isPlain, !authority.isEmpty else { return nil }
        let host =
            authority.hasPrefix("[")
            ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return host.isEmpty ? nil : host.lowercased()
    }
}

/// Statuses of HTTP: single ones and whole classes, `[429, 5xx]`.
struct StatusSet: Sendable, Equatable {
    private var single: Set<Int> = []
    private var classes: Set<Int> = []

    /// Adds an entry; false if it is neither a status of a failure nor a class of them.
    mutating func add(_ entry: String) -> Bool {
        if let status = Int(entry), (300...599).contains(status) {
            single.insert(status)
            return true
        }
        guard entry.count == 3, entry.lowercased().hasSuffix("xx"),
            let digit = Int(entry.prefix(1)),
            (4...5).contains(digit)
        else { return false }
        classes.insert(digit)
        return true
    }

    func contains(_ status: Int) -> Bool {
        single.contains(status) || classes.contains(status / 100)
    }
}
