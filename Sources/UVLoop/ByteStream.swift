// One libuv stream, a TCP socket or one end of a pipe: reads into the loop's buffer, writes at once
// what the other side accepts and queues the rest. Not here: how a stream is opened, and the
// meaning of its end.
internal import CLibuv
internal import Glibc

/// An open libuv stream; lives until it is closed.
final class ByteStream {
    let loop: EventLoop
    let memory: HandleMemory
    private(set) var isClosed = false
    private var isReading = false
    private var writesQueued = 0
    private var isWriteBroken = false
    /// The number of bytes that were ever passed to `write`.
    private var writtenBytes = 0

    /// Called with each piece read, as a separate array.
    var onBytes: (([UInt8]) -> Void)?
    /// Called when reading has ended: 0 at the end of the stream, else libuv's code.
    var onReadEnd: ((Int32) -> Void)?
    /// Called when queued writes have all been sent (0), or once writing has failed (the code).
    var onWritten: ((Int32) -> Void)?
    /// Called when a shutdown is complete or has failed.
    var onShutDown: (() -> Void)?
    /// Called instead of all others when the loop closes the stream: its user removes its own
    /// callbacks, which may be reference cycles.
    var onLoopClosing: (() -> Void)?

    static func tcp(loop: EventLoop) -> ByteStream {
        let stream = ByteStream(UV_TCP, loop)
        uv_tcp_init(loop.raw, stream.memory.tcp)
        stream.memory.retain(stream)
        return stream
    }

    static func pipe(loop: EventLoop) -> ByteStream {
        let stream = ByteStream(UV_NAMED_PIPE, loop)
        uv_pipe_init(loop.raw, stream.memory.pipe, 0)
        stream.memory.retain(stream)
        return stream
    }

    private init(_ type: uv_handle_type, _ loop: EventLoop) {
        loop.preconditionNotClosed()
        self.loop = loop
        memory = HandleMemory(type)
    }

    /// Bytes that were queued and not yet accepted by the system.
    var unsentBytes: Int {
        isClosed || isWriteBroken ? 0 : uv_stream_get_write_queue_size(memory.stream)
    }

    /// Bytes that the peer's system has accepted since the stream was opened.
    ///
    /// Bytes that our own system holds do not count: that number would continue to grow for a while
    /// after the peer has stopped reading.
    var takenBytes: Int { writtenBytes - unsentBytes - systemQueueBytes }

    /// Bytes in the system's send queue, which the peer has not acknowledged.
    private var systemQueueBytes: Int {
        var descriptor: uv_os_fd_t = -1
        var count: CInt = 0
        guard !isClosed, uv_fileno(memory.handle, &descriptor) == 0,
            ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0
        else { return 0 }
        return Int(count)
    }

    /// Starts reading; a failure to read is reported in a later turn.
    func startReading() {
        guard !isClosed, !isReading else { return }
        let result = uv_read_start(memory.stream, provideBuffer, bytesArrived)
        isReading = result == 0
        guard result < 0 else { return }
        loop.nextTurn { [self] in
            if !isClosed { onReadEnd?(result) }
        }
    }

    func stopReading() {
        guard !isClosed, isReading else { return }
        isReading = false
        uv_read_stop(memory.stream)
    }

    /// Reads available bytes, up to a limit, without waiting for the loop's turn.
    func readNow(atMost limit: Int) {
        var rest = limit
        while rest > 0, isReading, !isClosed {
            var descriptor: uv_os_fd_t = -1
            guard uv_fileno(memory.handle, &descriptor) == 0 else { return }
            let count = read(descriptor, loop.readBuffer.baseAddress, loop.readBuffer.count)
            guard count > 0 else { return }
            rest -= count
            finishRead(count, loop.readBuffer.baseAddress?.assumingMemoryBound(to: CChar.self))
        }
    }

    /// How many of the written bytes have not been read, as far as the system knows for a pipe.
    var unreadBytes: Int {
        guard !isClosed, !isWriteBroken else { return .max }
        var descriptor: uv_os_fd_t = -1
        var waiting: Int32 = 0
        guard uv_fileno(memory.handle, &descriptor) == 0,
            ioctl(descriptor, UInt(FIONREAD), &waiting) == 0
        else { return 0 }
        return unsentBytes + Int(waiting)
    }

    /// Sends what the system accepts now and queues the rest; leaves the array empty.
    func write(_ bytes: inout [UInt8]) {
        guard !isClosed, !isWriteBroken else {
            bytes.removeAll(keepingCapacity: true)
            return
        }
        let count = bytes.count
        guard count > 0 else { return }
        writtenBytes += count
        var sent = 0
        if writesQueued == 0 {
            sent = bytes.withUnsafeBytes { tryWrite($0) }
            guard sent < count else {
                bytes.removeAll(keepingCapacity: true)
                return
            }
        }
        queue(bytes, from: sent)
        bytes = []
    }

    /// Sends what the system accepts now and queues a copy of the rest.
    func write(_ bytes: ArraySlice<UInt8>) {
        guard !isClosed, !isWriteBroken, !bytes.isEmpty else { return }
        writtenBytes += bytes.count
        let sent = writesQueued == 0 ? bytes.withUnsafeBytes { tryWrite($0) } : 0
        if sent < bytes.count { queue([UInt8](bytes.dropFirst(sent)), from: 0) }
    }

    /// Ends the outgoing side when all queued writes have been sent.
    func shutDown() {
        guard !isClosed else { return }
        let request = RequestMemory(UV_SHUTDOWN, waiting: self)
        let result = uv_shutdown(
            request.bound(to: uv_shutdown_t.self),
            memory.stream,
            shutdownFinished
        )
        guard result < 0 else { return }
        RequestMemory.take(request.raw, as: ByteStream.self)
        loop.nextTurn { [self] in
            if !isClosed { onShutDown?() }
        }
    }

    /// Closes the stream; queued bytes are dropped and no callback is called any more.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        onBytes = nil
        onReadEnd = nil
        onWritten = nil
        onShutDown = nil
        onLoopClosing = nil
        memory.close()
    }

    /// Returns how many bytes were sent.
    ///
    /// An error counts as 0 bytes: the queued write gets it again and reports it in a later turn.
    private func tryWrite(_ bytes: UnsafeRawBufferPointer) -> Int {
        var buffer = uv_buf_t(bytes)
        return max(0, Int(uv_try_write(memory.stream, &buffer, 1)))
    }

    private func queue(_ bytes: [UInt8], from start: Int) {
        let write = QueuedWrite(stream: self, bytes: bytes)
        let request = RequestMemory(UV_WRITE, waiting: write)
        // The elements of a native array do not move while the request holds the array and nothing
        // changes it, so libuv may read them until the request's callback.
        var buffer = write.bytes.withUnsafeBytes { uv_buf_t(.init(rebasing: $0[start...])) }
        let result = uv_write(
            request.bound(to: uv_write_t.self),
            memory.stream,
            &buffer,
            1,
            writeFinished
        )
        if result == 0 {
            writesQueued += 1
            return
        }
        RequestMemory.take(request.raw, as: QueuedWrite.self)
        isWriteBroken = true
        loop.nextTurn { [self] in
            if !isClosed { onWritten?(result) }
        }
    }

    fileprivate func finishWrite(_ status: Int32) {
        writesQueued -= 1
        guard !isClosed, !isWriteBroken else { return }
        if status < 0 {
            isWriteBroken = true
            onWritten?(status)
        } else if writesQueued == 0 {
            onWritten?(0)
        }
    }

    fileprivate func finishRead(_ count: Int, _ base: UnsafePointer<CChar>?) {
        guard !isClosed, count != 0 else { return }
        if count > 0 {
            let bytes = UnsafeRawBufferPointer(start: base, count: count)
            onBytes?([UInt8](bytes))
            return
        }
        isReading = false
        uv_read_stop(memory.stream)
        onReadEnd?(count == Int(UV_EOF.rawValue) ? 0 : Int32(truncatingIfNeeded: count))
    }

    fileprivate func finishShutdown() {
        guard !isClosed else { return }
        onShutDown?()
    }
}

extension ByteStream: HandleOwner {
    func closeWithLoop() {
        let onLoopClosing = onLoopClosing
        close()
        onLoopClosing?()
    }
}

/// A write that waits in libuv's queue, with the bytes libuv reads from.
private final class QueuedWrite {
    let stream: ByteStream
    let bytes: [UInt8]

    init(stream: ByteStream, bytes: [UInt8]) {
        self.stream = stream
        self.bytes = bytes
    }
}

extension uv_buf_t {
    /// A buffer for libuv to read from.
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        self.init(
            base: UnsafeMutableRawPointer(mutating: bytes.baseAddress)?
                .assumingMemoryBound(to: CChar.self),
            len: bytes.count
        )
    }
}

private func provideBuffer(
    _ handle: UnsafeMutablePointer<uv_handle_t>?,
    _: Int,
    _ buffer: UnsafeMutablePointer<uv_buf_t>?
) {
    guard let data = handle?.pointee.data else { return }
    // One buffer serves all streams of a loop: libuv reads into it and calls back at once.
    let space = owner(data, as: ByteStream.self).loop.readBuffer
    buffer?.pointee = uv_buf_t(UnsafeRawBufferPointer(space))
}

private func bytesArrived(
    _ stream: UnsafeMutablePointer<uv_stream_t>?,
    _ count: Int,
    _ buffer: UnsafePointer<uv_buf_t>?
) {
    guard let data = stream?.pointee.data else { return }
    owner(data, as: ByteStream.self).finishRead(count, buffer?.pointee.base)
}

private func writeFinished(_ request: UnsafeMutablePointer<uv_write_t>?, _ status: Int32) {
    guard let request else { return }
    let write = RequestMemory.take(UnsafeMutableRawPointer(request), as: QueuedWrite.self)
    write?.stream.finishWrite(status)
}

private func shutdownFinished(_ request: UnsafeMutablePointer<uv_shutdown_t>?, _: Int32) {
    guard let request else { return }
    RequestMemory.take(UnsafeMutableRawPointer(request), as: ByteStream.self)?.finishShutdown()
}
