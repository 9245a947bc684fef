// Small helpers of the loop's tests: processes, listeners, peers that break off. Not here: any test.
import CLibuv
import Foundation
import TestKit

@testable import UVLoop

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

/// Whether a process has ended, or does so within a few seconds: a killed one takes a moment.
func isGoneSoon(_ pid: Int32) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(10) * Patience.factor
    while isRunning(pid), ContinuousClock.now < deadline { await Task.yield() }
    return !isRunning(pid)
}

/// The process number a child printed.
func processNumber(_ text: String) -> Int32? {
    Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
}

/// Listens on a free port and passes each connection to a closure.
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

/// Connects to a listener and passes the connection on; a failure stops the loop.
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
    /// Ends our outgoing side, and continues to read.
    func shutDownForTest() { stream.shutDown() }

    var isOpenForTest: Bool { !stream.isClosed }

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
