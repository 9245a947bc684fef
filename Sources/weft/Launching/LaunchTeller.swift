// Tells the coordinator of a launch whenever it has changed, so that its page and its interface show
// what is still to come. Not here: the connection (LaunchLink).
internal import Client
internal import Console
internal import Core
internal import FoundationEssentials
internal import Launch
internal import LaunchCore
internal import UVLoop
internal import Weftline
internal import Wire

/// What the coordinator knows of a launch.
///
/// Confined to its loop; does not keep it alive.
final class LaunchTeller {
    private let link: LaunchLink
    private var launch: LaunchDocument?
    /// What the coordinator was told last on this connection.
    private var told: LaunchDocument?
    /// Whether the coordinator of this connection knows of launches.
    private var isUnderstood = true
    private var timer: Timer?

    private static let pause = Duration.seconds(1)

    init(loop: EventLoop, link: LaunchLink) {
        self.link = link
        timer = Timer(loop: loop) { [weak self] in self?.tell() }
    }

    /// The launch is like this now.
    func note(_ launch: LaunchDocument) {
        self.launch = launch
        if timer?.isScheduled != true { tell() }
    }

    /// There is a connection again.
    func begin() {
        told = nil
        isUnderstood = true
        tell()
    }

    func close() {
        timer?.close()
        timer = nil
    }

    /// Tells what is new, and no more for a moment.
    private func tell() {
        guard let launch, launch != told, isUnderstood, link.mayTell, let client = link.client
        else { return }
        told = launch
        timer?.schedule(after: Self.pause)
        timer?.detachFromLoopLife()
        client.tell(of: launch) { [weak self] result in
            if case .failure(let error) = result, error.code == .unknownType {
                // One of an earlier version: it works as well without.
                self?.isUnderstood = false
            }
        }
    }
}

extension LaunchDocument {
    /// So many workers are told, with so many bytes of text about each and about all; the others are
    /// counted.
    ///
    /// A coordinator keeps a little more.
    private static let (mostMembers, mostText, mostTexts) = (500, 300, 160 << 10)

    /// The report of a launch.
    init(_ file: LaunchFile, groups: [LaunchedGroup], workers: [LaunchedWorker]) {
        let there = workers.filter { $0.state != .ended }
        // Those that run are known anyway, as workers.
        let ranked = there.filter { $0.state != .running } + there.filter { $0.state == .running }
        var texts = 0
        let told = ranked.prefix(Self.mostMembers).prefix { worker in
            texts += worker.name.utf8.count + worker.group.utf8.count
            texts += min(worker.site.utf8.count + worker.note.utf8.count, 2 * Self.mostText)
            return texts <= Self.mostTexts
        }
        var states: [String: [MemberState: Int]] = [:]
        for worker in there { states[worker.group, default: [:]][worker.state, default: 0] += 1 }
        func count(_ group: String, _ of: MemberState...) -> Int {
            of.reduce(0) { $0 + (states[group]?[$1] ?? 0) }
        }
        self.init(
            name: file.name,
            host: Self.host,
            pid: Int(ProcessInfo.processInfo.processIdentifier),
            groups: zip(file.groups, groups).map { entry, group in
                LaunchGroupDocument(
                    name: group.name,
                    kind: LaunchGroupDocument.Kind(entry.place),
                    wanted: group.count,
                    running: count(group.name, .running),
                    pending: count(group.name, .waiting, .copying, .starting, .pending),
                    range: group.range
                )
            },
            members: told.map { worker in
                LaunchMemberDocument(
                    name: worker.name,
                    group: worker.group,
                    site: Self.short(worker.site, Limits.keyLength),
                    state: .init(worker.state),
                    slots: worker.slots,
                    note: worker.note.isEmpty ? nil : Self.short(worker.note, Self.mostText)
                )
            },
            more: ranked.count > told.count ? ranked.count - told.count : nil
        )
    }

    private static let host = Self.short(Computer.hostName, 200)

    /// The beginning of a text that has at most so many bytes.
    private static func short(_ text: String, _ most: Int) -> String {
        guard text.utf8.count > most else { return text }
        var bytes = 0
        return String(
            text.unicodeScalars.prefix { scalar in
                bytes += UTF8.width(scalar)
                return bytes <= most
            }
        )
    }
}

extension LaunchGroupDocument.Kind {
    fileprivate init(_ place: GroupEntry.Place) {
        switch place {
        case .local: self = .local
        case .ssh: self = .ssh
        case .slurm: self = .slurm
        case .container: self = .container
        }
    }
}

extension LaunchMemberDocument.State {
    fileprivate init(_ state: MemberState) {
        switch state {
        case .waiting: self = .waiting
        case .copying: self = .copying
        case .starting: self = .starting
        case .pending: self = .pending
        case .running: self = .running
        case .draining: self = .draining
        case .ended: self = .ended
        case .failed: self = .failed
        }
    }
}
