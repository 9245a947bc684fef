// Asks a coordinator for all that reports of a run are made of. Not here: the reports.
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Reports
internal import Wire

/// One request for the facts of a run: its nodes, its graph, then stories of nodes, then the run
/// itself.
final class FactsRequest {
    /// What is asked for beside the run and the courses of its nodes.
    struct Wants: OptionSet {
        let rawValue: Int

        /// What each node depends on.
        static let dependencies = Wants(rawValue: 1)
        /// Every attempt of the nodes that had more than one.
        static let attempts = Wants(rawValue: 2)
        /// The stories of the nodes that bounded the wall time; needs the dependencies.
        static let criticalStories = Wants(rawValue: 4)
        /// Why nodes failed, and how long outputs are; the outputs are sent for that.
        static let outcomes = Wants(rawValue: 8)
    }

    /// Questions that wait for their answers at a time.
    private static let window = 64
    /// Stories that are asked for one by one, each read from the journal; for more of them that of all
    /// nodes is read once.
    private static let singleStories = 50
    /// Stories that are asked for of a run that is too large for that.
    private static let maximumStories = 250
    private static let largeRun = 200_000

    private let client: LastingClient
    private let run: RunID
    private let then: (Result<RunFacts, ClientError>) -> Void
    private var nodes: [NodeFacts] = []
    /// The nodes whose stories are asked for.
    private var questions: [Int] = []
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
        guard wants.contains(.outcomes) else { return askForGraph() }
        client.forEachPage(of: run) { [self] (page, goOn) throws(WireError) in
            try page.forEachNode { text, document in
                if let id = NodeID(text) { nodes.append(NodeFacts(id, document)) }
                return true
            }
            goOn(true)
        } then: { [self] result in
            if case .failure(let error) = result { return finish(.failure(error)) }
            if wants.contains(.dependencies) { askForGraph() } else { askForAttempts() }
        }
    }

    private func askForGraph() {
        client.get(.graph, id: run.text) { [self] result in
            do {
                var graph = try GraphPage(decoding: try result.get()).nodes[...]
                if !wants.contains(.outcomes) {
                    nodes = graph.map { NodeFacts($0.id, $0.course) }
                }
                // Nodes that were added meanwhile are left out.
                graph = graph.prefix(nodes.count)
                for (node, entry) in graph.enumerated() {
                    nodes[node].dependencies = entry.dependencies.compactMap {
                        nodes.indices.contains($0) ? nodes[$0].id : nil
                    }
                }
                askForAttempts()
            } catch {
                fail(error)
            }
        }
    }

    private func askForAttempts() {
        let retried = nodes.indices.filter { nodes[$0].hasMoreToTell }
        askForStories(of: wants.contains(.attempts) ? retried : [])
    }

    /// Asks for the stories of nodes, and then for the run.
    private func askForStories(of wanted: [Int]) {
        guard wanted.count > Self.singleStories else {
            questions += wanted
            return askOn()
        }
        guard nodes.count <= Self.largeRun else {
            let left = wanted.count - Self.maximumStories
            if left > 0 {
                Shell.tell("Earlier attempts are left out of \(Text.count(left, "node")).")
            }
            questions += wanted.prefix(Self.maximumStories)
            return askOn()
        }
        client.get(.story, id: run.text) { [self] result in
            do {
                NodeFacts.add(try StoryDocument(decoding: try result.get()), to: &nodes)
                told.formUnion(nodes.indices)
                askOn()
            } catch {
                fail(error)
            }
        }
    }

    /// Keeps the window full; asks for the run when all else is there.
    private func askOn() {
        while asked < questions.count, asked - answered < Self.window, !isDone {
            let node = questions[asked]
            asked += 1
            client.get(.story, id: run.text, node: nodes[node].id) { [self] in
                receive($0, about: node)
            }
        }
        if answered == questions.count, !isDone { askForRun() }
    }

    private func receive(_ result: Result<RawJSON, ClientError>, about node: Int) {
        guard !isDone else { return }
        do {
            nodes[node].add(try StoryDocument(decoding: try result.get()))
            told.insert(node)
            answered += 1
            askOn()
        } catch {
            fail(error)
        }
    }

    private func askForRun() {
        client.get(.run, id: run.text) { [self] result in
            do {
                let document = try RunDocument(decoding: try result.get())
                let facts = RunFacts(run: document, nodes: nodes)
                guard wants.contains(.criticalStories) else { return finish(.success(facts)) }
                wants.remove(.criticalStories)
                askForStories(of: facts.criticalNodesWithMore.filter { !told.contains($0) })
            } catch {
                fail(error)
            }
        }
    }

    private func fail(_ error: any Error) {
        switch error {
        case let error as WireError: finish(.failure(.unreadable(error)))
        case let error as ClientError: finish(.failure(error))
        default: preconditionFailure("nothing else is thrown: \(error)")
        }
    }

    private func finish(_ result: Result<RunFacts, ClientError>) {
        guard !isDone else { return }
        isDone = true
        then(result)
    }
}
