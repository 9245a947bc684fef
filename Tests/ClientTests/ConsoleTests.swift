// The output for people: numbers, tables and the live line, for any width.
import JSON
import Testing
import Wire

@testable import Console
@testable import Weftline
@testable import weft

private let plain = Style(isColored: false)
private let colored = Style(isColored: true)

@Suite("Text for people")
struct TextTests {
    @Test(
        "Durations have a suitable unit",
        arguments: [
            (0, "0.00 ms"), (0.416, "0.42 ms"), (9.99, "9.99 ms"), (9.996, "10 ms"),
            (999.4, "999 ms"), (999.6, "1.0 s"), (59_940, "59.9 s"), (59_960, "1 min 00 s"),
            (125_000, "2 min 05 s"), (3_840_000, "1 h 04 min"), (190_800_000, "2 d 5 h"),
            (-3, "0.00 ms"), (.infinity, "11574074 d 1 h"),
        ]
    )
    func durations(milliseconds: Double, text: String) {
        #expect(Text.duration(milliseconds: milliseconds) == text)
    }

    @Test("Rounds numbers, also negative ones")
    func fixed() {
        #expect(Text.fixed(1.005, digits: 1) == "1.0")
        #expect(Text.fixed(-0.04, digits: 1) == "0.0")
        #expect(Text.fixed(-2.55, digits: 0) == "-3")
        #expect(Text.fixed(0.0049, digits: 3) == "0.005")
        #expect(Text.seconds(microseconds: 12_034_567) == "12.035")
    }

    @Test("Control characters are made visible")
    func printable() {
        #expect(Text.printable("a\nb\tc") == "a b c")
        #expect(Text.printable("\u{1B}[2J\u{7F}\u{9B}31m") == "\u{FFFD}[2J\u{FFFD}\u{FFFD}31m")
        #expect(Text.printable("to \u{202E}txt.exe") == "to \u{FFFD}txt.exe")
        #expect(Text.printable("grün 日本") == "grün 日本")
    }

    @Test("Cut text ends with an ellipsis")
    func cuts() {
        #expect(Text.cut("abcdef", to: 6) == "abcdef")
        #expect(Text.cut("abcdef", to: 4) == "abc…")
        #expect(Text.cut("abcdef", to: 1) == "a")
        #expect(Text.cut("abcdef", to: 0) == "")
    }
}

@Suite("Tables")
struct TableTests {
    private func table() -> TextTable {
        var table = TextTable([
            .init(title: "NAME"), .init(title: "N", isNumeric: true),
            .init(title: "TEXT", isElastic: true),
        ])
        table.add(["alpha", "1", "a rather long text that goes on"])
        table.add(["b", "1000", "short"])
        return table
    }

    @Test("Columns are as wide as needed, numbers are right-aligned, no line ends with blanks")
    func aligns() {
        #expect(
            table().lines(width: nil, style: plain) == [
                "NAME      N  TEXT",
                "alpha     1  a rather long text that goes on",
                "b      1000  short",
            ]
        )
    }

    @Test("A narrow terminal cuts the elastic column", arguments: 22...60)
    func cuts(width: Int) {
        let lines = table().lines(width: width, style: plain)
        #expect(lines.allSatisfy { $0.count <= width })
        #expect(lines[1].hasSuffix("…") == (width < 44))
    }

    @Test("Colours do not change the layout")
    func colors() {
        var table = TextTable([.init(title: "STATE"), .init(title: "X")])
        table.add([.state("failed"), "1"])
        let bare = table.lines(width: nil, style: colored)
            .map { $0.replacing(/\u{1B}\[[0-9]+m/, with: "") }
        #expect(bare == table.lines(width: nil, style: plain))
        #expect(table.lines(width: nil, style: colored)[1].contains("\u{1B}[31mfailed\u{1B}[0m"))
    }
}

@Suite("The live line")
struct ProgressLineTests {
    private func progress() -> RunProgress {
        var progress = RunProgress()
        progress.counts.total = 1000
        progress.counts.succeeded = 400
        progress.counts.failed = 12
        progress.counts.running = 8
        progress.criticalPath = 1_234_000
        return progress
    }

    private func line(_ width: Int, _ style: Style = plain) -> String {
        ProgressLine.text(progress(), elapsedMilliseconds: 2345, width: width, style: style)
    }

    @Test("Shows everything if there is room")
    func wide() {
        #expect(
            line(200)
                == "[==========>               ]  412/1000  2.3 s  12 failed  8 running  path 1.2 s"
        )
    }

    @Test("Never reaches the last column, nor column 80", arguments: 1...120)
    func fits(width: Int) {
        #expect(line(width).count <= min(width, 80) - 1)
    }

    @Test("Leaves out the least important parts first when there is no room")
    func narrow() {
        #expect(line(52) == "412/1000  2.3 s  12 failed  8 running  path 1.2 s")
        #expect(line(42) == "412/1000  2.3 s  12 failed  8 running")
        #expect(line(30) == "412/1000  2.3 s  12 failed")
        #expect(line(10) == "412/1000")
        #expect(line(6) == "412/…")
    }

    @Test("Colours do not count as columns")
    func colors() {
        let bare = line(60, colored).replacing(/\u{1B}\[[0-9]+m/, with: "")
        #expect(bare == line(60))
    }

    @Test("The bar is empty at the start and full at the end")
    func ends() {
        var progress = RunProgress()
        func text() -> String {
            ProgressLine.text(progress, elapsedMilliseconds: 0, width: 40, style: plain)
        }
        progress.counts.total = 4
        #expect(text().hasPrefix("[>   "))
        progress.counts.succeeded = 3
        progress.counts.skipped = 1
        #expect(text().hasPrefix("[=====") && !text().contains(">") && !text().contains("= "))
    }
}
