// What this process uses of the machine, for metrics.

internal import CLibuv
internal import Glibc

/// The usage of this process at one moment.
public struct OwnUsage: Sendable {
    /// Time on a core of all its threads, in microseconds.
    public let cpuMicroseconds: Int
    /// Its resident size, in bytes.
    public let residentBytes: Int
    /// The files, sockets and pipes that it has open.
    public let openDescriptors: Int
    /// How many it may have open.
    public let descriptorLimit: Int
    /// The moment, in milliseconds of Unix time.
    public let unixMilliseconds: Int

    /// The usage now.
    public init() {
        var usage = uv_rusage_t()
        _ = uv_getrusage(&usage)
        func microseconds(_ time: uv_timeval_t) -> Int { time.tv_sec * 1_000_000 + time.tv_usec }
        cpuMicroseconds = microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
        var resident = 0
        residentBytes = uv_resident_set_memory(&resident) == 0 ? resident : 0
        (descriptorLimit, openDescriptors) = ProcessTable.fileDescriptors()
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        unixMilliseconds = time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }
}
