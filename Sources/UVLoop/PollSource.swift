// Readiness of a descriptor that other code reads and writes, such as a C library with its own
// sockets. Our own streams do not use this.
internal import CLibuv

/// Reports on the loop when a descriptor can be read or written.
///
/// Lives until it is closed. The owner of the descriptor closes it, and must end watching before
/// the loop's next turn. While it watches, it keeps the loop alive.
public final class PollSource {
    /// The kinds of readiness of a descriptor.
    public struct Readiness: OptionSet, Sendable, Hashable {
        /// One bit for each member.
        public let rawValue: Int

        /// Makes a set of its bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// Reading would not wait, also because the end was reached.
        public static let readable = Readiness(rawValue: 1)
        /// Writing would not wait.
        public static let writable = Readiness(rawValue: 2)
        /// The descriptor is broken; reading or writing will give the error.
        public static let broken = Readiness(rawValue: 4)
    }

    private let loop: EventLoop
    private let memory = HandleMemory(UV_POLL)
    private var onReady: ((Readiness) -> Void)?
    private var isClosed = false

    /// Uses an open descriptor, which becomes non-blocking; watches for nothing yet.
    ///
    /// - Throws: For a descriptor that cannot be watched, such as a file's, and one that is already
    ///   watched.
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

    /// Watches for exactly these kinds from now on; the empty set pauses.
    ///
    /// As long as the descriptor is ready and is not read or written, `onReady` is called in every
    /// turn. A descriptor that breaks is reported once and then not watched any more.
    public func watch(_ readiness: Readiness) {
        loop.assertOnLoop()
        guard !isClosed else { return }
        var events: UInt32 = 0
        if readiness.contains(.readable) { events |= UV_READABLE.rawValue }
        if readiness.contains(.writable) { events |= UV_WRITABLE.rawValue }
        if events == 0 {
            uv_poll_stop(memory.poll)
        } else {
            // Fails only for a handle that closes.
            uv_poll_start(memory.poll, Int32(events), descriptorReady)
        }
    }

    /// Lets the loop end although the descriptor is watched.
    func detachFromLoopLife() { uv_unref(memory.handle) }

    /// Stops watching and calls no callback; the descriptor may be closed at once.
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
