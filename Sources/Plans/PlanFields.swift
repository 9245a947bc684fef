// The fields of a plan document and of its nodes, and guesses for misspelled ones.

import Core

/// The names of fields.
enum PlanFields {
    /// The fields of the document.
    static let plan = ["tasks", "join_instruction"]
    /// The fields of a node, an element of `tasks`.
    static let node = [
        "id", "tool_name", "args", "dependencies", "timeout_ms", "max_attempts", "requires",
    ]

    /// Names that other systems use for the same fields.
    private static let meant: [String: String] = [
        "depends_on": "dependencies", "dependson": "dependencies", "depends": "dependencies",
        "deps": "dependencies", "needs": "dependencies", "after": "dependencies",
        "upstream": "dependencies", "requirements": "dependencies", "wait_for": "dependencies",
        "timeout": "timeout_ms", "timeout_s": "timeout_ms", "timeout_seconds": "timeout_ms",
        "timeout_sec": "timeout_ms", "deadline": "timeout_ms", "deadline_ms": "timeout_ms",
        "retries": "max_attempts", "retry": "max_attempts", "max_retries": "max_attempts",
        "attempts": "max_attempts", "tool": "tool_name", "name": "tool_name",
        "function": "tool_name", "action": "tool_name", "arguments": "args",
        "parameters": "args", "params": "args", "input": "args", "inputs": "args",
        "kwargs": "args", "labels": "requires", "task_id": "id", "idx": "id", "index": "id",
        "task": "tasks", "nodes": "tasks", "steps": "tasks", "plan": "tasks",
        "join": "join_instruction", "joiner": "join_instruction",
        "instruction": "join_instruction",
    ]

    /// The fault of a node that has an unknown field, to follow `the node`.
    static func fault(of name: String, known: [String]) -> String {
        let alias = meant[name.lowercased()]
        let closest =
            alias.flatMap { known.contains($0) ? $0 : nil }
            ?? Suggestions.closest(to: name, among: known)
        let hint =
            closest.map { "; did you mean \($0)?" } ?? "; known are "
            + known.joined(separator: ", ")
        return "has the unknown field \(quoted(name))" + hint
    }
}
