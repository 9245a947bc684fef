// Text that looks like a reference but is none: a warning suggests the right form.
import Core
import JSON
import Plans
import Testing

@Suite("Malformed references") struct MalformedReferenceTests {
    private func find(_ text: String) -> [MalformedReference] {
        MalformedReference.find(in: RawJSON(["q": .string(text)])) {
            ["a", "b-c"].contains($0.text)
        }
    }

    @Test(
        "Suggests the form that was meant",
        arguments: [
            ("${a[-1]}", "${a[-1]}", "${a[0]}"), ("x ${ a } y", "${ a }", "${a}"),
            ("${a.items", "${a.items", "${a.items}"), ("${a.items and", "${a.items", "${a.items}"),
            ("${a", "${a", "${a}"), ("${len(a)}", "${len(a)}", "${a}"),
            ("${len( a.items )}", "${len( a.items )}", "${a.items}"), ("${a()}", "${a()}", "${a}"),
            ("${a[*].x}", "${a[*].x}", "${a[0].x}, or ${a} for all of it"),
            ("${a[]}", "${a[]}", "${a[0]}, or ${a} for all of it"),
            ("${a[1:2]}", "${a[1:2]}", "${a[0]}, or ${a} for all of it"),
            ("${a.}", "${a.}", "${a}"), ("${a..b}", "${a..b}", "${a}"),
            ("${a|upper}", "${a|upper}", "${a}"),
            ("${a + 1}", "${a + 1}", "${a}"), ("${a.x[-1].y}", "${a.x[-1].y}", "${a.x[0].y}"),
            ("${$a}", "${$a}", "${a}"), ("${a['x]}", "${a['x]}", "${a}"),
            ("see $a.items now", "$a.items", "${a.items}"), ("$a[0].x", "$a[0].x", "${a[0].x}"),
            ("${b-c[-2]}", "${b-c[-2]}", "${b-c[0]}"),
        ]
    )
    func meant(text: String, shown: String, meant: String) throws {
        let found = try #require(find(text).first)
        #expect(find(text).count == 1)
        #expect(found.text == shown)
        #expect(found.meant == meant, "\(found.fault)")
        #expect(found.fault.contains("which is not a reference and stays text: "))
        #expect(found.fault.contains("; did you mean \(meant)?"))
    }

    @Test("Reports a reference to nothing without a guess")
    func noGuess() throws {
        let found = try #require(find("${}").first)
        #expect(found.meant == nil)
    }

    @Test(
        "Ignores references and ordinary text",
        arguments: [
            "${a}", "$a", "about $a.", "$a, ${a.items[0]['x y']}", "$$ and $${a[-1]}", "costs $15",
            "$a.\n", "$nobody.x", "a { } b", "{$a}", "$", "${a.x}.y", "$a-1", "$(a)",
        ]
    )
    func ordinary(text: String) {
        #expect(find(text).isEmpty)
    }

    @Test("Ignores keys of objects, and reports each text once")
    func places() {
        let arguments: JSONValue = ["${a[-1]}": ["${ a }", "${ a }", ["x": "${len(a)}"]]]
        let found = MalformedReference.find(in: RawJSON(arguments)) { _ in true }
        #expect(found.map(\.text) == ["${ a }", "${len(a)}"])
    }

    @Test("A plan warns about them, and about unknown nodes, but can run")
    func warnings() throws {
        let text = #"""
            {"tasks":[{"id":"a","tool_name":"x"},
             {"id":"b","tool_name":"x","args":{"q":"${a[-1]} $zzz ${a}"}},
             {"id":"c","tool_name":"x","args":{"q":"$${a[-1]}"}}]}
            """#
        let plan = try Plan(reading: Array(text.utf8)[...])
        let warnings = plan.warnings()
        #expect(warnings.map(\.code) == [.malformedReference, .unknownReference])
        #expect(warnings.allSatisfy { $0.node == "b" && $0.isWarning })
    }
}
