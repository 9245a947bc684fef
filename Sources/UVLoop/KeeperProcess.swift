// One keeper process: starts it, sends programs to it, and receives its reports of their ends. Not
// here: when a keeper is started (ProcessKeeper), the programs' pipes (ChildProcess).
internal import CLibuv
internal import CProcess
internal import Glibc

/// A program for a keeper to start.
struct KeeperRequest {
    /// Arguments, variables, the folder and the paths of the fence, each with a null byte at its end.
    var strings: [UInt8]
    var argumentCount: Int
    var variableCount: Int
    /// The program's descriptors 0, 1 and 2; -1 is `/dev/null`.
    var descriptors: [Int32]
    var confinement: Confinement
    /// Its name in failures.
    var program: String
}

/// A process that keeps programs; lives until it is closed and the process has ended.
final class KeeperProcess {
    /// A program that was started.
    struct Started {
        var keeper: KeeperProcess
        var id: UInt64
        var pid: Int32
    }

    let folder: KeeperFolder
    /// The number of the last working folder whose program can belong to this keeper.
    ///
    /// Set once programs are sent to another keeper; 0 before that.
    var newestFolder: UInt64 = 0
    /// Called once if the process ends without having been closed.
    var onKilled: ((KeeperProcess) -> Void)?

    private let loop: EventLoop
    private let memory = HandleMemory(UV_PROCESS)
    private var control: Int32
    private let status: ByteStream
    private var children: [UInt64: ChildProcess] = [:]
    private var lastID: UInt64 = 0
    private var unread: [UInt8] = []
    private var isEnded = false
    private var isClosed = false
    private var isLoopClosing = false
    private var closesWhenIdle = false

    /// How long a keeper may take to start a program; it takes about a millisecond.
    private static let patience: Int32 = 5_000
    private static let recordSize = MemoryLayout<weft_ending>.size

    /// Whether programs can be sent to it, as far as is known.
    var isUsable: Bool { control >= 0 && !isEnded && !closesWhenIdle }

    init(loop: EventLoop, folder: KeeperFolder) throws(UVError) {
        self.loop = loop
        self.folder = folder
        let ends = try Ends()
        let result = Self.start(loop, memory, folder, ends)
        ends.closeTheirs()
        guard result == 0 else {
            ends.closeOurs()
            // libuv has initialised the handle even though it failed.
            memory.closeUnowned()
            throw UVError(code: result, operation: "start a keeper")
        }
        control = ends.control.ours
        status = .pipe(loop: loop)
        let opened = uv_pipe_open(status.memory.pipe, ends.status.ours)
        precondition(opened == 0, "a pipe that was just made can be read")
        memory.retain(self)
        loop.childrenAlive += 1
        uv_unref(memory.handle)
        uv_unref(status.memory.handle)
        // Until the status pipe is closed; supervisors may report after their keeper has ended.
        status.onBytes = { [self] in received($0) }
        status.onReadEnd = { [self] _ in statusEnded() }
        status.onLoopClosing = { [self] in dropChildren() }
        status.startReading()
    }

    private static func start(
        _ loop: EventLoop,
        _ memory: HandleMemory,
        _ folder: KeeperFolder,
        _ ends: Ends
    ) -> Int32 {
        var settings = uv_process_options_t()
        settings.exit_cb = keeperExited
        settings.flags = UV_PROCESS_DETACHED.rawValue
        var containers = [
            uv_stdio_container_t(), uv_stdio_container_t(), uv_stdio_container_t(),
            inherited(ends.control.theirs), inherited(ends.status.theirs), inherited(folder.lock),
        ]
        // The keeper gets only the variables that the dynamic loader needs.
        let names: [String] = ["LD_LIBRARY_PATH", "LD_PRELOAD"]
        let variables = names.compactMap { name in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        let arguments: [String] = [WEFT_KEEPER_NAME, folder.path, ProcessKeeper.folderPrefix]
        return withCStrings(arguments) { arguments in
            withCStrings(variables) { variables in
                containers.withUnsafeMutableBufferPointer { containers in
                    "/proc/self/exe"
                        .withCString { program in
                            settings.file = program
                            settings.args = arguments.baseAddress
                            settings.env = variables.baseAddress
                            settings.stdio = containers.baseAddress
                            settings.stdio_count = Int32(containers.count)
                            return uv_spawn(loop.raw, memory.process, &settings)
                        }
                }
            }
        }
    }

    // MARK: - Programs

    /// Starts a program; nil if the keeper is gone and has not received the request.
    ///
    /// Throws `ECONNABORTED` if it has received the request but does not answer: it is then not
    /// known whether the program was started. Such a keeper is killed, and the program with it.
    func spawn(_ request: KeeperRequest) throws(UVError) -> Started? {
        guard isUsable else { return nil }
        lastID += 1
        let result = request.strings.withUnsafeBytes { strings in
            var start = weft_start()
            start.strings = strings.baseAddress?.assumingMemoryBound(to: CChar.self)
            start.size = strings.count
            start.arguments = UInt32(clamping: request.argumentCount)
            start.variables = UInt32(clamping: request.variableCount)
            let stdio = request.descriptors
            start.stdio = (stdio[0], stdio[1], stdio[2])
            start.confinement = request.confinement.c
            return weft_keeper_spawn(control, lastID, &start, Self.patience)
        }
        guard result != 0 else { return nil }
        guard result != Int32(WEFT_KEEPER_SILENT) else {
            abandon()
            throw UVError(UV_ECONNABORTED, "spawn \(request.program): its keeper is silent")
        }
        guard result > 0 else { throw UVError(code: result, operation: "spawn \(request.program)") }
        return Started(keeper: self, id: lastID, pid: result)
    }

    /// Reports the end of a program to its child from now on, and keeps the loop alive until then.
    func adopt(_ child: ChildProcess, _ id: UInt64) {
        if children.isEmpty { uv_ref(status.memory.handle) }
        children[id] = child
    }

    /// Sends a signal to a program that has not ended, either to its group or only to itself.
    func signal(_ id: UInt64, _ signal: Int32, isGroup: Bool) {
        guard control >= 0, children[id] != nil else { return }
        if !weft_keeper_signal(control, id, signal, isGroup), signal == SIGKILL { abandon() }
    }

    private func received(_ bytes: [UInt8]) {
        unread += bytes
        var start = 0
        while unread.count - start >= Self.recordSize {
            let ending = unread[start...]
                .withUnsafeBytes { $0.loadUnaligned(as: weft_ending.self) }
            start += Self.recordSize
            end(
                ending.id,
                ChildProcess.ExitStatus(
                    code: Int(ending.code),
                    signal: Int(ending.signal),
                    reached: Confinement.Reached(rawValue: ending.reached)
                )
            )
        }
        unread.removeFirst(start)
    }

    private func end(_ id: UInt64, _ exit: ChildProcess.ExitStatus) {
        guard let child = children.removeValue(forKey: id) else { return }
        if children.isEmpty, !status.isClosed { uv_unref(status.memory.handle) }
        child.exited(exit)
        closeIfIdle()
    }

    /// The keeper and all supervisors are gone, so no more reports can come.
    private func statusEnded() {
        if !children.isEmpty {
            // They were killed, so nothing watches the remaining programs.
            for child in children.values { kill(-child.pid, SIGKILL) }
            weft_folder_kill_users(folder.path, newestFolder)
        }
        for id in children.keys.sorted() { end(id, ChildProcess.ExitStatus(code: 0, signal: 9)) }
        status.close()
    }

    // MARK: - The end

    /// Accepts no more programs, and lets the keeper end when all its programs have ended.
    func closeWhenIdle() {
        closesWhenIdle = true
        closeIfIdle()
    }

    private func closeIfIdle() {
        if closesWhenIdle, children.isEmpty { close() }
    }

    /// Kills a keeper that does not work; its programs are killed with it.
    func abandon() {
        closesWhenIdle = true
        guard !isEnded else { return closeIfIdle() }
        uv_process_kill(memory.process, SIGKILL)
        closeIfIdle()
    }

    private func close() {
        guard !isClosed else { return }
        isClosed = true
        closeControl()
        status.close()
    }

    private func dropChildren() {
        for child in children.values { child.dropEverything() }
        children = [:]
    }

    private func closeControl() {
        guard control >= 0 else { return }
        Glibc.close(control)
        control = -1
    }

    fileprivate func exited() {
        isEnded = true
        loop.childrenAlive -= 1
        memory.close()
        closeControl()
        guard !isClosed, loop.phase == .open else { return }
        let onKilled = onKilled
        self.onKilled = nil
        onKilled?(self)
    }
}

extension KeeperProcess: HandleOwner {
    /// The first call makes the keeper kill its programs and waits for its end; a second one does
    /// not wait, because the keeper ends by itself.
    func closeWithLoop() {
        guard !isLoopClosing else { return memory.close() }
        isLoopClosing = true
        dropChildren()
        close()
    }
}

private func keeperExited(_ handle: UnsafeMutablePointer<uv_process_t>?, _: Int64, _: Int32) {
    guard let data = handle?.pointee.data else { return }
    owner(data, as: KeeperProcess.self).exited()
}

/// The two connections with a keeper, both ends.
private struct Ends {
    struct Pair {
        var ours: Int32 = -1
        var theirs: Int32 = -1
    }

    var control = Pair()
    var status = Pair()

    init() throws(UVError) {
        var ends: [Int32] = [-1, -1]
        var result = weft_keeper_sockets(&ends)
        guard result == 0 else { throw UVError(code: result, operation: "connect with a keeper") }
        control = Pair(ours: ends[0], theirs: ends[1])
        result = uv_pipe(&ends, 0, 0)
        guard result == 0 else {
            Glibc.close(control.ours)
            Glibc.close(control.theirs)
            throw UVError(code: result, operation: "connect with a keeper")
        }
        status = Pair(ours: ends[0], theirs: ends[1])
    }

    func closeTheirs() {
        Glibc.close(control.theirs)
        Glibc.close(status.theirs)
    }

    func closeOurs() {
        Glibc.close(control.ours)
        Glibc.close(status.ours)
    }
}
