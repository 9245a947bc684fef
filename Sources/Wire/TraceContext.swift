// The names of runs and attempts in distributed traces. Not here: sending spans anywhere.
public import Core

/// W3C Trace Context, version 00, of runs and their attempts.
///
/// The ids follow from those of the run and the attempt, so that all processes that have a part in
/// an attempt name the same span without having to agree first. Ids of runs are random.
public enum TraceContext {
    /// The value of `traceparent` for what an attempt calls.
    public static func parent(run: RunID, attempt: AttemptID) -> String {
        "00-\(traceID(of: run))-\(spanID(of: attempt))-01"
    }

    /// The id of the trace of a run, 32 hexadecimal digits.
    public static func traceID(of run: RunID) -> String {
        digits("run \(run.text)", count: 16)
    }

    /// The id of the span of an attempt, 16 hexadecimal digits.
    public static func spanID(of attempt: AttemptID) -> String {
        digits("attempt \(attempt)", count: 8)
    }

    private static func digits(_ text: String, count: Int) -> String {
        var hash = SHA256()
        hash.update(Array(text.utf8))
        return Hex.encode(hash.digest().prefix(count))
    }
}
