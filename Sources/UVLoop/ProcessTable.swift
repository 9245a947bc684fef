// Functions for this whole process: its number, its signals, its limits. Not here: children.
internal import CLibuv
internal import CProcess
internal import Glibc

/// Settings and facts of this process.
public enum ProcessTable {
    /// The number of this process.
    public static var pid: Int32 { uv_os_getpid() }

    /// Opens those of the descriptors 0, 1 and 2 that this process was started without.
    ///
    /// Otherwise the next file or socket gets the number, and messages for people are written to
    /// it. Afterwards reading standard input and writing standard output fail as before; output to
    /// standard error is lost. Must be called first.
    public static func openStandardDescriptors() -> Bool { weft_open_standard_descriptors() }

    /// Hides the secrets in this process's memory and environment from other processes of its user.
    ///
    /// No process can attach to it, no core file is written, and /proc shows only variables without
    /// secrets, such as `PATH` and `TMPDIR`. Children may write core files as before. For programs
    /// of our own: call at the start, while there is one thread.
    public static func protectMemory() { weft_protect_memory() }

    /// Raises the limit of open files to what the system allows and returns the limit in force.
    @discardableResult
    public static func raiseFileLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 {
                limit = raised
            }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// The limit of open files in force, and how many are open now.
    public static func fileDescriptors() -> (limit: Int, open: Int) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return (.max, 0)
        }
        var open = 0
        if let folder = opendir("/proc/self/fd") {
            // Not counted: the folder itself and its parent, and the descriptor that reads it.
            while readdir(folder) != nil { open += 1 }
            closedir(folder)
            open -= 3
        }
        return (Int(clamping: limit.rlim_cur), max(open, 0))
    }

    /// Prevents children from inheriting descriptors of this process above the standard three.
    ///
    /// Descriptors opened by this module are never inherited. Call once at the start.
    public static func keepInheritedDescriptorsFromChildren() {
        // On older systems, libuv marks at least the lowest ones.
        if weft_close_on_exec_from(3) != 0 { uv_disable_stdio_inheritance() }
    }

    /// Keeps some freed memory, instead of returning every large buffer to the system at once.
    ///
    /// A new buffer from the system costs a page fault for each 4 KiB, which takes longer than
    /// copying them. For programs of our own; a host of the library decides for itself.
    public static func keepFreedBuffers() {
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TRIM_THRESHOLD, 64 << 20)
    }

    /// Makes the system kill this process as soon as its parent, given by number, has ended;
    /// returns whether the parent still runs.
    ///
    /// The thread that started this process counts as the parent.
    public static func endWithParent(_ parent: Int32) -> Bool { weft_end_with_parent(parent) }

    /// Whether a signal to this process is ignored, as `nohup` does with SIGHUP.
    public static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    /// Lets a write to a closed socket or pipe fail instead of ending the process.
    public static func ignoreSIGPIPE() {
        Glibc.signal(SIGPIPE, SIG_IGN)
    }

    /// Lets a write beyond the file size limit fail instead of ending the process.
    ///
    /// Children get the default handling. For programs of our own: call at the start.
    public static func ignoreSIGXFSZ() {
        Glibc.signal(SIGXFSZ, SIG_IGN)
    }
}
