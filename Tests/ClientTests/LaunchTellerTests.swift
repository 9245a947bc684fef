// What a launch tells its coordinator: those that do not run first, and no more than that takes.
import Launch
import LaunchCore
import Testing
import Wire

@testable import weft

@Suite("What a launch tells")
struct LaunchTellerTests {
    private func worker(_ number: Int, _ state: MemberState, note: String = "") -> LaunchedWorker {
        LaunchedWorker(
            name: "hosts-batch-\(number)",
            group: "batch",
            site: "slurm",
            state: state,
            note: note,
            starts: 1,
            slots: state == .running ? 8 : nil
        )
    }

    private func told(_ workers: [LaunchedWorker]) throws -> LaunchDocument {
        let file = try LaunchFile.parse(
            yaml: "workers: [{slurm: {nodes: 3}, name: batch, diagnostics: true, min: 1, max: 9}]",
            path: "hosts.yaml"
        )
        let groups = [LaunchedGroup(name: "batch", count: workers.count, range: 1...9)]
        return LaunchDocument(file, groups: groups, workers: workers)
    }

    @Test("Workers that do not run come first, those that have ended are left out")
    func order() throws {
        let launch = try told([
            worker(1, .running), worker(2, .pending, note: "Resources"), worker(3, .ended),
            worker(4, .failed, note: "no"),
        ])
        #expect(launch.name == "hosts")
        #expect(launch.members.map(\.name) == [2, 4, 1].map { "hosts-batch-\($0)" })
        #expect(launch.members.map(\.state) == [.pending, .failed, .running])
        #expect(launch.members.map(\.note) == ["Resources", "no", nil])
        #expect(launch.members.map(\.slots) == [nil, nil, 8])
        #expect(launch.more == nil)
        #expect(
            launch.groups == [
                LaunchGroupDocument(
                    name: "batch",
                    kind: .slurm,
                    wanted: 4,
                    running: 1,
                    pending: 1,
                    range: 1...9
                )
            ]
        )
    }

    @Test("A report of many workers or long notes is cut to what a coordinator keeps")
    func bounds() throws {
        let many = try told((1...2_000).map { worker($0, .running) })
        #expect(many.members.count == 500 && many.more == 1_500)
        #expect(many.groups.first?.running == 2_000)
        let long = String(repeating: "ä", count: 4_000)
        let wordy = try told((1...600).map { worker($0, .waiting, note: long) })
        #expect(wordy.members.allSatisfy { $0.note == String(repeating: "ä", count: 150) })
        #expect(wordy.members.count + (wordy.more ?? 0) == 600)
        let bytes = wordy.members.reduce(0) { $0 + $1.name.utf8.count + 300 + 10 + 128 }
        #expect(wordy.members.count > 200 && bytes < 256 << 10)
    }
}
