// The key with which a program proves its right to talk to a coordinator, where it comes from, and
// default names. Not here: the proof itself (Wire), key files (Transport).
internal import FoundationEssentials
internal import Transport
internal import UVLoop
package import Wire

/// The key of a role: it proves that a program may talk to a coordinator.
public struct AccessKey: Sendable {
    private enum Source: Sendable {
        case standard
        case file(String)
        case stateFolder(String)
        case key(HandshakeKey)
    }

    private let source: Source

    /// The key file that the `weft` command would use: `WEFT_KEY_FILE`, else the role's file in the
    /// state folder (`WEFT_STATE_DIR`, else `weftline` in `XDG_STATE_HOME`, else
    /// `~/.local/state/weftline`).
    public static let standard = AccessKey(source: .standard)

    /// The key in a file, which must not be readable by others.
    public static func file(_ path: String) -> AccessKey {
        AccessKey(source: .file(path))
    }

    /// The role's file in the state folder of a coordinator.
    public static func stateFolder(_ path: String) -> AccessKey {
        AccessKey(source: .stateFolder(path))
    }

    /// A key of 64 hex digits, as written in a key file; nil for anything else.
    public static func hex(_ digits: String) -> AccessKey? {
        HandshakeKey(hex: digits).map { AccessKey($0) }
    }

    init(_ key: HandshakeKey) { source = .key(key) }

    private init(source: Source) { self.source = source }

    func resolve(for role: Role) throws(KeyFileError) -> HandshakeKey {
        switch source {
        case .key(let key):
            return key
        case .file(let path):
            return try KeyFile.load(path: path)
        case .stateFolder(let path):
            return try KeyFile.load(path: KeyFile.path(of: role, in: path))
        case .standard:
            let choice = KeyFileChoice(environment: ProcessInfo.processInfo.environment)
            return try KeyFile.load(path: choice.path(for: role))
        }
    }
}

extension PeerName {
    /// A name of this process, made of its host and its number.
    package static var ofProcess: String { "\(host)-\(ProcessTable.pid)" }

    /// A name that no other worker has, not even in this process.
    static var unique: String { "\(ofProcess)-\(Hex.encode(SecureRandom.bytes(3)))" }

    private static var host: String {
        let name = ProcessInfo.processInfo.hostName.split(separator: ".").first ?? "host"
        let safe = name.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        return safe.isEmpty ? "host" : String(safe.prefix(40))
    }
}

/// Facts of this computer.
package enum Computer {
    package static var hostName: String { ProcessInfo.processInfo.hostName }
    package static var coreCount: Int { max(ProcessInfo.processInfo.activeProcessorCount, 1) }
}
