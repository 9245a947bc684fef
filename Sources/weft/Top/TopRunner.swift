// Runs `weft top` on a loop: asks the coordinator, reads keys, draws. Not here: what is drawn
// (TopView), what keys do (TopModel).
internal import Client
internal import Console
internal import Core
internal import Glibc
internal import JSON
internal import UVLoop
internal import Wire

/// The command at work.
///
/// Confined to its loop.
final class TopRunner {
    private let session: Session
    private let client: LastingClient
    private let interval: Duration
    private let began: Int64
    private var terminal = Terminal.of(.standard)
    private var screen = FullScreen()
    private var model: TopModel
    private var keys = TopKeyReader()
    private var input: StandardInput?
    private var signals: [SignalSource] = []
    private var refresh: Timer?
    private var escape: Timer?
    private var isAsking = false
    /// Whether other answers are needed than those that are asked for.
    private var asksAgain = false
    private var isDrawingLater = false

    /// After this time an escape byte is the escape key.
    private static let escapeTime = Duration.milliseconds(40)
    private static let recentRuns = 100
    private static let activeRuns = 300
    private static let explainedNodes = 2000
    private static let timedNodes = 12

    init(
        _ session: Session,
        _ client: LastingClient,
        place: String,
        mayOrder: Bool,
        _ interval: Duration
    ) {
        self.session = session
        self.client = client
        self.interval = interval
        began = session.loop.nowNanoseconds
        model = TopModel(place: place, mayOrder: mayOrder)
    }

    /// Fills the terminal and begins to ask.
    func start() throws {
        let loop = session.loop
        client.onChange = { [self] change in
            switch change {
            case .lost: model.outage = "no connection; trying again"
            case .returned: model.outage = nil
            }
            draw()
        }
        signals = [
            try SignalSource(loop: loop, signal: SIGWINCH) { [self] in fit() },
            try SignalSource(loop: loop, signal: SIGTSTP) { [self] in stop() },
            try SignalSource(loop: loop, signal: SIGCONT) { [self] in enter() },
        ]
        session.output.onBroken = { [self] in session.end() }
        session.onInterrupt = { [self] in session.end(CommandFailure(.interrupted)) }
        enter()
        input = StandardInput(bytesOn: loop) { [self] bytes in
            read(bytes)
        } onEnd: { [self] in
            session.end()
        }
        refresh = Timer(loop: loop) { [self] in ask() }
        escape = Timer(loop: loop) { [self] in obey(keys.flush()) }
        ask()
    }

    /// Gives the terminal back as it was.
    func leave() { screen.leave() }

    // MARK: - The terminal

    private func enter() {
        session.output.write(screen.enter())
        fit()
    }

    private func stop() {
        session.output.whenDrained { [self] in screen.stop() }
    }

    private func fit() {
        terminal.measure(.standard)
        screen.forget()
        draw()
    }

    /// Draws; when the terminal is slower than that, later and only the latest state.
    private func draw() {
        guard !isDrawingLater else { return }
        guard !session.output.isBusy else {
            isDrawingLater = true
            return session.output.whenDrained { [self] in
                isDrawingLater = false
                draw()
            }
        }
        let view = TopView(
            columns: terminal.width ?? 80,
            rows: terminal.rows,
            style: terminal.style
        )
        session.output.write(screen.changes(to: view.lines(&model)))
    }

    // MARK: - Keys

    private func read(_ bytes: [UInt8]) {
        escape?.cancel()
        obey(keys.read(bytes))
        if keys.isWaiting { escape?.schedule(after: Self.escapeTime) }
    }

    private func obey(_ keys: [TopKey]) {
        for key in keys { obey(model.handle(key)) }
        draw()
    }

    private func obey(_ order: TopOrder) {
        switch order {
        case .none: break
        case .quit: session.end()
        case .redraw: screen.forget()
        case .ask: ask()
        case .cancel(let run):
            send("Run \(run) is asked to end.") { connection, then in
                connection.cancelRun(run, reason: "cancelled in weft top", then: then)
            }
        case .drain(let worker):
            send("\(worker) gets nothing new and leaves when what it runs is done.") {
                $0.drain(worker: worker, then: $1)
            }
        }
    }

    private func send(
        _ success: String,
        _ order:
            @escaping (CoordinatorClient, @escaping (Result<Void, ClientError>) -> Void) -> Void
    ) {
        client.withConnection { [self] result in
            guard case .success(let connection) = result else { return }
            order(connection) { [self] result in
                switch result {
                case .success: model.message = success
                case .failure(let error): model.message = error.message
                }
                draw()
                ask()
            }
        }
    }

    // MARK: - Asking

    /// Asks for what is shown, one answer after the other; then again after the interval.
    private func ask() {
        guard !isAsking else {
            asksAgain = true
            return
        }
        isAsking = true
        asksAgain = false
        refresh?.cancel()
        var answers = model.answers
        answer(to: .status) { [self] raw throws(WireError) in
            answers.status = try StatusDocument(decoding: raw)
            try askForTable(&answers) { [self] answers in
                model.show(answers, at: Double(session.loop.nowNanoseconds - began) / 1e6)
                askForDetails { [self] in finishAsking() }
            }
        }
    }

    private func finishAsking() {
        isAsking = false
        draw()
        if asksAgain { return ask() }
        refresh?.schedule(after: interval)
    }

    private func askForTable(
        _ answers: inout TopAnswers,
        then: @escaping (TopAnswers) -> Void
    ) throws(WireError) {
        var next = answers
        switch model.section {
        case .runs:
            next.runs = []
            answer(to: .runs, limit: Self.activeRuns, RunsFilter(status: .running)) {
                [self] raw throws(WireError) in
                next.add(try RunDocument.list(decoding: raw))
                answer(to: .runs, limit: Self.recentRuns) { raw throws(WireError) in
                    next.add(try RunDocument.list(decoding: raw))
                    then(next)
                }
            }
        case .workers:
            answer(to: .workers) { raw throws(WireError) in
                next.workers = try WorkerDocument.list(decoding: raw)
                then(next)
            }
        case .tools:
            answer(to: .tools) { raw throws(WireError) in
                next.tools = try ToolDocument.list(decoding: raw)
                then(next)
            }
        }
    }

    /// Asks about the run whose details are shown, if there is one.
    private func askForDetails(then: @escaping () -> Void) {
        guard let run = model.shownRun else { return then() }
        answer(to: .run, of: run, otherwise: then) { [self] raw throws(WireError) in
            var details = TopRunDetails(run: try RunDocument(decoding: raw))
            guard details.run.status == .running else { return finish(details, then) }
            answer(to: .explain, of: run, limit: Self.explainedNodes, otherwise: then) {
                [self] raw throws(WireError) in
                let explanation = try ExplanationDocument(decoding: raw)
                let held = explanation.nodes.filter(\.status.isHeld)
                details.inProgress = held.map {
                    .init(id: $0.id.text, tool: $0.tool, reason: $0.reasons.first?.message ?? "")
                }
                var others = explanation
                others.nodes = explanation.nodes.filter { !$0.status.isHeld }
                details.waiting = Explanation(others)
                askForTimes(held.prefix(Self.timedNodes).map(\.id)[...], details, then)
            }
        }
    }

    /// How long the first nodes in progress have been running.
    private func askForTimes(
        _ nodes: ArraySlice<NodeID>,
        _ details: TopRunDetails,
        _ then: @escaping () -> Void
    ) {
        guard let node = nodes.first else { return finish(details, then) }
        answer(to: .node, of: details.run.run, node: node, otherwise: then) {
            [self] raw throws(WireError) in
            var details = details
            let document = try NodeDetails(decoding: raw).node
            let place = details.inProgress.firstIndex { $0.id == node.text }
            if let place {
                details.inProgress[place].milliseconds =
                    document.runningMilliseconds(at: details.run.ageMilliseconds)
            }
            askForTimes(nodes.dropFirst(), details, then)
        }
    }

    private func finish(_ details: TopRunDetails, _ then: () -> Void) {
        if model.shownRun == details.run.run { model.runDetails = details }
        then()
    }

    /// Asks a question; an answer that cannot be had ends the command, unless only a run is gone.
    private func answer(
        to what: GetKind,
        of run: RunID? = nil,
        node: NodeID? = nil,
        limit: Int? = nil,
        _ filter: RunsFilter = RunsFilter(),
        otherwise: (() -> Void)? = nil,
        then: @escaping (RawJSON) throws(WireError) -> Void
    ) {
        client.get(what, id: run?.text, node: node, limit: limit, runs: filter) { [self] result in
            do {
                try then(try result.get())
            } catch let error as WireError {
                session.end(CommandFailure(.unreadable(error)))
            } catch let error as ClientError {
                guard error.kind == .rejected, let otherwise else {
                    return session.end(CommandFailure(error))
                }
                model.message = error.message
                model.details = nil
                otherwise()
            } catch {
                preconditionFailure("nothing else is thrown: \(error)")
            }
        }
    }
}

@available(*, unavailable)
extension TopRunner: Sendable {}
