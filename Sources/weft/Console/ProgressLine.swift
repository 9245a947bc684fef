// The one line that says how a run gets on. Pure; drawing it is in ProgressBar.
internal import Console
internal import JSON

/// How a run gets on, as its progress events tell it.
struct RunProgress: Equatable {
    var total = 0
    var running = 0
    var succeeded = 0
    var failed = 0
    var skipped = 0
    var cancelled = 0
    var criticalPathMilliseconds = 0.0

    var settled: Int { succeeded + failed + skipped + cancelled }

    init() {}

    /// Reads `{"counts":{…},"critical_path_ms":…}`; of the last event, the same under `timing`.
    init?(_ data: RawJSON) {
        guard let counts = data.value(at: [.key("counts")]) else { return nil }
        func count(_ key: String) -> Int { counts.value(at: [.key(key)])?.intValue ?? 0 }
        total = count("total")
        running = count("running")
        succeeded = count("succeeded")
        failed = count("failed")
        skipped = count("skipped")
        cancelled = count("cancelled")
        let path =
            data.value(at: [.key("critical_path_ms")])
            ?? data.value(at: [.key("timing"), .key("critical_path_ms")])
        criticalPathMilliseconds = path?.doubleValue ?? 0
    }
}

/// Lays the line out.
enum ProgressLine {
    private static let widest = 80
    private static let bar = 10...30

    /// The line for a terminal of so many columns; never wider than that less one, nor than 79.
    ///
    /// What matters least is left out first when there is no room: the bar, the critical path, the
    /// nodes running, those failed, the time.
    static func text(
        _ progress: RunProgress,
        elapsedMilliseconds: Double,
        width: Int,
        style: Style
    ) -> String {
        let room = min(width, widest) - 1
        var parts: [(text: String, color: Style.Color?)] = [
            ("\(progress.settled)/\(progress.total)", nil)
        ]
        var used = parts[0].text.count
        func add(_ text: String, _ color: Style.Color?) {
            guard used + 2 + text.count <= room else { return }
            parts.append((text, color))
            used += 2 + text.count
        }
        add(Text.duration(milliseconds: elapsedMilliseconds), nil)
        if progress.failed > 0 { add("\(progress.failed) failed", .red) }
        if progress.running > 0 { add("\(progress.running) running", .cyan) }
        if progress.criticalPathMilliseconds > 0 {
            add("path \(Text.duration(milliseconds: progress.criticalPathMilliseconds))", .dim)
        }
        let line = parts.map { style.paint($0.text, $0.color) }.joined(separator: "  ")
        let space = room - used - 4
        guard used <= room else { return Text.cut(parts[0].text, to: max(room, 0)) }
        guard space >= bar.lowerBound else { return line }
        return "[\(drawn(progress, min(space, bar.upperBound)))]  \(line)"
    }

    private static func drawn(_ progress: RunProgress, _ width: Int) -> String {
        let share = Double(progress.settled) / Double(max(progress.total, 1))
        let filled = min(Int(share * Double(width)), width)
        let isMoving = filled < width && progress.settled < progress.total
        return String(repeating: "=", count: filled) + (isMoving ? ">" : "")
            + String(repeating: " ", count: width - filled - (isMoving ? 1 : 0))
    }
}
