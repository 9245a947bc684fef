// The environment of a test: a folder of its own, the processes started there, and their end. Every
// process started here has the mark of the place in its environment, so that no process remains
// after the test.
import Foundation
import Glibc
import Testing

/// Runs a test at a place of its own and removes the place in any case.
///
/// Fails if a key of the place appears in the output of a process.
func atPlace(_ body: (Place) async throws -> Void) async throws {
    let place = try Place()
    do {
        try await body(place)
    } catch {
        let logs = place.log
        place.tearDown()
        throw Missing(description: "\(error)\n\(logs)")
    }
    place.expectNoKeyIsSaid()
    place.tearDown()
}

/// A folder with a state folder, a manifest, plans and the processes of one test.
final class Place {
    let folder: String
    /// A variable in the environment of every process of this place.
    let mark = "weft-place-\(UUID().uuidString)"
    /// The coordinator's address once there is one.
    private(set) var address = ""
    private var processes: [WeftProcess] = []

    var state: String { "\(folder)/state" }

    /// The `weft` that was built with the tests; it is in the same folder.
    static let weft: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let folder = ((tests ?? CommandLine.arguments[0]) as NSString).deletingLastPathComponent
        return "\(folder)/weft"
    }()

    init() throws {
        var template = Array("\(NSTemporaryDirectory())/weft-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Missing(description: "no temporary folder") }
        // By its real path, because processes are found by it.
        guard let real = realpath(template, nil) else {
            throw Missing(description: "no temporary folder")
        }
        defer { free(real) }
        folder = String(cString: real)
        try FileManager.default.createDirectory(
            atPath: "\(folder)/tmp",
            withIntermediateDirectories: false
        )
    }

    // MARK: - Processes

    /// The environment of every process: the tests' own without variables for `weft`, and the
    /// coordinator of this place if there is one.
    var environment: [String: String] {
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("WEFT_") }
        variables["WEFT_STATE_DIR"] = state
        variables["TMPDIR"] = "\(folder)/tmp"
        variables["SWIFT_BACKTRACE"] = "enable=no"
        variables["PLACE"] = mark
        if !address.isEmpty { variables["WEFT_COORDINATOR"] = address }
        return variables
    }

    /// Starts a program, by default `weft`, without waiting.
    func start(
        _ arguments: String...,
        program: String = Place.weft,
        input: String? = nil,
        environment extra: [String: String] = [:]
    ) throws -> WeftProcess {
        try start(arguments, program: program, input: input, environment: extra)
    }

    func start(
        _ arguments: [String],
        program: String = Place.weft,
        input: String? = nil,
        environment extra: [String: String] = [:]
    ) throws -> WeftProcess {
        let process = try WeftProcess(
            program,
            arguments,
            environment: environment.merging(extra) { $1 },
            input: input,
            folder: folder,
            number: processes.count + 1
        )
        processes.append(process)
        return process
    }

    /// Runs `weft` to its end.
    func weft(
        _ arguments: String...,
        input: String? = nil,
        environment extra: [String: String] = [:]
    ) async throws -> Outcome {
        try await start(arguments, input: input, environment: extra).end()
    }

    /// Starts a coordinator and waits until it listens.
    @discardableResult
    func startCoordinator(
        on listen: String = "127.0.0.1:0",
        with more: [String] = [],
        environment extra: [String: String] = [:]
    ) async throws -> WeftProcess {
        let arguments = ["coordinator", "--listen", listen, "--verbose"] + more
        let process = try start(arguments, environment: extra)
        let line = try await process.line(with: "coordinator listens on ")
        let words = line.split(separator: " ")
        guard words.count > 3 else { throw Missing(description: "no address in: \(line)") }
        address = words[3].trimmingCharacters(in: [","])
        return process
    }

    /// Starts a worker with the manifest of this place, if there is one, and the diagnostic tools,
    /// and waits until it is registered.
    @discardableResult
    func startWorker(
        _ name: String,
        slots: Int = 4,
        labels: [String] = [],
        isOrdinaryUser: Bool = false
    ) async throws -> WeftProcess {
        var arguments = [
            "worker", "--coordinator", address, "--name", name, "--slots", "\(slots)",
            "--diagnostics",
        ]
        if FileManager.default.fileExists(atPath: manifest) { arguments += ["--tools", manifest] }
        for label in labels { arguments += ["--label", label] }
        let process: WeftProcess
        if isOrdinaryUser {
            let command = OrdinaryUser.command.split(separator: " ").map(String.init)
            process = try start(
                command.dropFirst() + [Place.weft] + arguments,
                program: command[0],
                environment: openToOrdinaryUser()
            )
        } else {
            process = try start(arguments)
        }
        try await eventually("the coordinator has \(name): \(process.errors)") {
            try await workers().contains { $0["name"].text == name && $0["state"].text == "ready" }
        }
        return process
    }

    /// The output of `weft workers`.
    func workers() async throws -> [Document] {
        try await weft("workers", "--json").document.list
    }

    // MARK: - Files

    var manifest: String { "\(folder)/tools.yaml" }

    /// Writes the manifest; `FOLDER` in it is the folder of this place.
    func tools(_ yaml: String) throws {
        let marked = yaml.replacingOccurrences(
            of: "\n    command:",
            with: "\n    env: {PLACE: \(mark)}\n    command:"
        )
        try write(marked.replacingOccurrences(of: "FOLDER", with: folder), to: "tools.yaml")
    }

    /// Writes a plan of these nodes and returns its path.
    func plan(_ nodes: String..., instruction: String? = nil) throws -> String {
        let join = instruction.map { ",\"join_instruction\":\"\($0)\"" } ?? ""
        let text = "{\"tasks\":[\(nodes.joined(separator: ","))]\(join)}"
        return try write(text, to: "plan-\(UUID().uuidString).json")
    }

    /// Writes a file of this place and returns its path.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        return "\(folder)/\(name)"
    }

    /// The lines of a file of this place; none if there is no such file.
    func lines(of name: String) -> [String] {
        let data = FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data()
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Waits until a tool has written that many lines to a file of this place.
    func wait(for count: Int, linesOf name: String) async throws {
        try await eventually("\(count) lines in \(name)") { lines(of: name).count >= count }
    }

    // MARK: - The end

    /// Processes with the mark of this place or its folder, started by any process.
    ///
    /// `weft` hides most of its environment; only its own user or root can read the rest.
    func marked(exceptKeepers: Bool = false) -> [pid_t] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let needles = ["PLACE=\(mark)", folder].map { Data($0.utf8) }
        return entries.compactMap { entry in
            guard let pid = pid_t(entry) else { return nil }
            let isMarked = ["environ", "cmdline"].contains { name in
                let text = FileManager.default.contents(atPath: "/proc/\(pid)/\(name)") ?? Data()
                // A keeper lives as long as its worker, and is not a tool's process.
                if exceptKeepers, text.starts(with: Data("weft-keeper".utf8)) { return false }
                return needles.contains { text.range(of: $0) != nil }
            }
            return isMarked ? pid : nil
        }
    }

    /// Whether a process of a group still runs; zombies do not count.
    static func isAlive(group: pid_t) -> Bool {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.contains { entry in
            guard pid_t(entry) != nil,
                let data = FileManager.default.contents(atPath: "/proc/\(entry)/stat")
            else { return false }
            // The name of the program, in parentheses, may contain anything.
            let fields = String(decoding: data, as: UTF8.self)
                .drop { $0 != ")" }.dropFirst().split(separator: " ")
            return fields.count > 2 && fields[0] != "Z" && fields[2] == "\(group)"
        }
    }

    /// The output of every process, for a test that failed.
    var log: String {
        processes.map { process in
            let ending = process.isRunning ? "runs" : "ended"
            return """
                --- \(process.name) (\(ending))
                \(process.output.prefix(2000))\(process.errors.suffix(4000))
                """
        }
        .joined(separator: "\n")
    }

    /// Whether the output of any process contains these words.
    func hasSaid(_ words: String) -> Bool {
        processes.contains { $0.output.contains(words) || $0.errors.contains(words) }
    }

    fileprivate func expectNoKeyIsSaid() {
        for role in ["worker", "client", "viewer"] {
            guard let key = lines(of: "state/\(role).key").first else { continue }
            for process in processes {
                #expect(!process.output.contains(key), "\(process.name) tells the \(role) key")
                #expect(!process.errors.contains(key), "\(process.name) tells the \(role) key")
            }
        }
    }

    fileprivate func tearDown() {
        for process in processes { process.killGroup() }
        // Killing one may let another start; a few rounds find all.
        for _ in 0..<20 {
            let rest = marked()
            guard !rest.isEmpty else { break }
            for pid in rest { kill(pid, SIGKILL) }
            usleep(10_000)
        }
        try? FileManager.default.removeItem(atPath: folder)
    }
}
