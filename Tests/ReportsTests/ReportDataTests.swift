// The data of a report: everything that its page draws, and nothing that ends the element around it.

import Core
import JSON
import Testing
import Wire

@testable import Reports

@Suite("Data of a report")
struct ReportDataTests {
    @Test("It has the run, its nodes with positions and attempts, the analysis and the answer")
    func contents() throws {
        let run = try SampleRuns.run(
            [
                SampleRuns.node("a", ready: 5, queued: 10, turnaround: 105, work: 100),
                SampleRuns.node("b", after: ["a"], ready: 120, turnaround: 60, work: 50),
            ],
            wall: 200
        )
        let data = try read(ReportData.text(of: run, answer: RawJSON("</script><b>")))
        #expect(data.value(at: [.key("answer")])?.stringValue == "</script><b>")
        #expect(data.value(at: [.key("analysis"), .key("parts")]) != nil)
        #expect(data.value(at: [.key("run"), .key("timing"), .key("wall_ms")]) != nil)
        let second: [JSONPathStep] = [.key("nodes"), .index(1)]
        #expect(data.value(at: second + [.key("id")])?.stringValue == "b")
        #expect(data.value(at: second + [.key("dependencies")])?.text == "[0]")
        let attempt = second + [.key("attempts"), .index(0)]
        #expect(data.value(at: attempt + [.key("outcome")])?.stringValue == "succeeded")
    }

    @Test("An answer that is not there is left out")
    func noAnswer() throws {
        let run = try SampleRuns.run([SampleRuns.idle("a")], wall: 1)
        let data = try read(ReportData.text(of: run, answer: nil))
        #expect(data.value(at: [.key("answer")]) == nil)
        #expect(data.value(at: [.key("nodes"), .index(0), .key("attempts")])?.text == "[]")
    }

    /// Reads the data as a browser does, once it is sure that no element ends in it.
    private func read(_ text: [UInt8]) throws -> RawJSON {
        #expect(!text.contains(UInt8(ascii: "<")))
        return try RawJSON(validating: text[...])
    }
}
