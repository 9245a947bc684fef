// One worker session as the scheduler sees it: what it offers, what it holds, whether it may get
// more. Slots are credits; a small number of attempts may be prefetched beyond them.

internal import Plans

struct WorkerRecord: Sendable {
    let id: WorkerID
    let profile: WorkerProfile
    var isConnected = true
    var isSuspect = false
    var isDraining = false
    /// The attempts that it holds; nodes know their position in here.
    var attempts: [NodeSlot] = []
    /// How many attempts of a tool it holds, for tools with a concurrency limit only.
    var held: [String: Int] = [:]
    /// Where it stands in each placement class, by the class's index.
    var standings: [Standing] = []
    /// Classes where it was moved away from the front because it was full.
    var demoted: [Int] = []
    /// Attempts that ended since the last look at stalled prefetches.
    var endedSinceReview = 0

    /// A worker's place in one placement class.
    struct Standing: Sendable {
        var rotation = Rotation.unable
        var hasConcurrencyLimit = false
        var mayPrefetch = false
    }

    /// Which rotation of a class a worker stands in.
    enum Rotation: Sendable {
        /// It cannot run the class.
        case unable
        /// In none: full, suspect or draining when last looked at.
        case none
        /// Among the workers with free slots.
        case front
        /// Among the workers that may prefetch.
        case prefetch
    }

    init(id: WorkerID, profile: WorkerProfile) {
        self.id = id
        self.profile = profile
    }

    var mayTakeMore: Bool { isConnected && !isSuspect && !isDraining }
    var hasFreeSlot: Bool { attempts.count < profile.slots }

    /// Whether it may begin another node of the class at once.
    func hasRoom(in placement: PlacementClass, _ index: Int) -> Bool {
        mayTakeMore && hasFreeSlot && isBelowConcurrency(placement, index)
    }

    /// Whether it may hold another node of the class behind those that fill its slots.
    func mayPrefetch(_ placement: PlacementClass, _ index: Int, limits: SchedulerLimits) -> Bool {
        guard standings[index].mayPrefetch, mayTakeMore else { return false }
        let allowance = placement.prefetchPerSlot(limits: limits) * profile.slots
        return attempts.count < profile.slots + allowance && isBelowConcurrency(placement, index)
    }

    /// Whether the tool's own limit on this worker leaves room.
    func isBelowConcurrency(_ placement: PlacementClass, _ index: Int) -> Bool {
        guard standings[index].hasConcurrencyLimit,
            let limit = profile.tools[placement.tool]?.concurrency
        else { return true }
        return held[placement.tool, default: 0] < limit
    }

    func canRun(_ placement: PlacementClass) -> Bool {
        profile.tools[placement.tool] != nil && !placement.lacksLabels(of: profile)
    }
}
