// Small files that only this user may read.
internal import FoundationEssentials
internal import Glibc

enum PrivateFile {
    /// Writes a new file of mode 0600; false if that is not possible.
    static func write(_ text: String, to path: String) -> Bool {
        unlink(path)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        let bytes = Array(text.utf8)
        let isWritten = Glibc.write(file, bytes, bytes.count) == bytes.count
        return close(file) == 0 && isWritten
    }

    /// Replaces a file as a whole, so that readers see the old text or the new one.
    static func replace(_ path: String, with text: String) -> Bool {
        let draft = "\(path).new"
        guard write(text, to: draft) else { return false }
        return rename(draft, path) == 0
    }

    static func remove(_ path: String) { unlink(path) }

    static func text(of path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The last line of a file that is not blank.
    static func lastLine(of path: String) -> String? {
        text(of: path)?.split(separator: "\n").last { $0.contains { !$0.isWhitespace } }
            .map(String.init)
    }
}
