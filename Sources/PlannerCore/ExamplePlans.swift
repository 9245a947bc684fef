// Which example plans a prompt shows: those that people gave, or some that are made from the tools'
// schemas. Examples of the tools that are really there help a small model more than any rule; every
// habit of theirs is copied.

import JSON
import OrderedCollections
import Plans

/// Chooses and makes examples.
enum ExamplePlans {
    /// An example whose plan fits the tools.
    struct Sound: Sendable, Hashable {
        var goal: String
        var nodes: [NodeDefinition]
    }

    /// How many examples a prompt shows at most.
    static let most = 14

    /// The examples for a goal: those given, the nearest ones if they are many; if none fits the
    /// tools, made ones.
    ///
    /// The order does not depend on the goal, so that a server's cache can keep the beginning of
    /// the prompt.
    static func chosen(
        for goal: String,
        tools: [PlannerTool],
        given: [PlanExample]
    ) -> [Sound] {
        var seen: Set<String> = []
        let all = (given + tools.flatMap(\.examples)).filter { seen.insert($0.goal).inserted }
        let sound = all.compactMap { Sound($0, tools) }
        guard !sound.isEmpty else { return made(from: tools).compactMap { Sound($0, tools) } }
        guard sound.count > most else { return sound }
        let nearest = TextIndex(sound.map(\.goal)).ranked(goal)
        let rest = sound.indices.filter { !nearest.contains($0) }
        return (nearest + rest).prefix(most).sorted().map { sound[$0] }
    }

    // MARK: - Made from schemas

    /// Calls of some tools, two at once, and a call that uses the output of another one.
    static func made(from tools: [PlannerTool]) -> [PlanExample] {
        let samples = tools.compactMap(SampleCall.init)
        var examples: [PlanExample] = []
        // Tools with parameters of other names are used differently.
        var shapes: Set<[String]> = []
        for sample in samples where shapes.insert(sample.names).inserted {
            guard examples.count < mostSingle else { break }
            examples.append(PlanExample(goal: sample.goal, calls: [sample.text]))
        }
        if let (sample, other) = samples.lazy.compactMap({ first in
            first.withOtherValue.map { (first, $0) }
        }).first {
            let goal = "\(sample.goal), and the same of \(other.values.joined(separator: ", "))"
            examples.append(PlanExample(goal: goal, calls: [sample.text, other.text]))
        }
        if let chain = chain(of: samples) { examples.append(chain) }
        return examples
    }

    private static let mostSingle = 6

    /// A call whose description names the parameter of another one: the capital *city* of a country,
    /// the temperature in a *city*.
    private static func chain(of samples: [SampleCall]) -> PlanExample? {
        for first in samples {
            let made = TextIndex.words(in: first.purpose)
            for second in samples where second.names.count == 1 && second.tool != first.tool {
                let needed = TextIndex.words(in: second.names[0])
                guard needed.allSatisfy(made.contains), first.names != second.names else {
                    continue
                }
                return PlanExample(
                    goal: "\(second.purpose), where the \(second.names[0]) is: \(first.goal)",
                    calls: [first.text, "\(second.tool)(\"$1\")"]
                )
            }
        }
        return nil
    }
}

extension [ExamplePlans.Sound] {
    /// How many remembered plans are shown.
    private static var mostRemembered: Int { 3 }
    /// Bytes of a goal in which words are searched.
    private static var searchedBytes: Int { 512 }

    /// These, and behind them the remembered plans whose goals are nearest, the nearest last: the
    /// beginning of the prompt does not depend on the goal.
    func withNearest(
        of remembered: [PlanExample],
        to goal: String,
        tools: [PlannerTool]
    ) -> Self {
        guard !remembered.isEmpty else { return self }
        let shown = Set(map(\.goal))
        let index = TextIndex(remembered.map { shortened($0.goal, to: Self.searchedBytes) })
        var nearest: Self = []
        for position in index.ranked(shortened(goal, to: Self.searchedBytes)) {
            guard nearest.count < Self.mostRemembered else { break }
            guard !shown.contains(remembered[position].goal),
                let sound = ExamplePlans.Sound(remembered[position], tools)
            else { continue }
            nearest.append(sound)
        }
        return self + nearest.reversed()
    }
}

extension ExamplePlans.Sound {
    /// Nil if the plan cannot be made with these tools.
    init?(_ example: PlanExample, _ tools: [PlannerTool]) {
        // Only the tools that it calls have to be known.
        let called = Set(example.calls.map { String($0.prefix { $0 != "(" }) })
        let known = tools.filter { called.contains($0.name) }
        guard case .success(let nodes) = example.nodes(with: known) else { return nil }
        self.init(goal: example.goal, nodes: nodes)
    }
}

/// A call of a tool with values that are made up from its schema.
struct SampleCall: Sendable {
    var tool: String
    /// What it is for: the first sentence of the tool's description.
    var purpose: String
    var names: [String]
    /// The values as they are written in a call.
    var values: [String]

    var goal: String { "\(purpose): \(values.joined(separator: ", "))" }
    var text: String { "\(tool)(\(values.joined(separator: ", ")))" }

    /// Nil if a value cannot be made up.
    init?(_ tool: PlannerTool) {
        let schema = JSONValue(tool.parameters)
        let properties = schema["properties"]?.objectValue ?? [:]
        let required = (schema["required"]?.arrayValue ?? []).compactMap(\.stringValue)
        let names = Array(properties.keys).filter(required.contains)
        guard !names.isEmpty, names.count <= 4, Array(properties.keys.prefix(names.count)) == names
        else { return nil }
        var values: [String] = []
        for name in names {
            guard let property = properties[name], let value = SampleCall.value(name, property)
            else { return nil }
            values.append(value.text)
        }
        self.tool = tool.name
        self.names = names
        self.values = values
        let sentence = tool.description.prefix { $0 != "." && !$0.isNewline }
        purpose = sentence.isEmpty ? tool.name : String(sentence)
    }

    /// The same call with another value, if there is one.
    var withOtherValue: SampleCall? {
        guard values.count == 1, let other = SampleCall.pairs[values[0]] else { return nil }
        var copy = self
        copy.values = [other]
        return copy
    }

    private static func value(_ name: String, _ property: JSONValue) -> RawJSON? {
        if let value = property["examples"]?[0] ?? property["default"] ?? property["enum"]?[0]
            ?? property["const"], !value.isNull
        {
            return RawJSON(value)
        }
        switch property.schemaTypes.first ?? "string" {
        case "string": return text(name, property).map { RawJSON($0) }
        case "integer", "number": return RawJSON(3)
        case "boolean": return RawJSON(.bool(true))
        default: return nil
        }
    }

    private static func text(_ name: String, _ property: JSONValue) -> String? {
        let description = property["description"]?.stringValue ?? ""
        for mark in [" like ", " e.g. ", " such as ", "for example "] {
            guard let start = description.firstRange(of: mark)?.upperBound else { continue }
            var word = String(description[start...].prefix { !$0.isWhitespace && $0 != "," })
            while let last = word.last, ".)\"'".contains(last) { word.removeLast() }
            while let first = word.first, "(\"'".contains(first) { word.removeFirst() }
            if !word.isEmpty { return word }
        }
        let words = TextIndex.words(in: name)
        return usual.first { words.contains($0.word) }?.value
    }

    /// Values for parameters by a word of their names.
    private static let usual: [(word: String, value: String)] = [
        ("country", "Chile"), ("city", "Vienna"), ("place", "Vienna"), ("location", "Vienna"),
        ("file", "notes.txt"), ("path", "notes.txt"), ("folder", "notes"), ("pattern", "*.txt"),
        ("url", "https://example.org/a"), ("date", "2001-02-03"), ("day", "2001-02-03"),
        ("expression", "12 * 9 - 4"), ("product", "green tea"), ("item", "green tea"),
        ("query", "green tea"), ("topic", "green tea"), ("word", "tea"), ("text", "good day"),
        ("message", "good day"), ("title", "Good day"), ("name", "Vienna"), ("language", "French"),
    ]

    private static let pairs = [
        "\"Chile\"": "\"India\"", "\"Vienna\"": "\"Cairo\"", "\"notes.txt\"": "\"list.txt\"",
        "\"2001-02-03\"": "\"2004-05-06\"", "\"green tea\"": "\"rice\"",
        "\"good day\"": "\"one two\"",
    ]
}
