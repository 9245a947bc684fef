// The key files: one for each role, 64 hex digits and a line end, readable only by their owner. The
// handshake in the Wire module uses the keys.
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
        // Without O_NONBLOCK, opening a pipe at the path would block for ever.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            switch errno {
            case ENOENT: throw KeyFileError(path: path, reason: .missing)
            case ELOOP: throw KeyFileError(path: path, reason: .symbolicLink)
            default: throw KeyFileError(path: path, reason: .unreadable(lastError()))
            }
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            throw KeyFileError(path: path, reason: .unreadable(lastError()))
        }
        try checkKind(status, path)
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(file, &bytes, bytes.count)
        guard count >= 0 else {
            throw KeyFileError(path: path, reason: .unreadable(lastError()))
        }
        let key = try key(in: bytes[..<count], path)
        // Another file may be readable by others for a good reason, so first say that it is not a
        // key file.
        try checkAccess(status, path)
        return key
    }

    /// Reads a key from standard input, to its end.
    ///
    /// - Throws: If it cannot be read or does not contain a key.
    public static func readStandardInput() throws(KeyFileError) -> HandshakeKey {
        let path = "(standard input)"
        var text: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 128)
        while text.count <= bytes.count {
            let count = read(STDIN_FILENO, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw KeyFileError(path: path, reason: .unreadable(lastError()))
            }
            guard count > 0 else { break }
            text += bytes[..<count]
        }
        return try key(in: text[...], path)
    }

    private static func key(
        in text: ArraySlice<UInt8>,
        _ path: String
    ) throws(KeyFileError) -> HandshakeKey {
        guard !text.isEmpty else { throw KeyFileError(path: path, reason: .empty) }
        let digits = text.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        let rest = text[digits.endIndex...]
        let isHexadecimal = digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        guard !isHexadecimal || digits.count == 64 else {
            throw KeyFileError(path: path, reason: .wrongLength(digits.count))
        }
        guard rest.allSatisfy({ $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }),
            let key = HandshakeKey(hex: String(decoding: digits, as: UTF8.self))
        else { throw KeyFileError(path: path, reason: .noKey) }
        return key
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
        let path = path(of: role, in: stateDirectory)
        do {
            return try load(path: path)
        } catch {
            guard error.reason == .missing else { throw error }
        }
        try create(path)
        return try load(path: path)
    }

    private static func checkKind(_ status: stat, _ path: String) throws(KeyFileError) {
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw KeyFileError(path: path, reason: .folder)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw KeyFileError(path: path, reason: .notAFile)
        }
    }

    private static func checkAccess(_ status: stat, _ path: String) throws(KeyFileError) {
        guard status.st_uid == geteuid() else {
            throw KeyFileError(path: path, reason: .anotherOwner)
        }
        guard status.st_mode & 0o077 == 0 else {
            throw KeyFileError(path: path, reason: .readableByOthers)
        }
    }

    /// Writes a new key to another file and links it at the path: the file is always complete, and
    /// an existing file stays.
    private static func create(_ path: String) throws(KeyFileError) {
        let draft = "\(path).\(Hex.encode(SecureRandom.bytes(8)))"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw KeyFileError(path: path, reason: .notCreated(lastError()))
        }
        defer {
            close(file)
            unlink(draft)
        }
        let text = Array((Hex.encode(SecureRandom.bytes(32)) + "\n").utf8)
        guard write(file, text, text.count) == text.count, fsync(file) == 0,
            link(draft, path) == 0 || errno == EEXIST
        else { throw KeyFileError(path: path, reason: .notCreated(lastError())) }
    }
}

/// Why a key file or its directory cannot be used.
public struct KeyFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file or directory.
    public var path: String
    /// What is wrong with it.
    public var reason: Reason

    /// Makes an error.
    public init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    /// The kinds of problems with a key file or its directory.
    public enum Reason: Sendable, Equatable {
        /// There is no such file.
        case missing
        /// It is a symbolic link.
        case symbolicLink
        /// It is a directory.
        case folder
        /// It is not a regular file.
        case notAFile
        /// The state directory is not a directory.
        case notADirectory
        /// It belongs to another user.
        case anotherOwner
        /// Others may read or change the file.
        case readableByOthers
        /// Others may change the directory.
        case directoryWritableByOthers
        /// The file is empty.
        case empty
        /// The file has this number of hex digits, but a key has 64.
        case wrongLength(Int)
        /// The file contains something else.
        case noKey
        /// It cannot be read; the system says why.
        case unreadable(String)
        /// It cannot be made; the system says why.
        case notCreated(String)
    }

    /// What is wrong and what to do about it, in a sentence or two.
    public var description: String {
        switch reason {
        case .missing:
            "There is no key file \(path). A coordinator makes it on its first start; copy it "
                + "from the coordinator's host, or name its directory with --state."
        case .symbolicLink:
            "The key file \(path) is a symbolic link. Put the file itself there."
        case .folder:
            "\(path) is a folder, not a key file. Name the file in it, such as "
                + "\(path)/client.key, or give the folder by --state."
        case .empty:
            "The key file \(path) is empty. Copy it again, or remove it and let the coordinator "
                + "make a new one."
        case .wrongLength(let count):
            "The key file \(path) holds \(count) hex digits; a key has 64. Copy it again."
        case .notAFile:
            "The key file \(path) is not a regular file. Name a file with a key."
        case .notADirectory:
            "The state directory \(path) is not a directory. Name another one with --state."
        case .anotherOwner:
            "\(path) belongs to another user. Make it your own: chown \"$(id -u)\" '\(path)'"
        case .readableByOthers:
            "Other users may read the key file \(path). Close it: chmod 600 '\(path)'"
        case .directoryWritableByOthers:
            "Other users may change the state directory \(path). Close it: chmod 700 '\(path)'"
        case .noKey:
            "The key file \(path) does not hold a key: 64 hex digits and a line end. Copy it "
                + "again, or remove it and let the coordinator make a new one."
        case .unreadable(let cause):
            "\(path) cannot be read: \(cause)."
        case .notCreated(let cause):
            "\(path) cannot be made: \(cause). Name another directory with --state."
        }
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
