// From a line to a message and back. The fields of each kind are read and written by the
// `…+Codec.swift` files under Messages/.
public import JSON

extension Message {
    /// Reads one line, which has no line end.
    ///
    /// - Throws: `bad_json` if it is no JSON object, `unknown_type` if its type is not known here,
    ///   `bad_message` naming the first field that is missing, of the wrong type or out of range;
    ///   `auth_failed` for a `hello` whose role or name can be nobody's.
    public init(decoding line: ArraySlice<UInt8>) throws(WireError) {
        let fields: JSONFields
        do {
            fields = try JSONFields(parsing: line)
        } catch {
            self = try Message(mending: line, error)
            return
        }
        let kind = try MessageKind(of: fields)
        self = try Message(kind, reading: FieldReader(fields, of: kind.rawValue))
    }

    init(_ kind: MessageKind, reading fields: FieldReader) throws(WireError) {
        switch kind {
        case .hello: self = .hello(try Hello(reading: fields))
        case .challenge: self = .challenge(try Challenge(reading: fields))
        case .auth: self = .auth(try Auth(reading: fields))
        case .welcome: self = .welcome(try Welcome(reading: fields))
        case .register: self = .register(try Register(reading: fields))
        case .registered: self = .registered(try Registered(reading: fields))
        case .offer: self = .offer(try Offer(reading: fields))
        case .dispatch: self = .dispatch(try Dispatch(reading: fields))
        case .started: self = .started(try Started(reading: fields))
        case .reject: self = .reject(try Reject(reading: fields))
        case .progress: self = .progress(try Progress(reading: fields))
        case .chunk: self = .chunk(try Chunk(reading: fields))
        case .window: self = .window(try Window(reading: fields))
        case .result: self = .result(try ResultMessage(reading: fields))
        case .ack: self = .ack(try Ack(reading: fields))
        case .cancel: self = .cancel(try Cancel(reading: fields))
        case .ping: self = .ping(try Ping(reading: fields))
        case .pong: self = .pong(try Pong(reading: fields))
        case .drain: self = .drain(try Drain(reading: fields))
        case .bye: self = .bye(try Bye(reading: fields))
        case .error: self = .error(try ErrorMessage(reading: fields))
        case .submit: self = .submit(try Submit(reading: fields))
        case .nodes: self = .nodes(try Nodes(reading: fields))
        case .accepted: self = .accepted(try Accepted(reading: fields))
        case .watch: self = .watch(try Watch(reading: fields))
        case .event: self = .event(try EventMessage(reading: fields))
        case .cancelRun: self = .cancelRun(try CancelRun(reading: fields))
        case .approve: self = .approve(try Approve(reading: fields))
        case .remember: self = .remember(try Remember(reading: fields))
        case .forget: self = .forget(try Forget(reading: fields))
        case .launch: self = .launch(try LaunchReport(reading: fields))
        case .get: self = .get(try Get(reading: fields))
        case .reply: self = .reply(try Reply(reading: fields))
        }
    }

    /// Appends the message as one line with its line end.
    public func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("type", kind.rawValue)
        switch self {
        case .hello(let body): body.write(into: &writer)
        case .challenge(let body): body.write(into: &writer)
        case .auth(let body): body.write(into: &writer)
        case .welcome(let body): body.write(into: &writer)
        case .register(let body): body.write(into: &writer)
        case .registered(let body): body.write(into: &writer)
        case .offer(let body): body.write(into: &writer)
        case .dispatch(let body): body.write(into: &writer)
        case .started(let body): body.write(into: &writer)
        case .reject(let body): body.write(into: &writer)
        case .progress(let body): body.write(into: &writer)
        case .chunk(let body): body.write(into: &writer)
        case .window(let body): body.write(into: &writer)
        case .result(let body): body.write(into: &writer)
        case .ack(let body): body.write(into: &writer)
        case .cancel(let body): body.write(into: &writer)
        case .ping(let body): body.write(into: &writer)
        case .pong(let body): body.write(into: &writer)
        case .drain(let body): body.write(into: &writer)
        case .bye(let body): body.write(into: &writer)
        case .error(let body): body.write(into: &writer)
        case .submit(let body): body.write(into: &writer)
        case .nodes(let body): body.write(into: &writer)
        case .accepted(let body): body.write(into: &writer)
        case .watch(let body): body.write(into: &writer)
        case .event(let body): body.write(into: &writer)
        case .cancelRun(let body): body.write(into: &writer)
        case .approve(let body): body.write(into: &writer)
        case .remember(let body): body.write(into: &writer)
        case .forget(let body): body.write(into: &writer)
        case .launch(let body): body.write(into: &writer)
        case .get(let body): body.write(into: &writer)
        case .reply(let body): body.write(into: &writer)
        }
        writer.endObject()
        writer.newline()
    }
}
