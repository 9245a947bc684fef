// The answer to `conversation`: what language models were asked for a run and what they wrote.
package import Core
package import JSON

/// A page of the calls of language models for a run.
package struct ConversationPage: Sendable, Equatable {
    /// What a call is for.
    package enum Purpose: String, Sendable, CaseIterable {
        /// To write or repair a plan, or to decide on the next call.
        case planner
        /// To make an answer of the outcomes, or ask for another plan.
        case joiner
    }

    /// A message of a prompt.
    package struct Text: Sendable, Equatable {
        /// Its author: `system`, `user`, `assistant`.
        package var role: String
        /// The text.
        package var text: String
        /// Whether it is only the first part of it.
        package var isCut: Bool

        /// Makes the message of its fields.
        package init(role: String, text: String, isCut: Bool = false) {
            self.role = role
            self.text = text
            self.isCut = isCut
        }
    }

    /// A call of a model.
    package struct Call: Sendable, Equatable {
        /// Its number, from 1.
        package var number: Int
        /// What it is for.
        package var purpose: Purpose
        /// Whether the model is asked to repair its reply.
        package var isRepair: Bool
        /// When it was made, in microseconds after the run was accepted.
        package var startedAt: Int
        /// How long it took, in microseconds; nil while it goes on, or if that is not known.
        package var took: Int?
        /// How many messages at the beginning of its prompt are those of the call before.
        package var sharedMessages: Int
        /// The other messages of its prompt.
        package var prompt: [Text]
        /// What the model wrote so far.
        package var reply: String
        /// Whether it is only the first part of it.
        package var isReplyCut = false
        /// Whether its texts are not kept any more.
        package var isLeftOut = false
        /// How it ended: why the model stopped, `failed` or `abandoned`; nil while it goes on.
        package var end: String?
        /// Why it failed.
        package var problem: String?
        /// The tokens that it used, if they are known.
        package var usage: TokenUsage?

        /// The end of a call that failed.
        package static let failed = "failed"
        /// The end of a call of which nothing more was needed, or that was lost.
        package static let abandoned = "abandoned"

        /// Makes a call that goes on.
        package init(
            number: Int,
            purpose: Purpose,
            isRepair: Bool = false,
            startedAt: Int,
            sharedMessages: Int = 0,
            prompt: [Text],
            reply: String
        ) {
            self.number = number
            self.purpose = purpose
            self.isRepair = isRepair
            self.startedAt = startedAt
            self.sharedMessages = sharedMessages
            self.prompt = prompt
            self.reply = reply
        }
    }

    /// The run.
    package var run: RunID
    /// The calls, the oldest first.
    package var calls: [Call]
    /// Calls so far.
    package var total: Int

    /// The field with the list.
    package static let list: StaticString = "calls"

    /// Makes the document of its fields.
    package init(run: RunID, calls: [Call], total: Int) {
        self.run = run
        self.calls = calls
        self.total = total
    }
}

extension ConversationPage.Text: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        role = try fields.string("role")
        text = try fields.string("text")
        isCut = try fields.flag("cut")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("role", role)
        writer.field("text", text)
        writer.flag("cut", isCut)
    }
}

extension ConversationPage.Call: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        self.init(
            number: try fields.integer("number"),
            purpose: try fields.choice("purpose"),
            isRepair: try fields.flag("repair"),
            startedAt: try fields.microseconds("started_at_ms"),
            sharedMessages: try fields.integer("shared"),
            prompt: try fields.documents("prompt"),
            reply: try fields.string("reply")
        )
        took = try fields.optionalMicroseconds("took_ms")
        isReplyCut = try fields.flag("cut")
        isLeftOut = try fields.flag("left_out")
        end = try fields.optionalString("end")
        problem = try fields.optionalString("problem")
        usage = try fields.optionalDocument("usage")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("number", number)
        writer.field("purpose", purpose.rawValue)
        writer.flag("repair", isRepair)
        writer.field("started_at_ms", microseconds: startedAt)
        writer.field("took_ms", microseconds: took)
        writer.field("shared", sharedMessages)
        writer.field("prompt", prompt)
        writer.field("reply", reply)
        writer.flag("cut", isReplyCut)
        writer.flag("left_out", isLeftOut)
        writer.field("end", end)
        writer.field("problem", problem)
        writer.field("usage", usage)
    }
}

extension ConversationPage: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        run = try fields.run("run")
        calls = try fields.documents(Self.list)
        total = try fields.integer("total")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("run", run.text)
        writer.field(Self.list, calls)
        writer.field("total", total)
    }
}
