// The rules against samples: each finds its target and nothing else.
import Testing

@Suite("Rules of tidiness")
struct RuleTests {
    private func sample(_ text: String, path: String = "Sources/Plans/Sample.swift") -> SourceFile {
        SourceFile(path: path, text: text)
    }

    @Test("Separates code, comments and literals")
    func splitting() {
        let file = sample(
            #"""
            let a = "x // y" // why
            /* one /* two */ */ let b = #"raw "quoted" \(no)"#
            let c = "in \(f("deep (}") + 1) out"
            let d = """
                many "lines" \(g)
                """
            let e = "never closed
            let f = 1
            """#
        )
        #expect(
            file.lines == [
                .init(code: "let a = \"\" ", comment: " why", literal: "x // y"),
                .init(
                    code: " let b = \"\"",
                    comment: " one  two  ",
                    literal: "raw \"quoted\" \\(no)"
                ),
                .init(code: "let c = \" f(\"\") + 1 \"", literal: "in deep (} out"),
                .init(code: "let d = \""),
                .init(code: " g ", literal: "    many \"lines\" "),
                .init(code: "\"", literal: "    "),
                .init(code: "let e = \"", literal: "never closed"),
                .init(code: "let f = 1"),
            ]
        )
    }

    @Test("A finding names path, line and remedy")
    func description() {
        let finding = TextRules.words(sample("\nlet x = try! y()"), TextRules.everywhere)
        #expect(
            finding.map(\.description) == [
                "Sources/Plans/Sample.swift:2: try!, use try or #require instead"
            ]
        )
    }

    @Test("Counts lengths exactly")
    func lengths() {
        func file(_ count: Int) -> SourceFile { sample(String(repeating: "//\n", count: count)) }
        #expect(TextRules.fileLength(file(500)).isEmpty)
        #expect(TextRules.fileLength(file(501)).count == 1)

        func function(_ count: Int, _ head: String = "func long() {") -> [Finding] {
            let body = Array(repeating: "    if x { y() }", count: count - 2)
            let lines = ["struct S {", "protocol P { func short() }"] + [head] + body + ["}", "}"]
            return TextRules.functionLength(sample(lines.joined(separator: "\n")))
        }
        #expect(function(70).isEmpty)
        #expect(function(71).map(\.line) == [3])
        #expect(function(71).first?.message.hasPrefix("long has 71 lines") == true)
        #expect(function(71, "init(a: () -> Int = { 1 }) throws {").count == 1)
        #expect(function(71, "var x: Int {").isEmpty)
    }

    @Test("A file begins with a comment")
    func header() {
        #expect(TextRules.header(sample("// What is here.\nimport X")).isEmpty)
        #expect(TextRules.header(sample("import X")).count == 1)
    }

    @Test(
        "Finds forbidden words in code",
        arguments: [
            "let x = y as! Int", "fatalError(\"no\")", "    print(x)", "a(UnsafeRawPointer(p))",
            "x.withUnsafeBytes { }", "final class A: @unchecked Sendable {",
            "Unmanaged.passRetained(x)",
            "nonisolated(unsafe) var x = 1", "let d = Date()", "let n = clock.now",
            "Int.random(in: 0..<3)", "let logger: Logger", "list.shuffled()",
        ]
    )
    func forbidden(line: String) {
        let bans = TextRules.everywhere + TextRules.unsafe + TextRules.pure
        #expect(TextRules.words(sample(line), bans).count == 1)
        #expect(TextRules.words(sample("// \(line)"), bans).isEmpty)
    }

    @Test(
        "Ignores similar words",
        arguments: [
            "try x()", "x as? Int", "printer.print(x)", "blueprint(x)", "let nowhere = 1",
            "Int.random(in: 0..<3, using: &generator)", "UpDate(x)", "let s = \"print(x)\"",
        ]
    )
    func allowed(line: String) {
        let bans = TextRules.everywhere + TextRules.unsafe + TextRules.pure
        #expect(TextRules.words(sample(line), bans).isEmpty)
    }

    @Test("Reads imports in all their forms")
    func imports() {
        let file = sample(
            """
            import A
            public import B
            @testable import C
            @_exported public import struct D.E
            internal import func F.g
            // import H
            let important = 1
            """
        )
        #expect(ModuleRules.imports(of: file).map(\.module) == ["A", "B", "C", "D", "F"])
        let graph = ModuleGraph(package: "pure(\"Plans\", [\"JSON\"])")
        func findings(_ text: String) -> [Finding] {
            ModuleRules.findings(in: sample(text), graph)
        }
        #expect(findings("internal import JSON").isEmpty)
        #expect(findings("\nimport UVLoop").map(\.line) == [2])
        #expect(findings("import Glibc").map(\.line) == [1])
    }

    @Test("Finds words that are not plain in names, comments and messages")
    func plainWords() {
        func findings(_ text: String, isShell: Bool = true) -> [String] {
            PlainWords.findings(in: sample(text), isShell: isShell)
                .map { String($0.message.split(separator: "\"")[0]) }
        }
        #expect(findings("let desk = RunDesk(home)") == ["RunDesk"])
        #expect(findings("// Who comes now is sent away.") == ["sent away", "who comes"])
        #expect(findings("let s = \"at byte 0 stands [\"") == ["stands ["])
        #expect(findings("func take(_ chunk: Chunk) {}") == ["take"])
        #expect(findings("// Whoever asks.\nfunc take(_ chunk: Chunk) {}", isShell: false).isEmpty)
        let test = sample("// Looks at it.")
        #expect(PlainWords.findings(in: test, isShell: false, isClean: true).count == 1)
        #expect(findings("let homes = takeAll(x) // Shutting down: refuse connections.").isEmpty)
    }

    @Test("Finds words in identifiers and comments, not in literals")
    func vocabulary() {
        func words(_ text: String, module: String = "Plans") -> [String] {
            Vocabulary.findings(in: sample(text, path: "Sources/\(module)/S.swift"))
                .map { String($0.message.split(separator: "\"")[0]) }
        }
        #expect(
            Vocabulary.words(in: "makeTaskID of_jobs A1b") == [
                "make", "task", "id", "of", "jobs", "a", "b",
            ]
        )
        #expect(words("let jobCount = 1") == ["job"])
        #expect(words("struct ServerState {}") == ["server"])
        #expect(words("// The agent runs it.") == ["agent"])
        #expect(words("let x = \"server\"").isEmpty)
        #expect(words("let observer = jobless").isEmpty)
        #expect(words("func add(task: Int)") == ["task"])
        #expect(words("writer.array(tasks)").isEmpty)
        #expect(words("let task = Task {}", module: "UVLoop").isEmpty)
    }

    @Test("Finds reminders and words about the workplace in any text")
    func reminders() {
        let reminder = "a TO" + "DO: later"
        #expect(TextRules.reminders(sample(reminder, path: "README.md")).map(\.line) == [1])
        #expect(TextRules.reminders(sample("Todos and methods")).isEmpty)
        let place = "see /wo" + "rk/shared"
        #expect(TextRules.workplace(sample(place, path: "a.md")).count == 1)
    }

    @Test("Reads the module graph from Package.swift")
    func graph() {
        let graph = ModuleGraph(
            package: """
                func pure(_ name: String) -> Target { .target(name: name) }
                let heaps = Target.Dependency.product(name: "HeapModule", package: "x")
                pure("A", ["C", heaps]), shell(
                    "B", ["A"]), .target(
                    name: "C"), .systemLibrary(name: "D", pkgConfig: "d"),
                .executableTarget(
                    name: "e",
                    dependencies: ["A", "B"],
                    settings: settings
                ), .target(name: "Kit", dependencies: ["A"], path: "Tests/Kit"),
                tests("ATests", ["A"], exclude: ["README.md"])
                """
        )
        #expect(graph.modules == ["A", "B", "C", "D", "e"])
        #expect(graph.pure == ["A"])
        #expect(graph.testFolders == ["Kit", "ATests"])
        #expect(graph.targets["A"]?.dependencies == ["C", "HeapModule"])
        #expect(graph.targets["B"]?.dependencies == ["A"])
        #expect(graph.targets["C"]?.dependencies == [])
        #expect(graph.targets["e"]?.dependencies == ["A", "B"])
        #expect(graph.targets["Kit"]?.path == "Tests/Kit")
        #expect(
            ModuleRules.impureDependencies(graph).map(\.message) == [
                "A is pure and depends on C, use pure modules instead"
            ]
        )
        let source = sample("import C", path: "Sources/A/A.swift")
        #expect(
            ModuleRules.unusedDependencies(graph, [source]).map(\.message).first
                == "A does not import HeapModule, use the dependencies that it needs instead"
        )
    }

    @Test("Reads tables from pages")
    func tables() {
        let readme = """
            # X

            ## Modules

            | module | what |
            |---|---|
            | `A` | one |
            | `B`, C | two |

            ## Next
            | D | no |
            """
        #expect(ModuleTable.names(in: readme) == ["A", "B", "C"])
        #expect(ModuleTable.names(in: "# X\n\n## Modules\n\nnone") == nil)
        #expect(ModuleTable.names(in: "# X") == nil)

        let states =
            "| state | m | f | next |\n|---|---|---|---|\n| `a` | x | y | `b` or `c` |\n| `b` | x | y | |"
        #expect(StateTable.transitions(in: states) == ["a": ["b", "c"], "b": []])
    }
}
