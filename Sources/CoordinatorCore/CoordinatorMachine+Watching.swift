// Who watches a run, and how events get to those who read slower than they happen: a watcher that
// has much to take gets no more at once, but from the kept events when it has taken it. Which events
// there are is in CoordinatorMachine+Events.swift.

internal import Core
internal import DequeModule
internal import JSON
internal import Plans
internal import Runs
internal import Wire

/// A watcher that is behind: what it gets next of the kept events.
struct Lag: Sendable {
    var run: RunID
    var level: WatchLevel
    /// The number of the first event that it may not have.
    var next: Int
    /// The last event of a run that has ended, in case the run is forgotten before.
    var last: EventMessage?
    /// Where each node is now, told before what follows.
    var restatement: Restatement?
    /// Records of nodes before this number are not told: the nodes are told as they are now.
    var nodesFrom = 0
}

/// How far a late watcher has been told where each node is.
struct Restatement: Sendable {
    /// The node that comes next.
    var node = 0
    /// Nodes that have an event among those that follow.
    var told: Set<Int> = []
    /// The number of the first event that was not checked for `told`.
    var looked: Int
}

extension CoordinatorMachine {
    /// Adds a watcher, which gets all that is kept from where it says, then what follows.
    ///
    /// One that missed something gets a snapshot first. If events that it asks for are not kept any
    /// more, it is told where each node is that has settled or is on a worker. A run that has ended
    /// gives its last event again.
    mutating func watch(
        _ run: Int,
        _ request: Watch,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) {
        guard peers[id] != nil else { return }
        let from = request.from ?? 0
        let first = runs[run].log.firstSequence
        let latest = runs[run].log.nextSequence
        let counts = runs[run].state.counts
        let isLate = request.from == nil && counts.settled + counts.running > 0
        if request.level >= .nodes, isLate || first > from {
            sendSnapshot(run, id, in: &turn)
        }
        let name = runs[run].id
        peers.inPlace(id) { $0.lags.removeAll { $0.run == name } }
        if !runs[run].state.isEnded { addWatcher(id, request.level, of: run) }
        var lag = Lag(run: name, level: request.level, next: max(from, first))
        if request.level >= .nodes, first > from {
            lag.restatement = Restatement(looked: latest)
            lag.nodesFrom = latest
        }
        note(lag, of: id, in: &turn)
        catchUp(id, in: &turn)
    }

    /// Notes that a peer is behind: it gets the next events when it has read something, or when
    /// nothing waits for it.
    private mutating func note(_ lag: Lag, of id: ConnectionID, in turn: inout CoordinatorTurn) {
        if peers[id]?.lags.isEmpty == true { turn.append(.measureBacklog(id)) }
        peers.inPlace(id) { $0.lags.append(lag) }
    }

    /// Sends a new event to those who want it and have room; the others get it later.
    mutating func tellWatchers(of run: Int, _ event: EventMessage, in turn: inout CoordinatorTurn) {
        guard let highest = runs[run].watchers.highest, event.reaches(highest) else { return }
        let watchers = runs[run].watchers
        for watcher in watchers where event.reaches(watcher.level) {
            let id = watcher.connection
            if isBehind(id, event.run) {
                if event.isTerminal { noteLast(event, for: id) }
            } else if mayTell(id) {
                tell(id, event, in: &turn)
            } else {
                var lag = Lag(run: event.run, level: watcher.level, next: event.sequence)
                if event.isTerminal { lag.last = event }
                note(lag, of: id, in: &turn)
            }
        }
        guard event.isTerminal else { return }
        runs[run].watchers = Watchers()
        for watcher in watchers { dropInterest(of: watcher.connection, in: run) }
    }

    private func isBehind(_ id: ConnectionID, _ run: RunID) -> Bool {
        peers[id]?.lags.contains { $0.run == run } ?? false
    }

    /// Sends what is said of a run at this moment, to a watcher that is not behind.
    mutating func tellNow(
        _ event: EventMessage,
        to watcher: Watcher,
        in turn: inout CoordinatorTurn
    ) {
        guard !isBehind(watcher.connection, event.run), mayTell(watcher.connection) else { return }
        tell(watcher.connection, event, in: &turn)
    }

    /// Sends kept events to a peer that is behind, as far as it has room for them.
    mutating func catchUp(_ id: ConnectionID, in turn: inout CoordinatorTurn) {
        guard let lags = peers[id]?.lags, !lags.isEmpty else { return }
        let toldBefore = peers[id]?.toldBytes ?? 0
        var rest: [Lag] = []
        for (index, lag) in lags.enumerated() {
            guard mayTell(id) else {
                rest.append(contentsOf: lags[index...])
                break
            }
            if let lag = replay(lag, to: id, in: &turn) { rest.append(lag) }
        }
        peers.inPlace(id) { $0.lags = rest }
        // It goes on from here when the connection says that this has left.
        if !rest.isEmpty, let told = peers[id]?.toldBytes, told > toldBefore {
            turn.append(.measureBacklog(id))
        }
    }

    /// Returns what is left; nil when the watcher has everything.
    private mutating func replay(
        _ lag: Lag,
        to id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) -> Lag? {
        guard let run = runs.slot(of: lag.run) else {
            if let last = lag.last { tell(id, last, in: &turn) }
            return nil
        }
        var lag = lag
        guard tellKept(of: run, before: lag.nodesFrom, &lag, id, in: &turn),
            restate(run, &lag, to: id, in: &turn)
        else { return lag }
        // A watcher that asks for events after the last one of a run gets the last one again.
        if runs[run].state.isEnded {
            lag.next = min(lag.next, max(runs[run].log.nextSequence - 1, 0))
        }
        return tellKept(of: run, before: .max, &lag, id, in: &turn) ? nil : lag
    }

    /// Tells what is kept, from where the watcher is up to a number; the end of the run comes last.
    ///
    /// False if there is no room for all.
    private mutating func tellKept(
        of run: Int,
        before limit: Int,
        _ lag: inout Lag,
        _ id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) -> Bool {
        let first = runs[run].log.firstSequence
        if limit == .max, first > max(lag.next, lag.nodesFrom), lag.level >= .progress {
            sendSnapshot(run, id, in: &turn)
        }
        let count = runs[run].log.entries.count
        var index = runs[run].log.position(ofEvent: lag.next)
        while index < count, runs[run].log.entries[index].sequence < limit {
            guard mayTell(id) else { return false }
            let entry = runs[run].log.entries[index]
            let event = keptEvent(entry, of: run, for: lag)
            if let event, !event.isTerminal || limit == .max { tell(id, event, in: &turn) }
            lag.next = entry.eventKind != nil ? entry.sequence + 1 : entry.sequence
            index += 1
        }
        return true
    }

    /// The event of something that is kept, if a watcher that is behind gets it.
    private func keptEvent(
        _ entry: RunLog.Entry,
        of run: Int,
        for lag: Lag
    ) -> EventMessage? {
        guard let kind = entry.eventKind, kind.isTerminal || kind.reaches(lag.level),
            entry.node == nil || entry.sequence >= lag.nodesFrom
        else { return nil }
        return runs[run].state.event(of: entry, detailBytes: limits.detailBytes)
    }

    /// Tells a late watcher where each node is that waits no more: how it ended, or that a worker
    /// has it.
    ///
    /// False if some are left, for which there is no room or no time.
    private mutating func restate(
        _ run: Int,
        _ lag: inout Lag,
        to id: ConnectionID,
        in turn: inout CoordinatorTurn
    ) -> Bool {
        guard var restatement = lag.restatement else { return true }
        guard !audience.isRestating(to: id) else { return false }
        defer {
            let isWhole = restatement.node >= runs[run].state.plan.count
            lag.restatement = isWhole ? nil : restatement
        }
        noteTold(run, &restatement)
        var work = PageWork()
        while restatement.node < runs[run].state.plan.count {
            guard mayTell(id) else { return false }
            guard !work.isUsedUp, !audience.restatingWork.isUsedUp else {
                audience.postpone(id)
                return false
            }
            work.look()
            audience.restatingWork.look()
            let node = restatement.node
            restatement.node += 1
            guard !restatement.told.contains(node),
                let event = runs[run].state.latestEvent(
                    of: node,
                    sequence: max(lag.nodesFrom - 1, 0),
                    at: turn.now,
                    detailBytes: limits.detailBytes
                )
            else { continue }
            work.write(bytes: 256 + (event.data?.count ?? 0))
            audience.restatingWork.write(bytes: 256 + (event.data?.count ?? 0))
            tell(id, event, in: &turn)
        }
        return true
    }

    /// Notes the nodes that have an event among those that follow.
    private func noteTold(_ run: Int, _ restatement: inout Restatement) {
        let log = runs[run].log
        for entry in log.entries[log.position(ofEvent: restatement.looked)...] {
            if entry.eventKind != nil, let node = entry.node { restatement.told.insert(node) }
        }
        restatement.looked = log.nextSequence
    }

    /// Goes on with what the turn before had no time for.
    mutating func restateMore(in turn: inout CoordinatorTurn) {
        for id in audience.beginTurn() { catchUp(id, in: &turn) }
    }

    private mutating func noteLast(_ event: EventMessage, for id: ConnectionID) {
        peers.inPlace(id) { peer in
            guard let index = peer.lags.firstIndex(where: { $0.run == event.run }) else { return }
            peer.lags[index].last = event
        }
    }

    // MARK: - Room

    /// Whether a peer gets events at once: it has not much to take yet, or all peers together have
    /// so little that it may have more.
    private func mayTell(_ id: ConnectionID) -> Bool {
        guard let peer = peers[id] else { return false }
        let isCalm = peers.unsentBytes < limits.allUnsentBytes / 2
        return peer.owedBytes + peer.toldBytes
            < (isCalm ? limits.outboxHighWater : Self.roomPerPeer)
    }

    private mutating func tell(
        _ id: ConnectionID,
        _ event: EventMessage,
        in turn: inout CoordinatorTurn
    ) {
        // A low estimate: a peer that is told to wait surely has a backlog, which will be reported.
        let bytes = 64 + (event.data?.count ?? 0)
        peers.noteTold(bytes, to: id)
        // An end that a client has seen holds for good.
        if event.isTerminal { awaitJournal(id, in: &turn) }
        turn.append(.send(id, .event(event)))
    }
}
