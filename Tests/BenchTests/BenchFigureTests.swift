// Medians of several rounds, and the comparison of two records.
import JSON
import Testing

@testable import Bench

@Suite("Figures of weft bench")
struct BenchFigureTests {
    private func figures(_ wall: Double, _ rate: Double) -> BenchFigures {
        BenchFigures(
            shape: .fanout,
            nodes: 10,
            workers: 2,
            slots: 4,
            cores: 2,
            figures: [
                BenchFigure("wall_s", wall, "wall", "s"),
                BenchFigure("nodes_per_s", rate, "throughput", "nodes/s"),
            ]
        )
    }

    @Test("Each figure has its own median")
    func medians() {
        let rounds = [figures(3, 5), figures(1, 9), figures(2, 4)]
        let medians = BenchFigures.medians(of: rounds)
        #expect(medians?["wall_s"] == 2)
        #expect(medians?["nodes_per_s"] == 5)
        #expect(BenchFigures.medians(of: []) == nil)
    }

    @Test("Figures are rounded to significant digits")
    func digits() {
        #expect(BenchFigure("wall_s", 0.123456, "", "").value == 0.1235)
        #expect(BenchFigure("first_node_s", 0.123456, "", "").value == 0.123)
        #expect(BenchFigure("nodes_per_s", 12.345, "", "").value == 12.3)
        #expect(BenchFigure("idle_cpu_percent", 0.1234, "", "").value == 0.12)
        #expect(BenchFigures.text(214_566.4) == "214566")
        #expect(BenchFigures.text(0.25) == "0.25")
    }

    @Test("Records are matched by shape, size and name")
    func compares() throws {
        let before = try JSONValue(
            parsing: """
                {"date":"d","cores":2,"processor":"p","shapes":[
                {"shape":"fanout","nodes":10,"cores":2,"nodes_per_s":100,"bare":0},
                {"shape":"chain","nodes":10,"p50_us":5}]}
                """
        )
        let after = try JSONValue(
            parsing: """
                {"date":"e","cores":2,"processor":"p","shapes":[
                {"shape":"chain","nodes":11,"p50_us":5},
                {"shape":"fanout","nodes":10,"cores":2,"nodes_per_s":150,"bare":1,"new":1}]}
                """
        )
        let rows = BenchComparison(before, after).rows
        #expect(rows.map(\.figure) == ["nodes_per_s", "bare"])
        #expect(rows.map(\.ratio) == [1.5, nil])
    }
}
