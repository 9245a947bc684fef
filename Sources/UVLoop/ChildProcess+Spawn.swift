// Starts a child: its pipes, its arguments in C's form, and cleaning up after a failed start. Not
// here: the child after its start.
internal import CLibuv
internal import CProcess
internal import Glibc

extension ChildProcess {
    /// The options for starting a child.
    public struct Options: Sendable {
        /// The input of a child.
        public enum Input: Sendable {
            /// Nothing: `/dev/null`.
            case none
            /// These bytes, then the end of the input.
            case bytes([UInt8])
            /// The bytes passed to `writeInput`, until `closeInput`.
            case pipe
        }

        /// The program and its arguments; a program without a slash is looked up in `PATH` of
        /// `environment`.
        public var arguments: [String]
        /// The whole environment; nothing is inherited.
        public var environment: [(String, String)]
        /// The directory the child starts in; ours when `nil`.
        public var directory: String?
        /// The child's input.
        public var standardInput: Input
        /// Whether the child shares our standard error, which is then not captured.
        public var inheritStandardError: Bool
        /// Whether the child gets a session, and so a process group, of its own.
        public var newSession: Bool
        /// What the child may use and reach; only a keeper confines.
        public var confinement = Confinement()

        /// Makes options; only the arguments have no default.
        public init(
            arguments: [String],
            environment: [(String, String)] = [],
            directory: String? = nil,
            standardInput: Input = .none,
            inheritStandardError: Bool = false,
            newSession: Bool = true
        ) {
            self.arguments = arguments
            self.environment = environment
            self.directory = directory
            self.standardInput = standardInput
            self.inheritStandardError = inheritStandardError
            self.newSession = newSession
        }
    }

    /// Starts a child and reads its output.
    ///
    /// `onOutput` is called with each piece as it arrives. `onExit` is called exactly once, after
    /// the child has exited and its pipes have ended. When the child has exited, the rest of its
    /// group is killed; pipes that are still held by a process that left the group are closed 250
    /// ms later. All callbacks come in later turns of the loop. Throws when the child cannot be
    /// started, for example `ENOENT` for a missing program; then nothing remains.
    ///
    /// With a keeper the child belongs to the keeper: it always gets a session, all processes that
    /// it has started are killed with it, even those that left the group, and none of them outlives
    /// us.
    public static func spawn(
        loop: EventLoop,
        options: Options,
        keeper: ProcessKeeper? = nil,
        onOutput: @escaping (Stream, [UInt8]) -> Void,
        onExit: @escaping (ExitStatus) -> Void
    ) throws(UVError) -> ChildProcess {
        loop.preconditionNotClosed()
        guard let program = options.arguments.first, !program.isEmpty else {
            throw UVError(UV_EINVAL, "spawn a program without a name")
        }
        guard !options.hasNullByte else {
            throw UVError(UV_EINVAL, "spawn \(program) with a null byte in its arguments")
        }
        var pipes = Pipes()
        var result = pipes.open(for: options)
        guard result == 0 else {
            pipes.closeAll()
            throw UVError(code: result, operation: "make pipes for \(program)")
        }
        if let keeper { return try spawn(options, pipes, keeper, onOutput, onExit) }
        let memory = HandleMemory(UV_PROCESS)
        result = start(loop, memory, options, pipes)
        pipes.closeChildEnds()
        guard result == 0 else {
            pipes.closeAll()
            // libuv has initialised the handle even though it failed.
            memory.closeUnowned()
            throw UVError(code: result, operation: options.failedOperation(result))
        }
        let child = ChildProcess(
            loop: loop,
            memory: memory,
            ownsGroup: options.newSession,
            onOutput: onOutput,
            onExit: onExit
        )
        weft_allow_core(child.pid)
        child.adopt(pipes, options)
        return child
    }

    private static func spawn(
        _ options: Options,
        _ pipes: Pipes,
        _ keeper: ProcessKeeper,
        _ onOutput: @escaping (Stream, [UInt8]) -> Void,
        _ onExit: @escaping (ExitStatus) -> Void
    ) throws(UVError) -> ChildProcess {
        var pipes = pipes
        let started: KeeperProcess.Started
        do {
            started = try keeper.spawn(options.request(pipes))
        } catch {
            pipes.closeAll()
            throw UVError(code: error.code, operation: options.failedOperation(error.code))
        }
        pipes.closeChildEnds()
        let child = ChildProcess(
            loop: keeper.loop,
            started: started,
            onOutput: onOutput,
            onExit: onExit
        )
        child.adopt(pipes, options)
        return child
    }

    private func adopt(_ pipes: Pipes, _ options: Options) {
        if let stream = pipes.input.stream(on: loop) {
            attachInput(stream)
            if case .bytes(let bytes) = options.standardInput {
                writeInput(bytes)
                closeInput()
            }
        }
        if let stream = pipes.output.stream(on: loop) { attachOutput(stream, as: .standardOutput) }
        if let stream = pipes.error.stream(on: loop) { attachOutput(stream, as: .standardError) }
    }

    private static func start(
        _ loop: EventLoop,
        _ memory: HandleMemory,
        _ options: Options,
        _ pipes: Pipes
    ) -> Int32 {
        var settings = uv_process_options_t()
        settings.exit_cb = childExited
        settings.flags = options.newSession ? UV_PROCESS_DETACHED.rawValue : 0
        var containers = [
            pipes.input.container, pipes.output.container,
            options.inheritStandardError ? inherited(2) : pipes.error.container,
        ]
        let environment = options.environment.map { "\($0)=\($1)" }
        return withCStrings(options.arguments) { arguments in
            withCStrings(environment) { environment in
                withOptionalCString(options.directory) { directory in
                    containers.withUnsafeMutableBufferPointer { containers in
                        settings.file = arguments[0].map { UnsafePointer($0) }
                        settings.args = arguments.baseAddress
                        settings.env = environment.baseAddress
                        settings.cwd = directory
                        settings.stdio = containers.baseAddress
                        settings.stdio_count = 3
                        return uv_spawn(loop.raw, memory.process, &settings)
                    }
                }
            }
        }
    }
}

extension ChildProcess.Options {
    fileprivate var hasNullByte: Bool {
        arguments.contains { $0.utf8.contains(0) }
            || environment.contains { $0.utf8.contains(0) || $1.utf8.contains(0) }
            || directory.map { $0.utf8.contains(0) } ?? false
            || paths.contains { $0.utf8.contains(0) }
    }

    fileprivate var hasInput: Bool {
        if case .none = standardInput { false } else { true }
    }

    /// The child, started by a keeper.
    fileprivate func request(_ pipes: Pipes) -> KeeperRequest {
        var strings: [UInt8] = []
        for argument in arguments { strings += Array(argument.utf8) + [0] }
        for (name, value) in environment { strings += Array("\(name)=\(value)".utf8) + [0] }
        strings += Array((directory ?? "").utf8) + [0]
        for path in paths { strings += Array(path.utf8) + [0] }
        return KeeperRequest(
            strings: strings,
            argumentCount: arguments.count,
            variableCount: environment.count,
            descriptors: [
                pipes.input.childs, pipes.output.childs,
                inheritStandardError ? STDERR_FILENO : pipes.error.childs,
            ],
            confinement: confinement,
            program: arguments.first ?? ""
        )
    }

    private var paths: [String] {
        (confinement.fence?.readable ?? []) + (confinement.fence?.writable ?? [])
    }

    /// Tells what is missing: libuv reports a missing program and a missing directory alike.
    fileprivate func failedOperation(_ code: Int32) -> String {
        let program = arguments.first ?? ""
        guard let directory, access(directory, X_OK) != 0 else { return "spawn \(program)" }
        return "spawn \(program) in the directory \(directory)"
    }
}

/// The pipes of a child being started: plain pipes, not the socket pairs libuv would make,
/// because programs that open `/dev/stdout` or `/dev/stderr` fail on sockets.
private struct Pipes {
    struct Pair {
        var ours: Int32 = -1
        var childs: Int32 = -1

        /// The descriptor of the child for libuv; `/dev/null` without a pipe.
        var container: uv_stdio_container_t {
            childs < 0 ? uv_stdio_container_t() : inherited(childs)
        }

        /// Our end as a stream, which then owns the descriptor; `nil` without a pipe.
        func stream(on loop: EventLoop) -> ByteStream? {
            guard ours >= 0 else { return nil }
            let stream = ByteStream.pipe(loop: loop)
            guard uv_pipe_open(stream.memory.pipe, ours) == 0 else {
                stream.close()
                Glibc.close(ours)
                return nil
            }
            return stream
        }
    }

    var input = Pair()
    var output = Pair()
    var error = Pair()

    /// Makes the pipes for the options; returns libuv's code.
    mutating func open(for options: ChildProcess.Options) -> Int32 {
        var result: Int32 = 0
        if options.hasInput {
            result = Pipes.makePipe(read: &input.childs, write: &input.ours)
        }
        if result == 0 {
            result = Pipes.makePipe(read: &output.ours, write: &output.childs)
        }
        if result == 0, !options.inheritStandardError {
            result = Pipes.makePipe(read: &error.ours, write: &error.childs)
        }
        return result
    }

    /// Closes our copies of the child's ends; only then do the pipes end with the child.
    mutating func closeChildEnds() {
        for end in [\Pipes.input.childs, \Pipes.output.childs, \Pipes.error.childs] { close(end) }
    }

    /// Closes every end that is open.
    mutating func closeAll() {
        closeChildEnds()
        for end in [\Pipes.input.ours, \Pipes.output.ours, \Pipes.error.ours] { close(end) }
    }

    private mutating func close(_ end: WritableKeyPath<Pipes, Int32>) {
        guard self[keyPath: end] >= 0 else { return }
        Glibc.close(self[keyPath: end])
        self[keyPath: end] = -1
    }

    private static func makePipe(read: inout Int32, write: inout Int32) -> Int32 {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2) { ends in
            ends.initialize(repeating: -1)
            let result = uv_pipe(ends.baseAddress, 0, 0)
            if result == 0 { (read, write) = (ends[0], ends[1]) }
            return result
        }
    }
}

func inherited(_ descriptor: Int32) -> uv_stdio_container_t {
    var container = uv_stdio_container_t()
    container.flags = UV_INHERIT_FD
    container.data.fd = descriptor
    return container
}

/// Calls a function with strings in C's form: pointers into one buffer, `nil` after the last.
func withCStrings<Result>(
    _ strings: [String],
    _ body: (UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var text: [UInt8] = []
    var starts: [Int] = []
    starts.reserveCapacity(strings.count)
    for string in strings {
        starts.append(text.count)
        text.append(contentsOf: string.utf8)
        text.append(0)
    }
    return text.withUnsafeMutableBytes { bytes in
        let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        var pointers = starts.map { base?.advanced(by: $0) }
        pointers.append(nil)
        return pointers.withUnsafeMutableBufferPointer { body($0) }
    }
}

private func withOptionalCString<Result>(
    _ string: String?,
    _ body: (UnsafePointer<CChar>?) -> Result
) -> Result {
    guard let string else { return body(nil) }
    return string.withCString(body)
}
