// One client of the server: messages in, messages and requests to the cluster out. Both eras of MCP
// are spoken at once; each request says by its `_meta` to which it belongs. Pure. Not here: what
// the cluster does (the shell), requests other than calls (+Requests), calls in flight (+Calls).
package import Core
package import JSON
internal import MCP
internal import Wire

/// The server's side of a connection, of a session over HTTP, or of a single request over HTTP.
package struct MCPSession: Sendable {
    let settings: Settings
    /// The version that `initialize` has agreed on; nil before it.
    var legacyVersion: String?
    /// Calls without a result yet.
    var calls: [CallID: Call] = [:]
    /// The same by the ids of their requests.
    var callsByRequest: [RawJSON: CallID] = [:]
    /// The ids of the requests that listen to changes of the tools.
    var listeners: [RawJSON] = []
    private var lastCall = 0
    private var isWatchingTools = false
    var hasEnded = false

    /// The calls that a client may have in flight.
    package static let callLimit = 1_000
    /// The streams of notifications that a client may have.
    static let listenerLimit = 16

    /// Begins a session.
    package init(_ settings: Settings) { self.settings = settings }

    /// Whether something is in flight that belongs to the request with this id.
    package func isOpen(_ id: RawJSON) -> Bool {
        callsByRequest[id] != nil || listeners.contains(id)
    }

    /// Whether nothing is in flight.
    package var isIdle: Bool { calls.isEmpty && listeners.isEmpty }

    /// Whether it was opened by `initialize`.
    package var isLegacy: Bool { legacyVersion != nil }

    /// Handles an event and appends what is to be done.
    package mutating func handle(_ event: Event, at now: Instant, into actions: inout [Action]) {
        guard !hasEnded else { return }
        switch event {
        case .received(let message): receive(message, at: now, into: &actions)
        case .unreadable(let error): actions.append(.send(.error(id: nil, error), about: nil))
        case .progressed(let call, let progress):
            noteProgress(of: call, progress, at: now, into: &actions)
        case .finished(let call, let outcome): finish(call, outcome, into: &actions)
        case .toolsChanged: tellToolsChanged(into: &actions)
        case .deadlineReached: sendDueProgress(at: now, into: &actions)
        case .ended: end(into: &actions)
        }
        watchTools(into: &actions)
    }

    private mutating func receive(
        _ message: JSONRPCMessage,
        at now: Instant,
        into actions: inout [Action]
    ) {
        switch message {
        case .request(let id, let method, let params):
            do throws(JSONRPCError) {
                let request = try Request(id: id, method: method, params: params)
                try handle(request, at: now, into: &actions)
            } catch {
                actions.append(.send(.error(id: id, error), about: id))
            }
        case .notification(MCPMethod.cancelled, let params):
            guard let id = params?.value(at: [.key("requestId")]) else { return }
            listeners.removeAll { $0 == id }
            guard let call = callsByRequest[id] else { return }
            forget(call)
            actions.append(.cancel(call))
        case .notification, .result, .error:
            // This side asks nothing, and other notifications change nothing.
            break
        }
    }

    private mutating func end(into actions: inout [Action]) {
        hasEnded = true
        for call in calls.keys.sorted(by: { $0.number < $1.number }) {
            actions.append(.cancel(call))
        }
        calls = [:]
        callsByRequest = [:]
        listeners = []
    }

    private mutating func watchTools(into actions: inout [Action]) {
        let isNeeded =
            settings.exposesTools && !hasEnded
            && (!listeners.isEmpty || legacyVersion != nil && settings.hasStream)
        guard isNeeded != isWatchingTools else { return }
        isWatchingTools = isNeeded
        actions.append(.watchTools(isNeeded))
    }

    private func tellToolsChanged(into actions: inout [Action]) {
        for id in listeners {
            let params = RawJSON.object { writer in
                writer.key("_meta")
                writer.beginObject()
                writer.field(MCPKey.subscriptionID, id)
                writer.endObject()
            }
            let message = JSONRPCMessage.notification(
                method: MCPMethod.toolsChanged,
                params: params
            )
            actions.append(.send(message, about: id))
        }
        guard legacyVersion != nil, settings.hasStream else { return }
        let message = JSONRPCMessage.notification(method: MCPMethod.toolsChanged, params: nil)
        actions.append(.send(message, about: nil))
    }

    mutating func nextCall() -> CallID {
        lastCall += 1
        return CallID(number: lastCall)
    }
}

/// A request with what all of them have in common.
struct Request {
    var id: RawJSON
    var method: String
    var params: RawJSON
    /// The version that it says; nil in the legacy era.
    var version: String?
    /// What the client can do, as a request of the modern era says.
    var capabilities: RawJSON?
    /// The token that progress messages of this request carry.
    var progressToken: RawJSON?
    /// The span of the call, in the trace of the client.
    var traceParent: TraceParent?

    var era: MCPEra { version == nil ? .legacy : .modern }

    /// Whether the client can follow tasks.
    var followsTasks: Bool {
        let path: [JSONPathStep] = [.key("extensions"), .key(MCPKey.tasks.description)]
        return era == .modern && capabilities?.value(at: path)?.kind == .object
    }

    /// Whether the client can ask its user.
    var canAsk: Bool {
        era == .modern && capabilities?.value(at: [.key("elicitation")])?.kind == .object
    }

    init(id: RawJSON, method: String, params: RawJSON?) throws(JSONRPCError) {
        self.id = id
        self.method = method
        self.params = params ?? .emptyObject
        guard self.params.kind == .object else {
            throw JSONRPCError(.invalidParams, "params must be an object.")
        }
        guard let meta = try self.field("_meta") else { return }
        let fields = try Self.fields(meta, "_meta")
        if let token = fields["progressToken"], token.kind == .string || token.kind == .number {
            progressToken = token
        }
        // One that is malformed counts as absent, as W3C Trace Context says.
        traceParent = fields["traceparent"]?.stringValue.flatMap { TraceParent($0) }
        guard let version = fields[MCPKey.protocolVersion] else { return }
        guard let text = version.stringValue else {
            throw JSONRPCError(.invalidParams, "The protocol version must be a string.")
        }
        guard text == MCPVersion.modern else { throw Self.unsupported(text) }
        self.version = text
        capabilities = fields[MCPKey.clientCapabilities]
        guard capabilities?.kind == .object else {
            throw JSONRPCError(
                .invalidParams,
                "_meta lacks \(MCPKey.clientCapabilities), which every request must have."
            )
        }
    }

    /// A field of the parameters.
    func field(_ name: StaticString) throws(JSONRPCError) -> RawJSON? {
        try Self.fields(params, "params")[name]
    }

    /// A field of the parameters that is a string.
    func string(_ name: StaticString) throws(JSONRPCError) -> String {
        guard let text = try field(name)?.stringValue else {
            throw JSONRPCError(.invalidParams, "params.\(name) must be a string.")
        }
        return text
    }

    private static func fields(_ raw: RawJSON, _ name: String) throws(JSONRPCError) -> JSONFields {
        do {
            return try JSONFields(raw)
        } catch {
            throw JSONRPCError(.invalidParams, "\(name) cannot be read: \(error)")
        }
    }

    static func unsupported(_ version: String) -> JSONRPCError {
        JSONRPCError(
            .unsupportedProtocolVersion,
            "Version \(version) is not supported; \(MCPVersion.modern) is.",
            data: .object { writer in
                writer.key("supported")
                writer.beginArray()
                writer.string(MCPVersion.modern)
                writer.endArray()
                writer.field("requested", version)
            }
        )
    }
}
