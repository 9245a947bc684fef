// `weft journal` on files that are whole, damaged, in use or not there.
import Core
import Foundation
import Glibc
import Journal
import Runs
import TestKit
import Testing
import Wire

extension Integration {
    @Suite("Journals", .timeLimit(.minutes(2 * Patience.factor)))
    struct JournalCommandTests {
        /// Two runs, of which the second one was not ended.
        private func makeJournal(in place: Place) throws -> String {
            try FileManager.default.createDirectory(
                atPath: place.state,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            let file = try JournalFile(path: place.state + "/" + JournalFile.name)
            for name in ["one", "two"] {
                let id = try #require(RunID(name))
                let acceptance = Acceptance(
                    id: id,
                    key: "the key of \(name)",
                    label: String(repeating: "a label ", count: 400),
                    isStreamed: true
                )
                try file.write([.record(id, RunRecord(at: 0, .accepted(acceptance)))])
            }
            let one = try #require(RunID("one"))
            try file.write([.record(one, RunRecord(at: 9, .ended(.cancelled)))])
            return file.path
        }

        @Test("Checks and exports a journal, with exit code 0 if it is whole")
        func whole() async throws {
            try await atPlace { place in
                let path = try makeJournal(in: place)
                let check = try await place.weft("journal", "check", "--state", place.state)
                #expect(check.code == 0 && check.errors.isEmpty, "\(check)")
                #expect(check.output.contains("2, 1 of them not ended"))
                let report = try await place.weft(
                    "journal",
                    "check",
                    "--json",
                    "--state",
                    place.state
                ).document
                #expect(report["journal"].text == path)
                #expect(report["records"].number == 3)
                #expect(report["findings"].list.isEmpty)
                let export = try await place.weft("journal", "export", "--state", place.state)
                #expect(export.code == 0, "\(export)")
                let lines = export.output.split(separator: "\n")
                #expect(lines.count == 5)
                #expect(lines[2].hasPrefix(#"{"run":"one","position":1,"record":{"at":9,"#))
                let repair = try await place.weft("journal", "repair", "--state", place.state)
                #expect(repair.code == 0 && repair.output.contains("nothing was changed"))
            }
        }

        @Test("Tells what is damaged, and repairs it unless a coordinator uses the folder")
        func damaged() async throws {
            try await atPlace { place in
                let path = try makeJournal(in: place)
                var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                let label = try #require(bytes.range(of: Data("a label a label".utf8)))
                bytes[label.lowerBound] ^= 1
                try bytes.write(to: URL(fileURLWithPath: path))
                let check = try await place.weft("journal", "check", "--state", place.state)
                #expect(check.code == 1, "\(check)")
                #expect(check.errors.contains("a page does not fit its checksum"), "\(check)")
                let lock = open(place.state + "/coordinator.lock", O_RDWR | O_CREAT, 0o600)
                flock(lock, LOCK_EX)
                let refused = try await place.weft("journal", "repair", "--state", place.state)
                #expect(refused.code == 2 && refused.errors.contains("stop it"), "\(refused)")
                close(lock)
                let repair = try await place.weft("journal", "repair", "--state", place.state)
                #expect(repair.code == 0, "\(repair)")
                #expect(repair.output.contains(path + ".damaged-1"))
                #expect(repair.output.contains("not kept: "))
                let again = try await place.weft("journal", "check", "--state", place.state)
                #expect(again.code == 0, "\(again)")
            }
        }

        @Test("Says that there is no journal, with exit code 2")
        func missing() async throws {
            try await atPlace { place in
                for command in ["check", "repair", "export"] {
                    let outcome = try await place.weft("journal", command, "--state", place.folder)
                    #expect(outcome.code == 2, "\(outcome)")
                    #expect(outcome.errors.contains("There is no journal"), "\(outcome)")
                }
            }
        }
    }
}
