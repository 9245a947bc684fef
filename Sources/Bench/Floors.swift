// The limits of the machine without Weftline, measured in the same run: a line sent to another
// process and back over TCP, and processes started as fast as libuv can.

internal import FoundationEssentials
internal import UVLoop

/// Sends one line of 200 bytes to another process and waits for it, again and again.
///
/// This figure depends more on how fast an idle core wakes than on any code, so it is reported
/// beside latency. Confined to its loop.
final class PingPongFloor {
    static let rounds = 2_000
    private static let warmUp = 200

    private let loop: EventLoop
    private let then: ([Int64]) -> Void
    private var echo: ChildProcess?
    private var socket: TCPConnection?
    private var samples: [Int64] = []
    private var sentAt: Int64 = 0
    private var received = 0
    private let line = [UInt8](repeating: 0x78, count: 199) + [0x0A]

    /// Starts measuring; `then` is called with the times of the rounds in nanoseconds, empty on
    /// failure.
    init(loop: EventLoop, program: String, then: @escaping ([Int64]) -> Void) throws(UVError) {
        self.loop = loop
        self.then = then
        var output: [UInt8] = []
        echo = try ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: [program, "bench-echo"],
                environment: [("PATH", "/usr/bin:/bin")]
            ),
            onOutput: { [weak self] _, bytes in
                output += bytes
                guard let end = output.firstIndex(of: 0x0A),
                    let port = Int(String(decoding: output[..<end], as: UTF8.self))
                else { return }
                output = []
                self?.connect(port)
            },
            onExit: { [weak self] _ in self?.finish() }
        )
    }

    private func connect(_ port: Int) {
        _ = TCPConnection.connect(
            loop: loop,
            host: "127.0.0.1",
            port: port,
            timeout: .seconds(5)
        ) { [weak self] result in
            guard let self, case .success(let socket) = result else { return self?.end() ?? () }
            self.socket = socket
            socket.start(
                onBytes: { [weak self] in self?.receive($0.count) },
                onEnd: { [weak self] _ in self?.end() }
            )
            send()
        }
    }

    private func send() {
        sentAt = loop.nowNanoseconds
        var bytes = line
        socket?.write(&bytes)
    }

    private func receive(_ count: Int) {
        received += count
        guard received >= line.count else { return }
        received = 0
        samples.append(loop.nowNanoseconds - sentAt)
        if samples.count < Self.rounds + Self.warmUp { send() } else { end() }
    }

    private func end() {
        socket?.close()
        socket = nil
        echo?.signalGroup(15)
    }

    private func finish() {
        echo = nil
        then(Array(samples.dropFirst(Self.warmUp)))
    }
}

/// Lets a new process start a program that many times, that many at once, with three pipes each.
///
/// A separate process, because starting a process takes longer the more memory the parent has, and
/// a benchmark uses much. Confined to its loop.
final class SpawnFloor {
    private var output: [UInt8] = []

    /// Starts measuring; `then` is called with the processes a second, nil on failure.
    init(
        loop: EventLoop,
        program: String,
        total: Int,
        concurrency: Int,
        then: @escaping (_ perSecond: Double?) -> Void
    ) throws(UVError) {
        _ = try ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: [program, "bench-spawn", "\(total)", "\(concurrency)"],
                environment: [("PATH", "/usr/bin:/bin")]
            ),
            onOutput: { [self] _, bytes in output += bytes },
            onExit: { [self] _ in
                let text = String(decoding: output, as: UTF8.self)
                then(Double(text.prefix { !$0.isNewline }))
            }
        )
    }
}

/// Starts a program that many times, that many at once, with three pipes each and nothing else.
///
/// Confined to its loop.
final class SpawnLoop {
    private let loop: EventLoop
    private let program: String
    private let total: Int
    private let startedAt: Int64
    private let then: (_ perSecond: Double) -> Void
    private var started = 0
    private var ended = 0

    init(
        loop: EventLoop,
        program: String,
        total: Int,
        concurrency: Int,
        then: @escaping (_ perSecond: Double) -> Void
    ) throws(UVError) {
        self.loop = loop
        self.program = program
        self.total = total
        self.then = then
        startedAt = loop.nowNanoseconds
        for _ in 0..<min(concurrency, total) { try start() }
    }

    private func start() throws(UVError) {
        started += 1
        _ = try ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: [program],
                environment: [],
                standardInput: .bytes([])
            ),
            onOutput: { _, _ in },
            onExit: { [self] _ in
                ended += 1
                if started < total { try? start() }
                guard ended == total else { return }
                then(Double(total) / (Double(loop.nowNanoseconds - startedAt) / 1e9))
            }
        )
    }
}
