// A coordinator machine and its peers over the real codec, in virtual time. The first byte of a
// step is its kind, the second is a digit for one of eight places:
//
//     0 … 7    the rest of the line arrives over the connection of that place; @R, @A and @S in it
//              stand for the latest run, attempt and session
//     c h x    connects; shakes hands honestly as a worker, client or viewer (w c v); disconnects
//     r R      registers, with two tools; comes back to its session and registers again
//     s        submits a plan of three nodes; S a goal
//     b a f    begins, completes, fails the oldest attempt it holds
//     o d      much waits for it; nothing does any more
//     t        time passes, as the next byte says
//     m M      the oldest call of a model writes the rest of the line; ends
//     i        the rest of the line is a challenge to an honest client
//     q        the coordinator is to end

import CoordinatorCore
import Core
import JSON
import OrderedCollections
import PlannerCore
import TestKit
import Wire

final class HandshakeScript {
    private struct Place {
        var id: ConnectionID
        var role: Role?
        var session = ""
        var held: [AttemptID] = []
        var heard: [Message] = []
    }

    private static let keys: [Role: HandshakeKey] = {
        var keys: [Role: HandshakeKey] = [:]
        for (index, role) in Role.allCases.enumerated() {
            keys[role] = HandshakeKey([UInt8](repeating: UInt8(index + 1), count: 32))
        }
        return keys
    }()

    private let limits: Limits
    private var machine: CoordinatorMachine
    private var now = Instant.zero
    private var actions: [CoordinatorMachine.Action] = []
    private var places: [Int: Place] = [:]
    private var placesByID: [ConnectionID: Int] = [:]
    /// Connections that have proved to have a key.
    private var proved: Set<ConnectionID> = []
    private var connectionCount = 0
    private var submissionCount = 0
    private var calls: [ModelCallID] = []
    private var latest: [UInt8: String] = [:]

    init() {
        var limits = Limits()
        // Small, so that scripts reach them.
        limits.unauthenticatedConnections = 3
        limits.connections = 6
        limits.unknownTypes = 2
        limits.unfinishedRuns = 3
        limits.finishedRuns = 2
        limits.finishedNodes = 8
        limits.eventLogEntries = 16
        limits.toolsPerWorker = 4
        limits.maxValue = 1 << 20
        self.limits = limits
        var configuration = CoordinatorMachine.Configuration(
            limits: limits,
            keyring: Keyring(Self.keys)
        )
        configuration.hasModels = true
        machine = CoordinatorMachine(configuration: configuration, seed: 1, at: .zero)
    }

    // MARK: - Steps

    func step(_ line: ArraySlice<UInt8>) throws {
        guard let first = line.first else { return }
        let rest = line.dropFirst()
        let place = Int(rest.first ?? 0) & 7
        switch Character(Unicode.Scalar(first)) {
        case "0"..."7": try arrive(rest, at: Int(first & 7))
        case "c": _ = try connect(place)
        case "h": try shakeHands(place, role(rest.dropFirst().first))
        case "x": try disconnect(place)
        case "r": try send(.register(registration()), at: place)
        case "R": try resume(place)
        case "s": try submit(at: place)
        case "S": try submitGoal(at: place)
        case "b": try answer(at: place) { .started(Started(attempt: $0)) }
        case "a": try answer(at: place) { .result(success($0)) }
        case "f": try answer(at: place) { .result(failure($0)) }
        case "o": try reportBacklog(1 << 30, at: place)
        case "d": try reportBacklog(0, at: place)
        case "t": try pass(rest.first ?? 0)
        case "m":
            let text = String(decoding: rest, as: UTF8.self)
            try calls.first.map { try handle(.modelReported($0, .delta(text))) }
        case "M": try endCall(rest.first ?? 0)
        case "i": try challenge(rest)
        case "q": try handle(.shutdownRequested)
        default: break
        }
    }

    /// All unfinished handshakes, and everything with a deadline, must end by themselves.
    func end() throws {
        try advance(limits.handshake + .milliseconds(1))
        for (number, place) in places where !proved.contains(place.id) {
            throw Disagreement("place \(number) is connected without a key for too long")
        }
        for number in places.keys.sorted() { try disconnect(number) }
        try advance(.seconds(30))
    }

    private func role(_ byte: UInt8?) -> Role {
        switch byte {
        case UInt8(ascii: "w"): .worker
        case UInt8(ascii: "v"): .viewer
        default: .client
        }
    }

    private func registration(_ inFlight: [InFlight] = []) -> Register {
        let schema = #"{"type":"object","properties":{"a":{"type":"integer"}}}"#
        let tools = [
            ToolDescription(name: "t", description: "", isIdempotent: true, maxAttempts: 3),
            ToolDescription(
                name: "u",
                description: "",
                parameters: RawJSON(trusted: Array(schema.utf8)[...])
            ),
        ]
        return Register(slots: 2, tools: tools, labels: ["zone": "a"], inFlight: inFlight)
    }

    private func success(_ attempt: AttemptID) -> ResultMessage {
        ResultMessage(attempt: attempt, outcome: .success(.inline(RawJSON(7))))
    }

    private func failure(_ attempt: AttemptID) -> ResultMessage {
        let failure = Failure(code: .toolError, message: "it broke", isRetryable: true)
        return ResultMessage(attempt: attempt, outcome: .failure(failure))
    }

    private func submit(at place: Int) throws {
        let plan = """
            {"tasks":[{"id":"a","tool_name":"t","args":{}},{"id":"b","tool_name":"u","args":\
            {"a":"$a"}},{"id":"c","tool_name":"u","args":{},"dependencies":["a"]}]}
            """
        submissionCount += 1
        let raw = RawJSON(trusted: Array(plan.utf8)[...])
        let submit = Submit(key: "k\(submissionCount)", plan: raw, watch: .all)
        try send(.submit(submit), at: place)
    }

    private func submitGoal(at place: Int) throws {
        submissionCount += 1
        let submit = Submit(
            key: "k\(submissionCount)",
            plan: nil,
            goal: "g",
            join: .llm,
            watch: .all
        )
        try send(.submit(submit), at: place)
    }

    private func answer(at place: Int, _ message: (AttemptID) -> Message) throws {
        guard let attempt = places[place]?.held.first else { return }
        let message = message(attempt)
        if message.kind == .result { places[place]?.held.removeFirst() }
        try send(message, at: place)
    }

    private func endCall(_ byte: UInt8) throws {
        guard !calls.isEmpty else { return }
        let call = calls.removeFirst()
        let stops = ModelStop.allCases
        let number = Int(byte & 15)
        let failure = ModelFailure(code: .unreachable, message: "nobody answers")
        try handle(
            .modelReported(call, number < stops.count ? .ended(stops[number]) : .failed(failure))
        )
    }

    private func pass(_ byte: UInt8) throws {
        let durations: [Duration] = [
            .milliseconds(1), .milliseconds(20), .milliseconds(500), .seconds(2), .seconds(5),
            .seconds(10), .seconds(60), .seconds(600),
        ]
        try advance(durations[Int(byte & 7)])
    }

    private func advance(_ duration: Duration) throws {
        let end = now + duration
        var stillness = 0
        while let next = machine.nextDeadline(), next <= end {
            stillness = next > now ? 0 : stillness + 1
            try demand(stillness < 100, "a deadline at \(next) that is never handled")
            now = max(now, next)
            try handle(.deadlineReached)
        }
        now = end
    }

    // MARK: - Connections

    private func connect(_ number: Int) throws -> ConnectionID {
        try disconnect(number)
        connectionCount += 1
        let id = ConnectionID(connectionCount)
        places[number] = Place(id: id)
        placesByID[id] = number
        let nonce = (0..<32).map { UInt8(truncatingIfNeeded: connectionCount &* 31 &+ $0) }
        try handle(.connected(id, nonce: nonce))
        return id
    }

    private func disconnect(_ number: Int) throws {
        guard let place = places.removeValue(forKey: number) else { return }
        placesByID[place.id] = nil
        try handle(.disconnected(place.id))
    }

    private func shakeHands(_ number: Int, _ role: Role, resume: Hello.Resume? = nil) throws {
        let id = try connect(number)
        guard let key = Self.keys[role], places[number]?.id == id else { return }
        var initiator = HandshakeInitiator(
            role: role,
            name: "p\(number)",
            key: key,
            nonce: [UInt8](repeating: 9, count: 32),
            resume: resume
        )
        try send(.hello(initiator.hello()), at: number)
        guard case .challenge(let challenge)? = places[number]?.heard.last else {
            let heard = places[number]?.heard ?? []
            throw Disagreement("an honest peer was not challenged: \(heard)")
        }
        let auth = try initiator.answer(to: challenge)
        proved.insert(id)
        try send(.auth(auth), at: number)
        guard case .welcome(let welcome)? = places[number]?.heard.last else {
            throw Disagreement("an honest peer was not welcomed")
        }
        places[number]?.role = role
        places[number]?.session = welcome.session
        latest[UInt8(ascii: "S")] = welcome.session
    }

    private func resume(_ number: Int) throws {
        guard let old = places[number], !old.session.isEmpty else { return }
        try shakeHands(number, .worker, resume: Hello.Resume(session: old.session, epoch: 1))
        let held = old.held.map { InFlight(attempt: $0, state: .running) }
        places[number]?.held = old.held
        try send(.register(registration(held)), at: number)
    }

    private func send(_ message: Message, at number: Int) throws {
        try arrive(WireTrip.line(message)[...], at: number)
    }

    /// Passes a line that arrives over a connection to the machine, like the shell.
    private func arrive(_ line: ArraySlice<UInt8>, at number: Int) throws {
        guard let place = places[number] else { return }
        let before = proved.contains(place.id) && place.role == nil
        let line = expanded(line)
        let message: Message
        do {
            message = try Message(decoding: line[...])
        } catch {
            try handle(.violated(place.id, error))
            let isTolerable = error.code == .unknownType && place.role != nil
            try demand(isTolerable || places[number] == nil, "stays after \(error)")
            return
        }
        try handle(.received(place.id, message))
        let isOpen = places[number]?.id == place.id
        if let role = place.role {
            let mayStay = message.kind.mayBeSent(by: Sender(role))
            try demand(mayStay || !isOpen, "a \(role) stays after \(message.kind)")
        } else if !before {
            try demand(message.kind == .hello || !isOpen, "stays after \(message.kind), no key")
        }
    }

    /// Inserts the names that a script cannot know.
    private func expanded(_ line: ArraySlice<UInt8>) -> [UInt8] {
        guard line.contains(UInt8(ascii: "@")) else { return Array(line) }
        var text: [UInt8] = []
        var isName = false
        for byte in line {
            if isName {
                if let name = latest[byte] { text += name.utf8 } else { text += [64, byte] }
                isName = false
            } else if byte == UInt8(ascii: "@") {
                isName = true
            } else {
                text.append(byte)
            }
        }
        return text
    }

    /// An invalid proof of the coordinator's key is not answered.
    private func challenge(_ line: ArraySlice<UInt8>) throws {
        guard case .challenge(let challenge)? = try? Message(decoding: line),
            let key = Self.keys[.client]
        else { return }
        var initiator = HandshakeInitiator(
            role: .client,
            name: "p",
            key: key,
            nonce: [UInt8](repeating: 9, count: 32)
        )
        let answer = try? initiator.answer(to: challenge)
        try demand(answer == nil, "a client proves itself to a stranger")
    }

    // MARK: - The machine

    private func handle(_ event: CoordinatorMachine.Event) throws {
        machine.handle(event, at: now, into: &actions)
        machine.endTurn(at: now, into: &actions)
        let batch = actions
        actions.removeAll(keepingCapacity: true)
        for action in batch { try carryOut(action) }
        try machine.validate()
    }

    private func carryOut(_ action: CoordinatorMachine.Action) throws {
        switch action {
        case .send(let id, let message):
            try demand(placesByID[id] != nil, "\(message.kind) to \(id), which is closed")
            try take(message, id)
        case .close(let id), .closeAtOnce(let id):
            guard let number = placesByID.removeValue(forKey: id) else {
                throw Disagreement("\(id) is closed twice")
            }
            places[number] = nil
        case .letOthersGoFirst: break
        case .raiseLineLimit(let id, _):
            try demand(proved.contains(id), "longer lines for \(id), which has no key")
        case .measureBacklog(let id), .awaitJournal(let id), .discardBacklog(let id),
            .pauseReading(let id),
            .resumeReading(let id):
            try demand(placesByID[id] != nil, "something of \(id), which is closed")
        case .callModel(let id, _, _): calls.append(id)
        case .cancelModel, .exportRun, .storePlans, .loadRun, .readNode, .listRuns, .forgetRun,
            .dropEndedKeys,
            .report:
            break
        }
    }

    private func reportBacklog(_ bytes: Int, at place: Int) throws {
        guard let id = places[place]?.id else { return }
        try handle(.backlog(id, Backlog(encodedBytes: bytes)))
    }

    private func take(_ message: Message, _ id: ConnectionID) throws {
        let text = WireTrip.line(message)
        try demand(text.count <= limits.maxLine, "\(message.kind) of \(text.count) bytes")
        let arrived = try Message(decoding: text[...])
        try demand(arrived == message, "\(arrived) is not \(message)")
        let isPublic = [.challenge, .error, .bye].contains(message.kind)
        try demand(isPublic || proved.contains(id), "\(message.kind) to \(id), which has no key")
        guard let number = placesByID[id] else { return }
        places[number]?.heard = [message]
        switch message {
        case .accepted(let accepted): latest[UInt8(ascii: "R")] = accepted.run.text
        case .dispatch(let dispatch):
            latest[UInt8(ascii: "A")] = dispatch.attempt.text
            places[number]?.held.append(dispatch.attempt)
        default: break
        }
    }
}
