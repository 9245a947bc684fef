// What a file of hosts may say, and what is said about wrong ones.
import Configuration
import Testing

@testable import Launch

@Suite("Files of hosts")
struct LaunchFileTests {
    private func problems(_ yaml: String) -> [String] {
        do throws(LaunchFileError) {
            _ = try LaunchFile.parse(yaml: yaml, path: "hosts.yaml")
            return []
        } catch {
            return error.lines
        }
    }

    private func file(_ yaml: String) throws -> LaunchFile {
        try LaunchFile.parse(yaml: yaml, path: "hosts.yaml")
    }

    @Test("All kinds of groups are read, with names, numbers and defaults")
    func everything() throws {
        let file = try file(
            """
            coordinator: {listen: "10.99.0.1:7420"}
            drain_limit: 2m
            workers:
              - ssh: [root@10.99.0.11, root@10.99.0.12]
                diagnostics: true
                slots: 8
                labels: {zone: a}
                tunnel: true
                ssh_options: [-p, "2222"]
              - slurm: {nodes: 2, partition: debug, time: 2h, sbatch: ["--mem=1G"]}
                diagnostics: true
              - container: {image: weft:dev, count: 2, runtime: podman, args: [--network=host]}
                diagnostics: true
                env: {A: b}
              - {local: 2, diagnostics: true, min: 1, max: 4}
              - {local: 1, diagnostics: true}
            """
        )
        #expect(file.name == "hosts")
        #expect(file.coordinator == CoordinatorEntry(listen: "10.99.0.1:7420"))
        #expect(file.drainLimit == .seconds(120))
        #expect(file.groups.map(\.name) == ["ssh", "slurm", "container", "local", "local-2"])
        #expect(file.groups.map(\.count) == [2, 2, 2, 2, 1])
        #expect(
            file.groups[0].place
                == .ssh(
                    SSHEntry(
                        hosts: ["root@10.99.0.11", "root@10.99.0.12"],
                        options: ["-p", "2222"],
                        isTunnelled: true
                    )
                )
        )
        #expect(file.groups[0].slots == 8)
        #expect(file.groups[0].labels.map(\.key) == ["zone"])
        #expect(
            file.groups[1].place
                == .slurm(
                    SlurmEntry(partition: "debug", time: .seconds(7200), options: ["--mem=1G"])
                )
        )
        #expect(
            file.groups[2].place
                == .container(
                    ContainerEntry(
                        image: "weft:dev",
                        runtime: "podman",
                        options: ["--network=host"]
                    )
                )
        )
        #expect(file.groups[3].range == 1...4)
        #expect(file.groups[3].idleTimeout == .seconds(300))
        #expect(file.groups[4].range == nil)
    }

    @Test("A coordinator that runs is named by its address alone")
    func address() throws {
        let file = try file("coordinator: host-a:7420\nworkers: [{local: 1, diagnostics: true}]")
        #expect(file.coordinator == CoordinatorEntry(address: "host-a:7420"))
    }

    @Test(
        "A wrong file is refused with the line, the group, the field, and what to write",
        arguments: [
            (
                "workers:\n  - local: 2\n    slotz: 3\n    diagnostics: true",
                "hosts.yaml:3: local: slotz: is not a field here. Did you mean \"slots\"?"
            ),
            (
                "workers:\n  - slots: 3\n    diagnostics: true",
                "hosts.yaml:2: This group says nowhere where its workers run. It has one of: local, "
                    + "ssh, slurm, container."
            ),
            ("workers:\n  - {local: 1, ssh: [a], diagnostics: true}", "says it twice"),
            ("workers:\n  - local: 1", "hosts.yaml:2: local: tools: is missing."),
            (
                "workers:\n  - {local: 1, tools: none.yaml}",
                "tools: none.yaml: There is no such file."
            ),
            ("workers:\n  - {local: -1, diagnostics: true}", "must be a whole number from 0"),
            (
                "workers:\n  - {ssh: [\"-oProxyCommand=x\"], diagnostics: true}",
                "is no host of ssh"
            ),
            ("workers:\n  - {ssh: [a, a], diagnostics: true}", "names a host twice"),
            ("workers:\n  - {local: 1, tunnel: true, diagnostics: true}", "is for ssh groups only"),
            ("workers:\n  - {local: 1, min: 3, max: 2, diagnostics: true}", "is larger than max"),
            (
                "workers:\n  - {slurm: {sbatch: [--array=1-2]}, diagnostics: true}",
                "sbatch: gives --array, which weft sets"
            ),
            ("workers:\n  - {container: {count: 1}, diagnostics: true}", "image: is missing"),
            (
                "workers:\n  - {container: {image: a, runtime: lxc}, diagnostics: true}",
                "must be podman or docker"
            ),
            ("workers:\n  - {name: a/b, local: 1, diagnostics: true}", "of a group, at most 24"),
            ("workers: 3", "must be a list of groups"),
            ("coordinator: {listn: a}\nworkers: []", "Did you mean \"listen\"?"),
            ("worker: []", "Did you mean \"workers\"?"),
            ("- a", "must say where workers run"),
            ("workers: [", "The file is not valid YAML"),
        ]
    )
    func wrong(_ yaml: String, _ expected: String) {
        let problems = problems(yaml)
        #expect(problems.contains { $0.contains(expected) }, "\(problems)")
    }

    @Test(
        "Names become folders and stand in scripts, so that only plain ones are allowed",
        arguments: ["..", ".", "-a", "_a", "a b", "a;b", "a/b", "a.b", "ż", ""]
    )
    func badNames(name: String) {
        #expect(!LaunchName.isValid(name))
        let text = problems("{name: '\(name)', workers: [{local: 1, diagnostics: true}]}")
        #expect(text.contains { $0.contains("name") })
    }

    @Test("A file whose own name cannot be used still has a name")
    func madeNames() {
        #expect(LaunchName.make(of: "--- hosts") == "hosts")
        #expect(LaunchName.make(of: "żółw") == "w")
        #expect(LaunchName.make(of: "ż") == "launch")
    }

    @Test("Names of variables and labels cannot become options")
    func noOptions() {
        let found = problems(
            "workers: [{local: 1, diagnostics: true, env: {-S: a}, labels: {--x: b}}]"
        )
        #expect(found.contains { $0.contains("-S, which is no name of a variable") })
        #expect(found.contains { $0.contains("--x, which begins with a dash") })
    }
}
