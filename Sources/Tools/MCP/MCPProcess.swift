// A process that speaks MCP on its standard input and output, one message a line. Not here: when it
// is started and ended (MCPLink).
internal import Core
internal import Glibc
internal import MCP
internal import UVLoop
internal import Wire

/// The connection to a process of a server.
final class MCPProcess: MCPTransport {
    private let loop: EventLoop
    private let folder: WorkingFolder
    private let report: (MCPTransportEvent) -> Void
    private let program: String
    private var child: ChildProcess?
    private var reader: LineReader
    private var killing: GroupKilling?
    /// Why it is ended by us.
    private var reason: String?
    private var errors = OutputTail()

    var maximumMessage: Int {
        didSet { reader.maximumLine = max(maximumMessage, Self.leastLine) }
    }

    /// Lists of tools may be long.
    private static let leastLine = 8 << 20

    /// Starts a process; its folder is made for it and removed after it.
    init(
        loop: EventLoop,
        keeper: ProcessKeeper,
        program: String,
        folder: WorkingFolder,
        options: ChildProcess.Options,
        report: @escaping (MCPTransportEvent) -> Void
    ) throws(UVError) {
        self.loop = loop
        self.folder = folder
        self.program = program
        self.report = report
        maximumMessage = Self.leastLine
        reader = LineReader(maximumLine: Self.leastLine)
        child = try ChildProcess.spawn(loop: loop, options: options, keeper: keeper) {
            self.received($1, from: $0)
        } onExit: {
            self.exited($0)
        }
    }

    func send(_ outgoing: MCPClientMachine.Outgoing) {
        child?.writeInput(outgoing.message.bytes + [UInt8(ascii: "\n")])
    }

    /// A process says everything on its one output.
    func openStream(headers: [(String, String)]) {}

    /// Whether a response is wanted is known to the machine alone.
    func abandon(request: Int) {}

    /// Closes its input, as the specification asks; then come SIGTERM and SIGKILL.
    func end(grace: Duration) {
        if reason == nil { reason = "it was ended" }
        guard let child else { return }
        child.closeInput()
        let killing = killing ?? GroupKilling(loop: loop, child: child)
        self.killing = killing
        if grace > .zero {
            killing.killUnlessEnded(within: grace)
        } else {
            killing.kill(grace: .zero)
        }
    }

    private func received(_ bytes: [UInt8], from stream: ChildProcess.Stream) {
        switch stream {
        case .standardError:
            errors.append(bytes)
            report(.wrote(bytes))
        case .standardOutput:
            guard reason == nil else { return }
            reader.feed(bytes)
            readLines()
        }
    }

    private func readLines() {
        while reason == nil {
            let line: ArraySlice<UInt8>?
            do {
                line = try reader.next()
            } catch {
                reason = "it printed a line of more than \(reader.maximumLine) bytes"
                return end(grace: .zero)
            }
            guard let line else { return }
            do throws(JSONRPCError) {
                let message = try JSONRPCMessage(parsing: line)
                // What it wrote before the message belongs to what the message ends.
                child?.readErrorsNow()
                report(.received(message))
            } catch {
                // Many servers print a greeting.
                report(.misread(String(decoding: line.prefix(200), as: UTF8.self)))
            }
        }
    }

    private func exited(_ status: ChildProcess.ExitStatus) {
        killing?.end()
        killing = nil
        child = nil
        folder.remove(loop)
        var words = reason ?? "\(program) \(status.words)"
        if reason == nil, let line = errors.lastLine { words += ": \(line)" }
        report(.ended(words))
    }
}
