// What concerns this whole process: its number, its signals, its limits. Not here: children.
internal import CLibuv
internal import Glibc

/// Settings and facts of this process.
public enum ProcessTable {
    /// The number of this process.
    public static var pid: Int32 { uv_os_getpid() }

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

    /// Lets a write to a closed socket or pipe fail instead of ending the process.
    public static func ignoreSIGPIPE() {
        Glibc.signal(SIGPIPE, SIG_IGN)
    }
}
