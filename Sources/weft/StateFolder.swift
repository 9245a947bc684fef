// The state folder of a process: the user's own, or a temporary one that leaves nothing behind.

internal import FoundationEssentials
internal import Glibc
internal import Transport

struct StateFolder {
    let path: String
    let isEphemeral: Bool

    /// Names the folder of the flag or the environment, or makes a temporary one.
    static func open(_ flag: String?, isEphemeral: Bool) throws(CommandFailure) -> StateFolder {
        guard isEphemeral else {
            let environment = ProcessInfo.processInfo.environment
            return StateFolder(
                path: StateDirectory.resolve(flag: flag, environment: environment),
                isEphemeral: false
            )
        }
        let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(parent)/weftline-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure(.usage, "No temporary folder can be made in \(parent).")
        }
        let bytes = template.dropLast().map { UInt8(bitPattern: $0) }
        return StateFolder(path: String(decoding: bytes, as: UTF8.self), isEphemeral: true)
    }

    func removeIfEphemeral() {
        guard isEphemeral else { return }
        try? FileManager.default.removeItem(atPath: path)
    }
}
