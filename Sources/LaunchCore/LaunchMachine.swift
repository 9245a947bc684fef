// The decisions of a launch: which sites are prepared, which workers start, when one that failed is
// tried again, and how everything ends. Not here: how a site is prepared and a worker is started.
public import Core

/// A launch without processes, files and clocks: event in, actions out.
///
/// The shell hands every event to `handle`, carries out the actions in order, and sends
/// `deadlineReached` at `nextDeadline()`. After `finish` nothing has an effect any more.
///
/// A group has as many workers as it should have: one that ends without being asked to is started
/// again after a pause. One that drained by itself is not: it was idle, or someone drained it.
public struct LaunchMachine: Sendable {
    private let settings: LaunchSettings
    private(set) var sites: [Site]
    private(set) var members: [MemberID: Member] = [:]
    /// How many slots a worker of each group has, as the last one told.
    private var slots: [Int]
    private var isBegun = false
    private var isGoingDown = false
    private var isUrgent = false
    private var outcome = Outcome.down
    private var hasDeserter = false
    /// Whether there was a `finish`.
    public private(set) var hasEnded = false

    /// A worker that was told to stop is killed after this time.
    private static let stopGrace = Duration.seconds(15)
    /// A worker that came so recently may have taken nodes that were counted before it came.
    private static let settling = Duration.seconds(3)

    /// A launch that has not begun; `startRequested` begins.
    public init(_ settings: LaunchSettings) {
        self.settings = settings
        sites = Array(repeating: Site(), count: settings.siteCount)
        slots = settings.groups.map(\.slots)
        precondition(
            settings.groups.allSatisfy { $0.sites.allSatisfy(sites.indices.contains) },
            "groups name sites that exist"
        )
    }

    // MARK: - What people see

    /// Every worker, by group and number.
    public var statuses: [MemberStatus] {
        members.values.sorted { $0.id < $1.id }.map { $0.status(at: sites[$0.site]) }
    }

    /// The groups as they were given.
    public var groups: [GroupSettings] { settings.groups }

    /// Where a worker is; nil if there is no such worker.
    public func site(of id: MemberID) -> Int? { members[id]?.site }

    /// How many workers a group should have.
    public func count(of group: Int) -> Int {
        members.values.count { $0.id.group == group && $0.isWanted }
    }

    // MARK: - Events

    /// Takes an event and appends what is to be done about it.
    public mutating func handle(_ event: Event, at now: Instant, into actions: inout [Action]) {
        if hasEnded { return }
        var turn = LaunchTurn(at: now, after: exchange(&actions, with: []))
        handle(event, in: &turn)
        settle(in: &turn)
        actions = turn.actions
    }

    private mutating func handle(_ event: Event, in turn: inout LaunchTurn) {
        switch event {
        case .startRequested:
            precondition(!isBegun, "startRequested comes once")
            isBegun = true
            for (place, group) in settings.groups.enumerated() {
                resize(place, to: group.count, in: &turn)
            }
        case .sitePrepared(let site):
            sites[site].retries.noteWorking(at: turn.now)
            if case .preparing = sites[site].state { sites[site].state = .ready }
        case .siteAdvanced(let site, let step):
            if case .preparing = sites[site].state { sites[site].state = .preparing(step) }
        case .siteFailed(let site, let reason, let isFinal):
            handleSiteFailed(site, reason, isFinal, in: &turn)
        case .siteReleased(let site): sites[site].state = .released
        case .memberPending(let id, let reason):
            if members[id]?.canBecomeReady ?? false {
                members[id]?.state = .pending(reason: reason)
            }
        case .memberReady(let id, let slots): handleMemberReady(id, slots, in: &turn)
        case .memberUnconnected(let id, let reason):
            if members[id]?.canBecomeReady ?? false {
                members[id]?.state = .starting(note: reason)
            }
        case .memberEnded(let id, let end): handleMemberEnded(id, end, in: &turn)
        case .scaleRequested(let group, let count): scale(group, to: count, in: &turn)
        case .demandSeen(let nodes): handleDemand(nodes, in: &turn)
        case .downRequested(let isUrgent): goDown(isUrgent: isUrgent, in: &turn)
        case .deadlineReached: handleDeadlines(in: &turn)
        }
    }

    private mutating func handleSiteFailed(
        _ site: Int,
        _ reason: String,
        _ isFinal: Bool,
        in turn: inout LaunchTurn
    ) {
        switch sites[site].state {
        case .preparing where !isGoingDown, .ready where !isGoingDown: break
        // What failed while it was released is gone as well.
        case .preparing, .ready, .releasing:
            sites[site].state = .released
            return
        case .untouched, .pausing, .failed, .released: return
        }
        let pause = sites[site].retries.noteFailure(isFinal: isFinal, at: turn.now)
        turn.append(.report(.siteFailed(site, reason: reason, retryIn: pause)))
        guard let pause else {
            sites[site].state = .failed(reason: reason)
            for id in membersWaiting(at: site) { members[id]?.state = .failed(reason: reason) }
            return
        }
        sites[site].state = .pausing(until: turn.now + pause, reason: reason)
    }

    private mutating func handleMemberReady(
        _ id: MemberID,
        _ slots: Int?,
        in turn: inout LaunchTurn
    ) {
        members[id]?.retries.noteWorking(at: turn.now)
        if let slots, slots > 0 {
            self.slots[id.group] = slots
            members[id]?.slots = slots
        }
        guard let member = members[id], member.canBecomeReady else { return }
        if member.state != .running { members[id]?.readySince = turn.now }
        members[id]?.state = .running
    }

    private mutating func handleMemberEnded(
        _ id: MemberID,
        _ end: MemberEnd,
        in turn: inout LaunchTurn
    ) {
        guard var member = members[id], member.hasProcess else {
            preconditionFailure("memberEnded answers start, but \(id) has no process")
        }
        defer { members[id] = member }
        if case .ending = member.state {
            member.state = .ended(note: end.isOrderly ? "" : end.reason)
        } else if end.isOrderly, !end.wasSignalled {
            turn.append(.report(.memberLeft(id)))
            member.state = .ended(note: "left by itself")
            hasDeserter = true
        } else {
            let pause = member.retries.noteFailure(isFinal: end.isFinal, at: turn.now)
            turn.append(.report(.memberFailed(id, reason: end.reason, retryIn: pause)))
            member.state =
                pause.map { .waiting(notBefore: turn.now + $0, reason: end.reason) }
                ?? .failed(reason: end.reason)
        }
    }

    // MARK: - The size of groups

    private mutating func scale(_ group: Int, to count: Int, in turn: inout LaunchTurn) {
        guard !isGoingDown else { return }
        let range = settings.groups[group].elastic?.range
        let count = range.map { min(max(count, $0.lowerBound), $0.upperBound) } ?? count
        // Who scales a group wants what failed to be tried again.
        for id in members.keys.sorted() where id.group == group {
            if case .failed = members[id]?.state, let site = members[id]?.site {
                members[id]?.state = .waiting(notBefore: nil, reason: "")
                members[id]?.retries = Retries()
                if case .failed = sites[site].state { sites[site] = Site() }
            }
        }
        turn.append(.report(.scaled(group: group, count: count, isByDemand: false)))
        resize(group, to: count, in: &turn)
    }

    private mutating func resize(_ group: Int, to count: Int, in turn: inout LaunchTurn) {
        var wanted = members.values.filter { $0.id.group == group && $0.isWanted }
        wanted.sort { ($0.dispensability, -$0.id.number) < ($1.dispensability, -$1.id.number) }
        for member in wanted.prefix(max(0, wanted.count - count)) {
            end(member.id, stopAt: nil, in: &turn)
        }
        let sites = settings.groups[group].sites
        var number = 0
        for _ in 0..<max(0, count - wanted.count) {
            repeat { number += 1 } while isInUse(MemberID(group: group, number: number))
            let id = MemberID(group: group, number: number)
            members[id] = Member(id: id, site: sites[(number - 1) % sites.count])
        }
    }

    /// Whether the number of a worker is taken, be it by one that still ends.
    private func isInUse(_ id: MemberID) -> Bool {
        guard let member = members[id] else { return false }
        return member.isWanted || member.hasProcess
    }

    private mutating func handleDemand(_ nodes: [WaitingNodes], in turn: inout LaunchTurn) {
        guard isBegun, !isGoingDown else { return }
        let coming = Dictionary(
            grouping: members.values.filter { isComing($0, at: turn.now) },
            by: \.id.group
        )
        let groups = settings.groups.enumerated().map { group, settings in
            Demand.Group(
                elastic: settings.elastic,
                slots: slots[group],
                count: count(of: group),
                coming: coming[group]?.count ?? 0
            )
        }
        var demand = Demand(nodes)
        for (group, more) in demand.workersToAdd(to: groups).enumerated() where more > 0 {
            let count = groups[group].count + more
            turn.append(.report(.scaled(group: group, count: count, isByDemand: true)))
            resize(group, to: count, in: &turn)
        }
    }

    /// Whether a worker will soon take nodes that were counted: it starts, or has only just come.
    ///
    /// One that pauses after a failure may never come.
    private func isComing(_ member: Member, at now: Instant) -> Bool {
        switch member.state {
        case .waiting(nil, _):
            if case .pausing = sites[member.site].state { false } else { true }
        case .starting, .pending: true
        case .running: member.readySince.map { now - $0 < Self.settling } ?? false
        case .waiting, .ending, .ended, .failed: false
        }
    }

    /// Keeps an elastic group at its least size when workers have left by themselves.
    private mutating func refill(in turn: inout LaunchTurn) {
        for (group, settings) in settings.groups.enumerated() {
            guard let least = settings.elastic?.range.lowerBound, count(of: group) < least else {
                continue
            }
            resize(group, to: least, in: &turn)
        }
    }

    // MARK: - Starting

    /// Prepares sites that are needed and starts workers that can start; ends the launch when
    /// nothing of it is left.
    private mutating func settle(in turn: inout LaunchTurn) {
        guard isBegun else { return }
        if isGoingDown { return finishIfDown(in: &turn) }
        refill(in: &turn)
        for id in members.keys.sorted() { startIfPossible(id, in: &turn) }
        endIfHopeless(in: &turn)
    }

    private mutating func startIfPossible(_ id: MemberID, in turn: inout LaunchTurn) {
        guard let member = members[id], case .waiting(let notBefore, _) = member.state else {
            return
        }
        switch sites[member.site].state {
        case .untouched:
            sites[member.site].state = .preparing("")
            turn.append(.prepare(member.site))
        case .pausing(let until, _) where turn.now >= until:
            sites[member.site].state = .preparing("")
            turn.append(.prepare(member.site))
        case .ready:
            if let notBefore, turn.now < notBefore { return }
            members[id]?.state = .starting(note: "")
            members[id]?.starts += 1
            turn.append(.start(id, site: member.site, isAgain: member.retries.hasWorked))
        case .failed(let reason):
            members[id]?.state = .failed(reason: reason)
        case .preparing, .pausing, .releasing, .released:
            break
        }
    }

    private func membersWaiting(at site: Int) -> [MemberID] {
        members.values.filter { member in
            if case .waiting = member.state { member.site == site } else { false }
        }
        .map(\.id).sorted()
    }

    // MARK: - Ending

    private mutating func endIfHopeless(in turn: inout LaunchTurn) {
        guard !members.values.contains(where: \.hasProcess) else { return }
        let wanted = members.values.filter(\.isWanted)
        if wanted.isEmpty {
            guard hasDeserter, settings.groups.allSatisfy({ $0.elastic == nil }) else { return }
            outcome = .deserted
        } else {
            let canGrow = settings.groups.indices.contains(where: canGrow)
            guard wanted.allSatisfy(\.hasFailed), !canGrow else { return }
            outcome = .failed
        }
        goDown(isUrgent: false, in: &turn)
        finishIfDown(in: &turn)
    }

    /// Whether waiting nodes could still bring a worker to a group that might start.
    private func canGrow(_ group: Int) -> Bool {
        let settings = settings.groups[group]
        guard let most = settings.elastic?.range.upperBound, count(of: group) < most else {
            return false
        }
        return settings.sites.contains { site in
            if case .failed = sites[site].state { return false }
            return !members.values.contains {
                $0.id.group == group && $0.site == site && $0.hasFailed
            }
        }
    }

    private mutating func goDown(isUrgent: Bool, in turn: inout LaunchTurn) {
        guard !isGoingDown || isUrgent && !self.isUrgent else { return }
        isGoingDown = true
        self.isUrgent = isUrgent
        let stopAt = isUrgent ? turn.now : settings.drainLimit.map { turn.now + $0 }
        for id in members.keys.sorted() { end(id, stopAt: stopAt, in: &turn) }
        if isUrgent { handleDeadlines(in: &turn) }
    }

    /// Lets a worker end, at the latest at that instant.
    private mutating func end(_ id: MemberID, stopAt: Instant?, in turn: inout LaunchTurn) {
        guard let member = members[id] else { return }
        switch member.state {
        case .waiting: members[id]?.state = .ended(note: "")
        case .failed:
            // Its reason is still of interest when everything ends.
            if !isGoingDown { members[id]?.state = .ended(note: "") }
        case .starting, .pending, .running:
            members[id]?.state = .ending(stopAt: stopAt, killAt: nil)
            if !isUrgent { turn.append(.drain(id)) }
        case .ending(let earlier, nil):
            let instants = [earlier, stopAt].compactMap(\.self)
            members[id]?.state = .ending(stopAt: instants.min(), killAt: nil)
        case .ending, .ended: break
        }
    }

    private mutating func finishIfDown(in turn: inout LaunchTurn) {
        guard !members.values.contains(where: \.hasProcess) else { return }
        for site in sites.indices where sites[site].needsRelease {
            sites[site].state = .releasing
            turn.append(.release(site))
        }
        guard !sites.contains(where: { $0.state == .releasing }) else { return }
        hasEnded = true
        turn.append(.finish(outcome))
    }

    // MARK: - Time

    /// When `deadlineReached` is due; nil if time changes nothing.
    public func nextDeadline() -> Instant? {
        if hasEnded { return nil }
        let ofMembers = members.values.compactMap { member -> Instant? in
            // A worker whose site is not ready waits for the site.
            if case .waiting = member.state, sites[member.site].state != .ready { return nil }
            return member.deadline
        }
        return (ofMembers + sitesToTry.compactMap { sites[$0].deadline }).min()
    }

    /// The sites that are tried again when their pause is over: those for which a worker waits,
    /// unless everything ends.
    private var sitesToTry: [Int] {
        isGoingDown ? [] : sites.indices.filter { !membersWaiting(at: $0).isEmpty }
    }

    private mutating func handleDeadlines(in turn: inout LaunchTurn) {
        for id in members.keys.sorted() {
            guard case .ending(let stopAt, let killAt) = members[id]?.state else { continue }
            if let stopAt, turn.now >= stopAt {
                if !isUrgent { turn.append(.report(.drainTooLong(id))) }
                turn.append(.stop(id))
                members[id]?.state = .ending(stopAt: nil, killAt: turn.now + Self.stopGrace)
                outcome = .stopped
            } else if let killAt, turn.now >= killAt {
                turn.append(.kill(id))
                members[id]?.state = .ending(stopAt: nil, killAt: turn.now + Self.stopGrace)
            }
        }
    }
}
