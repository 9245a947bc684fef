// The events of one run as a stream.
internal import Client
internal import Core
internal import Gateway
internal import HTTPServer
internal import UVLoop
internal import Wire

/// Streams a run from an event on, to its end.
///
/// Confined to its loop.
final class RunStream: PageStream {
    var onEnd: (() -> Void)?

    private let sender: EventSender
    private let run: RunID
    private let level: WatchLevel
    private let from: Int?

    init(_ exchange: HTTPExchange, loop: EventLoop, run: RunID, level: WatchLevel, from: Int?) {
        sender = EventSender(exchange, loop: loop)
        self.run = run
        self.level = level
        self.from = from
        sender.onGone = { [weak self] in self?.onEnd?() }
    }

    func begin(_ result: Result<CoordinatorClient, ClientError>) {
        switch result {
        case .failure(let error): fail(error)
        case .success(let client):
            sender.client = client
            client.onLost = { [weak self] in self?.fail($0) }
            // The response to an unknown run has the status 404, so nothing is sent before this.
            client.get(.run, id: run.text) { [weak self] in
                switch $0 {
                case .failure(let error): self?.fail(error)
                case .success: self?.follow(client)
                }
            }
        }
    }

    private func follow(_ client: CoordinatorClient) {
        sender.begin()
        client.watch(run, from: from, level: level) { [weak self] update in
            switch update {
            case .event(let event):
                self?.sender.send(ServerSentEvent.text(of: event))
                if event.isTerminal { self?.end() }
            case .failed(let error): self?.fail(error)
            case .accepted, .planComplete: break
            }
        }
    }

    private func fail(_ error: ClientError) {
        sender.fail(GatewayError(error))
        onEnd?()
    }

    private func end() {
        sender.finish()
        onEnd?()
    }

    func close() {
        onEnd = nil
        sender.finish()
    }
}
