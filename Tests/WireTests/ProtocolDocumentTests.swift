// The protocol document matches the code: its examples are messages, every message has one, and its
// tables state what the code does.
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
            .authTimeout, .forbidden, .duplicateName, .notReady, .limit, .busy, .unknownRun,
            .unknownNode, .unknownWorker, .badPlan, .conflict, .shuttingDown, .internal,
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
