// The traces of a coordinator: what is known of a run when it ends becomes spans.

internal import CoordinatorCore
internal import Core
internal import LanguageModels
internal import PlannerCore
internal import Runs
internal import Telemetry
internal import Wire

extension CoordinatorService {
    /// Sends the trace of a run that has ended.
    func export(_ run: Run, _ earlier: [EarlierAttempt]) {
        let calls = openModelCalls.remove(run.id, endedAt: run.endedAt ?? 0)
        guard let exporter, let settings = options.traces, RunTrace.isSampled(run) else { return }
        exporter.add(
            RunTrace(run, earlier: earlier, calls: calls, hasContent: settings.hasContent)
        )
    }

    /// A call of a model for a run has begun.
    func noteCallStart(_ id: ModelCallID, _ purpose: PlannerMachine.Purpose, _ source: ModelSource)
    {
        guard exporter != nil, let age = machine.age(of: id.run, at: now) else { return }
        let facts = ModelCallFacts(
            isPlanning: purpose == .planner,
            provider: source.provider,
            model: source.model,
            start: age,
            end: age
        )
        openModelCalls.begin(id.run, id.number, facts)
    }

    /// A call of a model has ended, in the model that answered at last.
    func noteCallEnd(_ id: ModelCallID, _ course: ModelCourse, _ source: ModelSource) {
        guard exporter != nil, let age = machine.age(of: id.run, at: now) else { return }
        openModelCalls.end(id.run, id.number) { facts in
            facts.provider = source.provider
            facts.model = source.model
            facts.end = age
            facts.usage = course.usage
            facts.failure = course.failure?.code.rawValue
        }
    }
}
