// The lines that a client of MCP sends: each request gets one response at most, and none once it is
// cancelled; progress only grows. The cluster answers as the bytes say.

import Core
import JSON
import MCP
import MCPServer
import Wire

func tryMCP(_ bytes: [UInt8]) throws {
    var generator = generator(for: bytes)
    var settings = MCPSession.Settings(version: "1")
    settings.exposesTools = Bool.random(using: &generator)
    var client = MCPClientModel(session: MCPSession(settings))
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
        try client.send(line)
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            try client.letClusterAnswer(using: &generator)
        }
    }
    try client.handle(.ended)
    try demand(client.open.isEmpty, "calls outlive the client")
}

/// What is known of a session from outside.
private struct MCPClientModel {
    var session: MCPSession
    var now = Instant.zero
    /// Requests without a response, and how often each id was used.
    var waiting: [RawJSON: Int] = [:]
    var open: [CallID] = []
    var progress: [RawJSON: Double] = [:]

    mutating func send(_ line: ArraySlice<UInt8>) throws {
        do throws(JSONRPCError) {
            let message = try JSONRPCMessage(parsing: line)
            if case .request(let id, _, _) = message {
                waiting[id, default: 0] += 1
                // The id of a cancelled request may be used again.
                if !session.isOpen(id) { progress[id] = nil }
            }
            try handleReceived(message)
        } catch {
            try handle(.unreadable(error))
        }
    }

    private mutating func handleReceived(_ message: JSONRPCMessage) throws(JSONRPCError) {
        do {
            try handle(.received(message))
        } catch {
            throw JSONRPCError(.internalError, "\(error)")
        }
    }

    mutating func handle(_ event: MCPSession.Event) throws {
        var actions: [MCPSession.Action] = []
        session.handle(event, at: now, into: &actions)
        for action in actions {
            switch action {
            case .begin(let call, _): open.append(call)
            case .cancel(let call): open.removeAll { $0 == call }
            case .watchTools: break
            case .send(let message, let id): try check(message, id)
            }
        }
    }

    private mutating func check(_ message: JSONRPCMessage, _ about: RawJSON?) throws {
        let again = try JSONRPCMessage(parsing: message.bytes[...])
        try demand(again == message, "\(message) is read as \(again)")
        switch message {
        case .result(let id, _), .error(.some(let id), _):
            try demand(id == about && waiting[id, default: 0] > 0, "a response to nothing: \(id)")
            waiting[id, default: 0] -= 1
            progress[id] = nil
        case .notification(MCPMethod.progress, let params):
            guard let about, let value = params?.value(at: [.key("progress")])?.doubleValue else {
                throw Disagreement("progress of nothing")
            }
            try demand(value > progress[about] ?? -1, "progress goes back to \(value)")
            progress[about] = value
        default: break
        }
    }

    mutating func letClusterAnswer(using generator: inout SplitMix64) throws {
        now = now + .milliseconds(Int.random(in: 0...3_000, using: &generator))
        if let deadline = session.nextDeadline, deadline <= now { try handle(.deadlineReached) }
        guard let call = open.randomElement(using: &generator) else { return }
        if Bool.random(using: &generator) {
            let done = Int.random(in: 0...9, using: &generator)
            return try handle(.progressed(call, CallProgress(done: done, total: 9)))
        }
        open.removeAll { $0 == call }
        let outcomes: [CallOutcome] = [
            .tool(.failure("no")), .acknowledged, .tools([]),
            .refused(JSONRPCError(.internalError, "no")),
        ]
        try handle(.finished(call, outcomes.randomElement(using: &generator) ?? .acknowledged))
    }
}
