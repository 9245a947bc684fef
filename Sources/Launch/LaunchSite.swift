// What the service of a launch needs of a place where workers start. Each kind of place has a file.
internal import LaunchCore
internal import Transport
internal import UVLoop

/// What a site tells while it is prepared, and afterwards.
enum SiteReport {
    case advanced(String)
    case ready
    case failed(reason: String, isFinal: Bool)
}

/// What a site tells of a worker that it started.
enum MemberReport {
    case pending(String)
    /// It offers its tools, on so many slots if it tells.
    case ready(slots: Int?)
    case unconnected(String)
    /// A line that the worker wrote for people.
    case said(String)
    case ended(MemberEnd)
}

/// What a worker tells this program on its standard output, beside lines for people.
enum WorkerWord: Equatable {
    case ready(slots: Int?)
    case waiting(String)
    /// A signal makes it drain.
    case signalled

    /// Reads a line; nil if it is for people.
    init?(_ line: String) {
        guard let text = line.suffix(after: "weft-worker ") else { return nil }
        if text == "ready" {
            self = .ready(slots: nil)
        } else if let slots = text.suffix(after: "ready ") {
            self = .ready(slots: Int(slots))
        } else if let reason = text.suffix(after: "waiting ") {
            self = .waiting(reason)
        } else if text == "signalled" {
            self = .signalled
        } else {
            return nil
        }
    }
}

/// A worker that is to start.
struct MemberPlan {
    var id: MemberID
    /// Unique among the workers of a coordinator.
    var name: String
    var group: GroupEntry
    /// Whether an earlier process may still have the name.
    var isAgain = false

    /// The arguments of the worker, with the path of its manifest where it runs.
    func arguments(manifest: String?, endsWithInput: Bool = true) -> [String] {
        group.workerArguments(
            name: name,
            manifest: manifest,
            isFirst: group.range.map { id.number <= $0.lowerBound } ?? false,
            isAgain: isAgain,
            endsWithInput: endsWithInput
        )
    }
}

/// A place where workers start.
///
/// `prepare` reports `ready` or `failed` once, and may report `failed` again when the site is lost.
/// `start` reports `ended` once, last.
protocol LaunchSite: AnyObject {
    /// The name for people.
    var name: String { get }

    func prepare(_ report: @escaping (SiteReport) -> Void)
    func release(_ then: @escaping () -> Void)
    func start(_ plan: MemberPlan, _ report: @escaping (MemberReport) -> Void)
    func drain(_ member: MemberID)
    func stop(_ member: MemberID)
    func kill(_ member: MemberID)

    /// All commands that it would run for these workers, for people; none has a secret.
    func steps(for plans: [MemberPlan]) -> [SiteStep]

    /// The command that removes a worker after this process was killed; nil if it ends by itself.
    func removal(of member: MemberID) -> [String]?
}

/// What all sites of a launch use.
final class LaunchContext {
    let loop: EventLoop
    /// Opens connections of ssh a few at a time.
    let gate: ConnectionGate
    /// The path of this program.
    let program: String
    /// The SHA-256 of this program, as hex digits.
    let digest: String
    /// Unique among launches.
    let id: String
    /// The environment of every process.
    let environment: [(String, String)]
    /// A private folder for sockets, which is removed in any case.
    let folder: String
    /// Folders of which nothing is copied to other places, with absolute paths.
    private let privateFolders: [String]
    /// Where workers find the coordinator.
    var coordinator: Endpoint
    /// Makes the line by which workers join a coordinator that they find at an address.
    private let joinLine: (Endpoint) throws -> String

    init(
        loop: EventLoop,
        program: String,
        digest: String,
        id: String,
        environment: [(String, String)],
        folder: String,
        privateFolders: [String],
        coordinator: Endpoint,
        joinLine: @escaping (Endpoint) throws -> String
    ) {
        self.loop = loop
        gate = ConnectionGate(loop)
        self.program = program
        self.digest = digest
        self.id = id
        self.environment = environment
        self.folder = folder
        self.privateFolders = privateFolders.map(System.realPath)
        self.coordinator = coordinator
        self.joinLine = joinLine
    }

    /// What of a folder is not copied to other places: paths in it, without the folder.
    func privateNames(in folder: String) -> [String] {
        let path = System.realPath(folder)
        return privateFolders.compactMap {
            $0.suffix(after: path.hasSuffix("/") ? path : path + "/")
        }
    }

    /// Calls back with the line by which a worker joins; without one the worker ends.
    func withJoinLine(
        _ coordinator: Endpoint,
        _ report: @escaping (MemberReport) -> Void,
        _ body: (String) -> Void
    ) {
        do {
            body(try joinLine(coordinator))
        } catch {
            let end = MemberEnd(status: 1, reason: "\(error)")
            loop.nextTurn { report(.ended(end)) }
        }
    }
}
