// The keeper of a worker's programs, as its users see it: started in advance, replaced when it is
// gone. Not here: one keeper process and its programs (KeeperProcess), its own code (CProcess).
internal import CLibuv
internal import CProcess
internal import Glibc

/// Starts programs beside this process, so that none of their processes remains when this process
/// is gone.
///
/// A keeper is a process of this same program. It starts each program under a supervisor, which is
/// the parent of every process that the program leaves behind, in any session: when the program has
/// ended, or is killed with its group, all of them are killed. The keeper and the supervisors
/// notice the end of this process, whatever its cause; then they kill everything and remove the
/// folder in which all programs work. This process itself does not become a subreaper.
///
/// If the keeper is killed, its programs are killed, and the next program is started by another
/// keeper. If this process and the keeper are killed together, the supervisors still kill the
/// programs; the folder, whose lock is free then, is removed by the next keeper that is started for
/// the same place.
///
/// Confined to the loop.
public final class ProcessKeeper {
    /// The prefix of the folders' names; six characters follow.
    public static let folderPrefix = "weft-worker-"

    /// The directory in which its folder is made.
    public let base: String
    let loop: EventLoop
    private var folder: KeeperFolder?
    private var process: KeeperProcess?
    private var lastFolder: UInt64 = 0
    private var isShutDown = false

    /// Makes a keeper whose folder will be in that directory; nothing is started or made yet.
    public init(loop: EventLoop, base: String) {
        self.loop = loop
        self.base = base
    }

    /// Makes a keeper of an existing folder, which is removed when this process has ended.
    public convenience init(loop: EventLoop, folder: TemporaryFolder) {
        self.init(loop: loop, base: folder.path)
        self.folder = KeeperFolder(folder)
    }

    deinit { process?.closeWhenIdle() }

    /// Starts the keeper if it does not run, so that the first program need not wait for it.
    public func start() throws(UVError) { _ = try running() }

    /// Makes a new folder of mode 0700 for one program and returns its path.
    ///
    /// Its user removes it; the keeper removes the rest.
    public func makeFolder() throws(UVError) -> String {
        for attempt in 1...2 {
            let parent = try running().folder
            lastFolder += 1
            let path = "\(parent.path)/\(lastFolder)"
            if mkdir(path, 0o700) == 0 { return path }
            let code = -errno
            // The folder was removed by something else; a keeper for a new folder takes over.
            guard code == UV_ENOENT.rawValue, attempt == 1 else {
                throw UVError(code: code, operation: "make the folder \(path)")
            }
            folder = nil
            process?.closeWhenIdle()
            process = nil
        }
        preconditionFailure("the second attempt returns or throws")
    }

    /// Starts nothing any more, and ends when all programs have ended.
    public func shutDown() {
        loop.assertOnLoop()
        isShutDown = true
        process?.closeWhenIdle()
        process = nil
        folder = nil
    }

    /// Starts a program with a keeper; one that is gone and has not received the request is
    /// replaced, once.
    func spawn(_ request: KeeperRequest) throws(UVError) -> KeeperProcess.Started {
        for _ in 1...2 {
            let process = try running()
            if let started = try process.spawn(request) { return started }
            process.newestFolder = lastFolder
            process.abandon()
            self.process = nil
        }
        throw UVError(UV_EAGAIN, "spawn \(request.program): its keeper is gone")
    }

    private func running() throws(UVError) -> KeeperProcess {
        loop.preconditionNotClosed()
        guard !isShutDown else { throw UVError(UV_ECANCELED, "use a keeper that was shut down") }
        if let process, process.isUsable { return process }
        process?.newestFolder = lastFolder
        let folder = try currentFolder()
        let process = try KeeperProcess(loop: loop, folder: folder)
        process.onKilled = { [weak self] in self?.replace($0) }
        self.process = process
        return process
    }

    private func currentFolder() throws(UVError) -> KeeperFolder {
        if let folder { return folder }
        let made = KeeperFolder(try TemporaryFolder(in: base, prefix: Self.folderPrefix))
        folder = made
        return made
    }

    /// The keeper was killed: the folder needs another one, even if no program is started again.
    private func replace(_ killed: KeeperProcess) {
        guard process === killed else { return }
        // The rest of its programs is killed when no more reports can come; programs of the next
        // keeper must not be mistaken for them.
        killed.newestFolder = lastFolder
        process = nil
        _ = try? running()
    }
}

@available(*, unavailable)
extension ProcessKeeper: Sendable {}

/// The folder of a keeper, locked as long as one of us uses it.
final class KeeperFolder {
    let path: String
    let lock: Int32

    init(_ folder: TemporaryFolder) {
        path = folder.path
        lock = folder.lock
    }

    deinit { close(lock) }
}

/// A folder with a lock, so that an abandoned one can be told from one in use.
public struct TemporaryFolder: Sendable {
    /// The absolute path.
    public let path: String
    /// The descriptor that holds the lock; children do not get it.
    public let lock: Int32

    /// Makes a folder of mode 0700 whose name begins with the prefix, and locks it.
    public init(in base: String, prefix: String) throws(UVError) {
        let (path, result) = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) {
            buffer -> (String, Int32) in
            buffer.initialize(repeating: 0)
            guard let start = buffer.baseAddress else { return ("", UV_ENOMEM.rawValue) }
            let result = weft_folder_make(base, prefix, start, buffer.count)
            return (String(cString: start), result)
        }
        guard result >= 0 else {
            throw UVError(code: result, operation: "make a folder in \(base)")
        }
        self.path = path
        lock = result
    }

    /// Removes the folder with its contents, and releases the lock.
    public func remove() {
        weft_remove_tree(path)
        close(lock)
    }

    /// Removes the folders of this user with that prefix that are not in use.
    public static func sweep(_ base: String, prefix: String) { weft_folder_sweep(base, prefix) }

    /// Removes a file or folder with its contents, without following links; false if something
    /// remains.
    @discardableResult
    public static func removeTree(_ path: String) -> Bool { weft_remove_tree(path) }
}
