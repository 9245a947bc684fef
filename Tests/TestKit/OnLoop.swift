// Runs a loop on a thread of its own for a test, with a limit on its time: a loop belongs to one
// thread, and the threads that run tests change. Not here: any test.
import Foundation
public import UVLoop

/// The loop did not finish in time.
public struct LoopTimedOut: Error {
    /// The error; it has no details.
    public init() {}
}

/// Runs a body on a new thread with a loop, closes the loop and returns the body's value.
///
/// The body runs the loop itself, as often as it likes. When the limit is reached the loop is
/// stopped and the test fails, so that a hang is a failure.
public func onLoop<Value: Sendable>(
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
public func runOnThisThread<Value>(
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
    watchdog.schedule(after: limit * Patience.factor)
    let value = try body(loop)
    if isTimeUp { throw LoopTimedOut() }
    return value
}

/// Calls a check every few milliseconds until it holds, then calls the closure.
///
/// The loop's own limit ends a wait that never does.
public func when(
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
