// MCP on standard input and output: one client, one message a line. Not here: MCP over HTTP.
internal import Console
internal import Glibc
internal import JSON
internal import MCP
internal import MCPServer
internal import UVLoop

/// Serves the client that has started this process.
///
/// Confined to its loop.
final class StandardStreams {
    private let session: Session
    private let served: ServedSession
    private var input: StandardInput?
    private let ending: ServingEnd

    /// Bytes of a message; a plan of a hundred thousand nodes fits.
    static let longestMessage = 64 << 20

    init(session: Session, calls: ClusterCalls, settings: MCPSession.Settings) {
        self.session = session
        ending = ServingEnd(session: session, calls: calls)
        served = ServedSession(loop: session.loop, cluster: calls, settings: settings)
    }

    /// Reads until the client closes its side or this process is asked to end.
    func start() {
        served.onSend = { [session] message, _ in
            session.output.write(message.bytes + [UInt8(ascii: "\n")])
        }
        if isatty(STDIN_FILENO) == 1 {
            Shell.tell("weft mcp waits for a client of MCP on standard input; see weft mcp --help")
        }
        session.output.onBroken = { [self] in end(nil) }
        session.onInterrupt = { [self] in end(CommandFailure(.interrupted)) }
        input = StandardInput(
            loop: session.loop,
            longestLine: Self.longestMessage,
            keepsLoopAlive: true,
            onLine: { [self] in receive($0) },
            onEnd: { [self] in end(nil) }
        )
    }

    private func receive(_ line: [UInt8]) {
        let isBlank = line.allSatisfy { [0x20, 0x09, 0x0D].contains($0) }
        if !isBlank, !ending.hasBegun { served.receive(line[...]) }
    }

    /// Cancels what the client waited for, and ends the command when that has ended.
    private func end(_ failure: CommandFailure?) {
        ending.begin(failure) {
            input?.close()
            served.end()
        }
    }
}
