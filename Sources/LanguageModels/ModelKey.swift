// The secret key of a provider: where it is read from, and how it is kept out of all output. Not
// here: the header that carries it.
internal import Glibc

/// Where a key is stored; keys are never part of a configuration or an argument.
public enum ModelKeySource: Sendable, Hashable {
    /// The environment variable of that name.
    case environment(String)
    /// The file at that path, which contains only the key.
    case file(String)
}

/// A key; printing one in any way does not show it.
public struct ModelKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    let text: String

    private static let sizeLimit = 8192

    /// Makes a key of visible ASCII characters; blanks and line ends around it are dropped.
    public init?(_ text: String) {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let start = text.utf8.drop(while: isBlank)
        let end = start.lastIndex { !isBlank($0) }
        let bytes = end.map { start[...$0] } ?? start.prefix(0)
        guard !bytes.isEmpty, bytes.count <= Self.sizeLimit,
            bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    /// Reads a key from its source.
    public init(
        _ source: ModelKeySource,
        environment: [String: String]
    ) throws(ModelKeyError) {
        switch source {
        case .environment(let name):
            guard let text = environment[name], !text.isEmpty else {
                throw ModelKeyError(source: source, reason: .missing)
            }
            guard let key = ModelKey(text) else {
                throw ModelKeyError(source: source, reason: .noKey)
            }
            self = key
        case .file(let path):
            self = try Self.read(path)
        }
    }

    /// The word that replaces any key.
    public var description: String { "[key]" }
    /// The word that replaces any key.
    public var debugDescription: String { "[key]" }
    /// A mirror without contents.
    public var customMirror: Mirror { Mirror(self, children: [:]) }

    private static func read(_ path: String) throws(ModelKeyError) -> ModelKey {
        let source = ModelKeySource.file(path)
        // Without O_NONBLOCK, opening a pipe at the path would block for ever.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            throw ModelKeyError(source: source, reason: errno == ENOENT ? .missing : .unreadable)
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw ModelKeyError(source: source, reason: .unreadable)
        }
        // A group may read it, because secrets are mounted into containers this way.
        guard status.st_mode & 0o027 == 0 else {
            throw ModelKeyError(source: source, reason: .openToOthers)
        }
        var bytes = [UInt8](repeating: 0, count: sizeLimit + 64)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw ModelKeyError(source: source, reason: .unreadable) }
        let text = String(decoding: bytes.prefix(count), as: UTF8.self)
        guard let key = ModelKey(text) else { throw ModelKeyError(source: source, reason: .noKey) }
        return key
    }
}

/// Why a key could not be read.
public struct ModelKeyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Where it was searched.
    public var source: ModelKeySource
    /// What is wrong.
    public var reason: Reason

    /// The kinds of problems with a key.
    public enum Reason: Sendable {
        /// There is no such variable or file.
        case missing
        /// The file cannot be read, or is not a regular file.
        case unreadable
        /// Other users may read or change the file.
        case openToOthers
        /// The content is not a key.
        case noKey
    }

    /// What is wrong and what to do about it; without any part of a key.
    public var description: String {
        switch (source, reason) {
        case (.environment(let name), .missing):
            "The environment variable \(name) is not set. Set it to the provider's key."
        case (.environment(let name), _):
            "The environment variable \(name) contains no key: one word of visible characters."
        case (.file(let path), .missing):
            "There is no key file \(path). Put the provider's key there."
        case (.file(let path), .unreadable):
            "The key file \(path) cannot be read by this user."
        case (.file(let path), .openToOthers):
            "Other users may read or change the key file \(path). Close it: chmod 600 '\(path)'"
        case (.file(let path), .noKey):
            "The key file \(path) contains no key: one word of visible characters."
        }
    }
}

/// Removes secrets from text of other programs.
struct Redactor: Sendable {
    /// Shorter pieces of a key reveal nothing, and would match common words.
    private static let shortestPiece = 8

    private let secrets: [[UInt8]]

    init(_ secrets: [String]) {
        self.secrets = secrets.filter { !$0.isEmpty }.map { Array($0.utf8) }
    }

    /// The text with each piece of a secret of 8 bytes or more replaced by `[key]`; a shorter
    /// secret counts as a whole.
    func redact(_ text: String) -> String {
        secrets.reduce(text) { text, secret in Self.redact(text, secret) }
    }

    private static func redact(_ text: String, _ secret: [UInt8]) -> String {
        let piece = min(secret.count, shortestPiece)
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let length = longestPiece(bytes[index...], secret)
            if length >= piece {
                result += Array("[key]".utf8)
                index += length
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The longest start of the text that occurs in the secret.
    private static func longestPiece(_ text: ArraySlice<UInt8>, _ secret: [UInt8]) -> Int {
        secret.indices.reduce(0) { longest, start in
            let matching = zip(secret[start...], text).prefix { $0 == $1 }
            return max(longest, matching.count)
        }
    }
}
