// A tool's command, compiled once: literal text and placeholders, element by element. Rendering it
// makes the arguments of one process; no shell is involved. Parsing is in CommandTemplate+Parsing.
internal import Core
internal import Glibc
internal import JSON

/// The command of a tool, with placeholders for its arguments.
struct CommandTemplate: Sendable, Equatable {
    /// A piece of an element.
    enum Piece: Sendable, Equatable {
        /// Literal text.
        case text(String)
        /// The value of a parameter, by its position in `parameters`.
        case value(Int)
    }

    /// Whether a value may start an element with a dash.
    ///
    /// A program would take such an element for an option, which the author of a plan must not be
    /// able to pass, unless the manifest says that it is not an option, or allows it.
    enum DashRule: Sendable, Equatable {
        /// Refused.
        case refused
        /// The element is in a list after its option; of several values only the first is the
        /// option's value.
        case optionValue
        /// After `--`, or the manifest allows it.
        case allowed
    }

    /// One element of the command.
    struct Element: Sendable, Equatable {
        /// Its parts; adjacent texts are joined.
        var pieces: [Piece]
        /// Whether an array becomes one element for each of its values: `{paths...}`.
        var isSpread = false
        /// Whether a value may start the element with a dash.
        var dash = DashRule.refused

        /// The parameter that is the whole element, if there is one.
        var wholeParameter: Int? {
            guard pieces.count == 1, case .value(let parameter) = pieces[0] else { return nil }
            return parameter
        }

        /// The text of an element without placeholders.
        var literal: String? {
            switch pieces.first {
            case nil: ""
            case .text(let text) where pieces.count == 1: text
            default: nil
            }
        }

        /// Whether the element is an option such as `-e`, whose value may come next; `--format=%h`
        /// already has its value.
        var isOption: Bool {
            guard let literal else { return false }
            return literal.hasPrefix("-") && literal != "--" && literal != "-"
                && !literal.contains("=")
        }

        /// The parameters that occur in it, by their positions.
        var values: [Int] {
            pieces.compactMap { piece in
                if case .value(let parameter) = piece { parameter } else { nil }
            }
        }

        /// Whether a value follows a folder that the manifest names.
        var startsPath: Bool {
            guard pieces.count > 1, case .text(let text) = pieces[0] else { return false }
            return text.utf8.contains(UInt8(ascii: "/"))
        }

        /// The parameters whose values may start the element: all before the first text, because
        /// any but the last may be empty.
        var leadingParameters: [Int] {
            var leading: [Int] = []
            for piece in pieces {
                guard case .value(let parameter) = piece else { break }
                leading.append(parameter)
            }
            return leading
        }
    }

    /// Elements that are used or left out together; most groups have one.
    struct Group: Sendable, Equatable {
        /// The elements.
        var elements: [Element]
        /// Whether all of them are left out when a parameter of one is absent.
        var isOptional = false
    }

    /// The groups in order.
    var groups: [Group] = []
    /// The names of the parameters that occur, without repetition.
    var parameters: [String] = []

    /// Whether arguments are put into the command; otherwise they go to standard input.
    var takesArguments: Bool { !parameters.isEmpty }

    /// A command without elements.
    init() {}

    /// A command of these words, in which nothing is replaced.
    init(literal words: [String]) {
        groups = words.map { Group(elements: [Element(pieces: [.text($0)])]) }
    }

    /// All elements in order.
    var elements: [Element] { groups.flatMap(\.elements) }

    /// The program and arguments of one invocation.
    ///
    /// Throws `bad_args` when a value cannot be passed or would be taken for an option.
    func render(_ arguments: RawJSON) throws(Failure) -> [String] {
        let values = takesArguments ? self.values(in: arguments) : []
        var words: [String] = []
        words.reserveCapacity(groups.count)
        for group in groups {
            if group.isOptional, isIncomplete(group, values) { continue }
            for element in group.elements {
                try append(element, values, to: &words)
            }
        }
        return words
    }

    private func values(in arguments: RawJSON) -> [RawJSON?] {
        var values = [RawJSON?](repeating: nil, count: parameters.count)
        arguments.forEachField { name, value in
            if let position = parameters.firstIndex(of: name) { values[position] = value }
        }
        return values
    }

    /// Whether a parameter of the group is absent, or is an empty list where its values should be.
    private func isIncomplete(_ group: Group, _ values: [RawJSON?]) -> Bool {
        group.elements.contains { element in
            element.pieces.contains { piece in
                guard case .value(let parameter) = piece else { return false }
                guard let value = values[parameter] else { return true }
                return element.isSpread && value == .emptyArray
            }
        }
    }

    private func append(
        _ element: Element,
        _ values: [RawJSON?],
        to words: inout [String]
    ) throws(Failure) {
        if let parameter = element.wholeParameter {
            guard let value = values[parameter] else { return }
            if element.isSpread, value.kind == .array {
                return try appendAll(value, of: element, parameter, to: &words)
            }
        }
        var word = ""
        for piece in element.pieces {
            switch piece {
            case .text(let text):
                word += text
            case .value(let parameter):
                guard let value = values[parameter] else { continue }
                let text = try text(of: value, parameter)
                if word.isEmpty { try check(text, parameter, element.dash) }
                word += text
            }
        }
        if element.startsPath { try checkPath(word, of: element) }
        if let parameter = element.values.first { try checkSize(word, parameter) }
        words.append(word)
    }

    private func appendAll(
        _ list: RawJSON,
        of element: Element,
        _ parameter: Int,
        to words: inout [String]
    ) throws(Failure) {
        var items: [RawJSON] = []
        list.forEachElement { items.append($0) }
        // Only the first can be an option's value; the others are separate arguments.
        var rule = element.dash
        for item in items {
            let word = try text(of: item, parameter)
            try check(word, parameter, rule)
            try checkSize(word, parameter)
            words.append(word)
            if rule == .optionValue { rule = .refused }
        }
    }

    private func text(of value: RawJSON, _ parameter: Int) throws(Failure) -> String {
        let text = value.stringValue ?? value.text
        guard !text.utf8.contains(0) else {
            throw Failure(
                code: .badArguments,
                message: "/\(parameters[parameter]): holds a NUL character, which no argument of a"
                    + " program can hold."
            )
        }
        return text
    }

    /// The longest argument of a program on Linux, in bytes, without its terminator.
    static let largestArgument = 32 * sysconf(Int32(_SC_PAGESIZE)) - 1

    /// Advice for arguments that are too large for a program.
    static let sizeAdvice =
        "Let the program read it from standard input, which has no such limit: the tool's manifest says"
        + " stdin: \"{name}\" in place of the placeholder in its command, or persistent: true."

    private func checkSize(_ word: String, _ parameter: Int) throws(Failure) {
        guard word.utf8.count > Self.largestArgument else { return }
        throw Failure(
            code: .badArguments,
            message: "/\(parameters[parameter]): makes an argument of \(word.utf8.count) bytes, and"
                + " the system takes at most \(Self.largestArgument) in one. \(Self.sizeAdvice)"
        )
    }

    /// Refuses values that lead out of the folder that the command names before them.
    private func checkPath(_ word: String, of element: Element) throws(Failure) {
        func ascents(_ path: String) -> Int {
            path.split(separator: "/").count { $0 == ".." }
        }
        let fixed = element.pieces.map { piece in
            if case .text(let text) = piece { text } else { "x" }
        }
        guard ascents(word) > ascents(fixed.joined()),
            let parameter = element.values.first
        else { return }
        throw Failure(
            code: .badArguments,
            message: "/\(parameters[parameter]): leads with \"..\" out of the folder that the"
                + " tool's command names before it. Give a name inside that folder."
        )
    }

    /// Refuses a value that would start an argument and could be taken for an option.
    private func check(_ text: String, _ parameter: Int, _ rule: DashRule) throws(Failure) {
        guard rule == .refused, text.utf8.first == UInt8(ascii: "-") else { return }
        let name = parameters[parameter]
        throw Failure(
            code: .badArguments,
            message: "/\(name): starts with a dash, so that the program could take it for an"
                + " option. Give a value without one, a file as ./-name. If dashes are meant here,"
                + " the tool's command has to have \"--\" before the placeholder, or the"
                + " placeholder in a list behind its option, [-e, \"{\(name)}\"], or the tool says"
                + " allow_dash: true."
        )
    }
}
