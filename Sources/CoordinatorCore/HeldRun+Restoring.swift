// A run made again from its records, with its planner: that is a function of its settings and of all
// that it was told, so it stands where it stood.

internal import Core
internal import JSON
internal import PlannerCore
internal import Plans
internal import Runs
internal import Wire

extension HeldRun {
    /// Folds the records of a run, the first of which accepted it.
    ///
    /// Nil if they are not those of a run. `calendar` is Unix time in milliseconds at `now`: the
    /// run is as old as it says, or as old as its last record if the clock was set back.
    init?(restoring records: [RunRecord], at now: Instant, calendar: Int) {
        guard case .accepted(let acceptance)? = records.first?.change else { return nil }
        let age = max((calendar - acceptance.unixMilliseconds) * 1_000, records.last?.at ?? 0)
        self.init(Run(acceptance, at: now - .microseconds(age)), author: nil)
        for record in records.dropFirst() {
            guard replay(record) else { return nil }
        }
    }

    private mutating func replay(_ record: RunRecord) -> Bool {
        switch record.change {
        case .plannerMade(let document):
            guard let settings = PlannerSettings(decoding: document) else { return false }
            let goal = state.acceptance.goal ?? ""
            keep(PlannerMachine(goal: goal, settings: settings))
            return applyRead(record)
        case .plannerTold(let input):
            guard let event = state.event(of: input) else { return false }
            // What it wanted was done, and is in the records.
            _ = advancePlanner(event, at: record.at)
        case .toolWrote(let node, let attempt, let text):
            guard applyRead(record) else { return false }
            texts.restore(node, attempt, text)
        case .succeeded, .failed, .retrying, .returned, .cancelled:
            if let node = record.change.node { texts.drop(node) }
            return applyRead(record)
        case .cancelAsked, .failureDecided, .ended:
            dropPlanner()
            return applyRead(record)
        default:
            return applyRead(record)
        }
        return true
    }
}

extension Run {
    /// What a planner was told, from the run as it stood then.
    fileprivate func event(of input: PlannerInput) -> PlannerMachine.Event? {
        switch input {
        case .started: .started
        case .planGiven: givenPlan
        case .reported(let document): ModelEvent(decoding: document).map { .modelReported($0) }
        case .callLost: .callLost
        case .nodeSettled(let node):
            nodes.indices.contains(Int(node)) ? .nodeSettled(joinPart(of: Int(node))) : nil
        case .roundSettled: .roundSettled(joinParts)
        case .toolJoined: .toolJoined(joinOutcome)
        case .toolRefused(let failure): .toolJoined(.failed(failure))
        case .cancelled(let failure): .cancelRequested(failure)
        }
    }
}
