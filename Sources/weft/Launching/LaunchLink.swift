// The connection of a launch to its coordinator: opened again by itself whenever it is lost. What it
// is for is in LaunchDemand and LaunchTeller.
internal import Client
internal import Core
internal import UVLoop
internal import Wire

/// A connection that comes back.
///
/// Confined to its loop; does not keep it alive.
final class LaunchLink {
    /// The connection; nil while there is none.
    private(set) var client: CoordinatorClient?
    /// Called whenever there is a connection.
    var onConnected: ((CoordinatorClient) -> Void)?

    private let loop: EventLoop
    private let options: () -> CoordinatorClient.Options?
    private let isNeeded: Bool
    private var hasConnected = false
    private var connecting: PendingClient?
    private var timer: Timer?
    private var isClosed = false

    private static let pause = Duration.seconds(2)
    /// A key that is refused may be accepted later, but hardly soon.
    private static let pauseAfterRefusal = Duration.seconds(60)

    /// Makes a connection that `start` opens.
    ///
    /// - Parameters:
    ///   - loop: The loop.
    ///   - isNeeded: Whether the launch lacks something without it; otherwise a key that the
    ///     coordinator has never accepted, as one of another coordinator, is not tried again.
    ///   - options: How to connect, read each time: keys are renewed.
    init(loop: EventLoop, isNeeded: Bool, options: @escaping () -> CoordinatorClient.Options?) {
        self.loop = loop
        self.isNeeded = isNeeded
        self.options = options
        timer = Timer(loop: loop) { [weak self] in self?.connect() }
    }

    /// Whether it may change something at the coordinator, and not only ask.
    private(set) var mayTell = false

    func start() { connect() }

    /// The connection is of no use any more; another one follows.
    func drop() {
        client?.close()
        lose(after: Self.pause)
    }

    func close() {
        isClosed = true
        timer?.close()
        timer = nil
        connecting?.cancel()
        connecting = nil
        client?.close()
        client = nil
    }

    private func connect() {
        guard !isClosed, client == nil, connecting == nil else { return }
        guard let options = options() else { return lose(after: Self.pauseAfterRefusal) }
        mayTell = options.role == .client
        connecting = CoordinatorClient.connect(loop: loop, options: options) { [weak self] result in
            guard let self, !isClosed else { return }
            connecting = nil
            switch result {
            case .success(let client):
                self.client = client
                hasConnected = true
                client.onLost = { [weak self] _ in self?.lose(after: Self.pause) }
                onConnected?(client)
            case .failure(let error) where error.kind == .refused:
                if hasConnected || isNeeded { lose(after: Self.pauseAfterRefusal) }
            case .failure: lose(after: Self.pause)
            }
        }
    }

    private func lose(after pause: Duration) {
        guard !isClosed else { return }
        client = nil
        timer?.schedule(after: pause)
        timer?.detachFromLoopLife()
    }
}
