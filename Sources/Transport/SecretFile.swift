// Files that hold secrets: only their owner may read them, or who the administrator lets, and they are
// always complete. What is in them does not matter here.
internal import Glibc
internal import Wire

/// Reads and writes files that only their owner may read.
///
/// A file of root is read, too, if one of this process's groups may read it and nobody else: so an
/// administrator lends a secret, and so Kubernetes mounts one for a pod with `fsGroup`.
enum SecretFile {
    /// What standard input is called in messages.
    static let standardInput = "(standard input)"
    /// More than any file with secrets has, in bytes.
    private static let largest = 4 << 20

    /// Reads a file and what it says.
    ///
    /// - Throws: If there is none, if it is a link or not a file, belongs to a user that is neither
    ///   this one nor root, or can be read by others; and what the body throws.
    static func read<Content>(
        _ path: String,
        _ body: (ArraySlice<UInt8>) throws(KeyFileError) -> Content
    ) throws(KeyFileError) -> Content {
        // Without O_NONBLOCK, opening a pipe at the path would block for ever.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            switch errno {
            case ENOENT: throw KeyFileError(path: path, reason: .missing)
            case ELOOP: throw KeyFileError(path: path, reason: .symbolicLink)
            default: throw KeyFileError(path: path, reason: .unreadable(lastError()))
            }
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            throw KeyFileError(path: path, reason: .unreadable(lastError()))
        }
        try checkKind(status, path)
        let content = try body(readAll(file, path)[...])
        // Another file may be readable by others for a good reason, so first say that it is not
        // what is wanted.
        try checkAccess(status, path)
        return content
    }

    /// Reads standard input to its end.
    static func readStandardInput() throws(KeyFileError) -> ArraySlice<UInt8> {
        try readAll(STDIN_FILENO, standardInput)[...]
    }

    /// Reads the first line of standard input, and not a byte more.
    static func readLineOfStandardInput() throws(KeyFileError) -> ArraySlice<UInt8> {
        var line: [UInt8] = []
        var byte: [UInt8] = [0]
        while line.count < 64 << 10 {
            let count = Glibc.read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw KeyFileError(path: standardInput, reason: .unreadable(lastError()))
            }
            guard count > 0, byte[0] != UInt8(ascii: "\n") else { break }
            line.append(byte[0])
        }
        return line[...]
    }

    private static func readAll(_ file: Int32, _ path: String) throws(KeyFileError) -> [UInt8] {
        var text: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 4096)
        while text.count < largest {
            let count = Glibc.read(file, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw KeyFileError(path: path, reason: .unreadable(lastError()))
            }
            guard count > 0 else { break }
            text += bytes[..<count]
        }
        return text
    }

    private static func checkKind(_ status: stat, _ path: String) throws(KeyFileError) {
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw KeyFileError(path: path, reason: .folder)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw KeyFileError(path: path, reason: .notAFile)
        }
    }

    private static func checkAccess(_ status: stat, _ path: String) throws(KeyFileError) {
        try checkAccess(
            owner: status.st_uid,
            group: status.st_gid,
            mode: status.st_mode,
            by: (user: geteuid(), groups: ownGroups()),
            path
        )
    }

    /// Whether a user in these groups may trust a file with that owner, group and mode.
    ///
    /// The user's own file must not be open to a group: on many hosts all users have the same one.
    static func checkAccess(
        owner: uid_t,
        group: gid_t,
        mode: mode_t,
        by reader: (user: uid_t, groups: [gid_t]),
        _ path: String
    ) throws(KeyFileError) {
        guard owner == reader.user else {
            let isLent = owner == 0 && mode & 0o027 == 0 && reader.groups.contains(group)
            guard isLent else { throw KeyFileError(path: path, reason: .anotherOwner) }
            return
        }
        guard mode & 0o077 == 0 else { throw KeyFileError(path: path, reason: .readableByOthers) }
    }

    private static func ownGroups() -> [gid_t] {
        var groups = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
        let count = getgroups(Int32(groups.count), &groups)
        return [getegid()] + groups.prefix(Int(max(0, count)))
    }

    /// Writes a new file; one that is there stays as it is, and is an error unless it may exist.
    static func create(
        _ path: String,
        text: String,
        mayExist: Bool
    ) throws(KeyFileError) {
        try writeDraft(of: path, text: text) {
            link($0, path) == 0 || mayExist && errno == EEXIST
        }
    }

    /// Writes a file in place of the one that is there.
    static func replace(_ path: String, text: String) throws(KeyFileError) {
        try writeDraft(of: path, text: text) { rename($0, path) == 0 }
    }

    /// Writes another file and puts it at the path, so that the file is always complete.
    private static func writeDraft(
        of path: String,
        text: String,
        place: (String) -> Bool
    ) throws(KeyFileError) {
        let draft = "\(path).\(Hex.encode(SecureRandom.bytes(8)))"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw KeyFileError(path: path, reason: .notCreated(lastError()))
        }
        defer {
            close(file)
            unlink(draft)
        }
        let bytes = Array(text.utf8)
        guard write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0, place(draft) else {
            let isTaken = errno == EEXIST
            throw KeyFileError(path: path, reason: isTaken ? .exists : .notCreated(lastError()))
        }
        syncFolder(of: path)
    }

    /// Removes a file for good.
    static func remove(_ path: String) {
        unlink(path)
        syncFolder(of: path)
    }

    /// Makes a change of the folder itself last: a removed key must not be back after a power cut.
    private static func syncFolder(of path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
