// The span that a run is part of, by a flag or the environment.
internal import ArgumentParser
internal import Wire

/// The flag `--traceparent`.
struct TraceFlag: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The span that the run is part of, as in W3C Trace Context; tools get its trace "
                + "(default: TRACEPARENT).",
            valueName: "00-trace-span-flags"
        ),
        transform: traceParent
    )
    var traceparent: TraceParent?

    /// The span of the flag, or of the environment; one there that is malformed counts as absent.
    var parent: TraceParent? {
        traceparent
            ?? ConnectionChoice.environment("TRACEPARENT").flatMap { TraceParent($0) }
    }
}

private func traceParent(_ text: String) throws -> TraceParent {
    guard let parent = TraceParent(text) else {
        throw ValidationError(
            "It is no traceparent: 00, 32 digits of 0-9a-f for the trace, 16 for the span and 2 for "
                + "the flags, with - between them."
        )
    }
    return parent
}
