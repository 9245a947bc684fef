// Launches tell of themselves, so that all who ask this coordinator see what is still to come. What is
// kept of them is in Launches.swift.

internal import Core
internal import JSON
internal import Wire

extension CoordinatorMachine {
    mutating func note(
        _ report: LaunchReport,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        let entry = Launches.Entry(
            document: report.launch,
            bytes: report.launch.heldBytes,
            identity: peers[id]?.access?.identity.name,
            toldAt: turn.now,
            connection: id
        )
        guard let problem = launches.keep(entry) else { return }
        let name = report.launch.name
        let error = ErrorMessage(
            code: .limit,
            message: "The launch \(name) is not shown: \(problem).",
            isFatal: false,
            about: name
        )
        turn.append(.send(id, .error(error)))
    }

    func launchesPage(
        _ now: Instant,
        from: Int,
        limit: Int
    ) -> (data: JSONPieces, next: Int?) {
        page(of: launches.entries, from: from, limit: limit) { entry, work in
            work.look(entry.document.members.count)
            return KnownLaunchDocument(
                launch: entry.document,
                state: entry.connection == nil ? .gone : .connected,
                reportedBy: entry.identity,
                reportedMilliseconds: (now - entry.toldAt).wholeMilliseconds
            )
        }
    }
}
