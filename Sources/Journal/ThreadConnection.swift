// A connection to a store that blocks, with the thread that uses it.

internal import UVLoop

/// A connection that is opened on its thread when it is used first.
struct ThreadConnection<Store: AnyObject> {
    private let thread: SerialThread
    private let open: @Sendable () throws(JournalError) -> Store
    private let store: Locked<Store?>

    /// Uses a connection that is open, or opens one when it is needed.
    init(
        name: String,
        _ store: sending Store?,
        open: @escaping @Sendable () throws(JournalError) -> Store
    ) throws(UVError) {
        self.open = open
        thread = try SerialThread(name: name)
        self.store = Locked(store)
    }

    /// Uses the connection on its thread; one that was lost is opened again.
    func use<Value: Sendable>(
        on loop: EventLoop,
        _ body: @escaping @Sendable (Store) throws(JournalError) -> Value,
        then: @escaping (Result<Value, JournalError>) -> Void
    ) {
        let (open, store) = (open, store)
        loop.run(on: thread) {
            store.withLock { store -> Result<Value, JournalError> in
                let wasOpen = store != nil
                do throws(JournalError) {
                    return .success(try Self.use(&store, open, body))
                } catch {
                    guard error.kind == .unreachable else { return .failure(error) }
                    store = nil
                    guard wasOpen else { return .failure(error) }
                }
                do throws(JournalError) {
                    return .success(try Self.use(&store, open, body))
                } catch {
                    return .failure(error)
                }
            }
        } then: {
            then($0)
        }
    }

    private static func use<Value>(
        _ store: inout Store?,
        _ open: () throws(JournalError) -> Store,
        _ body: (Store) throws(JournalError) -> Value
    ) throws(JournalError) -> Value {
        let opened: Store
        if let store {
            opened = store
        } else {
            opened = try open()
            store = opened
        }
        return try body(opened)
    }

    func close(on loop: EventLoop, then: @escaping () -> Void) {
        let store = store
        loop.run(on: thread) {
            store.withLock { $0 = nil }
        } then: {
            then()
        }
    }
}
