// Approvals by the user of a client: what a run waits for is asked, and the answers go to the
// coordinator. Not here: the form of the questions (ApprovalForm).
internal import Client
internal import Core
internal import JSON
internal import MCPServer
internal import Weftline
internal import Wire

extension ClusterCalls {
    /// Asks for the nodes of a run that wait for approval.
    func fetchApprovals(
        of run: RunID,
        _ client: LastingClient,
        then: @escaping (Result<[ApprovalDocument], ClientError>) -> Void
    ) {
        client.get(.approvals, id: run.text) { result in
            then(
                Self.decoded(result) { (raw) throws(WireError) in
                    try ApprovalDocument.list(decoding: raw)
                }
            )
        }
    }

    /// Ends a call with questions for the user of its client, if there are any; the run goes on.
    func askUser(
        about run: RunID,
        _ observer: FollowedRuns.Observer,
        _ client: LastingClient,
        _ report: Report
    ) {
        fetchApprovals(of: run, client) { result in
            guard let waiting = try? result.get(), !waiting.isEmpty else { return }
            observer.stop()
            report.end(.waiting(run, waiting))
        }
    }

    /// Goes on with a call after the user of its client was asked.
    func resume(
        _ run: RunID,
        _ answers: RawJSON,
        _ client: LastingClient,
        _ handle: Handle,
        _ report: Report
    ) {
        // An answer to what waits no longer changes nothing, and the end of the run tells the rest.
        send(ApprovalForm.answers(answers, of: run), client) { [self] error in
            if let error, error.kind != .rejected || error.code == .unknownRun {
                return report.end(.tool(.failure(error.message)))
            }
            guard !handle.isCancelled else { return }
            var observer: FollowedRuns.Observer?
            observer = runs.watch(run, over: client) { [self] update in
                guard let observer else { return }
                follow(run, update, canAsk: true, observer, client, report)
            }
            guard let observer else { return }
            handle.onCancel = { observer.cancelRun("its client cancelled the call or is gone") }
            // What was asked meanwhile is not asked again.
            askUser(about: run, observer, client, report)
        }
    }

    /// Sends answers one after the other; with the first error.
    func send(
        _ answers: [Approve],
        _ client: LastingClient,
        then: @escaping (ClientError?) -> Void
    ) {
        guard let first = answers.first else { return then(nil) }
        client.answer(first) { [self] result in
            send(Array(answers.dropFirst()), client) { error in
                if case .failure(let earlier) = result { then(earlier) } else { then(error) }
            }
        }
    }
}
