// The records of one call, sorted by their runs and written down as JSON, before they become rows.

internal import Core
internal import JSON
internal import Runs

/// The records of one run in one call that are not in a row yet.
struct Batch {
    /// The run's row with these records counted.
    var row: JournalRun
    /// Whether the row is not in the table yet.
    var isNew: Bool
    /// The position of the first record.
    var first = 0
    /// How many of the records have their output outside.
    var outside = 0
    /// The records, one a line.
    var writer = JSONWriter()

    /// How many records there are.
    var count: Int { row.records - first }

    /// Writes the next record down.
    mutating func add(_ record: RunRecord) {
        record.encode(into: &writer)
        writer.newline()
        row.add(record)
    }

    /// The checksum of its row at a place.
    func checksum(at place: Int) -> Int {
        Journal.checksum(of: writer.bytes[...], place, count, outside)
    }

    /// Forgets the records, which are in a row now.
    mutating func clear() {
        row.bytes += writer.bytes.count
        first = row.records
        outside = 0
        // A large plan is rare, and its memory is not kept.
        writer.bytes.removeAll(keepingCapacity: writer.bytes.capacity <= 4 << 20)
    }
}

/// The batches of one call.
struct BatchTable {
    private var batches: [Batch] = []
    /// How many of them the call uses; the others only have memory to be used again.
    private(set) var count = 0
    /// How many of their runs are not in the table yet.
    private(set) var newRuns = 0
    private var places: [RunID: Int] = [:]
    /// Where the run of the latest record is: records of one run often come together.
    private var latest: (run: RunID, place: Int)?

    /// The value is copied: what is passed on of one that `_read` lends is released, without
    /// optimization, where it was after the accessor has given that memory back.
    subscript(place: Int) -> Batch {
        get { batches[place] }
        _modify { yield &batches[place] }
    }

    /// Where the batch of a run is; nil if it has none yet.
    mutating func place(of run: RunID) -> Int? {
        if let latest, latest.run == run { return latest.place }
        guard let place = places[run] else { return nil }
        latest = (run, place)
        return place
    }

    /// Begins the batch of a run.
    mutating func insert(_ row: JournalRun, isNew: Bool) -> Int {
        let place = count
        count += 1
        if isNew { newRuns += 1 }
        if place < batches.count {
            batches[place].row = row
            batches[place].isNew = isNew
            batches[place].first = row.records
        } else {
            batches.append(Batch(row: row, isNew: isNew, first: row.records))
        }
        places[row.id] = place
        latest = (row.id, place)
        return place
    }

    /// Forgets the records of a call.
    mutating func removeAll() {
        for place in 0..<count where batches[place].count > 0 { batches[place].clear() }
        // Many runs in one call are rare, and so is the memory for them kept only for a few.
        if batches.count > 256 { batches.removeLast(batches.count - 256) }
        count = 0
        newRuns = 0
        latest = nil
        places.removeAll(keepingCapacity: true)
    }
}
