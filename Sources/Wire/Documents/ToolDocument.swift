// An entry of the answer to `tools`.
package import JSON

/// A tool of the catalogue.
package struct ToolDocument: Sendable, Equatable {
    /// What workers say of it.
    package var description: ToolDescription
    /// The names of the workers that offer it.
    package var workers: [String]
    /// How its calls went; nil before the first.
    package var figures: Figures?

    /// Makes the document of its fields.
    package init(description: ToolDescription, workers: [String], figures: Figures? = nil) {
        self.description = description
        self.workers = workers
        self.figures = figures
    }

    /// How the calls of a tool went since the coordinator was started.
    package struct Figures: Sendable, Equatable {
        /// Attempts that ended with a result or a failure.
        package var calls: Int
        /// Those that ended with a failure.
        package var failures: Int
        /// How long attempts ran; nil if none did.
        package var run: DurationDocument?
        /// How long nodes waited for a worker; nil if none did.
        package var queue: DurationDocument?

        /// Makes the figures of their fields.
        package init(calls: Int, failures: Int, run: DurationDocument?, queue: DurationDocument?) {
            self.calls = calls
            self.failures = failures
            self.run = run
            self.queue = queue
        }
    }
}

/// How long something took, for half and for nearly all of many times.
package struct DurationDocument: Sendable, Equatable {
    /// Half of them took at most so many microseconds.
    package var median: Int
    /// 95 % of them took at most so many microseconds.
    package var ninetyFifth: Int

    /// Makes the document of its fields.
    package init(median: Int, ninetyFifth: Int) {
        self.median = median
        self.ninetyFifth = ninetyFifth
    }
}

extension ToolDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        description = try ToolDescription(reading: fields)
        workers = try fields.strings("workers", bytes: 1...Limits.nameLength)
        guard let calls = try fields.optionalInteger("calls") else { return }
        figures = Figures(
            calls: calls,
            failures: try fields.integer("failures"),
            run: try fields.optionalDocument("run_ms"),
            queue: try fields.optionalDocument("queue_ms")
        )
    }

    package func write(into writer: inout JSONWriter) {
        description.write(into: &writer, saysFalse: true)
        writer.field("workers", workers)
        guard let figures else { return }
        writer.field("calls", figures.calls)
        writer.field("failures", figures.failures)
        writer.field("run_ms", figures.run)
        writer.field("queue_ms", figures.queue)
    }
}

extension DurationDocument: Document {
    package init(reading fields: FieldReader) throws(WireError) {
        median = try fields.microseconds("p50")
        ninetyFifth = try fields.microseconds("p95")
    }

    package func write(into writer: inout JSONWriter) {
        writer.field("p50", microseconds: median)
        writer.field("p95", microseconds: ninetyFifth)
    }
}
