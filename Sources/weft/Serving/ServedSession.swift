// One session of MCP on the loop: its events come from a transport and from the cluster, its actions
// go there. Not here: the transports, what the session decides (MCPServer).
internal import Core
internal import JSON
internal import MCP
internal import MCPServer
internal import UVLoop

/// A session that is served.
///
/// Confined to its loop.
final class ServedSession {
    /// Sends a message that belongs to the request with the id, or to none.
    var onSend: ((JSONRPCMessage, RawJSON?) -> Void)?

    private let loop: EventLoop
    private let cluster: ClusterCalls
    private(set) var session: MCPSession
    private var handles: [CallID: ClusterCalls.Handle] = [:]
    private var toolsWatcher: Int?
    private var timer: Timer?

    init(loop: EventLoop, cluster: ClusterCalls, settings: MCPSession.Settings) {
        self.loop = loop
        self.cluster = cluster
        session = MCPSession(settings)
        timer = Timer(loop: loop) { [weak self] in self?.handle(.deadlineReached) }
    }

    /// A message arrived, as text.
    func receive(_ text: ArraySlice<UInt8>) {
        do throws(JSONRPCError) {
            handle(.received(try JSONRPCMessage(parsing: text)))
        } catch {
            handle(.unreadable(error))
        }
    }

    /// Handles an event; what it makes the cluster do is begun at once.
    func handle(_ event: MCPSession.Event) {
        var actions: [MCPSession.Action] = []
        session.handle(event, at: now, into: &actions)
        for action in actions { perform(action) }
        if let deadline = session.nextDeadline {
            timer?.schedule(at: deadline.nanoseconds)
        } else {
            timer?.cancel()
        }
    }

    /// The client is gone.
    func end() {
        handle(.ended)
        onSend = nil
        timer?.close()
        timer = nil
    }

    private var now: Instant { Instant(nanoseconds: loop.nowNanoseconds) }

    private func perform(_ action: MCPSession.Action) {
        switch action {
        case .send(let message, let id): onSend?(message, id)
        case .cancel(let call): handles.removeValue(forKey: call)?.cancel()
        case .begin(let call, let request): begin(call, request)
        case .watchTools(true):
            toolsWatcher = cluster.watchTools { [weak self] in self?.handle(.toolsChanged) }
        case .watchTools(false):
            if let toolsWatcher { cluster.stopWatchingTools(toolsWatcher) }
            toolsWatcher = nil
        }
    }

    private func begin(_ call: CallID, _ request: ClusterRequest) {
        var hasEnded = false
        let report = ClusterCalls.Report(
            progress: { [weak self] in self?.handle(.progressed(call, $0)) },
            end: { [weak self] outcome in
                hasEnded = true
                self?.handles[call] = nil
                self?.handle(.finished(call, outcome))
            }
        )
        let handle = cluster.begin(request, report)
        if !hasEnded { handles[call] = handle }
    }
}

@available(*, unavailable)
extension ServedSession: Sendable {}
