// The answer of a run: made when a client asks for it, a bounded part of it each turn, and kept. In
// which form is in AnswerCache.swift; how it is sent is in CoordinatorMachine+Queries.swift.

internal import Core
internal import DequeModule
internal import JSON
internal import Wire

extension CoordinatorMachine {
    /// Whether a request for the answer can be replied to now, with the answer or an error.
    ///
    /// If not, making the answer begins here.
    mutating func hasAnswer(for get: Get) -> Bool {
        guard get.what == .answer, let id = get.id.flatMap(RunID.init), let run = runs.slot(of: id)
        else { return true }
        if runs[run].answer != nil { return true }
        if !runs.unmadeAnswers.contains(id) {
            var work = PageWork()
            if makeAnswer(of: run, &work) { return true }
            runs.unmadeAnswers.append(id)
        }
        return false
    }

    /// Makes more of the answers that were asked for, and sends those that are there.
    mutating func makeAnswers(in turn: inout CoordinatorTurn) {
        guard !runs.unmadeAnswers.isEmpty else { return }
        var work = PageWork(turns: 8)
        var isMade = false
        while !work.isUsedUp, let id = runs.unmadeAnswers.first {
            if let run = runs.slot(of: id), runs[run].answer == nil {
                guard makeAnswer(of: run, &work) else { break }
            }
            runs.unmadeAnswers.removeFirst()
            isMade = true
        }
        if isMade { answerWaiting(in: &turn) }
    }

    /// True when the answer is there.
    mutating func makeAnswer(of run: Int, _ work: inout PageWork) -> Bool {
        let isMade = runs[run].makeAnswer(within: limits.maxValue, work: &work)
        runs.markUnbooked(run)
        return isMade
    }

    /// The answer, which is there; one of a run that goes on is made again for the next question.
    mutating func takeAnswer(of run: Int) -> JSONPieces {
        guard let answer = runs[run].answer else { return JSONPieces(.null) }
        runs[run].answers.dropPresent()
        runs.markUnbooked(run)
        return answer
    }
}
