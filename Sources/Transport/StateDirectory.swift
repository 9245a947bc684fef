// Where a user's Weftline processes keep files that must survive them: keys, and the coordinator's
// journal.
internal import Glibc

/// The directory for keys and journals.
public enum StateDirectory {
    /// The path: the `--state` flag, else `WEFT_STATE_DIR`, else `weftline` in `XDG_STATE_HOME`,
    /// else `~/.local/state/weftline`.
    ///
    /// Empty values count as absent, and so does a relative `XDG_STATE_HOME`, as its specification
    /// demands. Nothing is created.
    public static func resolve(flag: String?, environment: [String: String]) -> String {
        if let flag, !flag.isEmpty {
            return flag
        }
        if let path = environment["WEFT_STATE_DIR"], !path.isEmpty {
            return path
        }
        if let path = environment["XDG_STATE_HOME"], path.hasPrefix("/") {
            return path + "/weftline"
        }
        return home(environment) + "/.local/state/weftline"
    }

    private static func home(_ environment: [String: String]) -> String {
        if let path = environment["HOME"], path.hasPrefix("/") {
            return path
        }
        guard let entry = getpwuid(getuid()), let path = entry.pointee.pw_dir else { return "" }
        return String(cString: path)
    }

    /// Makes the directory with mode 0700 unless it exists, and the directories above it.
    ///
    /// - Throws: If it cannot be made, is not a directory, belongs to another user, or is writable
    ///   by others, who could then replace its files.
    public static func prepare(_ path: String) throws(KeyFileError) {
        try makeDirectories(path)
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw KeyFileError(path: path, reason: .unreadable(lastError()))
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw KeyFileError(path: path, reason: .notADirectory)
        }
        guard status.st_uid == geteuid() else {
            throw KeyFileError(path: path, reason: .anotherOwner)
        }
        guard status.st_mode & 0o022 == 0 else {
            throw KeyFileError(path: path, reason: .directoryWritableByOthers)
        }
    }

    private static func makeDirectories(_ path: String) throws(KeyFileError) {
        if path.isEmpty || mkdir(path, 0o700) == 0 || errno == EEXIST {
            return
        }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw KeyFileError(path: path, reason: .notCreated(lastError()))
        }
        try makeDirectories(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw KeyFileError(path: path, reason: .notCreated(lastError()))
        }
    }
}

/// The system's message for the last call that failed.
func lastError() -> String {
    guard let text = strerror(errno) else { return "error \(errno)" }
    return String(cString: text)
}
