// The limits of texts of YAML: their size, how deep they nest, and what aliases can make of them.
import Testing
import YAML

private func refusal(_ text: String) throws -> YAMLError {
    try #require(throws: YAMLError.self) { try YAMLNode.parse(text) }
}

/// A list of `depth` lists inside each other, around a text.
private func nested(_ depth: Int, around text: String = "x") -> String {
    String(repeating: "[", count: depth) + text + String(repeating: "]", count: depth)
}

@Suite struct YAMLLimitTests {
    @Test func `aliases of aliases are counted and not unfolded`() throws {
        // Ten layers of nine aliases each would be 3,486,784,401 values.
        let layers = (1...10).map { layer in
            let aliases = Array(repeating: "*l\(layer - 1)", count: 9).joined(separator: ", ")
            return "l\(layer): &l\(layer) [\(aliases)]"
        }
        let error = try refusal("l0: &l0 x\n" + layers.joined(separator: "\n"))
        #expect(error.message.contains("more than 1000000 values"), "\(error.message)")
        #expect(error.line == 8)
    }

    @Test func `a list of as many values as the limit is read, of one more is not`() throws {
        let text = "[" + String(repeating: "1,", count: YAMLLimits.values - 1) + "]"
        #expect(try YAMLNode.parse(text)?.sequence?.count == YAMLLimits.values - 1)
        let error = try refusal("[1," + text.dropFirst())
        #expect(error.message.contains("more than 1000000 values"), "\(error.message)")
    }

    @Test func `an alias counts as many values as stand behind it`() throws {
        let list = "a: &a [" + String(repeating: "1,", count: 999) + "]\n"
        // The mapping, two keys, the first list and the outer one; each alias is 1000 values.
        let most = (YAMLLimits.values - 4 - 1000) / 1000
        let fits = list + "b: [" + String(repeating: "*a,", count: most) + "]"
        #expect(try YAMLNode.parse(fits)?.mapping?["b"]?.sequence?.count == most)
        #expect(throws: YAMLError.self) {
            try YAMLNode.parse(list + "b: [" + String(repeating: "*a,", count: most + 1) + "]")
        }
    }

    @Test func `nesting as deep as the limit is read, one level more is refused`() throws {
        #expect(try YAMLNode.parse(nested(YAMLLimits.depth)) != nil)
        for text in [
            nested(YAMLLimits.depth + 1), String(repeating: "{a: ", count: YAMLLimits.depth + 1),
            String(repeating: "[", count: 1_000_000), String(repeating: "- ", count: 100_000),
            String(repeating: "? ", count: 100_000),
        ] {
            let error = try refusal(text)
            #expect(error.message.contains("nests deeper than 200 levels"), "\(error.message)")
            #expect(error.line == 1)
        }
    }

    @Test func `aliases do not nest deeper than the limit either`() throws {
        let half = YAMLLimits.depth / 2
        let fits = "[&a \(nested(half - 1)), \(nested(half, around: "*a"))]"
        #expect(try YAMLNode.parse(fits) != nil)
        let error = try refusal("- &a \(nested(half))\n- \(nested(half, around: "*a"))")
        #expect(error.message.contains("nests deeper than 200 levels"), "\(error.message)")
        #expect(error.line == 2)
    }

    @Test func `a text of as many bytes as the limit is read, of one more is not`() throws {
        let text = "#" + String(repeating: "a", count: YAMLLimits.textBytes - 3) + "\n1"
        #expect(try YAMLNode.parse(text)?.scalar?.string == "1")
        let error = try refusal(text + "2")
        #expect(error.message == "The file has more than 16 MiB. Split it into smaller ones.")
        #expect(error.line == nil)
    }
}
