// Runs a loop on a thread of its own for a test, with a limit on its time.
// Not here: any test.
import CLibuv
import Foundation

@testable import UVLoop

/// The loop did not finish in time.
struct LoopTimedOut: Error {}

/// Runs a body on a new thread with a loop, closes the loop and returns the body's value.
///
/// The body runs the loop itself, as often as it likes. When the limit is reached the loop is
/// stopped and the test fails, so that a hang is a failure.
func onLoop<Value: Sendable>(
    limit: Duration = .seconds(30),
    _ body: @escaping @Sendable (EventLoop) throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            continuation.resume(with: Result { try runOnThisThread(limit: limit, body) })
        }
    }
}

/// The same on the calling thread, which must be a real one.
func runOnThisThread<Value>(
    limit: Duration = .seconds(30),
    _ body: (EventLoop) throws -> Value
) throws -> Value {
    let loop = try EventLoop()
    defer { loop.close() }
    var isTimeUp = false
    let watchdog = UVLoop.Timer(loop: loop) {
        isTimeUp = true
        loop.stop()
    }
    watchdog.detachFromLoopLife()
    watchdog.schedule(after: limit)
    let value = try body(loop)
    if isTimeUp { throw LoopTimedOut() }
    return value
}

/// Calls a check every few milliseconds until it holds, then does what follows.
///
/// The loop's own limit ends a wait that never does.
func when(
    _ loop: EventLoop,
    _ holds: @escaping () -> Bool,
    then: @escaping () -> Void
) {
    var timer: UVLoop.Timer?
    timer = UVLoop.Timer(loop: loop) {
        guard holds() else {
            timer?.schedule(after: .milliseconds(2))
            return
        }
        timer?.close()
        timer = nil
        then()
    }
    timer?.schedule(after: .zero)
}

/// The error a body throws, if any.
func uvError(_ body: () throws -> Void) -> UVError? {
    do {
        try body()
        return nil
    } catch {
        return error as? UVError
    }
}

func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e9 }

/// Open descriptors of this process.
func openDescriptors() -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
}

/// Whether a process exists and has not ended.
func isRunning(_ pid: Int32) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else {
        return false
    }
    // The state follows the name, which is in brackets.
    let state = status.split(separator: ")").last?.split(separator: " ").first
    return state != "Z" && state != "X"
}

/// Whether a process is gone, or so within a few seconds: one that was killed takes a moment.
func isGoneSoon(_ pid: Int32) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while isRunning(pid), ContinuousClock.now < deadline { await Task.yield() }
    return !isRunning(pid)
}

/// The process number a child printed.
func processNumber(_ text: String) -> Int32? {
    Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
}

/// Listens on a free port and hands each connection to a closure.
func listen(
    _ loop: EventLoop,
    backlog: Int = 64,
    _ onConnection: @escaping (TCPConnection) -> Void
) throws -> TCPListener {
    try TCPListener.listen(
        loop: loop,
        host: "127.0.0.1",
        port: 0,
        backlog: backlog,
        onConnection: onConnection,
        onError: { _ in }
    )
}

/// Connects to a listener and hands the connection over; a failure stops the loop.
func connect(
    _ loop: EventLoop,
    _ listener: TCPListener,
    _ then: @escaping (TCPConnection) -> Void
) {
    TCPConnection.connect(
        loop: loop,
        host: "127.0.0.1",
        port: listener.localAddress.port,
        timeout: .seconds(20)
    ) { result in
        if case .success(let connection) = result { then(connection) } else { loop.stop() }
    }
}

extension TCPConnection {
    /// Ends our outgoing side, reading on.
    func shutDownForTest() { stream.shutDown() }

    /// Closes so that the peer gets a reset.
    func resetForTest() {
        var descriptor: Int32 = -1
        uv_fileno(stream.memory.handle, &descriptor)
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor,
            SOL_SOCKET,
            SO_LINGER,
            &option,
            socklen_t(MemoryLayout<linger>.size)
        )
        close()
    }
}
