// What a terminal shows of a launch: one line a worker, never more than there is room for.
import JSON
import Launch
import LaunchCore
import Testing

@testable import Console
@testable import weft

@Suite("The view of a launch")
struct LaunchViewTests {
    private func worker(
        _ number: Int,
        _ state: MemberState,
        note: String = ""
    ) -> LaunchedWorker {
        LaunchedWorker(
            name: "hosts-ssh-\(number)",
            group: "ssh",
            site: "root@host-\(number)",
            state: state,
            note: note,
            starts: 1
        )
    }

    private func document(_ workers: [LaunchedWorker]) -> LaunchStatus {
        LaunchStatus(
            name: "hosts",
            coordinator: "127.0.0.1:7420",
            groups: [LaunchedGroup(name: "ssh", count: workers.count, range: 0...9)],
            workers: workers
        )
    }

    private let plain = Style(isColored: false)

    @Test("Each worker has a line with its state, its host and the reason")
    func lines() {
        let document = document([
            worker(1, .running), worker(2, .failed, note: "Permission denied (publickey)."),
            worker(3, .ended),
        ])
        #expect(
            LaunchView.lines(document, width: 80, room: 10, style: plain) == [
                "  hosts-ssh-1       running    root@host-1",
                "  hosts-ssh-2       failed     root@host-2: Permission denied (publickey).",
            ]
        )
        #expect(LaunchView.summary(document) == "2 workers: 1 running, 1 failed")
    }

    @Test("With too little room workers that need attention are shown, and the others counted")
    func room() {
        var workers = (1...20).map { worker($0, .running) }
        workers[17] = worker(18, .failed, note: "no")
        workers[18] = worker(19, .pending, note: "Resources")
        let document = document(workers)
        for room in 1...30 {
            let lines = LaunchView.lines(document, width: 80, room: room, style: plain)
            #expect(lines.count <= room)
            if room >= 3 { #expect(lines.contains { $0.contains("hosts-ssh-18") }) }
        }
        let lines = LaunchView.lines(document, width: 80, room: 4, style: plain)
        #expect(
            lines.map { $0.split(separator: " ")[1] } == ["running", "failed", "pending", "17"]
        )
    }

    @Test("No line is wider than the terminal, and control characters do not reach it")
    func width() {
        let note = String(repeating: "very long ", count: 30) + "\u{1B}[2J"
        let document = document([worker(1, .waiting, note: note)])
        for width in [20, 40, 80, 200] {
            for line in LaunchView.lines(document, width: width, room: 5, style: plain) {
                #expect(Text.width(of: line) < width)
                #expect(!line.contains("\u{1B}"))
            }
        }
    }

    @Test("What is written for other commands is read again")
    func roundTrip() throws {
        let document = document([worker(1, .pending, note: "Resources")])
        let text = "\(document.json(removals: [["scancel", "7"]]))"
        let read = try #require(LaunchStatus(try JSONValue(parsing: text)))
        #expect(read.workers == document.workers)
        #expect(read.groups == document.groups)
        #expect(read.coordinator == document.coordinator)
        #expect(!"\(document.json())".contains("removals"))
    }
}
