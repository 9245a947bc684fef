// `weft launch --dry-run`: prints every command that a launch would run, and runs none.
internal import Console
internal import JSON
internal import Launch
internal import Transport
internal import UVLoop

struct LaunchRehearsal {
    private let surroundings: LaunchSurroundings

    init(_ surroundings: LaunchSurroundings) {
        self.surroundings = surroundings
    }

    func run(json: Bool) throws {
        let steps = try steps()
        if json { return Printer().json(RawJSON(document(steps))) }
        var lines: [String] = []
        var site: String?
        for step in steps {
            if step.site != site { lines.append("# \(step.site)") }
            site = step.site
            lines += ["# \(step.when):", step.command]
        }
        lines.append("# Each worker reads one line from its standard input: address and key.")
        Printer().lines(lines)
    }

    private func steps() throws -> [LaunchStep] {
        let loop = try Shell.makeLoop()
        defer { loop.close() }
        let file = surroundings.file
        let service = LaunchService(
            loop: loop,
            options: LaunchService.Options(
                file: file,
                program: Shell.ownPath,
                id: LaunchUp.identity(of: file),
                environment: [],
                folder: "/tmp/\(LaunchUp.prefix)XXXXXX",
                stateFolder: "\(LaunchState.base(surroundings.stateFolder))/\(file.name)",
                privateFolders: surroundings.privateFolders,
                coordinator: try surroundings.address(),
                joinLine: { _ in "" }
            )
        )
        let own = surroundings.coordinatorArguments().map {
            LaunchStep(
                site: "the coordinator",
                when: "first",
                command: ShellWords.line([Shell.ownPath] + $0)
            )
        }
        return (own.map { [$0] } ?? []) + service.steps
    }

    private func document(_ steps: [LaunchStep]) -> JSONValue {
        let commands = steps.map { step -> JSONValue in
            [
                "host": .string(step.site), "when": .string(step.when),
                "command": .string(step.command),
            ]
        }
        return ["name": .string(surroundings.file.name), "commands": .array(commands)]
    }
}
