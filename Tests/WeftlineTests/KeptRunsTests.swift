// Runs of a cluster inside a program that are kept in a folder: another cluster knows them.
import TestKit
import Testing
import Weftline

@Suite("Kept runs", .timeLimit(.minutes(Patience.factor)))
struct KeptRunsTests {
    @Test("Another cluster with the folder has the runs, and does them again")
    func nextCluster() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/state"
        let first = try await LocalCluster.with(tools: [echo, tear], state: path) { cluster in
            let run = try await cluster.start(
                plan(("a", "echo", ["value": 1]), ("b", "tear", [:]))
            )
            #expect(try await run.result.status == .failed)
            return run.id
        }
        try await LocalCluster.with(tools: [echo, tear], state: path) { cluster in
            let old = try await cluster.follow(first).result
            #expect(old.status == .failed)
            #expect(try old.output(of: "a") == 1)
            let again = try await cluster.retry(first)
            #expect(again["a"]?.attempts == 0)
            #expect(again["b"]?.status == .failed)
        }
    }

    @Test("Two clusters cannot have one folder, and one without a folder keeps nothing")
    func refused() async throws {
        let folder = try TemporaryFolder()
        _ = try await LocalCluster.with(tools: [echo], state: folder.path) { _ in
            await #expect(throws: (any Error).self) {
                _ = try await LocalCluster.start(tools: [echo], state: folder.path)
            }
        }
        let run = try await LocalCluster.with(tools: [echo]) { cluster in
            try await cluster.start(plan(("a", "echo", ["value": 1]))).id
        }
        _ = try await LocalCluster.with(tools: [echo]) { cluster in
            await #expect(throws: ClientError.self) {
                _ = try await cluster.follow(run).result
            }
        }
    }
}
