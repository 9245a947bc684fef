// What there is at a path that a person named.
internal import Glibc

enum Files {
    /// What lies there; nil if nothing does, or nothing that can be read as a file.
    static func entry(at path: String) -> CommandLineCheck.Entry? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
    }

    /// Why a file cannot be read, to end a sentence.
    static func reason(at path: String) -> String {
        if entry(at: path) == .folder { return "it is a folder" }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor < 0 else {
            close(descriptor)
            return "it is no regular file"
        }
        return String(cString: strerror(errno)).lowercased()
    }
}
