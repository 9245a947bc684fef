// The metrics that every process has, by their usual names, and those of its build.

extension MetricsText {
    /// What a process uses of its machine.
    public struct ProcessNumbers: Sendable {
        /// Time on a core, in microseconds.
        public var cpuMicroseconds: Int
        /// The resident size, in bytes.
        public var residentBytes: Int
        /// Open files, sockets and pipes.
        public var openDescriptors: Int
        /// How many may be open.
        public var descriptorLimit: Int
        /// When the process was started, in milliseconds of Unix time.
        public var startedAt: Int

        /// Describes a process.
        public init(
            cpuMicroseconds: Int,
            residentBytes: Int,
            openDescriptors: Int,
            descriptorLimit: Int,
            startedAt: Int
        ) {
            self.cpuMicroseconds = cpuMicroseconds
            self.residentBytes = residentBytes
            self.openDescriptors = openDescriptors
            self.descriptorLimit = descriptorLimit
            self.startedAt = startedAt
        }
    }

    /// Writes what the process uses.
    public mutating func write(_ process: ProcessNumbers) {
        family("process_cpu_seconds", .counter, "Time that the process spent on cores")
        sample(microseconds: process.cpuMicroseconds)
        single(
            "process_resident_memory_bytes",
            .gauge,
            "Memory of the process",
            process.residentBytes
        )
        single(
            "process_open_fds",
            .gauge,
            "Files, sockets and pipes that are open",
            process.openDescriptors
        )
        single(
            "process_max_fds",
            .gauge,
            "How many files, sockets and pipes may be open",
            process.descriptorLimit
        )
        family(
            "process_start_time_seconds",
            .gauge,
            "When the process was started, in seconds of Unix time"
        )
        sample(microseconds: process.startedAt * 1_000)
    }

    /// Writes what the program is.
    public mutating func writeBuild(version: String, commit: String, swift: String) {
        family("weft_build_info", .gauge, "Always 1; the labels say what the program is")
        sample(1, [("version", version), ("commit", commit), ("swift", swift)])
    }
}
