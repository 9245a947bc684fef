// Why an invocation did not begin: a failure of the call, or a worker that cannot start the tool.
public import Core
internal import Glibc
public import JSON
internal import UVLoop

/// A tool that could not be started: the invocation has surely not run.
public struct StartRefusal: Sendable {
    /// What the node fails with if nobody can start it; its code is `spawn_failed`.
    public var failure: Failure
    /// Whether the system lacked something that comes back: descriptors, processes or memory.
    public var isShortage: Bool
    /// The arguments of the invocation, which may be started again.
    public var arguments: RawJSON
}

/// What keeps a process from being started.
enum StartProblem: Error {
    /// The call itself cannot be served.
    case failed(Failure)
    /// The worker cannot start the tool.
    case refused(Failure, isShortage: Bool)

    /// What is reported of the invocation.
    func report(_ arguments: RawJSON) -> ToolReport {
        switch self {
        case .failed(let failure): .failed(failure)
        case .refused(let failure, let isShortage):
            .notStarted(
                StartRefusal(failure: failure, isShortage: isShortage, arguments: arguments)
            )
        }
    }
}

extension UVError {
    /// Whether descriptors, processes or memory are used up, which others give back.
    var isShortage: Bool { [EMFILE, ENFILE, EAGAIN, ENOMEM].contains(-code) }

    /// What a person can do about a shortage.
    static let shortageAdvice =
        "The worker has as many files or processes open, or uses as much memory, as it may."
}
