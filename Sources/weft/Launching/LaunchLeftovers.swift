// What a launch that was killed has left: workers that do not end with it, such as batches, and the
// folder of its state.
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import Launch
internal import UVLoop

enum LaunchLeftovers {
    /// Removes what launches without a process have left.
    static func sweep(_ stateFolder: String, except kept: String?) {
        let base = LaunchState.base(stateFolder)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        for name in names.sorted() where name != kept {
            guard LaunchState.owner(of: name, in: stateFolder) == nil,
                let document = LaunchState.document(of: name, in: stateFolder)
            else { continue }
            for entry in document["removals"]?.arrayValue ?? [] {
                run(entry.arrayValue?.compactMap(\.stringValue) ?? [])
            }
            TemporaryFolder.removeTree("\(base)/\(name)")
        }
    }

    /// Runs a command to its end; it may find nothing to remove.
    private static func run(_ words: [String]) {
        guard !words.isEmpty, let loop = try? EventLoop() else { return }
        let child = try? ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: words,
                environment: LaunchSurroundings.environment
            ),
            onOutput: { _, _ in },
            onExit: { _ in }
        )
        withExtendedLifetime(child) { loop.run() }
        loop.close()
    }
}
