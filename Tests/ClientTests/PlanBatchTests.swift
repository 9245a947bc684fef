// Plans split into messages: nothing is lost, nothing is too long, and the end is marked once.
import JSON
import Plans
import Testing

@testable import Client

@Suite("Plans in batches")
struct PlanBatchTests {
    private func batches(
        _ document: [UInt8],
        bytesPerBatch: Int,
        largestNode: Int = 1 << 20
    ) throws -> [PlanBatches.Batch] {
        var source = PlanBatches(
            text: document,
            bytesPerBatch: bytesPerBatch,
            largestNode: largestNode
        )
        var batches: [PlanBatches.Batch] = []
        while let batch = try source.nextBatch() { batches.append(batch) }
        #expect(try source.nextBatch() == nil)
        return batches
    }

    @Test(
        "Sends every node once and in order, for every size",
        arguments: [1, 7, 60, 333, 1 << 20]
    )
    func keepsNodes(bytesPerBatch: Int) throws {
        let document = planText(nodes: 200, padding: 20)
        let batches = try batches(document, bytesPerBatch: bytesPerBatch)
        let ids = batches.flatMap(\.tasks).map { $0.value(at: [.key("id")])?.stringValue }
        #expect(ids == (0..<200).map { "n\($0)" })
        for batch in batches where batch.tasks.count > 1 {
            #expect(batch.tasks.reduce(0) { $0 + $1.count + 1 } <= bytesPerBatch)
        }
    }

    @Test("Only the last batch is marked and contains the join instruction")
    func marksTheEnd() throws {
        let batches = try batches(planText(nodes: 50), bytesPerBatch: 200)
        #expect(batches.count > 5)
        #expect(batches.dropLast().allSatisfy { !$0.isLast && $0.joinInstruction == nil })
        #expect(batches.last?.isLast == true)
        #expect(batches.last?.joinInstruction == "sum")
    }

    @Test("Text in pieces gives the same nodes", arguments: [1, 50, 999, 5_000])
    func pieces(size: Int) throws {
        let document = planText(nodes: 100, padding: 10)
        var source = PlanBatches(
            text: Array(document.prefix(size)),
            isWhole: false,
            bytesPerBatch: 300,
            largestNode: 1 << 20
        )
        var rest = document.dropFirst(size)
        var batches: [PlanBatches.Batch] = []
        while batches.last?.isLast != true {
            if let batch = try source.nextBatch() {
                batches.append(batch)
            } else {
                try #require(source.needsText)
                source.addText(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
        }
        #expect(try source.nextBatch() == nil)
        #expect(!source.needsText)
        let ids = batches.flatMap(\.tasks).map { $0.value(at: [.key("id")])?.stringValue }
        #expect(ids == (0..<100).map { "n\($0)" })
        #expect(batches.last?.joinInstruction == "sum")
        #expect(batches.dropLast().allSatisfy { !$0.tasks.isEmpty && !$0.isLast })
    }

    @Test("Reports text that ends too early as a problem, not as the end of the plan")
    func cutShort() throws {
        let text = Array(#"{"tasks":[{"id":"a"}"#.utf8)
        var source = PlanBatches(
            text: text,
            isWhole: false,
            bytesPerBatch: 300,
            largestNode: 1 << 20
        )
        #expect(try source.nextBatch()?.tasks.count == 1)
        source.addText([])
        #expect(throws: PlanProblems.self) { try source.nextBatch() }
    }

    @Test("Sends a node larger than a batch alone")
    func largeNodeAlone() throws {
        let large = String(repeating: "x", count: 1000)
        let text = """
            {"tasks":[{"id":"a"},{"id":"b","p":"\(large)"},{"id":"c"}]}
            """
        let batches = try batches(Array(text.utf8), bytesPerBatch: 100)
        #expect(batches.flatMap(\.tasks).count == 3)
        let alone = batches.filter { $0.tasks.contains { $0.count > 1000 } }
        #expect(alone.map(\.tasks.count) == [1])
    }

    @Test("Names a node that is too large for a message")
    func refusesHugeNode() throws {
        let document = planText(nodes: 1, padding: 500)
        let error = #expect(throws: PlanProblems.self) {
            try batches(document, bytesPerBatch: 100, largestNode: 400)
        }
        #expect(error?.problems.map(\.node) == ["n0"])
        #expect(error?.problems.map(\.code) == [.limit])
    }
}
