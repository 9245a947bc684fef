// What this process uses of the machine, for metrics. Linux only.

internal import CLibuv
internal import Glibc

/// The usage of this process at one moment.
public struct OwnUsage: Sendable {
    /// Time on a core of all its threads, in microseconds.
    public let cpuMicroseconds: Int
    /// Its resident size, in bytes.
    public let residentBytes: Int
    /// The files, sockets and pipes that it has open; nil if the system does not tell.
    public let openDescriptors: Int?
    /// How many it may have open.
    public let descriptorLimit: Int

    /// The usage now.
    public init() {
        var usage = uv_rusage_t()
        _ = uv_getrusage(&usage)
        func microseconds(_ time: uv_timeval_t) -> Int { time.tv_sec * 1_000_000 + time.tv_usec }
        cpuMicroseconds = microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
        var resident = 0
        residentBytes = uv_resident_set_memory(&resident) == 0 ? resident : 0
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        descriptorLimit = Int(clamping: limit.rlim_cur)
        openDescriptors = Self.countDescriptors()
    }

    private static func countDescriptors() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Without the folder itself, the one above it, and the descriptor of this reading.
        return count - 3
    }
}
