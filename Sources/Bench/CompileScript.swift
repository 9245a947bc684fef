// The replies of the scripted models of `weft bench compile` and their times, and the best possible
// time of a run. Times are milliseconds since the call of the planner. Pure.

internal import JSON
internal import Plans
internal import Wire

struct CompileScript {
    /// How fast a model writes.
    struct Pace {
        /// Until the first piece.
        var first = 100.0
        /// Between two pieces.
        var piece = 5.0
        /// Characters of a piece.
        var characters = 4
    }

    /// Times with nothing lost between model and tools.
    struct Times: Equatable {
        var react: Double
        var sequential: Double
        var planned: Double
        var streamed: Double

        subscript(strategy: PlanningStrategy) -> Double {
            switch strategy {
            case .react: react
            case .sequential: sequential
            case .planned: planned
            // The script has no calls that follow from outputs.
            case .streamed, .growing: streamed
            }
        }
    }

    let calls: [CompileShape.Call]
    /// The plan as written by the planner; ASCII.
    let plan: String
    let first: Double
    let interval: Double
    let joinMilliseconds: Double
    private let characters: Int
    /// The replies of a model that is asked before each call, and their times.
    private let steps: [(milliseconds: Double, text: String)]
    /// Where each call's last character is.
    private let ends: [Int]

    init(_ shape: CompileShape, joins: Bool, pace: Pace = Pace()) {
        calls = shape.calls
        characters = pace.characters
        first = pace.first
        joinMilliseconds = joins ? shape.joinMilliseconds : 0
        var plan = #"{"tasks":["#
        var ends: [Int] = []
        var steps: [(milliseconds: Double, text: String)] = []
        for (index, call) in calls.enumerated() {
            let after = call.after.map { "\"t\($0 + 1)\"" }.joined(separator: ",")
            let text =
                "{\"id\":\"t\(index + 1)\",\"tool_name\":\"sleep\",\"args\":{\"ms\":"
                + "\(Int(call.milliseconds))},\"dependencies\":[\(after)]}"
            plan += (index > 0 ? "," : "") + text
            ends.append(plan.utf8.count - 1)
            let step = #"{"thought":"","action":"call","tasks":[\#(text)],"answer":null}"#
            let pieces = (step.utf8.count - 1) / pace.characters
            let time = shape.stepMilliseconds ?? pace.first + Double(pieces) * pace.piece
            steps.append((time, step))
        }
        plan += "]}"
        self.plan = plan
        self.ends = ends
        self.steps = steps
        let gaps = Double(max((plan.utf8.count - 1) / pace.characters, 1))
        interval = shape.planMilliseconds.map { ($0 - pace.first) / gaps } ?? pace.piece
    }

    /// When the character at a position has been written.
    private func time(at position: Int) -> Double {
        first + Double(position / characters) * interval
    }

    /// When the whole plan has been written.
    var planEnd: Double { time(at: plan.utf8.count - 1) }

    /// The pieces of the plan and their times.
    var pieces: [(time: Double, text: String)] {
        let bytes = Array(plan.utf8)
        return stride(from: 0, to: bytes.count, by: characters).map { start in
            let end = min(start + characters, bytes.count)
            return (time(at: start), String(decoding: bytes[start..<end], as: UTF8.self))
        }
    }

    /// The time of the shape if only models and tools take time.
    var times: Times {
        let work = calls.reduce(0) { $0 + $1.milliseconds }
        return Times(
            react: steps.reduce(0) { $0 + $1.milliseconds } + work + joinMilliseconds,
            sequential: planEnd + work + joinMilliseconds,
            planned: end(written: ends.map { _ in planEnd }),
            streamed: end(written: ends.map { time(at: $0) })
        )
    }

    /// The end when each call starts as soon as it is written and its dependencies are done.
    private func end(written: [Double]) -> Double {
        var finished: [Double] = []
        for (index, call) in calls.enumerated() {
            let start = call.after.reduce(written[index]) { max($0, finished[$1]) }
            finished.append(start + call.milliseconds)
        }
        return max(finished.max() ?? 0, planEnd) + joinMilliseconds
    }

    /// A recording for runs of these strategies, one after the other, and the joiner's reply.
    ///
    /// When asked before each call, the model takes as long to answer as the joiner.
    func recording(of runs: [PlanningStrategy]) -> [UInt8] {
        var writer = JSONWriter()
        line(&writer) { $0.field("weft_recording", 1) }
        for strategy in runs {
            guard strategy == .react else {
                call("planner", pieces, &writer)
                continue
            }
            for step in steps { call("planner", [(step.milliseconds, step.text)], &writer) }
            let last = #"{"thought":"","action":"finish","tasks":[],"answer":"done"}"#
            call("planner", [(joinMilliseconds, last)], &writer)
        }
        let reply = #"{"thought":"","action":"finish","reason":null,"answer":"done"}"#
        call("joiner", [(joinMilliseconds, reply)], &writer)
        return writer.bytes
    }

    private func call(
        _ label: String,
        _ pieces: [(time: Double, text: String)],
        _ writer: inout JSONWriter
    ) {
        line(&writer) { $0.field("call", label) }
        for piece in pieces {
            line(&writer) {
                $0.field("at_ms", piece.time)
                $0.field("delta", piece.text)
            }
        }
        line(&writer) {
            $0.field("at_ms", pieces.last?.time ?? 0)
            $0.field("ended", "end")
        }
    }

    private func line(_ writer: inout JSONWriter, _ fields: (inout JSONWriter) -> Void) {
        writer.beginObject()
        fields(&writer)
        writer.endObject()
        writer.newline()
    }
}
