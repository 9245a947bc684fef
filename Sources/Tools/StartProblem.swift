// Why an invocation did not start: a failure of the call, or a worker that cannot start the tool.
public import Core
internal import Glibc
public import JSON
internal import UVLoop

/// A tool that could not be started: the invocation has surely not run.
public struct StartRefusal: Sendable {
    /// The failure of the node if no worker can start the tool; its code is `spawn_failed`.
    public var failure: Failure
    /// Whether the system temporarily lacked something: descriptors, processes or memory.
    public var isShortage: Bool
    /// The arguments of the invocation, for another start.
    public var arguments: RawJSON
}

/// Why a process could not be started.
enum StartProblem: Error {
    /// The call itself cannot be served.
    case failed(Failure)
    /// The worker cannot start the tool.
    case refused(Failure, isShortage: Bool)

    /// The report for the invocation.
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
    /// Whether descriptors, processes or memory are used up, which others may free.
    var isShortage: Bool { [EMFILE, ENFILE, EAGAIN, ENOMEM].contains(-code) }

    /// Advice in a shortage.
    static let shortageAdvice =
        "The worker has reached its limit of open files, processes or memory."
}
