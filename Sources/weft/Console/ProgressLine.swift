// The line that shows the progress of a run. Pure; drawing it is in ProgressBar.
internal import Console
internal import Wire

/// Makes the line.
enum ProgressLine {
    private static let widest = 80
    private static let bar = 10...30

    /// The line for a terminal of that many columns; it is shorter than the terminal, and at most
    /// 79 columns.
    ///
    /// The least important parts are left out first when there is no room: the bar, the critical
    /// path, the nodes running, those failed, the time.
    static func text(
        _ progress: RunProgress,
        elapsedMilliseconds: Double,
        width: Int,
        style: Style
    ) -> String {
        let room = min(width, widest) - 1
        let counts = progress.counts
        var parts: [(text: String, color: Style.Color?)] = [
            ("\(counts.settled)/\(counts.total)", nil)
        ]
        var used = parts[0].text.count
        func add(_ text: String, _ color: Style.Color?) {
            guard used + 2 + text.count <= room else { return }
            parts.append((text, color))
            used += 2 + text.count
        }
        add(Text.duration(milliseconds: elapsedMilliseconds), nil)
        if counts.failed > 0 { add("\(counts.failed) failed", .red) }
        if counts.running > 0 { add("\(counts.running) running", .cyan) }
        if progress.criticalPath > 0 {
            add("path \(Text.duration(microseconds: progress.criticalPath))", .dim)
        }
        let line = parts.map { style.paint($0.text, $0.color) }.joined(separator: "  ")
        let space = room - used - 4
        guard used <= room else { return Text.cut(parts[0].text, to: max(room, 0)) }
        guard space >= bar.lowerBound else { return line }
        return "[\(drawn(counts, min(space, bar.upperBound)))]  \(line)"
    }

    private static func drawn(_ counts: NodeCounts, _ width: Int) -> String {
        let share = Double(counts.settled) / Double(max(counts.total, 1))
        let filled = min(Int(share * Double(width)), width)
        let isMoving = filled < width && counts.settled < counts.total
        return String(repeating: "=", count: filled) + (isMoving ? ">" : "")
            + String(repeating: " ", count: width - filled - (isMoving ? 1 : 0))
    }
}
