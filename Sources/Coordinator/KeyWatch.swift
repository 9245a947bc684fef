// Changes of the keys in the state folder while the coordinator runs. What follows from a change is
// decided by the machine.

internal import Transport
internal import UVLoop
internal import Wire

/// Reads the keys again when one of their files was changed.
///
/// Confined to its loop; lives until it is closed.
final class KeyWatch {
    private let folder: String
    private let onChange: (Keyring) -> Void
    private let onProblem: (String) -> Void
    private var store: KeyStore
    private var watch: FolderWatch?
    private var timer: Timer?
    /// How long the timer was set to wait; nil when it was not.
    private var scheduledPause: Duration?
    /// The problem that was reported last.
    private var lastProblem: String?

    /// A change takes several steps, each of which is reported.
    private static let pause = Duration.milliseconds(20)
    /// After a problem, and where changes are not reported, the files are read this often: a
    /// revoked key must not be accepted for long.
    private static let retryPause = Duration.seconds(1)

    /// Watches a folder.
    ///
    /// - Parameters:
    ///   - loop: The loop.
    ///   - folder: The state folder.
    ///   - store: The keys as they were read at the start.
    ///   - onChange: Called with the keys when they are others.
    ///   - onProblem: Called with a sentence when they cannot be read, and stay as they were.
    init(
        loop: EventLoop,
        folder: String,
        store: KeyStore,
        onChange: @escaping (Keyring) -> Void,
        onProblem: @escaping (String) -> Void
    ) {
        self.folder = folder
        self.store = store
        self.onChange = onChange
        self.onProblem = onProblem
        let timer = Timer(loop: loop) { [weak self] in
            self?.scheduledPause = nil
            self?.read()
        }
        timer.detachFromLoopLife()
        self.timer = timer
        watch = try? FolderWatch(loop: loop, path: folder) { [weak self] name in
            guard name.map(KeyStore.isPart) ?? true else { return }
            self?.schedule(Self.pause)
        }
        // What was changed since the start was not reported.
        schedule(Self.pause)
    }

    func close() {
        watch?.close()
        timer?.close()
        watch = nil
        timer = nil
    }

    private func schedule(_ pause: Duration) {
        // A change does not wait for the next try after a problem.
        guard scheduledPause.map({ pause < $0 }) ?? true else { return }
        scheduledPause = pause
        timer?.schedule(after: pause)
    }

    private func read() {
        var problem: String?
        do throws(KeyFileError) {
            let read = try KeyStore.load(from: folder, makesKeys: false)
            if let error = read.fileGone(since: store, in: folder) { throw error }
            let isChanged = read.keyring != store.keyring
            store = read
            if isChanged { onChange(read.keyring) }
        } catch {
            problem = "\(error)"
        }
        if let problem, problem != lastProblem { onProblem(problem) }
        lastProblem = problem
        if problem != nil || watch == nil { schedule(Self.retryPause) }
    }
}
