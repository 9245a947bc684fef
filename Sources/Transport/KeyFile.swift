// The key files: one for each role in the state folder, and those that people were given. A line with
// 64 hex digits, after the name of the key and a colon if it has one; readable only by their owner.
// The handshake in the Wire module uses the keys; how files with secrets are read is in SecretFile.
internal import Glibc
public import Wire

/// Reads and makes key files.
public enum KeyFile {
    /// The path of the key file of a role: `client.key`, `worker.key`, `viewer.key`.
    public static func path(of role: Role, in stateDirectory: String) -> String {
        "\(stateDirectory)/\(role.rawValue).key"
    }

    /// Reads a key file.
    ///
    /// - Throws: If there is none, if it is a link or not a file, belongs to another user, can be
    ///   read by others, or does not contain a key.
    public static func load(path: String) throws(KeyFileError) -> HandshakeKey {
        try SecretFile.read(path) { (text) throws(KeyFileError) in try key(in: text, path) }
    }

    /// Reads a key from standard input, to its end.
    ///
    /// - Throws: If it cannot be read or does not contain a key.
    public static func readStandardInput() throws(KeyFileError) -> HandshakeKey {
        try key(in: SecretFile.readStandardInput(), SecretFile.standardInput)
    }

    private static func key(
        in text: ArraySlice<UInt8>,
        _ path: String
    ) throws(KeyFileError) -> HandshakeKey {
        guard !text.isEmpty else { throw KeyFileError(path: path, reason: .empty) }
        let line = text.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        let rest = text[line.endIndex...]
        var digits = line
        var name: String?
        if let colon = line.firstIndex(of: UInt8(ascii: ":")) {
            name = String(decoding: line[..<colon], as: UTF8.self)
            digits = line[line.index(after: colon)...]
        }
        let isHexadecimal = digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        guard !isHexadecimal || digits.count == 64 else {
            throw KeyFileError(path: path, reason: .wrongLength(digits.count))
        }
        guard rest.allSatisfy({ $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }),
            name.map(KeyName.isValid) ?? true,
            let key = HandshakeKey(hex: String(decoding: digits, as: UTF8.self))
        else { throw KeyFileError(path: path, reason: .noKey) }
        return name.map { HandshakeKey(key, named: $0) } ?? key
    }

    /// The content of a key file: the digits, after the name and a colon if the key has a name.
    public static func text(of key: HandshakeKey) -> String {
        (key.name.map { "\($0):" } ?? "") + key.hex + "\n"
    }

    /// Reads the key file of a role, and makes it with a new key if there is none.
    ///
    /// Several processes may do this at the same time: one key is kept and all of them get it. The
    /// directory is made, too.
    public static func loadOrCreate(
        role: Role,
        in stateDirectory: String
    ) throws(KeyFileError) -> HandshakeKey {
        try StateDirectory.prepare(stateDirectory)
        return try loadOrCreate(path: path(of: role, in: stateDirectory))
    }

    /// Reads a key file, and makes it with a new key if there is none.
    ///
    /// Several processes may do this at the same time: one key is kept and all of them get it.
    public static func loadOrCreate(path: String) throws(KeyFileError) -> HandshakeKey {
        do {
            return try load(path: path)
        } catch {
            guard error.reason == .missing else { throw error }
        }
        try SecretFile.create(path, text: text(of: .fresh()), mayExist: true)
        return try load(path: path)
    }
}

extension HandshakeKey {
    /// A new random key.
    public static func fresh() -> HandshakeKey {
        guard let key = HandshakeKey(SecureRandom.bytes(Limits.nonceBytes)) else {
            preconditionFailure("a key has as many bytes as a nonce")
        }
        return key
    }
}
