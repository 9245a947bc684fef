// The folder of a launch in the state folder: a lock that tells whether it runs, its state for
// other commands, and their orders to it. Not here: what the orders mean.
internal import FoundationEssentials
internal import Glibc
public import JSON

/// Where a launch runs, as its lock tells.
public enum LaunchOwner: Sendable, Equatable {
    /// Nowhere.
    case none
    /// In a process of this host.
    case process(Int32)
    /// In a process that has no number here: of another host, or of another container.
    case elsewhere
}

/// An order of another command to a running launch.
public enum LaunchOrder: Sendable, Equatable {
    /// A group is to have that many workers.
    case scale(group: String, count: Int)
    /// All workers are to end: gently, or at once.
    case down(isUrgent: Bool)
}

/// The folder of a launch.
///
/// A launch holds a lock on a file of it, which the system releases however the launch ends: a
/// state without the lock is what a killed launch has left. Other commands write an order as a file
/// and send SIGUSR1; the launch removes the file when it has followed the order.
public final class LaunchState {
    /// The folder.
    public let folder: String
    private let lock: Int32
    private var orderCount = 0

    /// The folder with the folders of all launches.
    public static func base(_ stateFolder: String) -> String { "\(stateFolder)/launches" }

    /// Takes the folder of a launch, and makes it; nil if another process has it.
    public convenience init?(taking name: String, in stateFolder: String) throws(LaunchStateError) {
        let folder = "\(Self.base(stateFolder))/\(name)"
        for _ in 0..<Self.tries {
            for path in [Self.base(stateFolder), folder, "\(folder)/orders"] {
                guard mkdir(path, 0o700) == 0 || errno == EEXIST || errno == ENOENT else {
                    throw LaunchStateError(message: "\(path) cannot be made: \(Self.systemMessage)")
                }
            }
            switch Self.lock(folder) {
            case .taken(let lock):
                self.init(folder: folder, lock: lock)
                return
            // Its launch is about to end, or another launch about to remove what a killed one left.
            case .held, .moved: usleep(20_000)
            case .failed(let message):
                throw LaunchStateError(message: "\(folder)/lock: \(message)")
            }
        }
        return nil
    }

    /// Takes what a launch that was killed has left, under another name, so that a new launch may
    /// have the name at once; nil if a process has it, or it is no folder of a launch.
    public convenience init?(left name: String, in stateFolder: String) {
        let folder = "\(Self.base(stateFolder))/\(name)"
        guard case .taken(let lock) = Self.lock(folder) else { return nil }
        // No launch has a name with a dot.
        let other = name.contains(".") ? folder : "\(folder).\(getpid())"
        guard other == folder || rename(folder, other) == 0 else {
            close(lock)
            return nil
        }
        self.init(folder: other, lock: lock)
    }

    private init(folder: String, lock: Int32) {
        self.folder = folder
        self.lock = lock
    }

    /// Gives the folder up as it is, for a later launch.
    public func leave() { close(lock) }

    /// Removes the folder; the log of a launch in the background stays until the next one.
    ///
    /// The name is free before anything in the folder is removed.
    public func remove() {
        let other = folder.hasSuffix(".\(getpid())") ? folder : "\(folder).\(getpid())"
        let isMoved = rename(folder, other) == 0
        try? FileManager.default.removeItem(atPath: isMoved ? other : folder)
        close(lock)
    }

    // MARK: - The lock

    private enum Attempt {
        case taken(Int32)
        /// Another process has it.
        case held
        /// The folder was moved meanwhile.
        case moved
        case failed(String)
    }

    private static let tries = 5

    private static func lock(_ folder: String) -> Attempt {
        let path = "\(folder)/lock"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { return errno == ENOENT ? .moved : .failed(systemMessage) }
        var request = wholeFile
        guard fcntl(file, F_SETLK, &request) == 0 else {
            close(file)
            return .held
        }
        // Between opening and locking, its last launch may have removed the folder.
        var (ours, there) = (stat(), stat())
        guard fstat(file, &ours) == 0, stat(path, &there) == 0, ours.st_ino == there.st_ino,
            ours.st_dev == there.st_dev
        else {
            close(file)
            return .moved
        }
        return .taken(file)
    }

    /// The process that runs a launch.
    ///
    /// Not for a launch's own process: it would lose the lock.
    public static func owner(of name: String, in stateFolder: String) -> LaunchOwner {
        let file = open("\(base(stateFolder))/\(name)/lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return .none }
        defer { close(file) }
        var request = wholeFile
        guard fcntl(file, F_GETLK, &request) == 0, Int32(request.l_type) != F_UNLCK else {
            return .none
        }
        return request.l_pid > 0 ? .process(request.l_pid) : .elsewhere
    }

    /// The launches that run.
    public static func running(in stateFolder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: base(stateFolder))) ?? []
        return names.sorted().filter { name in
            !name.contains(".") && owner(of: name, in: stateFolder) != .none
        }
    }

    private static var wholeFile: flock {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }

    private static var systemMessage: String {
        strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
    }

    // MARK: - The state

    /// The last state that was written to this folder; nil if there is none.
    public var document: JSONValue? { Self.document(in: folder) }

    /// Writes the state for other commands.
    public func publish(_ document: RawJSON) {
        _ = PrivateFile.replace("\(folder)/status.json", with: "\(document)\n")
    }

    /// The last state that a launch wrote, whether it still runs or not.
    public static func document(of name: String, in stateFolder: String) -> JSONValue? {
        document(in: "\(base(stateFolder))/\(name)")
    }

    private static func document(in folder: String) -> JSONValue? {
        PrivateFile.text(of: "\(folder)/status.json").flatMap { try? JSONValue(parsing: $0) }
    }

    // MARK: - Orders

    /// The orders that wait, oldest first, each with what removes it.
    public func orders() -> [(order: LaunchOrder, remove: () -> Void)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/orders")) ?? []
        return names.sorted().compactMap { name in
            guard !name.hasSuffix(".new") else { return nil }
            let path = "\(folder)/orders/\(name)"
            let remove = { PrivateFile.remove(path) }
            guard let text = PrivateFile.text(of: path), let value = try? JSONValue(parsing: text),
                let order = LaunchOrder(value)
            else {
                remove()
                return nil
            }
            return (order, remove)
        }
    }

    /// Gives an order to a launch; returns whether it still waits.
    public static func give(
        _ order: LaunchOrder,
        to name: String,
        in stateFolder: String,
        number: Int
    ) throws(LaunchStateError) -> () -> Bool {
        let owner: Int32
        switch Self.owner(of: name, in: stateFolder) {
        case .process(let process): owner = process
        case .none: throw LaunchStateError(message: "The launch \(name) does not run.")
        case .elsewhere:
            throw LaunchStateError(
                message:
                    "The launch \(name) runs on another host or in another container, where it "
                    + "cannot be reached from here. Give the order there."
            )
        }
        let path = "\(base(stateFolder))/\(name)/orders/\(getpid())-\(number)"
        guard PrivateFile.replace(path, with: "\(RawJSON(order.document))\n") else {
            throw LaunchStateError(message: "\(path) cannot be written: \(systemMessage)")
        }
        kill(owner, SIGUSR1)
        return { access(path, F_OK) == 0 }
    }
}

extension LaunchOrder {
    init?(_ document: JSONValue) {
        if let group = document["scale"]?.stringValue, let count = document["count"]?.intValue {
            self = .scale(group: group, count: count)
        } else if let isUrgent = document["down_now"]?.boolValue {
            self = .down(isUrgent: isUrgent)
        } else {
            return nil
        }
    }

    var document: JSONValue {
        switch self {
        case .scale(let group, let count):
            ["scale": .string(group), "count": .integer(Int64(count))]
        case .down(let isUrgent): ["down_now": .bool(isUrgent)]
        }
    }
}

/// The error for a launch's folder that cannot be used, or a launch that does not run.
public struct LaunchStateError: Error, Sendable, CustomStringConvertible {
    /// What is wrong, for a person.
    public var message: String

    /// The message.
    public var description: String { message }
}

@available(*, unavailable)
extension LaunchState: Sendable {}
