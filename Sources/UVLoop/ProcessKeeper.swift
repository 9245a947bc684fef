// The keeper of a worker's programs, as its users see it: started ahead, replaced when it is gone.
// Not here: one keeper process and what it keeps (KeeperProcess), what it does (CProcess).
internal import CLibuv
internal import CProcess
internal import Glibc

/// Starts programs beside this process, so that nothing of them is left when this process is gone.
///
/// A keeper is a process of this same program. It starts each program under a supervisor, which is
/// the parent of every process that the program leaves behind, in whatever session: when the
/// program has ended, or is killed with its group, all of them are killed. The keeper and the
/// supervisors notice when this process has gone, however it went; then they kill everything and
/// remove the folder that all programs work in. This process itself does not become a subreaper.
///
/// If the keeper is killed, the programs it has started are killed, and the next one is started by
/// another keeper. If this process and the keeper are killed together, the supervisors still kill
/// the programs; the folder is removed by the next keeper that is started for the same place, as
/// its lock has gone.
///
/// Confined to the loop.
public final class ProcessKeeper {
    /// What the names of the folders begin with; six characters follow.
    public static let folderPrefix = "weft-worker-"

    /// The folder that its folder is made in.
    public let base: String
    let loop: EventLoop
    private var folder: KeeperFolder?
    private var process: KeeperProcess?
    private var lastFolder: UInt64 = 0
    private var isShutDown = false

    /// Makes a keeper whose folder is to be in another one; nothing is started or made yet.
    public init(loop: EventLoop, base: String) {
        self.loop = loop
        self.base = base
    }

    /// Makes a keeper of a folder that is there already, which goes when this process has gone.
    public convenience init(loop: EventLoop, folder: TemporaryFolder) {
        self.init(loop: loop, base: folder.path)
        self.folder = KeeperFolder(folder)
    }

    deinit { process?.closeWhenIdle() }

    /// Starts the keeper if it does not run, so that the first program need not wait for it.
    public func start() throws(UVError) { _ = try running() }

    /// Makes a fresh folder of mode 0700 for one program and returns its path.
    ///
    /// Its user removes it; what is left of it goes with the keeper.
    public func makeFolder() throws(UVError) -> String {
        for attempt in 1...2 {
            let parent = try running().folder
            lastFolder += 1
            let path = "\(parent.path)/\(lastFolder)"
            if mkdir(path, 0o700) == 0 { return path }
            let code = -errno
            // Somebody has cleaned up the place; a keeper for a new folder takes over.
            guard code == UV_ENOENT.rawValue, attempt == 1 else {
                throw UVError(code: code, operation: "make the folder \(path)")
            }
            folder = nil
            process?.closeWhenIdle()
            process = nil
        }
        preconditionFailure("the second attempt returns or throws")
    }

    /// Starts nothing any more, and ends when everything started so far has ended.
    public func shutDown() {
        loop.assertOnLoop()
        isShutDown = true
        process?.closeWhenIdle()
        process = nil
        folder = nil
    }

    /// Has a keeper start a program; one that is gone and was told nothing is replaced, once.
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

    /// The keeper was killed: the folder needs another one, also if no program is started again.
    private func replace(_ killed: KeeperProcess) {
        guard process === killed else { return }
        // What is left of its programs is killed when nobody reports any more; those of the next
        // keeper are not to be taken for them.
        killed.newestFolder = lastFolder
        process = nil
        _ = try? running()
    }
}

@available(*, unavailable)
extension ProcessKeeper: Sendable {}

/// The folder of a keeper, locked as long as one of us has it.
final class KeeperFolder {
    let path: String
    let lock: Int32

    init(_ folder: TemporaryFolder) {
        path = folder.path
        lock = folder.lock
    }

    deinit { close(lock) }
}

/// A folder that is made with a lock, so that what is left of one can be told from one in use.
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

    /// Removes the folder and all in it, and gives the lock back.
    public func remove() {
        weft_remove_tree(path)
        close(lock)
    }

    /// Removes the folders of this user that begin with the prefix and that nobody uses.
    public static func sweep(_ base: String, prefix: String) { weft_folder_sweep(base, prefix) }

    /// Removes a file or folder with all in it, without following links; false if something stays.
    @discardableResult
    public static func removeTree(_ path: String) -> Bool { weft_remove_tree(path) }
}
