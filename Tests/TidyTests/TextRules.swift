// Rules about a single file: size, header, words. Each says what to use instead.
import Foundation

/// A rule about the text of a file.
enum TextRules {
    static let fileLimit = 500
    static let functionLimit = 70

    // MARK: - Size and form

    static func fileLength(_ file: SourceFile) -> [Finding] {
        let count = file.lines.count - (file.text.hasSuffix("\n") ? 1 : 0)
        guard count > fileLimit else { return [] }
        return [
            Finding(
                path: file.path,
                line: fileLimit + 1,
                message: "a file of \(count) lines, use one of at most \(fileLimit) for each topic"
                    + " instead"
            )
        ]
    }

    static func header(_ file: SourceFile) -> [Finding] {
        guard !file.text.hasPrefix("//") else { return [] }
        return [
            Finding(
                path: file.path,
                line: 1,
                message: "no header, use // lines that say what is in the file and what is not"
                    + " instead"
            )
        ]
    }

    /// Functions, initialisers and deinitialisers that are too long, from `func` to the brace.
    static func functionLength(_ file: SourceFile) -> [Finding] {
        FunctionFinder(file).functions.filter { $0.lines > functionLimit }
            .map { function in
                Finding(
                    path: file.path,
                    line: function.start,
                    message:
                        "\(function.name) has \(function.lines) lines, use functions of at most"
                        + " \(functionLimit) instead"
                )
            }
    }

    // MARK: - Words of code

    /// A pattern that may not occur in code, and what to use instead.
    struct Ban: Sendable {
        /// A file must contain one of these for the pattern to be tried.
        var hints: [String]
        var pattern: String
        var message: String
    }

    /// Forbidden in every module.
    static let everywhere = [
        Ban(hints: ["try!"], pattern: #"\btry!"#, message: "try!, use try or #require instead"),
        Ban(hints: ["as!"], pattern: #"\bas!"#, message: "as!, use as? instead"),
        Ban(
            hints: ["fatalError"],
            pattern: #"\bfatalError\("#,
            message: "fatalError, use preconditionFailure with the story instead"
        ),
        Ban(
            hints: ["print("],
            pattern: #"(?:^|[^\w.])print\("#,
            message: "print, use the log or weft's output instead"
        ),
    ]

    /// Forbidden outside the module of the loop.
    static let unsafe = [
        Ban(
            hints: ["nsafe", "Unmanaged", "@unchecked"],
            pattern: #"\b\w*[uU]nsafe\w*|\bUnmanaged\b|@unchecked\s+Sendable"#,
            message: "an unsafe word, use a wrapper in Sources/UVLoop instead"
        )
    ]

    /// Forbidden in modules that only compute.
    static let pure = [
        Ban(
            hints: ["Date(", ".now", "Clock", "clock_"],
            // The time of a turn, `turn.now`, is such a parameter.
            pattern: #"\bDate\(|(?:\b[A-Z]\w*|[Cc]lock|[^\w])\.now\b|"#
                + #"\b(?:Continuous|Suspending)Clock\b|\bclock_gettime\b"#,
            message: "a clock, use an Instant that the caller passes instead"
        ),
        Ban(
            hints: ["random", "shuffled", "SystemRandom", "UUID"],
            pattern: #"\brandom\(in:(?![^\n]*\busing:)|\brandomElement\(\)|\bshuffled\(\)|"#
                + #"\bSystemRandomNumberGenerator\b|\bUUID\("#,
            message: "randomness of the system, use a generator that the caller passes instead"
        ),
        Ban(
            hints: ["Logger"],
            pattern: #"\bLogger\b"#,
            message: "a log, use an action that the shell logs instead"
        ),
    ]

    static func words(_ file: SourceFile, _ bans: [Ban]) -> [Finding] {
        bans.filter { ban in ban.hints.contains { file.text.contains($0) } }.flatMap { ban in
            guard let pattern = try? Regex(ban.pattern) else {
                return [Finding(path: file.path, line: 1, message: "bad pattern \(ban.pattern)")]
            }
            // By default there is no boundary between the letters around a full stop.
            let expression = pattern.wordBoundaryKind(.simple)
            return file.lines.enumerated().compactMap { index, line in
                line.code.firstMatch(of: expression) == nil
                    ? nil : Finding(path: file.path, line: index + 1, message: ban.message)
            }
        }
    }

    /// Reminders that must be resolved before a push, in any text.
    static func reminders(_ file: SourceFile) -> [Finding] {
        // Written in two parts, so that this line is not a finding.
        let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
        return occurrences(of: words, in: file, wholeWords: true) {
            "\($0), use the finished thing instead"
        }
    }

    /// Words about the workplace do not belong in the project.
    static func workplace(_ file: SourceFile) -> [Finding] {
        let words = ["issue" + " #", "/wo" + "rk/", "/tmp" + "/h"]
        return occurrences(of: words, in: file, wholeWords: false) {
            "\($0), use words about the project itself instead"
        }
    }

    private static func occurrences(
        of words: [String],
        in file: SourceFile,
        wholeWords: Bool,
        _ message: (String) -> String
    ) -> [Finding] {
        let words = words.filter { file.text.contains($0) }
        guard !words.isEmpty else { return [] }
        let rows = file.text.split(separator: "\n", omittingEmptySubsequences: false)
        return rows.enumerated().flatMap { index, row in
            words.filter { word in
                wholeWords
                    ? row.split { !$0.isLetter && !$0.isNumber }.contains { $0 == word }
                    : row.contains(word)
            }
            .map { Finding(path: file.path, line: index + 1, message: message($0)) }
        }
    }
}

/// Finds the bodies of functions by their braces.
private struct FunctionFinder {
    struct Function {
        var name: String
        /// From 1.
        var start: Int
        var lines: Int
    }

    private(set) var functions: [Function] = []
    /// Functions whose brace has not been closed, with the depth of their body.
    private var open: [(name: String, start: Int, depth: Int)] = []
    /// A function whose body has not begun, and the parentheses open in its head.
    private var head: (name: String, start: Int)?
    private var parentheses = 0
    private var depth = 0

    init(_ file: SourceFile) {
        for (index, line) in file.lines.enumerated() { read(line.code, index + 1) }
    }

    private mutating func read(_ code: String, _ number: Int) {
        var word = ""
        var before: Character = " "
        var isNameNext = false
        for character in code + " " {
            if character.isLetter || character.isNumber || character == "_" {
                word.append(character)
                continue
            }
            if isNameNext, !word.isEmpty {
                head?.name = word
                isNameNext = false
            }
            if ["func", "init", "deinit", "subscript"].contains(word), before != "." {
                head = (word, number)
                parentheses = 0
                isNameNext = word == "func"
            }
            if !word.isEmpty || character != " " { before = character }
            word = ""
            take(character, number)
        }
    }

    private mutating func take(_ character: Character, _ number: Int) {
        switch character {
        case "(", "[": parentheses += 1
        case ")", "]": parentheses -= 1
        case "{":
            depth += 1
            guard parentheses == 0, let head else { return }
            open.append((head.name, head.start, depth))
            self.head = nil
        case "}":
            // What has no body by now is a requirement of a protocol.
            if parentheses == 0 { head = nil }
            if let last = open.last, last.depth == depth {
                open.removeLast()
                functions.append(
                    Function(name: last.name, start: last.start, lines: number - last.start + 1)
                )
            }
            depth -= 1
        default: break
        }
    }
}
