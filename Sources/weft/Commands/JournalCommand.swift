// `weft journal`: checks, repairs and exports a journal. Works on the file in a state folder, on the
// coordinator's host, or on a database. Not here: how runs are stored (Journal).
internal import ArgumentParser
internal import Console
internal import Core
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import Journal
internal import Transport

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Checks, repairs and exports what a coordinator keeps of its runs.",
        discussion: """
            A coordinator keeps the records of its runs in journal.sqlite in its state folder, or in the \
            database that its --journal names. A coordinator that finds it damaged does not start and \
            says so. Examples:

              weft journal check
              weft journal check --journal postgresql://weft@db.example/weft
              weft journal repair
              weft journal export > runs.jsonl
            """,
        subcommands: [
            CheckJournalCommand.self, RepairJournalCommand.self, ExportJournalCommand.self,
        ]
    )
}

/// Which journal is meant.
struct JournalFolder: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A journal in a database, postgresql://USER@HOST:PORT/DATABASE (default: WEFT_JOURNAL, "
                + "unless --state is given).",
            valueName: "url"
        )
    )
    var journal: String?

    @Option(
        help: ArgumentHelp(
            "The state folder (default: WEFT_STATE_DIR, else ~/.local/state/weftline).",
            valueName: "folder"
        )
    )
    var state: String?

    var path: String {
        StateDirectory.resolve(flag: state, environment: ProcessInfo.processInfo.environment)
    }

    var file: String { path + "/" + JournalFile.name }

    func validate() throws {
        guard journal == nil || state == nil else {
            throw ValidationError("--journal names a database, and --state a folder; drop one.")
        }
    }

    /// The database, if the journal is in one.
    func database() throws(CommandFailure) -> PostgresPlace? {
        let variable = state == nil ? ConnectionChoice.environment("WEFT_JOURNAL") : nil
        guard let url = journal ?? variable else { return nil }
        return try use { () throws(JournalError) in try PostgresPlace(url: url) }
    }

    /// What messages call it.
    func name() throws(CommandFailure) -> String { try database()?.name ?? file }

    /// Does something with the journal.
    func use<Value>(
        _ body: () throws(JournalError) -> Value
    ) throws(CommandFailure) -> Value {
        do throws(JournalError) {
            return try body()
        } catch {
            throw CommandFailure(error.kind == .damaged ? .failed : .usage, error.message)
        }
    }

    /// Takes the folder's lock until the process ends, so that no coordinator starts meanwhile.
    func lock() throws(CommandFailure) {
        let file = open(
            "\(path)/coordinator.lock",
            O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
            0o600
        )
        guard file >= 0 else {
            throw CommandFailure(
                .usage,
                "\(path)/coordinator.lock cannot be opened: \(Output.lastReason()). --state names the "
                    + "state folder."
            )
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            throw CommandFailure(
                .usage,
                "A coordinator uses the state folder \(path); stop it before the repair."
            )
        }
    }
}

struct CheckJournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reads all of the journal and tells what is wrong with it; changes nothing.",
        discussion: "Exit code 1 if something is wrong. A coordinator may use it meanwhile."
    )

    @OptionGroup var folder: JournalFolder
    @Flag(help: "Print the report as JSON.")
    var json = false

    func run() throws {
        let database = try folder.database()
        let report = try folder.use { () throws(JournalError) in
            if let database { return try database.check() }
            return try JournalFile.check(path: folder.file)
        }
        report.show(of: try folder.name(), asJSON: json)
        guard report.findings.isEmpty else {
            throw CommandFailure(.failed, json ? [] : report.problemLines)
        }
    }
}

struct RepairJournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Puts a journal with all runs that are whole in the place of a damaged one.",
        discussion: """
            The damaged file is kept beside it, and what is not in the new one is told. A journal \
            that is whole stays as it is. No coordinator may use the folder meanwhile.
            """
    )

    @OptionGroup var folder: JournalFolder
    @Flag(help: "Print what was done as JSON.")
    var json = false

    func run() throws {
        guard try folder.database() == nil else {
            throw CommandFailure(
                .usage,
                "A journal in a database is not repaired but restored from a backup of the database; "
                    + "weft journal export prints what is whole."
            )
        }
        try folder.lock()
        let before = try? JournalFile.check(path: folder.file)
        if let before, before.findings.isEmpty {
            if json { return before.show(of: folder.file, asJSON: true) }
            return Printer().lines(["The journal \(folder.file) is whole; nothing was changed."])
        }
        let repair = try folder.use { () throws(JournalError) in
            try JournalRepair.run(path: folder.file)
        }
        if json { return repair.report.show(of: folder.file, asJSON: true, kept: repair.kept) }
        repair.report.show(of: folder.file, asJSON: false, kept: repair.kept)
        let lines = repair.report.findings.map { "not kept: \($0.message)" }
        Printer().text(lines)
    }
}

struct ExportJournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Prints all runs with their records, and the workers, as lines of JSON.",
        discussion: """
            Runs that are damaged are left out and told on standard error; the exit code is 1 then. \
            A coordinator may use the journal meanwhile.
            """
    )

    @OptionGroup var folder: JournalFolder
    @Flag(help: "Print JSON; there is no other form.")
    var json = false

    func run() throws {
        let database = try folder.database()
        let report = try folder.use { () throws(JournalError) in
            let write: ([UInt8]) -> Void = { Output.standard.writeNow($0) }
            if let database { return try database.export(write) }
            return try JournalFile.export(path: folder.file, write)
        }
        guard report.findings.isEmpty else { throw CommandFailure(.failed, report.problemLines) }
    }
}

extension JournalReport {
    /// What is wrong, a line each.
    fileprivate var problemLines: [String] { findings.map { "error: \($0.message)" } }

    /// Prints what is in the journal.
    fileprivate func show(of path: String, asJSON: Bool, kept: String? = nil) {
        if asJSON { return Printer().json(document(of: path, kept)) }
        Printer().pairs([
            ("journal", path),
            ("runs", "\(runs), \(unfinished) of them not ended"),
            ("records", "\(records) in \(bytes) bytes"),
            ("workers", "\(workers)"),
            ("old file", kept),
        ])
    }

    private func document(of path: String, _ kept: String?) -> RawJSON {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.field("journal", path)
        writer.field("runs", runs)
        writer.field("unfinished", unfinished)
        writer.field("records", records)
        writer.field("bytes", bytes)
        writer.field("workers", workers)
        writer.field("old_file", kept)
        writer.key("findings")
        writer.beginArray()
        for finding in findings {
            writer.beginObject()
            writer.field("run", finding.run?.text)
            writer.field("message", finding.message)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return RawJSON(trusted: writer.bytes[...])
    }
}
