// The records of one node, a page at a time: its story, and what its tool wrote.

package import Core
package import Runs

extension JournalReading {
    /// Records of a run that fulfil a condition, from a position among all its records on.
    ///
    /// A page ends after about `limit` records, or after the work of some hundredths of a second;
    /// `next` is the position of the following one. Large outputs are left out of the records. Nil
    /// if there is no such run.
    package func page(
        of run: RunID,
        from position: Int,
        limit: Int,
        where isWanted: (RunRecord) -> Bool
    ) throws(JournalError) -> (records: [RunRecord], next: Int?)? {
        guard let row = try self.run(run) else { return nil }
        var position = position
        let end = min(row.records, position + recordsAPage)
        var found: [RunRecord] = []
        while position < end, found.count < limit {
            guard let records = try batch(of: row, from: position, withOutputs: false) else {
                throw damaged(run, "records from number \(position + 1) on are missing")
            }
            found += records.lazy.filter(isWanted)
            position += records.count
        }
        return (found, position < row.records ? position : nil)
    }

    /// How many records are looked through for a page, about.
    private var recordsAPage: Int { 100_000 }
}
