// One `weft run`: submits a plan or goal, follows its run and shows its progress. Reading the
// command line is in RunCommand, the output at the end in PlanRun+Ending.
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Plans
internal import UVLoop
internal import Weftline
internal import Wire

/// A running plan or goal.
///
/// Confined to the session's loop.
final class PlanRun {
    /// The options of the command line.
    struct Settings {
        var submission: Submission
        /// The source of the rest of a large plan.
        var rest: PlanInput?
        /// The name of the plan in messages about problems; nil for a goal.
        var planName: String?
        var isDetached = false
        var printsJSON = false
        /// The form of a plan that is the answer; nil for other answers.
        var planFormat: PlanCommand.Format?
        /// Whether the coordinator continues after the run.
        var isRemote = true
        /// How long a lost connection is tried again.
        var reconnecting = Duration.zero
        /// Whether every node that needs approval gets it.
        var approvesAll = false
        /// Whether the plan is read from standard input, so that no answer can be.
        var readsInput = false
    }

    let session: Session
    let settings: Settings
    let bar: ProgressBar
    let terminal: Terminal
    private(set) var follower: RunFollower?
    private(set) var isInterrupted = false
    private var unplaceable = 0
    /// The nodes that a person is asked about, and what is typed.
    var approvals = ApprovalPrompt()
    var input: StandardInput?
    /// The state of the run that a terminal shows.
    private var view: LiveView?
    /// The text of the answer that was shown while it was written.
    private(set) var shownAnswer = ""

    /// Why the answer is missing from the document of a run that succeeded.
    var answerFailure: CommandFailure?

    /// How many nodes without a worker are reported; further ones are not.
    private static let unplaceableSaid = 5

    init(session: Session, settings: Settings) {
        self.session = session
        self.settings = settings
        terminal = Terminal.of(.error)
        bar = ProgressBar(loop: session.loop, terminal: terminal)
        guard terminal.isLive, !settings.isDetached else { return }
        let isGoal = settings.submission.goal != nil
        var view = LiveView(style: terminal.style, subject: isGoal ? .goal : .plan)
        if !isGoal, settings.submission.watch == .nodes {
            view.add(PlanDocument.read(settings.submission.plan).document)
        }
        bar.above = { [weak self] width, room, elapsed in
            self?.view?.lines(width: width, room: room, elapsedMilliseconds: elapsed) ?? []
        }
        self.view = view
        show(phase: settings.isRemote ? "connecting" : "starting the cluster")
    }

    /// Shows what happens before there are nodes.
    private func show(phase: String) {
        view?.phase = phase
        if let progress = view?.progress { bar.show(progress) }
    }

    /// How many failures have been shown during the run.
    var toldFailures: Int { view?.toldFailures ?? 0 }

    /// Prints lines of other writers above the live lines: of the workers of the run's own cluster.
    func say(_ lines: [String]) { bar.say(lines.map(Text.printable)) }

    /// Submits the plan over a connection and ends the session when the run has ended.
    func start(_ options: CoordinatorClient.Options) {
        session.connect(options, reconnecting: settings.reconnecting) { [self] client in
            client.onChange = { [self] in handleChange($0) }
            session.onInterrupt = { [self] in interrupt() }
            show(phase: "sending the \(sent)")
            let rest = settings.rest.map { PlanStream(loop: session.loop, input: $0) }
            let follower = RunFollower(client) { [self] in handleUpdate($0) }
            self.follower = follower
            follower.submit(settings.submission, rest: rest)
        }
    }

    /// What is sent, in a word.
    private var sent: String {
        if settings.submission.retry != nil { return "request" }
        return settings.submission.goal == nil ? "plan" : "goal"
    }

    /// Tells of a lost connection, and of one that is there again.
    private func handleChange(_ change: LastingClient.Change) {
        if case .returned = change {
            view?.phase = nil
            // The answer may be written again, from its beginning.
            if follower?.client.hasRestarted == true, !shownAnswer.isEmpty {
                Output.standard.writeNow("\n")
                shownAnswer = ""
            }
        } else {
            view?.phase = "connecting again"
        }
        bar.say([Text.printable(change.line(about: follower?.run))])
    }

    private func handleUpdate(_ update: RunFollower.Update) {
        switch update {
        case .accepted(let run):
            view?.phase = nil
            tellRun(run)
        case .planComplete:
            guard settings.isDetached, let run = follower?.run else { return }
            announce(run)
            end(nil)
        case .event(_, let end?):
            endApprovals()
            tell(end)
        case .event(let event, nil):
            handleEvent(event)
        case .failed(let error):
            fail(error)
        }
    }

    private func handleEvent(_ event: EventMessage) {
        noteApprovals(event)
        if let lines = view?.handleEvent(event, elapsedMilliseconds: bar.elapsedMilliseconds) {
            bar.say(lines)
            bar.show(view?.progress ?? RunProgress())
        }
        switch try? EventData(of: event) {
        case .answering(let answer): show(answer.text)
        case .progress(let progress):
            if view == nil { bar.show(progress) }
        case .planProblems, .replanned:
            if let text = EventLines.text(of: event) { bar.say([Text.printable(text)]) }
        case .unplaceable(let missing):
            unplaceable += 1
            guard unplaceable <= Self.unplaceableSaid else { return }
            let node = event.node.map { "\($0): " } ?? ""
            bar.say([Text.printable("warning: \(node)\(missing.message)")])
        default:
            break
        }
    }

    /// Writes the next piece of the answer to standard output, if that is a terminal.
    private func show(_ text: String) {
        guard view != nil, Terminal.of(.standard).isTerminal else { return }
        if shownAnswer.isEmpty { bar.end() }
        shownAnswer += text
        Output.standard.writeNow(Text.harmless(text))
    }

    /// Shows the run's id, for use in other commands.
    private func tellRun(_ run: RunID) {
        guard terminal.isTerminal, !settings.isDetached, settings.planFormat == nil else { return }
        bar.say([terminal.style.paint("run \(run)", .dim)])
        bar.touch()
    }

    private func announce(_ run: RunID) {
        var writer = JSONWriter()
        if settings.printsJSON {
            writer.beginObject()
            writer.field("run", run.text)
            writer.endObject()
        } else {
            writer.bytes = Array(run.text.utf8)
        }
        writer.newline()
        session.output.write(writer.bytes)
    }

    // MARK: - Ending

    /// Cancels the run; it is then followed to its end.
    private func interrupt() {
        isInterrupted = true
        guard let follower, let run = follower.run else {
            return session.endAtOnce(CommandFailure(.interrupted))
        }
        guard follower.client.isConnected else {
            bar.end()
            let hint =
                "Run \(run) is not cancelled, because there is no coordinator now; when there is "
                + "one: weft cancel \(run)"
            return session.endAtOnce(CommandFailure(.interrupted, [hint]))
        }
        bar.say(["Cancelling run \(run); interrupt again to leave at once."])
        follower.cancel(reason: "interrupted by its user")
    }

    func fail(_ error: ClientError) {
        var failure = CommandFailure(error)
        if error.kind == .lost, settings.isRemote, let follower, let run = follower.run {
            let hint =
                follower.isPlanComplete
                ? error.hint(about: run)
                : "The plan had not been sent in full, so run \(run) fails there."
            if let hint { failure.lines.append(hint) }
        }
        if !error.problems.isEmpty {
            let problems = placed(error.problems)
            if settings.printsJSON {
                session.output.write(PlanFile.document(of: problems, nodes: 0))
                failure.lines = []
            } else if let name = settings.planName {
                failure.lines = problems.map { $0.line(in: name) }
            }
        }
        end(isInterrupted ? CommandFailure(.interrupted, failure.lines) : failure)
    }

    /// The problems found by the coordinator, with their places in the text.
    private func placed(_ problems: [PlanProblem]) -> [PlacedProblem] {
        // Of a large plan only the beginning is in memory.
        let places = settings.rest == nil ? PlanPlaces(settings.submission.plan) : nil
        return problems.map {
            PlacedProblem(problem: $0, position: places?.position(of: $0))
        }
    }

    /// Ends the session; without a failure it succeeded.
    func end(_ failure: CommandFailure?) {
        endApprovals()
        bar.end()
        session.end(failure)
    }
}
