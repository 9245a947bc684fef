// What exists at a path given by a person.
internal import Glibc

enum Files {
    /// What exists there; nil if nothing exists, or nothing that can be read as a file.
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
            return "it is not a regular file"
        }
        return String(cString: strerror(errno)).lowercased()
    }
}
