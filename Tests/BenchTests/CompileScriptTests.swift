// The best possible time of a goal, and the scripted models that are this fast.
import LanguageModels
import PlannerCore
import Plans
import Testing
import Wire

@testable import Bench

@Suite("Scripts of weft bench compile")
struct CompileScriptTests {
    /// The time of the longest path through the calls, and of all calls one after the other.
    static let ideals: [(CompileShape, path: Double, work: Double)] = [
        (.parallelqa, 400, 1100), (.stagger, 900, 1700), (.fan8, 200, 1600), (.movie, 1130, 4880),
    ]

    @Test("A shape's best times follow from its calls", arguments: ideals)
    func best(_ shape: CompileShape, path: Double, work: Double) {
        let script = CompileScript(shape, joins: false)
        let times = script.times
        #expect(abs(times.planned - script.planEnd - path) < 0.001)
        #expect(abs(times.sequential - script.planEnd - work) < 0.001)
        #expect(times.streamed >= max(script.planEnd, script.first + path))
        #expect(times.streamed <= times.planned)
        #expect(times.planned <= times.sequential)
        let joined = CompileScript(shape, joins: true)
        #expect(joined.times.streamed == times.streamed + shape.joinMilliseconds)
    }

    @Test("The times of movie are those of the paper")
    func movie() {
        let script = CompileScript(.movie, joins: true)
        #expect(abs(script.planEnd - 1880) < 0.001)
        #expect(abs(script.times.react - 20_470) < 0.001)
        #expect(abs(script.times.planned - (1880 + 1130 + 1620)) < 0.001)
    }

    @Test("A call counts as written when its closing brace is written")
    func pieces() {
        let pace = CompileScript.Pace(first: 100, piece: 5, characters: 4)
        let script = CompileScript(.fan8, joins: false, pace: pace)
        let pieces = script.pieces
        #expect(pieces.map(\.text).joined() == script.plan)
        #expect(pieces.first?.time == 100)
        #expect(pieces.last?.time == script.planEnd)
        #expect(script.planEnd == 100 + 5 * Double(pieces.count - 1))
        // The last call decides; only the brackets of the document come after it.
        let last = script.plan.utf8.count - 3
        #expect(script.times.streamed == 100 + 5 * Double(last / 4) + 200)
    }

    @Test("The recording can be read, and its plan has no problems", arguments: ideals)
    func recording(_ shape: CompileShape, path: Double, work: Double) throws {
        let script = CompileScript(shape, joins: true)
        let recording = try Recording(
            parsing: script.recording(of: [.streamed, .planned, .react])
        )
        let replies = 3 + script.calls.count
        #expect(recording.calls.map(\.label).filter { $0 == "planner" }.count == replies)
        #expect(recording.calls.last?.label == "joiner")
        let texts = recording.calls.map { call in
            call.entries.map { if case .delta(let text) = $0.event { text } else { "" } }.joined()
        }
        #expect(texts[0] == script.plan)
        #expect(texts[1] == script.plan)
        for (index, text) in texts[2..<(2 + script.calls.count)].enumerated() {
            #expect(text.contains("\"id\":\"t\(index + 1)\""))
        }
        #expect(texts[2 + script.calls.count].contains("finish"))
    }
}
