// Signals to this process, delivered on the loop. Not here: signals to children.
internal import CLibuv

/// Calls a closure on the loop for each arrival of a signal; does not keep the loop alive.
///
/// Lives until it is closed. Arrivals in quick succession may be delivered as one.
public final class SignalSource {
    private let loop: EventLoop
    private let memory = HandleMemory(UV_SIGNAL)
    private var onSignal: (() -> Void)?
    private var isClosed = false

    /// Watches a signal by its number, for example `SIGTERM`; throws for one that cannot be.
    public init(loop: EventLoop, signal: Int32, onSignal: @escaping () -> Void) throws(UVError) {
        loop.preconditionNotClosed()
        self.loop = loop
        self.onSignal = onSignal
        var result = uv_signal_init(loop.raw, memory.signal)
        guard result == 0 else {
            memory.freeUninitialized()
            throw UVError(code: result, operation: "watch signal \(signal)")
        }
        memory.retain(self)
        uv_unref(memory.handle)
        result = uv_signal_start(memory.signal, signalArrived, signal)
        guard result == 0 else {
            close()
            throw UVError(code: result, operation: "watch signal \(signal)")
        }
    }

    /// Stops watching.
    ///
    /// Calling it again does nothing.
    public func close() {
        loop.assertOnLoop()
        guard !isClosed else { return }
        isClosed = true
        onSignal = nil
        memory.close()
    }

    fileprivate func arrived() {
        guard loop.phase == .open else { return }
        onSignal?()
    }
}

extension SignalSource: HandleOwner {
    func closeWithLoop() { close() }
}

@available(*, unavailable)
extension SignalSource: Sendable {}

private func signalArrived(_ handle: UnsafeMutablePointer<uv_signal_t>?, _: Int32) {
    guard let data = handle?.pointee.data else { return }
    owner(data, as: SignalSource.self).arrived()
}
