// Asks the coordinator now and then how many nodes wait for slots of the tools of elastic groups.
// What follows from that is in LaunchCore.
internal import Client
internal import Console
internal import Core
internal import Launch
internal import Transport
internal import UVLoop
internal import Wire

/// The nodes that wait for the elastic groups of a launch.
///
/// Confined to its loop; does not keep it alive.
final class LaunchDemand {
    private let loop: EventLoop
    private let options: CoordinatorClient.Options
    /// The elastic groups, by their place, with the names of their tools.
    private let groups: [(place: Int, tools: Set<String>)]
    private let onDemand: (_ group: Int, _ nodes: Int) -> Void
    private var client: CoordinatorClient?
    private var connecting: PendingClient?
    private var timer: Timer?
    private var isClosed = false

    /// A coordinator tells nothing of this by itself: it is asked so often.
    private static let pause = Duration.seconds(2)
    /// So many runs, and nodes of each, are counted; more would not change the answer much.
    private static let runs = 20
    private static let nodes = 1_000

    /// Nodes that more workers of a group would take.
    private static let helped: Set<WaitingReason.Code> = [.slotsBusy, .toolMissing, .draining]

    /// Begins to ask.
    init(
        loop: EventLoop,
        options: CoordinatorClient.Options,
        groups: [(place: Int, tools: Set<String>)],
        onDemand: @escaping (_ group: Int, _ nodes: Int) -> Void
    ) {
        self.loop = loop
        self.options = options
        self.groups = groups
        self.onDemand = onDemand
        timer = Timer(loop: loop) { [weak self] in self?.ask() }
        again()
    }

    func close() {
        isClosed = true
        timer?.close()
        timer = nil
        client?.close()
        client = nil
        connecting = nil
    }

    private func again() {
        timer?.schedule(after: Self.pause)
        timer?.detachFromLoopLife()
    }

    private func ask() {
        if let client { return askForRuns(client) }
        connecting = CoordinatorClient.connect(loop: loop, options: options) { [weak self] result in
            guard let self, !isClosed else { return }
            connecting = nil
            guard case .success(let client) = result else { return again() }
            self.client = client
            askForRuns(client)
        }
    }

    private func askForRuns(_ client: CoordinatorClient) {
        client.get(.runs, limit: Self.runs) { [weak self] result in
            guard let self, !isClosed else { return }
            guard case .success(let data) = result,
                let runs = try? RunDocument.list(decoding: data)
            else { return lose() }
            askForNodes(runs.filter { $0.status == .running }.map(\.run.text)[...], client, [:])
        }
    }

    /// Counts the nodes of one run after the other, then reports.
    private func askForNodes(
        _ runs: ArraySlice<String>,
        _ client: CoordinatorClient,
        _ counts: [String: Int]
    ) {
        guard let run = runs.first else { return report(counts) }
        client.get(.explain, id: run, limit: Self.nodes) { [weak self] result in
            guard let self, !isClosed else { return }
            var counts = counts
            // A run may have ended since.
            if case .success(let data) = result,
                let answer = try? ExplanationDocument(decoding: data)
            {
                for node in answer.nodes
                where node.reasons.contains(where: { Self.helped.contains($0.code) }) {
                    counts[node.tool, default: 0] += 1
                }
            }
            askForNodes(runs.dropFirst(), client, counts)
        }
    }

    private func report(_ counts: [String: Int]) {
        for group in groups {
            onDemand(group.place, group.tools.reduce(0) { $0 + (counts[$1] ?? 0) })
        }
        again()
    }

    private func lose() {
        client?.close()
        client = nil
        again()
    }
}
