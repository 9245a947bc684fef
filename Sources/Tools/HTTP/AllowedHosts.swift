// Where the HTTP tools of a manifest may go: hosts by name, networks by address. Not here: looking
// names up and checking their addresses (HTTP).
internal import HTTP

/// The `allow_hosts` of a manifest or a tool.
///
/// Without it a tool goes to its own host, at public addresses only, unless the address of the manifest
/// is localhost or an address itself. A name in the list may have any address; a network lets every
/// name have its addresses.
struct AllowedHosts: Sendable, Hashable {
    /// Names in small letters; one with a star before its first dot means all names that end so.
    private(set) var names: [String] = []
    private(set) var networks: [HTTPNetwork] = []

    /// Adds an entry; false if it is neither a name nor a network.
    mutating func add(_ entry: String) -> Bool {
        if let network = HTTPNetwork(entry) {
            networks.append(network)
            return true
        }
        let name = entry.lowercased()
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        let isPattern =
            name.hasPrefix("*.") && name.count > 2 && AllowedHosts.isPlain(name.dropFirst(2))
        guard !name.isEmpty, isName || isPattern else { return false }
        names.append(name)
        return true
    }

    private static func isPlain(_ name: Substring) -> Bool {
        !name.contains("*") && !name.contains("/") && !name.contains(":")
    }

    /// Whether a host may be the host of a tool, as far as its name or address tells.
    func admits(host: String) -> Bool {
        if isListed(host) { return true }
        if let address = Self.address(host) { return networks.contains { $0.contains(address) } }
        // A list of networks alone says nothing about names.
        return names.isEmpty
    }

    /// Whether the list has a host's name.
    func isListed(_ host: String) -> Bool {
        names.contains { name in
            name.hasPrefix("*.") ? host.hasSuffix(name.dropFirst(1)) : name == host
        }
    }

    /// The networks that a tool of this host may connect to beside public addresses; nil for any.
    ///
    /// `list` is nil where the manifest has none.
    static func networks(for host: String, _ list: AllowedHosts?) -> [HTTPNetwork]? {
        guard let list else {
            if host == "localhost" || host.hasSuffix(".localhost") { return loopback }
            return address(host) == nil ? [] : nil
        }
        return list.isListed(host) ? nil : list.networks
    }

    private static let loopback = ["127.0.0.0/8", "::1"].compactMap { HTTPNetwork($0) }

    private static func address(_ host: String) -> HTTPNetwork? {
        HTTPNetwork(host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host)
    }
}
