// Changes of the keys in the state folder while the coordinator runs. What follows from a change is
// decided by the machine.

internal import Transport
internal import UVLoop
internal import Wire

/// Reads the keys again when a file of the state folder was changed.
///
/// Confined to its loop; lives until it is closed.
final class KeyWatch {
    private let folder: String
    private let onChange: (Keyring) -> Void
    private let onProblem: (String) -> Void
    private var keyring: Keyring
    private var watch: FolderWatch?
    private var timer: Timer?

    /// A change takes several steps, each of which is reported.
    private static let pause = Duration.milliseconds(20)

    /// Watches a folder.
    ///
    /// - Parameters:
    ///   - loop: The loop.
    ///   - folder: The state folder.
    ///   - keyring: The keys as they were read at the start.
    ///   - onChange: Called with the keys when they are others.
    ///   - onProblem: Called with a sentence when they cannot be read, and stay as they were.
    init(
        loop: EventLoop,
        folder: String,
        keyring: Keyring,
        onChange: @escaping (Keyring) -> Void,
        onProblem: @escaping (String) -> Void
    ) {
        self.folder = folder
        self.keyring = keyring
        self.onChange = onChange
        self.onProblem = onProblem
        timer = Timer(loop: loop) { [weak self] in self?.read() }
        do throws(UVError) {
            watch = try FolderWatch(loop: loop, path: folder) { [weak self] in
                self?.timer?.schedule(after: Self.pause)
            }
        } catch {
            onProblem("\(error); restart the coordinator after a change of its keys.")
        }
        // What was changed since the start was not reported.
        timer?.schedule(after: Self.pause)
    }

    func close() {
        watch?.close()
        timer?.close()
        watch = nil
        timer = nil
    }

    private func read() {
        do throws(KeyFileError) {
            let read = try KeyStore.load(from: folder, makesKeys: false).keyring
            guard read != keyring else { return }
            keyring = read
            onChange(read)
        } catch {
            onProblem("\(error)")
        }
    }
}
