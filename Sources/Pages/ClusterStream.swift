// What happens in the whole cluster as a stream: documents whenever they have changed, and the events
// of runs that are active.
internal import Client
internal import Core
internal import Gateway
internal import HTTPServer
internal import JSON
internal import UVLoop
internal import Wire

/// Streams the cluster until its reader leaves.
///
/// Confined to its loop.
final class ClusterStream: PageStream {
    var onEnd: (() -> Void)?

    private let sender: EventSender
    private let token: PageToken
    private var client: CoordinatorClient?
    private var timer: Timer?
    private var position: ClusterPosition
    private var lastPosition = ""
    private var positionToldAt: Int64?
    private let loop: EventLoop
    /// The documents that were sent last, by their names.
    private var sent: [GetKind: [UInt8]] = [:]
    /// Answers that are due in this round.
    private var due = 0
    /// The runs that are followed.
    private var followed: Set<RunID> = []
    /// The runs of the latest list, so that one which ends between two rounds is followed, too.
    private var known: Set<RunID>?

    private static let pause = Duration.seconds(1)
    /// Runs in the list, and runs that are followed at a time.
    private static let (listed, followedAtOnce) = (100, 200)

    init(
        _ exchange: HTTPExchange,
        loop: EventLoop,
        token: PageToken,
        position: ClusterPosition
    ) {
        sender = EventSender(exchange, loop: loop)
        self.loop = loop
        self.token = token
        self.position = position
        timer = Timer(loop: loop) { [weak self] in self?.beginRound() }
        sender.onGone = { [weak self] in
            self?.stop()
            self?.onEnd?()
        }
    }

    func begin(_ result: Result<CoordinatorClient, ClientError>) {
        switch result {
        case .failure(let error): fail(error)
        case .success(let client):
            self.client = client
            sender.client = client
            client.onLost = { [weak self] in self?.fail($0) }
            sender.begin()
            let hello = RawJSON.object { writer in
                writer.field("epoch", client.welcome.epoch)
                writer.field("software", client.welcome.software)
                writer.field("role", token.role.rawValue)
                writer.field("name", token.name)
            }
            sender.send(ServerSentEvent.text(name: "hello", data: hello))
            // Runs that ended while the reader was away are told to their ends.
            for run in position.next.keys.sorted() { follow(run) }
            beginRound()
        }
    }

    // MARK: - Documents

    private func beginRound() {
        guard let client else { return }
        tellPosition()
        let questions: [(what: GetKind, status: RunStatus?)] = [
            (.status, nil), (.workers, nil), (.launches, nil), (.tools, nil), (.approvals, nil),
            (.runs, nil), (.runs, .running),
        ]
        due = questions.count
        for (what, status) in questions {
            var get = Get(request: 0, what: what, status: status)
            if what == .runs { get.limit = Self.listed }
            client.getPage(get) { [weak self] result in
                guard let self, self.client != nil else { return }
                if case .success(let (data, next)) = result {
                    receive(data, next: next, of: what, isWhole: status == nil)
                }
                due -= 1
                if due == 0 { timer?.schedule(after: Self.pause) }
            }
        }
    }

    private func receive(_ data: RawJSON, next: Int?, of what: GetKind, isWhole: Bool) {
        if what == .runs { followNew(data, isWhole: isWhole) }
        guard isWhole else { return }
        let body = GatewayDocument.body(what, data, next: next)
        let lasting = body.withoutDurations
        guard sent[what] != lasting else { return }
        sent[what] = lasting
        sender.send(ServerSentEvent.text(name: what.rawValue, data: body))
    }

    private var isPositionOld: Bool {
        guard let positionToldAt else { return true }
        return .nanoseconds(loop.nowNanoseconds - positionToldAt) >= Self.pause
    }

    private func tellPosition() {
        let text = position.text
        guard text != lastPosition else { return }
        lastPosition = text
        positionToldAt = loop.nowNanoseconds
        sender.send(ServerSentEvent.text(name: "position", id: text, data: .emptyObject))
    }

    // MARK: - Runs

    /// Follows the runs of a list that go on, and those that have come and ended since the last one.
    private func followNew(_ list: RawJSON, isWhole: Bool) {
        var listed: Set<RunID> = []
        list.forEachElement { document in
            guard let text = document.value(at: [.key("run")])?.stringValue,
                let run = RunID(text)
            else { return }
            listed.insert(run)
            let isRunning = document.value(at: [.key("status")])?.stringValue == "running"
            let isNew = isWhole && known.map { !$0.contains(run) } ?? false
            if isRunning || isNew { follow(run) }
        }
        if isWhole { known = listed }
    }

    private func follow(_ run: RunID) {
        guard let client, followed.count < Self.followedAtOnce,
            followed.insert(run).inserted
        else { return }
        client.watch(run, from: position.next[run], level: .nodes) { [weak self] update in
            guard let self else { return }
            switch update {
            case .event(let event):
                position.note(event)
                sender.send(ServerSentEvent.text(of: event, name: "run"))
                if isPositionOld { tellPosition() }
                if event.isTerminal { followed.remove(run) }
            case .failed:
                followed.remove(run)
                position.remove(run)
            case .accepted, .planComplete: break
            }
        }
    }

    // MARK: - The end

    private func fail(_ error: ClientError) {
        stop()
        sender.fail(GatewayError(error))
        onEnd?()
    }

    private func stop() {
        client = nil
        timer?.close()
        timer = nil
    }

    func close() {
        onEnd = nil
        stop()
        sender.finish()
    }
}

extension RawJSON {
    /// The text without the numbers of fields whose names end in `_ms`, which change all the time.
    fileprivate var withoutDurations: [UInt8] {
        let name = Array("_ms\":".utf8)
        var kept: [UInt8] = []
        kept.reserveCapacity(count)
        var isNumber = false
        for byte in bytes {
            let isPart = byte >= 0x2B && byte <= 0x39 && byte != UInt8(ascii: ",")
            if isNumber, isPart || byte == UInt8(ascii: "e") { continue }
            isNumber = false
            kept.append(byte)
            if byte == UInt8(ascii: ":"), kept.suffix(name.count).elementsEqual(name) {
                isNumber = true
            }
        }
        return kept
    }
}
