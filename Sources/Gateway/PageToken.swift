// What proves over HTTP who asks: a token that is signed with the key of an identity, so that it holds
// as long as that key does, also after a restart and at a standby. Not here: sessions of a page.
internal import Core
package import Wire

/// A signed token, or a ticket: a token that is good for one use soon.
///
/// Its text is `KIND.EXPIRY.NONCE.ROLE.MAC.NAME`: when it ends in milliseconds of Unix time, a random
/// number in hex, `client` or `viewer`, the HMAC-SHA-256 of the others in hex under the key of that
/// name, and the name.
package struct PageToken: Sendable, Equatable {
    /// What it is good for.
    package enum Kind: String, Sendable {
        /// To be given for a token, once.
        case ticket
        /// Every request.
        case token
    }

    /// What it is good for.
    package var kind: Kind
    /// When it ends, in milliseconds of Unix time.
    package var expiry: Int
    /// What tells it from others, in hex.
    package var nonce: String
    /// What its holder may do.
    package var role: Role
    /// The name of the key that signs it.
    package var name: String

    /// How long a ticket may be good for at most, in milliseconds.
    package static let longestTicket = 120_000

    /// Describes a token; `nonce` is 16 fresh random bytes.
    package init(_ kind: Kind, of name: String, as role: Role, until expiry: Int, nonce: [UInt8]) {
        self.kind = kind
        self.expiry = expiry
        self.nonce = Hex.encode(nonce)
        self.role = role
        self.name = name
    }

    /// The token in text, signed with the key of its name.
    package func signed(with key: HandshakeKey) -> String {
        "\(kind.rawValue).\(expiry).\(nonce).\(role.rawValue).\(Hex.encode(mac(key))).\(name)"
    }

    private func mac(_ key: HandshakeKey) -> [UInt8] {
        // The first line keeps these codes apart from those of the handshake.
        let text = "weftline page\n\(kind.rawValue).\(expiry).\(nonce).\(role.rawValue).\(name)"
        return HMAC.sha256(key: key.bytes, of: Array(text.utf8))
    }

    /// Reads a token and checks it by the keys that are accepted at a time, in milliseconds of Unix
    /// time; nil if it is not good, whatever the reason.
    package init?(
        _ text: String,
        _ kind: Kind,
        in keyring: Keyring,
        at time: Int
    ) {
        let parts = text.split(
            separator: ".",
            maxSplits: 5,
            omittingEmptySubsequences: false
        )
        guard parts.count == 6, parts[0] == kind.rawValue, let expiry = Int(parts[1]),
            let role = Role(rawValue: String(parts[3])), role != .worker,
            let mac = Hex.decode(parts[4].utf8), expiry > time,
            let entry = keyring.entry(named: String(parts[5]), at: time),
            role == .viewer || entry.identity.role == .client, entry.identity.role != .worker
        else { return nil }
        self.kind = kind
        self.expiry = expiry
        nonce = String(parts[2])
        self.role = role
        name = String(parts[5])
        guard constantTimeEqual(mac, self.mac(entry.key)) else { return nil }
        guard kind == .token || expiry <= time + Self.longestTicket else { return nil }
    }
}
