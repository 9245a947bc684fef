// Finds arguments that no command has: misspelled options and subcommands, extra words, a file
// without its option. The parser finds them too, but only after the checks of the command, whose
// messages are then misleading. Pure: a closure tells what is a file.

import Core

/// Finds the first argument that no command accepts.
struct CommandLineCheck {
    /// What exists at a path.
    enum Entry {
        case file
        case folder
    }

    private let root: CommandShape
    private let entry: (String) -> Entry?
    /// Whether options are checked; not when only help is requested.
    private let checksOptions: Bool

    /// The parser's own options, which are not in any help.
    private static let unlisted = ["--generate-completion-script", "--experimental-dump-help"]

    init(_ root: CommandShape, checksOptions: Bool = true, entry: @escaping (String) -> Entry?) {
        self.root = root
        self.checksOptions = checksOptions
        self.entry = entry
    }

    /// A sentence about the first wrong argument, and its command; nil if there is none.
    func problem(in arguments: [String]) -> (sentence: String, command: String)? {
        var command = root
        var positionals = 0
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" { return nil }
            if argument.hasPrefix("-"), argument.count > 1 {
                let name = String(argument.prefix { $0 != "=" })
                if Self.unlisted.contains(name) { return nil }
                if let option = command.option(named: name) {
                    let isValue = rest.first.map { !$0.hasPrefix("-") || $0 == "-" } ?? false
                    guard option.takesValue else { continue }
                    if checksOptions, name == argument, let next = rest.first, next.hasPrefix("-"),
                        Double(next) != nil
                    {
                        return ("\(name) cannot be \"\(next)\".", command.path)
                    }
                    var value: String? = String(argument.dropFirst(name.count + 1))
                    if name == argument { value = isValue ? rest.popFirst() : nil }
                    guard checksOptions, let value,
                        let sentence = unknownValue(value, of: option, name)
                    else { continue }
                    return (sentence, command.path)
                }
                guard checksOptions, !isCluster(name, of: command) else { continue }
                return (unknownOption(name, of: command), command.path)
            }
            if command.path == root.path, argument == "help" { return helpProblem(rest) }
            if let next = command.subcommand(named: argument) {
                (command, positionals) = (next, 0)
                continue
            }
            if !command.subcommands.isEmpty {
                guard let name = command.defaultSubcommand,
                    let next = command.subcommand(named: name),
                    next.positionals.first?.words.contains(argument) ?? true
                else { return (unknownSubcommand(argument, of: command), command.path) }
                guard !next.positionals.isEmpty else {
                    let sentence = fileSentence(argument, of: next)
                    return (sentence ?? unknownSubcommand(argument, of: command), command.path)
                }
                (command, positionals) = (next, 0)
            }
            if let sentence = problem(of: argument, at: positionals, of: command) {
                return (sentence, command.path)
            }
            positionals += 1
        }
        return nil
    }

    // MARK: - Options

    /// Whether the argument is several flags of one letter.
    private func isCluster(_ name: String, of command: CommandShape) -> Bool {
        !name.hasPrefix("--")
            && name.dropFirst().allSatisfy { command.option(named: "-\($0)") != nil }
    }

    private func unknownOption(_ name: String, of command: CommandShape) -> String {
        let bare = String(name.drop { $0 == "-" })
        let sentence = "\(command.path) has no option \(name)."
        // A long name after a single dash is read as letters.
        if !name.hasPrefix("--"), command.option(named: "--\(bare)") != nil {
            return "\(sentence) Did you mean \"--\(bare)\"?"
        }
        let known = command.options.flatMap(\.names).filter { $0.hasPrefix("--") }
            .map { String($0.dropFirst(2)) }
        if let meant = Suggestions.closest(to: bare, among: known), bare.count > 1 {
            return "\(sentence) Did you mean \"--\(meant)\"?"
        }
        let others = root.paths(having: name)
        guard !others.isEmpty, command.path == root.path || name != "--version" else {
            return sentence
        }
        return "\(sentence) It is an option of \(Self.list(others))."
    }

    /// A misspelled value; for one that is not similar to any other, the parser lists all values.
    private func unknownValue(
        _ value: String,
        of option: CommandShape.Option,
        _ name: String
    ) -> String? {
        guard !option.words.isEmpty, !option.words.contains(value),
            let meant = Suggestions.closest(to: value, among: option.words)
        else { return nil }
        return "\(name) cannot be \"\(value)\". Did you mean \"\(meant)\"?"
    }

    private static func list(_ words: [String]) -> String {
        guard words.count > 1, let last = words.last else { return words.first ?? "" }
        return words.count > 4
            ? words.prefix(3).joined(separator: ", ") + " and \(words.count - 3) more"
            : words.dropLast().joined(separator: ", ") + " and " + last
    }

    // MARK: - Words

    private func helpProblem(
        _ words: ArraySlice<String>
    ) -> (sentence: String, command: String)? {
        var command = root
        for word in words where !word.hasPrefix("-") {
            guard let next = command.subcommand(named: word) else {
                let isLeaf = command.subcommands.isEmpty
                return (
                    isLeaf
                        ? "\(command.path) has no commands of its own, such as \"\(word)\"."
                        : unknownSubcommand(word, of: command), command.path
                )
            }
            command = next
        }
        return nil
    }

    private func unknownSubcommand(_ word: String, of command: CommandShape) -> String {
        if let sentence = fileSentence(word, of: command) { return sentence }
        let ofDefault = command.defaultSubcommand.flatMap { command.subcommand(named: $0) }
        let words = ofDefault?.positionals.first?.words ?? []
        let names = command.subcommands.map(\.name).filter { !$0.hasPrefix("bench-") }
        let known = names + words
        let suggestion = Suggestions.sentence(for: word, among: known)
        let what = words.isEmpty ? "command" : "command or shape"
        let list =
            known.count == 1
            ? " There is only \(known.joined())." : " There are \(known.joined(separator: ", "))."
        return "\(command.path) has no \(what) \"\(word)\"."
            + (suggestion.isEmpty ? list : suggestion)
    }

    /// What is wrong with a word that is not an option.
    private func problem(of word: String, at index: Int, of command: CommandShape) -> String? {
        let place = min(index, max(command.positionals.count - 1, 0))
        let positional = command.positionals.isEmpty ? nil : command.positionals[place]
        let hasPlace =
            index < command.positionals.count || (positional?.isRepeating ?? false)
        guard hasPlace else {
            if let sentence = fileSentence(word, of: command) { return sentence }
            let goal = command.positionals.first?.name == "goal"
            return "\(command.path) has no place for the argument \"\(word)\"."
                + (goal ? " A goal of several words is written in quotes." : "")
        }
        // A word that is also the name of a folder may be a goal.
        guard positional?.name == "goal", entry(word) != .folder else { return nil }
        return fileSentence(word, of: command)
    }

    // MARK: - Files

    /// `X is a file; did you mean --plan X?`; nil if it is not a file and does not look like one.
    private func fileSentence(_ word: String, of command: CommandShape) -> String? {
        let name = word.lowercased()
        let isNamedLikeFile =
            [".json", ".yaml", ".yml", ".jsonl"].contains { name.hasSuffix($0) }
            && !word.contains(" ")
        let entry = entry(word)
        guard entry != nil || isNamedLikeFile else { return nil }
        let isYAML = name.hasSuffix(".yaml") || name.hasSuffix(".yml")
        let wanted =
            entry == .folder
            ? ["--state"]
            : isYAML
                ? (name.contains("weft") ? ["--config", "--tools"] : ["--tools", "--config"])
                : name.contains("key") ? ["--key-file"] : ["--plan", "--check"]
        let what =
            switch entry {
            case .file: "is a file"
            case .folder: "is a folder"
            case nil: "looks like a file, but there is none of that name"
            }
        let sentence = "\"\(word)\" \(what)"
        if command.path == root.path, let option = wanted.first {
            guard option == "--plan" else { return "\(sentence), not a command of weft." }
            return "\(sentence); did you mean weft run --plan \(word)?"
        }
        guard let option = wanted.first(where: { command.option(named: $0) != nil }) else {
            return nil
        }
        return "\(sentence); did you mean \(option) \(word)?"
    }
}
