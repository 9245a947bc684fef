// The project's words: each has one meaning, and synonyms are not used. Identifiers are split at
// capitals and underscores, comments at everything that is not a letter. Literals are ignored: the
// wire and other programs have their own words.
import Foundation

enum Vocabulary {
    /// Words that are not used, and their replacements.
    static let bans: [String: String] = [
        "master": "coordinator", "masters": "coordinators",
        "server": "coordinator", "servers": "coordinators",
        "slave": "worker", "slaves": "workers",
        "minion": "worker", "minions": "workers",
        "agent": "worker", "agents": "workers",
        "executor": "worker", "executors": "workers",
        "job": "node or run", "jobs": "nodes or runs",
        "subtask": "node", "subtasks": "nodes",
    ]

    /// Used only for Swift's own tasks.
    ///
    /// The key `tasks` of a plan document, always in the plural, is another matter.
    static let swiftTask = "task"

    /// Modules where functions run as Swift tasks, so that the word has that meaning; and
    /// PlannerCore, where it is an element of the `tasks` that a model writes, not yet a node; and
    /// those of MCP, which has tasks of its own.
    static let modulesWithTasks: Set<String> = [
        "UVLoop", "Tools", "Weftline", "PlannerCore", "MCP", "MCPServer", "weft",
    ]

    /// Modules that deal with servers of HTTP or of MCP, which are not coordinators.
    static let modulesWithServers: Set<String> = [
        "CCurl", "HTTP", "LanguageModels", "PlannerCore", "MCP", "MCPServer", "HTTPServer",
        "CMicroHTTPD", "HTTPRequests", "Gateway", "Pages", "Tools", "Worker", "Launch", "Weftline",
        "weft",
    ]

    /// The shim over libssl, whose functions have these words in their names.
    static let moduleOfTLS = "CTLS"

    static func findings(in file: SourceFile) -> [Finding] {
        // Most files contain none of the letters in a row, and splitting them takes time.
        let text = file.text.lowercased()
        guard text.contains(swiftTask) || bans.keys.contains(where: { text.contains($0) }) else {
            return []
        }
        return file.lines.enumerated().flatMap { index, line -> [Finding] in
            let words = words(in: line.code) + words(in: line.comment)
            return words.compactMap { word in
                guard let better = better(than: word, in: file.module) else { return nil }
                return Finding(
                    path: file.path,
                    line: index + 1,
                    message: "\"\(word)\", use \(better) instead"
                )
            }
        }
    }

    private static func better(than word: String, in module: String?) -> String? {
        let isOfHTTP = word.hasPrefix("server") && modulesWithServers.contains(module ?? "")
        let isOfTLS = module == moduleOfTLS && ["server", "master"].contains(word)
        if let better = bans[word], !isOfHTTP, !isOfTLS { return better }
        guard word == swiftTask, let module, !modulesWithTasks.contains(module) else { return nil }
        return "node"
    }

    /// The words in a text, in lower case: `makeTaskID` gives make, task, id.
    static func words(in text: String) -> [String] {
        var words: [String] = []
        var word = ""
        func end() {
            if !word.isEmpty { words.append(word.lowercased()) }
            word = ""
        }
        var previous: Character = " "
        for character in text {
            if !character.isLetter {
                end()
            } else {
                if character.isUppercase, previous.isLowercase { end() }
                word.append(character)
            }
            previous = character
        }
        end()
        return words
    }
}
