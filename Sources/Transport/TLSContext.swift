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
    /// Where streams put what they decrypt before it has its own memory, and what they encrypt
    /// until the socket has it.
    fileprivate var plain = [UInt8](repeating: 0, count: 64 << 10)
    fileprivate var encrypted = [UInt8](repeating: 0, count: 64 << 10)

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

    /// Takes received bytes and hands over what they decrypt to, a piece at a time and at least
    /// once; stops when the body says so.
    func receive(_ bytes: [UInt8], _ body: ([UInt8]) -> Bool) {
        var start = 0
        repeat {
            let count = weft_tls_receive(
                tls,
                bytes,
                &start,
                bytes.count,
                &context.plain,
                context.plain.count
            )
            guard body([UInt8](context.plain[..<count])) else { return }
            // What fills all the room may not be all.
            guard start < bytes.count || count == context.plain.count else { return }
        } while true
    }

    /// Encrypts bytes and hands over what is to be sent; false if that failed.
    func write(_ bytes: [UInt8], to send: (ArraySlice<UInt8>) -> Void) -> Bool {
        takePending(to: send)
        for start in stride(from: 0, to: bytes.count, by: Self.piece) {
            var count = 0
            let isWritten = weft_tls_write(
                tls,
                bytes,
                start,
                min(start + Self.piece, bytes.count),
                &context.encrypted,
                context.encrypted.count,
                &count
            )
            if count > 0 { send(context.encrypted[..<count]) }
            takePending(to: send)
            guard isWritten else { return false }
        }
        return true
    }

    /// How many bytes are encrypted at a time, in whole records: with what those add they have room
    /// in the context's array.
    private static let piece = 3 * Int(WEFT_TLS_RECORD_BYTES)

    /// Encrypts bytes and appends what is to be sent; false if that failed.
    func write(_ bytes: [UInt8], into encrypted: inout [UInt8]) -> Bool {
        write(bytes) { encrypted += $0 }
    }

    /// Tells the peer that no more follows.
    func end() { weft_tls_end(tls) }

    /// Hands over what is to be sent besides what is written: handshakes and alerts.
    func takePending(to send: (ArraySlice<UInt8>) -> Void) {
        while weft_tls_pending(tls) > 0 {
            let count = weft_tls_take(tls, &context.encrypted, context.encrypted.count)
            send(context.encrypted[..<count])
        }
    }

    /// Appends what is to be sent besides what is written.
    func takePending(into bytes: inout [UInt8]) {
        takePending { bytes += $0 }
    }

    /// Whether the peer says that it does not accept the key, which is not proved.
    var keyWasRefused: Bool { weft_tls_key_was_refused(tls) }
}
