// Submitting and following runs against a scripted coordinator.
import Core
import JSON
import Plans
import Testing
import Transport
import UVLoop
import Wire

@testable import Client

private let run = known(RunID("r1"))

/// The updates of a handler, in short.
private func word(_ update: RunUpdate) -> String {
    switch update {
    case .accepted(let accepted): "accepted \(accepted.run)"
    case .planComplete: "complete"
    case .event(let event): event.kind.rawValue
    case .failed(let error): "failed \(error.code?.rawValue ?? error.kind.rawValue)"
    }
}

private func event(_ kind: EventKind, _ sequence: Int) -> Message {
    .event(EventMessage(run: run, sequence: sequence, kind: kind, atMicroseconds: 1))
}

@Suite("Submitting and following runs")
struct SubmittingTests {
    @Test("Sends a plan that fits in one message and follows it to its end")
    func submitsWhole() async throws {
        let box = Box<[String]>([])
        let submits = try await withClient { loop, coordinator, client in
            coordinator.onMessage = { message in
                guard case .submit(let submit) = message else { return }
                coordinator.send(.accepted(Accepted(key: submit.key, run: run)))
                coordinator.send(event(.planned, 0))
                coordinator.send(event(.runSucceeded, 1))
                // The run is not followed any more.
                coordinator.send(event(.progress, 1))
                coordinator.send(.ping(Ping(n: 1)))
            }
            var submission = Submission(plan: planText(nodes: 3))
            submission.join = .json
            client.submit(submission) { update in
                box.value.append(word(update))
                if case .event(let event) = update, event.isTerminal {
                    loop.nextTurn { loop.stop() }
                }
            }
        } result: { coordinator in
            coordinator.messages.compactMap { message -> Submit? in
                if case .submit(let submit) = message { submit } else { nil }
            }
        }
        #expect(box.value == ["accepted r1", "complete", "planned", "run_succeeded"])
        #expect(submits.count == 1)
        #expect(submits.first?.isStreamed == false)
        #expect(submits.first?.join == .json)
        // Line ends between nodes are not part of the message.
        #expect(submits.first?.plan?.value(at: [.key("tasks"), .index(2)]) != nil)
    }

    @Test("Sends a large plan in batches after it was accepted; it is complete after the last")
    func submitsInBatches() async throws {
        let box = Box<[String]>([])
        let nodes = try await withClient { loop, coordinator, client in
            coordinator.onMessage = { message in
                guard case .submit(let submit) = message else { return }
                #expect(submit.isStreamed)
                #expect(submit.plan == nil)
                coordinator.send(.accepted(Accepted(key: submit.key, run: run)))
            }
            var submission = Submission(plan: planText(nodes: 30_000, padding: 100))
            submission.watch = nil
            client.submit(submission) { update in
                box.value.append(word(update))
                if case .planComplete = update { loop.stop() }
            }
        } result: { coordinator in
            coordinator.messages.compactMap { message -> Nodes? in
                if case .nodes(let nodes) = message { nodes } else { nil }
            }
        }
        #expect(box.value == ["accepted r1", "complete"])
        #expect(nodes.count > 10)
        #expect(nodes.flatMap(\.tasks).count == 30_000)
        #expect(nodes.map(\.isLast) == nodes.indices.map { $0 == nodes.count - 1 })
        #expect(nodes.last?.joinInstruction == "sum")
    }

    @Test("Reads the rest of a plan while its beginning is being sent", arguments: [true, false])
    func readsRest(isGood: Bool) async throws {
        let box = Box<[String]>([])
        let messages = try await withClient { loop, coordinator, client in
            coordinator.onMessage = { message in
                guard case .submit(let submit) = message else { return }
                #expect(submit.isStreamed)
                coordinator.send(.accepted(Accepted(key: submit.key, run: run)))
            }
            let text = planText(nodes: 500)
            let rest = ScriptedText(loop, text.dropFirst(100), isGood: isGood)
            var submission = Submission(plan: Array(text.prefix(100)))
            submission.watch = nil
            client.submit(submission, rest: rest) { update in
                box.value.append(word(update))
                if case .accepted = update { return }
                client.get(.status) { _ in }
                client.addBarrier(about: "") { _ in loop.stop() }
            }
        } result: {
            $0.messages
        }
        let nodes = messages.compactMap { message -> Nodes? in
            if case .nodes(let nodes) = message { nodes } else { nil }
        }
        if isGood {
            #expect(box.value == ["accepted r1", "complete"])
            #expect(nodes.flatMap(\.tasks).count == 500)
            #expect(nodes.filter(\.isLast).count == 1)
        } else {
            #expect(box.value == ["accepted r1", "failed bad_plan"])
            #expect(!nodes.isEmpty && nodes.allSatisfy { !$0.isLast })
            #expect(nodes.last?.brokenOff?.isEmpty == false)
        }
    }

    @Test("Batches wait while the coordinator does not read")
    func feelsBackPressure() async throws {
        let box = Box<[String]>([])
        let nodeBytes = Box(0)
        try await withClient { loop, coordinator, client in
            var isHeld = false
            coordinator.onMessage = { message in
                switch message {
                case .submit(let submit):
                    coordinator.send(.accepted(Accepted(key: submit.key, run: run)))
                case .nodes(let nodes):
                    nodeBytes.value += nodes.tasks.reduce(0) { $0 + $1.count }
                    guard !isHeld else { return }
                    isHeld = true
                    coordinator.connection?.pauseReading()
                    let pause = Timer(loop: loop) {
                        // The system's buffers hold some of the 60 MB; the rest has not been split
                        // yet.
                        let unsent = client.connection.unsentBytes
                        #expect(unsent > 0)
                        #expect(unsent < 4 << 20)
                        coordinator.connection?.resumeReading()
                    }
                    pause.schedule(after: .milliseconds(200))
                default:
                    break
                }
            }
            var submission = Submission(plan: planText(nodes: 600, padding: 100_000))
            submission.watch = nil
            client.submit(submission) { update in
                box.value.append(word(update))
                if case .planComplete = update { loop.stop() }
            }
        } result: { _ in
        }
        #expect(box.value == ["accepted r1", "complete"])
        #expect(nodeBytes.value > 60_000_000)
    }

    @Test("Reports the problems of a refused plan, also between its batches")
    func refusals() async throws {
        for count in [1, 30_000] {
            let box = Box<[String]>([])
            let problems = Box<[PlanProblem]>([])
            try await withClient { loop, coordinator, client in
                coordinator.onMessage = { message in
                    switch message {
                    case .submit(let submit):
                        if submit.isStreamed {
                            coordinator.send(.accepted(Accepted(key: submit.key, run: run)))
                        } else {
                            coordinator.send(refusal(of: submit.key))
                        }
                    case .nodes(let nodes) where nodes.isLast:
                        coordinator.send(refusal(of: nodes.key))
                        coordinator.send(event(.runFailed, 3))
                    default: break
                    }
                }
                client.submit(Submission(plan: planText(nodes: count, padding: 100))) { update in
                    box.value.append(word(update))
                    guard case .failed(let error) = update else { return }
                    problems.value = error.problems
                    // Nothing receives the last event of the run.
                    client.get(.status) { _ in }
                    coordinator.send(.ping(Ping(n: 5)))
                    loop.nextTurn { loop.nextTurn { loop.stop() } }
                }
            } result: { _ in
            }
            #expect(box.value == (count == 1 ? [] : ["accepted r1"]) + ["failed bad_plan"])
            #expect(problems.value.map(\.message) == ["node n0 is odd"])
        }
    }

    @Test("A watch of an unknown run fails, and another run's events are ignored")
    func watches() async throws {
        let box = Box<[String]>([])
        try await withClient { loop, coordinator, client in
            coordinator.onMessage = { message in
                guard case .watch(let watch) = message else { return }
                if watch.run == run {
                    coordinator.send(event(.snapshot, 0))
                    coordinator.send(event(.runCancelled, 9))
                } else {
                    let error = ErrorMessage(
                        code: .unknownRun,
                        message: "No run.",
                        isFatal: false,
                        request: watch.request
                    )
                    coordinator.send(.error(error))
                }
            }
            client.watch(known(RunID("zz"))) { box.value.append("zz \(word($0))") }
            client.watch(run, level: .all) { update in
                box.value.append(word(update))
                if case .event(let event) = update, event.isTerminal { loop.stop() }
            }
        } result: { _ in
        }
        #expect(box.value == ["zz failed unknown_run", "snapshot", "run_cancelled"])
    }
}

/// Text in pieces of 1,000 bytes, which ends or fails.
private final class ScriptedText: PlanText {
    private let loop: EventLoop
    private var rest: ArraySlice<UInt8>
    private let isGood: Bool

    init(_ loop: EventLoop, _ text: ArraySlice<UInt8>, isGood: Bool) {
        self.loop = loop
        rest = text
        self.isGood = isGood
    }

    func read(then: @escaping (Result<[UInt8], ClientError>) -> Void) {
        loop.nextTurn { [self] in
            let piece = Array(rest.prefix(1_000))
            rest = rest.dropFirst(1_000)
            guard isGood || rest.count > 1_000 else {
                let error = ClientError(kind: .rejected, code: .badPlan, message: "no more")
                return then(.failure(error))
            }
            then(.success(piece))
        }
    }
}

private func refusal(of key: String) -> Message {
    .error(
        ErrorMessage(
            code: .badPlan,
            message: "The plan has 1 problem.",
            isFatal: false,
            about: key,
            problems: [PlanProblem(code: .limit, node: "n0", message: "node n0 is odd")]
        )
    )
}
