// Which nodes may be dispatched, and with which arguments: computed separately, from plans as
// clients submitted them and from the text of models.

import Core
import JSON
import Plans

/// A node is dispatched when all its dependencies have succeeded, with exactly those outputs, and
/// only if a client or model has written it.
struct DependencyChecker {
    private struct Book {
        var nodes: [String: ModelNode] = [:]
        /// The ids by the position of the node in its run; those of a goal are found during the
        /// run.
        var places: [Int: String] = [:]
        var isGoal = false
        var allowed: Set<String>?
        var maxNodes = Int.max
        /// The tool of the node that joins, which is in no plan.
        var joinTool: String?
        /// Positions of a node that joins, if a crash has left its record.
        var joins: Set<Int> = []
        var outputs: [String: RawJSON] = [:]
    }

    private var books: [RunID: Book] = [:]
    /// Runs that began with the outputs of others.
    private var taken: Set<RunID> = []
    private var expected: [AttemptID: String] = [:]
    /// The attempts of nodes that join, whose arguments are in no plan.
    private var joining: Set<AttemptID> = []
    /// The name of a node that joins.
    static let joinName = "join"

    mutating func accept(
        _ run: RunID,
        _ plan: ModelPlan,
        allowed: [String]?,
        joinTool: String?
    ) {
        guard books[run] == nil else { return }
        var book = Book()
        book.joinTool = joinTool
        book.allowed = allowed.map(Set.init)
        for (place, node) in plan.nodes.enumerated() {
            book.nodes[node.id] = node
            book.places[place] = node.id
        }
        books[run] = book
    }

    /// A run begins with the outputs of another one of the same plan, but for some nodes and what
    /// depends on them; returns how many these are.
    mutating func takeOver(from old: RunID, to run: RunID, without nodes: [NodeID]) -> Int {
        guard let book = books[run], let earlier = books[old]?.outputs, taken.insert(run).inserted
        else { return 0 }
        var again = Set(nodes.map(\.text))
        var count = -1
        while count < again.count {
            count = again.count
            for node in book.nodes.values where node.dependencies.contains(where: again.contains) {
                again.insert(node.id)
            }
        }
        let outputs = earlier.filter { book.nodes[$0.key] != nil && !again.contains($0.key) }
        books[run]?.outputs = outputs
        return outputs.count
    }

    mutating func acceptGoal(
        _ run: RunID,
        allowed: [String]?,
        maxNodes: Int,
        joinTool: String?
    ) {
        guard books[run] == nil else { return }
        var book = Book()
        book.joinTool = joinTool
        book.isGoal = true
        book.allowed = allowed.map(Set.init)
        book.maxNodes = maxNodes
        books[run] = book
    }

    /// A model has written the last character of a node that may run; the first one of an id
    /// counts.
    mutating func write(_ node: ModelNode, _ run: RunID) {
        if books[run]?.nodes[node.id] == nil { books[run]?.nodes[node.id] = node }
    }

    /// Forgets what a crash has undone; what was sent to workers was sent.
    mutating func goBack(to earlier: DependencyChecker) {
        let sent = self
        self = earlier
        expected = sent.expected
        joining = sent.joining
        for run in books.keys {
            for (place, id) in sent.books[run]?.places ?? [:]
            where books[run]?.places[place] == nil {
                guard books[run]?.nodes[id] != nil || id == Self.joinName else { continue }
                books[run]?.places[place] = id
                if id == Self.joinName { books[run]?.joins.insert(place) }
            }
        }
    }

    mutating func dispatch(_ attempt: AttemptID, node: NodeID, tool: String) -> String? {
        guard let book = books[attempt.run] else { return "\(attempt) is of no run" }
        if node.text == Self.joinName, book.joinTool == tool {
            books[attempt.run]?.places[attempt.node] = node.text
            joining.insert(attempt)
            return book.outputs[node.text] == nil ? nil : "\(attempt) joins again"
        }
        guard let model = book.nodes[node.text] else {
            return "\(attempt), node \(node), was never planned"
        }
        if let problem = place(attempt, node.text, book) { return problem }
        if model.tool != tool { return "\(attempt) calls \(tool) instead of \(model.tool)" }
        if book.allowed?.contains(tool) == false { return "\(attempt) calls \(tool), forbidden" }
        if book.outputs[node.text] != nil { return "\(attempt) runs a node that has succeeded" }
        for dependency in model.dependencies where book.outputs[dependency] == nil {
            return "\(attempt) was dispatched before \(dependency)"
        }
        guard let arguments = model.arguments(outputs: book.outputs) else {
            return "\(attempt) was dispatched with arguments that cannot be made"
        }
        expected[attempt] = arguments
        // After a crash it may be another node than the one before.
        joining.remove(attempt)
        return nil
    }

    /// A position in a run belongs to one node, and a node has one position.
    private mutating func place(_ attempt: AttemptID, _ id: String, _ book: Book) -> String? {
        if let known = book.places[attempt.node], !book.joins.contains(attempt.node) {
            return known == id ? nil : "\(attempt) is node \(id), but was \(known)"
        }
        guard book.isGoal, !book.places.values.contains(id) else {
            return "\(attempt) is node \(id), which has another place"
        }
        books[attempt.run]?.places[attempt.node] = id
        books[attempt.run]?.joins.remove(attempt.node)
        return book.places.count < book.maxNodes
            ? nil : "\(attempt) is one node more than the \(book.maxNodes) allowed"
    }

    func start(_ attempt: AttemptID, _ arguments: RawJSON) -> String? {
        if joining.contains(attempt) { return nil }
        guard let expected = expected[attempt] else { return "\(attempt) began undispatched" }
        if arguments.text == expected { return nil }
        let wanted = RawJSON(trusted: Array(expected.utf8)[...])
        return JSONValue(arguments) == JSONValue(wanted)
            ? nil : "\(attempt) has the arguments \(arguments.text) instead of \(expected)"
    }

    mutating func record(_ attempt: AttemptID, _ output: RawJSON) -> String? {
        guard let id = books[attempt.run]?.places[attempt.node] else {
            return "\(attempt) succeeded undispatched"
        }
        if books[attempt.run]?.outputs[id] != nil { return "\(attempt) succeeded again" }
        books[attempt.run]?.outputs[id] = output
        return nil
    }

    /// Arguments can only be missing once everything that they are made of is there.
    func unmade(_ run: RunID, _ node: NodeID) -> String? {
        guard let book = books[run], let model = book.nodes[node.text] else { return nil }
        for dependency in model.dependencies where book.outputs[dependency] == nil {
            return "\(run), node \(node), lacked arguments before \(dependency) succeeded"
        }
        return model.arguments(outputs: book.outputs).map {
            "\(run), node \(node), failed for its arguments, which are \($0)"
        }
    }

    func output(_ run: RunID, _ node: Int) -> RawJSON? {
        books[run].flatMap { book in book.places[node].flatMap { book.outputs[$0] } }
    }
}
