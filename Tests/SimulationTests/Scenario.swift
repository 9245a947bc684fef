// The choices of a seed before the start: limits, workers, runs, and which faults may happen.

import Core
import Scheduling
import Wire

struct Scenario {
    static let keys: [Role: HandshakeKey] = {
        var keys: [Role: HandshakeKey] = [:]
        for (index, role) in Role.allCases.enumerated() {
            keys[role] = HandshakeKey([UInt8](repeating: UInt8(index + 1), count: 32))
        }
        return keys
    }()

    /// Faults happen up to this instant; then everything is repaired.
    let faultsEnd: Instant
    let limits: Limits
    let schedulerLimits: SchedulerLimits
    /// Names and slots of the workers.
    let workers: [(name: String, slots: Int)]
    let clientCount: Int
    /// How many of a thousand clients have a goal instead of a plan.
    let goalPermille: Int
    /// Whether finished runs may be forgotten while a client may still ask for them.
    var mayForget: Bool {
        let limits = Limits()
        return self.limits.finishedBytes < limits.finishedBytes
            || self.limits.heldBytes < limits.heldBytes
    }
    /// Whether runs may have a time limit, and fail when no worker has their tool.
    let hasBudgets: Bool
    /// The mean pause between two faults.
    let faultPause: Duration
    /// The workers that cannot start a tool, with the tool.
    let sick: [String: String]
    /// How many processes a worker can have at a time, if fewer than its slots.
    let scarce: [String: Int]
    /// The tool whose nodes always need approval, if there is one.
    let approvedTool: String?
    /// How often a look finds a tool gone, in a thousand.
    let gonePermille: Int
    /// How many of a thousand nodes of repeatable tools kill their worker.
    let killerPermille: Int
    /// The faults that this seed draws from.
    let strikes: [Strike]
    /// How often a message is delayed for long, in a thousand.
    let delayPermille: Int

    /// Faults at random times; other faults are drawn where they happen.
    enum Strike: CaseIterable {
        case crash
        case cut
        case stop
        case twin
        case drainOrdered
        case drainRequested
        case slowReader
        case clientCut
        case pause
        case keyChange
        case coordinatorCrash
        case diskFull
        case toolList
        case longPause
        case leaderLost
    }

    /// The most workers of a scenario.
    static let mostWorkers = 3

    /// Whether several coordinators share the journal, one of which leads.
    let sharesJournal: Bool
    /// Whether every loss must be the fault of the coordinator itself.
    let isCalm: Bool

    init(drawing draw: inout SeededDraw) {
        var limits = Limits()
        // Small lines, so that ordinary values go in chunks, and what events tell is left out.
        limits.maxLine = draw.permille(500) ? 20 << 10 : 5 << 10
        limits.chunkBytes = draw.permille(500) ? 700 : 1 << 10
        limits.window = 4 << 10
        limits.heartbeat = .seconds(1)
        limits.lease = .seconds(4)
        limits.resumeWindow = .milliseconds(1_500)
        limits.handshake = .seconds(3)
        limits.cancelGrace = .milliseconds(500)
        limits.outboxHighWater = draw.permille(500) ? 64 << 20 : 8 << 10
        limits.argumentBytes = draw.permille(500) ? 64 << 20 : draw.int(0...2_000)
        limits.allUnsentBytes = draw.permille(700) ? 256 << 20 : draw.int(1 << 10...40 << 10)
        if draw.permille(150) { limits.unfinishedRuns = draw.int(1...3) }
        if draw.permille(150) { limits.unwrittenBytes = draw.int(0...3_000) }
        if draw.permille(150) { limits.eventLogEntries = draw.int(5...30) }
        if draw.permille(150) { limits.eventBytes = draw.int(500...5_000) }
        if draw.permille(100) { limits.finishedBytes = draw.int(0...20_000) }
        if draw.permille(150) { limits.heldBytes = draw.int(20_000...120_000) }
        if draw.permille(150) { limits.runBytes = draw.int(6_000...40_000) }
        limits.runBytes = min(limits.runBytes, limits.heldBytes)
        if draw.permille(500) { limits.attemptTextBytes = draw.int(0...1_500) }
        if draw.permille(200) { limits.runTextBytes = draw.int(0...3_000) }
        limits.approvalTimeout = draw.duration(.milliseconds(100) ... .seconds(6))
        approvedTool = draw.permille(200) ? draw.element(SimulatedTools.mix) : nil
        self.limits = limits
        var schedulerLimits = SchedulerLimits()
        schedulerLimits.cancelGrace = .milliseconds(500)
        schedulerLimits.answerMargin = .milliseconds(500)
        // Half of the seeds settle skipped or cancelled nodes over many turns.
        if limits.chunkBytes == 700 { schedulerLimits.settlementsPerTurn = 2 }
        self.schedulerLimits = schedulerLimits
        faultsEnd = .zero + draw.duration(.seconds(2) ... .seconds(10))
        var workers: [(name: String, slots: Int)] = []
        for index in 0..<max(draw.int(0...Self.mostWorkers), 1) {
            workers.append(("w\(index)", draw.int(1...3)))
        }
        self.workers = workers
        clientCount = draw.int(2...6)
        goalPermille = draw.element([0, 0, 300, 1_000]) ?? 0
        hasBudgets = draw.permille(300)
        faultPause = draw.duration(.milliseconds(150) ... .milliseconds(1_500))
        var sick: [String: String] = [:]
        var scarce: [String: Int] = [:]
        for worker in workers {
            if draw.permille(120) { sick[worker.name] = draw.element(SimulatedTools.mix) }
            if draw.permille(120) { scarce[worker.name] = draw.int(0...2) }
        }
        self.sick = sick
        self.scarce = scarce
        gonePermille = draw.permille(150) ? 400 : 0
        killerPermille = draw.permille(150) ? 150 : 0
        // Most seeds have few classes of faults at a time: a fault may hide the effect of another
        // one.
        var strikes: [Strike] = []
        for strike in Strike.allCases where draw.permille(Self.chance(of: strike)) {
            strikes.append(strike)
        }
        // In a few seeds only the coordinator is paused: then no peer may be lost.
        let isCalm = draw.permille(100)
        self.isCalm = isCalm
        sharesJournal = !isCalm && draw.permille(150)
        if sharesJournal { strikes += [.leaderLost, .leaderLost] }
        let calmStrikes: [Strike] = draw.permille(500) ? [.pause] : [.pause, .longPause]
        self.strikes = isCalm ? calmStrikes : strikes
        delayPermille = !isCalm && draw.permille(300) ? 20 : 0
    }

    /// In how many of a thousand seeds a fault may happen.
    private static func chance(of strike: Strike) -> Int {
        switch strike {
        // It lasts longer than the time of faults.
        case .longPause: 120
        case .leaderLost: 0
        default: 400
        }
    }
}
