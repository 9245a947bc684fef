// Stories: the records of one node, as far as they are kept.

internal import Core
internal import DequeModule
internal import JSON
internal import Plans
internal import Runs
internal import Wire

extension CoordinatorMachine {
    /// A page of the records of a node, the oldest first; `from` counts the kept records of the run.
    ///
    /// `complete` tells whether the first ones are still kept.
    func storyPage(
        _ run: Int,
        _ node: Int,
        from: Int,
        limit: Int
    ) -> (data: JSONPieces, next: Int?) {
        let log = runs[run].log
        var position = min(from, log.entries.count)
        var records: [RawJSON] = []
        var work = PageWork()
        while position < log.entries.count, records.count < limit, !work.isUsedUp {
            defer { position += 1 }
            work.look()
            let entry = log.entries[position]
            guard entry.node == node, let record = runs[run].state.record(of: entry) else {
                continue
            }
            var writer = JSONWriter()
            record.encode(into: &writer)
            work.write(bytes: writer.bytes.count)
            records.append(RawJSON(trusted: writer.bytes[...]))
        }
        let story = StoryDocument(
            run: runs[run].id,
            node: runs[run].state.plan[node].id,
            isComplete: log.isWhole,
            records: records
        )
        return (JSONPieces(story.json), position < log.entries.count ? position : nil)
    }
}
