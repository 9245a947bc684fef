// The end of a loop's turn, where outboxes are flushed and decisions are made once for all input of
// the turn, and the start of the next turn. Not here: running the loop.
internal import CLibuv

extension EventLoop {
    /// Calls a closure once per turn, just before the loop would wait for input.
    ///
    /// All input of the turn has been handled by then. Hooks run in the order of registration; one
    /// registered by a hook runs from the next turn on. New work from a hook (posts, timers that
    /// are due, `nextTurn`) keeps the loop from waiting. A hook that needs an earlier hook to run
    /// again calls `nextTurn`. Hooks do not keep the loop alive.
    @discardableResult
    public func onTurnEnd(_ body: @escaping () -> Void) -> TurnHook {
        preconditionNotClosed()
        let hook = TurnHook(loop: self, body)
        turns.add(hook)
        return hook
    }

    /// Runs a closure in another turn soon: not within this call, and before the loop waits.
    ///
    /// For work that must not run inside the caller's frame. Keeps the loop alive until then.
    public func nextTurn(_ body: @escaping () -> Void) {
        assertOnLoop()
        guard phase == .open else { return }
        turns.defer(body)
    }

    func runTurnEnd() {
        guard phase == .open else { return }
        let hooks = turns.hooks
        for hook in hooks { hook.body?() }
        if hooks.contains(where: { $0.body == nil }) { turns.removeCancelled() }
        // Hooks take time; without this, libuv would wait too long for a timer.
        uv_update_time(raw)
    }

    fileprivate func runDeferred() {
        for body in turns.takeDeferred() {
            guard phase == .open else { return }
            body()
        }
    }
}

/// A registered end-of-turn closure; the loop holds it until it is cancelled.
public final class TurnHook {
    private let loop: EventLoop
    fileprivate var body: (() -> Void)?

    fileprivate init(loop: EventLoop, _ body: @escaping () -> Void) {
        self.loop = loop
        self.body = body
    }

    /// Stops the calls of the closure; allowed inside a hook.
    public func cancel() {
        loop.assertOnLoop()
        guard body != nil else { return }
        body = nil
        loop.turns.removeCancelled()
    }
}

@available(*, unavailable)
extension TurnHook: Sendable {}

/// A loop's hooks and deferred closures, with the two handles that call them.
struct Turns {
    private(set) var hooks: [TurnHook] = []
    private var deferred: [() -> Void] = []
    private let prepare = HandleMemory(UV_PREPARE)
    private let idle = HandleMemory(UV_IDLE)

    init(loop: UnsafeMutablePointer<uv_loop_t>) {
        // Both functions never fail according to their documentation.
        uv_prepare_init(loop, prepare.prepare)
        uv_idle_init(loop, idle.idle)
        uv_unref(prepare.handle)
    }

    func setOwner(_ loop: UnsafeMutableRawPointer) {
        prepare.handle.pointee.data = loop
        idle.handle.pointee.data = loop
    }

    mutating func add(_ hook: TurnHook) {
        if hooks.isEmpty { uv_prepare_start(prepare.prepare, turnEnds) }
        hooks.append(hook)
    }

    mutating func removeCancelled() {
        hooks.removeAll { $0.body == nil }
        if hooks.isEmpty { uv_prepare_stop(prepare.prepare) }
    }

    mutating func `defer`(_ body: @escaping () -> Void) {
        // An active idle handle keeps libuv from waiting.
        if deferred.isEmpty { uv_idle_start(idle.idle, turnStarts) }
        deferred.append(body)
    }

    mutating func takeDeferred() -> [() -> Void] {
        uv_idle_stop(idle.idle)
        defer { deferred = [] }
        return deferred
    }

    mutating func close() {
        prepare.closeUnowned()
        idle.closeUnowned()
        // The closure may refer to the hook's token, so it is released here.
        for hook in hooks { hook.body = nil }
        hooks = []
        deferred = []
    }
}

private func turnEnds(_ handle: UnsafeMutablePointer<uv_prepare_t>?) {
    guard let data = handle?.pointee.data else { return }
    owner(data, as: EventLoop.self).runTurnEnd()
}

private func turnStarts(_ handle: UnsafeMutablePointer<uv_idle_t>?) {
    guard let data = handle?.pointee.data else { return }
    owner(data, as: EventLoop.self).runDeferred()
}
