// The example plans of a manifest, checked against its tools: `examples` of a tool, and `plans` of
// the manifest, which go with the tool that they call first.
internal import Configuration
internal import OrderedCollections
internal import PlannerCore
internal import Plans
internal import Wire
internal import YAML

extension ManifestReader {
    /// Adds the manifest's plans to its tools.
    mutating func readExamples(_ fields: YAMLNode.Mapping, _ tools: inout [ManifestTool]) {
        let known = tools.map {
            PlannerTool(
                name: $0.description.name,
                description: $0.description.description,
                parameters: $0.description.parameters
            )
        }
        let entries = fields["tools"]?.sequence ?? []
        for (position, entry) in entryPositions.enumerated() {
            guard let entry, let tool = entries[entry].mapping else { continue }
            tools[position].description.examples = sound(examples(tool, "examples"), known)
        }
        for example in sound(examples(fields, "plans"), known) {
            let name = example.calls.first?.prefix { $0 != "(" } ?? ""
            let position = tools.firstIndex { $0.description.name == name } ?? 0
            guard tools.indices.contains(position) else { continue }
            tools[position].description.examples.append(example)
        }
    }

    private mutating func sound(
        _ written: [WrittenExample],
        _ tools: [PlannerTool]
    ) -> [PlanExample] {
        var sound: [PlanExample] = []
        for entry in written {
            let example = PlanExample(goal: entry.goal, calls: entry.calls)
            switch example.nodes(with: tools) {
            case .success:
                sound.append(example)
            case .failure(let problems):
                let message = problems.problems.first?.message ?? "the calls cannot be made"
                report(entry.node, field: "calls", "cannot be used: \(message).")
            }
        }
        return sound
    }
}
