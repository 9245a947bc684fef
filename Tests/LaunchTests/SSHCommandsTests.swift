// The commands for a host: they ask nothing, share one connection, and hold no secret.
import LaunchCore
import Testing
import Transport

@testable import Launch

@Suite("Commands for a host")
struct SSHCommandsTests {
    private let commands = SSHCommands(
        host: "me@host",
        options: ["-p", "2222"],
        socket: "/tmp/x/1",
        digest: "abc123",
        bytes: 5,
        folder: "hosts-1-1"
    )

    private var group: GroupEntry {
        var group = GroupEntry(name: "ssh", place: .ssh(SSHEntry(hosts: ["me@host"])), count: 1)
        group.hasDiagnostics = true
        group.slots = 3
        group.labels = [("zone", "it's")]
        group.environment = [("A", "$HOME")]
        return group
    }

    @Test("Every command has the options of the file, and asks nothing")
    func options() {
        let all = [
            commands.anchor, commands.copyProgram("/bin/weft"),
            commands.forward(to: Endpoint(host: "10.0.0.1", port: 7420)),
            commands.worker(
                MemberPlan(id: .init(group: 0, number: 1), name: "w", group: group),
                group: 0
            ),
            commands.worker(
                MemberPlan(id: .init(group: 0, number: 1), name: "w", group: group),
                group: 0,
                isSharing: false
            ),
        ]
        for words in all {
            let line = words.joined(separator: " ")
            #expect(line.contains("-o BatchMode=yes"))
            #expect(line.contains("-p 2222"))
            #expect(line.contains("me@host"))
        }
        #expect(all.dropLast().allSatisfy { $0.joined(separator: " ").contains("-S /tmp/x/1") })
        #expect(all.last?.joined(separator: " ").contains("-S none") ?? false)
    }

    @Test("A shell reads the worker's arguments exactly as they are")
    func worker() throws {
        let plan = MemberPlan(id: .init(group: 0, number: 1), name: "hosts-ssh-1", group: group)
        let script = try #require(commands.worker(plan, group: 0).last)
        #expect(script.hasPrefix("exec /bin/sh -c '"))
        #expect(script.contains("weft/weft") == false)
        #expect(script.contains("--join - --name hosts-ssh-1 --exit-with-stdin"))
        #expect(script.contains("--slots 3"))
        #expect(!script.contains("--replace"))
        var again = plan
        again.isAgain = true
        #expect(commands.worker(again, group: 0).last?.contains("--replace") ?? false)
    }

    @Test("Only workers beyond the fewest leave when they are idle")
    func idle() {
        var group = group
        group.range = 1...3
        group.idleTimeout = .seconds(300)
        for number in 1...2 {
            let plan = MemberPlan(id: .init(group: 0, number: number), name: "w", group: group)
            let arguments = plan.arguments(manifest: nil)
            #expect(arguments.contains("--idle-timeout") == (number == 2))
        }
    }
}
