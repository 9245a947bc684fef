// The arguments of `weft worker` for a worker of a group. Not here: how it is started.
internal import Configuration

extension GroupEntry {
    /// The arguments after `weft`; the join line comes over standard input.
    ///
    /// - Parameters:
    ///   - name: The worker's name.
    ///   - manifest: The path of the manifest where the worker runs; nil without tools.
    ///   - isFirst: Whether the worker is one of the fewest of its group, which stay when idle.
    ///   - isAgain: Whether an earlier process may still have the name.
    ///   - endsWithInput: Whether the worker ends when its standard input does.
    /// - Returns: The arguments.
    func workerArguments(
        name: String,
        manifest: String?,
        isFirst: Bool,
        isAgain: Bool,
        endsWithInput: Bool = true
    ) -> [String] {
        var arguments = ["worker", "--join", "-", "--name", name]
        if endsWithInput { arguments.append("--exit-with-stdin") }
        arguments += ["--quiet", "--tell-state"]
        if let manifest { arguments += ["--tools", manifest] }
        if hasDiagnostics { arguments.append("--diagnostics") }
        if let slots { arguments += ["--slots", "\(slots)"] }
        for label in labels { arguments += ["--label", "\(label.key)=\(label.value)"] }
        if let idleTimeout, !isFirst {
            arguments += ["--idle-timeout", Quantities.text(idleTimeout)]
        }
        if let timeLimit { arguments += ["--time-limit", Quantities.text(timeLimit)] }
        if isAgain { arguments.append("--replace") }
        return arguments
    }
}
