// Connections over loopback: order, queued writes, back-pressure, the ways they end.
import Foundation
import TestKit
import Testing

@testable import UVLoop

/// Bytes in which neighbouring positions differ.
private func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}

@Suite("TCP connections")
struct TCPConnectionTests {
    @Test("Large payloads come back whole and in order, through queued writes")
    func echo() async throws {
        let payload = pattern(1_000_000)
        let (received, hadRest, emptied) = try await onLoop { loop in
            let listener = try listen(loop) { connection in
                connection.start(
                    onBytes: { bytes in
                        var bytes = bytes
                        connection.write(&bytes)
                    },
                    onEnd: { _ in connection.close() }
                )
            }
            var received: [UInt8] = []
            var hadRest = false
            var emptied = true
            connect(loop, listener) { connection in
                connection.start(
                    onBytes: { bytes in
                        received += bytes
                        if received.count == 8 * payload.count { loop.stop() }
                    },
                    onEnd: { _ in loop.stop() }
                )
                for _ in 0..<8 {
                    var bytes = payload
                    connection.write(&bytes)
                    emptied = emptied && bytes.isEmpty
                }
                hadRest = connection.unsentBytes > 0
            }
            loop.run()
            return (received, hadRest, emptied)
        }
        #expect(hadRest)
        #expect(emptied)
        #expect(received.count == 8 * payload.count)
        #expect(
            (0..<8).allSatisfy { index in
                received.dropFirst(index * payload.count).prefix(payload.count).elementsEqual(
                    payload
                )
            }
        )
    }

    @Test("Many small writes of a turn arrive in order, and the array keeps its capacity")
    func smallWrites() async throws {
        let (received, capacity) = try await onLoop { loop in
            var received: [UInt8] = []
            let listener = try listen(loop) { connection in
                connection.start(
                    onBytes: { received += $0 },
                    onEnd: { _ in
                        connection.close()
                        loop.stop()
                    }
                )
            }
            var capacity = 0
            connect(loop, listener) { connection in
                var bytes: [UInt8] = []
                bytes.reserveCapacity(4096)
                for number in 0..<1000 {
                    bytes.append(UInt8(truncatingIfNeeded: number))
                    connection.write(&bytes)
                }
                capacity = bytes.capacity
                connection.closeAfterWriting()
            }
            loop.run()
            return (received, capacity)
        }
        #expect(received == (0..<1000).map { UInt8(truncatingIfNeeded: $0) })
        #expect(capacity >= 4096)
    }

    @Test("A paused reader stops the writer; the drained callback comes when it reads again")
    func pauseAndDrain() async throws {
        let (log, total) = try await onLoop { loop in
            var log: [String] = []
            var total = 0
            let count = 30_000_000
            var reader: TCPConnection?
            let listener = try listen(loop) { connection in
                reader = connection
                connection.pauseReading()
                connection.start(
                    onBytes: { bytes in
                        total += bytes.count
                        if total == count { loop.stop() }
                    },
                    onEnd: { _ in loop.stop() }
                )
            }
            connect(loop, listener) { connection in
                var bytes = [UInt8](repeating: 1, count: count)
                connection.write(&bytes)
                connection.onDrained = { log.append("drained \(connection.unsentBytes)") }
                let timer = UVLoop.Timer(loop: loop) {
                    log.append(total == 0 && connection.unsentBytes > 0 ? "held" : "not held")
                    reader?.resumeReading()
                }
                timer.schedule(after: .milliseconds(50))
            }
            loop.run()
            return (log, total)
        }
        #expect(log == ["held", "drained 0"])
        #expect(total == 30_000_000)
    }

    @Test("No callback follows a close inside a callback; later writes and closes do nothing")
    func closeInsideCallbacks() async throws {
        let log = try await onLoop { loop in
            var log: [String] = []
            let listener = try listen(loop) { connection in
                connection.start(
                    onBytes: { bytes in
                        log.append("accepted got \(bytes.count > 0)")
                        connection.close()
                        connection.close()
                        var late: [UInt8] = [1, 2, 3]
                        connection.write(&late)
                        log.append("late left \(late.count), unsent \(connection.unsentBytes)")
                        connection.closeAfterWriting()
                        connection.pauseReading()
                        connection.resumeReading()
                        connection.setKeepAlive(seconds: 3)
                    },
                    onEnd: { _ in log.append("accepted end") }
                )
            }
            connect(loop, listener) { connection in
                connection.start(
                    onBytes: { _ in },
                    onEnd: { _ in
                        log.append("client end")
                        connection.close()
                        loop.stop()
                    }
                )
                var bytes = [UInt8](repeating: 5, count: 300_000)
                connection.write(&bytes)
            }
            loop.run()
            return log
        }
        #expect(log == ["accepted got true", "late left 0, unsent 0", "client end"])
    }

    @Test("The end of the stream is reported once, and the other direction still works")
    func halfClose() async throws {
        let log = try await onLoop { loop in
            var log: [String] = []
            let listener = try listen(loop) { connection in
                connection.start(
                    onBytes: { _ in },
                    onEnd: { error in
                        log.append("accepted end \(error == nil)")
                        var answer = Array("answer".utf8)
                        connection.write(&answer)
                        connection.resumeReading()
                        connection.closeAfterWriting()
                    }
                )
            }
            connect(loop, listener) { connection in
                let raw = connection
                raw.start(
                    onBytes: { log.append(String(decoding: $0, as: UTF8.self)) },
                    onEnd: { error in
                        log.append("client end \(error == nil)")
                        raw.close()
                        loop.stop()
                    }
                )
                raw.shutDownForTest()
            }
            loop.run()
            return log
        }
        #expect(log == ["accepted end true", "answer", "client end true"])
    }

    @Test("Closing after writing delivers everything although unread bytes are waiting")
    func closeAfterWriting() async throws {
        let (received, ends) = try await onLoop { loop in
            let listener = try listen(loop) { connection in
                // Never reads the client's data: a plain close would reset the connection.
                var bytes = [UInt8](repeating: 9, count: 5_000_000)
                connection.write(&bytes)
                connection.closeAfterWriting()
                var late: [UInt8] = [1]
                connection.write(&late)
            }
            var received = 0
            var ends: [Bool] = []
            connect(loop, listener) { connection in
                var bytes = [UInt8](repeating: 1, count: 100_000)
                connection.write(&bytes)
                connection.start(
                    onBytes: { received += $0.count },
                    onEnd: { error in
                        ends.append(error == nil)
                        connection.close()
                        listener.close()
                    }
                )
            }
            loop.run()
            return (received, ends)
        }
        #expect(received == 5_000_000)
        #expect(ends == [true])
    }

    @Test("Closing without waiting for the peer's end delivers everything, and takes no time")
    func closeAtOnce() async throws {
        let (received, time) = try await onLoop { loop in
            var accepted: TCPConnection?
            let listener = try listen(loop) { connection in
                accepted = connection
                var bytes = [UInt8](repeating: 9, count: 5_000_000)
                connection.write(&bytes)
                connection.closeAfterWriting(waitsForEnd: false)
            }
            var received = 0
            let start = loop.nowNanoseconds
            var timer: UVLoop.Timer?
            timer = UVLoop.Timer(loop: loop) {
                guard accepted?.isOpenForTest == false else {
                    timer?.schedule(after: .milliseconds(5))
                    return
                }
                loop.stop()
            }
            connect(loop, listener) { connection in
                // The client stays.
                connection.start(
                    onBytes: { received += $0.count },
                    onEnd: { _ in timer?.schedule(after: .milliseconds(1)) }
                )
            }
            loop.run()
            return (received, loop.nowNanoseconds - start)
        }
        #expect(received == 5_000_000)
        #expect(time < 4_000_000_000)
    }

    @Test("A slice of reused memory is sent whole, also when the socket takes it late")
    func slices() async throws {
        let received = try await onLoop { loop in
            var received: [UInt8] = []
            let listener = try listen(loop) { connection in
                connection.start(
                    onBytes: { received += $0 },
                    onEnd: { _ in
                        connection.close()
                        loop.stop()
                    }
                )
            }
            connect(loop, listener) { connection in
                var memory = [UInt8](repeating: 0, count: 300_000)
                for round in 0..<20 {
                    memory[7] = UInt8(round)
                    connection.write(memory[7..<200_007])
                    memory[7] = 99
                }
                connection.closeAfterWriting()
                connection.write([1, 2, 3][...])
            }
            loop.run()
            return received
        }
        #expect(received.count == 20 * 200_000)
        #expect((0..<20).allSatisfy { received[$0 * 200_000] == UInt8($0) })
    }

    @Test("A peer that resets the connection ends it once, with an error")
    func reset() async throws {
        let ends = try await onLoop { loop in
            var ends: [String] = []
            let listener = try listen(loop) { connection in
                connection.start(
                    onBytes: { _ in connection.resetForTest() },
                    onEnd: { _ in }
                )
            }
            connect(loop, listener) { connection in
                connection.start(
                    onBytes: { _ in },
                    onEnd: { error in
                        ends.append(error?.name ?? "orderly")
                        // More writes to a broken connection change nothing.
                        var bytes = [UInt8](repeating: 1, count: 100_000)
                        connection.write(&bytes)
                        connection.write(&bytes)
                        let timer = UVLoop.Timer(loop: loop) {
                            connection.close()
                            loop.stop()
                        }
                        timer.schedule(after: .milliseconds(20))
                    }
                )
                var bytes: [UInt8] = [1]
                connection.write(&bytes)
            }
            loop.run()
            return ends
        }
        #expect(ends == ["ECONNRESET"])
    }

    @Test("A write that fails while reading is paused is reported as the end")
    func failedWrite() async throws {
        let ends = try await onLoop { loop in
            var ends: [Bool] = []
            var peer: TCPConnection?
            let listener = try listen(loop) { peer = $0 }
            connect(loop, listener) { connection in
                when(loop, { peer != nil }, then: { peer?.resetForTest() })
                connection.pauseReading()
                connection.start(
                    onBytes: { _ in },
                    onEnd: { error in
                        ends.append(error != nil)
                        connection.close()
                        loop.stop()
                    }
                )
                let timer = UVLoop.Timer(loop: loop) {
                    var bytes = [UInt8](repeating: 1, count: 10)
                    connection.write(&bytes)
                    bytes = [2]
                    connection.write(&bytes)
                }
                timer.schedule(after: .milliseconds(100))
            }
            loop.run()
            return ends
        }
        #expect(ends == [true])
    }
}
