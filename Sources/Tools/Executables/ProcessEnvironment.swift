// The environment of tools: only a few of the worker's variables, so that they do not get its
// secrets.
internal import Core
internal import FoundationEssentials
internal import Wire

/// The variables of the worker's own process.
public enum WorkerEnvironment {
    /// The current variables.
    public static var current: [String: String] { ProcessInfo.processInfo.environment }
}

/// The environment of a tool's processes, without the variables that differ between processes.
struct ProcessEnvironment: Sendable {
    /// Variables that the worker sets; a manifest must not.
    static let reservedPrefix = "WEFT_"

    /// The search path when the worker has no `PATH`.
    static let defaultPath = "/usr/local/bin:/usr/bin:/bin"

    private let fixed: [(String, String)]
    private let setsHome: Bool
    private let setsTemporaries: Bool
    private let setsTrace: Bool

    /// Computes the variables that all processes of a tool get.
    ///
    /// `PATH`, `LANG` and `USER` come from the worker; then come the worker's variables to pass on,
    /// then those of the manifest. Later ones win.
    init(
        worker: [String: String],
        passing names: [String] = [],
        setting variables: [(String, String)] = []
    ) {
        var values: [(String, String)] = [
            ("PATH", worker["PATH"] ?? Self.defaultPath),
            ("LANG", worker["LANG"] ?? "C.UTF-8"),
        ]
        if let user = worker["USER"] ?? worker["LOGNAME"] { values.append(("USER", user)) }
        for name in names {
            if let value = worker[name] { values.append((name, value)) }
        }
        values += variables
        var merged: [(String, String)] = []
        for (name, value) in values {
            merged.removeAll { $0.0 == name }
            merged.append((name, value))
        }
        fixed = merged
        setsHome = !merged.contains { $0.0 == "HOME" }
        setsTemporaries = !merged.contains { $0.0 == "TMPDIR" }
        setsTrace = !merged.contains { $0.0 == "TRACEPARENT" }
    }

    /// The variables of one process; the invocation is nil for a process that serves several.
    func variables(folder: String, for invocation: Invocation?) -> [(String, String)] {
        var variables = fixed
        variables.reserveCapacity(fixed.count + 6)
        if setsHome { variables.append(("HOME", folder)) }
        if setsTemporaries { variables.append(("TMPDIR", folder)) }
        if let invocation {
            variables.append(("WEFT_RUN", invocation.run.text))
            variables.append(("WEFT_NODE", invocation.node.text))
            variables.append(("WEFT_ATTEMPT", String(invocation.number)))
            if setsTrace { variables.append(("TRACEPARENT", invocation.traceParent.text)) }
        }
        return variables
    }
}
