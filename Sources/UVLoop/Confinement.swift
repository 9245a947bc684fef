// What a child of a keeper may use and reach, and which of its limits it has reached. Not here: how
// it is applied by system calls (CProcess), how a manifest is read (Tools).
internal import CProcess

/// What a child of a keeper may use and reach.
///
/// Every child of a keeper has a session of its own, no descriptors but its standard ones, and ends
/// with its supervisor; this is about the rest.
public struct Confinement: Sendable, Hashable {
    /// The seconds of processor time of each process.
    public var cpuSeconds: Int?
    /// The bytes of memory: of all processes together in a control group, otherwise of each.
    public var memoryBytes: Int?
    /// How many processes and threads there may be at a time.
    public var processes: Int?
    /// How many descriptors each process may have open.
    public var openFiles: Int?
    /// The bytes of each file that is written.
    public var fileBytes: Int?
    /// Whether programs with the set-user-ID bit get the rights of their owner.
    public var keepsPrivileges = false
    /// What of the file system the child reaches; everything if nil.
    public var fence: Fence?
    /// Whether the child can make no sockets.
    public var lacksNetwork = false
    /// Whether the program is one that starts another, which gets the signals in its place.
    public var isWrapped = false

    /// The paths that a child reaches; folders with all in them.
    public struct Fence: Sendable, Hashable {
        /// What it may read and execute.
        public var readable: [String]
        /// What it may change, too.
        public var writable: [String]

        /// Makes a fence.
        public init(readable: [String], writable: [String]) {
            self.readable = readable
            self.writable = writable
        }
    }

    /// Limits that a child has reached.
    public struct Reached: OptionSet, Sendable, Hashable {
        /// The limits as bits.
        public let rawValue: UInt32

        /// Makes a set of the bits of `weft_reached`.
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// It was ended because it had used its processor time.
        public static let cpu = Reached(rawValue: WEFT_REACHED_CPU.rawValue)
        /// One of its processes was ended because memory was used up.
        public static let memory = Reached(rawValue: WEFT_REACHED_MEMORY.rawValue)
        /// It could not start a process.
        public static let processes = Reached(rawValue: WEFT_REACHED_PROCESSES.rawValue)
        /// It was ended because a file became too large.
        public static let fileSize = Reached(rawValue: WEFT_REACHED_FILE_SIZE.rawValue)
    }

    /// Confines nothing but privileges.
    public init() {}

    /// Whether this system can limit the processes of one child.
    ///
    /// That needs a control group or, for users other than root, a user namespace; one is made and
    /// removed to see.
    public static func canLimitProcesses() -> Bool { weft_can_limit_processes() }

    /// The version of Landlock here, which fences need; 0 if there is none.
    public static var fenceVersion: Int { Int(weft_landlock_version()) }

    /// Whether a program, started with the rights of a confined child, ends with code 0 in time; waits
    /// for it.
    public static func succeeds(_ arguments: [String], within limit: Duration) -> Bool {
        let milliseconds = Int32(clamping: limit.components.seconds * 1000)
        return withCStrings(arguments) { words in
            words.withMemoryRebound(to: UnsafePointer<CChar>?.self) {
                weft_try_program($0.baseAddress, milliseconds) == 0
            }
        }
    }

    var c: weft_confinement {
        var confinement = weft_confinement()
        confinement.cpu = UInt64(cpuSeconds ?? 0)
        confinement.memory = UInt64(memoryBytes ?? 0)
        confinement.processes = UInt64(processes ?? 0)
        confinement.files = UInt64(openFiles ?? 0)
        confinement.file_size = UInt64(fileBytes ?? 0)
        confinement.readable = UInt32(fence?.readable.count ?? 0)
        confinement.writable = UInt32(fence?.writable.count ?? 0)
        confinement.keeps_privileges = keepsPrivileges
        confinement.has_fence = fence != nil
        confinement.lacks_network = lacksNetwork
        confinement.is_wrapped = isWrapped
        return confinement
    }
}
