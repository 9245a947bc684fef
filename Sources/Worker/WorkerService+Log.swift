// The notices of the worker's machine, as lines of the log.

internal import Core
internal import Logging
internal import Plans
internal import Tools
internal import Wire
internal import WorkerCore

extension WorkerMachine.Notice {
    /// Writes the notice to the log, at a level by its importance to people.
    func log(to logger: Logger, ownSoftware: String?) {
        switch self {
        case .registered(let session, let epoch, let software, let isResumed):
            logger.info(
                isResumed ? "session resumed" : "registered",
                metadata: [
                    "session": "\(session)", "epoch": "\(epoch)", "coordinator": "\(software)",
                ]
            )
            Self.logOtherVersion(software, here: ownSoftware, to: logger)
        case .toolRefused(let tool):
            logger.warning(
                "the coordinator refuses a tool",
                metadata: ["tool": "\(tool.name)", "why": "\(tool.reason)"]
            )
        case .connectFailed(let reason, let pause):
            logger.info(
                "no coordinator; trying again",
                metadata: ["reason": "\(reason)", "in": "\(pause)"]
            )
        case .connectionLost(let reason, let pause):
            logger.warning(
                "connection lost; connecting again",
                metadata: ["reason": "\(reason)", "in": "\(pause)"]
            )
        case .complained(let error):
            logger.warning(
                "the coordinator complained",
                metadata: ["code": "\(error.code)", "message": "\(error.message)"]
            )
        case .violated(let error):
            logger.error("the coordinator broke the protocol", metadata: ["error": "\(error)"])
        case .rejected(let attempt, let code):
            logger.info(
                "attempt not begun",
                metadata: attempt.fields(and: ["why": "\(code.rawValue)"])
            )
        case .abandoned(let attempt):
            logger.warning(
                "attempt abandoned: the coordinator has given it up",
                metadata: attempt.fields
            )
        case .timedOut(let attempt):
            logger.warning("attempt timed out", metadata: attempt.fields)
        case .withheld(let tool):
            logger.warning(
                "tool not offered for now",
                metadata: ["tool": "\(tool.name)", "why": "\(tool.reason)"]
            )
        case .offeredAgain(let tool):
            logger.info("tool offered again", metadata: ["tool": "\(tool)"])
        case .stalled(let tool, let reason):
            logger.warning(
                "tool cannot be started for now; its attempts wait",
                metadata: ["tool": "\(tool)", "why": "\(reason)"]
            )
        case .outputDropped(let attempt, let bytes):
            logger.debug(
                "streamed output dropped",
                metadata: attempt.fields(and: ["bytes": "\(bytes)"])
            )
        case .lost(let attempt):
            logger.warning("an outcome was not delivered", metadata: attempt.fields)
        case .draining(let reason):
            logger.info("draining", metadata: ["reason": "\(reason)"])
        }
    }

    private static func logOtherVersion(_ software: String, here own: String?, to logger: Logger) {
        guard let own, own != software else { return }
        logger.notice(
            "the coordinator has another version; both speak the same protocol",
            metadata: ["coordinator": "\(software)", "here": "\(own)"]
        )
    }
}

extension NamedAttempt {
    /// What a line about the attempt names.
    fileprivate var fields: Logger.Metadata {
        ["attempt": "\(id)", "run": "\(id.run)", "node": "\(node)"]
    }

    fileprivate func fields(and more: Logger.Metadata) -> Logger.Metadata {
        fields.merging(more) { $1 }
    }
}

extension ToolNotice {
    /// Writes the notice to the log, at a level by its importance to people.
    func log(to logger: Logger) {
        switch self {
        case .serverReady(let server, let software, let version):
            logger.info(
                "MCP server ready",
                metadata: ["server": "\(server)", "software": "\(software)", "MCP": "\(version)"]
            )
        case .serverFailed(let server, let reason, let pause):
            logger.warning(
                "MCP server failed; starting it again",
                metadata: ["server": "\(server)", "reason": "\(reason)", "in": "\(pause)"]
            )
        case .serverWrote(let server, let line):
            logger.info("\(line)", metadata: ["server": "\(server)"])
        case .serverMisspoke(let server, let text):
            logger.warning(
                "an MCP server prints text that is no message; ignored, and not said again",
                metadata: ["server": "\(server)", "text": "\(text)"]
            )
        case .toolUnusable(let server, let tool, let reason):
            logger.warning(
                "a tool of an MCP server is not offered",
                metadata: ["server": "\(server)", "tool": "\(tool)", "why": "\(reason)"]
            )
        }
    }
}
