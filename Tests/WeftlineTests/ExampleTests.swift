// The example programs: they run, they print their answers, and the pages show the same code.
import Foundation
import TestKit
import Testing
import UVLoop

@Suite("Example programs", .timeLimit(.minutes(Patience.factor)))
struct ExampleTests {
    /// Runs a program that was built with the tests; returns its output and exit code.
    private func run(
        _ name: String,
        in folder: String? = nil
    ) async throws -> (text: String, code: Int?) {
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let program = tests.deletingLastPathComponent().appendingPathComponent(name)
        let ended = Locked<(output: [UInt8], status: ChildProcess.ExitStatus?)>(([], nil))
        let thread = try await LoopThread.start(name: "example") { loop in
            try ChildProcess.spawn(
                loop: loop,
                options: ChildProcess.Options(arguments: [program.path], directory: folder),
                onOutput: { _, bytes in ended.withLock { $0.output += bytes } },
                onExit: { status in ended.withLock { $0.status = status } }
            )
        }
        #expect(await eventually { ended.withLock { $0.status != nil } })
        thread.end(within: .zero)
        await thread.ended()
        let (bytes, status) = ended.withLock { $0 }
        return (String(decoding: bytes, as: UTF8.self), status?.code)
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private func read(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
    }

    /// A program without its header comment, as a fenced block.
    private func sample(_ path: String) throws -> String {
        let program = try #require(try read(path).split(separator: "\n\n", maxSplits: 1).last)
        return "```swift\n\(program)```\n"
    }

    @Test("The example with a plan prints its answer")
    func plan() async throws {
        let (text, code) = try await run("EmbeddedWorkerExample")
        #expect(code == 0)
        #expect(
            text == """
                [explain] {"word":"weft","meaning":"the threads that cross the warp"}

                [shout] THE THREADS THAT CROSS THE WARP!

                """
        )
    }

    @Test("The example with a goal plans it with the models of its folder and prints the answer")
    func goal() async throws {
        let folder = Self.root.appendingPathComponent("Tests/Examples/Goal").path
        let (text, code) = try await run("GoalExample", in: folder)
        #expect(code == 0)
        #expect(text == "The Rhine is 139 km longer than the Elbe.\n")
    }

    @Test("The pages and the README show the same examples")
    func pages() throws {
        let plan = try sample("Tests/Examples/EmbeddedWorker/Example.swift")
        let goal = try sample("Tests/Examples/Goal/main.swift")
        #expect(try read("Sources/Weftline/Weftline.docc/Weftline.md").contains(plan))
        #expect(try read("Sources/Weftline/Weftline.docc/Goals.md").contains(goal))
        let readme = try read("README.md")
        #expect(readme.contains(goal))
        #expect(readme.components(separatedBy: "```swift").count == 2)
    }

    @Test("The code of the page on goals is compiled exactly as shown")
    func samples() throws {
        let page = try read("Sources/Weftline/Weftline.docc/Goals.md")
        let source = try read("Tests/WeftlineTests/GoalSamples.swift")
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.drop { $0 == " " } }.joined(separator: "\n")
        let samples = page.components(separatedBy: "```swift\n").dropFirst().compactMap {
            $0.components(separatedBy: "```\n").first
        }
        #expect(samples.count > 2)
        for sample in samples where !sample.hasPrefix("import") {
            let lines = sample.split(separator: "\n", omittingEmptySubsequences: false)
                .map { $0.drop { $0 == " " } }.joined(separator: "\n")
            #expect(source.contains(lines), "\(sample)")
        }
    }
}
