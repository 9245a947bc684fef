// The new folder in which a process works: made for it, removed after it.
internal import Glibc
internal import UVLoop

/// A folder for one process that only this user may enter, in the folder of the worker's keeper.
struct WorkingFolder {
    /// The absolute path.
    let path: String

    /// Where the folders of keepers are made: `TMPDIR`, or `/tmp`.
    static func base(_ environment: [String: String]) -> String {
        guard let base = environment["TMPDIR"], base.hasPrefix("/") else { return "/tmp" }
        return base
    }

    /// Makes a folder.
    init(of keeper: ProcessKeeper) throws(UVError) {
        path = try keeper.makeFolder()
    }

    /// Removes the folder and its contents; a folder that is not empty is removed off the loop.
    func remove(_ loop: EventLoop) {
        guard rmdir(path) != 0, errno != ENOENT else { return }
        let path = path
        loop.offload {
            TemporaryFolder.removeTree(path)
        } then: { _ in
        }
    }
}
