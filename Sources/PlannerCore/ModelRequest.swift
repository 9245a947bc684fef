// A request to a language model: messages, the form of the reply and its limits. Not here: sending
// it, and how providers represent it.

public import JSON

/// One message of a conversation with a language model.
public struct ModelMessage: Sendable, Hashable {
    /// The author of a message.
    public enum Role: String, Sendable, CaseIterable {
        /// The rules of the conversation.
        case system
        /// The user.
        case user
        /// The model.
        case assistant
    }

    /// The author.
    public var role: Role
    /// The text.
    public var text: String

    /// A message of that role.
    public init(role: Role, text: String) {
        self.role = role
        self.text = text
    }

    /// A message with the rules of the conversation.
    public static func system(_ text: String) -> ModelMessage {
        ModelMessage(role: .system, text: text)
    }

    /// A message of the user.
    public static func user(_ text: String) -> ModelMessage {
        ModelMessage(role: .user, text: text)
    }

    /// A message of the model.
    public static func assistant(_ text: String) -> ModelMessage {
        ModelMessage(role: .assistant, text: text)
    }
}

/// The form a model's reply must have.
public enum ResponseFormat: Sendable, Hashable {
    /// Any text.
    case text
    /// One JSON object of any shape.
    case jsonObject
    /// One JSON object that fits the schema, in the strict subset that providers enforce.
    ///
    /// The name is 1–64 of `[A-Za-z0-9_-]`.
    case jsonSchema(name: String, schema: RawJSON)
}

/// What a call is for: it tells a recording of it from others.
public struct ModelSubject: Sendable, Hashable {
    /// The goal that is planned; empty for a plan that is only joined.
    public var goal: String
    /// The names of the tools that a plan may call.
    public var tools: [String]

    /// A subject with this goal and these tools.
    public init(goal: String, tools: [String]) {
        self.goal = goal
        self.tools = tools
    }
}

/// One call of a language model.
public struct ModelRequest: Sendable, Hashable {
    /// The conversation so far, system messages first.
    public var messages: [ModelMessage]
    /// What the call is for; nil if that is not known.
    public var subject: ModelSubject?
    /// The form the reply must have.
    public var format: ResponseFormat
    /// The grammar of the reply in GBNF, for servers that bind a reply to one; others ignore it.
    public var grammar: String?
    /// Whether an earlier reply could not be used: a grammar then helps where it otherwise would not.
    public var isRepair: Bool
    /// Texts at which the model stops; they are not part of the reply.
    public var stop: [String]
    /// The most tokens of the reply; the model's configuration may allow fewer.
    public var maxTokens: Int?
    /// The sampling temperature, 0 or more; nil leaves it to the model's configuration.
    public var temperature: Double?

    /// A request with these messages.
    public init(
        messages: [ModelMessage],
        subject: ModelSubject? = nil,
        format: ResponseFormat = .text,
        grammar: String? = nil,
        isRepair: Bool = false,
        stop: [String] = [],
        maxTokens: Int? = nil,
        temperature: Double? = nil
    ) {
        self.messages = messages
        self.subject = subject
        self.format = format
        self.grammar = grammar
        self.isRepair = isRepair
        self.stop = stop
        self.maxTokens = maxTokens
        self.temperature = temperature
    }
}
