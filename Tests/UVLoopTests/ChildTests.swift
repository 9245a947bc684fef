// Child processes: output, input, ends, groups, escapees.
import Foundation
import TestKit
import Testing

@testable import UVLoop

/// The output and the end of a child.
private struct Report: Sendable {
    var output: [UInt8] = []
    var error: [UInt8] = []
    var exits: [ChildProcess.ExitStatus] = []
    var elapsed = 0.0

    var text: String { String(decoding: output, as: UTF8.self) }
}

private let path = [("PATH", "/usr/bin:/bin")]

/// Runs a child to its end.
private func run(
    _ options: ChildProcess.Options,
    with body: @escaping @Sendable (EventLoop, ChildProcess) -> Void = { _, _ in }
) async throws -> Report {
    try await onLoop { loop in
        var report = Report()
        let start = loop.nowNanoseconds
        let child = try ChildProcess.spawn(
            loop: loop,
            options: options,
            onOutput: { source, bytes in
                if source == .standardOutput {
                    report.output += bytes
                } else {
                    report.error += bytes
                }
            },
            onExit: { status in
                report.exits.append(status)
                report.elapsed = seconds(loop.nowNanoseconds - start)
            }
        )
        body(loop, child)
        loop.run()
        return report
    }
}

private func shell(
    _ script: String,
    input: ChildProcess.Options.Input = .none
) -> ChildProcess.Options {
    .init(arguments: ["sh", "-c", script], environment: path, standardInput: input)
}

/// Files with which a test and its processes tell each other their progress.
private struct Marks: Sendable {
    private let directory: String

    init() throws {
        directory =
            FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: false
        )
    }

    subscript(name: String) -> String { "\(directory)/\(name)" }

    func set(_ name: String) {
        _ = FileManager.default.createFile(atPath: self[name], contents: nil)
    }

    func isSet(_ name: String) -> Bool { FileManager.default.fileExists(atPath: self[name]) }

    func remove() { try? FileManager.default.removeItem(atPath: directory) }

    /// A script that starts a process and continues when that has left the group; the process runs
    /// its own script and then stays, holding the pipes, until the marks are removed.
    func escaping(_ script: String) -> String {
        "setsid sh -c ': > \(self["escaped"]); \(script); "
            + "while [ -e \(self["escaped"]) ]; do sleep 0.05; done' & "
            + "until [ -e \(self["escaped"]) ]; do sleep 0.01; done"
    }
}

@Suite("Child processes")
struct ChildProcessTests {
    @Test("Both kinds of output and the exit code arrive, the exit last and once")
    func outputAndCode() async throws {
        let report = try await run(shell("echo out; echo err >&2; exit 3"))
        #expect(report.text == "out\n")
        #expect(report.error == Array("err\n".utf8))
        #expect(report.exits == [.init(code: 3)])
    }

    @Test("A program may open its output by name")
    func outputByName() async throws {
        let report = try await run(shell("echo named > /dev/stdout; echo too > /dev/stderr"))
        #expect(report.text == "named\n")
        #expect(report.error == Array("too\n".utf8))
        #expect(report.exits == [.init(code: 0)])
    }

    @Test("Reports the signal that ended a child")
    func signalled() async throws {
        let report = try await run(shell("kill -TERM $$; sleep 60"))
        #expect(report.exits == [.init(code: 0, signal: Int(SIGTERM))])
        let killed = try await run(shell("sleep 60")) { _, child in child.signal(SIGKILL) }
        #expect(killed.exits == [.init(code: 0, signal: Int(SIGKILL))])
    }

    @Test("Input bytes arrive whole, then the end of the input")
    func inputBytes() async throws {
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let report = try await run(
            .init(arguments: ["cat"], environment: path, standardInput: .bytes(bytes))
        )
        #expect(report.output == bytes)
        #expect(report.exits == [.init(code: 0)])
        let empty = try await run(
            .init(arguments: ["cat"], environment: path, standardInput: .bytes([]))
        )
        #expect(empty.output == [])
        let none = try await run(.init(arguments: ["cat"], environment: path))
        #expect(none.exits == [.init(code: 0)])
    }

    @Test("Input can be written in pieces with output in between")
    func conversation() async throws {
        let log = try await onLoop { loop in
            var log: [String] = []
            var child: ChildProcess?
            child = try ChildProcess.spawn(
                loop: loop,
                options: .init(arguments: ["/bin/cat"], standardInput: .pipe),
                onOutput: { _, bytes in
                    log.append(String(decoding: bytes, as: UTF8.self))
                    if log.count < 3 {
                        child?.writeInput(Array("line \(log.count)".utf8))
                    } else {
                        child?.closeInput()
                        child?.writeInput([1, 2, 3])
                    }
                },
                onExit: { log.append("exit \($0.code)") }
            )
            child?.writeInput(Array("line 0".utf8))
            loop.run()
            return log
        }
        #expect(log == ["line 0", "line 1", "line 2", "exit 0"])
    }

    @Test("Writing to a child that does not read has no effect")
    func unreadInput() async throws {
        let report = try await run(shell("exec <&-; sleep 0.1; exit 5", input: .pipe)) {
            loop,
            child in
            child.writeInput([UInt8](repeating: 1, count: 1_000_000))
            let timer = UVLoop.Timer(loop: loop) {
                child.writeInput([UInt8](repeating: 1, count: 1_000_000))
            }
            timer.schedule(after: .milliseconds(50))
        }
        #expect(report.exits == [.init(code: 5)])
    }

    @Test("Large output arrives whole, and a paused reader stops the child")
    func largeOutputPaused() async throws {
        let (count, heldAt, exits) = try await onLoop { loop in
            var count = 0
            var heldAt: [Int] = []
            var exits = 0
            var child: ChildProcess?
            child = try ChildProcess.spawn(
                loop: loop,
                options: shell("head -c 20000000 /dev/zero"),
                onOutput: { _, bytes in
                    count += bytes.count
                    guard heldAt.isEmpty else { return }
                    child?.pauseOutput()
                    heldAt.append(count)
                    let timer = UVLoop.Timer(loop: loop) {
                        heldAt.append(count)
                        child?.resumeOutput()
                    }
                    timer.schedule(after: .milliseconds(50))
                },
                onExit: { _ in exits += 1 }
            )
            loop.run()
            return (count, heldAt, exits)
        }
        #expect(count == 20_000_000)
        #expect(heldAt.count == 2 && heldAt.first == heldAt.last)
        #expect(exits == 1)
    }

    @Test("Output of a child that ended while paused is not lost")
    func pausedAtTheEnd() async throws {
        let report = try await run(shell("printf 12345")) { loop, child in
            child.pauseOutput()
            let timer = UVLoop.Timer(loop: loop) { child.resumeOutput() }
            timer.schedule(after: .milliseconds(400))
        }
        #expect(report.text == "12345")
        #expect(report.exits == [.init(code: 0)])
        #expect(report.elapsed >= 0.4)
    }

    @Test("Output is not lost when the loop is busy while the pipes are closed")
    func busyLoop() async throws {
        let marks = try Marks()
        defer { marks.remove() }
        let text = try await onLoop { loop in
            var text = ""
            let child = try ChildProcess.spawn(
                loop: loop,
                options: shell(
                    marks.escaping(
                        "until [ -e \(marks["go"]) ]; do sleep 0.01; done; "
                            + "echo $$; : > \(marks["done"])"
                    )
                ),
                onOutput: { _, bytes in text += String(decoding: bytes, as: UTF8.self) },
                onExit: { _ in }
            )
            when(
                loop,
                { child.escapeTimer != nil },
                then: {
                    // Posts are input, and timers come before the input of the next turn. The
                    // escaped process writes while the loop is busy, longer than the time limit.
                    loop.mailbox.post { loop in
                        let start = loop.nowNanoseconds
                        marks.set("go")
                        while loop.nowNanoseconds - start < 300_000_000
                            || !marks.isSet("done") && loop.nowNanoseconds - start < 20_000_000_000
                        {}
                    }
                }
            )
            loop.run()
            return text
        }
        #expect(processNumber(text) != nil)
    }

    @Test("A grandchild that stays in the group is killed when its parent ends")
    func grandchildIsKilled() async throws {
        let report = try await run(shell("sleep 1000 & echo $!; exit 0"))
        #expect(report.exits == [.init(code: 0)])
        #expect(report.elapsed < 20)
        let pid = try #require(processNumber(report.text))
        #expect(await isGoneSoon(pid))
    }

    @Test("A process that left the group and holds the pipes does not block the end")
    func escapee() async throws {
        let marks = try Marks()
        defer { marks.remove() }
        let report = try await run(shell(marks.escaping("echo $$") + "; exit 4"))
        #expect(report.exits == [.init(code: 4)])
        #expect(report.elapsed >= 0.25)
        #expect(report.elapsed < 20)
        let pid = try #require(processNumber(report.text))
        #expect(isRunning(pid))
    }

    @Test("A signal to the group ends the whole group, and after the end does nothing")
    func signalGroup() async throws {
        let (text, exits) = try await onLoop { loop in
            var text = ""
            var exits: [ChildProcess.ExitStatus] = []
            var child: ChildProcess?
            child = try ChildProcess.spawn(
                loop: loop,
                options: shell("sleep 1000 & echo $!; wait"),
                onOutput: { _, bytes in
                    text += String(decoding: bytes, as: UTF8.self)
                    child?.signalGroup(SIGTERM)
                },
                onExit: {
                    exits.append($0)
                    child?.signalGroup(SIGTERM)
                    child?.signal(SIGTERM)
                }
            )
            loop.run()
            child?.signalGroup(SIGTERM)
            return (text, exits)
        }
        #expect(exits == [.init(code: 0, signal: Int(SIGTERM))])
        let pid = try #require(processNumber(text))
        #expect(await isGoneSoon(pid))
    }

    @Test("A child has its own session, unless it should stay in ours")
    func session() async throws {
        var options = shell("ps -o sid= -p $$; echo $$")
        let own = try await run(options).text.split(whereSeparator: \.isWhitespace)
        #expect(own.count == 2 && own.first == own.last)
        options.newSession = false
        let shared = try await run(options).text.split(whereSeparator: \.isWhitespace)
        #expect(shared.count == 2 && shared.first.flatMap { Int32($0) } == getsid(0))
    }

    @Test("The environment and the directory are exactly the given ones")
    func environmentAndDirectory() async throws {
        let report = try await run(
            .init(
                arguments: ["/usr/bin/env"],
                environment: [("A", "1"), ("B", "two words")]
            )
        )
        #expect(report.text == "A=1\nB=two words\n")
        var options = shell("pwd")
        options.directory = "/usr"
        #expect(try await run(options).text == "/usr\n")
    }

    @Test("The child gets none of our descriptors, nor those we were started with")
    func closedDescriptors() async {
        await #expect(processExitsWith: .success) {
            ProcessTable.keepInheritedDescriptorsFromChildren()
            let text = try await onLoop { loop in
                var text = ""
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
                    timeout: .seconds(20)
                ) { _ in loop.stop() }
                loop.run()
                _ = try ChildProcess.spawn(
                    loop: loop,
                    options: shell("cat", input: .pipe),
                    onOutput: { _, _ in },
                    onExit: { _ in }
                )
                _ = try ChildProcess.spawn(
                    loop: loop,
                    options: shell("ls /proc/self/fd"),
                    onOutput: { text += String(decoding: $1, as: UTF8.self) },
                    onExit: { _ in loop.stop() }
                )
                loop.run()
                return text
            }
            // The standard three and the one that lists them.
            #expect(text == "0\n1\n2\n3\n")
        }
    }

    @Test("A child may share our standard error")
    func inheritedError() async throws {
        var options = shell("echo out; [ -S /dev/stderr ] || true")
        options.inheritStandardError = true
        let report = try await run(options)
        #expect(report.text == "out\n")
        #expect(report.error == [])
        #expect(report.exits == [.init(code: 0)])
    }

    @Test("Reports why a program cannot be started")
    func cannotStart() async throws {
        let errors = try await onLoop { loop in
            func attempt(_ options: ChildProcess.Options) -> UVError? {
                uvError {
                    _ = try ChildProcess.spawn(
                        loop: loop,
                        options: options,
                        onOutput: { _, _ in },
                        onExit: { _ in }
                    )
                }
            }
            var elsewhere = shell("true")
            elsewhere.directory = "/no/such/directory"
            let errors = [
                attempt(.init(arguments: ["no-such-program"], environment: path)),
                attempt(elsewhere),
                attempt(.init(arguments: ["/etc/passwd"])),
                attempt(.init(arguments: [])),
                attempt(.init(arguments: ["/bin/echo", "a\0b"])),
            ]
            loop.run()
            return errors
        }
        #expect(
            errors.map { $0?.name ?? "none" } == ["ENOENT", "ENOENT", "EACCES", "EINVAL", "EINVAL"]
        )
        #expect(errors[0]?.operation == "spawn no-such-program")
        #expect(errors[1]?.operation == "spawn sh in the directory /no/such/directory")
    }

    @Test("Failed spawns leak no descriptors")
    func failedSpawnLeaksNothing() async {
        await #expect(processExitsWith: .success) {
            let (before, after) = try await onLoop { loop in
                func attempt() {
                    _ = uvError {
                        _ = try ChildProcess.spawn(
                            loop: loop,
                            options: .init(arguments: ["/no/such"], standardInput: .pipe),
                            onOutput: { _, _ in },
                            onExit: { _ in }
                        )
                    }
                    loop.run()
                }
                attempt()
                let before = openDescriptors()
                for _ in 0..<50 { attempt() }
                return (before, openDescriptors())
            }
            // Another thread may hold one or two for a moment; a leak would be one for each
            // attempt.
            #expect(after < before + 25)
        }
    }

    @Test("Many children at a time all end once")
    func manyChildren() async throws {
        let ends = try await onLoop { loop in
            var ends = 0
            for number in 0..<60 {
                _ = try ChildProcess.spawn(
                    loop: loop,
                    options: shell("exit \(number)"),
                    onOutput: { _, _ in },
                    onExit: { if $0.code == number { ends += 1 } }
                )
            }
            loop.run()
            return ends
        }
        #expect(ends == 60)
    }
}
