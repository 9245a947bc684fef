// When connections are encrypted, by the address of the coordinator.

/// When connections to a coordinator are encrypted.
public enum TLSPolicy: String, Sendable, CaseIterable {
    /// Always.
    case always
    /// When the coordinator's address is not one of this host alone.
    case offHost = "off-host"
    /// Never.
    case never

    /// Whether a connection to the host, or a listener on it, is encrypted.
    public func encrypts(host: String) -> Bool {
        switch self {
        case .always: true
        case .offHost: !Self.isLoopback(host)
        case .never: false
        }
    }

    /// Whether the host is this one by an address that others cannot reach.
    public static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        // Names may begin with 127 too.
        let mapped = "::ffff:"
        let address = host.lowercased().hasPrefix(mapped) ? host.dropFirst(mapped.count) : host[...]
        let parts = address.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in
                part.utf8.allSatisfy { 0x30...0x39 ~= $0 } && UInt8(part) != nil
            }
    }
}
