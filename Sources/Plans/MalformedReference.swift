// Text in arguments that looks like a reference but is none: the tool gets it unchanged, which is
// rarely intended. Plans with such text run; checks of a plan report it.

public import Core
public import JSON

/// Text that looks like a reference but is none.
public struct MalformedReference: Sendable, Hashable {
    /// The text as written, without what follows it.
    public var text: String
    /// Why it is not a reference.
    public var reason: String
    /// The reference that was probably meant, if it can be guessed.
    public var meant: String?

    /// All of them in arguments, in order of appearance, each text once.
    ///
    /// `isNode` tells whether a node has an id: `$a.x` is suspicious only if `a` is a node.
    public static func find(
        in arguments: RawJSON,
        isNode: (NodeID) -> Bool
    ) -> [MalformedReference] {
        let content = StringContent(bytes: arguments.bytes)
        var scanner = TemplateScanner(content: content)
        scanner.gathersSuspects = true
        scanner.scan()
        var found: [MalformedReference] = []
        for suspect in scanner.suspects {
            let text = content.text(suspect.range)
            let malformed: MalformedReference
            if let id = suspect.id {
                guard isNode(id) else { continue }
                malformed = MalformedReference(barePath: text)
            } else {
                malformed = MalformedReference(braced: text)
            }
            if !found.contains(malformed) { found.append(malformed) }
        }
        return found
    }

    /// A sentence about it, to follow the words `node a`.
    public var fault: String {
        "has the text \(quoted(text)) in its args, which is not a reference and stays text: "
            + reason + (meant.map { "; did you mean \($0)?" } ?? "") + " ($$ is a dollar sign)"
    }

    // MARK: - What was meant

    /// For `$a.items[0]`.
    private init(barePath rest: String) {
        let steps = rest.dropFirst().prefix {
            $0.isLetter || $0.isNumber || "_.[]'\"-*".contains($0)
        }
        var path = String(steps)
        while let last = path.last, last == "." || last == "-" { path.removeLast() }
        text = "$" + path
        reason = "only braces reach into an output"
        meant = Self.wellFormed(path) ?? Self.wellFormed(Self.id(in: path))
    }

    /// For text that begins with `${` and is not well formed.
    private init(braced rest: String) {
        let inner: Substring
        if let end = rest.firstIndex(of: "}") {
            inner = rest[..<end].dropFirst(2)
            text = String(rest[...end])
        } else {
            inner = rest.dropFirst(2).prefix { !$0.isWhitespace }
            text = "${" + inner
        }
        let isClosed = text.hasSuffix("}")
        let trimmed = Self.trimmed(inner)
        let id = Self.id(in: trimmed)
        if let whole = Self.wellFormed(trimmed) {
            reason = isClosed ? "it must not contain spaces" : "its closing brace is missing"
            meant = whole
        } else if trimmed.contains("[-") {
            reason = "elements are counted from 0, not from the end"
            meant = Self.wellFormed(Self.withFirstElement(trimmed)) ?? Self.wellFormed(id)
        } else if trimmed.contains("[*]") || trimmed.contains("[]") || trimmed.contains(":") {
            reason = "it can name only one part"
            meant = Self.wellFormed(Self.withFirstElement(trimmed)) ?? Self.wellFormed(id)
            if let all = Self.wellFormed(id), let one = meant, all != one {
                meant = "\(one), or \(all) for all of it"
            }
        } else if trimmed.contains("(") {
            reason = "a reference computes nothing"
            let argument = trimmed.drop { $0 != "(" }.dropFirst().prefix { $0 != ")" }
            meant =
                Self.wellFormed(Self.trimmed(argument))
                ?? Self.wellFormed(Self.id(in: Self.trimmed(argument))) ?? Self.wellFormed(id)
        } else {
            reason = "it is written as ${id}, ${id.field} or ${id[0]}"
            meant = Self.wellFormed(id)
        }
        text = shortened(text)
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = Substring(text)
        while let first = rest.first, first.isWhitespace || first == "$" { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }

    /// The longest beginning that can be an id.
    private static func id(in text: String) -> String {
        String(decoding: text.utf8.prefix { NodeID.allows($0) }, as: UTF8.self)
    }

    /// The text with `[0]` for each bracket that holds no position and no key.
    private static func withFirstElement(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "[") {
            result += rest[..<open]
            guard let close = rest[open...].firstIndex(of: "]") else { return text }
            let inner = rest[rest.index(after: open)..<close]
            let isStep = Int(inner).map { $0 >= 0 } ?? (inner.first == "'" || inner.first == "\"")
            result += isStep ? rest[open...close] : "[0]"
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }

    /// `${inner}` if that is a reference.
    private static func wellFormed(_ inner: String) -> String? {
        let text = "${\(inner)}"
        let references = ArgumentTemplate(compiling: RawJSON(text)).references
        return references.count == 1 && references[0].isWhole ? text : nil
    }
}
