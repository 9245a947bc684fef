// The answers to `node` and `nodes`. Outputs stay where they are, however large.
package import Core
package import JSON

/// A node without its place in the plan: an entry of the answer to `nodes`.
///
/// Times are in microseconds.
package struct NodeDocument: Sendable, Equatable {
    /// Where it stands.
    package var status: NodeStatus
    /// The tool that it calls.
    package var tool: String
    /// Its output, if it succeeded.
    package var output: RawJSON?
    /// The node that failed, if it was skipped because of it.
    package var because: NodeID?
    /// Why it failed, if it did.
    package var error: Failure?
    /// Attempts without those that surely never ran.
    package var attempts: Int
    /// Whether its output was taken over from the run that its own one retries.
    package var isTakenOver: Bool
    /// The worker of the latest attempt.
    package var worker: String?
    /// When it became ready for the latest attempt, since the run was accepted.
    package var readyAt: Int?
    /// From ready to the dispatch of the latest attempt.
    package var queued: Int?
    /// From the dispatch of the latest attempt to its end as the coordinator saw it.
    package var turnaround: Int?
    /// How long the tool ran in the latest attempt.
    package var run: Int?

    /// Makes the document of its fields.
    package init(
        status: NodeStatus,
        tool: String,
        output: RawJSON? = nil,
        because: NodeID? = nil,
        error: Failure? = nil,
        attempts: Int,
        isTakenOver: Bool = false,
        worker: String? = nil,
        readyAt: Int? = nil,
        queued: Int? = nil,
        turnaround: Int? = nil,
        run: Int? = nil
    ) {
        self.status = status
        self.tool = tool
        self.output = output
        self.because = because
        self.error = error
        self.attempts = attempts
        self.isTakenOver = isTakenOver
        self.worker = worker
        self.readyAt = readyAt
        self.queued = queued
        self.turnaround = turnaround
        self.run = run
    }
}

/// Everything about one node: the answer to `node`.
package struct NodeDetails: Sendable, Equatable {
    /// Its name.
    package var id: NodeID
    /// Its course and outcome.
    package var node: NodeDocument
    /// The nodes whose outputs it needs.
    package var dependencies: [NodeID]
    /// Its arguments, with the outputs in place; nil while these are not there.
    package var arguments: RawJSON?
    /// Whether it has arguments that are too long to be shown.
    package var areArgumentsOmitted: Bool
    /// Why it does not go on, if it has not settled.
    package var reasons: [WaitingReason]

    /// Makes the document of its fields.
    package init(
        id: NodeID,
        node: NodeDocument,
        dependencies: [NodeID],
        arguments: RawJSON? = nil,
        areArgumentsOmitted: Bool = false,
        reasons: [WaitingReason] = []
    ) {
        self.id = id
        self.node = node
        self.dependencies = dependencies
        self.arguments = arguments
        self.areArgumentsOmitted = areArgumentsOmitted
        self.reasons = reasons
    }
}

extension NodeDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        status = try fields.choice("status")
        tool = try fields.string("tool")
        output = fields.optionalValue("output")
        because = try fields.optionalNode("because")
        error = try fields.optionalDocument("error")
        attempts = try fields.integer("attempts")
        isTakenOver = try fields.flag("taken_over")
        worker = try fields.optionalString("worker")
        readyAt = try fields.optionalMicroseconds("ready_at_ms")
        queued = try fields.optionalMicroseconds("queued_ms")
        turnaround = try fields.optionalMicroseconds("turnaround_ms")
        run = try fields.optionalMicroseconds("run_ms")
    }

    package func write(into writer: inout JSONWriter) {
        var pieces = JSONPiecesWriter(sharing: .max)
        swap(&pieces.writer, &writer)
        write(into: &pieces)
        swap(&pieces.writer, &writer)
    }

    /// Writes the fields, without the braces; a large output is shared.
    package func write(into pieces: inout JSONPiecesWriter) {
        pieces.writer.field("status", status.rawValue)
        pieces.writer.field("tool", tool)
        pieces.share("output", output)
        pieces.writer.field("because", because?.text)
        pieces.writer.field("error", error)
        pieces.writer.field("attempts", attempts)
        pieces.writer.flag("taken_over", isTakenOver)
        pieces.writer.field("worker", worker)
        pieces.writer.field("ready_at_ms", microseconds: readyAt)
        pieces.writer.field("queued_ms", microseconds: queued)
        pieces.writer.field("turnaround_ms", microseconds: turnaround)
        pieces.writer.field("run_ms", microseconds: run)
    }
}

extension NodeDetails: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        id = try fields.node("id")
        node = try NodeDocument(reading: fields)
        dependencies = try fields.nodes("dependencies")
        arguments = fields.optionalValue("args")
        areArgumentsOmitted = try fields.flag("args_omitted")
        reasons = try fields.documents("reasons")
    }

    package func write(into writer: inout JSONWriter) {
        var pieces = JSONPiecesWriter(sharing: .max)
        swap(&pieces.writer, &writer)
        write(into: &pieces)
        swap(&pieces.writer, &writer)
    }

    /// Writes the fields, without the braces; a large output is shared.
    package func write(into pieces: inout JSONPiecesWriter) {
        pieces.writer.field("id", id.text)
        node.write(into: &pieces)
        pieces.writer.field("dependencies", dependencies.map(\.text))
        pieces.writer.field("args", arguments)
        pieces.writer.flag("args_omitted", areArgumentsOmitted)
        if !reasons.isEmpty { pieces.writer.field("reasons", reasons) }
    }

    /// The document, which shares a large output.
    package var pieces: JSONPieces {
        var pieces = JSONPiecesWriter()
        pieces.writer.beginObject()
        write(into: &pieces)
        pieces.writer.endObject()
        return pieces.finish()
    }
}

/// A page of the nodes of a run: the answer to `nodes`.
package struct NodesPage: Sendable, Equatable {
    /// The nodes by name, in the order of the plan; read one by one with ``forEachNode(_:)``.
    package let nodes: RawJSON
    /// The `from` of the next page; nil if this is the last one.
    package let next: Int?
    /// Nodes of the plan so far.
    package let total: Int

    /// Reads a page; its nodes are read later.
    ///
    /// - Throws: `bad_message` naming the field that is missing or ill-typed.
    package init(decoding raw: RawJSON) throws(WireError) {
        let fields = try FieldReader(decoding: raw)
        guard let nodes = fields.present("nodes") else { throw fields.missing("nodes") }
        guard nodes.kind == .object else { throw fields.bad("nodes", "must be an object") }
        self.nodes = nodes
        next = try fields.optionalInteger("next")
        total = try fields.integer("total")
    }

    /// Calls the body for each node until it returns false.
    ///
    /// - Throws: `bad_message` naming what is wrong with a node; those before it have been read.
    package func forEachNode(_ body: (String, NodeDocument) -> Bool) throws(WireError) {
        var fault: WireError?
        var goesOn = true
        nodes.forEachField { id, raw in
            guard goesOn else { return }
            do throws(WireError) {
                goesOn = body(id, try NodeDocument(decoding: raw))
            } catch {
                fault = error
                goesOn = false
            }
        }
        if let fault { throw fault }
    }

    /// Writes a page node by node.
    package struct Writer {
        private var pieces = JSONPiecesWriter()

        /// Begins a page.
        package init() {
            pieces.writer.beginObject()
            pieces.writer.key("nodes")
            pieces.writer.beginObject()
        }

        /// Bytes of the page so far.
        package var count: Int { pieces.count }

        /// Adds a node; its output is shared if it is large.
        package mutating func add(_ id: NodeID, _ node: NodeDocument) {
            pieces.writer.key(escaping: id.text)
            pieces.writer.beginObject()
            node.write(into: &pieces)
            pieces.writer.endObject()
        }

        /// The whole page; `next` is the `from` of the next one.
        package mutating func finish(next: Int?, total: Int) -> JSONPieces {
            pieces.writer.endObject()
            pieces.writer.field("next", next)
            pieces.writer.field("total", total)
            pieces.writer.endObject()
            return pieces.finish()
        }
    }
}
