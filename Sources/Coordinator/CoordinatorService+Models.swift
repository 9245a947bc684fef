// Calls of language models: what they report becomes events, and is counted and traced.

internal import CoordinatorCore
internal import Core
internal import LanguageModels
internal import PlannerCore
internal import UVLoop

extension CoordinatorService {
    /// Calls the model for a purpose; its reports become events, the last one ends the call.
    func call(
        _ id: ModelCallID,
        _ request: ModelRequest,
        _ purpose: PlannerMachine.Purpose
    ) {
        let model = purpose == .planner ? models?.planner : models?.joiner
        guard let model else {
            let failure = ModelFailure(
                code: .badConfiguration,
                message: "No model is configured for the \(purpose)."
            )
            machine.handle(.modelReported(id, .failed(failure)), at: now, into: &actions)
            return takeRecords()
        }
        var course = ModelCourse(startedAt: loop.nowNanoseconds)
        modelCalls[id] = model.call(request) { [weak self] event in
            guard let self else { return }
            course.note(event)
            if course.isEnded, let call = modelCalls.removeValue(forKey: id) {
                modelNumbers.count(course, of: call.source, at: loop.nowNanoseconds)
                noteCallEnd(id, course, call.source)
            }
            handle(.modelReported(id, event))
        }
        if let call = modelCalls[id] { noteCallStart(id, purpose, call.source) }
    }
}
