// The queue of a command's output: what it still takes, and when it is empty.
import Glibc
import Testing
import UVLoop

@testable import Console

@Suite("Output queue")
struct OutputQueueTests {
    @Test("A closed queue writes what came before and drops what comes after")
    func closed() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let loop = try EventLoop()
        let queue = OutputQueue(loop: loop, output: Output(descriptor: ends[1]))
        var isDone = false
        queue.write(Array("before".utf8))
        queue.close {
            // A screen that draws once more when its last frame was taken.
            queue.write(Array("late".utf8))
            isDone = !queue.isBusy
        }
        queue.write(Array("after".utf8))
        loop.run()
        #expect(isDone)
        close(ends[1])
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = read(ends[0], &bytes, bytes.count)
        #expect(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self) == "before")
        loop.close()
    }
}
