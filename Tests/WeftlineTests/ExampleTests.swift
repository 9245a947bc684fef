// The example program: it runs, it prints its answer, and the landing page shows it as it is.
import Foundation
import TestKit
import Testing
import UVLoop

@Suite("Example program", .timeLimit(.minutes(Patience.factor)))
struct ExampleTests {
    @Test("The example prints its answer")
    func runs() async throws {
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let program = tests.deletingLastPathComponent()
            .appendingPathComponent("EmbeddedWorkerExample")
        let ended = Locked<(output: [UInt8], status: ChildProcess.ExitStatus?)>(([], nil))
        let thread = try await LoopThread.start(name: "example") { loop in
            try ChildProcess.spawn(
                loop: loop,
                options: ChildProcess.Options(arguments: [program.path]),
                onOutput: { _, bytes in ended.withLock { $0.output += bytes } },
                onExit: { status in ended.withLock { $0.status = status } }
            )
        }
        #expect(await eventually { ended.withLock { $0.status != nil } })
        thread.end(within: .zero)
        await thread.ended()
        let (bytes, status) = ended.withLock { $0 }
        #expect(status?.code == 0)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(
            text == """
                [explain] {"word":"weft","meaning":"the threads that cross the warp"}

                [shout] THE THREADS THAT CROSS THE WARP!

                """
        )
    }

    @Test("The landing page shows the example as it is")
    func landingPage() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        func read(_ path: String) throws -> String {
            try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
        }
        let page = try read("Sources/Weftline/Weftline.docc/Weftline.md")
        let source = try read("Tests/Examples/EmbeddedWorker/Example.swift")
        let program = try #require(source.split(separator: "\n\n", maxSplits: 1).last)
        #expect(page.contains("```swift\n\(program)```\n"))
    }
}
