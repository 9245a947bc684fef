// What concerns this whole process: its number, its signals, its limits. Not here: children.
internal import CLibuv
internal import CProcess
internal import Glibc

/// Settings and facts of this process.
public enum ProcessTable {
    /// The number of this process.
    public static var pid: Int32 { uv_os_getpid() }

    /// Opens those of the descriptors 0, 1 and 2 that this process was started without.
    ///
    /// Otherwise the next file or socket gets the number and what is meant for people is written
    /// there. Afterwards reading standard input and writing standard output fails as it would have
    /// before; what is written to standard error is lost. Call first thing.
    public static func openStandardDescriptors() -> Bool { weft_open_standard_descriptors() }

    /// Keeps the secrets in this process's memory and environment from other processes of its user.
    ///
    /// Nobody can attach to it, no core file is written, and of the environment /proc shows only
    /// variables without secrets, such as `PATH` and `TMPDIR`. Children may write core files as if
    /// this had not been called. For programs of our own: call at the start, while there is one
    /// thread.
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

    /// Keeps descriptors this process has inherited, above the standard three, from its children.
    ///
    /// Everything opened by this module is kept from them anyway. Call once at the start.
    public static func keepInheritedDescriptorsFromChildren() {
        // Where the system is too old, libuv marks the lowest ones at least.
        if weft_close_on_exec_from(3) != 0 { uv_disable_stdio_inheritance() }
    }

    /// Keeps some of the memory that was given back, instead of returning every large buffer to the
    /// system at once.
    ///
    /// A buffer that is fresh from the system costs a page fault for each 4 KiB, which takes longer
    /// than copying them. For programs of our own; a host of the library decides for itself.
    public static func keepFreedBuffers() {
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TRIM_THRESHOLD, 64 << 20)
    }

    /// Has this process killed as soon as its parent, by its number, has ended; returns whether the
    /// parent is still there.
    ///
    /// The thread that started this process counts as the parent.
    public static func endWithParent(_ parent: Int32) -> Bool { weft_end_with_parent(parent) }

    /// Whether a signal to this process is ignored, as `nohup` has it for SIGHUP.
    public static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    /// Lets a write to a closed socket or pipe fail instead of ending the process.
    public static func ignoreSIGPIPE() {
        Glibc.signal(SIGPIPE, SIG_IGN)
    }

    /// Lets a write beyond the limit of the size of files fail instead of ending the process.
    ///
    /// Children get the default handling back. For programs of our own: call at the start.
    public static func ignoreSIGXFSZ() {
        Glibc.signal(SIGXFSZ, SIG_IGN)
    }
}
