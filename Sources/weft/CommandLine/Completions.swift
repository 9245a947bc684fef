// Names of runs, nodes, workers and tools for the completion of a command line: the coordinator is asked,
// with a short time limit, and silence is the answer to every fault. Not here: the scripts of shells,
// which the parser generates.
internal import ArgumentParser
internal import Client
internal import Console
internal import Core
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import Wire

/// What can be completed.
enum Completions {
    /// Runs, the newest first.
    static let runs = CompletionKind.custom { words, _, _ in
        names(for: words, .runs, limit: 100) { data in
            try RunDocument.list(decoding: data).map { Name($0) }
        }
    }

    /// Runs that go on.
    static let activeRuns = CompletionKind.custom { words, _, _ in
        names(for: words, .runs, limit: 100, RunsFilter(status: .running)) { data in
            try RunDocument.list(decoding: data).map { Name($0) }
        }
    }

    /// Nodes of the run that is named before.
    static let nodes = CompletionKind.custom { words, _, _ in
        guard let run = words.dropFirst(2).first(where: { RunID($0) != nil && !$0.hasPrefix("-") })
        else { return [] }
        return names(for: words, .graph, id: run, limit: 1000) { data in
            try GraphPage(decoding: data).nodes
                .map { Name($0.id.text, about: "\($0.course.tool), \($0.course.status.rawValue)") }
        }
    }

    /// Workers that are connected.
    static let workers = CompletionKind.custom { words, _, _ in
        names(for: words, .workers, limit: 1000) { data in
            try WorkerDocument.list(decoding: data).map { worker in
                Name(worker.name, about: "\(worker.state.rawValue), \(worker.slots) slots")
            }
        }
    }

    /// Tools that workers offer.
    static let tools = CompletionKind.custom { words, _, _ in
        names(for: words, .tools, limit: 1000) { data in
            try ToolDocument.list(decoding: data).map { tool in
                Name(tool.description.name, about: tool.description.description)
            }
        }
    }

    // MARK: - Words

    /// A name with a few words about it, for shells that show them.
    struct Name: Equatable {
        var name: String
        var about: String

        init(_ name: String, about: String) {
            self.name = name
            self.about = about
        }

        fileprivate init(_ run: RunDocument) {
            let label = run.label.map { " \($0)" } ?? ""
            self.init(run.run.text, about: run.status.rawValue + label)
        }

        /// The line for a shell; nil if the name is not one word there.
        func line(for shell: CompletionShell?) -> String? {
            guard name.utf8.allSatisfy({ Self.isPlain($0) }) else { return nil }
            let words = Text.cut(Text.printable(about), to: 60)
            if shell == .zsh { return "\(name):\(words)" }
            return shell == .fish ? "\(name)\t\(words)" : name
        }

        private static func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "-_./@+".utf8.contains(byte)
            }
        }
    }

    /// The flags of a command line that say which coordinator it is for.
    static func connectionWords(in words: [String]) -> [String] {
        let words = glued(words)
        var found: [String] = []
        for name in ["--coordinator", "--key-file", "--state", "--tls", "--join"] {
            if let place = words.lastIndex(of: name), place + 1 < words.count {
                found += [name, words[place + 1]]
            } else if let word = words.last(where: { $0.hasPrefix(name + "=") }) {
                found.append(word)
            }
        }
        return found
    }

    /// The words without what bash makes of `:` and `=`: words of their own.
    private static func glued(_ words: [String]) -> [String] {
        var glued: [String] = []
        var joins = false
        for word in words {
            let isMark = word == ":" || word == "="
            if isMark || joins, let last = glued.popLast() {
                glued.append(last + expanded(word))
            } else {
                glued.append(expanded(word))
            }
            joins = isMark
        }
        return glued
    }

    /// The word without quotation marks, and with the home folder.
    private static func expanded(_ word: String) -> String {
        let word = word.filter { $0 != "\"" && $0 != "'" }
        guard word.hasPrefix("~/"), let home = ConnectionChoice.environment("HOME") else {
            return word
        }
        return home + word.dropFirst()
    }

    // MARK: - Asking

    /// How long a person waits for a completion at most, in seconds.
    private static let patience: UInt32 = 1

    private static func names(
        for words: [String],
        _ what: GetKind,
        id: String? = nil,
        limit: Int,
        _ filter: RunsFilter = RunsFilter(),
        reading: (RawJSON) throws -> [Name]
    ) -> [String] {
        // The shell shows what is written to standard error between the words that are typed.
        let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
        if nowhere >= 0 { dup2(nowhere, STDERR_FILENO) }
        signal(SIGALRM) { _ in _exit(0) }
        alarm(patience)
        defer { alarm(0) }
        guard let connection = try? ConnectionOptions.parse(connectionWords(in: words)),
            let options = try? connection.clientOptions(readsOnly: true),
            let data = try? Session.ask(options, what, id: id, limit: limit, runs: filter),
            let names = try? reading(data)
        else { return [] }
        let shell = CompletionShell.requesting
        return names.compactMap { $0.line(for: shell) }
    }
}
