// One command on a loop of its own: its start, its interruption, its end and its output. Not here:
// what the command does.
package import Client
package import Core
internal import Glibc
package import JSON
package import Transport
package import UVLoop
package import Wire

/// A running command.
///
/// Confined to its loop.
package final class Session {
    package let loop: EventLoop
    /// Standard output.
    package let output: OutputQueue
    /// Called on an interrupt; without it the command ends at once.
    package var onInterrupt: (() -> Void)?
    /// Ends what the command started, before the command ends; called once.
    package var onEnd: ((@escaping () -> Void) -> Void)?
    /// Tells what the command started to end, when the command does not wait for it.
    package var onEndAtOnce: (() -> Void)?

    /// Closes the connection.
    private var disconnect: (() -> Void)?
    private var ending: CommandFailure?
    private var isEnding = false
    private var isDone = false
    private var endsAtOnce = false
    private var signals: [SignalSource] = []

    private init(loop: EventLoop) throws {
        self.loop = loop
        output = OutputQueue(loop: loop)
        signals = try Shell.onEndingSignals(loop) { [weak self] isUrgent in
            self?.interrupt(isUrgent: isUrgent)
        }
    }

    /// Runs a command: starts it, and returns or throws when it has called `end`.
    package static func run(_ begin: (Session) throws -> Void) throws {
        let loop: EventLoop
        let session: Session
        do {
            loop = try EventLoop()
            session = try Session(loop: loop)
        } catch {
            throw CommandFailure(.failed, "The event loop cannot be made: \(error)")
        }
        try begin(session)
        if !session.isDone { loop.run() }
        // A reader that does not read must not keep the process alive: it ends with open writes.
        // Closing the loop would kill workers that still have to end their tools.
        if !session.output.isBusy, !session.endsAtOnce { loop.close() }
        if !session.isDone {
            throw CommandFailure(.failed, "The command ended without an outcome.")
        }
        if let failure = session.ending { throw failure }
    }

    /// Connects and continues with the client, or ends the command.
    package func connect(
        _ options: CoordinatorClient.Options,
        then: @escaping (CoordinatorClient) -> Void
    ) {
        CoordinatorClient.connect(loop: loop, options: options) { [self] result in
            guard !isEnding else { return }
            switch result {
            case .success(let client):
                disconnect = { client.close() }
                then(client)
            case .failure(let error):
                end(CommandFailure(error))
            }
        }
    }

    /// Connects and continues with a client that connects again for so long when the connection is
    /// lost, and says so on standard error.
    package func connect(
        _ options: CoordinatorClient.Options,
        reconnecting limit: Duration,
        about run: RunID? = nil,
        then: @escaping (LastingClient) -> Void
    ) {
        connect(options) { [self] connection in
            let client = LastingClient(connection, options: options, limit: limit)
            disconnect = { client.close() }
            client.onChange = { Shell.tell($0.line(about: run)) }
            then(client)
        }
    }

    /// Ends the command once its output is written; the first call counts.
    package func end(_ failure: CommandFailure? = nil) {
        guard !isEnding else { return }
        isEnding = true
        ending = failure
        output.whenDrained { [self] in
            disconnect?()
            // The connection is closed first, while its other side still exists.
            let onEnd = onEnd ?? { then in then() }
            // What was written meanwhile is not to meet the last words of the command.
            onEnd { [self] in output.close { [self] in stop() } }
        }
    }

    /// Ends the command with a failure without waiting for anything.
    package func endAtOnce(_ failure: CommandFailure) {
        guard !isDone else { return }
        isEnding = true
        endsAtOnce = true
        ending = failure
        onEndAtOnce?()
        stop()
    }

    private func stop() {
        guard !isDone else { return }
        isDone = true
        onInterrupt = nil
        onEnd = nil
        onEndAtOnce = nil
        loop.stop()
    }

    private func interrupt(isUrgent: Bool) {
        // A second interrupt ends the command at once.
        let action = isEnding || isUrgent ? nil : onInterrupt
        onInterrupt = nil
        if let action { action() } else { endAtOnce(CommandFailure(.interrupted)) }
    }
}

extension CoordinatorClient.Options {
    /// How this command connects with a key.
    package static func client(
        to endpoints: [Endpoint],
        role: Role = .client,
        key: HandshakeKey,
        tls: TLSPolicy = .offHost
    ) -> CoordinatorClient.Options {
        CoordinatorClient.Options(
            endpoints: endpoints,
            role: role,
            key: key,
            name: "weft-\(ProcessTable.pid)",
            tls: tls
        )
    }
}

extension LastingClient.Change {
    /// One line for people.
    package func line(about run: RunID?) -> String {
        switch self {
        case .lost(let error, let limit):
            let cause = error.cause ?? error.message
            return "connection lost (\(cause)); trying again for \(limit.components.seconds) s"
        case .returned:
            return "connected again" + (run.map { "; run \($0) goes on" } ?? "")
        }
    }
}

extension Session {
    /// Connects, asks one question and returns the answer.
    ///
    /// `onConnected` gets the connection before the question goes out.
    package static func ask(
        _ options: CoordinatorClient.Options,
        _ what: GetKind,
        id: String? = nil,
        node: NodeID? = nil,
        from: Int? = nil,
        limit: Int? = nil,
        runs filter: RunsFilter = RunsFilter(),
        reconnecting: Duration = .zero,
        onConnected: @escaping (CoordinatorClient) -> Void = { _ in }
    ) throws -> RawJSON {
        var answer = RawJSON.null
        try run { session in
            session.connect(options, reconnecting: reconnecting) { client in
                onConnected(client.connection)
                client.get(
                    what,
                    id: id,
                    node: node,
                    from: from,
                    limit: limit,
                    runs: filter
                ) { result in
                    switch result {
                    case .success(let data):
                        answer = data
                        session.end()
                    case .failure(let error):
                        session.end(CommandFailure(error))
                    }
                }
            }
        }
        return answer
    }
}

/// Reads an answer of the coordinator; one that cannot be read ends the command.
package func read<Value>(_ body: () throws(WireError) -> Value) throws(CommandFailure) -> Value {
    do throws(WireError) {
        return try body()
    } catch {
        throw CommandFailure(.unreadable(error))
    }
}
