// Launches that tell of themselves: how long they are known, how many, and who may tell.

import CoordinatorCore
import Core
import JSON
import TestKit
import Testing

@testable import Wire

@Suite("Launches of a coordinator")
struct LaunchTests {
    private func launch(
        _ name: String = "hosts",
        pid: Int = 1,
        running: Int = 0,
        members: Int = 1,
        note: String = "Resources"
    ) -> Message {
        .launch(
            LaunchReport(
                LaunchDocument(
                    name: name,
                    host: "h",
                    pid: pid,
                    groups: [
                        LaunchGroupDocument(
                            name: "batch",
                            kind: .slurm,
                            wanted: 2,
                            running: running,
                            pending: 2 - running,
                            range: 1...8
                        )
                    ],
                    members: (0..<members).map { number in
                        LaunchMemberDocument(
                            name: "\(name)-batch-\(number)",
                            group: "batch",
                            site: "slurm",
                            state: .pending,
                            note: note
                        )
                    }
                )
            )
        )
    }

    /// Name, state and running workers of each launch, as clients get them.
    private func known(_ harness: MachineHarness) throws -> [String] {
        let asker = harness.client("asker\(harness.now.nanoseconds)", role: .viewer)
        defer { asker.disconnect() }
        return (try asker.get(.launches).arrayValue ?? []).map { entry in
            let running = entry["groups"]?[0]?["running"]?.intValue ?? -1
            return "\(entry["name"]?.stringValue ?? "") \(entry["state"]?.stringValue ?? "") "
                + "\(running)"
        }
    }

    @Test("A launch is known with what it told last, until it says good-bye")
    func told() throws {
        let harness = MachineHarness()
        let launcher = harness.client("launcher")
        launcher.send(launch())
        let viewer = harness.client("v", role: .viewer)
        let entry = try #require(try viewer.get(.launches)[0])
        #expect(entry["reported_by"] == "client")
        #expect(entry["members"]?[0]?["note"] == "Resources")
        harness.advance(.seconds(120))
        launcher.send(launch(running: 1))
        #expect(try known(harness) == ["hosts connected 1"])
        launcher.send(.bye(Bye(reason: "done")))
        #expect(try known(harness) == [])
    }

    @Test("A launch whose connection breaks is gone for a minute, and may come back")
    func gone() throws {
        let harness = MachineHarness()
        let launcher = harness.client("launcher")
        launcher.send(launch())
        launcher.disconnect()
        #expect(try known(harness) == ["hosts gone 0"])
        harness.advance(.seconds(59))
        #expect(try known(harness) == ["hosts gone 0"])
        let again = harness.client("launcher")
        again.send(launch(running: 2))
        #expect(try known(harness) == ["hosts connected 2"])
        harness.advance(.seconds(61))
        #expect(try known(harness) == ["hosts connected 2"])
        again.disconnect()
        harness.advance(.seconds(61))
        #expect(try known(harness) == [])
    }

    @Test("One that is back on another connection outlives the end of the first")
    func moved() throws {
        let harness = MachineHarness()
        let first = harness.client("launcher")
        first.send(launch())
        let other = harness.client("other")
        other.send(launch("other", pid: 7))
        let second = harness.client("launcher")
        second.send(launch(running: 1))
        first.disconnect()
        #expect(try known(harness) == ["hosts connected 1", "other connected 0"])
        // A connection tells of one launch.
        second.send(launch("other", pid: 8))
        #expect(try known(harness) == ["other connected 0", "other connected 0"])
    }

    @Test("Workers and viewers may not tell of launches", arguments: [Role.viewer, .worker])
    func forbidden(_ role: Role) throws {
        let harness = MachineHarness()
        let peer = role == .worker ? harness.worker("w") : harness.client("v", role: role)
        peer.send(launch())
        let error = try peer.nextError()
        #expect(error.code == .forbidden)
        #expect(error.message.contains("A \(role.rawValue) may not send launch"))
        #expect(try known(harness) == [])
    }

    @Test("What is too much is refused, and the connection goes on")
    func bounds() throws {
        let harness = MachineHarness()
        let launcher = harness.client("launcher")
        let long = String(repeating: "x", count: 1_500)
        for message in [launch(members: 1_001), launch(members: 200, note: long)] {
            launcher.send(message)
            let error = try launcher.nextError()
            #expect(error.code == .limit && !error.isFatal && error.about == "hosts")
        }
        launcher.send(launch())
        #expect(try known(harness) == ["hosts connected 0"])
    }

    @Test("Launches that are gone make room, those that are there do not")
    func room() throws {
        let harness = MachineHarness()
        harness.validates = false
        let launchers = (0..<100).map { number in
            let launcher = harness.client("l\(number)")
            launcher.send(launch("l\(number)"))
            return launcher
        }
        let further = harness.client("further")
        further.send(launch("further"))
        #expect(try further.nextError().message.contains("at most 100"))
        launchers[40].disconnect()
        further.send(launch("further"))
        let names = try known(harness)
        #expect(names.count == 100 && names.last == "further connected 0")
        #expect(!names.contains { $0.hasPrefix("l40 ") })
        // Bytes count as well.
        for (number, launcher) in launchers.enumerated() where number != 40 {
            launcher.send(
                launch("l\(number)", members: 200, note: String(repeating: "x", count: 1_000))
            )
        }
        let refused = launchers.count { launcher in
            launcher.take().contains { if case .error = $0 { true } else { false } }
        }
        #expect((75...90).contains(refused))
        harness.validates = true
        harness.advance(.zero)
    }

    @Test("The list comes in pages")
    func pages() throws {
        let harness = MachineHarness()
        for number in 0..<5 {
            harness.client("l\(number)").send(launch("l\(number)"))
        }
        let viewer = harness.client("v", role: .viewer)
        let page = try viewer.get(.launches, from: 1, limit: 2)
        #expect(page.arrayValue?.map { $0["name"]?.stringValue } == ["l1", "l2"])
    }
}
