// Turns the parser's messages into the style of all other errors: one sentence, and one line about
// the help. CommandLineCheck finds unknown arguments earlier.
internal import Console

/// An error of the command line, in words for people.
struct UsageError: Equatable {
    /// What is wrong.
    let sentence: String
    /// The command whose help describes the right form.
    let command: String

    init(sentence: String, command: String) {
        self.sentence = sentence
        self.command = command
    }

    /// Converts the parser's message for arguments; a message of unknown form stays as it is.
    init(message: String, arguments: [String], shape: CommandShape) {
        let command = shape.command(in: arguments)
        self.init(sentence: Self.sentence(message, command), command: command.path)
    }

    var failure: CommandFailure {
        CommandFailure(.usage, [sentence.asError, "See \(command) --help."])
    }

    private static func sentence(_ message: String, _ command: CommandShape) -> String {
        if let match = message.wholeMatch(of: #/Missing value for '(\S+) <(.+)>'/#) {
            return "\(match.1) needs a value: <\(match.2)>."
        }
        // One that is in no help.
        if let match = message.wholeMatch(of: #/Missing value for '(\S+)'/#) {
            return "\(match.1) needs a value: <value>."
        }
        if let match = message.wholeMatch(of: #/Missing expected argument '(-\S+ <.+>)'/#) {
            return "\(command.path) needs \(match.1)."
        }
        if let match = message.wholeMatch(of: #/Missing expected argument '(<.+>)'/#) {
            return "\(command.path) needs an argument: \(match.1)."
        }
        if let match = message.wholeMatch(
            of: #/The option '(\S+)' does not take any value, but '(.*)' was specified\./#
        ) {
            return "\(match.1) takes no value, but was given \"\(match.2)\"."
        }
        if let match = message.wholeMatch(
            of: #/(?s)The value '(.*)' is invalid for '(?:(-\S+) )?<(.*?)>'(.*)/#
        ) {
            let option = match.2.map(String.init)
            return badValue(
                String(match.1),
                of: option ?? "<\(match.3)>",
                words: words(option, String(match.3), command),
                reason: String(match.4)
            )
        }
        return message
    }

    /// The words that an option or argument can be; empty if it can be any text.
    private static func words(
        _ option: String?,
        _ value: String,
        _ command: CommandShape
    ) -> [String] {
        let known =
            option.map { command.option(named: $0)?.words ?? [] }
            ?? command.positionals.first { $0.name == value }?.words ?? []
        if !known.isEmpty { return known }
        return value.contains("|") ? value.split(separator: "|").map(String.init) : []
    }

    private static func badValue(
        _ value: String,
        of name: String,
        words: [String],
        reason: String
    ) -> String {
        let start = "\(name) cannot be \"\(value)\""
        if let last = words.last, words.count > 1 {
            return "\(start). It can be \(words.dropLast().joined(separator: ", ")) or \(last)."
        }
        // A value without choices and without a reason is a number.
        guard reason.hasPrefix(": ") else { return "\(start): it must be a whole number." }
        let words = reason.dropFirst(2)
        if words.hasPrefix("\"") { return "\(name): \(words)" }
        return "\(start): \(words.prefix(1).lowercased())\(words.dropFirst())"
    }
}
