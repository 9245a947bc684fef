// What another process has used, read from /proc. Linux only, as the benchmarks are.

internal import FoundationEssentials
internal import Glibc

struct ProcessUsage {
    /// User and system time, in seconds; the clock's tick is mostly 10 ms.
    var cpuSeconds: Double
    /// The highest resident size so far, in bytes.
    var peakResidentBytes: Int

    /// Nil when the process is gone.
    init?(of pid: Int32) {
        guard let stat = Self.read("/proc/\(pid)/stat"),
            let status = Self.read("/proc/\(pid)/status"),
            let close = stat.lastIndex(of: ")")
        else { return nil }
        // Fields are counted behind the name, which may hold blanks: utime and stime are 12, 13.
        let fields = stat[stat.index(after: close)...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[11]), let system = Double(fields[12])
        else { return nil }
        cpuSeconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let kibibytes = peak?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
        peakResidentBytes = (kibibytes.flatMap { Int($0) } ?? 0) << 10
    }

    private static func read(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
