// The environment that tools get: little of the worker's own, so that its secrets stay with it.
internal import Core
internal import FoundationEssentials

/// The variables of the worker's own process.
public enum WorkerEnvironment {
    /// The variables as they are now.
    public static var current: [String: String] { ProcessInfo.processInfo.environment }
}

/// The environment of a tool's processes, all but what differs between two of them.
struct ProcessEnvironment: Sendable {
    /// Variables that the worker sets itself; a manifest may not.
    static let reservedPrefix = "WEFT_"

    /// Where programs are looked for when the worker has no `PATH`.
    static let defaultPath = "/usr/local/bin:/usr/bin:/bin"

    private let fixed: [(String, String)]
    private let setsHome: Bool
    private let setsTemporaries: Bool

    /// Precomputes what every process of a tool gets.
    ///
    /// `PATH`, `LANG` and `USER` come from the worker; then come the variables to pass on that
    /// the worker has, then those the manifest sets. Later ones win.
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
    }

    /// The variables of one process; the invocation is nil for one that serves several.
    func variables(folder: String, for invocation: Invocation?) -> [(String, String)] {
        var variables = fixed
        variables.reserveCapacity(fixed.count + 5)
        if setsHome { variables.append(("HOME", folder)) }
        if setsTemporaries { variables.append(("TMPDIR", folder)) }
        if let invocation {
            variables.append(("WEFT_RUN", invocation.run.text))
            variables.append(("WEFT_NODE", invocation.node.text))
            variables.append(("WEFT_ATTEMPT", String(invocation.number)))
        }
        return variables
    }
}
