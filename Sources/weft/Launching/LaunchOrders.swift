// Commands for a launch that runs elsewhere: its state, another size, its end.
internal import Console
internal import FoundationEssentials
internal import Glibc
internal import JSON
internal import Launch

struct LaunchOrders {
    private let stateFolder: String
    private let name: String

    /// Finds the launch of that name, or the only one that runs.
    init(stateFolder: String, name: String?) throws(CommandFailure) {
        self.stateFolder = stateFolder
        let running = LaunchState.running(in: stateFolder)
        if let name {
            guard running.contains(name) else {
                throw CommandFailure(.usage, "No launch \(name) runs." + Self.list(running))
            }
            self.name = name
            return
        }
        guard let only = running.first else {
            throw CommandFailure(.usage, "No launch runs. Start one: weft launch hosts.yaml")
        }
        guard running.count == 1 else {
            throw CommandFailure(.usage, "Several launches run; name one." + Self.list(running))
        }
        self.name = only
    }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "" : " Running: \(names.joined(separator: ", "))."
    }

    private func document() throws(CommandFailure) -> LaunchStatus {
        guard let value = LaunchState.document(of: name, in: stateFolder),
            let document = LaunchStatus(value)
        else { throw CommandFailure(.failed, "The launch \(name) has not begun yet.") }
        return document
    }

    func showStatus(json: Bool) throws {
        let document = try document()
        if json { return Printer().json(document.json()) }
        show(document)
    }

    private func show(_ document: LaunchStatus) {
        let printer = Printer()
        printer.table(LaunchView.table(document))
        printer.lines(["\(LaunchView.summary(document)); coordinator \(document.coordinator)"])
    }

    func scale(_ sizes: [(group: String, count: Int)], json: Bool) throws {
        let groups = try document().groups
        for size in sizes { try check(size, groups) }
        for (number, size) in sizes.enumerated() {
            try give(.scale(group: size.group, count: size.count), number)
        }
        try showStatus(json: json)
    }

    /// Refuses a group that is not there, and a size that it may not have.
    private func check(
        _ size: (group: String, count: Int),
        _ groups: [LaunchedGroup]
    ) throws(CommandFailure) {
        guard let group = groups.first(where: { $0.name == size.group }) else {
            let known = groups.map(\.name).joined(separator: ", ")
            throw CommandFailure(
                .usage,
                "The launch \(name) has no group \(size.group). It has: \(known)."
            )
        }
        guard let range = group.range, !range.contains(size.count) else { return }
        throw CommandFailure(
            .usage,
            "The group \(size.group) has from \(range.lowerBound) to \(range.upperBound) workers, as "
                + "its min and max say. Change these, and start the launch again."
        )
    }

    func down(isUrgent: Bool, json: Bool) throws {
        try give(.down(isUrgent: isUrgent), 0)
        // The launch waits for its workers, and this command for the launch.
        while LaunchState.owner(of: name, in: stateFolder) != .none { pause() }
        if json { return Printer().json(RawJSON(["name": .string(name), "state": "down"])) }
        Printer().lines(["The launch \(name) has ended."])
    }

    /// Gives an order, and waits until the launch has followed it or has ended.
    private func give(_ order: LaunchOrder, _ number: Int) throws(CommandFailure) {
        let isWaiting: () -> Bool
        do throws(LaunchStateError) {
            isWaiting = try LaunchState.give(order, to: name, in: stateFolder, number: number)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        while isWaiting(), LaunchState.owner(of: name, in: stateFolder) != .none { pause() }
    }

    /// Orders are files, which nobody announces; the wait is short.
    private func pause() { usleep(20_000) }
}
