// The command line of bubblewrap for a tool: a read-only view of the host's files with folders of its
// own, in namespaces of its own. Not here: what a tool reaches (Sandbox).

/// Makes the words that start a tool in bubblewrap.
struct BubblewrapCommand {
    private let program: String
    private let sandbox: Sandbox
    private let named: [String]

    /// A command for a sandbox; `named` are paths that the tool may read in any case.
    init(program: String, sandbox: Sandbox, named: [String]) {
        self.program = program
        self.sandbox = sandbox
        self.named = named
    }

    /// A command that ends with code 0 if sandboxes can be made.
    static func trial(_ program: String) -> [String] {
        let command = BubblewrapCommand(program: program, sandbox: Sandbox(), named: [])
        return command.words(folder: "/tmp/weft-trial", hasFolder: false) + ["/bin/true"]
    }

    /// The words before those of the tool's own command.
    ///
    /// Of two mounts for one place the later one counts, so the tool's own folders come after the
    /// host's, and what was named after those.
    func words(folder: String, hasFolder: Bool = true) -> [String] {
        var words = [program, "--die-with-parent", "--cap-drop", "ALL"]
        words += ["--unshare-user-try", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
        if !sandbox.hasNetwork { words.append("--unshare-net") }
        if let readable = sandbox.readable {
            words += mounts(Sandbox.systemPaths)
            words += own
            words += mounts(readable)
        } else {
            words += ["--ro-bind", "/", "/"]
            words += own
        }
        if sandbox.hasNetwork { words += mounts(Sandbox.resolverPaths) }
        // The working folders of other attempts are beside this one.
        if let above = folder.lastIndex(of: "/"), above > folder.startIndex {
            words += ["--tmpfs", String(folder[..<above])]
        }
        words += mounts(named)
        for path in sandbox.writable {
            words += [path.hasPrefix("/dev/") ? "--dev-bind-try" : "--bind-try", path, path]
        }
        if hasFolder { words += ["--bind", folder, folder] }
        if sandbox.readable != nil { words += ["--remount-ro", "/"] }
        return words + ["--"]
    }

    /// The settings of the system are files of root, which it may write without any capability.
    private var own: [String] {
        ["--dev", "/dev", "--proc", "/proc"] + mounts(["/proc/sys", "/proc/sysrq-trigger"])
            + ["--tmpfs", "/tmp", "--tmpfs", "/run"]
    }

    private func mounts(_ paths: [String]) -> [String] {
        // A device behind an ordinary mount cannot be opened.
        paths.flatMap { [$0.hasPrefix("/dev/") ? "--dev-bind-try" : "--ro-bind-try", $0, $0] }
    }
}
