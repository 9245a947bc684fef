// The state folder of a process: the user's own, or a temporary one that is removed.

internal import FoundationEssentials
internal import Transport
package import UVLoop

package struct StateFolder {
    package let path: String
    /// Set for a folder that is removed at the end of this process.
    private let temporary: TemporaryFolder?

    private static let prefix = "weft-state-"

    /// Uses the folder of the flag or the environment, or makes a temporary one.
    ///
    /// Removes temporary folders of killed processes.
    package static func open(
        _ flag: String?,
        isEphemeral: Bool
    ) throws(CommandFailure) -> StateFolder {
        let environment = ProcessInfo.processInfo.environment
        guard isEphemeral else {
            return StateFolder(
                path: StateDirectory.resolve(flag: flag, environment: environment),
                temporary: nil
            )
        }
        let parent = environment["TMPDIR"] ?? "/tmp"
        TemporaryFolder.sweep(parent, prefix: prefix)
        do {
            let folder = try TemporaryFolder(in: parent, prefix: prefix)
            return StateFolder(path: folder.path, temporary: folder)
        } catch {
            throw CommandFailure(
                .usage,
                "No temporary folder can be made in \(parent): \(error.explanation)."
            )
        }
    }

    /// Starts a process that removes a temporary folder when this one is killed; nil for a folder
    /// that stays.
    package func startRemover(on loop: EventLoop) throws(UVError) -> ProcessKeeper? {
        guard let temporary else { return nil }
        let keeper = ProcessKeeper(loop: loop, folder: temporary)
        try keeper.start()
        return keeper
    }

    package func removeIfEphemeral() {
        if temporary != nil { TemporaryFolder.removeTree(path) }
    }
}
