// Digests, message authentication codes and random bytes, over libcrypto.
internal import COpenSSL

/// A SHA-256 that is fed piece by piece.
public struct SHA256: Sendable {
    private var state = weft_sha256_start()

    /// The digest of nothing so far.
    public init() {}

    /// Adds bytes.
    public mutating func update(_ bytes: ArraySlice<UInt8>) {
        bytes.withContiguousStorageIfAvailable {
            weft_sha256_update(&state, $0.baseAddress, $0.count)
        }
    }

    /// Adds bytes.
    public mutating func update(_ bytes: [UInt8]) { update(bytes[...]) }

    /// The 32 bytes of the digest of everything added; more may be added afterwards.
    public func digest() -> [UInt8] {
        var last = state
        var digest = [UInt8](repeating: 0, count: Int(WEFT_SHA256_BYTES))
        weft_sha256_finish(&last, &digest)
        return digest
    }

    /// The 32 bytes of the digest of some bytes.
    public static func digest(of bytes: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.digest()
    }
}

/// HMAC-SHA-256 (RFC 2104).
public enum HMAC {
    /// The 32 bytes of the code of `bytes` under `key`.
    public static func sha256(key: [UInt8], of bytes: [UInt8]) -> [UInt8] {
        var mac = [UInt8](repeating: 0, count: Int(WEFT_SHA256_BYTES))
        let isDone = weft_hmac_sha256(key, key.count, bytes, bytes.count, &mac)
        precondition(isDone, "libcrypto has no HMAC-SHA-256")
        return mac
    }
}

/// Random bytes fit for keys and nonces.
///
/// Shells draw them; pure machines get them passed.
public enum SecureRandom {
    /// That many random bytes.
    public static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let isDone = weft_random(&bytes, count)
        precondition(isDone, "the system has no random bytes")
        return bytes
    }
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
public func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && weft_equal(left, right, left.count)
}
