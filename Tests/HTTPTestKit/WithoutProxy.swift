// Loops for tests of HTTP, which must not use the environment's proxy.
import Foundation
import TestKit
public import UVLoop

/// Runs a body on a new thread with a loop, with an unreachable proxy in the environment.
///
/// Therefore any request through the environment's proxy fails.
public func onLoopWithoutProxy<Value: Sendable>(
    limit: Duration = .seconds(20),
    _ body: @escaping @Sendable (EventLoop) throws -> Value
) async throws -> Value {
    setDeadProxy
    return try await onLoop(limit: limit, body)
}

/// Set once, before the first loop runs.
private let setDeadProxy: Void = {
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        setenv(name, "http://127.0.0.1:9", 1)
    }
    unsetenv("no_proxy")
}()
