// The keys with which connections are encrypted, and one encrypted stream over memory. Sockets are
// in TLSConnection.swift.
internal import CTLS
public import Wire

/// The keys that one side of TLS 1.3 connections uses: external pre-shared keys (RFC 8446, section
/// 4.2.11), and nothing else; there are no certificates.
///
/// Confined to one thread. Connections keep the context that they were made with.
public final class TLSContext {
    private let context: OpaquePointer
    let isCoordinator: Bool
    /// Where streams put what they decrypt before it has its own memory.
    fileprivate var buffer = [UInt8](repeating: 0, count: 64 << 10)

    private init(isCoordinator: Bool) {
        guard let context = weft_tls_context_new(isCoordinator) else {
            preconditionFailure("libssl has no TLS 1.3 with pre-shared keys")
        }
        self.context = context
        self.isCoordinator = isCoordinator
    }

    deinit { weft_tls_context_free(context) }

    /// A context for a peer that holds one key of a role.
    public static func peer(_ key: HandshakeKey, role: Role) -> TLSContext {
        let context = TLSContext(isCoordinator: false)
        context.add(key, named: key.name(for: role))
        return context
    }

    /// A context for a coordinator, which accepts the keys of `use`.
    public static func coordinator() -> TLSContext { TLSContext(isCoordinator: true) }

    /// Accepts these keys from now on; open connections stay.
    ///
    /// The time is in milliseconds of Unix time; keys that have ended by then are left out.
    public func use(_ keyring: Keyring, at time: Int) {
        weft_tls_clear_keys(context)
        for entry in keyring.entries(at: time) {
            add(entry.key, named: entry.key.name(for: entry.identity.role))
        }
    }

    private func add(_ key: HandshakeKey, named name: String) {
        let bytes = Array(name.utf8)
        let isAdded = weft_tls_add_key(context, bytes, bytes.count, key.bytes)
        precondition(isAdded, "the name of a key is short")
    }

    /// Begins a stream.
    func makeStream() -> TLSStream {
        guard let tls = weft_tls_new(context) else {
            preconditionFailure("memory ran out for an encrypted connection")
        }
        return TLSStream(tls, context: self)
    }
}

@available(*, unavailable)
extension TLSContext: Sendable {}

/// One encrypted stream: received bytes in, plain bytes out, and the reverse.
final class TLSStream {
    private let tls: OpaquePointer
    private let context: TLSContext

    fileprivate init(_ tls: OpaquePointer, context: TLSContext) {
        self.tls = tls
        self.context = context
    }

    deinit { weft_tls_free(tls) }

    enum State {
        case shakingHands, open, ended, failed
    }

    var state: State {
        switch weft_tls_state_of(tls) {
        case WEFT_TLS_SHAKING_HANDS: .shakingHands
        case WEFT_TLS_OPEN: .open
        case WEFT_TLS_ENDED: .ended
        default: .failed
        }
    }

    /// The name of the key that a client has proved to hold; nil before that.
    var keyName: String? {
        var name = [UInt8](repeating: 0, count: Int(WEFT_TLS_NAME_BYTES))
        let count = weft_tls_key_name(tls, &name, name.count)
        return count > 0 ? String(decoding: name[..<count], as: UTF8.self) : nil
    }

    /// Begins the handshake, on the side that does.
    func begin() { _ = weft_tls_go_on(tls) }

    /// Takes received bytes, about a record at a time, and hands over what they decrypt to; stops
    /// when the body says so.
    func receive(_ bytes: [UInt8], _ body: ([UInt8]) -> Bool) {
        for start in stride(from: 0, to: bytes.count, by: Self.slice) {
            let count = min(Self.slice, bytes.count - start)
            _ = weft_tls_receive(tls, bytes, start, count)
            // Each read takes all that is there, unless that is more than fits.
            repeat {
                let read = weft_tls_read(tls, &context.buffer, context.buffer.count)
                let isGoingOn = body([UInt8](context.buffer[..<read]))
                guard isGoingOn else { return }
                guard read == context.buffer.count else { break }
            } while true
        }
    }

    /// Encrypts bytes and appends what is to be sent; false if that failed.
    func write(_ bytes: [UInt8], into encrypted: inout [UInt8]) -> Bool {
        for start in stride(from: 0, to: bytes.count, by: Self.slice) {
            let count = min(Self.slice, bytes.count - start)
            guard weft_tls_write(tls, bytes, start, count) else { return false }
            takePending(into: &encrypted)
        }
        return true
    }

    /// How many bytes libssl is given at a time: its memory stays as large as it once was.
    private static let slice = 16 << 10

    /// Tells the peer that no more follows.
    func end() { weft_tls_end(tls) }

    /// Appends what is to be sent.
    func takePending(into bytes: inout [UInt8]) {
        let pending = weft_tls_pending(tls)
        guard pending > 0 else { return }
        let start = bytes.count
        bytes.append(contentsOf: [UInt8](repeating: 0, count: pending))
        let taken = weft_tls_take(tls, &bytes, start, pending)
        bytes.removeLast(pending - taken)
    }

    /// Whether the peer says that it does not accept the key, which is not proved.
    var keyWasRefused: Bool { weft_tls_key_was_refused(tls) }
}
