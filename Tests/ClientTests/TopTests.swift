// The model and the screen of `weft top`: keys, order, filter, selection, and what fits.
import Core
import JSON
import OrderedCollections
import Testing
import Wire

@testable import Console
@testable import weft

private let plain = Style(isColored: false)

private func run(
    _ id: String,
    _ counts: String,
    age: Int = 1000,
    label: String = ""
) throws
    -> RunDocument
{
    try RunDocument(
        decoding: RawJSON(
            validating: """
                {"run":"\(id)","label":"\(label)","status":"running","growing":false,"join":"json",\
                "age_ms":\(age),"counts":{"cancelled":0,"skipped":0,\(counts)},\
                "timing":{"wall_ms":1,"critical_path_ms":1,"work_ms":1,"speedup":1}}
                """
        )
    )
}

private func status(settled: Int) -> StatusDocument {
    StatusDocument(
        software: "weft/1",
        epoch: 1,
        uptimeMilliseconds: 61_000,
        workers: .init(connected: 1, draining: 0, slots: 4, inFlight: 3),
        runs: .init(active: 2, kept: 0, accepted: 2),
        settledNodes: settled,
        tools: 0,
        connections: 1
    )
}

private func worker(_ name: String) -> WorkerDocument {
    WorkerDocument(
        name: name,
        state: .ready,
        slots: 2,
        inFlight: 1,
        connectedMilliseconds: 5,
        labels: [:],
        tools: ["grep"],
        refusedTools: [],
        withheldTools: [],
        coolingTools: []
    )
}

@Suite("The model of weft top")
struct TopModelTests {
    private var model: TopModel

    init() throws {
        model = TopModel(place: "host:1", mayOrder: true)
        var answers = TopAnswers(status: status(settled: 10), workers: [worker("w1")])
        answers.runs = [
            try run("a", #""total":9,"running":2,"succeeded":1,"failed":0"#, label: "zebra"),
            try run("b", #""total":9,"running":0,"succeeded":8,"failed":1"#, label: "Apple"),
            try run("c", #""total":0,"running":0,"succeeded":0,"failed":0"#),
        ]
        model.show(answers, at: 0)
    }

    private mutating func press(_ keys: TopKey...) -> TopOrder {
        var last = TopOrder.none
        for key in keys { last = model.handle(key) }
        return last
    }

    private mutating func type(_ text: String) -> TopOrder {
        var last = TopOrder.none
        for character in text { last = model.handle(.character(character)) }
        return last
    }

    private var names: [String] { model.table.rows.map(\.name) }

    @Test("Sorts by any column, large numbers first, and back to the usual order")
    mutating func sorting() {
        #expect(names == ["a", "b", "c"])
        var orders: [String] = []
        for _ in model.table.columns {
            _ = type("s")
            orders.append(names.joined())
        }
        #expect(orders == ["abc", "abc", "bac", "bac", "abc", "bac", "abc", "cba"])
        _ = type("r")
        #expect(names == ["a", "b", "c"])
        _ = type("s")
        #expect(names == ["a", "b", "c"] && model.arrangement.column == nil)
    }

    @Test("The selection stays with its row when rows move, and where it was when its row goes")
    mutating func selection() {
        _ = press(.down)
        #expect(model.arrangement.selected == "b")
        model.answers.runs.reverse()
        model.answers.runs.swapAt(0, 1)
        model.show(model.answers, at: 1)
        #expect(model.arrangement.selected == "b" && model.arrangement.position == 0)
        model.answers.runs.removeFirst()
        model.show(model.answers, at: 2)
        #expect(model.arrangement.selected == "c")
        model.answers.runs = []
        model.show(model.answers, at: 3)
        #expect(model.arrangement.selected == nil && press(.enter) == .none)
        #expect(press(.down, .pageUp, .end) == .none)
    }

    @Test("A filter is of its table, in any case of letters")
    mutating func filter() {
        _ = type("/appl")
        #expect(names == ["b"] && model.arrangement.selected == "b")
        _ = press(.enter)
        #expect(type("2") == .ask)
        #expect(names == ["w1"])
        #expect(type("1") == .ask && names == ["b"])
        _ = press(.escape)
        #expect(names == ["a", "b", "c"])
        _ = type("/q\u{7}")
        #expect(model.arrangement.filter == "q\u{FFFD}" && names.isEmpty)
        _ = press(.backspace, .backspace, .backspace)
        #expect(names.count == 3 && model.isFiltering)
    }

    @Test("Orders ask first, and only y is a yes")
    mutating func orders() throws {
        let run = try #require(RunID("b"))
        _ = press(.down)
        #expect(type("c") == .none && model.question?.text == "Cancel run b (Apple)? y or n")
        #expect(type("n") == .none && model.message == "Nothing is done.")
        #expect(type("cy") == .cancel(run))
        #expect(type("d") == .none && model.question == nil && model.message != nil)
        #expect(type("2dy") == .drain("w1"))
        #expect(press(.enter) == .ask && type("dy") == .drain("w1"))
        #expect(type("q") == .ask && type("q") == .quit)
        model.answers.runs[1].status = .failed
        _ = type("1c")
        #expect(model.question == nil && model.message == "Run b has ended: failed.")
    }

    @Test("A viewer gives no orders")
    mutating func viewer() {
        var viewer = TopModel(place: "host:1", mayOrder: false)
        viewer.show(model.answers, at: 0)
        _ = viewer.handle(.character("c"))
        #expect(viewer.question == nil && viewer.message?.contains("client's key") == true)
    }

    @Test("Counts nodes over a second, not between two keys")
    mutating func rate() {
        model.show(TopAnswers(status: status(settled: 12)), at: 100)
        #expect(model.rate == nil)
        model.show(TopAnswers(status: status(settled: 30)), at: 1000)
        #expect(model.rate == 20)
    }

    @Test(
        "No line is wider than the screen and there are no more than rows",
        arguments: [1, 8, 79]
    )
    mutating func fits(columns: Int) throws {
        let long = String(repeating: "建\u{301}", count: 99)
        model.answers.runs[0].label = long
        model.answers.workers = (0..<40).map { worker("w\($0)-\(long)") }
        model.show(model.answers, at: 1)
        for keys in ["", "2", "\r", "q3", "?", "q2dc", "/\(long)"] {
            for key in keys { _ = model.handle(key == "\r" ? .enter : .character(key)) }
            for rows in [1, 2, 5, 24] {
                let view = TopView(columns: columns, rows: rows, style: plain)
                let lines = view.lines(&model)
                #expect(lines.count == rows)
                #expect(lines.allSatisfy { Text.width(of: $0) <= columns }, "\(lines)")
            }
        }
    }

    @Test("The selected row is always among those that are shown")
    mutating func scrolling() {
        model.answers.workers = (0..<100).map { worker("w\($0)") }
        _ = type("2")
        let view = TopView(columns: 80, rows: 12, style: plain)
        for key in [TopKey.down, .pageDown, .pageDown, .end, .up, .pageUp, .home] {
            _ = view.lines(&model)
            _ = model.handle(key)
            let shown = view.lines(&model)
            let name = model.arrangement.selected ?? "?"
            #expect(shown.filter { $0.hasPrefix("> \(name) ") }.count == 1)
        }
        #expect(model.arrangement.selected == "w0")
    }
}

@Suite("Keys of a terminal")
struct TopKeyTests {
    private var reader = TopKeyReader()

    @Test("Reads keys however their bytes are split")
    mutating func split() {
        let bytes = Array(
            "a\u{1B}[A\u{1B}OB\u{1B}[5~é\u{1B}[1;5C建\r\t\u{1B}[Z\u{7F}\u{C}\u{1}".utf8
        )
        let keys: [TopKey] = [
            .character("a"), .up, .down, .pageUp, .character("é"), .character("建"), .enter, .tab,
            .backTab, .backspace, .redraw,
        ]
        #expect(reader.read(bytes) == keys && !reader.isWaiting)
        var single: [TopKey] = []
        for byte in bytes { single += reader.read([byte]) }
        #expect(single == keys && !reader.isWaiting)
    }

    @Test("An escape that nothing follows is the key; bytes of no text are none")
    mutating func escape() {
        #expect(reader.read([0x1B]) == [] && reader.isWaiting)
        #expect(reader.flush() == [.escape] && !reader.isWaiting)
        #expect(reader.read(Array("\u{1B}q".utf8)) == [.escape, .character("q")])
        #expect(reader.read([0xFF, 0xC3, 0x28]) == [.character("(")] || !reader.isWaiting)
        #expect(reader.read([0x1B, 0x5B] + Array(repeating: 0x31, count: 40)) == [])
        #expect(!reader.isWaiting)
    }
}
