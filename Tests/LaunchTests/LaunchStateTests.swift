// The folder of a launch and its lock.
import Foundation
import Glibc
import Testing

@testable import Launch

@Suite("Folder of a launch")
struct LaunchStateTests {
    private func atFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "weft-launch-state-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func names(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: LaunchState.base(folder)).sorted()
    }

    @Test("A name is free as soon as its folder is moved away, before anything in it is removed")
    func leftovers() throws {
        try atFolder { folder in
            try #require(try LaunchState(taking: "a", in: folder)).leave()
            let left = try #require(LaunchState(left: "a", in: folder))
            let next = try #require(try LaunchState(taking: "a", in: folder))
            left.remove()
            #expect(try names(folder) == ["a"])
            #expect(FileManager.default.fileExists(atPath: "\(next.folder)/orders"))
            next.remove()
            #expect(try names(folder) == [])
            #expect(LaunchState(left: "b", in: folder) == nil)
        }
    }

    @Test("What could not be removed is found by the next launch")
    func leftAgain() throws {
        try atFolder { folder in
            try #require(try LaunchState(taking: "a", in: folder)).leave()
            try #require(LaunchState(left: "a", in: folder)).leave()
            let name = try #require(try names(folder).first)
            #expect(name.hasPrefix("a."))
            #expect(LaunchState.running(in: folder) == [])
            try #require(LaunchState(left: name, in: folder)).remove()
            #expect(try names(folder) == [])
        }
    }

    @Test("A launch whose process has no number here is left alone, and gets no signal")
    func elsewhere() throws {
        try atFolder { folder in
            try #require(try LaunchState(taking: "a", in: folder)).leave()
            // A lock of an open file, which belongs to no process: F_OFD_SETLK.
            let file = open("\(LaunchState.base(folder))/a/lock", O_RDWR)
            defer { close(file) }
            var lock = flock()
            lock.l_type = Int16(F_WRLCK)
            try #require(fcntl(file, 37, &lock) == 0)
            #expect(LaunchState.owner(of: "a", in: folder) == .elsewhere)
            #expect(LaunchState.running(in: folder) == ["a"])
            #expect(try LaunchState(taking: "a", in: folder) == nil)
            #expect(LaunchState(left: "a", in: folder) == nil)
            let error = #expect(throws: LaunchStateError.self) {
                try LaunchState.give(.down(isUrgent: true), to: "a", in: folder, number: 1)
            }
            #expect(error?.message.contains("runs on another host or in another container") == true)
        }
    }
}
