// The fresh folder that a process works in: made for it alone, removed after it.
internal import FoundationEssentials
internal import Glibc
internal import UVLoop

/// A folder that only we may enter, for one process.
struct WorkingFolder {
    /// The absolute path.
    let path: String

    /// Where folders are made: `TMPDIR`, or `/tmp`.
    static func base(_ environment: [String: String]) -> String {
        guard let base = environment["TMPDIR"], base.hasPrefix("/") else { return "/tmp" }
        return base
    }

    /// Makes a folder; throws the system's error code.
    init(in base: String) throws(Errno) {
        var template = Array("\(base)/weft-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Removes the folder and all in it; a folder that is not empty is removed off the loop.
    func remove(_ loop: EventLoop) {
        guard rmdir(path) != 0, errno != ENOENT else { return }
        let path = path
        loop.offload {
            Self.removeTree(path)
        } then: { _ in
        }
    }

    /// Removes what is there.
    ///
    /// Folders that the process took the write permission from are opened up; whoever left the
    /// process's group may still write, so that one try may not be enough.
    private static func removeTree(_ path: String) {
        let files = FileManager.default
        for _ in 0..<3 {
            if (try? files.removeItem(atPath: path)) != nil { return }
            guard files.fileExists(atPath: path) else { return }
            for entry in (try? files.subpathsOfDirectory(atPath: path)) ?? [] {
                let inner = path + "/" + entry
                // A link is not followed: what it points to is not ours.
                guard (try? files.destinationOfSymbolicLink(atPath: inner)) == nil else { continue }
                chmod(inner, 0o700)
            }
        }
    }

    /// An error of the system.
    struct Errno: Error {
        /// The number.
        var code: Int32
        /// What it means, in the system's words.
        var explanation: String {
            strerror(code).map { String(cString: $0) } ?? "error \(code)"
        }
    }
}
