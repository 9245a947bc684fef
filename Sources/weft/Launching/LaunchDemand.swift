// Asks the coordinator now and then which nodes wait for a worker, for elastic groups. Which groups
// could run them is in Launch, what follows from that in LaunchCore.
internal import Client
internal import Console
internal import Core
internal import Launch
internal import UVLoop
internal import Wire

/// The nodes that wait for the elastic groups of a launch.
///
/// Confined to its loop; does not keep it alive.
final class LaunchDemand {
    private let link: LaunchLink
    private let onDemand: ([WaitingCall]) -> Void
    private var timer: Timer?
    private var isClosed = false

    /// A coordinator tells nothing of this by itself: it is asked so often.
    private static let pause = Duration.seconds(2)
    /// So many runs are asked for nodes, the newest first, and so many nodes are read; what waits
    /// beyond them is seen when these have gone on.
    private static let runs = 200
    private static let nodes = 10_000

    /// What a node may wait for that other workers would change.
    private static let helped: Set<WaitingReason.Code> = [
        .slotsBusy, .toolMissing, .labelsMissing, .draining, .silent, .concurrencyReached,
    ]

    /// Begins to ask.
    init(
        loop: EventLoop,
        link: LaunchLink,
        onDemand: @escaping ([WaitingCall]) -> Void
    ) {
        self.link = link
        self.onDemand = onDemand
        timer = Timer(loop: loop) { [weak self] in self?.ask() }
        again()
    }

    func close() {
        isClosed = true
        timer?.close()
        timer = nil
    }

    private func again() {
        timer?.schedule(after: Self.pause)
        timer?.detachFromLoopLife()
    }

    private func ask() {
        guard let client = link.client else { return again() }
        askForRuns(client)
    }

    private func askForRuns(_ client: CoordinatorClient) {
        client.get(.runs, limit: Self.runs) { [weak self] result in
            guard let self, !isClosed else { return }
            guard case .success(let data) = result,
                let runs = try? RunDocument.list(decoding: data)
            else {
                link.drop()
                return again()
            }
            let running = runs.filter { $0.status == .running }.map(\.run.text)
            askForNodes(running[...], client, seen: 0, [])
        }
    }

    /// Collects the nodes of one run after the other, then tells.
    private func askForNodes(
        _ runs: ArraySlice<String>,
        _ client: CoordinatorClient,
        seen: Int,
        _ calls: [WaitingCall]
    ) {
        guard let run = runs.first, seen < Self.nodes else {
            onDemand(calls)
            return again()
        }
        client.get(.explain, id: run, limit: Self.nodes - seen) { [weak self] result in
            guard let self, !isClosed else { return }
            // A run may have ended since.
            let data = try? result.get()
            let nodes = data.flatMap { try? ExplanationDocument(decoding: $0) }?.nodes ?? []
            askForNodes(
                runs.dropFirst(),
                client,
                seen: seen + nodes.count,
                calls + nodes.compactMap(Self.call)
            )
        }
    }

    /// The node as one that other workers would help; nil if they would not.
    private static func call(_ node: WaitingNode) -> WaitingCall? {
        guard let wait = node.waitMilliseconds,
            node.reasons.contains(where: { helped.contains($0.code) })
        else { return nil }
        return WaitingCall(
            tool: node.tool,
            requires: Dictionary(uniqueKeysWithValues: node.requires.map { ($0.key, $0.value) }),
            wait: .milliseconds(wait)
        )
    }
}
