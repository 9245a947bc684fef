// Watching descriptors owned by other code.
import Foundation
import Glibc
import TestKit
import Testing

@testable import UVLoop

@Suite("Descriptors")
struct PollTests {
    @Test("A pipe with bytes in it is readable, an empty one only after a write")
    func readable() async throws {
        let log = try await onLoop { loop in
            let pipe = try Pipe()
            defer { pipe.close() }
            var log: [String] = []
            let source = try PollSource(loop: loop, descriptor: pipe.output) { readiness in
                log.append("ready \(readiness == .readable)")
                log.append(pipe.read())
                loop.stop()
            }
            source.watch(.readable)
            loop.nextTurn {
                log.append("writes")
                pipe.write("abc")
            }
            loop.run()
            source.close()
            return log
        }
        #expect(log == ["writes", "ready true", "abc"])
    }

    @Test("Reports readiness in every turn until watching pauses, and again after it resumes")
    func pausing() async throws {
        let counts = try await onLoop { loop in
            let pipe = try Pipe()
            defer { pipe.close() }
            pipe.write("x")
            var counts: [Int] = []
            var count = 0
            var source: PollSource?
            source = try PollSource(loop: loop, descriptor: pipe.output) { _ in
                count += 1
                if count.isMultiple(of: 3) { source?.watch([]) }
            }
            for _ in 0..<2 {
                source?.watch(.readable)
                // Nothing keeps the loop alive while watching pauses.
                loop.run()
                counts.append(count)
            }
            source?.close()
            return counts
        }
        #expect(counts == [3, 6])
    }

    @Test("Reports only the requested readiness")
    func choosing() async throws {
        let seen = try await onLoop { loop -> [PollSource.Readiness] in
            var ends: [Int32] = [0, 0]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { return [] }
            defer { for end in ends { Glibc.close(end) } }
            var byte: UInt8 = 1
            Glibc.write(ends[1], &byte, 1)
            var seen: [PollSource.Readiness] = []
            let wanted: [PollSource.Readiness] = [.writable, .readable, [.readable, .writable]]
            var source: PollSource?
            source = try PollSource(loop: loop, descriptor: ends[0]) { readiness in
                seen.append(readiness)
                source?.watch(seen.count < wanted.count ? wanted[seen.count] : [])
            }
            source?.watch(wanted[0])
            loop.run()
            source?.close()
            return seen
        }
        #expect(seen.map(\.rawValue) == [2, 1, 3])
    }

    @Test("The end of a pipe is readable, and no callback follows a close inside the callback")
    func closingInside() async throws {
        let count = try await onLoop { loop in
            let pipe = try Pipe()
            var count = 0
            var source: PollSource?
            source = try PollSource(loop: loop, descriptor: pipe.output) { _ in
                count += 1
                source?.close()
                source?.close()
                source?.watch(.readable)
            }
            source?.watch(.readable)
            pipe.closeInput()
            loop.run()
            pipe.close()
            return count
        }
        #expect(count == 1)
    }

    @Test("The number of a closed source's descriptor can be watched again in the same turn")
    func reuse() async throws {
        let log = try await onLoop { loop in
            let first = try Pipe()
            let second = try Pipe()
            let old = try PollSource(loop: loop, descriptor: first.output) { _ in }
            old.watch(.readable)
            var log: [String] = []
            var new: PollSource?
            loop.nextTurn {
                // Now the number of the first pipe belongs to the second, as when a library closes
                // one socket and opens the next before it reports.
                dup2(second.output, first.output)
                old.close()
                second.write("new")
                new = try? PollSource(loop: loop, descriptor: first.output) { readiness in
                    log.append("\(readiness == .readable) \(second.read())")
                    new?.close()
                    loop.stop()
                }
                new?.watch(.readable)
            }
            loop.run()
            first.close()
            second.close()
            return log
        }
        #expect(log == ["true new"])
    }

    @Test("Refuses descriptors that cannot be watched, and leaves nothing")
    func refusals() async throws {
        let errors = try await onLoop { loop in
            let file = open("/proc/self/status", O_RDONLY)
            defer { Glibc.close(file) }
            let pipe = try Pipe()
            defer { pipe.close() }
            let source = try PollSource(loop: loop, descriptor: pipe.output) { _ in }
            source.watch(.readable)
            let errors = [file, pipe.output, -1].map { descriptor in
                uvError { _ = try PollSource(loop: loop, descriptor: descriptor) { _ in } }?.name
            }
            source.close()
            loop.run()
            return errors
        }
        #expect(errors == ["EPERM", "EEXIST", "EBADF"])
    }

    @Test("Closing the loop releases its sources and the objects of their closures")
    func closesWithLoop() async throws {
        let isGone = try await onLoop { loop in
            final class Held {}
            weak var witness: Held?
            let pipe = try Pipe()
            defer { pipe.close() }
            var source: PollSource?
            do {
                let held = Held()
                witness = held
                source = try PollSource(loop: loop, descriptor: pipe.output) { _ in _ = held }
            }
            source?.watch(.readable)
            source = nil
            #expect(witness != nil)
            loop.close()
            return witness == nil
        }
        #expect(isGone)
    }
}

/// A pipe of the system's, for reading at one end and writing at the other.
private struct Pipe {
    let output: Int32
    let input: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw LoopTimedOut() }
        (output, input) = (ends[0], ends[1])
    }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        Glibc.write(input, bytes, bytes.count)
    }

    func read() -> String {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = Glibc.read(output, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    func closeInput() { Glibc.close(input) }

    func close() {
        Glibc.close(output)
        Glibc.close(input)
    }
}
