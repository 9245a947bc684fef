// One worker session as the scheduler sees it: what it offers, what it holds, whether it may get
// more. Slots are credits; a bounded number of attempts may be prefetched beyond them.

internal import Core
internal import DequeModule

struct ScheduledWorker: Sendable {
    let id: WorkerID
    /// What it gets nodes of; without tools that pause because they could not be started.
    var profile: WorkerProfile
    var tools: Tools
    /// The suspects of a lost worker that it holds; those of one group at a time.
    var hosted: HostedSuspects?
    /// The group of workers with the same tools.
    var group = -1
    var isConnected = true
    var isSuspect = false
    var isDraining = false
    var pause = Pause()
    /// The attempts that it holds; nodes know their position in here.
    var attempts: [HeldAttempt] = []
    /// Counts the attempts that were sent to it.
    var sentCount: UInt64 = 0
    /// How many attempts beyond its slots it takes, as far as is known now.
    var prefetchLimit: Int
    var lanes = Lanes()
    /// Whether the next pass checks it because it may have room again.
    var isListed = false
    /// Whether the reviews of prefetched attempts look at it.
    var isReviewed = false
    /// Attempts that ended since the last look at stalled prefetches.
    var endedSinceReview = 0

    /// What it can run.
    struct Tools: Sendable {
        /// The tools that it offers.
        var offered: [String: ToolOffer]
        /// Tools that it does not offer any more; attempts of them may go on.
        var withdrawn: [String: ToolOffer] = [:]
        /// The tools that it could not start lately.
        var cooling: [String: Cooling] = [:]
    }

    /// The pause after it refused an attempt as one too many.
    struct Pause: Sendable {
        /// Whether nothing has ended on it since.
        var isOn = false
        /// Refusals of that kind since an attempt last succeeded on it, one for each pause.
        var count = 0
        /// When the pause ends at the latest; nil without one.
        var end: Instant?
    }

    /// Where it stands in the pools that it belongs to.
    struct Lanes: Sendable {
        /// Its place in each of its pools; slots of pools that are gone are used again.
        var standings: [Standing] = []
        var vacancies: [Int32] = []
        /// Standings that left the lane of free slots because it was full, the first one first.
        var outOfFree: Deque<Int32> = []
        /// Standings that left the lane of prefetching.
        var outOfAhead: Deque<Int32> = []
        /// What it holds of tools with a limit of their own, and who waits for that.
        var limited: [String: LimitedTool] = [:]
    }

    /// An attempt, with when it was sent in relation to the others.
    struct HeldAttempt: Sendable {
        var node: NodeSlot
        var order: UInt64
    }

    /// A worker's place in one pool.
    struct Standing: Sendable {
        /// The pool; -1 if there is none.
        var pool: Int32
        /// Whether it stands among the members with free slots.
        var isInFree = false
        /// Whether it stands among the members that may prefetch.
        var isInAhead = false
    }

    /// A tool that may run a few times at once only.
    struct LimitedTool: Sendable {
        var held = 0
        /// Standings that left a lane because the limit was reached.
        var outOfFree: [Int32] = []
        var outOfAhead: [Int32] = []
    }

    init(id: WorkerID, profile: WorkerProfile, limits: SchedulerLimits) {
        self.id = id
        self.profile = profile
        tools = Tools(offered: profile.tools)
        prefetchLimit = profile.prefetchLimit(limits)
    }

    var mayTakeMore: Bool { isConnected && !isSuspect && !isDraining && !pause.isOn }
    var hasFreeSlot: Bool { attempts.count < profile.slots }
    /// Whether it may hold any attempt beyond those that it holds now.
    var mayPrefetch: Bool { attempts.count < profile.slots + prefetchLimit }

    /// Whether the tool's own limit on this worker leaves room.
    func isBelowConcurrency(_ tool: String) -> Bool {
        guard let limit = profile.tools[tool]?.concurrency else { return true }
        return (lanes.limited[tool]?.held ?? 0) < limit
    }

    /// How many attempts it may hold when a class allows that many beyond each slot.
    func holdLimit(perSlot: Int) -> Int {
        profile.slots + min(perSlot * profile.slots, prefetchLimit)
    }
}

extension WorkerProfile {
    /// How many attempts beyond its slots the worker gets.
    func prefetchLimit(_ limits: SchedulerLimits) -> Int {
        max(0, min(queueLimit ?? limits.prefetchUnannounced, limits.prefetchPerWorker))
    }
}
