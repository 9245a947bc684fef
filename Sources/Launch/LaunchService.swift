// The shell of a launch: one site for each place, one timer. It turns what sites tell into events
// for the machine and executes its actions; all decisions are in LaunchCore.
internal import Core
public import LaunchCore
internal import Tools
public import Transport
public import UVLoop

/// A running launch on one loop.
///
/// Confined to its loop. It starts workers and keeps them running until `down`; then `onFinish` is
/// called, once.
public final class LaunchService {
    /// How a launch is started.
    public struct Options {
        /// What is launched.
        public var file: LaunchFile
        /// The path of this program.
        public var program: String
        /// Unique among launches; begins the names of folders on hosts.
        public var id: String
        /// The environment of every process that is started.
        public var environment: [(String, String)]
        /// A private folder for sockets, which is removed in any case.
        public var folder: String
        /// A folder that remains when this process is killed, and is seen by a Slurm cluster.
        public var stateFolder: String
        /// Folders of which nothing is copied to other places: where the keys are.
        public var privateFolders: [String]
        /// Where workers find the coordinator.
        public var coordinator: Endpoint
        /// Makes the line by which workers join a coordinator that they find at an address.
        public var joinLine: (Endpoint) throws -> String

        /// Makes options.
        public init(
            file: LaunchFile,
            program: String,
            id: String,
            environment: [(String, String)],
            folder: String,
            stateFolder: String,
            privateFolders: [String],
            coordinator: Endpoint,
            joinLine: @escaping (Endpoint) throws -> String
        ) {
            self.file = file
            self.program = program
            self.id = id
            self.environment = environment
            self.folder = folder
            self.stateFolder = stateFolder
            self.privateFolders = privateFolders
            self.coordinator = coordinator
            self.joinLine = joinLine
        }
    }

    /// Called after every change of a worker's state.
    public var onChange: (() -> Void)?
    /// Called with lines for people.
    public var onLine: ((LaunchLine) -> Void)?
    /// Called when nothing of the launch is left.
    public var onFinish: ((LaunchMachine.Outcome) -> Void)?

    /// What is launched.
    public let file: LaunchFile
    private let loop: EventLoop
    private let sites: [any LaunchSite]
    private var machine: LaunchMachine
    private var actions: [LaunchMachine.Action] = []
    private var isCarryingOut = false
    private var timer: Timer?

    /// Prepares a launch; nothing happens before `start`.
    public init(loop: EventLoop, options: Options) {
        self.loop = loop
        file = options.file
        let context = LaunchContext(
            loop: loop,
            program: options.program,
            digest: System.digest(of: options.program) ?? "unreadable",
            id: options.id,
            environment: options.environment,
            folder: options.folder,
            privateFolders: options.privateFolders,
            coordinator: options.coordinator,
            joinLine: options.joinLine
        )
        let places = LaunchPlaces(options.file, context, stateFolder: options.stateFolder)
        sites = places.sites
        machine = LaunchMachine(
            LaunchSettings(
                groups: places.groups,
                siteCount: places.sites.count,
                drainLimit: options.file.drainLimit ?? .seconds(60)
            )
        )
    }

    /// Begins to start workers.
    public func start() {
        timer = Timer(loop: loop) { [weak self] in self?.handle(.deadlineReached) }
        handle(.startRequested)
    }

    /// Gives a group another size; false if there is no such group.
    public func scale(_ group: String, to count: Int) -> Bool {
        guard let place = file.groups.firstIndex(where: { $0.name == group }) else { return false }
        handle(.scaleRequested(group: place, count: count))
        return true
    }

    /// Takes in all ready nodes that wait for a worker.
    public func noteDemand(_ nodes: [WaitingCall]) {
        handle(.demandSeen(nodes.waiting(for: file.groups)))
    }

    /// Ends all workers and then the launch: gently, or at once.
    public func down(isUrgent: Bool) { handle(.downRequested(isUrgent: isUrgent)) }

    // MARK: - What people see

    /// Every worker, by group and number.
    public var workers: [LaunchedWorker] {
        machine.statuses.map { status in
            LaunchedWorker(
                name: name(of: status.id),
                group: file.groups[status.id.group].name,
                site: sites[status.site].name,
                state: status.state,
                note: status.note,
                starts: status.starts,
                slots: status.slots
            )
        }
    }

    /// The groups, with how many workers each should have.
    public var groups: [LaunchedGroup] {
        file.groups.enumerated().map { place, group in
            LaunchedGroup(name: group.name, count: machine.count(of: place), range: group.range)
        }
    }

    /// The commands that remove what would outlive this process if it were killed.
    public var removals: [[String]] {
        var found: Set<[String]> = []
        return machine.statuses.compactMap { status in
            switch status.state {
            case .starting, .pending, .running, .draining: sites[status.site].removal(of: status.id)
            case .waiting, .copying, .ended, .failed: nil
            }
        }.filter { found.insert($0).inserted }
    }

    /// Every command that would be run, for all workers that there are at first.
    ///
    /// Of a group that grows, also those for one worker more.
    public var steps: [LaunchStep] {
        sites.enumerated().flatMap { number, site in
            site.steps(for: plans(at: number)).map {
                LaunchStep(site: site.name, when: $0.when, command: $0.command)
            }
        }
    }

    private func plans(at site: Int) -> [MemberPlan] {
        machine.groups.enumerated().flatMap { place, group -> [MemberPlan] in
            let canGrow = group.count < group.elastic?.range.upperBound ?? 0
            let numbers = 1..<(group.count + (canGrow ? 2 : 1))
            return numbers.filter { group.sites[($0 - 1) % group.sites.count] == site }
                .map { plan(MemberID(group: place, number: $0)) }
        }
    }

    private func name(of id: MemberID) -> String {
        "\(file.name)-\(file.groups[id.group].name)-\(id.number)"
    }

    private func plan(_ id: MemberID) -> MemberPlan {
        MemberPlan(id: id, name: name(of: id), group: file.groups[id.group])
    }

    // MARK: - Events

    private func handle(_ event: LaunchMachine.Event) {
        guard !machine.hasEnded else { return }
        machine.handle(event, at: Instant(nanoseconds: loop.nowNanoseconds), into: &actions)
        carryOut()
        guard !isCarryingOut else { return }
        if let deadline = machine.nextDeadline() {
            timer?.schedule(at: deadline.nanoseconds)
        } else {
            timer?.cancel()
        }
        onChange?()
    }

    /// Carries out the actions in order; what they cause at once is appended and done as well.
    private func carryOut() {
        guard !isCarryingOut else { return }
        isCarryingOut = true
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            carryOut(action)
        }
        actions.removeAll(keepingCapacity: true)
        isCarryingOut = false
    }

    private func carryOut(_ action: LaunchMachine.Action) {
        switch action {
        case .prepare(let site):
            sites[site].prepare { [weak self] in self?.handleReport($0, ofSite: site) }
        case .release(let site):
            sites[site].release { [weak self] in self?.handle(.siteReleased(site)) }
        case .start(let id, let site, let isAgain):
            var plan = plan(id)
            plan.isAgain = isAgain
            sites[site].start(plan) { [weak self] in self?.handleReport($0, of: id) }
        case .drain(let id): site(of: id)?.drain(id)
        case .stop(let id): site(of: id)?.stop(id)
        case .kill(let id): site(of: id)?.kill(id)
        case .report(let notice): onLine?(line(about: notice))
        case .finish(let outcome):
            timer?.close()
            timer = nil
            onFinish?(outcome)
        }
    }

    private func site(of id: MemberID) -> (any LaunchSite)? {
        machine.site(of: id).map { sites[$0] }
    }

    private func handleReport(_ report: SiteReport, ofSite site: Int) {
        switch report {
        case .advanced(let step): handle(.siteAdvanced(site, step))
        case .ready: handle(.sitePrepared(site))
        case .failed(let reason, let isFinal):
            handle(.siteFailed(site, reason: reason, isFinal: isFinal))
        }
    }

    private func handleReport(_ report: MemberReport, of id: MemberID) {
        switch report {
        case .pending(let reason): handle(.memberPending(id, reason: reason))
        case .ready(let slots): handle(.memberReady(id, slots: slots))
        case .unconnected(let reason): handle(.memberUnconnected(id, reason: reason))
        case .said(let text): onLine?(line("\(name(of: id)): \(text)", about: id))
        case .ended(let end): handle(.memberEnded(id, end))
        }
    }

    private func line(
        _ text: String,
        about id: MemberID,
        isTrouble: Bool = false
    ) -> LaunchLine {
        LaunchLine(
            text: text,
            group: file.groups[id.group].name,
            member: name(of: id),
            site: machine.site(of: id).map { sites[$0].name },
            isTrouble: isTrouble
        )
    }

    private func line(about notice: LaunchMachine.Notice) -> LaunchLine {
        func next(_ pause: Duration?) -> String {
            pause.map { "; the next try is in \($0.components.seconds) s" } ?? "; it is given up"
        }
        switch notice {
        case .siteFailed(let site, let reason, let pause):
            let name = sites[site].name
            let text = "\(name): \(reason)\(next(pause))"
            return LaunchLine(text: text, site: name, isTrouble: true)
        case .memberFailed(let id, let reason, let pause):
            let text = "\(name(of: id)) ended: \(reason)\(next(pause))"
            return line(text, about: id, isTrouble: true)
        case .memberLeft(let id): return line("\(name(of: id)) has left", about: id)
        case .drainTooLong(let id):
            let text = "\(name(of: id)) drains for too long and is stopped"
            return line(text, about: id, isTrouble: true)
        case .scaled(let group, let count, let isByDemand):
            let name = file.groups[group].name
            let why = isByDemand ? ", because nodes wait" : ""
            return LaunchLine(text: "\(name) has \(count) workers from now on\(why)", group: name)
        }
    }
}

@available(*, unavailable)
extension LaunchService: Sendable {}
