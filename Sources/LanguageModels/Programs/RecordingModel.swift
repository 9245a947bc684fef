// Records the calls of any model into a file. The format is in Recording.
internal import Glibc
internal import JSON
internal import PlannerCore
public import UVLoop

/// Writes recordings; one file may contain the calls of several models.
public final class ModelRecorder {
    /// Why the file is incomplete, if it is.
    public private(set) var problem: String?
    /// Called once, with the problem, when the file cannot be written any further.
    public var onProblem: ((String) -> Void)?

    private let path: String
    private var file: Int32

    /// Makes the file, readable only by its owner; one with content is emptied only if
    /// `replacesFile`.
    public init(path: String, replacesFile: Bool = false) throws(RecordingError) {
        self.path = path
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC | (replacesFile ? O_TRUNC : 0)
        file = open(path, flags, 0o600)
        guard file >= 0 else {
            throw RecordingError(message: "The recording \(path) cannot be written.")
        }
        var status = stat()
        if fstat(file, &status) == 0, status.st_size > 0 {
            Glibc.close(file)
            file = -1
            throw RecordingError(
                message: "There is a file \(path) already. Say --force to replace it."
            )
        }
        var writer = JSONWriter()
        Recording.writeHeader(into: &writer)
        write(writer.bytes)
    }

    deinit { close() }

    /// A model that calls another one and records its calls under a label.
    public func recording(
        _ model: any CallableModel,
        as label: String?,
        on loop: EventLoop
    ) -> any CallableModel {
        RecordingModel(loop: loop, model: model, label: label, recorder: self)
    }

    /// Closes the file; calls that end later are not written.
    public func close() {
        guard file >= 0 else { return }
        let closing = file
        file = -1
        // Some systems report only now that the disk is full.
        if Glibc.close(closing) != 0 { fail() }
    }

    /// Writes a whole call, so that calls at the same time do not mix.
    func add(_ call: Recording.Call) {
        var writer = JSONWriter(reserving: 4096)
        call.encode(into: &writer)
        write(writer.bytes)
    }

    private func write(_ bytes: [UInt8]) {
        var rest = bytes
        while file >= 0, !rest.isEmpty {
            let count = Glibc.write(file, rest, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                fail()
                return close()
            }
            rest.removeFirst(count)
        }
    }

    private func fail() {
        guard problem == nil else { return }
        let reason = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
        let problem = "The recording \(path) cannot be written: \(reason)."
        self.problem = problem
        onProblem?(problem)
    }
}

private final class RecordingModel: CallableModel {
    private let loop: EventLoop
    private let model: any CallableModel
    private let label: String?
    private let recorder: ModelRecorder

    init(loop: EventLoop, model: any CallableModel, label: String?, recorder: ModelRecorder) {
        self.loop = loop
        self.model = model
        self.label = label
        self.recorder = recorder
    }

    func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall {
        let start = loop.nowNanoseconds
        var call = Recording.Call(label: label, subject: request.subject, entries: [])
        return model.call(request) { [loop, recorder] event in
            let time = Duration.nanoseconds(loop.nowNanoseconds - start)
            call.entries.append(Recording.Entry(time: time, event: event))
            if event.isEnd { recorder.add(call) }
            report(event)
        }
    }
}
