// Which parts of outputs exist, as far as a schema tells, and how prompts show it.
import Core
import JSON
import OrderedCollections
import PlannerCore
import Plans
import Testing

@Suite struct OutputShapeTests {
    private static let pages = """
        {"type":"object","properties":{
            "title":{"type":"string"},
            "items":{"type":"array","maxItems":3,"items":{"$ref":"#/$defs/Item"}},
            "pair":{"prefixItems":[{"type":"integer"}],"items":{"type":"string"}},
            "loop":{"$ref":"#/$defs/Loop"},
            "either":{"anyOf":[{"type":"string"},{"type":"object"}]},
            "map":{"type":"object","additionalProperties":{"type":"integer"}},
            "closed":{"type":"object","additionalProperties":false}},
         "$defs":{
            "Item":{"type":"object","properties":{"name":{"type":"string"}}},
            "Loop":{"$ref":"#/$defs/Loop"}}}
        """

    private func shape(_ schema: String) throws -> OutputShape {
        OutputShape(try RawJSON(validating: schema))
    }

    @Test(arguments: [
        "${t1.title}", "${t1.items[0].name}", "${t1.pair[0]}", "${t1.loop.a}", "${t1.either.a}",
        "${t1.map.a}", "$t1", "${t2.anything}", "${t1.pair[7]}",
    ])
    func `parts that may be there are no fault`(reference: String) throws {
        let arguments = RawJSON(JSONValue.object(["a": .string(reference)]))
        let shape = try shape(Self.pages)
        let faults = OutputShape.faults(in: arguments) { $0.text == "t1" ? shape : nil }
        #expect(faults.isEmpty)
    }

    @Test(arguments: [
        ("${t1.titel}", "has no field titel; it has title, items", false),
        ("${t1.title.x}", "is a string, without fields", true),
        ("${t1.items.name}", "is an array, without fields", true),
        ("about ${t1.items[3]}", "has at most 3 elements", true),
        ("${t1.items[0].size}", "has no field size; it has name", false),
        ("${t1[0]}", "is an object, not a list", true),
        ("${t1.closed.a}", "has no field a", true),
        ("${t1.map.a.b}", "is an integer, without fields", true),
        ("${t1.pair[1].x}", "is a string, without fields", true),
    ])
    func `a part that is missing is named`(
        reference: String,
        words: String,
        isCertain: Bool
    ) throws {
        let arguments = RawJSON(JSONValue.object(["a": .string(reference)]))
        let shape = try shape(Self.pages)
        let faults = OutputShape.faults(in: arguments) { _ in shape }
        #expect(faults.count == 1)
        #expect(faults.first?.sentence.contains(words) == true, "\(faults)")
        #expect(faults.first?.isCertain == isCertain)
    }

    @Test func `the summary shows names, kinds and parts`() throws {
        #expect(
            try shape(Self.pages).summary
                == "{title, items: [{name}], pair: [string], loop: any, either: any, map: object,"
                + " closed: object}"
        )
        #expect(try shape("{}").summary == nil)
        #expect(try shape(#"{"type":"object"}"#).summary == nil)
        #expect(try shape(#"{"type":"array","items":{"type":"integer"}}"#).summary == "[integer]")
    }
}
