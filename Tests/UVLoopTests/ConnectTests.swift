// Making connections: names, refusals, limits, listening, running out of descriptors.
import CLibuv
import Foundation
import TestKit
import Testing

@testable import UVLoop

@Suite("Connecting and listening")
struct ConnectTests {
    private func connectError(
        host: String,
        port: Int,
        timeout: Duration = .seconds(20)
    ) async throws -> [String] {
        try await onLoop { loop in
            var answers: [String] = []
            var isInsideCall = true
            TCPConnection.connect(loop: loop, host: host, port: port, timeout: timeout) { result in
                if case .failure(let error) = result { answers.append(error.name) }
                if isInsideCall { answers.append("answered inside the call") }
            }
            isInsideCall = false
            loop.run()
            return answers
        }
    }

    @Test("A port without a listener refuses the connection, once")
    func refused() async throws {
        let port = try await onLoop { try listen($0) { _ in }.localAddress.port }
        #expect(try await connectError(host: "127.0.0.1", port: port) == ["ECONNREFUSED"])
        #expect(try await connectError(host: "localhost", port: port) == ["ECONNREFUSED"])
    }

    @Test("Impossible ports and unknown names are errors, not traps")
    func impossible() async throws {
        #expect(try await connectError(host: "127.0.0.1", port: 0) == ["EINVAL"])
        #expect(try await connectError(host: "127.0.0.1", port: 70_000) == ["EINVAL"])
        let unknown = try await connectError(host: "no-such-host.invalid", port: 9)
        #expect(unknown.count == 1)
        #expect(unknown.first?.hasPrefix("EAI_") == true)
    }

    @Test("Resolves a name and tries its addresses until one answers")
    func byName() async throws {
        let remote = try await onLoop { loop in
            var remote: SocketAddress?
            let listener = try listen(loop) { $0.close() }
            TCPConnection.connect(
                loop: loop,
                host: "localhost",
                port: listener.localAddress.port,
                timeout: .seconds(20)
            ) { result in
                let connection = try? result.get()
                remote = connection?.remoteAddress
                connection?.close()
                listener.close()
            }
            loop.run()
            return remote
        }
        #expect(remote?.host == "127.0.0.1")
        #expect(remote?.isLoopback == true)
    }

    /// Connects to a listener whose backlog is full, so that nothing answers.
    private func connectToSilence(
        timeout: Duration,
        cancels: Bool
    ) async throws -> (answers: [String], elapsed: Double) {
        try await onLoop { loop in
            // Another loop that never runs has a full backlog.
            let silent = try EventLoop()
            defer { silent.close() }
            let listener = try listen(silent, backlog: 0) { _ in }
            let port = listener.localAddress.port
            var filling = 4
            for _ in 0..<4 {
                TCPConnection.connect(
                    loop: loop,
                    host: "127.0.0.1",
                    port: port,
                    timeout: .milliseconds(300)
                ) { _ in
                    filling -= 1
                    if filling == 0 { loop.stop() }
                }
            }
            loop.run()
            var answers: [String] = []
            let start = loop.nowNanoseconds
            let pending = TCPConnection.connect(
                loop: loop,
                host: "127.0.0.1",
                port: port,
                timeout: timeout
            ) { result in
                if case .failure(let error) = result { answers.append(error.name) }
                loop.stop()
            }
            if cancels {
                pending.cancel()
                pending.cancel()
            }
            loop.run()
            pending.cancel()
            let elapsed = seconds(loop.nowNanoseconds - start)
            let timer = UVLoop.Timer(loop: loop) { loop.stop() }
            timer.schedule(after: .milliseconds(30))
            loop.run()
            return (answers, elapsed)
        }
    }

    @Test("A connection without an answer times out")
    func timeout() async throws {
        let (answers, elapsed) = try await connectToSilence(
            timeout: .milliseconds(100),
            cancels: false
        )
        #expect(answers == ["ETIMEDOUT"])
        #expect(elapsed >= 0.1)
    }

    @Test("Answers a cancelled attempt once, with the cancellation")
    func cancelled() async throws {
        let (answers, elapsed) = try await connectToSilence(timeout: .seconds(20), cancels: true)
        #expect(answers == ["ECANCELED"])
        #expect(elapsed < 10)
    }

    @Test("Cancelling during the name lookup is answered once")
    func cancelResolution() async throws {
        let answers = try await onLoop { loop in
            var answers: [String] = []
            let pending = TCPConnection.connect(
                loop: loop,
                host: "localhost",
                port: 9,
                timeout: .seconds(20)
            ) { result in
                if case .failure(let error) = result { answers.append(error.name) }
            }
            pending.cancel()
            loop.run()
            return answers
        }
        #expect(answers == ["ECANCELED"])
    }

    @Test("Listening fails with an error that names the address")
    func listenErrors() async throws {
        let (taken, name) = try await onLoop { loop in
            let listener = try listen(loop) { _ in }
            let port = listener.localAddress.port
            let taken = uvError {
                _ = try TCPListener.listen(
                    loop: loop,
                    host: "localhost",
                    port: port,
                    onConnection: { _ in },
                    onError: { _ in }
                )
            }
            let name = uvError {
                _ = try TCPListener.listen(
                    loop: loop,
                    host: "example.org",
                    port: 1,
                    onConnection: { _ in },
                    onError: { _ in }
                )
            }
            return (taken, name)
        }
        #expect(taken?.isAddressInUse == true)
        #expect(taken?.operation.hasPrefix("listen on localhost:") == true)
        #expect(name?.description == "listen on example.org:1: invalid argument (EINVAL)")
    }

    @Test("Reads and writes addresses as people write them")
    func addressText() {
        #expect(SocketAddress(host: "::1", port: 7420)?.description == "[::1]:7420")
        #expect(SocketAddress(host: "10.0.0.1", port: 1)?.description == "10.0.0.1:1")
        #expect(SocketAddress(host: "::1", port: 1)?.isLoopback == true)
        #expect(SocketAddress(host: "127.9.9.9", port: 1)?.isLoopback == true)
        #expect(SocketAddress(host: "::ffff:127.0.0.1", port: 1)?.isLoopback == true)
        #expect(SocketAddress(host: "10.0.0.1", port: 1)?.isLoopback == false)
        #expect(SocketAddress(host: "localhost", port: 1) == nil)
        #expect(SocketAddress(host: "127.0.0.1", port: 65536) == nil)
    }

    @Test("Accepting pauses without free descriptors, without using CPU, and resumes")
    func descriptorsRunOut() async {
        await #expect(processExitsWith: .success) {
            let (errors, accepted, processor) = try await onLoop { loop in
                var errors: [String] = []
                var accepted = 0
                let listener = try TCPListener.listen(
                    loop: loop,
                    host: "127.0.0.1",
                    port: 0,
                    // They stay open: another thread of the process may close a descriptor at any
                    // time, which may allow one connection at most.
                    onConnection: { _ in
                        accepted += 1
                        if accepted == 3 { loop.stop() }
                    },
                    onError: { errors.append($0.name) }
                )
                for _ in 0..<3 {
                    TCPConnection.connect(
                        loop: loop,
                        host: "127.0.0.1",
                        port: listener.localAddress.port,
                        timeout: .seconds(20)
                    ) { _ in }
                }
                // libuv keeps one descriptor in reserve for refusing connections; a thread that
                // takes it at the wrong moment would end this test.
                Glibc.close(loop.raw.pointee.emfile_fd)
                loop.raw.pointee.emfile_fd = -1
                var fillers: [Int32] = []
                var limit = rlimit(rlim_cur: 256, rlim_max: 256)
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let filling = loop.onTurnEnd {
                    while case let filler = open("/dev/null", O_RDONLY), filler >= 0 {
                        fillers.append(filler)
                    }
                }
                let release = UVLoop.Timer(loop: loop) {
                    filling.cancel()
                    for filler in fillers { Glibc.close(filler) }
                }
                release.schedule(after: .milliseconds(250))
                let start = clock()
                loop.run()
                return (errors, accepted, Double(clock() - start) / Double(CLOCKS_PER_SEC))
            }
            #expect(errors.allSatisfy { $0 == "EMFILE" })
            // One for each pause of 100 ms, not one for each try.
            #expect((1...4).contains(errors.count))
            #expect(accepted == 3)
            #expect(processor < 0.1)
        }
    }
}
