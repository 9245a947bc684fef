// A model that is a program: the request goes to its standard input, the reply comes from its
// standard output. Not here: starting children (UVLoop).
//
// The input is one JSON object in one line:
//
//     {"messages":[{"role":"system","content":"…"},{"role":"user","content":"…"}],
//      "format":"text" | "json_object" | "json_schema", "schema":{…},
//      "stop":["…"], "max_tokens":1024, "temperature":0.2}
//
// `schema` is there for json_schema, the last two if they are set. All output is the reply, as it
// arrives. The exit code 0 ends it; any other is a failure, reported with the end of the standard
// error.
internal import Glibc
internal import JSON
public import PlannerCore
public import UVLoop

/// How to run a program as a model.
public struct CommandSettings: Sendable, Equatable {
    /// The program and its arguments; no shell reads them.
    public var arguments: [String]
    /// The folder it runs in, where a relative program path starts too; nil for ours.
    public var directory: String?
    /// Variables that it gets in addition to `PATH`, `HOME`, `USER` and `LANG`.
    public var passedVariables: [String]
    /// The most tokens of a reply, unless a request allows fewer.
    public var maxTokens: Int?
    /// The sampling temperature, unless a request says it.
    public var temperature: Double?
    /// The longest time of a call.
    public var timeout: Duration

    /// How long a program may take to end after SIGTERM.
    static let grace = Duration.seconds(2)

    /// Makes settings; only the arguments have no default.
    public init(
        arguments: [String],
        directory: String? = nil,
        passedVariables: [String] = [],
        maxTokens: Int? = nil,
        temperature: Double? = nil,
        timeout: Duration = .seconds(600)
    ) {
        self.arguments = arguments
        self.directory = directory
        self.passedVariables = passedVariables
        self.maxTokens = maxTokens
        self.temperature = temperature
        self.timeout = timeout
    }
}

/// A program as a language model; each call is a separate process.
public final class CommandModel: CallableModel {
    private let loop: EventLoop
    private let settings: CommandSettings
    private let environment: [(String, String)]
    private let redactor: Redactor
    private let keeper: ProcessKeeper

    /// Makes a model; the program gets only the allowed part of the environment.
    public init(loop: EventLoop, settings: CommandSettings, environment: [String: String]) {
        self.loop = loop
        self.settings = settings
        let names = ["PATH", "HOME", "USER", "LANG"] + settings.passedVariables
        self.environment = names.compactMap { name in environment[name].map { (name, $0) } }
        // A variable that is passed on by name is probably a key.
        redactor = Redactor(settings.passedVariables.compactMap { environment[$0] })
        let base = environment["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        keeper = ProcessKeeper(loop: loop, base: base ?? "/tmp")
    }

    /// Starts a call; see ``CallableModel/call(_:report:)``.
    @discardableResult
    public func call(
        _ request: ModelRequest,
        report: @escaping (ModelEvent) -> Void
    ) -> any ModelCall {
        let call = CommandCall(
            loop: loop,
            settings: settings,
            redactor: redactor,
            keeper: keeper,
            report: report
        )
        call.begin(input: request.encoded(settings), environment: environment)
        return call
    }
}

private final class CommandCall: ModelCall {
    var source: ModelSource {
        let program = settings.arguments.first?.split(separator: "/").last
        return ModelSource(provider: "command", model: program.map(String.init) ?? "command")
    }

    private let loop: EventLoop
    private let settings: CommandSettings
    private let redactor: Redactor
    private let keeper: ProcessKeeper
    private var report: ((ModelEvent) -> Void)?
    private var child: ChildProcess?
    private var timer: Timer?
    private var decoder = UTF8Decoder()
    private var textLength = 0
    private var errors: [UInt8] = []

    init(
        loop: EventLoop,
        settings: CommandSettings,
        redactor: Redactor,
        keeper: ProcessKeeper,
        report: @escaping (ModelEvent) -> Void
    ) {
        self.loop = loop
        self.settings = settings
        self.redactor = redactor
        self.keeper = keeper
        self.report = report
    }

    func begin(input: [UInt8], environment: [(String, String)]) {
        let options = ChildProcess.Options(
            arguments: settings.arguments,
            environment: environment,
            directory: settings.directory,
            standardInput: .bytes(input)
        )
        do throws(UVError) {
            child = try ChildProcess.spawn(
                loop: loop,
                options: options,
                keeper: keeper,
                onOutput: { [self] stream, bytes in outputArrived(stream, bytes) },
                onExit: { [self] status in exited(status) }
            )
        } catch {
            let failure = ModelFailure(
                code: .badConfiguration,
                message: "The model's program cannot be started: \(error)"
            )
            loop.nextTurn { [self] in tell(.failed(failure)) }
            return
        }
        timer = Timer(loop: loop) { [self] in timeIsUp() }
        timer?.schedule(after: settings.timeout)
    }

    func cancel() { stop(.cancelled) }

    private func outputArrived(_ stream: ChildProcess.Stream, _ bytes: [UInt8]) {
        guard report != nil else { return }
        if stream == .standardError {
            errors += bytes
            if errors.count > 16_384 { errors.removeFirst(errors.count - 4096) }
            return
        }
        let text = decoder.decode(bytes)
        textLength += text.utf8.count
        guard textLength <= ModelLimits.reply else {
            return stop(
                ModelFailure(
                    code: .badStream,
                    message: "The model's reply is longer than \(ModelLimits.reply) bytes."
                )
            )
        }
        if !text.isEmpty { tell(.delta(text)) }
    }

    private func exited(_ status: ChildProcess.ExitStatus) {
        child = nil
        timer?.close()
        timer = nil
        guard status.isSuccess else {
            let way = status.signal == 0 ? "with code \(status.code)" : "by signal \(status.signal)"
            // The last words are the most useful.
            let tail = String(decoding: errors.suffix(4096), as: UTF8.self)
            let words = redactor.redact(tail).lastWords
            return tell(
                .failed(
                    ModelFailure(
                        code: .serverError,
                        message:
                            "The model's program \(settings.arguments.first ?? "") ended \(way)"
                            + (words.isEmpty ? "." : ": \(words)")
                    )
                )
            )
        }
        let rest = decoder.finish()
        if !rest.isEmpty { tell(.delta(rest)) }
        tell(.ended(.end))
    }

    private func timeIsUp() {
        if report == nil {
            child?.signalGroup(SIGKILL)
        } else {
            stop(
                ModelFailure(
                    code: .timeout,
                    message: "The model's program takes longer than \(settings.timeout).",
                    isRetryable: true
                )
            )
        }
    }

    /// Reports a failure and ends the program, first with SIGTERM.
    private func stop(_ failure: ModelFailure) {
        guard report != nil else { return }
        child?.signalGroup(SIGTERM)
        timer?.schedule(after: CommandSettings.grace)
        tell(.failed(failure))
    }

    private func tell(_ event: ModelEvent) {
        guard let report else { return }
        if event.isEnd { self.report = nil }
        report(event)
    }
}

extension ModelRequest {
    func encoded(_ settings: CommandSettings) -> [UInt8] {
        var writer = JSONWriter(reserving: 4096)
        writer.beginObject()
        writer.key("messages")
        writer.beginArray()
        for message in messages {
            writer.beginObject()
            writer.field("role", message.role.rawValue)
            writer.field("content", message.text)
            writer.endObject()
        }
        writer.endArray()
        switch format {
        case .text: writer.field("format", "text")
        case .jsonObject: writer.field("format", "json_object")
        case .jsonSchema(_, let schema):
            writer.field("format", "json_schema")
            writer.field("schema", schema)
        }
        writer.key("stop")
        writer.beginArray()
        for text in stop { writer.string(text) }
        writer.endArray()
        writer.field("max_tokens", settings.maxTokens.map { tokenLimit($0) } ?? maxTokens)
        writer.field("temperature", temperature ?? settings.temperature)
        writer.endObject()
        writer.newline()
        return writer.bytes
    }
}

extension String {
    /// The end of the text in one line, shortened for a message.
    fileprivate var lastWords: String {
        let words = split { $0.isWhitespace }.joined(separator: " ")
        let kept = words.suffix(ModelLimits.quotedText)
        return kept.count < words.count ? "…" + kept : String(kept)
    }
}
