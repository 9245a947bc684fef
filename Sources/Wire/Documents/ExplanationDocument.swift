// The answer to `explain`: why the nodes of a run, or one of them, do not go on.
package import Core
package import JSON
package import OrderedCollections

/// The nodes of a run that do not go on.
package struct ExplanationDocument: Sendable, Equatable {
    /// The run.
    package var run: RunID
    /// How it ended, or that it goes on.
    package var status: RunStatus
    /// The nodes that wait for something, in the order of the plan.
    package var nodes: [WaitingNode]

    /// Makes the document of its fields.
    package init(run: RunID, status: RunStatus, nodes: [WaitingNode]) {
        self.run = run
        self.status = status
        self.nodes = nodes
    }
}

/// A node that does not go on.
package struct WaitingNode: Sendable, Equatable {
    /// Its name.
    package var id: NodeID
    /// The tool that it calls.
    package var tool: String
    /// The labels that a worker must carry.
    package var requires: OrderedDictionary<String, String>
    /// Where it stands.
    package var status: NodeStatus
    /// How long it has been ready for a worker; nil if it is not.
    package var waitMilliseconds: Int?
    /// What it waits for; empty only if it was named in the question.
    package var reasons: [WaitingReason]

    /// Makes the document of its fields.
    package init(
        id: NodeID,
        tool: String,
        requires: OrderedDictionary<String, String> = [:],
        status: NodeStatus,
        waitMilliseconds: Int? = nil,
        reasons: [WaitingReason]
    ) {
        self.id = id
        self.tool = tool
        self.requires = requires
        self.status = status
        self.waitMilliseconds = waitMilliseconds
        self.reasons = reasons
    }
}

/// Something that a node waits for.
package struct WaitingReason: Sendable, Equatable {
    /// The stable code.
    package var code: Code
    /// A sentence for people.
    package var message: String

    /// Makes the document of its fields.
    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// What a node waits for; codes may be added.
    package struct Code: Sendable, Hashable, RawRepresentable {
        /// The code as written on the wire.
        package let rawValue: String

        /// The code of that spelling.
        package init(rawValue: String) {
            self.rawValue = rawValue
        }
    }
}

extension WaitingReason.Code {
    /// Other nodes come first.
    package static let dependencies = Self(rawValue: "dependencies")
    /// It names nodes that the plan does not have yet.
    package static let growingPlan = Self(rawValue: "growing_plan")
    /// Its arguments are about to be made of outputs.
    package static let arguments = Self(rawValue: "arguments")
    /// A person has to approve it.
    package static let approval = Self(rawValue: "approval")
    /// No connected worker has its tool.
    package static let toolMissing = Self(rawValue: "tool_missing")
    /// No worker that has the tool carries its labels.
    package static let labelsMissing = Self(rawValue: "labels_missing")
    /// The workers that have the tool are about to leave.
    package static let draining = Self(rawValue: "workers_draining")
    /// The workers that have the tool are not heard from.
    package static let silent = Self(rawValue: "workers_silent")
    /// All slots are taken.
    package static let slotsBusy = Self(rawValue: "slots_busy")
    /// The tool's own limit is reached.
    package static let concurrencyReached = Self(rawValue: "concurrency_reached")
    /// Workers could not start it.
    package static let refused = Self(rawValue: "refused")
    /// It failed there, and another worker is to try next.
    package static let failedThere = Self(rawValue: "failed_there")
    /// Its tool could not be started there lately.
    package static let coolingDown = Self(rawValue: "cooling_down")
    /// It was on a lost worker, and workers have others that were there.
    package static let keptApart = Self(rawValue: "kept_apart")
    /// Its run has as many nodes with workers as it may.
    package static let runBoundReached = Self(rawValue: "run_bound_reached")
    /// It failed, and its next attempt starts later.
    package static let backingOff = Self(rawValue: "backing_off")
    /// A worker has it and has not begun it.
    package static let sent = Self(rawValue: "sent")
    /// A worker runs it.
    package static let running = Self(rawValue: "running")
    /// It was called back from its worker.
    package static let cancelling = Self(rawValue: "cancelling")
    /// Its run is cancelled.
    package static let runCancelled = Self(rawValue: "run_cancelled")
    /// It is about to be placed.
    package static let aboutToStart = Self(rawValue: "about_to_start")
    /// Nothing is dispatched until the disk has caught up with the journal.
    package static let journalBehind = Self(rawValue: "journal_behind")

    /// All that a coordinator of this version uses.
    package static let all: [Self] = [
        .dependencies, .growingPlan, .arguments, .approval, .toolMissing, .labelsMissing, .draining,
        .silent,
        .slotsBusy, .concurrencyReached, .refused, .failedThere, .coolingDown, .keptApart,
        .runBoundReached, .backingOff, .sent, .running, .cancelling, .runCancelled, .aboutToStart,
        .journalBehind,
    ]
}

extension ExplanationDocument: Document {
    /// The field that holds the list when the answer comes in pages.
    package static let list: StaticString = "nodes"

    package init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        status = try fields.choice("status")
        nodes = try fields.documents(Self.list)
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        writer.field("status", status.rawValue)
        writer.field(Self.list, nodes)
    }
}

extension WaitingNode: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        id = try fields.node("id")
        tool = try fields.string("tool")
        requires = try fields.labels("requires")
        status = try fields.choice("status")
        waitMilliseconds = try fields.optionalInteger("wait_ms")
        reasons = try fields.documents("reasons")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("id", id.text)
        writer.field("tool", tool)
        if !requires.isEmpty { writer.field("requires", requires) }
        writer.field("status", status.rawValue)
        writer.field("wait_ms", waitMilliseconds)
        writer.field("reasons", reasons)
    }
}

extension WaitingReason: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        code = Code(rawValue: try fields.string("code"))
        message = try fields.string("message")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("code", code.rawValue)
        writer.field("message", message)
    }
}
