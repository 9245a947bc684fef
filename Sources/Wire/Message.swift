// One line of the protocol as a value. The fields of each kind are under Messages/, next to how
// they are written and read.

/// A message of the protocol.
public enum Message: Sendable, Equatable {
    /// Opens the handshake.
    case hello(Hello)
    /// The coordinator proves itself and asks for the same.
    case challenge(Challenge)
    /// The peer proves itself.
    case auth(Auth)
    /// The handshake succeeded.
    case welcome(Welcome)
    /// A worker offers its slots and tools.
    case register(Register)
    /// The worker is taken on.
    case registered(Registered)
    /// A worker offers other tools or slots than before.
    case offer(Offer)
    /// Start an attempt.
    case dispatch(Dispatch)
    /// The attempt runs.
    case started(Started)
    /// The attempt was not begun and will not be.
    case reject(Reject)
    /// A report that an attempt goes on.
    case progress(Progress)
    /// A piece of a stream or of a large value.
    case chunk(Chunk)
    /// Room for more chunks.
    case window(Window)
    /// The outcome of an attempt.
    case result(ResultMessage)
    /// Results are taken over.
    case ack(Ack)
    /// Stop an attempt.
    case cancel(Cancel)
    /// Asks whether the peer answers.
    case ping(Ping)
    /// The answer to a ping.
    case pong(Pong)
    /// No new attempts.
    case drain(Drain)
    /// The sender closes the connection.
    case bye(Bye)
    /// Something is wrong.
    case error(ErrorMessage)
    /// Run a plan.
    case submit(Submit)
    /// More nodes of a streamed plan.
    case nodes(Nodes)
    /// The run is taken on.
    case accepted(Accepted)
    /// Send the events of a run.
    case watch(Watch)
    /// Something happened in a run.
    case event(EventMessage)
    /// Stop a run.
    case cancelRun(CancelRun)
    /// See ``Approve``.
    case approve(Approve)
    /// Keep a plan that reached its goal.
    case remember(Remember)
    /// Do not keep a plan any more.
    case forget(Forget)
    /// The state of a launch.
    case launch(LaunchReport)
    /// A question.
    case get(Get)
    /// The answer to a question.
    case reply(Reply)

    /// Its type.
    public var kind: MessageKind {
        switch self {
        case .hello: .hello
        case .challenge: .challenge
        case .auth: .auth
        case .welcome: .welcome
        case .register: .register
        case .registered: .registered
        case .offer: .offer
        case .dispatch: .dispatch
        case .started: .started
        case .reject: .reject
        case .progress: .progress
        case .chunk: .chunk
        case .window: .window
        case .result: .result
        case .ack: .ack
        case .cancel: .cancel
        case .ping: .ping
        case .pong: .pong
        case .drain: .drain
        case .bye: .bye
        case .error: .error
        case .submit: .submit
        case .nodes: .nodes
        case .accepted: .accepted
        case .watch: .watch
        case .event: .event
        case .cancelRun: .cancelRun
        case .approve: .approve
        case .remember: .remember
        case .forget: .forget
        case .launch: .launch
        case .get: .get
        case .reply: .reply
        }
    }
}
