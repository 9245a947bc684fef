// URI references as RFC 3986 resolves them, for $id and $ref. Nothing is ever fetched: a URI is only
// the name of a part of the document.

/// A URI reference in its parts.
struct SchemaURI {
    private var scheme: Substring?
    private var authority: Substring?
    private var path: Substring
    private var query: Substring?
    /// What follows the number sign, as written; nil without one.
    private(set) var fragment: Substring?

    init(_ text: some StringProtocol) {
        var rest = Substring(text)
        if let sign = rest.firstIndex(of: "#") {
            fragment = rest[rest.index(after: sign)...]
            rest = rest[..<sign]
        }
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        if let colon = rest.firstIndex(of: ":"), Self.isScheme(rest[..<colon]) {
            scheme = rest[..<colon]
            rest = rest[rest.index(after: colon)...]
        }
        if rest.hasPrefix("//") {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex(of: "/") ?? rest.endIndex
            authority = rest[..<end]
            rest = rest[end...]
        }
        path = rest
    }

    /// The URI without its fragment.
    var withoutFragment: String {
        (scheme.map { $0.lowercased() + ":" } ?? "") + (authority.map { "//" + $0 } ?? "") + path
            + (query.map { "?" + $0 } ?? "")
    }

    /// What this reference means in a place with a base URI.
    func resolved(against base: SchemaURI) -> SchemaURI {
        var result = completed(by: base)
        result.path = Self.withoutDots(result.path)
        return result
    }

    private func completed(by base: SchemaURI) -> SchemaURI {
        var result = self
        guard scheme == nil else { return result }
        result.scheme = base.scheme
        guard authority == nil else { return result }
        result.authority = base.authority
        if path.isEmpty {
            result.path = base.path
            result.query = query ?? base.query
        } else if !path.hasPrefix("/") {
            if base.authority != nil, base.path.isEmpty {
                result.path = "/" + path
            } else if let slash = base.path.lastIndex(of: "/") {
                result.path = base.path[...slash] + path
            }
        }
        return result
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, isLetter(first) else { return false }
        return text.utf8.allSatisfy { byte in
            isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: ".")
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// A path with its `.` and `..` carried out.
    private static func withoutDots(_ path: Substring) -> Substring {
        guard path.hasPrefix("/"), path.contains("/.") else { return path }
        var kept: [Substring] = []
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (position, segment) in segments.enumerated() {
            let isLast = position == segments.count - 1
            switch segment {
            case ".": if isLast { kept.append("") }
            case "..":
                _ = kept.popLast()
                if isLast { kept.append("") }
            default: kept.append(segment)
            }
        }
        return "/" + kept.joined(separator: "/")
    }
}
