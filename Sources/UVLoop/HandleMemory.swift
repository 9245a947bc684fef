// The memory of libuv's handles and requests and when it is freed: a handle is on the heap, keeps
// its owner alive from init on, and is freed in its close callback.
internal import CLibuv

/// An object that owns an open handle, as the closing loop sees it.
protocol HandleOwner: AnyObject {
    /// Closes the handle and calls no callback any more; the loop itself is closing.
    func closeWithLoop()
}

/// The heap memory of one handle.
struct HandleMemory {
    let raw: UnsafeMutableRawPointer

    init(_ type: uv_handle_type) {
        raw = .allocate(byteCount: uv_handle_size(type), alignment: 16)
    }

    var handle: UnsafeMutablePointer<uv_handle_t> { raw.assumingMemoryBound(to: uv_handle_t.self) }
    var stream: UnsafeMutablePointer<uv_stream_t> { raw.assumingMemoryBound(to: uv_stream_t.self) }
    var tcp: UnsafeMutablePointer<uv_tcp_t> { raw.assumingMemoryBound(to: uv_tcp_t.self) }
    var pipe: UnsafeMutablePointer<uv_pipe_t> { raw.assumingMemoryBound(to: uv_pipe_t.self) }
    var timer: UnsafeMutablePointer<uv_timer_t> { raw.assumingMemoryBound(to: uv_timer_t.self) }
    var signal: UnsafeMutablePointer<uv_signal_t> { raw.assumingMemoryBound(to: uv_signal_t.self) }
    var poll: UnsafeMutablePointer<uv_poll_t> { raw.assumingMemoryBound(to: uv_poll_t.self) }
    var async: UnsafeMutablePointer<uv_async_t> { raw.assumingMemoryBound(to: uv_async_t.self) }
    var fsEvent: UnsafeMutablePointer<uv_fs_event_t> {
        raw.assumingMemoryBound(to: uv_fs_event_t.self)
    }
    var prepare: UnsafeMutablePointer<uv_prepare_t> {
        raw.assumingMemoryBound(to: uv_prepare_t.self)
    }
    var idle: UnsafeMutablePointer<uv_idle_t> { raw.assumingMemoryBound(to: uv_idle_t.self) }
    var process: UnsafeMutablePointer<uv_process_t> {
        raw.assumingMemoryBound(to: uv_process_t.self)
    }

    /// Keeps the owner alive until the close callback; call once, after the handle's init.
    func retain(_ owner: some HandleOwner) {
        handle.pointee.data = Unmanaged.passRetained(owner).toOpaque()
    }

    /// Closes an initialised handle of an owner; the close callback frees the memory and releases
    /// the owner.
    func close() { uv_close(handle, releaseOwnerAndFree) }

    /// Closes an initialised handle that retains no owner.
    func closeUnowned() { uv_close(handle, freeHandle) }

    /// Frees memory whose init failed, so that there is nothing to close.
    func freeUninitialized() { raw.deallocate() }
}

/// The owner a callback's handle or request belongs to, from its `data`.
func owner<Owner: AnyObject>(_ data: UnsafeMutableRawPointer, as: Owner.Type) -> Owner {
    Unmanaged<Owner>.fromOpaque(data).takeUnretainedValue()
}

/// Tells the owner of a walked handle that the loop closes.
func closeWalkedHandle(
    _ handle: UnsafeMutablePointer<uv_handle_t>?,
    _: UnsafeMutableRawPointer?
) {
    guard let handle, uv_is_closing(handle) == 0, let data = handle.pointee.data else { return }
    let object = owner(data, as: AnyObject.self)
    guard let handleOwner = object as? any HandleOwner else {
        preconditionFailure("an open handle has no owner that could close it")
    }
    handleOwner.closeWithLoop()
}

private func releaseOwnerAndFree(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle else { return }
    let data = handle.pointee.data
    UnsafeMutableRawPointer(handle).deallocate()
    if let data { Unmanaged<AnyObject>.fromOpaque(data).release() }
}

private func freeHandle(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle else { return }
    UnsafeMutableRawPointer(handle).deallocate()
}

/// The heap memory of one request, which retains its owner until its only callback.
struct RequestMemory {
    let raw: UnsafeMutableRawPointer

    init(_ type: uv_req_type, waiting: some AnyObject) {
        raw = .allocate(byteCount: uv_req_size(type), alignment: 16)
        raw.assumingMemoryBound(to: uv_req_t.self).pointee.data =
            Unmanaged.passRetained(waiting).toOpaque()
    }

    func bound<Request>(to: Request.Type) -> UnsafeMutablePointer<Request> {
        raw.assumingMemoryBound(to: Request.self)
    }

    /// Frees the request and releases its owner: in the callback, or when starting it failed.
    @discardableResult
    static func take<Waiting: AnyObject>(
        _ request: UnsafeMutableRawPointer,
        as: Waiting.Type
    ) -> Waiting? {
        let data = request.assumingMemoryBound(to: uv_req_t.self).pointee.data
        request.deallocate()
        return data.map { Unmanaged<Waiting>.fromOpaque($0).takeRetainedValue() }
    }
}
