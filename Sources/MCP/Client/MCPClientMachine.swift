// The client of one MCP server: which era it speaks, its tools, and the calls under way. Not here:
// how it begins (MCPClientMachine+Opening), calls (MCPClientMachine+Calls), bytes and clocks.
public import Core
internal import JSON

/// A client of an MCP server without transport and clocks: event in, actions out.
///
/// The shell hands every event to `handle`, carries out the actions in order, and sends
/// `deadlineReached` at `nextDeadline()`. After `failed` nothing has an effect any more: the shell
/// ends the connection, and the calls that were under way.
public struct MCPClientMachine: Sendable {
    let configuration: Configuration
    var phase = Phase.closed
    var lastRequest = 0
    /// Requests of the client's own, by id, with the time by which they are to be answered.
    var requests: [Int: OwnRequest] = [:]
    /// Calls under way by the caller's number.
    var calls: [Int: CallState] = [:]
    /// Their numbers by the ids of their requests.
    var callsByRequest: [Int: Int] = [:]
    var listing = Listing()
    /// Header lines that calls of a tool need, as pairs of a header and an argument.
    var headerArguments: [String: [(header: String, argument: String)]] = [:]
    /// What the server is; nil until its era is known.
    var facts: ServerFacts?
    /// Whether the server has forgotten the session: the client ends when its calls have.
    var isSessionGone = false
    /// Whether its tools were listed once.
    var hasListed = false
    /// Whether the server tells when its tools change.
    var tellsChanges = false
    var listenAgainAt: Instant?
    /// When the tools are listed again, after that failed.
    var listAgainAt: Instant?

    enum Phase: Equatable {
        case closed
        /// It is not known which era the server speaks.
        case probing(Probe)
        /// It is known.
        case open
        case failed
    }

    struct Probe: Equatable {
        var endsAt: Instant
        /// When the other era is tried too; nil if that has happened.
        var triesLegacyAt: Instant?
    }

    struct OwnRequest {
        var kind: Kind
        var deadline: Instant?

        enum Kind: Equatable {
            case discover
            case initialize
            case list
            case listen
            /// Whether the server still answers, after a call was cancelled.
            case isAlive
            case getTask(call: Int)
            case cancelTask(call: Int)
        }
    }

    struct Listing {
        var tools: [MCPTool] = []
        var names: Set<String> = []
        var cursors: Set<String> = []
        var isUnderWay = false
        /// Whether the tools have changed since the listing began.
        var mustRepeat = false
    }

    /// Makes a client that has not begun.
    public init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// Whether calls can be made.
    public var isReady: Bool { phase == .open && hasListed }

    /// How many calls are under way.
    public var callsUnderWay: Int { calls.count }

    var isModern: Bool { facts.map { $0.era == .modern } ?? false }

    // MARK: - Events

    /// Takes an event and appends what is to be done about it.
    public mutating func handle(_ event: Event, at now: Instant, into actions: inout [Action]) {
        guard phase != .failed else { return }
        switch event {
        case .opened: open(at: now, into: &actions)
        case .received(let message): receive(message, at: now, into: &actions)
        case .responseLost(let request, let lost):
            handleLost(request, lost, at: now, into: &actions)
        case .callRequested(let call): begin(call, into: &actions)
        case .cancelRequested(let call, let grace):
            cancel(call, grace: grace, at: now, into: &actions)
        case .deadlineReached: handleDeadlines(at: now, into: &actions)
        }
    }

    private mutating func receive(
        _ message: JSONRPCMessage,
        at now: Instant,
        into actions: inout [Action]
    ) {
        switch message {
        case .result(let id, let result):
            guard let id = id.requestNumber else { return }
            handleResponse(id, .success(result), at: now, into: &actions)
        case .error(let id, let error):
            guard let id = id?.requestNumber else { return }
            handleResponse(id, .failure(error), at: now, into: &actions)
        case .notification(let method, let params):
            handleNotification(method, params, at: now, into: &actions)
        case .request(let id, let method, _):
            // Servers of the legacy era may ask; of what they ask, only this can be answered.
            let answer: JSONRPCMessage =
                method == MCPMethod.ping
                ? .result(id: id, .emptyObject)
                : .error(id: id, JSONRPCError(.methodNotFound, "This client has no \(method)."))
            actions.append(.send(Outgoing(message: answer)))
        }
    }

    private mutating func handleResponse(
        _ id: Int,
        _ response: Result<RawJSON, JSONRPCError>,
        at now: Instant,
        into actions: inout [Action]
    ) {
        // A response to something that is no longer wanted is dropped.
        if let call = callsByRequest[id] {
            return handleCallResponse(call, response, at: now, into: &actions)
        }
        guard let request = requests.removeValue(forKey: id) else { return }
        switch request.kind {
        case .discover: handleDiscovered(response, at: now, into: &actions)
        case .initialize: handleInitialized(response, at: now, into: &actions)
        case .list: handleListed(response, at: now, into: &actions)
        case .listen:
            // A server that cannot do it is not asked again.
            if case .success = response { listenAgainAt = now + .seconds(5) }
        case .isAlive: finishCancelledCalls(askedBy: id, into: &actions)
        case .getTask(let call): handleTask(call, response, at: now, into: &actions)
        case .cancelTask(let call): finish(call, .cancelled, into: &actions)
        }
    }

    private mutating func handleNotification(
        _ method: String,
        _ params: RawJSON?,
        at now: Instant,
        into actions: inout [Action]
    ) {
        switch method {
        case MCPMethod.toolsChanged:
            guard facts != nil else { return }
            list(at: now, into: &actions)
        case MCPMethod.progress:
            guard let fields = params.flatMap({ try? JSONFields($0) }),
                let token = fields["progressToken"]?.intValue, let call = callsByRequest[token]
            else { return }
            var fraction: Double?
            if let progress = fields["progress"]?.doubleValue,
                let total = fields["total"]?.doubleValue, total > 0
            {
                fraction = min(max(progress / total, 0), 1)
            }
            let note = fields["message"]?.stringValue
            actions.append(.progressed(call: call, fraction, note))
        default: break
        }
    }

    mutating func fail(_ reason: String, into actions: inout [Action]) {
        phase = .failed
        requests = [:]
        actions.append(.failed(reason))
    }

    // MARK: - Requests

    /// Sends a request of the client's own.
    mutating func request(
        _ kind: OwnRequest.Kind,
        _ method: String,
        deadline: Instant?,
        into actions: inout [Action],
        params: (inout JSONWriter) -> Void = { _ in }
    ) {
        lastRequest += 1
        requests[lastRequest] = OwnRequest(kind: kind, deadline: deadline)
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        params(&writer)
        let isOfModernEra = kind == .discover || isModern
        if isOfModernEra { writeMeta(of: nil, into: &writer) }
        writer.endObject()
        var outgoing = Outgoing(
            message: .request(
                id: RawJSON(lastRequest),
                method: method,
                params: RawJSON(trusted: writer.bytes[...])
            ),
            request: lastRequest,
            isLasting: kind == .listen
        )
        outgoing.headers = headers(of: method, isOfModernEra: isOfModernEra)
        actions.append(.send(outgoing))
    }

    /// The header lines of every message by HTTP.
    func headers(of method: String, isOfModernEra: Bool) -> [(String, String)] {
        guard configuration.usesHTTP else { return [] }
        if isOfModernEra {
            return [("MCP-Protocol-Version", MCPVersion.modern), ("Mcp-Method", method)]
        }
        return facts.map { [("MCP-Protocol-Version", $0.version)] } ?? []
    }

    /// Writes the field `_meta`; the id is that of a request whose progress is of interest.
    func writeMeta(
        of request: Int?,
        traceParent: String? = nil,
        isOfModernEra: Bool = true,
        into writer: inout JSONWriter
    ) {
        writer.key("_meta")
        writer.beginObject()
        if isOfModernEra {
            writer.field(MCPKey.protocolVersion, MCPVersion.modern)
            writer.key(MCPKey.clientInfo)
            Self.writeClientInfo(configuration.softwareVersion, into: &writer)
            writer.key(MCPKey.clientCapabilities)
            writer.beginObject()
            writer.key("extensions")
            writer.beginObject()
            writer.field(MCPKey.tasks, .emptyObject)
            writer.endObject()
            writer.endObject()
        }
        writer.field("progressToken", request)
        writer.field("traceparent", traceParent)
        writer.endObject()
    }

    static func writeClientInfo(_ version: String, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", "weftline")
        writer.field("version", version)
        writer.endObject()
    }

    // MARK: - Time

    /// When `deadlineReached` is due; nil if time changes nothing.
    public func nextDeadline() -> Instant? {
        guard phase != .failed else { return nil }
        var earliest: Instant?
        func consider(_ instant: Instant?) {
            guard let instant else { return }
            earliest = min(earliest ?? instant, instant)
        }
        if case .probing(let probe) = phase {
            consider(probe.endsAt)
            consider(probe.triesLegacyAt)
        }
        for request in requests.values { consider(request.deadline) }
        for call in calls.values {
            consider(call.asksAgainAt)
            consider(call.endsAt)
        }
        consider(listenAgainAt)
        consider(listAgainAt)
        return earliest
    }

    private mutating func handleDeadlines(at now: Instant, into actions: inout [Action]) {
        handleProbeDeadlines(at: now, into: &actions)
        guard phase != .failed else { return }
        if let again = listenAgainAt, now >= again { listen(into: &actions) }
        if let again = listAgainAt, now >= again { list(at: now, into: &actions) }
        handleCallDeadlines(at: now, into: &actions)
        for (id, request) in requests.sorted(by: { $0.key < $1.key }) {
            guard let deadline = request.deadline, now >= deadline, phase != .failed else {
                continue
            }
            requests[id] = nil
            handleOverdue(id, request, at: now, into: &actions)
        }
    }

    private mutating func handleOverdue(
        _ id: Int,
        _ request: OwnRequest,
        at now: Instant,
        into actions: inout [Action]
    ) {
        switch request.kind {
        case .isAlive where !configuration.usesHTTP:
            fail("it went on with a call that was cancelled and answers nothing", into: &actions)
        case .isAlive: finishCancelledCalls(askedBy: id, into: &actions)
        case .list: notListed("within its start_timeout", at: now, into: &actions)
        case .getTask(let call):
            finish(call, .taskEnded("the server no longer tells its state"), into: &actions)
        case .cancelTask(let call): finish(call, .cancelled, into: &actions)
        case .discover, .initialize, .listen: break
        }
    }
}
