// A user other than root, because root ignores some limits: numbers of processes, files that may
// not be read.
import Foundation
import Glibc

/// The user that owns nothing; only root can start processes as another user.
enum OrdinaryUser {
    static let number: uid_t = 65_534

    /// Whether processes of this user can be started, and run the `weft` that is tested.
    static let isAvailable: Bool = {
        guard geteuid() == 0 else { return false }
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "\(command) test -x '\(Place.weft)' 2>/dev/null"]
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    static let need = "needs root, setpriv and a weft that everybody may run"

    /// The prefix of a command to run it as this user.
    static let command =
        "setpriv --reuid=\(number) --regid=\(number) --clear-groups --inh-caps=-all"
}

extension Place {
    /// Lets workers of the ordinary user work here, and returns their environment.
    ///
    /// The coordinator must have been started: the key is a copy of its own.
    func openToOrdinaryUser() throws -> [String: String] {
        let own = "\(folder)/ordinary"
        try FileManager.default.createDirectory(
            atPath: own,
            withIntermediateDirectories: false
        )
        try FileManager.default.copyItem(
            atPath: "\(state)/worker.key",
            toPath: "\(own)/worker.key"
        )
        for path in [own, "\(own)/worker.key"] {
            guard chown(path, OrdinaryUser.number, OrdinaryUser.number) == 0 else {
                throw Missing(description: "\(path) cannot be given away")
            }
        }
        // Tools write into the folder of the place.
        for path in [folder, "\(folder)/tmp"] { chmod(path, 0o777) }
        return ["WEFT_STATE_DIR": own]
    }
}
