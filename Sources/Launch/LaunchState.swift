// The folder of a launch in the state folder: a lock that tells whether it runs, its state for
// other commands, and their orders to it. Not here: what the orders mean.
internal import FoundationEssentials
internal import Glibc
public import JSON

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
    public init?(taking name: String, in stateFolder: String) throws(LaunchStateError) {
        folder = "\(Self.base(stateFolder))/\(name)"
        for path in [Self.base(stateFolder), folder, "\(folder)/orders"] {
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                throw LaunchStateError(message: "\(path) cannot be made: \(Self.systemMessage)")
            }
        }
        lock = open("\(folder)/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else {
            throw LaunchStateError(message: "\(folder)/lock: \(Self.systemMessage)")
        }
        var request = Self.wholeFile
        guard fcntl(lock, F_SETLK, &request) == 0 else {
            close(lock)
            return nil
        }
    }

    /// The process that runs a launch; nil if none does.
    public static func owner(of name: String, in stateFolder: String) -> Int32? {
        let file = open("\(base(stateFolder))/\(name)/lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var request = wholeFile
        guard fcntl(file, F_GETLK, &request) == 0, Int32(request.l_type) != F_UNLCK else {
            return nil
        }
        return request.l_pid
    }

    /// The launches that run.
    public static func running(in stateFolder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: base(stateFolder))) ?? []
        return names.sorted().filter { owner(of: $0, in: stateFolder) != nil }
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

    /// Writes the state for other commands.
    public func publish(_ document: RawJSON) {
        _ = PrivateFile.replace("\(folder)/status.json", with: "\(document)\n")
    }

    /// The last state that a launch wrote, whether it still runs or not.
    public static func document(of name: String, in stateFolder: String) -> JSONValue? {
        PrivateFile.text(of: "\(base(stateFolder))/\(name)/status.json")
            .flatMap { try? JSONValue(parsing: $0) }
    }

    /// Removes the folder; the log of a launch in the background stays until the next one.
    public func remove() {
        try? FileManager.default.removeItem(atPath: folder)
        close(lock)
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
        guard let owner = owner(of: name, in: stateFolder) else {
            throw LaunchStateError(message: "The launch \(name) does not run.")
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
