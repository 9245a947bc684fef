// Closing a loop: no callback, no descriptor, no child and no object remains.
import Foundation
import TestKit
import Testing

@testable import UVLoop

@Suite("Closing a loop")
struct ClosingTests {
    @Test("Closing with live handles of every kind makes no callback and frees everything")
    func closeWithLiveHandles() async throws {
        let (log, pid) = try await onLoop { loop in
            var log: [String] = []
            let inner = try EventLoop()
            let timer = UVLoop.Timer(loop: inner) { log.append("timer") }
            timer.schedule(after: .seconds(50))
            _ = try SignalSource(loop: inner, signal: SIGUSR1) { log.append("signal") }
            var accepted: [TCPConnection] = []
            let listener = try TCPListener.listen(
                loop: inner,
                host: "127.0.0.1",
                port: 0,
                onConnection: { connection in
                    accepted.append(connection)
                    connection.start(onBytes: { _ in }, onEnd: { _ in log.append("accepted end") })
                },
                onError: { _ in log.append("listener") }
            )
            var client: TCPConnection?
            TCPConnection.connect(
                loop: inner,
                host: "127.0.0.1",
                port: listener.localAddress.port,
                timeout: .seconds(5)
            ) { result in
                client = try? result.get()
                client?.start(onBytes: { _ in }, onEnd: { _ in log.append("client end") })
                // More than the system accepts, so that a write is pending at the close.
                var bytes = [UInt8](repeating: 7, count: 50_000_000)
                accepted.first?.pauseReading()
                client?.write(&bytes)
            }
            let child = try ChildProcess.spawn(
                loop: inner,
                options: .init(arguments: ["/bin/sh", "-c", "sleep 100; true"]),
                onOutput: { _, _ in },
                onExit: { _ in log.append("exit") }
            )
            inner.onTurnEnd {}
            when(inner, { client != nil && !accepted.isEmpty }, then: inner.stop)
            inner.run()
            TCPConnection.connect(
                loop: inner,
                host: "localhost",
                port: 9,
                timeout: .seconds(5)
            ) { _ in log.append("connect") }
            inner.nextTurn { log.append("next turn") }
            inner.close()
            inner.close()
            timer.schedule(after: .zero)
            timer.close()
            client?.close()
            listener.close()
            child.signalGroup(SIGKILL)
            return (log, child.pid)
        }
        #expect(log == [])
        #expect(await isGoneSoon(pid))
    }

    @Test("Closing a loop releases everything that callbacks refer to")
    func nothingRetained() async throws {
        let kept = try await onLoop { outer in
            weak var loop: EventLoop?
            weak var tokens: Tokens?
            try {
                let inner = try EventLoop()
                let all = Tokens()
                (loop, tokens) = (inner, all)
                try fill(inner, with: all)
                inner.close()
            }()
            return (loop: loop != nil, tokens: tokens != nil)
        }
        #expect(!kept.loop)
        #expect(!kept.tokens)
    }

    @Test("Closed loops leave no descriptor open")
    func noDescriptorsLeft() async {
        await #expect(processExitsWith: .success) {
            // Descriptors that the first loop of a process opens for all of them stay open.
            try await onLoop { loop in try openHandles(loop) }
            let before = openDescriptors()
            for _ in 0..<50 { try await onLoop { loop in try openHandles(loop) } }
            // Another thread may hold one or two for a moment; a leak would be one for each loop.
            #expect(openDescriptors() < before + 25)
        }
    }

    @Test("Closing inside a callback stops the loop and closes it when run returns")
    func closeInsideRun() async throws {
        let log = try await onLoop { _ in
            let inner = try EventLoop()
            var log: [String] = []
            let timer = UVLoop.Timer(loop: inner) {
                inner.close()
                log.append("still inside")
            }
            timer.schedule(after: .zero)
            let far = UVLoop.Timer(loop: inner) { log.append("never") }
            far.schedule(after: .seconds(60))
            inner.run()
            log.append(inner.mailbox.post { _ in } ? "open" : "closed")
            return log
        }
        #expect(log == ["still inside", "closed"])
    }
}

/// Leaves a listener, a connection, a child and a failed spawn for the loop to close.
private func openHandles(_ loop: EventLoop) throws {
    let listener = try TCPListener.listen(
        loop: loop,
        host: "127.0.0.1",
        port: 0,
        onConnection: { _ in },
        onError: { _ in }
    )
    TCPConnection.connect(
        loop: loop,
        host: "127.0.0.1",
        port: listener.localAddress.port,
        timeout: .seconds(5)
    ) { _ in loop.stop() }
    _ = try ChildProcess.spawn(
        loop: loop,
        options: .init(arguments: ["/bin/cat"], standardInput: .pipe),
        onOutput: { _, _ in },
        onExit: { _ in }
    )
    _ = uvError {
        _ = try ChildProcess.spawn(
            loop: loop,
            options: .init(arguments: ["/no/such/program"], standardInput: .pipe),
            onOutput: { _, _ in },
            onExit: { _ in }
        )
    }
    loop.run()
}

/// All objects that a user might keep, with reference cycles.
private final class Tokens {
    var objects: [AnyObject] = []
}

/// Brings a loop to a state where every kind of object is in use, with callbacks that keep all of
/// them.
private func fill(_ loop: EventLoop, with tokens: Tokens) throws {
    let listener = try TCPListener.listen(
        loop: loop,
        host: "127.0.0.1",
        port: 0,
        onConnection: { connection in
            tokens.objects.append(connection)
            connection.onDrained = { _ = tokens }
        },
        onError: { _ in _ = tokens }
    )
    tokens.objects.append(listener)
    TCPConnection.connect(
        loop: loop,
        host: "127.0.0.1",
        port: listener.localAddress.port,
        timeout: .seconds(20)
    ) { result in
        guard let connection = try? result.get() else { return }
        tokens.objects.append(connection)
        connection.onDrained = { _ = tokens }
        connection.start(onBytes: { _ in _ = tokens }, onEnd: { _ in _ = tokens })
    }
    let living = try ChildProcess.spawn(
        loop: loop,
        options: .init(arguments: ["/bin/cat"], standardInput: .pipe),
        onOutput: { _, _ in _ = tokens },
        onExit: { _ in _ = tokens }
    )
    living.onInputDrained = { _ = tokens }
    // It has ended, and its output has not been read.
    let ended = try ChildProcess.spawn(
        loop: loop,
        options: .init(arguments: ["/bin/echo", "unread"]),
        onOutput: { _, _ in _ = tokens },
        onExit: { _ in _ = tokens }
    )
    ended.onInputDrained = { _ = tokens }
    ended.pauseOutput()
    let timer = UVLoop.Timer(loop: loop) { _ = tokens }
    let signal = try SignalSource(loop: loop, signal: SIGUSR1) { _ = tokens }
    let hook = loop.onTurnEnd { _ = tokens }
    tokens.objects += [living, ended, timer, signal, hook, loop]
    when(
        loop,
        { !isRunning(ended.pid) && tokens.objects.count == 9 },
        // One more turn, in which the loop learns of the end.
        then: { loop.nextTurn { loop.stop() } }
    )
    loop.run()
    let pending = TCPConnection.connect(
        loop: loop,
        host: "localhost",
        port: 9,
        timeout: .seconds(20)
    ) { _ in _ = tokens }
    tokens.objects.append(pending)
    let work = loop.perform {
        try? await Task.sleep(for: .seconds(60))
    } then: {
        _ = tokens
    }
    tokens.objects.append(work)
    loop.nextTurn { _ = tokens }
}
