// Where a request over HTTP may come from: a page of another site that a person has open must not
// reach what listens on this host. Not here: who sends it, which tokens prove.

/// The names of a listener.
package struct HTTPSite: Sendable {
    /// What is wrong with where a request comes from.
    package enum Problem: Error, Sendable, Equatable {
        /// The Host is missing, or is none of the names.
        case foreignHost
        /// The Origin is another site.
        case foreignOrigin
    }

    private let hosts: Set<String>

    /// A listener on loopback that has other names, too, as behind a proxy.
    package init(otherHosts: [String] = []) {
        hosts = Set(["127.0.0.1", "localhost", "[::1]"] + otherHosts.map { $0.lowercased() })
    }

    /// Checks where a request comes from.
    package func check(_ head: HTTPRequestHead) throws(Problem) {
        // A page of another site that reaches this host by a name of its own has that name here.
        let host = head.values("host")
        guard host.count == 1, hosts.contains(Self.name(of: host[0])) else {
            throw .foreignHost
        }
        for origin in head.values("origin") {
            let parts = origin.lowercased().split(separator: "://", maxSplits: 1)
            guard parts.count == 2, ["http", "https"].contains(parts[0]),
                hosts.contains(Self.name(of: String(parts[1])))
            else { throw .foreignOrigin }
        }
    }

    /// Checks a request for something that only pages of this very site may ask for: the Origin, if
    /// there is one, has the same port, and a browser does not say that another site asks.
    package func checkOwn(_ head: HTTPRequestHead) throws(Problem) {
        try check(head)
        let host = head.values("host").first?.lowercased() ?? ""
        for origin in head.values("origin") {
            guard let authority = origin.lowercased().split(separator: "://", maxSplits: 1).last,
                authority == host
            else { throw .foreignOrigin }
        }
        for relation in head.values("sec-fetch-site") {
            guard ["same-origin", "none"].contains(relation.lowercased()) else {
                throw .foreignOrigin
            }
        }
    }

    /// A host without its port.
    private static func name(of text: String) -> String {
        let text = text.lowercased()
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") { return String(text[...end]) }
        return String(text.prefix { $0 != ":" && $0 != "/" })
    }
}
