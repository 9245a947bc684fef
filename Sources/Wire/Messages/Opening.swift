// The messages of the handshake: hello, challenge, auth, welcome.
// How they are computed and checked is in Handshake/.
internal import JSON

/// Opens the handshake; the first line of every connection.
public struct Hello: Sendable, Equatable {
    /// The versions of the protocol the sender speaks.
    public var versions: [Int]
    /// What the sender wants to be.
    public var role: Role
    /// The sender's name; unique among the workers.
    public var name: String
    /// 32 random bytes.
    public var nonce: [UInt8]
    /// The name of the key that it proves to hold; nil for the key of its role.
    public var key: String?
    /// The session a worker wants back after its connection broke.
    public var resume: Resume?

    /// Makes the message of its fields.
    public init(
        versions: [Int] = ProtocolVersion.supported,
        role: Role,
        name: String,
        nonce: [UInt8],
        key: String? = nil,
        resume: Resume? = nil
    ) {
        self.versions = versions
        self.role = role
        self.name = name
        self.nonce = nonce
        self.key = key
        self.resume = resume
    }

    /// An earlier session of the same worker.
    public struct Resume: Sendable, Equatable {
        /// The session's name, from its `welcome`.
        public var session: String
        /// The coordinator's epoch in that `welcome`.
        public var epoch: Int

        /// Makes it of the two fields of a `welcome`.
        public init(session: String, epoch: Int) {
            self.session = session
            self.epoch = epoch
        }
    }
}

/// The coordinator proves that it holds the key of the role, and asks for the same proof.
public struct Challenge: Sendable, Equatable {
    /// The version spoken from here on.
    public var version: Int
    /// 32 random bytes.
    public var nonce: [UInt8]
    /// The name of the new session.
    public var session: String
    /// The coordinator's proof.
    public var mac: [UInt8]

    /// Makes the message of its fields.
    public init(
        version: Int = ProtocolVersion.current,
        nonce: [UInt8],
        session: String,
        mac: [UInt8]
    ) {
        self.version = version
        self.nonce = nonce
        self.session = session
        self.mac = mac
    }
}

/// The peer's proof.
public struct Auth: Sendable, Equatable {
    /// The proof: 32 bytes.
    public var mac: [UInt8]

    /// Makes the message of its field.
    public init(mac: [UInt8]) {
        self.mac = mac
    }
}

/// The handshake succeeded; the terms of the connection.
public struct Welcome: Sendable, Equatable {
    /// The session; the earlier one if it was resumed.
    public var session: String
    /// Counts the starts of the coordinator.
    public var epoch: Int
    /// Name and version of the coordinator's software.
    public var software: String
    /// The limits both sides keep.
    public var limits: AnnouncedLimits
    /// The pause between two pings, in milliseconds.
    public var heartbeatMilliseconds: Int
    /// The lease of an attempt, in milliseconds.
    public var leaseMilliseconds: Int

    /// Makes the message of its fields.
    public init(
        session: String,
        epoch: Int,
        software: String,
        limits: AnnouncedLimits,
        heartbeatMilliseconds: Int,
        leaseMilliseconds: Int
    ) {
        self.session = session
        self.epoch = epoch
        self.software = software
        self.limits = limits
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.leaseMilliseconds = leaseMilliseconds
    }
}

/// The limits a peer must know.
public struct AnnouncedLimits: Sendable, Equatable {
    /// Longest line in bytes, without its line end.
    public var maxLine: Int
    /// Largest value in chunks, in bytes of its JSON text.
    public var maxValue: Int
    /// Bytes of chunks of one attempt that may be under way without a grant.
    public var window: Int

    /// The longest JSON text of a value that goes into a message itself; longer ones go in chunks.
    ///
    /// Half a line, so that there is always room for the other fields.
    public var largestInline: Int { maxLine / 2 }

    /// Bytes of a text for people that goes into a line with others: a message, a reason, a note.
    ///
    /// Escaping may make six of each.
    public var textBytes: Int { max(64, maxLine / 32) }

    /// Makes the limits.
    public init(maxLine: Int, maxValue: Int, window: Int) {
        self.maxLine = maxLine
        self.maxValue = maxValue
        self.window = window
    }
}
