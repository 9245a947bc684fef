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
            let removals = (document["removals"]?.arrayValue ?? []).map {
                run($0.arrayValue?.compactMap(\.stringValue) ?? [])
            }
            if removals.allSatisfy({ $0 }) {
                TemporaryFolder.removeTree("\(base)/\(name)")
            } else if !name.contains(".") {
                // The next launch tries again. No launch has a name with a dot, so that a later one
                // of the same name does not write over what is to be removed.
                rename("\(base)/\(name)", "\(base)/\(name).\(getpid())")
            }
        }
    }

    /// Runs a command to its end; false if it fails.
    private static func run(_ words: [String]) -> Bool {
        guard !words.isEmpty, let loop = try? EventLoop() else { return words.isEmpty }
        var isDone = false
        let child = try? ChildProcess.spawn(
            loop: loop,
            options: ChildProcess.Options(
                arguments: words,
                environment: LaunchSurroundings.environment
            ),
            onOutput: { _, _ in },
            onExit: { isDone = $0.signal == 0 && $0.code == 0 }
        )
        withExtendedLifetime(child) { loop.run() }
        loop.close()
        return isDone
    }
}
