// The state folder of a coordinator, kept between starts: the keys, the epoch, and a lock so that
// two coordinators cannot use one folder. Runs are not stored here.

internal import Glibc
public import Transport
internal import Wire

/// The state folder of one running coordinator; holds its lock while it exists.
public final class CoordinatorState {
    /// The folder.
    public let path: String
    /// The identities and their keys.
    public let keys: KeyStore
    /// How many times a coordinator was started with this folder, this time included.
    public let epoch: Int

    private let lock: Int32

    /// Opens the folder, makes missing files, and takes the lock.
    ///
    /// - Throws: `CoordinatorStateError` with a sentence that says what to do.
    public init(path: String) throws(CoordinatorStateError) {
        self.path = path
        do {
            keys = try KeyStore.load(from: path, makesKeys: true)
        } catch {
            throw CoordinatorStateError(description: "\(error)")
        }
        let lockPath = "\(path)/coordinator.lock"
        let file = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else {
            throw CoordinatorStateError(
                description: "\(lockPath) cannot be opened (error \(errno)); check the folder."
            )
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            throw CoordinatorStateError(
                description: "Another coordinator uses the state folder \(path); stop it, or "
                    + "start this one with another --state folder."
            )
        }
        do throws(CoordinatorStateError) {
            epoch = try Self.nextEpoch(file, lockPath)
        } catch {
            close(file)
            throw error
        }
        lock = file
    }

    deinit {
        close(lock)
    }

    /// Reads the number in the lock file, adds one and writes it back.
    ///
    /// A new file is empty. Other content that is not a number is an error: with an epoch that was
    /// used before, workers would resume sessions of another coordinator.
    private static func nextEpoch(
        _ file: Int32,
        _ path: String
    ) throws(CoordinatorStateError) -> Int {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = max(pread(file, &bytes, bytes.count, 0), 0)
        let digits = String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self)
        let last = digits.isEmpty ? 0 : Int(digits) ?? -1
        guard (0..<Limits.largestInteger).contains(last) else {
            throw CoordinatorStateError(
                description: "\(path) should hold the number of this coordinator's starts and "
                    + "holds something else; remove the file, and restart the workers."
            )
        }
        let epoch = last + 1
        let text = Array("\(epoch)\n".utf8)
        _ = ftruncate(file, 0)
        _ = pwrite(file, text, text.count, 0)
        _ = fsync(file)
        return epoch
    }
}

/// Why a state folder cannot be used, with what to do.
public struct CoordinatorStateError: Error, Sendable, CustomStringConvertible {
    /// A sentence for a person.
    public let description: String
}
