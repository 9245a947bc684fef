// The head of a request over HTTP as a value. Not here: which requests are allowed (HTTPSite), what
// they mean.

/// A request over HTTP, without its body.
package struct HTTPRequestHead: Sendable {
    /// The method, in capitals.
    package var method: String
    /// The path of the URL, decoded.
    package var path: String
    /// The arguments of the query, decoded, in their order.
    package var query: [(name: String, value: String)]
    /// The header lines, in their order.
    package var headers: [(name: String, value: String)]

    /// Makes a head.
    package init(
        method: String,
        path: String,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)]
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
    }

    /// The values of the header lines with this name, which is given in small letters.
    package func values(_ name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// The text behind `Bearer` in the only line Authorization; nil without one.
    package var bearer: String? {
        let values = values("authorization")
        guard values.count == 1, values[0].lowercased().hasPrefix("bearer ") else { return nil }
        return String(values[0].dropFirst(7).drop { $0 == " " })
    }
}
