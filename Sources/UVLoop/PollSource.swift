// Readiness of a descriptor that other code reads and writes, such as a C library with sockets of
// its own. Not here: reading and writing; streams of ours do without.
internal import CLibuv

/// Tells on the loop when a descriptor can be read or written.
///
/// Lives until it is closed. The descriptor stays its owner's, who closes it; watching must have
/// ended by the time the loop turns again. While it watches, it keeps the loop alive.
public final class PollSource {
    /// What a descriptor is ready for.
    public struct Readiness: OptionSet, Sendable, Hashable {
        /// One bit for each member.
        public let rawValue: Int

        /// Makes a set of its bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// Reading would not wait, be it because the end has come.
        public static let readable = Readiness(rawValue: 1)
        /// Writing would not wait.
        public static let writable = Readiness(rawValue: 2)
        /// The descriptor is broken; reading or writing will tell how.
        public static let broken = Readiness(rawValue: 4)
    }

    private let loop: EventLoop
    private let memory = HandleMemory(UV_POLL)
    private var onReady: ((Readiness) -> Void)?
    private var isClosed = false

    /// Takes an open descriptor, which becomes non-blocking, and watches for nothing yet.
    ///
    /// - Throws: For one that cannot be watched, such as a file's, and one watched already.
    public init(
        loop: EventLoop,
        descriptor: Int32,
        onReady: @escaping (Readiness) -> Void
    ) throws(UVError) {
        loop.preconditionNotClosed()
        self.loop = loop
        self.onReady = onReady
        let result = uv_poll_init(loop.raw, memory.poll, descriptor)
        guard result == 0 else {
            memory.freeUninitialized()
            throw UVError(code: result, operation: "watch descriptor \(descriptor)")
        }
        memory.retain(self)
    }

    /// Watches for this and nothing else from now on; the empty set pauses.
    ///
    /// As long as the descriptor is ready and nobody reads or writes, `onReady` is called in every
    /// turn. A descriptor that breaks is reported once and then watched no more.
    public func watch(_ readiness: Readiness) {
        loop.assertOnLoop()
        guard !isClosed else { return }
        var events: UInt32 = 0
        if readiness.contains(.readable) { events |= UV_READABLE.rawValue }
        if readiness.contains(.writable) { events |= UV_WRITABLE.rawValue }
        if events == 0 {
            uv_poll_stop(memory.poll)
        } else {
            // Refused only by a handle that closes.
            uv_poll_start(memory.poll, Int32(events), descriptorReady)
        }
    }

    /// Watches no more and makes no callback; the descriptor may be closed at once.
    ///
    /// Calling it again does nothing.
    public func close() {
        loop.assertOnLoop()
        guard !isClosed else { return }
        isClosed = true
        onReady = nil
        memory.close()
    }

    fileprivate func arrived(_ status: Int32, _ events: Int32) {
        guard loop.phase == .open else { return }
        var readiness: Readiness = []
        if status < 0 { readiness.insert(.broken) }
        if UInt32(truncatingIfNeeded: events) & UV_READABLE.rawValue != 0 {
            readiness.insert(.readable)
        }
        if UInt32(truncatingIfNeeded: events) & UV_WRITABLE.rawValue != 0 {
            readiness.insert(.writable)
        }
        onReady?(readiness)
    }
}

extension PollSource: HandleOwner {
    func closeWithLoop() { close() }
}

@available(*, unavailable)
extension PollSource: Sendable {}

private func descriptorReady(
    _ handle: UnsafeMutablePointer<uv_poll_t>?,
    _ status: Int32,
    _ events: Int32
) {
    guard let data = handle?.pointee.data else { return }
    owner(data, as: PollSource.self).arrived(status, events)
}
