// What the tests of the journal share: folders, and runs with all their records.
import Core
import Foundation
import JSON
import Journal
import Plans
import Runs
import Testing
import Wire

/// A folder that is removed with its object.
final class TemporaryFolder: Sendable {
    let path: String

    /// `isInMemory` is for many journals, none of which has to survive: it waits for no disk.
    init(isInMemory: Bool = false) throws {
        let memory = "/dev/shm"
        let usesMemory = isInMemory && FileManager.default.isWritableFile(atPath: memory)
        let parent = usesMemory ? memory : FileManager.default.temporaryDirectory.path
        path = parent + "/weft-journal-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var journal: String { path + "/" + JournalFile.name }
}

/// A run with its records.
struct Sample {
    var id: RunID
    var records: [RunRecord]

    var entries: [JournalEntry] { records.map { .record(id, $0) } }

    static func id(_ text: String) throws -> RunID { try #require(RunID(text)) }

    /// A run of nodes that do not depend on each other, from its acceptance to its end.
    static func run(_ name: String, nodes: Int, isEnded: Bool = true) throws -> Sample {
        let id = try id(name)
        let acceptance = Acceptance(
            id: id,
            key: "key of \(name)",
            label: "a \"label\"",
            isStreamed: false,
            submitter: "alice",
            unixMilliseconds: 1_790_000_000_000
        )
        let definitions = try (0..<nodes).map {
            NodeDefinition(id: try #require(NodeID("n\($0)")), tool: "t")
        }
        var records = [
            RunRecord(at: 0, .accepted(acceptance)),
            RunRecord(at: 0, .nodesAdded(definitions)),
            RunRecord(at: 0, .planClosed(isFinal: true)),
        ]
        for node in 0..<Int32(nodes) {
            let at = Int(node) * 10
            records += [
                RunRecord(at: at + 1, .nodeReady(node)),
                RunRecord(
                    at: at + 2,
                    .dispatched(node: node, attempt: 1, worker: "w1", isRepeatable: true)
                ),
                RunRecord(at: at + 3, .started(node: node, attempt: 1)),
                RunRecord(
                    at: at + 4,
                    .succeeded(node: node, RawJSON("output \(node)"), microseconds: 250)
                ),
            ]
        }
        if isEnded { records.append(RunRecord(at: nodes * 10, .ended(.succeeded))) }
        return Sample(id: id, records: records)
    }
}
