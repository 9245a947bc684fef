// Where the records of a run are in the tables: one number that has the run's and the record's.

/// The place of a record: the number of its run and its position in it.
enum RunPlace {
    /// How many records a run may have.
    static let limit = 1 << 32

    /// The place of a record.
    static func of(run: Int, position: Int) -> Int { run << 32 | position }

    /// The places of all records of a run.
    static func range(of run: Int) -> (first: Int, last: Int) {
        (run << 32, run << 32 | (limit - 1))
    }

    /// The position of a record in its run.
    static func position(in place: Int) -> Int { place & (limit - 1) }
}
