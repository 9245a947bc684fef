// Asks a coordinator for all that reports of a run are made of. Not here: the reports.
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Reports
internal import Wire

/// One request for the facts of a run: its nodes, then what only answers about single nodes have,
/// then the run itself.
final class FactsRequest {
    /// What is asked for beside the run and the list of its nodes; each costs a question a node.
    struct Wants: OptionSet {
        let rawValue: Int

        /// What each node depends on.
        static let dependencies = Wants(rawValue: 1)
        /// Every attempt of the nodes that had more than one.
        static let attempts = Wants(rawValue: 2)
        /// The stories of the nodes that bounded the wall time; needs the dependencies.
        static let criticalStories = Wants(rawValue: 4)
    }

    /// Questions that wait for their answers at a time.
    private static let window = 64
    /// Stories that are asked for at most: each is read from the journal.
    static let maximumStories = 250

    private let client: LastingClient
    private let run: RunID
    private let then: (Result<RunFacts, ClientError>) -> Void
    private var nodes: [NodeFacts] = []
    private var questions: [(what: GetKind, node: Int)] = []
    private var asked = 0
    private var answered = 0
    private var wants: Wants
    /// The nodes whose stories are there.
    private var told: Set<Int> = []
    private var isDone = false

    private init(
        _ client: LastingClient,
        _ run: RunID,
        _ wants: Wants,
        then: @escaping (Result<RunFacts, ClientError>) -> Void
    ) {
        self.client = client
        self.run = run
        self.wants = wants
        self.then = then
    }

    /// Asks for the facts of a run and returns them; says so where attempts are left out.
    static func facts(
        of run: RunID,
        _ wants: Wants,
        _ options: CoordinatorClient.Options,
        _ reconnecting: Duration
    ) throws -> RunFacts {
        var facts: RunFacts?
        try Session.run { session in
            session.connect(options, reconnecting: reconnecting) { client in
                ask(client, run, wants) { result in
                    switch result {
                    case .success(let value):
                        facts = value
                        session.end()
                    case .failure(let error): session.end(CommandFailure(error))
                    }
                }
            }
        }
        guard let facts else { preconditionFailure("a session without a failure has an answer") }
        return facts
    }

    /// Asks for the facts of a run over a connection.
    static func ask(
        _ client: LastingClient,
        _ run: RunID,
        _ wants: Wants,
        then: @escaping (Result<RunFacts, ClientError>) -> Void
    ) {
        FactsRequest(client, run, wants, then: then).start()
    }

    private func start() {
        client.forEachPage(of: run) { [self] (page, goOn) throws(WireError) in
            try page.forEachNode { text, document in
                if let id = NodeID(text) { nodes.append(NodeFacts(id, document)) }
                return true
            }
            goOn(true)
        } then: { [self] result in
            if case .failure(let error) = result { return finish(.failure(error)) }
            if wants.contains(.dependencies) {
                questions = nodes.indices.map { (.node, $0) }
            }
            if wants.contains(.attempts) {
                let retried = nodes.indices.filter { nodes[$0].hasMoreToTell }
                questions += retried.prefix(Self.maximumStories).map { (.story, $0) }
                if retried.count > Self.maximumStories {
                    Shell.tell(
                        "Earlier attempts are left out of "
                            + Text.count(retried.count - Self.maximumStories, "node") + "."
                    )
                }
            }
            askOn()
        }
    }

    /// Keeps the window full; asks for the run when all else is there.
    private func askOn() {
        while asked < questions.count, asked - answered < Self.window, !isDone {
            let question = questions[asked]
            asked += 1
            client.get(question.what, id: run.text, node: nodes[question.node].id) { [self] in
                receive($0, to: question.what, question.node)
            }
        }
        if answered == questions.count, !isDone { askForRun() }
    }

    private func receive(_ result: Result<RawJSON, ClientError>, to what: GetKind, _ node: Int) {
        guard !isDone else { return }
        do {
            let answer = try result.get()
            if what == .story {
                nodes[node].add(try StoryDocument(decoding: answer))
                told.insert(node)
            } else {
                nodes[node].dependencies = try NodeDetails(decoding: answer).dependencies
            }
            answered += 1
            askOn()
        } catch let error as WireError {
            finish(.failure(.unreadable(error)))
        } catch let error as ClientError {
            finish(.failure(error))
        } catch {
            preconditionFailure("nothing else is thrown: \(error)")
        }
    }

    private func askForRun() {
        client.get(.run, id: run.text) { [self] result in
            do {
                let document = try RunDocument(decoding: try result.get())
                let facts = RunFacts(run: document, nodes: nodes)
                guard wants.contains(.criticalStories) else { return finish(.success(facts)) }
                wants.remove(.criticalStories)
                questions += facts.criticalNodesWithMore.filter { !told.contains($0) }
                    .prefix(Self.maximumStories).map { (.story, $0) }
                askOn()
            } catch let error as WireError {
                finish(.failure(.unreadable(error)))
            } catch let error as ClientError {
                finish(.failure(error))
            } catch {
                preconditionFailure("nothing else is thrown: \(error)")
            }
        }
    }

    private func finish(_ result: Result<RunFacts, ClientError>) {
        guard !isDone else { return }
        isDone = true
        then(result)
    }
}
