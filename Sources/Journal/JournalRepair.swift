// Repairing a damaged journal: what is whole is copied into a new file, which then takes the place of
// the old one; the old one is kept beside it.

internal import Core
internal import Glibc
internal import JSON
internal import Runs

/// What a repair did.
public struct JournalRepair: Sendable, Equatable {
    /// What is in the repaired journal, and what was found in the old one.
    public internal(set) var report: JournalReport
    /// Where the old file is.
    public internal(set) var kept: String

    /// Copies what is whole into a new file, and puts it in the place of the old one, which is kept
    /// under another name.
    ///
    /// Nothing else may use the journal meanwhile. A repair that was interrupted is done again or
    /// completed by the next one.
    public static func run(path: String) throws(JournalError) -> JournalRepair {
        if access(path, F_OK) != 0, access(unfinished(path), F_OK) == 0 {
            // The old file was put aside, and the new one is complete.
            let kept = try putAside(path, movesFile: false)
            try move(unfinished(path), to: path)
            return JournalRepair(report: try JournalFile.check(path: path), kept: kept)
        }
        for suffix in ["", "-wal", "-shm"] { unlink(unfinished(path) + suffix) }
        let salvage: Salvage
        do throws(JournalError) {
            salvage = try copy(path)
        } catch {
            for suffix in ["", "-wal", "-shm"] { unlink(unfinished(path) + suffix) }
            throw error
        }
        let kept = try putAside(path, movesFile: true)
        try move(unfinished(path), to: path)
        return JournalRepair(report: salvage.report, kept: kept)
    }

    /// Refuses a journal whose repair was interrupted: it may not be there, and an empty one must not
    /// take its place.
    static func refuseUnfinished(of path: String) throws(JournalError) {
        guard access(unfinished(path), F_OK) == 0 else { return }
        throw JournalError(
            .damaged,
            "A repair of the journal \(path) was interrupted; run \"weft journal repair\" again."
        )
    }

    private static func unfinished(_ path: String) -> String { path + ".repairing" }

    // MARK: - Copying

    private static func copy(_ path: String) throws(JournalError) -> Salvage {
        let file = try JournalFile(path: unfinished(path))
        let salvage = Salvage()
        try salvage.read(path) { (old, run) throws(JournalError) in
            let summary = try old.summary(of: run)
            var count = 0
            try old.forEachBatch(of: run) { (records) throws(JournalError) in
                count += records.count
                var entries = records.map { JournalEntry.record(run.id, $0) }
                if count == run.records, let summary { entries.append(.summary(run.id, summary)) }
                try file.write(entries)
            }
        }
        try file.write(salvage.workers)
        try file.setStarts(salvage.starts)
        return salvage
    }

    // MARK: - Files

    /// Gives the old file another name, with what belongs to it; returns the name.
    private static func putAside(_ path: String, movesFile: Bool) throws(JournalError) -> String {
        var number = 1
        while access("\(path).damaged-\(number)", F_OK) == 0 { number += 1 }
        let kept = "\(path).damaged-\(movesFile ? number : max(number - 1, 1))"
        if movesFile { try move(path, to: kept) }
        if access(path + "-wal", F_OK) == 0 { try move(path + "-wal", to: kept + "-wal") }
        unlink(path + "-shm")
        return kept
    }

    private static func move(_ path: String, to target: String) throws(JournalError) {
        guard rename(path, target) == 0 else {
            let detail = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
            throw JournalError(
                .failed,
                "The file \(path) cannot be renamed to \(target) (\(detail)); check the folder."
            )
        }
        let slash = path.lastIndex(of: "/")
        let folder = open(slash.map { String(path[..<$0]) } ?? ".", O_RDONLY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }
}

extension JournalFile {
    /// Sets how many starts there were, in a file that was just made.
    fileprivate func setStarts(_ count: Int) throws(JournalError) {
        try database.execute("REPLACE INTO meta VALUES('starts', \(count))")
    }
}
