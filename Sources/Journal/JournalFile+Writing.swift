// Writing entries to the file in one transaction. Which rows they become is in EntryRows.swift.

internal import Core
internal import JSON

extension JournalFile {
    /// Writes entries in one transaction, which is on the disk on return; if it throws, nothing was
    /// written, but for a failed disk, where that is not known.
    public func write(_ entries: [JournalEntry]) throws(JournalError) {
        guard !entries.isEmpty else { return }
        defer { writing.discard() }
        try database.inTransaction { () throws(JournalError) in
            try writing.write(entries, to: self)
        }
        let bytes = writing.confirm()
        if let ended = endedBytes { endedBytes = ended + bytes }
        try database.checkpoint()
    }
}

extension JournalFile: RowWriter {
    func write(_ batch: Batch, at place: Int) throws(JournalError) {
        let statement = try statements.prepared(.insertBatch, database)
        let body = batch.writer.bytes[...]
        statement.bind(1, place)
        statement.bind(2, batch.count)
        statement.bind(3, batch.outside)
        statement.bind(4, batch.checksum(at: place))
        statement.bind(5, bytes: body)
        try statement.run()
    }

    func write(_ output: RawJSON, at place: Int) throws(JournalError) {
        let statement = try statements.prepared(.insertOutput, database)
        statement.bind(1, place)
        statement.bind(2, checksum(of: output.bytes, place))
        statement.bind(3, bytes: output.bytes)
        try statement.run()
    }

    func write(_ run: JournalRun, isNew: Bool) throws(JournalError) {
        let statement = try statements.prepared(isNew ? .insertRun : .updateRun, database)
        if isNew { run.bindNew(to: statement) } else { run.bindChanged(to: statement) }
        try statement.run()
    }

    func write(_ document: RawJSON, ofWorker name: String) throws(JournalError) {
        let statement = try statements.prepared(.replaceWorker, database)
        statement.bind(1, name)
        statement.bind(2, checksum(of: document.bytes, name.utf8.count))
        statement.bind(3, bytes: document.bytes)
        try statement.run()
    }

    func removeWorker(_ name: String) throws(JournalError) {
        let statement = try statements.prepared(.removeWorker, database)
        statement.bind(1, name)
        try statement.run()
    }
}
