// Texts of a manifest that name variables of the worker's environment, such as `Bearer ${TOKEN}`.

/// A text with `${NAME}` in it; secrets stay out of manifests that way.
struct EnvironmentText: Sendable, Equatable {
    /// The text as the manifest has it.
    let text: String
    private let pieces: [Piece]

    private enum Piece: Sendable, Equatable {
        case text(String)
        case variable(String)
    }

    /// Reads a text; nil if a brace does not end, or what is in it is no name of a variable.
    ///
    /// A `$` without a brace after it is itself.
    init?(_ text: String) {
        self.text = text
        var pieces: [Piece] = []
        var rest = text[...]
        var plain = ""
        while let index = rest.firstIndex(of: "$") {
            plain += rest[..<index]
            let after = rest.index(after: index)
            guard after < rest.endIndex, rest[after] == "{" else {
                plain.append("$")
                rest = rest[after...]
                continue
            }
            let start = rest.index(after: after)
            guard let end = rest[start...].firstIndex(of: "}") else { return nil }
            let name = rest[start..<end]
            guard Self.isName(name) else { return nil }
            if !plain.isEmpty { pieces.append(.text(plain)) }
            plain = ""
            pieces.append(.variable(String(name)))
            rest = rest[rest.index(after: end)...]
        }
        plain += rest
        if !plain.isEmpty { pieces.append(.text(plain)) }
        self.pieces = pieces
    }

    /// The names of its variables, in order.
    var variables: [String] {
        pieces.compactMap { if case .variable(let name) = $0 { name } else { nil } }
    }

    /// The text with the values of the variables; those that are not set are empty.
    func value(_ environment: [String: String]) -> String {
        var value = ""
        for piece in pieces {
            switch piece {
            case .text(let text): value += text
            case .variable(let name): value += environment[name] ?? ""
            }
        }
        return value
    }

    /// The first of its variables that is not set.
    func missing(_ environment: [String: String]) -> String? {
        variables.first { environment[$0] == nil }
    }

    /// Whether a text is the name of a variable.
    static func isName(_ name: Substring) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy(isOfName)
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}
