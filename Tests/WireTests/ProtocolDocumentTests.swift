// The protocol document matches the code: its examples are messages, every message has one, and its
// tables state what the code does.
import Core
import Foundation
import JSON
import OrderedCollections
import Testing

@testable import Wire

/// The protocol document, read from the folder of the sources.
private enum ProtocolDocument {
    static let text: String? = {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("Sources/Wire/Wire.docc/Protocol.md")
        return try? String(contentsOf: file, encoding: .utf8)
    }()

    /// The lines within fences marked `json`.
    static let examples: [String] = {
        var examples: [String] = []
        var isExample = false
        for line in (text ?? "").split(separator: "\n") {
            if line.hasPrefix("```") {
                isExample = line == "```json"
            } else if isExample {
                examples.append(String(line))
            }
        }
        return examples
    }()
}

@Suite("Protocol document")
struct ProtocolDocumentTests {
    @Test(
        "Reads, writes and reads each example with the same result",
        arguments: ProtocolDocument.examples
    )
    func keepsExample(_ line: String) throws {
        let message = try decode(line)
        #expect(try decode(encode(message)) == message)
    }

    @Test("Every kind of message has an example")
    func showsEveryKind() throws {
        let kinds = Set(try ProtocolDocument.examples.map { try decode($0).kind })
        for kind in MessageKind.allCases {
            #expect(kinds.contains(kind), "\(kind.rawValue) has none")
        }
    }

    @Test("No example has a field that is not read")
    func hasNoIdleFields() throws {
        for line in ProtocolDocument.examples {
            let written = try #require(try JSONValue(parsing: encode(try decode(line))).objectValue)
            let shown = try #require(try JSONValue(parsing: line).objectValue)
            for (key, value) in shown where key != "encoding" && key != "tools" {
                // A flag that is false may be left out.
                if value == false, written[key] == nil { continue }
                #expect(written[key] == value, "\(key) in \(line)")
            }
        }
    }

    @Test("The data of each example is a document, with all that it shows")
    func decodesDocuments() throws {
        var answered: Set<GetKind> = []
        var told: Set<EventKind> = []
        for line in ProtocolDocument.examples {
            switch try decode(line) {
            case .reply(let reply):
                answered.insert(reply.what)
                guard case .inline(let data) = reply.data else { continue }
                let written = try Self.written(data, reply.what)
                #expect(JSONValue(written) == JSONValue(data), "\(line)")
            case .event(let event):
                told.insert(event.kind)
                let written = try EventData(of: event)?.json
                let shown = event.data.map { JSONValue($0) }
                #expect(written.map { JSONValue($0) } == shown, "\(line)")
            default: break
            }
        }
        #expect(answered == Set(GetKind.allCases))
        #expect(told == Set(EventKind.allCases))
    }

    /// An answer, read as its document and written again.
    private static func written(_ data: RawJSON, _ kind: GetKind) throws -> RawJSON {
        func list(_ documents: [some Document]) -> RawJSON {
            let text = "[\(documents.map(\.json.text).joined(separator: ","))]"
            return RawJSON(trusted: Array(text.utf8)[...])
        }
        switch kind {
        case .status: return try StatusDocument(decoding: data).json
        case .launches: return list(try KnownLaunchDocument.list(decoding: data))
        case .workers: return list(try WorkerDocument.list(decoding: data))
        case .tools: return list(try ToolDocument.list(decoding: data))
        case .run: return try RunDocument(decoding: data).json
        case .runs: return list(try RunDocument.list(decoding: data))
        case .node: return try NodeDetails(decoding: data).json
        case .nodes:
            let page = try NodesPage(decoding: data)
            var writer = NodesPage.Writer()
            try page.forEachNode { id, node in
                if let id = NodeID(id) { writer.add(id, node) }
                return true
            }
            return writer.finish(next: page.next, total: page.total).joined
        case .graph: return try GraphPage(decoding: data).json
        case .explain: return try ExplanationDocument(decoding: data).json
        case .story: return try StoryDocument(decoding: data).json
        case .conversation: return try ConversationPage(decoding: data).json
        case .logs: return try LogDocument(decoding: data).json
        case .approvals: return list(try ApprovalDocument.list(decoding: data))
        case .plans: return list(try RememberedPlanDocument.list(decoding: data))
        case .answer: return data
        }
    }

    @Test("Every field of each document, and every reason to wait, is named")
    func namesFields() throws {
        let text = try #require(ProtocolDocument.text)
        typealias Examples = DocumentExamples
        let answers = [
            Examples.statusWithPage.json, Examples.worker.json, Examples.tool.json,
            Examples.wholeRun.json,
            Examples.details.json, Examples.explanation.json, Examples.story.json,
            Examples.plan.json, Examples.approval.json, Examples.graph.json,
            Examples.launch.json, Examples.conversation.json,
        ]
        for document in answers + Examples.events.map(\.1.json) {
            for name in Self.names(in: document) {
                #expect(text.contains("`\(name)`"), "\(name) is not named")
            }
        }
        for code in WaitingReason.Code.all {
            #expect(text.contains("`\(code.rawValue)`"), "\(code.rawValue) is not named")
        }
    }

    /// Names of fields, without those in values of tools, plans and models.
    private static func names(in value: RawJSON) -> Set<String> {
        let free: Set = [
            "labels", "requires", "parameters", "output", "args", "answer", "records", "tasks",
        ]
        var names: Set<String> = []
        value.forEachElement { names.formUnion(Self.names(in: $0)) }
        value.forEachField { name, value in
            names.insert(name)
            if !free.contains(name) { names.formUnion(Self.names(in: value)) }
        }
        return names
    }

    @Test("The worked example of the handshake is right")
    func provesRight() throws {
        let macs = try ProtocolDocument.examples.compactMap { line -> String? in
            switch try decode(line) {
            case .challenge(let challenge): Hex.encode(challenge.mac)
            case .auth(let auth): Hex.encode(auth.mac)
            default: nil
            }
        }
        #expect(macs == [TestVector.coordinatorMAC, TestVector.peerMAC])
    }

    @Test("Names every kind of event, reply, reason to reject and error code")
    func namesEverything() throws {
        let text = try #require(ProtocolDocument.text)
        let codes: [ErrorCode] = [
            .badJSON, .badMessage, .unknownType, .lineTooLong, .unsupportedVersion, .authFailed,
            .authTimeout, .encryption, .forbidden, .duplicateName, .notReady, .limit, .busy,
            .unknownRun,
            .unknownNode, .unknownWorker, .unknownPlan, .badPlan, .conflict, .shuttingDown,
            .internal,
        ]
        var names = codes.map(\.rawValue)
        names += EventKind.allCases.map(\.rawValue)
        names += GetKind.allCases.map(\.rawValue)
        names += RejectCode.allCases.map(\.rawValue)
        names += ChunkStream.allCases.map(\.rawValue)
        names += WatchLevel.allCases.map(\.rawValue)
        for name in names {
            #expect(text.contains("`\(name)`"), "\(name) is not named")
        }
    }

    @Test("The table of limits has the defaults")
    func statesLimits() throws {
        let text = try #require(ProtocolDocument.text)
        let limits = Limits()
        func seconds(_ time: Duration) -> String { "\(time.components.seconds) s" }
        func count(_ number: Int) -> String {
            var text = "\(number % 1000)"
            if number >= 1000 { text = String(repeating: "0", count: 3 - text.count) + text }
            return number < 1000 ? text : count(number / 1000) + "," + text
        }
        let rows = [
            "line before `welcome`": "\(limits.maxLineBeforeAuthentication >> 10) KiB",
            "line": "\(limits.maxLine >> 20) MiB",
            "value in chunks": "\(limits.maxValue >> 20) MiB",
            "window of an attempt": "\(limits.window >> 20) MiB",
            "data of a chunk": "\(limits.chunkBytes >> 10) KiB",
            "handshake": seconds(limits.handshake),
            "unauthenticated connections": count(limits.unauthenticatedConnections),
            "connections": count(limits.connections),
            "heartbeat": seconds(limits.heartbeat),
            "missed heartbeats until suspect": count(limits.missedHeartbeats),
            "handshakes a second that an address may fail": count(limits.handshakeRate),
            "kept of what the tool of an attempt writes": "\(limits.attemptTextBytes >> 10) KiB",
            "the same of all tools of a run": "\(limits.runTextBytes >> 20) MiB",
            "lease": seconds(limits.lease),
            "resume window": seconds(limits.resumeWindow),
            "grace of a cancelled attempt": seconds(limits.cancelGrace),
            "unknown types on a connection": count(limits.unknownTypes),
            "unsent bytes of a connection": "\(limits.outboxHighWater >> 20) MiB",
            "unsent bytes of all connections": "\(limits.allUnsentBytes >> 20) MiB",
            "arguments kept for nodes that wait for a worker":
                "\(limits.argumentBytes >> 20) MiB",
            "output of a tool": "\(limits.maxOutput >> 20) MiB",
            "tools of a worker": count(limits.toolsPerWorker),
            "slots of a worker": count(limits.slotsPerWorker),
            "unfinished runs": count(limits.unfinishedRuns),
            "events kept of a run": count(limits.eventLogEntries),
            "finished runs kept": count(limits.finishedRuns),
            "nodes of finished runs kept": count(limits.finishedNodes),
            "bytes that a run holds": "\(limits.runBytes >> 20) MiB",
            "bytes that all runs hold": "\(limits.heldBytes >> 20) MiB",
            "bytes of records not on disk": "\(limits.unwrittenBytes >> 20) MiB",
            "bytes of events kept of a run": "\(limits.eventBytes >> 20) MiB",
            "bytes of finished runs kept": "\(limits.finishedBytes >> 20) MiB",
            "events of a finished run kept": count(limits.finishedEvents),
        ]
        for (name, value) in rows {
            #expect(text.contains("| \(name) | \(value) |"), "not there: \(name), \(value)")
        }
    }

    @Test("Durations are announced in whole milliseconds, rounded up")
    func announcesMilliseconds() {
        var limits = Limits()
        limits.heartbeat = .microseconds(1_500_900)
        limits.lease = .seconds(7)
        limits.cancelGrace = .milliseconds(250)
        #expect(limits.heartbeatMilliseconds == 1501)
        #expect(limits.leaseMilliseconds == 7000)
        #expect(limits.cancelGraceMilliseconds == 250)
    }
}
