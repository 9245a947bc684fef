// What a request asks for: the paths of the interface, each with its method. Not here: who may ask
// (GatewayAccess), what orders say (GatewayOrder).
package import Core
package import HTTPRequests
package import Wire

/// What a request asks for.
package enum GatewayRoute: Sendable, Equatable {
    /// The page for browsers.
    case page
    /// The description of this interface.
    case openAPI
    /// The figures for Prometheus.
    case metrics
    /// A ticket is given for a token.
    case session
    /// An answer of the coordinator.
    case document(Get)
    /// Something is to be done.
    case order(GatewayOrder)
    /// The events of a run.
    case runEvents(RunID, WatchLevel, from: Int?)
    /// What happens in the whole cluster.
    case clusterEvents

    /// Finds what a request asks for.
    package init(_ head: HTTPRequestHead) throws(GatewayError) {
        let parts = head.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            .map(String.init)
        let (route, method) = try Self.find(parts, head)
        let isRight = head.method == method || method == "GET" && head.method == "HEAD"
        guard isRight else {
            throw GatewayError(
                405,
                "method_not_allowed",
                "\(head.path) takes \(method).",
                header: GatewayError.Header(name: "Allow", value: method)
            )
        }
        self = route
    }

    private static func find(
        _ parts: [String],
        _ head: HTTPRequestHead
    ) throws(GatewayError) -> (GatewayRoute, method: String) {
        switch parts {
        case [""]: return (.page, "GET")
        case ["metrics"]: return (.metrics, "GET")
        case ["v1", "openapi.json"]: return (.openAPI, "GET")
        case ["v1", "session"]: return (.session, "POST")
        case ["v1", "events"]: return (.clusterEvents, "GET")
        case ["v1", "runs"] where head.method == "POST": return (.order(.submit), "POST")
        default: break
        }
        guard parts.first == "v1", parts.count > 1 else { throw .notFound(head.path) }
        let rest = Array(parts.dropFirst(2))
        switch (parts[1], rest.count) {
        case ("status", 0): return (.document(try list(.status, head, [])), "GET")
        case ("workers", 0): return (.document(try list(.workers, head)), "GET")
        case ("launches", 0): return (.document(try list(.launches, head)), "GET")
        case ("tools", 0): return (.document(try list(.tools, head)), "GET")
        case ("plans", 0): return (.document(try list(.plans, head)), "GET")
        case ("approvals", 0): return (.document(try list(.approvals, head)), "GET")
        case ("runs", 0): return (.document(try runs(head)), "GET")
        case ("workers", 2) where rest[1] == "drain":
            guard PeerName.isValid(rest[0]) else {
                throw GatewayError(.unknownWorker, "No worker has the name \(rest[0]).")
            }
            return (.order(.drain(rest[0])), "POST")
        case ("runs", 1...): return try find(inRun: rest, head)
        default: throw .notFound(head.path)
        }
    }

    private static func find(
        inRun parts: [String],
        _ head: HTTPRequestHead
    ) throws(GatewayError) -> (GatewayRoute, method: String) {
        guard let run = RunID(parts[0]) else {
            throw GatewayError(.unknownRun, "No run has the id \(parts[0]).")
        }
        guard parts.count > 1 else { return (.document(about(.run, run)), "GET") }
        if parts[1] == "nodes", parts.count > 2 {
            guard let node = NodeID(parts[2]) else {
                throw GatewayError(.unknownNode, "Run \(run) has no node \(parts[2]).")
            }
            switch parts.dropFirst(3) {
            case []: return (.document(about(.node, run, node)), "GET")
            case ["story"]: return (.document(try list(.story, head, about: run, node)), "GET")
            case ["logs"]: return (.document(try list(.logs, head, about: run, node)), "GET")
            default: throw .notFound(head.path)
            }
        }
        guard parts.count == 2 else { throw .notFound(head.path) }
        switch parts[1] {
        case "answer": return (.document(about(.answer, run)), "GET")
        case "nodes": return (.document(try list(.nodes, head, about: run)), "GET")
        case "graph": return (.document(try list(.graph, head, about: run)), "GET")
        case "conversation":
            return (.document(try list(.conversation, head, about: run)), "GET")
        case "explain": return (.document(try list(.explain, head, about: run)), "GET")
        case "events":
            let arguments = try GatewayArguments(head, ["level", "from"])
            let level = try arguments.choice("level") ?? WatchLevel.nodes
            let given = try arguments.integer("from")
            let from = try head.lastEventID(of: run) ?? given
            return (.runEvents(run, level, from: from), "GET")
        case "cancel": return (.order(.cancel(run)), "POST")
        case "retry": return (.order(.retry(run)), "POST")
        case "approve": return (.order(.approve(run)), "POST")
        default: throw .notFound(head.path)
        }
    }

    private static func about(_ what: GetKind, _ run: RunID, _ node: NodeID? = nil) -> Get {
        Get(request: 0, what: what, id: run.text, node: node)
    }

    private static func list(
        _ what: GetKind,
        _ head: HTTPRequestHead,
        _ names: [String] = ["from", "limit"],
        about run: RunID? = nil,
        _ node: NodeID? = nil
    ) throws(GatewayError) -> Get {
        let arguments = try GatewayArguments(head, names)
        var get = Get(request: 0, what: what, id: run?.text, node: node)
        get.from = try arguments.integer("from")
        get.limit = try arguments.integer("limit", least: 1)
        return get
    }

    private static func runs(_ head: HTTPRequestHead) throws(GatewayError) -> Get {
        let names = ["from", "limit", "status", "label", "since_ms"]
        var get = try list(.runs, head, names)
        let arguments = try GatewayArguments(head, names)
        get.status = try arguments.choice("status")
        get.label = arguments["label"]
        get.since = try arguments.integer("since_ms")
        return get
    }
}

/// The arguments of a query, each of which is known and given once.
struct GatewayArguments {
    private var values: [String: String] = [:]

    init(_ head: HTTPRequestHead, _ names: [String]) throws(GatewayError) {
        for (name, value) in head.query {
            guard names.contains(name) else {
                let known = names.isEmpty ? "none" : names.joined(separator: ", ")
                throw .badRequest("\(head.path) has no argument \(name); it takes \(known).")
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .badRequest("The argument \(name) is there twice.")
            }
        }
    }

    subscript(name: String) -> String? { values[name] }

    func integer(_ name: String, least: Int = 0) throws(GatewayError) -> Int? {
        guard let text = values[name] else { return nil }
        guard let value = Int(text), (least...Limits.largestInteger).contains(value) else {
            throw .badRequest("The argument \(name) must be a whole number from \(least).")
        }
        return value
    }

    func choice<Value>(
        _ name: String
    ) throws(GatewayError) -> Value? where Value: RawRepresentable<String> & CaseIterable {
        guard let text = values[name] else { return nil }
        guard let value = Value(rawValue: text) else {
            let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw .badRequest("The argument \(name) must be one of \(all).")
        }
        return value
    }
}
