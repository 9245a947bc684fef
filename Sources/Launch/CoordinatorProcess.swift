// The coordinator that a launch starts for itself, as a process of this same program.
internal import Glibc
public import Transport
public import UVLoop

/// A coordinator that belongs to a launch.
///
/// Confined to its loop.
public final class CoordinatorProcess {
    private let loop: EventLoop
    private var child: ChildProcess?
    private var errors = LineSplitter()
    private var lastLine = ""
    private var onReady: ((Endpoint) -> Void)?
    private var onEnd: ((String) -> Void)?
    private var onStopped: (() -> Void)?
    /// Called with the lines that it writes for people.
    public var onLine: ((String) -> Void)?

    /// Starts a coordinator; `onReady` comes when it listens, `onEnd` if it ends before `stop`.
    public init(
        loop: EventLoop,
        arguments: [String],
        environment: [(String, String)],
        onReady: @escaping (Endpoint) -> Void,
        onEnd: @escaping (String) -> Void
    ) throws(UVError) {
        self.loop = loop
        self.onReady = onReady
        self.onEnd = onEnd
        child = try ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(arguments: arguments, environment: environment),
            onOutput: { [weak self] _, bytes in self?.handle(bytes) },
            onExit: { [weak self] _ in self?.ended() }
        )
    }

    /// Ends it; its workers should have gone before.
    public func stop(_ then: @escaping () -> Void) {
        onEnd = nil
        onReady = nil
        guard let child else { return loop.nextTurn(then) }
        onStopped = then
        child.signal(SIGTERM)
    }

    private func handle(_ bytes: [UInt8]) {
        for line in errors.lines(adding: bytes) {
            lastLine = line
            if let onReady, let address = Self.address(in: line) {
                self.onReady = nil
                onReady(address)
            }
            onLine?(line)
        }
    }

    /// The address in `coordinator listens on 127.0.0.1:7420, state in …`.
    private static func address(in line: String) -> Endpoint? {
        guard let start = line.firstRange(of: "coordinator listens on ")?.upperBound else {
            return nil
        }
        let text = line[start...].prefix { $0 != "," && $0 != " " }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...])
        else { return nil }
        let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
        return Endpoint(host: String(host), port: port)
    }

    private func ended() {
        child = nil
        if let line = errors.last() { lastLine = line }
        let (onEnd, onStopped) = (onEnd, onStopped)
        self.onEnd = nil
        self.onStopped = nil
        onReady = nil
        onEnd?(lastLine)
        onStopped?()
    }
}

@available(*, unavailable)
extension CoordinatorProcess: Sendable {}
