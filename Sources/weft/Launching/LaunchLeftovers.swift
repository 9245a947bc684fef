// What a launch that was killed has left: workers that do not end with it, such as batches, and the
// folder of its state.
internal import FoundationEssentials
internal import JSON
internal import Launch
internal import UVLoop

enum LaunchLeftovers {
    /// Removes what launches without a process have left.
    ///
    /// What cannot be removed is left for the next launch, which tries again.
    static func sweep(_ stateFolder: String) {
        let base = LaunchState.base(stateFolder)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        for name in names.sorted() {
            guard let left = LaunchState(left: name, in: stateFolder) else { continue }
            let removals = (left.document?["removals"]?.arrayValue ?? []).map {
                run($0.arrayValue?.compactMap(\.stringValue) ?? [])
            }
            removals.allSatisfy { $0 } ? left.remove() : left.leave()
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
