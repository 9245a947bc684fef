// The identities of a coordinator and their keys, in its state folder: the key files of the roles,
// whose identities were the first ones, and keys.json with the others, with former keys and with
// what clients may do. The written form is in KeyStore+File.swift.
public import Wire

/// Who may connect to a coordinator, as it is kept in its state folder.
///
/// A value: what is changed counts when it is saved. A running coordinator notices.
public struct KeyStore: Sendable, Equatable {
    /// An identity with its keys.
    public struct Holder: Sendable, Equatable {
        /// Who it is, and what it may do.
        public var identity: Identity
        /// The newest key; nil for a role whose keys were revoked.
        public var current: HandshakeKey?
        /// Former keys that are still accepted.
        public var former: [FormerKey]
        /// When the newest key was made, in milliseconds of Unix time; nil if that is not known.
        public var madeAt: Int?
        /// Whether the keys of a role were revoked, so that no new one is made by itself.
        public var isRevoked = false

        /// Whether it is the identity of a role, whose newest key is in a file of its own.
        public var isFirst: Bool { identity.name == identity.role.rawValue }

        /// The name of the newest key.
        public var keyName: String? { current.map { $0.name ?? identity.name } }
    }

    /// A key that was replaced.
    public struct FormerKey: Sendable, Equatable {
        /// The key, with its name.
        public var key: HandshakeKey
        /// When it stops being accepted, in milliseconds of Unix time.
        public var validUntil: Int
    }

    /// The identities: those of the roles first, the others in the order in which they came.
    public internal(set) var holders: [Holder]
    /// Whether the file of identities was there.
    let hasFile: Bool

    /// The holder of that name.
    public subscript(name: String) -> Holder? { holders.first { $0.identity.name == name } }

    /// All keys that are to be accepted.
    public var keyring: Keyring {
        var keyring = Keyring()
        for holder in holders {
            for former in holder.former {
                keyring.add(former.key, of: holder.identity, until: former.validUntil)
            }
            if let key = holder.current { keyring.add(key, of: holder.identity) }
        }
        return keyring
    }

    // MARK: - Changes

    /// Adds an identity with a new key.
    ///
    /// - Throws: If the name is taken, breaks its rule, or belongs to a role.
    @discardableResult
    public mutating func add(_ identity: Identity, at time: Int) throws(KeyStoreError) -> Holder {
        guard PeerName.isValid(identity.name) else { throw .badName(identity.name) }
        let role = Role(rawValue: identity.name)
        guard role == nil || role == identity.role else {
            throw .roleName(identity.name, identity.role)
        }
        let holder = Holder(
            identity: identity,
            current: HandshakeKey(.fresh(), named: identity.name),
            former: [],
            madeAt: time
        )
        if let index = holders.firstIndex(where: { $0.identity.name == identity.name }) {
            // The name of a role is always there; it may have no key.
            guard holders[index].isRevoked else { throw .taken(identity.name) }
            holders[index] = holder
        } else {
            holders.append(holder)
        }
        return holder
    }

    /// Gives an identity a new key; the one that it had is accepted for a while.
    ///
    /// - Parameters:
    ///   - name: The identity.
    ///   - grace: How long the former key is accepted, in milliseconds.
    ///   - time: Now, in milliseconds of Unix time.
    /// - Returns: The identity with its new key.
    /// - Throws: If there is no such identity, or it has no key.
    @discardableResult
    public mutating func rotate(
        _ name: String,
        grace: Int,
        at time: Int
    ) throws(KeyStoreError) -> Holder {
        let index = try index(of: name)
        guard let former = holders[index].current else {
            throw holders[index].isRevoked ? .revoked(name) : .noKey(name)
        }
        let formerName = former.name ?? name
        let number = KeyName.parse(formerName)?.number ?? 1
        if grace > 0 {
            let key = HandshakeKey(former, named: formerName)
            holders[index].former.append(FormerKey(key: key, validUntil: time + grace))
        }
        let newName = KeyName.make(name, number: number + 1)
        holders[index].current = HandshakeKey(.fresh(), named: newName)
        holders[index].madeAt = time
        return holders[index]
    }

    /// Sets what the runs of a client are bound to, in place of what there was.
    public mutating func bind(
        _ name: String,
        toTools tools: [String]?,
        maxRunning: Int?
    ) throws(KeyStoreError) {
        let index = try index(of: name)
        guard holders[index].identity.role == .client else { throw .noRuns(name) }
        holders[index].identity.allowedTools = tools
        holders[index].identity.maxRunning = maxRunning
    }

    /// Takes all keys of an identity away.
    public mutating func revoke(_ name: String) throws(KeyStoreError) {
        let index = try index(of: name)
        guard holders[index].isFirst else {
            holders.remove(at: index)
            return
        }
        guard !holders[index].isRevoked else { throw .revoked(name) }
        holders[index].current = nil
        holders[index].former = []
        holders[index].madeAt = nil
        holders[index].isRevoked = true
    }

    /// Forgets former keys whose time has ended.
    mutating func prune(at time: Int) {
        for index in holders.indices {
            holders[index].former.removeAll { $0.validUntil <= time }
        }
    }

    private func index(of name: String) throws(KeyStoreError) -> Int {
        guard let index = holders.firstIndex(where: { $0.identity.name == name }) else {
            throw .unknown(name, known: holders.map(\.identity.name))
        }
        return index
    }
}

/// Why an identity cannot be changed.
public enum KeyStoreError: Error, Sendable, Equatable {
    /// The name breaks its rule.
    case badName(String)
    /// The name is that of another role.
    case roleName(String, Role)
    /// There is such an identity.
    case taken(String)
    /// There is no such identity; these there are.
    case unknown(String, known: [String])
    /// The identity of a role has no key any more.
    case revoked(String)
    /// The identity of a role has no key yet.
    case noKey(String)
    /// The identity submits no runs.
    case noRuns(String)
}
