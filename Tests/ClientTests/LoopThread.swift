// Runs a loop on a thread of its own for a test, with a limit on its time: a loop belongs to one
// thread, and the threads that run tests change.
import Foundation
import UVLoop

/// The loop did not finish in time.
struct LoopTimedOut: Error {}

/// Runs a body on a new thread with a loop, closes the loop and returns the body's value.
///
/// The body runs the loop itself and whatever it starts stops it. When the limit is reached the
/// loop is stopped and the test fails, so that a hang is a failure.
func onLoop<Value: Sendable>(
    limit: Duration = .seconds(20),
    _ body: @escaping @Sendable (EventLoop) throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            continuation.resume(with: Result { try runOnThisThread(limit: limit, body) })
        }
    }
}

private func runOnThisThread<Value>(
    limit: Duration,
    _ body: (EventLoop) throws -> Value
) throws -> Value {
    let loop = try EventLoop()
    defer { loop.close() }
    var isTimeUp = false
    let watchdog = UVLoop.Timer(loop: loop) {
        isTimeUp = true
        loop.stop()
    }
    watchdog.schedule(after: limit)
    let value = try body(loop)
    if isTimeUp { throw LoopTimedOut() }
    return value
}
