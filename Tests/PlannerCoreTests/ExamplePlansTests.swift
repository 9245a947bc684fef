// What a model is shown of tools and examples, and the grammar of plans that call them.

import Core
import JSON
import Plans
import Testing

@testable import PlannerCore

@Suite("Examples, tools and grammar of a prompt")
struct ExamplePlansTests {
    private static let country = """
        {"type":"object","properties":{"country":{"type":"string"}},"required":["country"]}
        """
    private static let city = """
        {"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}
        """

    private func named(_ name: String, _ description: String, _ parameters: String) -> PlannerTool {
        var made = tool(name, parameters)
        made.description = description
        return made
    }

    private var world: [PlannerTool] {
        [
            named("capital", "The capital city of a country.", Self.country),
            named("temperature", "The temperature in a city today.", Self.city),
        ]
    }

    private func shown(
        _ tools: [PlannerTool],
        _ examples: [PlanExample] = [],
        goal: String = "the goal",
        format: PlanFormat = .text
    ) -> [ModelMessage] {
        PlannerPrompt(goal: goal, tools: tools, examples: examples, format: format).plan()
    }

    @Test("Examples are the turns of a conversation before the goal; those of absent tools are not")
    func given() {
        let examples = [
            PlanExample(goal: "Chain.", calls: ["capital(\"Peru\")", "temperature(\"$1\")"]),
            PlanExample(goal: "Absent.", calls: ["fetch(\"Peru\")"]),
            PlanExample(goal: "None.", calls: []),
        ]
        let messages = shown(world, examples)
        #expect(
            messages.dropFirst() == [
                .user("Goal: Chain.\n"),
                .assistant("1. capital(\"Peru\")\n2. temperature(\"$1\")\n3. join()"),
                .user("Goal: None.\n"), .assistant("1. join()"), .user("Goal: the goal\n"),
            ]
        )
        let object = shown(world, examples, format: .json)[2].text
        #expect(object.contains(#""id":"t2","tool_name":"temperature","args":{"city":"$t1"}"#))
        #expect(!object.contains("\n"))
    }

    @Test("Without examples some are made: single calls, two at once, and a chain")
    func made() throws {
        let plans = shown(world).filter { $0.role == .assistant }.map(\.text)
        #expect(plans.contains("1. capital(\"Chile\")\n2. join()"))
        #expect(plans.contains("1. capital(\"Chile\")\n2. capital(\"India\")\n3. join()"))
        #expect(plans.contains("1. capital(\"Chile\")\n2. temperature(\"$1\")\n3. join()"))
        for plan in plans {
            #expect(text(plan).end?.problems.contains { $0.code == .badPlan } == false)
        }
        // A tool whose arguments cannot be made up has no example.
        #expect(
            shown([
                tool(
                    "odd",
                    #"{"type":"object","properties":{"zz":{"type":"string"}},"required":["zz"]}"#
                )
            ]).count == 2
        )
    }

    @Test("Of many examples those near the goal are shown, in an order that does not depend on it")
    func many() {
        let examples = (0..<100).map {
            PlanExample(goal: "About topic\($0) of the world.", calls: ["capital(\"X\($0)\")"])
        }
        let goals = shown(world, examples, goal: "What about topic7 and topic93?")
            .filter { $0.role == .user }.map(\.text)
        #expect(goals.count == ExamplePlans.most + 1)
        let near = goals.filter { $0.contains("topic7 ") || $0.contains("topic93 ") }
        #expect(
            near.prefix(2) == [
                "Goal: About topic7 of the world.\n", "Goal: About topic93 of the world.\n",
            ]
        )
    }

    @Test("5,000 tools take no more of a prompt than 50, and the nearest are among those shown")
    func manyTools() {
        func bytes(_ count: Int) -> (Int, String) {
            let tools = (0..<count).map {
                named("tool\($0)", "Does the thing number\($0) with care and says so.", Self.city)
            }
            let text = shown(tools, goal: "Do the thing number\(count - 3).").map(\.text).joined()
            return (text.utf8.count, text)
        }
        let (few, _) = bytes(50)
        let (many, text) = bytes(5_000)
        #expect(many <= max(few, 12 << 10))
        #expect(text.contains("tool4997(city)"))
        // A plan may call the others, too.
        let tools = (0..<5_000).map { named("tool\($0)", "", Self.city) }
        var reader = ModelPlanReader(format: .text, tools: tools)
        #expect(reader.feed("1. tool4000(\"Rome\")\n").count == 1)
    }

    @Test(
        "Texts are ranked by their rare words, whatever their case and number",
        arguments: [
            ("Read the FILES", [1]), ("a fileName", [1, 2]), ("nothing of this", []),
            ("cities", []),
            ("city city", [0]),
        ]
    )
    func ranking(query: String, found: [Int]) {
        let index = TextIndex([
            "The weather in a city", "Reads a file by name", "The name of a person",
        ])
        let ranked = index.ranked(query)
        #expect(ranked.prefix(found.count) == found[...])
        if found.isEmpty { #expect(ranked.isEmpty || query.contains("of")) }
    }

    @Test("The grammar has the tools, their arguments in order, and references")
    func grammar() throws {
        let text = try #require(PlanGrammar.text(for: tools))
        #expect(text.hasPrefix("root ::= line* number \". join()\"\n"))
        #expect(text.contains("call0 ::= \"search(\" string \")\"\n"))
        #expect(
            text.contains(
                "call2 ::= \"add(\" (decimal | reference) \", \" (decimal | reference) \")\"\n"
            )
        )
        #expect(text.contains("call1 ::= \"math(\" string (\", \" (\"context=\" value))* \")\"\n"))
        #expect(PlanGrammar.text(for: []) == nil)
    }
}
