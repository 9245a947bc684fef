// What this host and this program are.
internal import FoundationEssentials
internal import Glibc
internal import Wire

/// This host, as `uname` describes it, and files of it.
enum System {
    /// `Linux x86_64`, as `uname -sm` prints it.
    static var description: String {
        #if arch(x86_64)
        "Linux x86_64"
        #elseif arch(arm64)
        "Linux aarch64"
        #else
        "another system"
        #endif
    }

    /// How many cores this host has, as far as this process may use them.
    static var coreCount: Int { max(ProcessInfo.processInfo.activeProcessorCount, 1) }

    /// An absolute path without links, as far as there is such a file.
    static func realPath(_ path: String) -> String {
        guard let text = realpath(path, nil) else { return path }
        defer { free(text) }
        return String(cString: text)
    }

    /// The size of a file in bytes; 0 if there is none.
    static func size(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// The SHA-256 of a file as hex digits; nil if it cannot be read.
    static func digest(of path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var hash = SHA256()
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(file, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return Hex.encode(hash.digest()) }
            hash.update(bytes[..<count])
        }
    }
}
