// Names and phrases that readers had to read twice, each with the plain word to use instead.
// Not here: words that mean another thing in this project (Vocabulary).
import Foundation

enum PlainWords {
    /// Names of types and functions.
    static let names: [String: String] = [
        "RunDesk": "RunTracker",
        "Door": "PostToLoop",
        "Home": "LoopConfined",
        "Resident": "the role of the object",
        "WorkerPlace": "WorkerDefaults",
        "ProviderLine": "ModelEndpoint",
        "LimitedRunner": "the limits of WorkerMachine",
    ]

    /// Phrases of comments and messages, in any case of letters.
    static let phrases: [String: String] = [
        "sent away": "refused or closed",
        "who comes": "new connections",
        "hears no more": "gets no messages",
        "hear no more": "get no messages",
        "came to nothing": "failed",
        "had better": "should",
        "in haste": "without waiting",
        "is not missed": "is accepted",
        "stands [": "found [",
    ]

    /// Phrases that modules which talk to the system do without, too.
    static let shellPhrases: [String: String] = [
        "whoever": "the name of who does it",
        "sign of life": "message or ping",
        "good-bye": "close or end",
        "anew": "again",
        "what is no ": "a text that is no",
    ]

    /// Phrases that clean modules and the tests do without, too.
    static let cleanPhrases: [String: String] = [
        "somebody": "the name of who does it",
        "anybody": "any peer, any process",
        "whoever": "the name of who does it",
        "anew": "again",
        "spelt": "spelled or written",
        "hands out": "delivers or returns",
        "handed out": "delivered or returned",
        "hands on": "passes",
        "handed on": "passed",
        "told of": "reported",
        "what became": "the result or the end",
        "came of": "the result",
        "becomes of": "happens to",
        "what lies": "the text or the bytes",
        "what stands": "the text or the bytes",
        "that is none": "that is not one",
        "no matter": "the reason",
        "called off": "cancelled",
        "calls off": "cancels",
        "let go": "release",
        "lets go": "releases",
        "comes and goes": "is used or left out",
        "passed over": "skipped",
        "looks at": "reads or checks",
        "looked at": "read or checked",
        "gathers": "collects",
        "gathered": "collected",
        "out of the blue": "at random times",
        "sign of life": "message or ping",
        "own accord": "itself",
    ]

    /// The modules that do without `cleanPhrases`.
    static let cleanModules: Set = [
        "Bench", "Client", "Configuration", "Console", "Coordinator", "CoordinatorCore", "Core",
        "HTTP", "HTTPServer", "JSON", "Journal", "LanguageModels", "Launch", "LaunchCore",
        "Gateway", "HTTPRequests", "MCPServer", "Metrics", "Pages", "PlannerCore", "Plans",
        "Reports",
        "Runs", "Scheduling", "Schemas", "Telemetry", "Tools", "Transport", "UVLoop", "Weftline",
        "Wire",
        "Worker", "WorkerCore", "weft",
    ]

    /// Whether a file is checked; the tests of these rules contain the phrases.
    static func applies(to file: SourceFile) -> Bool { !file.path.hasPrefix("Tests/TidyTests/") }

    /// Whether a file does without `cleanPhrases`: those of clean modules, and all tests.
    static func isClean(_ file: SourceFile) -> Bool {
        file.module.map(cleanModules.contains) ?? true
    }

    static func findings(in file: SourceFile, isShell: Bool, isClean: Bool = false) -> [Finding] {
        var phrases = phrases
        if isShell { phrases.merge(shellPhrases) { $1 } }
        if isClean { phrases.merge(cleanPhrases) { $1 } }
        return file.lines.enumerated().flatMap { index, line -> [Finding] in
            func finding(_ found: String, _ better: String) -> Finding {
                Finding(
                    path: file.path,
                    line: index + 1,
                    message: "\"\(found)\", use \(better) instead"
                )
            }
            let text = (line.comment + "\n" + line.literal).lowercased()
            var findings = phrases.sorted { $0.key < $1.key }
                .filter { text.contains($0.key) }
                .map { finding($0.key, $0.value) }
            let words = line.code.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            for word in words {
                if let better = names[String(word)] { findings.append(finding("\(word)", better)) }
            }
            if isShell, line.code.contains("func take(") {
                findings.append(finding("take", "handleChunk, addText: what is done to what"))
            }
            return findings
        }
    }
}
