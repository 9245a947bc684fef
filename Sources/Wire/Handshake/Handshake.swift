// How both sides prove that they hold the key of a role without sending it. The messages are in
// Messages/Opening.swift; clocks and random bytes stay with the caller.

/// A secret of 32 bytes that proves an identity.
public struct HandshakeKey: Sendable, Equatable, CustomStringConvertible {
    /// The secret.
    public let bytes: [UInt8]
    /// The name under which the coordinator knows it; nil for the first key of a role.
    public let name: String?

    /// Makes a key of 32 bytes; nil for any other number.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Limits.nonceBytes else { return nil }
        self.bytes = bytes
        name = nil
    }

    /// Makes a key of 64 hex digits; nil for anything else.
    public init?(hex: String) {
        guard let bytes = Hex.decode(hex.utf8) else { return nil }
        self.init(bytes)
    }

    /// The same secret under a name, which keeps the rule of `KeyName`.
    public init(_ key: HandshakeKey, named name: String) {
        precondition(KeyName.isValid(name), "the name of a key is \(KeyName.rule)")
        bytes = key.bytes
        self.name = name
    }

    /// The name that the coordinator looks for when a peer of a role has the key.
    public func name(for role: Role) -> String { name ?? role.rawValue }

    /// The secret as 64 hex digits.
    public var hex: String { Hex.encode(bytes) }

    /// Says that it is a key, never which: keys must not get into logs.
    public var description: String { "HandshakeKey(secret)" }

    /// Compares the secrets in a time that does not depend on them, and the names.
    public static func == (left: HandshakeKey, right: HandshakeKey) -> Bool {
        constantTimeEqual(left.bytes, right.bytes) && left.name == right.name
    }
}

/// What both sides of the handshake compute.
public enum Handshake {
    /// Who proves itself; keeps a proof from being sent back as the answer to itself.
    public enum Side: String, Sendable {
        /// The coordinator.
        case coordinator
        /// The worker, client or viewer.
        case peer
    }

    /// The proof of one side: HMAC-SHA-256 over the label of the version, the side, and everything
    /// both sides have said, each part preceded by its length.
    public static func mac(
        key: HandshakeKey,
        side: Side,
        role: Role,
        clientNonce: [UInt8],
        coordinatorNonce: [UInt8],
        name: String,
        session: String
    ) -> [UInt8] {
        var input: [UInt8] = []
        let parts: [[UInt8]] = [
            Array("weft1".utf8), Array(side.rawValue.utf8), Array(role.rawValue.utf8),
            clientNonce, coordinatorNonce, Array(name.utf8), Array(session.utf8),
        ]
        for part in parts {
            let length = UInt32(part.count)
            for shift in [24, 16, 8, 0] as [UInt32] {
                input.append(UInt8(truncatingIfNeeded: length >> shift))
            }
            input.append(contentsOf: part)
        }
        return HMAC.sha256(key: key.bytes, of: input)
    }
}

/// The handshake on the side of a worker, client or viewer.
///
/// Send `hello()`, answer the challenge with `answer(to:)`, then wait for `welcome`.
public struct HandshakeInitiator: Sendable {
    private let role: Role
    private let name: String
    private let key: HandshakeKey
    private let nonce: [UInt8]
    private let resume: Hello.Resume?
    private var hasAnswered = false

    /// Prepares a handshake.
    ///
    /// The name keeps the rule of `PeerName`; the nonce has 32 bytes, never used before.
    public init(
        role: Role,
        name: String,
        key: HandshakeKey,
        nonce: [UInt8],
        resume: Hello.Resume? = nil
    ) {
        precondition(PeerName.isValid(name), "the name of a peer has \(PeerName.rule)")
        precondition(nonce.count == Limits.nonceBytes, "a nonce has 32 bytes")
        self.role = role
        self.name = name
        self.key = key
        self.nonce = nonce
        self.resume = resume
    }

    /// The first message.
    public func hello() -> Hello {
        Hello(role: role, name: name, nonce: nonce, key: key.name, resume: resume)
    }

    /// Checks the coordinator's proof and makes the own one.
    ///
    /// - Throws: `auth_failed` if the coordinator does not hold the key of the role,
    ///   `unsupported_version` if it chose a version that was not offered, `not_ready` for a second
    ///   challenge.
    public mutating func answer(to challenge: Challenge) throws(WireError) -> Auth {
        guard !hasAnswered else {
            throw WireError(code: .notReady, message: "There was a challenge already.")
        }
        hasAnswered = true
        guard ProtocolVersion.supported.contains(challenge.version) else {
            throw WireError(
                code: .unsupportedVersion,
                message: "The coordinator chose version \(challenge.version) of the protocol, which"
                    + " was not offered. \(ProtocolVersion.advice)"
            )
        }
        guard constantTimeEqual(challenge.mac, mac(.coordinator, challenge)) else {
            throw WireError(
                code: .authFailed,
                message: "The coordinator does not hold the same \(role.rawValue) key."
            )
        }
        return Auth(mac: mac(.peer, challenge))
    }

    private func mac(_ side: Handshake.Side, _ challenge: Challenge) -> [UInt8] {
        Handshake.mac(
            key: key,
            side: side,
            role: role,
            clientNonce: nonce,
            coordinatorNonce: challenge.nonce,
            name: name,
            session: challenge.session
        )
    }
}

/// The handshake on the side of the coordinator.
///
/// Each message may be received once, in order; after an error the connection is to be closed.
public struct HandshakeResponder: Sendable {
    private enum State {
        case waitingForHello
        /// Without an entry no proof is good enough.
        case waitingForAuth(Hello, Keyring.Entry?, mac: [UInt8])
        case ended
    }

    private let nonce: [UInt8]
    private let session: String
    private let decoy: HandshakeKey?
    private var state = State.waitingForHello
    /// The name of the key that encrypts the connection; nil if nothing does.
    private var encryptingKey: String?

    /// Prepares the handshake of one connection.
    ///
    /// The nonce has 32 bytes, never used before; the session keeps the rule of `PeerName`. The
    /// decoy, which nobody knows, takes the place of a key that there is not, so that a stranger
    /// does not learn which keys there are; without one such a peer is refused at its hello.
    public init(nonce: [UInt8], session: String, decoy: HandshakeKey? = nil) {
        precondition(nonce.count == Limits.nonceBytes, "a nonce has 32 bytes")
        precondition(PeerName.isValid(session), "a session has \(PeerName.rule)")
        self.nonce = nonce
        self.session = session
        self.decoy = decoy
    }

    /// The connection is encrypted with the key of that name, so that the peer must prove to hold
    /// that one and no other.
    public mutating func noteEncryption(withKey name: String) {
        encryptingKey = name
    }

    /// A peer that has proved itself, and the session that it was offered.
    public struct Proved: Sendable {
        /// Its role.
        public let role: Role
        /// The key that it holds, and whose that is.
        public let entry: Keyring.Entry
        /// Its name.
        public let name: String
        /// The session's name, as the challenge said it.
        public let session: String
        /// The session that it wants to go on with.
        public let resume: Hello.Resume?
    }

    /// Chooses the version and proves itself.
    ///
    /// - Parameters:
    ///   - hello: The first message of the peer.
    ///   - keyring: The keys that are accepted.
    ///   - time: Now, in milliseconds of Unix time.
    /// - Returns: The answer, with the coordinator's proof.
    /// - Throws: `unsupported_version` if none is common, `auth_failed` if the peer's name or the
    ///   key cannot be right, `not_ready` for a second hello.
    public mutating func receive(
        _ hello: Hello,
        keyring: Keyring,
        at time: Int
    ) throws(WireError) -> Challenge {
        guard case .waitingForHello = state else {
            throw WireError(code: .notReady, message: "There was a hello already.")
        }
        state = .ended
        guard let version = ProtocolVersion.supported.first(where: hello.versions.contains)
        else {
            let offered = hello.versions.map(String.init).joined(separator: ", ")
            let spoken = ProtocolVersion.supported.map(String.init).joined(separator: ", ")
            throw WireError(
                code: .unsupportedVersion,
                message: "The coordinator speaks version \(spoken) of the protocol, and \(offered)"
                    + " was offered. \(ProtocolVersion.advice)"
            )
        }
        let name = hello.key ?? encryptingKey ?? hello.role.rawValue
        // A peer that encrypts has proved a key already, and may learn at once that this is another.
        guard encryptingKey == nil || encryptingKey == name, PeerName.isValid(hello.name) else {
            throw WireError.authFailed
        }
        let named = keyring.entry(named: name, at: time)
        let entry = named?.identity.role == hello.role ? named : nil
        let stand = encryptingKey == nil ? decoy : nil
        guard let key = entry?.key ?? stand else { throw WireError.authFailed }
        state = .waitingForAuth(hello, entry, mac: mac(.peer, hello, key))
        return Challenge(
            version: version,
            nonce: nonce,
            session: session,
            mac: mac(.coordinator, hello, key)
        )
    }

    /// Checks the peer's proof.
    ///
    /// - Throws: `auth_failed` if the peer does not hold the key of its role, `not_ready` if it is
    ///   not the time for it.
    public mutating func receive(
        _ auth: Auth
    ) throws(WireError) -> Proved {
        guard case .waitingForAuth(let hello, let entry, let expected) = state else {
            throw WireError(code: .notReady, message: "This is not the time for an auth.")
        }
        state = .ended
        guard constantTimeEqual(auth.mac, expected), let entry else { throw WireError.authFailed }
        return Proved(
            role: hello.role,
            entry: entry,
            name: hello.name,
            session: session,
            resume: hello.resume
        )
    }

    private func mac(_ side: Handshake.Side, _ hello: Hello, _ key: HandshakeKey) -> [UInt8] {
        Handshake.mac(
            key: key,
            side: side,
            role: hello.role,
            clientNonce: hello.nonce,
            coordinatorNonce: nonce,
            name: hello.name,
            session: session
        )
    }
}
