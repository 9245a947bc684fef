// The text of a plan from a file or standard input: its beginning at once, the rest piece by piece
// while a loop runs. The content of the text does not matter here.
internal import Client
internal import Console
internal import Glibc
internal import UVLoop
internal import Wire

/// An open plan file, or standard input.
final class PlanInput {
    /// Whether everything has been read.
    private(set) var isAtEnd = false
    /// Whether reading it never waits for a writer.
    let isFile: Bool
    let descriptor: Int32

    private let path: String
    private static let pieceBytes = 1 << 20

    /// Opens a file, or uses standard input for `-`.
    init(_ path: String) throws(CommandFailure) {
        self.path = path
        descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure(.usage, "The plan \(path) cannot be read: \(Self.reason()).")
        }
        var status = stat()
        isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    deinit {
        if descriptor > STDIN_FILENO { close(descriptor) }
    }

    /// Reads until that many bytes have been read or the end is reached, however long that takes.
    func readBeginning(atMost limit: Int = .max) throws(CommandFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        while !isAtEnd, bytes.count < limit {
            guard let piece = readPiece() else { throw unreadable }
            bytes += piece
        }
        return bytes
    }

    /// Reads the next bytes and waits for them; empty at the end, nil on failure.
    func readPiece() -> [UInt8]? {
        var piece = [UInt8](repeating: 0, count: Self.pieceBytes)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            piece.removeLast(piece.count - count)
            isAtEnd = piece.isEmpty
            return piece
        }
    }

    /// Why reading failed.
    var unreadable: CommandFailure {
        let name = path == "-" ? "from standard input" : path
        return CommandFailure(.usage, "The plan \(name) cannot be read: \(Self.reason()).")
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}

/// The rest of a plan, read without blocking the loop when its writer is slow.
///
/// Confined to its loop.
final class PlanStream: PlanText {
    private let loop: EventLoop
    private let input: PlanInput
    private var poll: PollSource?
    private var then: ((Result<[UInt8], ClientError>) -> Void)?

    init(loop: EventLoop, input: PlanInput) {
        self.loop = loop
        self.input = input
    }

    deinit { poll?.close() }

    func read(then: @escaping (Result<[UInt8], ClientError>) -> Void) {
        self.then = then
        // Files are always ready, and cannot be watched.
        guard !input.isFile else { return loop.nextTurn { [weak self] in self?.hand() } }
        do {
            let poll = try poll ?? watched()
            self.poll = poll
            poll.watch(.readable)
        } catch {
            loop.nextTurn { [weak self] in self?.hand() }
        }
    }

    private func watched() throws(UVError) -> PollSource {
        try PollSource(loop: loop, descriptor: input.descriptor) { [weak self] _ in
            self?.poll?.watch([])
            self?.hand()
        }
    }

    private func hand() {
        guard let then else { return }
        guard let piece = input.readPiece() else {
            guard errno != EAGAIN else { return read(then: then) }
            self.then = nil
            let text = input.unreadable.lines.joined(separator: "; ")
            return then(.failure(ClientError(kind: .rejected, code: .badPlan, message: text)))
        }
        self.then = nil
        then(.success(piece))
    }
}
