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
        var found = 0
        var work = PageWork()
        let data = RawJSON.object { writer in
            writer.field("run", runs[run].id.text)
            writer.field("node", runs[run].state.plan[node].id.text)
            writer.field("complete", log.isWhole)
            writer.key("records")
            writer.beginArray()
            while position < log.entries.count, found < limit, !work.isUsedUp {
                defer { position += 1 }
                work.look()
                let entry = log.entries[position]
                guard entry.node == node, let record = runs[run].state.record(of: entry) else {
                    continue
                }
                found += 1
                let before = writer.bytes.count
                record.encode(into: &writer)
                work.write(bytes: writer.bytes.count - before)
            }
            writer.endArray()
        }
        return (JSONPieces(data), position < log.entries.count ? position : nil)
    }
}
