// Recordings: their form, replaying them, making them.
import Core
import Foundation
import HTTPTestKit
import PlannerCore
import Testing
import UVLoop

@testable import LanguageModels

private let sample = """
    {"weft_recording":1}
    {"call":"planner"}
    {"at_ms":0,"lowered":"text"}
    {"at_ms":1.5,"delta":"He\\u00e4"}

    {"at_ms":1.5,"delta":"llo","note":"unknown fields are skipped"}
    {"at_ms":39,"prices":{"input":0.5,"output":2}}
    {"at_ms":40,"usage":{"input":3,"output":2}}
    {"at_ms":41,"ended":"length"}
    {"call":"joiner"}
    {"at_ms":2,"failed":{"code":"timeout","message":"too late","retryable":true,"status":504}}
    {"call":null}
    {"at_ms":0,"delta":"third"}
    {"at_ms":0,"ended":"end"}
    """

private let first: [ModelEvent] = [
    .formatLowered(to: .text), .delta("He\u{E4}"), .delta("llo"),
    .charged(TokenPrices(input: 0.5, output: 2)), .usage(TokenUsage(input: 3, output: 2)),
    .ended(.length),
]
private let second: [ModelEvent] = [
    .failed(ModelFailure(code: .timeout, message: "too late", isRetryable: true, status: 504))
]
private let third: [ModelEvent] = [.delta("third"), .ended(.end)]

/// Calls a model that many times and returns the reports of each call.
private func calls(
    _ count: Int,
    _ makeModel: @escaping @Sendable (EventLoop) throws -> any CallableModel
) async throws -> [[ModelEvent]] {
    try await onLoopWithoutProxy { loop in
        let model = try makeModel(loop)
        var all: [[ModelEvent]] = []
        func next() {
            guard all.count < count else { return loop.stop() }
            let transcript = Transcript()
            transcript.onEvent = { event in
                guard event.isEnd else { return }
                all.append(transcript.events)
                next()
            }
            model.call(simpleRequest(), report: transcript.report)
            #expect(transcript.events.isEmpty)
        }
        next()
        loop.run()
        return all
    }
}

@Suite("Recorded models")
struct RecordedTests {
    @Test("A recording is read call by call")
    func parsing() throws {
        let recording = try Recording(parsing: Array(sample.utf8))
        #expect(recording.calls.map(\.label) == ["planner", "joiner", nil])
        #expect(recording.calls.map { $0.entries.map(\.event) } == [first, second, third])
        #expect(
            recording.calls[0].entries.map(\.time) == [
                .zero, .microseconds(1500), .microseconds(1500), .milliseconds(39),
                .milliseconds(40), .milliseconds(41),
            ]
        )
    }

    @Test(
        "Refuses an invalid recording with its line",
        arguments: [
            ("", "There is no call"),
            ("{\"weft_recording\":2}", "line 1: A recording starts with"),
            ("{\"call\":\"x\"}", "line 1: A recording starts with"),
            ("{\"weft_recording\":1}\n", "There is no call"),
            ("{\"weft_recording\":1}\n{]", "line 2: "),
            (
                "{\"weft_recording\":1}\n{\"at_ms\":1,\"delta\":\"x\"}",
                "line 2: An event is outside"
            ),
            ("{\"weft_recording\":1}\n{\"call\":null}", "has no end"),
            (
                "{\"weft_recording\":1}\n{\"call\":null}\n{\"call\":null}",
                "line 3: The previous call"
            ),
            ("{\"weft_recording\":1}\n{\"call\":null}\n{\"delta\":\"x\"}", "line 3: at_ms"),
            (
                "{\"weft_recording\":1}\n{\"call\":null}\n{\"at_ms\":-1,\"delta\":\"\"}",
                "line 3: at_ms"
            ),
            (
                "{\"weft_recording\":1}\n{\"call\":null}\n{\"at_ms\":2,\"delta\":\"\"}\n"
                    + "{\"at_ms\":1,\"ended\":\"end\"}", "line 4: at_ms"
            ),
            (
                "{\"weft_recording\":1}\n{\"call\":null}\n{\"at_ms\":1,\"ended\":\"?\"}",
                "line 3: An event"
            ),
            ("{\"weft_recording\":1}\n{\"call\":null}\n{\"at_ms\":1}", "line 3: An event"),
        ]
    )
    func refusals(_ text: String, _ words: String) throws {
        do {
            _ = try Recording(parsing: Array(text.utf8))
            Issue.record("it was read")
        } catch {
            #expect(error.message.contains(words))
        }
    }

    @Test("Replays calls in order, and again from the first or not at all")
    func order() async throws {
        for isRepeated in [true, false] {
            let all = try await calls(4) { loop in
                RecordedModel(
                    loop: loop,
                    recording: try Recording(parsing: Array(sample.utf8)),
                    pace: .every(.zero),
                    isRepeated: isRepeated
                )
            }
            #expect(Array(all.prefix(3)) == [first, second, third])
            if isRepeated {
                #expect(all[3] == first)
            } else {
                #expect(all[3].failure?.code == .badConfiguration)
            }
        }
    }

    @Test("A label selects its calls; an unknown label selects all")
    func labels() async throws {
        for (label, expected) in [("joiner", [second, second]), ("other", [first, second])] {
            let all = try await calls(2) { loop in
                let recording = try Recording(parsing: Array(sample.utf8))
                return RecordedModel(loop: loop, recording: recording, label: label)
            }
            #expect(all == expected)
        }
    }

    @Test("The recorded pace takes the recorded time, a given one its own")
    func pace() async throws {
        for (pace, atLeast) in [
            (RecordedModel.Pace.recorded, Duration.milliseconds(41)),
            (.every(.milliseconds(20)), .milliseconds(100)),
        ] {
            let elapsed = try await onLoopWithoutProxy { loop in
                let recording = try Recording(parsing: Array(sample.utf8))
                let model = RecordedModel(loop: loop, recording: recording, pace: pace)
                let start = loop.nowNanoseconds
                model.call(simpleRequest()) { if $0.isEnd { loop.stop() } }
                loop.run()
                return Duration.nanoseconds(loop.nowNanoseconds - start)
            }
            #expect(elapsed >= atLeast && elapsed < .seconds(10))
        }
    }

    @Test("A replay can be cancelled at any event, once")
    func cancelling() async throws {
        for position in 0..<first.count {
            let events = try await onLoopWithoutProxy { loop in
                let recording = try Recording(parsing: Array(sample.utf8))
                let model = RecordedModel(loop: loop, recording: recording, pace: .every(.zero))
                let transcript = Transcript()
                var running: (any ModelCall)?
                transcript.onEvent = { event in
                    if transcript.events.count == position { running?.cancel() }
                    if event.isEnd { loop.stop() }
                }
                running = model.call(simpleRequest(), report: transcript.report)
                if position == 0 { running?.cancel() }
                loop.run()
                running?.cancel()
                return transcript.events
            }
            #expect(events == Array(first.prefix(position)) + [.failed(.cancelled)])
        }
    }

    @Test("A recording replays as it was, with simultaneous calls separated")
    func recording() async throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("weft-\(UUID().uuidString).jsonl").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let mode = try await onLoopWithoutProxy { loop in
            let recorder = try ModelRecorder(path: path)
            let source = RecordedModel(
                loop: loop,
                recording: try Recording(parsing: Array(sample.utf8)),
                pace: .every(.zero)
            )
            let planner = recorder.recording(source, as: "planner", on: loop)
            let joiner = recorder.recording(source, as: nil, on: loop)
            var ends = 0
            let report: (ModelEvent) -> Void = { event in
                if event.isEnd { ends += 1 }
                if ends == 3 { loop.stop() }
            }
            planner.call(simpleRequest(), report: report)
            joiner.call(simpleRequest(), report: report)
            // A cancelled call has an end, too.
            planner.call(simpleRequest(), report: report).cancel()
            loop.run()
            #expect(recorder.problem == nil)
            recorder.close()
            return try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(mode == 0o600)
        let calls = try Recording.load(path: path).calls
        #expect(calls.count == 3)
        #expect(calls.contains { $0.label == "planner" && $0.entries.map(\.event) == first })
        #expect(calls.contains { $0.label == nil && $0.entries.map(\.event) == second })
        #expect(calls.contains { $0.entries.map(\.event) == [.failed(.cancelled)] })
    }

    @Test("A recording knows its goal and tools, and says when it is replayed for others")
    func subjects() async throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("weft-\(UUID().uuidString).jsonl").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let notices = try await onLoopWithoutProxy { loop in
            let recorder = try ModelRecorder(path: path)
            let source = RecordedModel(
                loop: loop,
                recording: try Recording(parsing: Array(sample.utf8)),
                pace: .every(.zero)
            )
            var request = simpleRequest()
            request.subject = ModelSubject(goal: "Find tea.", tools: ["search"])
            recorder.recording(source, as: nil, on: loop).call(request) {
                if $0.isEnd { loop.stop() }
            }
            loop.run()
            recorder.close()
            // A file with content is not lost by mistake.
            #expect(throws: RecordingError.self) { try ModelRecorder(path: path) }
            let recording = try Recording.load(path: path)
            var notices: [String] = []
            for subject in [
                request.subject, ModelSubject(goal: "Find rice.", tools: ["search"]),
                ModelSubject(goal: "Find tea.", tools: ["fetch"]),
            ] {
                let model = RecordedModel(
                    loop: loop,
                    recording: recording,
                    pace: .every(.zero),
                    onNotice: { notices.append($0) }
                )
                request.subject = subject
                model.call(request) { if $0.isEnd { loop.stop() } }
                loop.run()
            }
            #expect(throws: Never.self) { try ModelRecorder(path: path, replacesFile: true) }
            return notices
        }
        #expect(notices.count == 2)
        #expect(notices[0].contains(#"for the goal "Find tea.""#))
        #expect(notices[1].contains("with the tools search"))
    }

    @Test("Reports files that cannot be read or made")
    func files() {
        #expect(throws: RecordingError.self) { try Recording.load(path: "/nonexistent/x") }
        #expect(throws: RecordingError.self) { try ModelRecorder(path: "/nonexistent/x") }
    }
}
