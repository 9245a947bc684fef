// The usage of another process, read from /proc. Linux only.

internal import FoundationEssentials
internal import Glibc

struct ProcessUsage {
    /// The usage between two readings.
    struct Span {
        var cpuSeconds: Double
        /// The highest resident size up to the later reading, in bytes.
        var peakResidentBytes: Int
    }

    /// Time on a core, in seconds.
    var cpuSeconds: Double
    /// The resident size, in bytes.
    var residentBytes: Int
    /// The highest resident size so far, in bytes.
    var peakResidentBytes: Int

    /// Nil when the process has ended.
    init?(of pid: Int32) {
        guard let stat = Self.read("/proc/\(pid)/stat"),
            let status = Self.read("/proc/\(pid)/status"),
            let close = stat.lastIndex(of: ")")
        else { return nil }
        // Fields are counted after the name, which may contain blanks: utime and stime are 12, 13.
        let fields = stat[stat.index(after: close)...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[11]), let system = Double(fields[12])
        else { return nil }
        let ticks = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        cpuSeconds = Self.scheduledSeconds(of: pid) ?? ticks
        residentBytes = Self.bytes(of: "VmRSS:", in: status)
        peakResidentBytes = Self.bytes(of: "VmHWM:", in: status)
    }

    /// The usage since an earlier reading.
    func since(_ earlier: ProcessUsage) -> Span {
        Span(
            cpuSeconds: cpuSeconds - earlier.cpuSeconds,
            peakResidentBytes: peakResidentBytes
        )
    }

    /// The time of all threads in nanoseconds, where the system counts it; a tick is 10 ms.
    private static func scheduledSeconds(of pid: Int32) -> Double? {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task"))
        var nanoseconds = 0.0
        for thread in threads ?? [] {
            guard let text = read("/proc/\(pid)/task/\(thread)/schedstat"),
                let time = text.split(separator: " ").first.flatMap({ Double($0) })
            else { return nil }
            nanoseconds += time
        }
        return nanoseconds > 0 ? nanoseconds / 1e9 : nil
    }

    private static func bytes(of field: String, in status: String) -> Int {
        let line = status.split(separator: "\n").first { $0.hasPrefix(field) }
        let kibibytes = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
        return (kibibytes.flatMap { Int($0) } ?? 0) << 10
    }

    private static func read(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
