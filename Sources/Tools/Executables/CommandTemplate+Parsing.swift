// Parses a command of a manifest: placeholders, literal braces, groups, and paths of files beside
// the manifest. Collects all problems. Not here: which values may start with a dash
// (CommandTemplate+Dashes).

import Core

/// One entry of a command in a manifest: a word, or a list of words that are used or left out
/// together.
struct CommandEntry: Sendable, Equatable {
    /// The words.
    var words: [String]
    /// Whether it was written as a list.
    var isGroup = false
    /// The line it starts on.
    var line: Int?
}

/// Reads the entries of a command into a template.
struct CommandReader {
    /// Something wrong with a command.
    struct Problem: Equatable {
        /// The line of the entry.
        var line: Int?
        /// A sentence that says what to do.
        var message: String
    }

    /// The folder of the manifest, an absolute path.
    let folder: String
    /// The names of the declared parameters.
    let declared: [String]
    /// Which values may start an argument with a dash, or continue an option.
    let dashes: DashPermissions
    /// Whether a file of that absolute path exists.
    let exists: (String) -> Bool

    /// The placeholder that every command may use: the folder of the manifest.
    static let folderPlaceholder = "manifest_dir"

    var template = CommandTemplate()
    /// The problems of the command.
    private(set) var problems: [Problem] = []
    var line: Int?

    /// Makes a reader of commands for one tool.
    init(
        folder: String,
        declared: [String],
        dashes: DashPermissions,
        exists: @escaping (String) -> Bool
    ) {
        self.folder = folder
        self.declared = declared
        self.dashes = dashes
        self.exists = exists
    }

    /// Reads all entries, in order; called once.
    mutating func read(_ entries: [CommandEntry]) {
        for entry in entries {
            line = entry.line
            let elements = entry.words.map { element($0) }
            template.groups.append(.init(elements: elements, isOptional: entry.isGroup))
        }
        line = entries.first?.line
        checkProgram()
        resolvePaths()
        settleDashes(entries)
    }

    // MARK: - Words

    private mutating func element(_ word: String) -> CommandTemplate.Element {
        var pieces: [CommandTemplate.Piece] = []
        var isSpread = false
        var text = ""
        var rest = word[...]
        while let character = rest.popFirst() {
            switch character {
            case "{", "}":
                if rest.first == character {
                    rest.removeFirst()
                    text.append(character)
                } else if character == "{", let end = rest.firstIndex(of: "}") {
                    let name = rest[..<end]
                    rest = rest[rest.index(after: end)...]
                    if name == Self.folderPlaceholder {
                        text += folder
                        continue
                    }
                    if !text.isEmpty { pieces.append(.text(text)) }
                    text = ""
                    pieces.append(.value(parameter(name, &isSpread)))
                } else {
                    report("has a brace without its partner in \"\(word)\". \(Self.braceAdvice)")
                    return .init(pieces: [.text(word)])
                }
            default:
                text.append(character)
            }
        }
        if !text.isEmpty { pieces.append(.text(text)) }
        if isSpread, pieces.count > 1 {
            report(
                "has \"...\" inside \"\(word)\". A placeholder for several values must be an"
                    + " element of its own."
            )
        }
        return .init(pieces: pieces, isSpread: isSpread)
    }

    /// The position of the parameter that a placeholder names.
    private mutating func parameter(_ placeholder: Substring, _ isSpread: inout Bool) -> Int {
        var name = String(placeholder)
        if name.hasSuffix("...") {
            name.removeLast(3)
            isSpread = true
        }
        if !declared.contains(name) {
            report(
                "uses {\(name)}, which is not a parameter of the tool."
                    + Suggestions.sentence(for: name, among: declared)
                    + " Declare it under parameters, properties. \(Self.braceAdvice)"
            )
        }
        if let position = template.parameters.firstIndex(of: name) { return position }
        template.parameters.append(name)
        return template.parameters.count - 1
    }

    private static let braceAdvice = "For literal braces write {{ and }}."

    mutating func report(_ message: String) {
        problems.append(Problem(line: line, message: message))
    }

    // MARK: - The whole command

    private mutating func checkProgram() {
        guard let first = template.groups.first, let program = first.elements.first else {
            return report("is empty. Its first element must be the program to run.")
        }
        if first.isOptional {
            report("starts with a list. Its first element must be the program to run.")
        } else if program.literal == nil {
            report(
                "lets an argument choose the program. Its first element must be the program to"
                    + " run, without placeholders."
            )
        } else if program.literal?.isEmpty == true {
            report("starts with an empty text. Its first element must be the program to run.")
        }
    }

    /// Tools run in a folder of their own, so relative paths of the manifest are resolved here.
    private mutating func resolvePaths() {
        for group in template.groups.indices {
            for index in template.groups[group].elements.indices {
                guard let text = template.groups[group].elements[index].literal else { continue }
                let isProgram = group == 0 && index == 0
                guard let path = resolved(text, isProgram: isProgram) else { continue }
                template.groups[group].elements[index].pieces = [.text(path)]
            }
        }
    }

    private func resolved(_ text: String, isProgram: Bool) -> String? {
        guard !text.hasPrefix("/") else { return nil }
        if isProgram { return text.contains("/") ? folder + "/" + text : nil }
        // A bare word may also be a subcommand; `.` and `..` mean the working folder.
        guard text.contains("/") || text.contains("."), !text.hasPrefix("-"), text != ".",
            text != "..", exists(folder + "/" + text)
        else { return nil }
        return folder + "/" + text
    }
}
