// What a worker's log says about the coordinator's version.
import Logging
import Testing
import UVLoop
import WorkerCore

@testable import Worker

private struct RecordingLog: LogHandler {
    let lines: Locked<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let metadata = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted()
        let words = [event.level.rawValue, "\(event.message)"] + metadata
        lines.withLock { $0.append(words.joined(separator: " ")) }
    }
}

@Suite("The version of the coordinator in the log")
struct VersionLogTests {
    private func lines(own: String?, coordinator: String) -> [String] {
        let lines = Locked<[String]>([])
        let notice = WorkerMachine.Notice.registered(
            session: "s1",
            epoch: 1,
            software: coordinator,
            isResumed: false
        )
        notice.log(
            to: Logger(label: "test") { _ in RecordingLog(lines: lines) },
            ownSoftware: own
        )
        return lines.withLock { $0 }
    }

    @Test("Another version is told, with both")
    func other() {
        #expect(
            lines(own: "weft/1", coordinator: "weft/2") == [
                "info registered coordinator=weft/2 epoch=1 session=s1",
                "notice the coordinator has another version; both speak the same protocol"
                    + " coordinator=weft/2 here=weft/1",
            ]
        )
    }

    @Test("The same version, or none of its own, needs no word")
    func same() {
        #expect(lines(own: "weft/1", coordinator: "weft/1").count == 1)
        #expect(lines(own: nil, coordinator: "weft/1").count == 1)
    }
}
