// Who may connect: identities, the keys that prove them, and what they may do. Not here: the proof
// (Handshake.swift), where keys are kept (KeyStore in Transport).

/// A person, a program, or a group of workers that may connect to a coordinator.
public struct Identity: Sendable, Equatable {
    /// Its name, which keeps the rule of `PeerName`.
    public var name: String
    /// What it connects as.
    public var role: Role
    /// The tools that its runs may use; nil allows all.
    public var allowedTools: [String]?
    /// How many nodes of all its runs together may run at a time; nil for no bound.
    public var maxRunning: Int?

    /// Describes an identity.
    public init(
        name: String,
        role: Role,
        allowedTools: [String]? = nil,
        maxRunning: Int? = nil
    ) {
        self.name = name
        self.role = role
        self.allowedTools = allowedTools
        self.maxRunning = maxRunning
    }

    /// The identity of a role's own key, made at the first start of a coordinator.
    public init(first role: Role) {
        self.init(name: role.rawValue, role: role)
    }
}

/// The name of a key: that of its identity, and from the second key of an identity on a number
/// after a tilde, as in `alice~2`.
public enum KeyName {
    /// The rule in words, for messages.
    public static let rule =
        "the name of an identity (\(PeerName.rule)), alone or with ~ and a "
        + "number, such as alice~2"

    /// The name of the key of that number, counted from 1.
    public static func make(_ identity: String, number: Int) -> String {
        number == 1 ? identity : "\(identity)~\(number)"
    }

    /// The identity and the number that a name says; nil if it breaks the rule.
    public static func parse(_ text: String) -> (identity: String, number: Int)? {
        let parts = text.split(separator: "~", omittingEmptySubsequences: false)
        guard let identity = parts.first.map(String.init), PeerName.isValid(identity) else {
            return nil
        }
        if parts.count == 1 { return (identity, 1) }
        guard parts.count == 2, let number = Int(parts[1]), number >= 2,
            make(identity, number: number) == text
        else { return nil }
        return (identity, number)
    }

    /// Whether the text may be the name of a key.
    public static func isValid(_ text: String) -> Bool { parse(text) != nil }
}

/// The keys that a coordinator accepts, by their names.
public struct Keyring: Sendable, Equatable {
    /// A key, and what it gives.
    public struct Entry: Sendable, Equatable {
        /// The key; its name is set.
        public let key: HandshakeKey
        /// Who proves to be who with it.
        public let identity: Identity
        /// When it stops being accepted, in milliseconds of Unix time; nil for never.
        public let validUntil: Int?

        /// Whether it is accepted at a time, in milliseconds of Unix time.
        public func isValid(at time: Int) -> Bool { validUntil.map { time < $0 } ?? true }
    }

    private var entries: [String: Entry] = [:]

    /// No keys.
    public init() {}

    /// The keys of the roles, each of which is an identity of its own.
    public init(_ keys: [Role: HandshakeKey]) {
        for (role, key) in keys { add(key, of: Identity(first: role)) }
    }

    /// Adds a key; one without a name gets that of the identity's first key.
    ///
    /// A key of the same name is replaced.
    public mutating func add(_ key: HandshakeKey, of identity: Identity, until: Int? = nil) {
        let name = key.name ?? identity.name
        entries[name] = Entry(
            key: HandshakeKey(key, named: name),
            identity: identity,
            validUntil: until
        )
    }

    /// The key of a name that is accepted at a time, in milliseconds of Unix time.
    public func entry(named name: String, at time: Int) -> Entry? {
        entries[name].flatMap { $0.isValid(at: time) ? $0 : nil }
    }

    /// What a named key gives at a time, in milliseconds of Unix time; nil if the key of that name
    /// is another one now, or is not accepted any more.
    public func entry(of key: HandshakeKey, at time: Int) -> Entry? {
        key.name.flatMap { entry(named: $0, at: time) }.flatMap { $0.key == key ? $0 : nil }
    }

    /// The keys that are accepted at a time, sorted by name.
    public func entries(at time: Int) -> [Entry] {
        entries.sorted { $0.key < $1.key }.map(\.value).filter { $0.isValid(at: time) }
    }

    /// Whether an identity has a key that is accepted at a time, in milliseconds of Unix time.
    public func hasKey(of identity: String, at time: Int) -> Bool {
        entries.values.contains { $0.identity.name == identity && $0.isValid(at: time) }
    }

    /// The identity of that name, if it has any key.
    public func identity(named name: String) -> Identity? {
        entries.values.first { $0.identity.name == name }?.identity
    }

    /// When the next key stops being accepted after a time, in milliseconds of Unix time.
    public func nextEnd(after time: Int) -> Int? {
        entries.values.compactMap(\.validUntil).filter { $0 > time }.min()
    }
}
