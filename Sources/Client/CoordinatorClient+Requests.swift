// Questions and commands. A question waits for its answer by its number. A command has no answer of
// its own: a ping follows it, and the pong tells that the coordinator has handled it.
public import Core
public import JSON
internal import Transport
internal import UVLoop
public import Wire

/// A question without an answer yet.
struct Question {
    var get: Get
    var chunks: ChunkAssembler
    /// The pages that have arrived, for an answer that is wanted as a whole.
    var answer = PagedAnswer()
    /// Whether one page is wanted, not all of them.
    var isOnePage = false
    /// Called with the answer, and with the position of the next page of one that is not whole.
    var then: (Result<(RawJSON, next: Int?), ClientError>) -> Void
}

/// A command that is answered only if something is wrong with it.
struct Barrier {
    var number: Int
    /// The names in a possible error.
    var about: String
    var then: (Result<Void, ClientError>) -> Void
}

extension CoordinatorClient {
    /// Asks the coordinator a question; the shapes of the answers are in the protocol.
    ///
    /// Pages of an answer are combined; only the nodes of a run, which may not fit into memory, are
    /// returned as the requested page, with `next`.
    ///
    /// - Parameters:
    ///   - what: The kind of question.
    ///   - id: The run.
    ///   - node: The node of that run.
    ///   - from: The position to begin with in a long list.
    ///   - limit: The most entries of a long list to get.
    ///   - filter: Which runs, of a list of runs.
    ///   - then: Called with the answer, once.
    public func get(
        _ what: GetKind,
        id: String? = nil,
        node: NodeID? = nil,
        from: Int? = nil,
        limit: Int? = nil,
        runs filter: RunsFilter = RunsFilter(),
        then: @escaping (Result<RawJSON, ClientError>) -> Void
    ) {
        guard !isClosed else { return refuseClosed { then(.failure($0)) } }
        let get = Get(
            request: nextNumber(),
            what: what,
            id: id,
            node: node,
            from: from,
            limit: limit,
            status: filter.status,
            label: filter.label,
            since: filter.since
        )
        ask(Question(get: get, chunks: newAssembler) { then($0.map(\.0)) })
    }

    /// Asks for one page of an answer, for those who pass pages on.
    ///
    /// The number of the question is chosen here. `next` of the answer is the position of the next
    /// page.
    package func getPage(
        _ get: Get,
        then: @escaping (Result<(RawJSON, next: Int?), ClientError>) -> Void
    ) {
        guard !isClosed else { return refuseClosed { then(.failure($0)) } }
        var get = get
        get.request = nextNumber()
        ask(Question(get: get, chunks: newAssembler, isOnePage: true, then: then))
    }

    private var newAssembler: ChunkAssembler {
        ChunkAssembler(
            maximumBytes: welcome.limits.maxValue,
            reservedBytes: ChunkAssembler.reservedForCoordinator
        )
    }

    private func ask(_ question: Question) {
        questions[question.get.request] = question
        var get = question.get
        get.limit = get.limit.map { max($0 - question.answer.count, 1) }
        connection.send(.get(get))
    }

    /// Asks to cancel a run; `then` tells that the coordinator received it, not that the run ended.
    ///
    /// Nothing happens to a run that has ended.
    public func cancelRun(
        _ run: RunID,
        reason: String? = nil,
        then: @escaping (Result<Void, ClientError>) -> Void = { _ in }
    ) {
        command(.cancelRun(CancelRun(run: run, reason: reason)), about: run.text, then)
    }

    /// Approves or denies nodes that wait for it; `then` tells that the answer is taken and holds.
    public func answer(
        _ answer: Approve,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        command(.approve(answer), about: answer.run.text, then)
    }

    /// Asks to drain a worker; `then` tells that the coordinator received it.
    public func drain(
        worker: String,
        reason: String? = nil,
        deadline: Duration? = nil,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        let drain = Drain(
            reason: reason,
            deadlineMilliseconds: deadline?.millisecondsRoundedUp,
            worker: worker
        )
        command(.drain(drain), about: worker, then)
    }

    /// Asks to remember a plan; `then` tells whether it is remembered.
    public func remember(
        _ source: Remember.Source,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        let about =
            switch source {
            case .run(let run): run.text
            case .plan(_, let goal): goal
            }
        command(.remember(Remember(source)), about: about, then)
    }

    /// Asks to forget a remembered plan, or all; `then` tells that it is forgotten.
    public func forget(
        plan: String?,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        command(.forget(Forget(plan: plan)), about: plan ?? "all plans", then)
    }

    /// Asks to forget a run that has ended; `then` tells that it is forgotten.
    public func forget(
        run: RunID,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        command(.forget(Forget(run: run)), about: run.text, then)
    }

    /// Tells of a launch; `then` tells that the coordinator knows it.
    package func tell(
        of launch: LaunchDocument,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        command(.launch(LaunchReport(launch)), about: launch.name, then)
    }

    private func command(
        _ message: Message,
        about: String,
        _ then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        guard !isClosed else { return refuseClosed { then(.failure($0)) } }
        connection.send(message)
        addBarrier(about: about, then)
    }

    /// Calls `then` when the coordinator has handled everything sent so far.
    func addBarrier(
        about: String,
        _ then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        let barrier = Barrier(number: nextNumber(), about: about, then: then)
        barriers.append(barrier)
        connection.send(.ping(Ping(n: barrier.number)))
    }

    /// Fails a request on a closed connection, in a later turn of the loop.
    func refuseClosed(_ answer: @escaping (ClientError) -> Void) {
        let error = ClientError.lost(endpoint, "it was closed before")
        loop.nextTurn { answer(error) }
    }

    // MARK: - Answers

    func passBarrier(_ number: Int) {
        guard let index = barriers.firstIndex(where: { $0.number == number }) else { return }
        barriers.remove(at: index).then(.success(()))
    }

    /// A command is of a type that the coordinator does not know: the oldest one that it has not
    /// handled, as it handles them in order.
    func failFirstBarrier(_ error: ClientError) {
        if !barriers.isEmpty { barriers.removeFirst().then(.failure(error)) }
    }

    func failBarrier(about: String, _ error: ClientError) {
        guard let index = barriers.firstIndex(where: { $0.about == about }) else { return }
        barriers.remove(at: index).then(.failure(error))
    }

    func receive(_ chunk: Chunk) {
        guard case .request(let number) = chunk.about, questions[number] != nil else { return }
        do throws(WireError) {
            try questions[number]?.chunks.append(chunk)
        } catch {
            failQuestion(number, error)
        }
    }

    func receive(_ reply: Reply) {
        do throws(WireError) {
            guard let data = try questions[reply.request]?.chunks.finish(reply.data) else {
                return
            }
            handlePage(data, next: reply.next, of: reply.request)
        } catch {
            failQuestion(reply.request, error)
        }
    }

    /// Asks for the next page, if the answer is wanted as a whole and has one.
    private func handlePage(_ page: RawJSON, next: Int?, of number: Int) {
        guard var question = questions.removeValue(forKey: number) else { return }
        guard question.get.what != .nodes, !question.isOnePage else {
            return question.then(.success((page, next)))
        }
        question.answer.add(page)
        let wanted = question.get.limit.map { $0 - question.answer.count }
        guard let next, next > question.get.from ?? 0, wanted ?? 1 > 0 else {
            return question.then(.success((question.answer.whole, nil)))
        }
        question.get.request = nextNumber()
        question.get.from = next
        question.chunks = newAssembler
        ask(question)
    }

    private func failQuestion(_ number: Int, _ error: WireError) {
        questions.removeValue(forKey: number)?.then(.failure(.unreadable(error)))
    }
}
