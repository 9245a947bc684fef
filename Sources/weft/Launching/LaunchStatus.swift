// The state of a launch: what other commands read, what --json prints, what the terminal shows.
// Pure.
internal import Console
internal import JSON
internal import Launch
internal import LaunchCore
internal import OrderedCollections

/// A launch with its workers.
struct LaunchStatus {
    var name: String
    var coordinator: String
    var groups: [LaunchedGroup]
    var workers: [LaunchedWorker]

    init(
        name: String,
        coordinator: String,
        groups: [LaunchedGroup],
        workers: [LaunchedWorker]
    ) {
        self.name = name
        self.coordinator = coordinator
        self.groups = groups
        self.workers = workers
    }

    /// Reads the document of another process; nil if it is not one.
    init?(_ value: JSONValue) {
        guard let name = value["name"]?.stringValue else { return nil }
        self.name = name
        coordinator = value.text("coordinator")
        groups = (value["groups"]?.arrayValue ?? []).map(Self.group)
        workers = (value["workers"]?.arrayValue ?? []).compactMap { worker in
            guard let state = MemberState(rawValue: worker.text("state")) else { return nil }
            return LaunchedWorker(
                name: worker.text("name"),
                group: worker.text("group"),
                site: worker.text("host"),
                state: state,
                note: worker.text("note"),
                starts: worker.number("starts")
            )
        }
    }

    /// The document; the commands that remove what a killed launch leaves are for its successor.
    func json(removals: [[String]]? = nil) -> RawJSON {
        var fields: [(String, JSONValue)] = [
            ("name", .string(name)), ("coordinator", .string(coordinator)),
            ("groups", .array(groups.map(Self.json))),
            ("workers", .array(workers.map(Self.json))),
        ]
        if let removals {
            fields.append(("removals", .array(removals.map { .array($0.map { .string($0) }) })))
        }
        return RawJSON(.object(.init(uniqueKeysWithValues: fields)))
    }

    private static func group(_ value: JSONValue) -> LaunchedGroup {
        let (least, most) = (value["min"]?.intValue, value["max"]?.intValue)
        var range: ClosedRange<Int>?
        if let least, let most, least <= most { range = least...most }
        return LaunchedGroup(
            name: value.text("name"),
            count: value.number("workers"),
            range: range
        )
    }

    private static func json(_ group: LaunchedGroup) -> JSONValue {
        var fields: [(String, JSONValue)] = [
            ("name", .string(group.name)), ("workers", .integer(Int64(group.count))),
        ]
        if let range = group.range {
            fields.append(("min", .integer(Int64(range.lowerBound))))
            fields.append(("max", .integer(Int64(range.upperBound))))
        }
        return .object(.init(uniqueKeysWithValues: fields))
    }

    static func json(_ worker: LaunchedWorker) -> JSONValue {
        var fields: [(String, JSONValue)] = [
            ("name", .string(worker.name)), ("group", .string(worker.group)),
            ("host", .string(worker.site)), ("state", .string(worker.state.rawValue)),
            ("starts", .integer(Int64(worker.starts))),
        ]
        if !worker.note.isEmpty { fields.append(("note", .string(worker.note))) }
        return .object(.init(uniqueKeysWithValues: fields))
    }

    /// Whether every worker runs, has ended or has failed.
    var isSettled: Bool { settledCount == workers.count }

    /// How many workers run, have ended or have failed.
    var settledCount: Int { workers.count { [.running, .ended, .failed].contains($0.state) } }
}
