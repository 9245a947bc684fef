// Texts of a manifest in which `{name}` stands for an argument and `${NAME}` for a variable of the
// worker: addresses, headers, bodies, standard input. Not here: commands, whose words have rules of
// their own (CommandTemplate).
internal import Core
internal import JSON

/// A text with placeholders.
struct TextTemplate: Sendable, Equatable {
    enum Piece: Sendable, Equatable {
        case text(String)
        /// The argument of that name.
        case value(String)
        /// The worker's variable of that name.
        case variable(String)
    }

    /// Why a text is no template, to follow the name of its field.
    struct Problem: Error {
        var message: String
    }

    private(set) var pieces: [Piece] = []

    /// Reads a text; `{{` and `}}` are braces, `$` without a brace after it is itself.
    init(_ text: String) throws(Problem) {
        var plain = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            switch (character, rest.first) {
            case ("{", "{"), ("}", "}"):
                rest.removeFirst()
                plain.append(character)
            case ("$", "{"):
                rest.removeFirst()
                add(text: &plain)
                pieces.append(.variable(try Self.name(&rest, "${", EnvironmentText.isName)))
            case ("{", _):
                add(text: &plain)
                pieces.append(.value(try Self.name(&rest, "{") { !$0.isEmpty }))
            case ("}", _): throw Problem(message: "has a } without a { before it. \(Self.advice)")
            default: plain.append(character)
            }
        }
        add(text: &plain)
    }

    /// A text without placeholders.
    init(plain text: String) {
        append(text: text)
    }

    /// A text that is an argument.
    init(argument name: String) {
        append(argument: name)
    }

    /// Adds text at the end.
    mutating func append(text: String) {
        guard !text.isEmpty else { return }
        if case .text(let last)? = pieces.last {
            pieces[pieces.count - 1] = .text(last + text)
        } else {
            pieces.append(.text(text))
        }
    }

    /// Adds an argument at the end.
    mutating func append(argument name: String) {
        pieces.append(.value(name))
    }

    /// The text without a slash at its end.
    var withoutSlash: TextTemplate {
        guard case .text(let last)? = pieces.last, last.hasSuffix("/") else { return self }
        var copy = self
        copy.pieces.removeLast()
        copy.append(text: String(last.dropLast()))
        return copy
    }

    private static let advice = "For literal braces write {{ and }}."

    private mutating func add(text: inout String) {
        if !text.isEmpty { pieces.append(.text(text)) }
        text = ""
    }

    private static func name(
        _ rest: inout Substring,
        _ opening: String,
        _ isName: (Substring) -> Bool
    ) throws(Problem) -> String {
        guard let end = rest.firstIndex(of: "}"), isName(rest[..<end]) else {
            throw Problem(message: "has a \(opening) without a name and } after it. \(advice)")
        }
        let name = String(rest[..<end])
        rest = rest[rest.index(after: end)...]
        return name
    }

    /// The names of the arguments in it, in order.
    var parameters: [String] {
        pieces.compactMap { if case .value(let name) = $0 { name } else { nil } }
    }

    /// The names of the worker's variables in it, in order.
    var variables: [String] {
        pieces.compactMap { if case .variable(let name) = $0 { name } else { nil } }
    }

    /// The argument that is the whole text.
    var wholeParameter: String? {
        if pieces.count == 1, case .value(let name) = pieces[0] { name } else { nil }
    }

    /// The text, if nothing has to be put into it.
    var literal: String? {
        switch pieces.first {
        case nil: ""
        case .text(let text) where pieces.count == 1: text
        default: nil
        }
    }

    /// The template with the values of the worker's variables; those that are not set are empty.
    func expanded(_ environment: [String: String]) -> TextTemplate {
        var copy = self
        copy.pieces = []
        var plain = ""
        for piece in pieces {
            switch piece {
            case .text(let text): plain += text
            case .variable(let name): plain += environment[name] ?? ""
            case .value:
                copy.add(text: &plain)
                copy.pieces.append(piece)
            }
        }
        copy.add(text: &plain)
        return copy
    }

    /// The text with arguments put in; nil if one of them is absent.
    ///
    /// `encode` makes of a value's text what goes into the text.
    func text(
        _ arguments: CallArguments,
        encode: (String, _ name: String) throws(Failure) -> String
    ) throws(Failure) -> String? {
        var result = ""
        for piece in pieces {
            switch piece {
            case .text(let text): result += text
            case .value(let name):
                guard let value = arguments[name] else { return nil }
                result += try encode(value.plainText, name)
            case .variable: continue
            }
        }
        return result
    }
}

extension TextTemplate {
    /// The text with arguments put in as they are; those that are absent are empty.
    func plainText(_ arguments: CallArguments) -> String {
        pieces.reduce("") { text, piece in
            switch piece {
            case .text(let plain): text + plain
            case .value(let name): text + (arguments[name]?.plainText ?? "")
            case .variable: text
            }
        }
    }
}

/// The arguments of a call by name; null counts as absent.
struct CallArguments {
    let values: [String: RawJSON]

    init(_ arguments: RawJSON) {
        var values: [String: RawJSON] = [:]
        arguments.forEachField { name, value in values[name] = value.kind == .null ? nil : value }
        self.values = values
    }

    subscript(name: String) -> RawJSON? { values[name] }
}

extension RawJSON {
    /// The value as text: a text without its quotes, anything else as JSON.
    var plainText: String { stringValue ?? text }
}
