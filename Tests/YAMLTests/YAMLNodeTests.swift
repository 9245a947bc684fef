// Texts of YAML as trees: values with their places, styles, aliases, and what is refused with which
// words and line. Not here: the meaning of fields (ConfigurationTests, ToolsTests).
import Testing
import YAML

private func parse(_ text: String) throws -> YAMLNode {
    try #require(try YAMLNode.parse(text))
}

private func refusal(_ text: String) throws -> YAMLError {
    try #require(throws: YAMLError.self) { try YAMLNode.parse(text) }
}

/// The tree as a short text: scalars as they are, with quotes if they are texts in any case.
private func words(_ node: YAMLNode) -> String {
    switch node.content {
    case .scalar(let scalar):
        scalar.isPlain ? scalar.string : "'\(scalar.string)'"
    case .sequence(let values):
        "[" + values.map(words).joined(separator: " ") + "]"
    case .mapping(let mapping):
        "{" + mapping.map { "\(words($0.key)): \(words($0.value))" }.joined(separator: " ") + "}"
    }
}

@Suite struct YAMLNodeTests {
    @Test(
        arguments: [
            ("a: 1\nb: [x, 'y', \"z\"]\n", "{a: 1 b: [x 'y' 'z']}"),
            ("z: {}\na: []\nm:\n", "{z: {} a: [] m: }"),
            ("- - 1\n  - 2\n- 3", "[[1 2] 3]"),
            ("a: |\n  one\n  two\nb: >\n  one\n  two\n", "{a: 'one\ntwo\n' b: 'one two\n'}"),
            (#""a\tb\0c\u00e9\U0001F600""#, "'a\tb\0cé😀'"),
            ("a b: c d # a comment", "{a b: c d}"),
            ("? [a, b]\n: c", "{[a b]: c}"),
            ("--- 5\n...\n", "5"), ("%YAML 1.1\n---\nno", "no"), ("\u{FEFF}é: 日本", "{é: 日本}"),
            ("!!str 5", "'5'"), ("!!int 5", "5"), ("!mine {a: b}", "{a: b}"),
            ("\"\"", "''"), ("--- ", ""),
        ]
    )
    func `a text becomes a tree in its order`(text: String, tree: String) throws {
        #expect(words(try parse(text)) == tree)
    }

    @Test(arguments: ["", "\n", "# only a comment\n", "   "])
    func `a text without a document has no value`(text: String) throws {
        #expect(try YAMLNode.parse(text)?.line == nil)
    }

    @Test func `every value knows where it begins`() throws {
        let root = try parse("tools:\n  - name: é\n    after:   [a, {b: c}]\n")
        let tool = try #require(root.mapping?["tools"]?.sequence?.first)
        let after = try #require(tool.mapping?["after"])
        let places = [root, tool, after] + (after.sequence ?? [])
        #expect(places.map(\.line) == [1, 2, 3, 3, 3])
        #expect(places.map(\.column) == [1, 5, 14, 15, 18])
        let keys = tool.mapping?.map(\.key) ?? []
        #expect(keys.map(\.line) == [2, 3])
    }

    @Test func `styles and tags are kept`() throws {
        let values = try parse("[a, 'a', \"a\", !!str a]").sequence ?? []
        #expect(
            values.map(\.scalar) == [
                .init("a"), .init("a", style: .singleQuoted), .init("a", style: .doubleQuoted),
                .init("a", tag: "tag:yaml.org,2002:str"),
            ]
        )
        let blocks = try parse("- |\n  a\n- >-\n  a\n").sequence ?? []
        #expect(blocks.map(\.scalar?.style) == [.literal, .folded])
    }

    @Test func `a field is found by its text, however it is written`() throws {
        let mapping = try parse("a: 1\n\"b\": 2\n1: 3\n[c]: 4").mapping
        #expect(["a", "b", "1", "c"].map { mapping?[$0]?.scalar?.string } == ["1", "2", "3", nil])
    }

    // MARK: - Aliases

    @Test func `an alias is the value of its anchor, where that stands`() throws {
        let root = try parse("a: &x {b: [1]}\nc: *x\nd: &y text\ne: [*y, *y]")
        #expect(words(root) == "{a: {b: [1]} c: {b: [1]} d: text e: [text text]}")
        #expect(root.mapping?["c"]?.line == 1)
    }

    @Test func `the latest anchor of a name counts`() throws {
        #expect(words(try parse("[&x 1, *x, &x 2, *x]")) == "[1 1 2 2]")
    }

    @Test func `a merge key is a key like any other`() throws {
        #expect(words(try parse("a: &x {b: 1}\nc: {<<: *x}")) == "{a: {b: 1} c: {<<: {b: 1}}}")
    }

    @Test(arguments: ["a: *x", "*x", "a: &x [*x]", "- *x\n- &x 1"])
    func `an alias without an anchor before it is refused`(text: String) throws {
        let error = try refusal(text)
        #expect(error.message == "The file is not valid YAML: found undefined alias.")
        #expect(error.line == 1)
    }

    // MARK: - Refusals

    @Test(
        arguments: [
            ("a: b: c", 1, "mapping values are not allowed in this context"),
            ("a: 1\nb: [", 3, "did not find expected node content"),
            ("a: 1\n b: 2", 2, "mapping values are not allowed in this context"),
            ("a: 'x", 1, "found unexpected end of stream"),
            ("a:\n\t- b", 2, "found character that cannot start any token"),
            ("a: 1\nb: \u{1}", 2, "control characters are not allowed"),
            ("a: !x!y z", 1, "found undefined tag handle"),
            ("a: 1\nb: 2\na: 3", 1, "a is given twice"),
            ("x:\n  b: 1\n  a: 1\n  \"b\": 2\n  a: 2", 3, "a, b is given twice"),
            ("1: a\n'1': b", 1, "1 is given twice"),
            (
                "a: 1\n---\nb: 2", 2,
                "another document begins here, and a file may hold only one"
            ),
            ("a\n...\nb", 3, "did not find expected <document start>"),
        ]
    )
    func `what is not YAML is refused with its line`(
        text: String,
        line: Int,
        words: String
    ) throws {
        let error = try refusal(text)
        #expect(error.message == "The file is not valid YAML: \(words).")
        #expect(error.line == line)
    }

    @Test func `lists may repeat a value, and mappings side by side a key`() throws {
        #expect(words(try parse("[{a: 1}, {a: 1}]")) == "[{a: 1} {a: 1}]")
    }
}
