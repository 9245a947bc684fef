// Key files on a real disk: made private, refused when they are not.
import Foundation
import Testing
import Wire

@testable import Transport

/// A directory that is removed after the test.
private final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/weft-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func mode(_ name: String) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: path + name)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue
    }

    func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        let file = path + "/" + name
        #expect(
            FileManager.default.createFile(
                atPath: file,
                contents: Data(text.utf8),
                attributes: [.posixPermissions: mode]
            )
        )
        return file
    }
}

private func refusal(_ path: String) -> KeyFileError? {
    do {
        _ = try KeyFile.load(path: path)
        return nil
    } catch {
        return error
    }
}

@Suite("Key files")
struct KeyFileTests {
    private let digits = String(repeating: "0a", count: 32)

    @Test("Makes a key once, only for its owner")
    func makesKeys() throws {
        let scratch = try Scratch()
        let state = scratch.path + "/some/state"
        let first = try KeyFile.loadOrCreate(role: .worker, in: state)
        #expect(try KeyFile.loadOrCreate(role: .worker, in: state) == first)
        #expect(try KeyFile.load(path: KeyFile.path(of: .worker, in: state)) == first)
        #expect(try KeyFile.loadOrCreate(role: .client, in: state) != first)
        #expect(try scratch.mode("/some/state") == 0o700)
        #expect(try scratch.mode("/some/state/worker.key") == 0o600)
        let names = try FileManager.default.contentsOfDirectory(atPath: state).sorted()
        #expect(names == ["client.key", "worker.key"])
        let text = try String(contentsOfFile: state + "/worker.key", encoding: .utf8)
        #expect(text == first.hex + "\n")
    }

    @Test("Processes that make the key at the same time all get the same one")
    func oneKeyWins() async throws {
        let scratch = try Scratch()
        let state = scratch.path + "/state"
        let keys = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 {
                group.addTask { try KeyFile.loadOrCreate(role: .viewer, in: state).hex }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(keys.count == 1)
    }

    @Test("The key file may have any line end or none")
    func readsLineEnds() throws {
        let scratch = try Scratch()
        for (index, end) in ["", "\n", "\r\n", "\n\n"].enumerated() {
            let path = try scratch.write(digits + end, to: "\(index).key")
            #expect(try KeyFile.load(path: path).hex == digits)
        }
    }

    @Test("Refuses a file that others may read, with advice")
    func refusesOpenFiles() throws {
        let scratch = try Scratch()
        for mode in [0o644, 0o640, 0o604, 0o602] {
            let path = try scratch.write(digits, to: "\(mode).key", mode: mode)
            let error = refusal(path)
            #expect(error?.reason == .readableByOthers)
            #expect(error?.description.contains("chmod 600 '\(path)'") == true)
        }
    }

    @Test("Takes a file of root that one group may read, if this process is in that group")
    func readsLentFiles() {
        let reader = (user: uid_t(1000), groups: [gid_t(1000), 65532])
        func refusal(_ owner: uid_t, _ group: gid_t, _ mode: mode_t) -> KeyFileError.Reason? {
            do throws(KeyFileError) {
                try SecretFile.checkAccess(
                    owner: owner,
                    group: group,
                    mode: mode,
                    by: reader,
                    "worker.join"
                )
                return nil
            } catch {
                return error.reason
            }
        }
        for mode in [0o440, 0o640, 0o100440] as [mode_t] {
            #expect(refusal(0, 65532, mode) == nil)
            #expect(refusal(0, 7, mode) == .anotherOwner, "a group of others")
            #expect(refusal(7, 65532, mode) == .anotherOwner, "a user of no standing")
            #expect(refusal(1000, 1000, mode) == .readableByOthers, "its own file")
        }
        for mode in [0o444, 0o460, 0o442, 0o441] as [mode_t] {
            #expect(refusal(0, 65532, mode) == .anotherOwner, "open to others")
        }
        #expect(refusal(1000, 1000, 0o600) == nil)
        #expect(refusal(1000, 7, 0o400) == nil)
    }

    @Test("Refuses a file without a key")
    func refusesOtherContent() throws {
        let scratch = try Scratch()
        let wrong = ["", "\n", "key", digits + "0a", digits + " ", "\n" + digits, digits + "\nx"]
        for (index, text) in wrong.enumerated() {
            let reason = refusal(try scratch.write(text, to: "\(index).key"))?.reason
            #expect(reason != nil && reason != .missing, "\(text)")
        }
    }

    @Test("Refuses links, folders and pipes without waiting")
    func refusesOtherFiles() throws {
        let scratch = try Scratch()
        let target = try scratch.write(digits, to: "target")
        try FileManager.default.createSymbolicLink(
            atPath: scratch.path + "/link.key",
            withDestinationPath: target
        )
        #expect(refusal(scratch.path + "/link.key")?.reason == .symbolicLink)
        #expect(refusal(scratch.path)?.reason == .folder)
        #expect(refusal(scratch.path)?.description.contains("is a folder") == true)
        #expect(refusal(try scratch.write("", to: "empty.key"))?.reason == .empty)
        #expect(refusal(try scratch.write("0a0b\n", to: "short.key"))?.reason == .wrongLength(4))
        let long = try scratch.write("\(digits)0a\n", to: "long.key")
        #expect(refusal(long)?.reason == .wrongLength(66))
        #expect(mkfifo(scratch.path + "/pipe.key", 0o600) == 0)
        #expect(refusal(scratch.path + "/pipe.key")?.reason == .notAFile)
        let missing = refusal(scratch.path + "/none.key")
        #expect(missing?.reason == .missing)
        #expect(missing?.description.contains("coordinator") == true)
    }

    @Test("Does not replace a key file that cannot be used")
    func keepsBadFiles() throws {
        let scratch = try Scratch()
        let path = try scratch.write("broken", to: "client.key")
        #expect(throws: KeyFileError(path: path, reason: .noKey)) {
            try KeyFile.loadOrCreate(role: .client, in: scratch.path)
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "broken")
    }

    @Test("Refuses a state directory that others may change, with advice")
    func refusesOpenDirectories() throws {
        let scratch = try Scratch()
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o770],
            ofItemAtPath: scratch.path
        )
        let error = #expect(throws: KeyFileError.self) {
            try KeyFile.loadOrCreate(role: .client, in: scratch.path)
        }
        #expect(error?.reason == .directoryWritableByOthers)
        #expect(error?.description.contains("chmod 700") == true)
    }

    @Test("Refuses a state directory that is a file")
    func refusesFileAsDirectory() throws {
        let scratch = try Scratch()
        let path = try scratch.write("", to: "state")
        #expect(throws: KeyFileError(path: path, reason: .notADirectory)) {
            try StateDirectory.prepare(path)
        }
    }

    @Test("Chooses the state directory by flag, then environment, then home")
    func choosesDirectory() {
        let all = [
            "WEFT_STATE_DIR": "/weft", "XDG_STATE_HOME": "/xdg", "HOME": "/home/ada",
        ]
        func path(_ flag: String?, without names: String...) -> String {
            StateDirectory.resolve(
                flag: flag,
                environment: all.filter { !names.contains($0.key) }
            )
        }
        #expect(path("here") == "here")
        #expect(path("") == "/weft")
        #expect(path(nil) == "/weft")
        #expect(path(nil, without: "WEFT_STATE_DIR") == "/xdg/weftline")
        #expect(
            path(nil, without: "WEFT_STATE_DIR", "XDG_STATE_HOME")
                == "/home/ada/.local/state/weftline"
        )
        #expect(
            StateDirectory.resolve(
                flag: nil,
                environment: ["XDG_STATE_HOME": "xdg", "HOME": "/home/ada"]
            )
                == "/home/ada/.local/state/weftline"
        )
        #expect(
            StateDirectory.resolve(flag: nil, environment: [:])
                .hasSuffix("/.local/state/weftline")
        )
    }
}
