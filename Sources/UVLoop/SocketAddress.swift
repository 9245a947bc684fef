// The numeric address of one end of a connection. Not here: names and their resolution.
internal import CLibuv
internal import Glibc

/// An IP address and a port.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address in digits, for example `127.0.0.1` or `::1`; no brackets, no scope.
    public let host: String
    /// The port, from 0 to 65535.
    public let port: Int

    /// Makes an address; `nil` unless the host is numeric and the port in range.
    public init?(host: String, port: Int) {
        guard let storage = AddressStorage(numericHost: host, port: port),
            let address = storage.address
        else { return nil }
        self = address
    }

    fileprivate init(checkedHost host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Whether the address reaches only this host.
    public var isLoopback: Bool {
        host == "::1" || host.hasPrefix("127.") || host.hasPrefix("::ffff:127.")
    }

    /// Host and port as usually written, for example `127.0.0.1:7420` or `[::1]:7420`.
    public var description: String {
        SocketAddress.text(host: host, port: port)
    }

    /// Host and port as usually written, also for a host name.
    static func text(host: String, port: Int) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// An address in the system's form.
struct AddressStorage {
    private var storage = sockaddr_storage()

    /// Reads a numeric IPv4 or IPv6 address.
    init?(numericHost host: String, port: Int) {
        guard (0...65535).contains(port) else { return nil }
        let number = Int32(port)
        let isRead = withUnsafeMutablePointer(to: &storage) { pointer in
            let raw = UnsafeMutableRawPointer(pointer)
            return uv_ip4_addr(host, number, raw.assumingMemoryBound(to: sockaddr_in.self)) == 0
                || uv_ip6_addr(host, number, raw.assumingMemoryBound(to: sockaddr_in6.self)) == 0
        }
        guard isRead else { return nil }
    }

    /// Copies an address from the system; `nil` unless it is IPv4 or IPv6.
    init?(copying address: UnsafePointer<sockaddr>, port: Int) {
        let raw = UnsafeRawPointer(address)
        let number = in_port_t(truncatingIfNeeded: port).bigEndian
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            var copy = raw.loadUnaligned(as: sockaddr_in.self)
            copy.sin_port = number
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: copy, as: sockaddr_in.self) }
        case AF_INET6:
            var copy = raw.loadUnaligned(as: sockaddr_in6.self)
            copy.sin6_port = number
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: copy, as: sockaddr_in6.self) }
        default:
            return nil
        }
    }

    /// Lets the system fill in an address; `nil` when it has none.
    init?(filledBy fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<Int32>) -> Int32) {
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            fill(UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard result == 0 else { return nil }
    }

    /// Calls a function with a pointer to the address.
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
        withUnsafePointer(to: storage) {
            body(UnsafeRawPointer($0).assumingMemoryBound(to: sockaddr.self))
        }
    }

    /// The address in digits; `nil` unless it is IPv4 or IPv6.
    var address: SocketAddress? {
        let port: in_port_t
        switch Int32(storage.ss_family) {
        case AF_INET:
            port = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in.self).sin_port }
        case AF_INET6:
            port = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in6.self).sin6_port }
        default:
            return nil
        }
        let host = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            withPointer { pointer -> String? in
                guard let start = buffer.baseAddress,
                    uv_ip_name(pointer, start, buffer.count) == 0
                else { return nil }
                return String(cString: start)
            }
        }
        return host.map { SocketAddress(checkedHost: $0, port: Int(in_port_t(bigEndian: port))) }
    }
}
