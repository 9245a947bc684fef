// The connections of the pages to the coordinator, which is in this process: one for each key, so that
// each request has the rights of who asks and no others. Streams have connections of their own, since
// they are paused when their reader is slow.
internal import Client
internal import Core
internal import Transport
internal import UVLoop
internal import Wire

/// Makes and keeps connections.
///
/// Confined to its loop.
final class PageLinks {
    private final class Link {
        var client: CoordinatorClient?
        var waiting: [(Result<CoordinatorClient, ClientError>) -> Void] = []
        var lastUse: Int64 = 0
    }

    private let loop: EventLoop
    private let coordinator: Endpoint
    private let isEncrypted: Bool
    private let entry: (String) -> Keyring.Entry?
    private var links: [String: Link] = [:]
    private var timer: Timer?
    private var isClosed = false

    /// How long a connection stays without being used.
    private static let idle = Duration.seconds(15)

    /// Prepares connections to a coordinator; `entry` finds a key that is accepted now by its name.
    init(
        loop: EventLoop,
        coordinator: Endpoint,
        isEncrypted: Bool,
        entry: @escaping (String) -> Keyring.Entry?
    ) {
        self.loop = loop
        self.coordinator = coordinator
        self.isEncrypted = isEncrypted
        self.entry = entry
        timer = Timer(loop: loop) { [weak self] in self?.closeIdle() }
        timer?.schedule(after: Self.idle)
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        timer?.close()
        timer = nil
        for link in links.values { link.client?.close() }
        links = [:]
    }

    /// Passes a connection that others use, too.
    func shared(
        _ name: String,
        then: @escaping (Result<CoordinatorClient, ClientError>) -> Void
    ) {
        let link = links[name] ?? Link()
        links[name] = link
        link.lastUse = loop.nowNanoseconds
        if let client = link.client { return then(.success(client)) }
        link.waiting.append(then)
        guard link.waiting.count == 1 else { return }
        open(name) { [weak self, link] result in
            if case .success(let client) = result {
                link.client = client
                client.onLost = { [weak self] _ in self?.links[name] = nil }
            } else {
                self?.links[name] = nil
            }
            let waiting = link.waiting
            link.waiting = []
            for then in waiting { then(result) }
        }
    }

    /// Opens a connection that belongs to the caller.
    func open(
        _ name: String,
        then: @escaping (Result<CoordinatorClient, ClientError>) -> Void
    ) {
        guard !isClosed, let entry = entry(name) else {
            let error = ClientError(
                kind: .refused,
                code: .authFailed,
                message: "The key \(name) is not accepted any more."
            )
            return loop.nextTurn { then(.failure(error)) }
        }
        let options = CoordinatorClient.Options(
            endpoints: [coordinator],
            role: entry.identity.role,
            key: entry.key,
            name: "page",
            tls: isEncrypted ? .always : .never
        )
        CoordinatorClient.connect(loop: loop, options: options, then: then)
    }

    private func closeIdle() {
        for (name, link) in links {
            let unused = Duration.nanoseconds(loop.nowNanoseconds - link.lastUse)
            guard let client = link.client, unused > Self.idle else { continue }
            links[name] = nil
            client.close()
        }
        timer?.schedule(after: Self.idle)
    }
}
