// What there is at a path that a person named.
internal import Glibc

enum Files {
    /// What lies there; nil if nothing does, or nothing that can be read as a file.
    static func entry(at path: String) -> CommandLineCheck.Entry? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
    }
}
