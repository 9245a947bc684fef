// What the client's machine gets and gives: configuration, events, actions. Not here: what it does
// with them (MCPClientMachine).
public import JSON

extension MCPClientMachine {
    /// The settings of a client.
    public struct Configuration: Sendable {
        /// The version of this software, for the server.
        public var softwareVersion: String
        /// Whether messages go by HTTP, where each request has a response of its own.
        public var usesHTTP: Bool
        /// How long the server may take to say what it is and to list its tools.
        public var startTimeout: Duration
        /// How long a server that was asked for its era may say nothing before the other era is
        /// tried too.
        public var probePatience: Duration = .seconds(3)
        /// How long a server may take to answer that it is there, after a call was cancelled.
        public var aliveTimeout: Duration = .seconds(5)
        /// The most tools that are taken from the server.
        public var maxTools: Int

        /// Makes a configuration of its parts.
        public init(
            softwareVersion: String,
            usesHTTP: Bool,
            startTimeout: Duration = .seconds(30),
            maxTools: Int = 10_000
        ) {
            self.softwareVersion = softwareVersion
            self.usesHTTP = usesHTTP
            self.startTimeout = startTimeout
            self.maxTools = maxTools
        }
    }

    /// What happens to a client.
    public enum Event: Sendable {
        /// Messages can be sent; the first event.
        case opened
        /// The server sent a message.
        case received(JSONRPCMessage)
        /// There will be no response to a request; only by HTTP.
        case responseLost(request: Int, LostResponse)
        /// A tool is to be called; only after `becameReady`. The number is the caller's.
        case callRequested(Call)
        /// A call is no longer wanted; `finished` still comes, at the latest after that time.
        case cancelRequested(call: Int, grace: Duration)
        /// The time of `nextDeadline` has come.
        case deadlineReached
    }

    /// Why a request by HTTP gets no response.
    public struct LostResponse: Sendable, Equatable {
        /// Why, in a sentence for a person.
        public var reason: String
        /// Whether the server may have got the request.
        public var mayHaveArrived: Bool
        /// Whether the server no longer knows the session, so that a new one is needed.
        public var isSessionGone: Bool

        /// Makes the reason of its parts.
        public init(reason: String, mayHaveArrived: Bool, isSessionGone: Bool = false) {
            self.reason = reason
            self.mayHaveArrived = mayHaveArrived
            self.isSessionGone = isSessionGone
        }
    }

    /// One call of a tool.
    public struct Call: Sendable {
        /// The caller's number, different from those of all other calls under way.
        public var number: Int
        /// The name that the server has for the tool.
        public var tool: String
        /// The arguments, an object.
        public var arguments: RawJSON
        /// The W3C trace context of the caller.
        public var traceParent: String?

        /// Makes a call of its parts.
        public init(number: Int, tool: String, arguments: RawJSON, traceParent: String? = nil) {
            self.number = number
            self.tool = tool
            self.arguments = arguments
            self.traceParent = traceParent
        }
    }

    /// What is to be done.
    public enum Action: Sendable {
        /// Send a message. By HTTP it is a request of its own.
        case send(Outgoing)
        /// Open the stream beside the responses, by which a server of the legacy era tells of changes.
        case openStream(headers: [(String, String)])
        /// The response to a request is not wanted any more: by HTTP, break it off.
        case abandon(request: Int)
        /// The server can be used; its tools follow.
        case becameReady(ServerFacts)
        /// The tools of the server, in its order; comes again when they have changed.
        case listed([MCPTool])
        /// A call makes progress: a fraction from 0 to 1 if it is known, and what it is doing.
        case progressed(call: Int, Double?, String?)
        /// A call has ended.
        case finished(call: Int, CallOutcome)
        /// The server has forgotten the session: no further calls; `failed` comes after the last one.
        case sessionGone
        /// The server cannot be used any more, for this reason: end the connection.
        case failed(String)
    }

    /// A message to the server.
    public struct Outgoing: Sendable {
        /// The message.
        public var message: JSONRPCMessage
        /// The id of a request; nil for notifications and responses.
        public var request: Int?
        /// Header lines for HTTP, without those of the session.
        public var headers: [(String, String)] = []
        /// Whether its response is a stream that stays open.
        public var isLasting = false
    }

    /// What is known of a server that answers.
    public struct ServerFacts: Sendable, Equatable {
        /// The era of its protocol.
        public var era: MCPEra
        /// The version of its protocol.
        public var version: String
        /// Its name and version, as it says.
        public var software: String?
    }

    /// How a call ended.
    public enum CallOutcome: Sendable, Equatable {
        /// The server answered.
        case answered(MCPCallResult)
        /// The server refused, or failed before it had run the tool.
        case refused(JSONRPCError)
        /// The server does not know the tool, so that nothing has run.
        case unknownTool
        /// The task of the call has ended or is unknown, and it has no result.
        case taskEnded(String)
        /// The response did not arrive.
        case lost(LostResponse)
        /// The call was cancelled.
        case cancelled
    }
}
