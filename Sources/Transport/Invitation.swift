// A join line: all that a worker or a client needs to connect, as one line of text. Not here: who is
// given which key (KeyStore), connecting.
public import Wire

/// Where coordinators are, and the key to connect to them with.
///
/// Written as `wefts://NAME:DIGITS@HOST:PORT/ROLE`, with `weft` in place of `wefts` where the
/// connection is not encrypted. NAME is the name of the key, DIGITS the key as 64 hex digits, and
/// there may be several `HOST:PORT`, with commas between them. The line is as secret as the key.
public struct Invitation: Sendable, Equatable, CustomStringConvertible {
    /// The coordinators, which are tried in turn; at least one.
    public var endpoints: [Endpoint]
    /// What the key is for.
    public var role: Role
    /// The key, with its name.
    public var key: HandshakeKey
    /// Whether the connection is encrypted.
    public var isEncrypted: Bool

    /// Makes an invitation.
    public init(endpoints: [Endpoint], role: Role, key: HandshakeKey, isEncrypted: Bool) {
        precondition(!endpoints.isEmpty, "an invitation leads somewhere")
        self.endpoints = endpoints
        self.role = role
        self.key = HandshakeKey(key, named: key.name(for: role))
        self.isEncrypted = isEncrypted
    }

    /// The join line, with the key in it.
    public var line: String {
        let hosts = endpoints.map(\.description).joined(separator: ",")
        let scheme = isEncrypted ? "wefts" : "weft"
        return "\(scheme)://\(key.name(for: role)):\(key.hex)@\(hosts)/\(role.rawValue)"
    }

    /// The join line without its key, for messages.
    public var description: String {
        let hosts = endpoints.map(\.description).joined(separator: ",")
        return
            "\(isEncrypted ? "wefts" : "weft")://\(key.name(for: role))@\(hosts)/\(role.rawValue)"
    }

    /// Reads a join line.
    ///
    /// - Parameters:
    ///   - line: The text, without the end of the line.
    ///   - path: Where it comes from, for the error.
    /// - Throws: What is wrong with the line, without its key.
    public init(reading line: String, from path: String) throws(KeyFileError) {
        func problem(_ text: String) -> KeyFileError {
            KeyFileError(path: path, reason: .noJoinLine(text))
        }
        let isEncrypted = line.hasPrefix("wefts://")
        guard isEncrypted || line.hasPrefix("weft://") else {
            throw problem("does not begin with wefts:// or weft://")
        }
        let rest = line.dropFirst(isEncrypted ? 8 : 7)
        guard let at = rest.firstIndex(of: "@") else { throw problem("has no @ behind the key") }
        let secret = rest[..<at].split(separator: ":", omittingEmptySubsequences: false)
        guard secret.count == 2, KeyName.isValid(String(secret[0])) else {
            throw problem("has no NAME:DIGITS before the @")
        }
        guard let key = HandshakeKey(hex: String(secret[1])) else {
            throw problem("has a key that is not 64 hex digits")
        }
        let parts = rest[rest.index(after: at)...].split(
            separator: "/",
            omittingEmptySubsequences: false
        )
        guard parts.count == 2, let role = Role(rawValue: String(parts[1])) else {
            throw problem("does not end with /client, /viewer or /worker")
        }
        var endpoints: [Endpoint] = []
        for text in parts[0].split(separator: ",", omittingEmptySubsequences: false) {
            do throws(EndpointError) {
                endpoints.append(try Endpoint.parse(String(text)))
            } catch {
                throw problem("has no address: \(error.message.trimmingEnd)")
            }
        }
        self.init(
            endpoints: endpoints,
            role: role,
            key: HandshakeKey(key, named: String(secret[0])),
            isEncrypted: isEncrypted
        )
    }

    /// Reads a file with a join line, which others must not be able to read; `-` is the first line
    /// of standard input, of which not a byte more is read.
    public static func load(path: String) throws(KeyFileError) -> Invitation {
        guard !path.hasPrefix("weft://"), !path.hasPrefix("wefts://") else {
            // The line itself: it holds a key, so it is not said again.
            throw KeyFileError(path: "(the value of --join)", reason: .joinLineForFile)
        }
        if path == "-" {
            let line = try SecretFile.readLineOfStandardInput()
            return try read(line, SecretFile.standardInput)
        }
        do throws(KeyFileError) {
            return try SecretFile.read(path) { (text) throws(KeyFileError) in try read(text, path) }
        } catch {
            switch error.reason {
            case .missing: throw KeyFileError(path: path, reason: .missingJoinLine)
            case .folder:
                throw KeyFileError(path: path, reason: .noJoinLine("is missing: it is a folder"))
            default: throw error
            }
        }
    }

    /// Writes the line into a new file that only its owner can read.
    public func write(to path: String) throws(KeyFileError) {
        do throws(KeyFileError) {
            try SecretFile.create(path, text: line + "\n", mayExist: false)
        } catch {
            guard case .notCreated(let cause) = error.reason else { throw error }
            throw KeyFileError(path: path, reason: .notWritten(cause))
        }
    }

    private static func read(
        _ text: ArraySlice<UInt8>,
        _ path: String
    ) throws(KeyFileError) -> Invitation {
        let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let line = lines.first else {
            throw KeyFileError(path: path, reason: .noJoinLine("is missing"))
        }
        guard lines.count == 1 else {
            throw KeyFileError(path: path, reason: .noJoinLine("is followed by other lines"))
        }
        return try Invitation(reading: String(line), from: path)
    }
}

extension String {
    /// The text without the period at its end.
    fileprivate var trimmingEnd: String { hasSuffix(".") ? String(dropLast()) : self }
}
