// Reads example plans: a goal, and the calls that reach it. Not here: whether the calls can be made.
import Core
public import YAML

/// A goal with calls as a file has them.
public struct WrittenExample {
    /// The goal in words.
    public var goal: String
    /// The calls, one text each.
    public var calls: [String]
    /// Where it is, for problems.
    public var node: YAMLNode
}

extension FieldReading {
    /// A list of `{goal: …, calls: [search("tea"), …]}`; empty if there is none.
    public mutating func examples(_ fields: YAMLNode.Mapping, _ name: String) -> [WrittenExample] {
        guard let list = fields[name] else { return [] }
        guard let entries = list.sequence else {
            report(list, field: name, "must be a list of goals with their calls.")
            return []
        }
        var examples: [WrittenExample] = []
        for entry in entries {
            guard let example = entry.mapping, let goal = text(example, "goal"), !goal.isEmpty,
                let calls = example["calls"]?.sequence?.compactMap(\.scalar?.string),
                calls.count == example["calls"]?.sequence?.count
            else {
                report(
                    entry,
                    field: name,
                    "must have a goal and calls in quotes: {goal: How large is Peru?, "
                        + "calls: ['area(\"Peru\")']}."
                )
                continue
            }
            checkNames(example, ["goal", "calls"])
            examples.append(WrittenExample(goal: goal, calls: calls, node: entry))
        }
        return examples
    }
}
