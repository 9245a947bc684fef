// Changes of the files in a folder, delivered on the loop. What changed is for the user to find out.
internal import CLibuv

/// Calls a closure on the loop when a file of a folder was changed, made or removed, with the name
/// of the file if the system tells it; does not keep the loop alive.
///
/// Lives until it is closed. Changes in quick succession may be delivered as one, and there may be
/// calls without a change. Files below its folders are not watched.
public final class FolderWatch {
    private let loop: EventLoop
    private let memory = HandleMemory(UV_FS_EVENT)
    private var onChange: ((String?) -> Void)?
    private var isClosed = false

    /// Watches a folder; throws if it cannot be watched.
    public init(
        loop: EventLoop,
        path: String,
        onChange: @escaping (_ name: String?) -> Void
    ) throws(UVError) {
        loop.preconditionNotClosed()
        self.loop = loop
        self.onChange = onChange
        var result = uv_fs_event_init(loop.raw, memory.fsEvent)
        guard result == 0 else {
            memory.freeUninitialized()
            throw UVError(code: result, operation: "watch \(path)")
        }
        memory.retain(self)
        uv_unref(memory.handle)
        result = uv_fs_event_start(memory.fsEvent, folderChanged, path, 0)
        guard result == 0 else {
            close()
            throw UVError(code: result, operation: "watch \(path)")
        }
    }

    /// Stops watching.
    ///
    /// Calling it again does nothing.
    public func close() {
        loop.assertOnLoop()
        guard !isClosed else { return }
        isClosed = true
        onChange = nil
        memory.close()
    }

    fileprivate func changed(_ name: String?) {
        guard loop.phase == .open else { return }
        onChange?(name)
    }
}

extension FolderWatch: HandleOwner {
    func closeWithLoop() { close() }
}

@available(*, unavailable)
extension FolderWatch: Sendable {}

private func folderChanged(
    _ handle: UnsafeMutablePointer<uv_fs_event_t>?,
    name: UnsafePointer<CChar>?,
    _: Int32,
    _: Int32
) {
    guard let data = handle?.pointee.data else { return }
    owner(data, as: FolderWatch.self).changed(name.map { String(cString: $0) })
}
