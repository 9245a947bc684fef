// The repository against the rules, one test for each rule.
import Testing

@Suite("Tidiness")
struct TidyTests {
    let repository: Repository

    init() throws { repository = try Repository.shared.get() }

    @Test("The repository is found")
    func found() {
        #expect(repository.sources.count > 100)
        #expect(repository.graph.modules.count > 20)
        #expect(repository.file("Sources/Wire/Wire.docc/Protocol.md") != nil)
    }

    @Test("Files are at most 500 lines long")
    func fileLength() { report(repository.code.flatMap(TextRules.fileLength)) }

    @Test("Functions are at most 70 lines long")
    func functionLength() {
        report(repository.code.filter(\.isSwift).flatMap(TextRules.functionLength))
    }

    @Test("Every source file begins with a header")
    func header() { report(repository.code.flatMap(TextRules.header)) }

    @Test("Modules import only modules below them")
    func imports() {
        report(repository.sources.flatMap { ModuleRules.findings(in: $0, repository.graph) })
    }

    @Test("Pure modules depend on pure modules and collections only")
    func pureDependencies() { report(ModuleRules.impureDependencies(repository.graph)) }

    @Test("Every dependency of a module is imported by it")
    func unusedDependencies() {
        report(ModuleRules.unusedDependencies(repository.graph, repository.sources))
    }

    @Test("Code neither traps without reason nor prints")
    func everywhere() {
        report(
            repository.sources.filter(\.isSwift).flatMap {
                TextRules.words($0, TextRules.everywhere)
            }
        )
    }

    @Test("Only the module of the loop has unsafe words")
    func unsafe() {
        let others = repository.sources.filter {
            $0.isSwift && $0.module != ModuleRules.loopModule
        }
        report(others.flatMap { TextRules.words($0, TextRules.unsafe) })
    }

    @Test("Pure modules have no clock, no randomness and no log")
    func pure() {
        let pure = repository.sources.filter { repository.graph.pure.contains($0.module ?? "") }
        #expect(pure.count > 50)
        report(pure.filter(\.isSwift).flatMap { TextRules.words($0, TextRules.pure) })
    }

    @Test("One word for one thing")
    func vocabulary() { report(repository.sources.flatMap(Vocabulary.findings)) }

    @Test("Names and sentences are plain")
    func plainWords() {
        let graph = repository.graph
        report(
            repository.code.filter(PlainWords.applies(to:)).flatMap { file in
                let isStrict = file.module.map { !graph.pure.contains($0) || $0 == "WorkerCore" }
                let isClean = PlainWords.isClean(file)
                return PlainWords.findings(in: file, isShell: isStrict ?? false, isClean: isClean)
            }
        )
    }

    @Test("There are no reminders of unfinished work")
    func reminders() { report(repository.files.flatMap(TextRules.reminders)) }

    @Test("The project speaks only of itself")
    func workplace() { report(repository.files.flatMap(TextRules.workplace)) }
}
