// The configuration file of a coordinator: its limits, and the errors for an invalid file.
import Configuration
import LanguageModels
import Plans
import Testing
import Wire

@testable import Coordinator

@Suite struct CoordinatorConfigurationTests {
    private func limits(_ fields: String) throws -> Limits {
        try CoordinatorConfiguration.parse(yaml: "limits: {\(fields)}", path: "weft.yaml").limits
    }

    private func problems(_ yaml: String) -> [String] {
        CoordinatorConfiguration.problems(yaml: yaml, path: "weft.yaml", environment: [:])
            .map { "\($0)" }
    }

    @Test("A file without fields gives the defaults", arguments: ["", "limits:", "models:"])
    func defaults(yaml: String) throws {
        let configuration = try CoordinatorConfiguration.parse(yaml: yaml, path: "weft.yaml")
        #expect(configuration == CoordinatorConfiguration())
        #expect(configuration.changedLimits.isEmpty)
    }

    @Test("Reads example plans, of tools that are known only when a goal comes")
    func plans() throws {
        let yaml = """
            plans:
              - {goal: How large is Peru?, calls: ['area("Peru")', 'say(text="$1")']}
              - {goal: A joke., calls: []}
            """
        let read = try CoordinatorConfiguration.parse(yaml: yaml, path: "weft.yaml")
        #expect(read.plans.map(\.goal) == ["How large is Peru?", "A joke."])
        #expect(read.plans[0].calls == ["area(\"Peru\")", "say(text=\"$1\")"])
        let wrong = problems("plans: [{goal: A., calls: [area of Peru]}]")
        #expect(wrong.first?.contains("which is not a call such as") == true, "\(wrong)")
        #expect(problems("plans: [{gaol: A., calls: []}]").isEmpty == false)
    }

    @Test("Sets every limit of the protocol's table, without changing others")
    func each() throws {
        let values: [String: String] = [
            "max_line": "4MiB", "max_line_before_authentication": "8KiB", "max_value": "1GiB",
            "window": "1MiB", "chunk": "64KiB", "max_output": "32MiB", "unsent_bytes": "8MiB",
            "all_unsent_bytes": "32MiB",
            "argument_bytes": "0",
            "run_bytes": "64MiB", "held_bytes": "4GiB", "event_bytes": "1MiB",
            "finished_bytes": "2GiB", "unwritten_bytes": "8MiB",
            "attempt_log": "1KiB", "run_log": "1MiB",
            "missed_heartbeats": "5", "connections": "20000",
            "unauthenticated_connections": "7", "handshake_rate": "9", "unknown_types": "0",
            "tools_per_worker": "10",
            "slots_per_worker": "8", "unfinished_runs": "3", "finished_runs": "4",
            "finished_nodes": "5", "events": "64", "finished_events": "16", "heartbeat": "500ms",
            "lease": "30s", "resume_window": "5s", "handshake": "1s", "cancel_grace": "0s",
            "approval_timeout": "10m",
        ]
        #expect(Set(values.keys) == Set(LimitsReader.names))
        for (name, value) in values {
            let yaml = "limits: {\(name): \(value)}"
            let read = try CoordinatorConfiguration.parse(yaml: yaml, path: "weft.yaml")
            #expect(read.changedLimits.map(\.name) == [name])
            #expect(read.changedLimits.map(\.value) == [value])
        }
    }

    @Test("The coordinator announces the configured limits")
    func announced() throws {
        let limits = try limits("max_line: 2MiB, max_value: 1MiB, window: 512KiB, lease: 20s")
        #expect(limits.announced.maxLine == 2 << 20)
        #expect(limits.announced.maxValue == 1 << 20)
        #expect(limits.announced.window == 512 << 10)
        #expect(limits.leaseMilliseconds == 20_000)
    }

    @Test(
        "Accepts the largest and smallest value, and refuses the next one",
        arguments: [
            ("max_line: 525312", "max_line: 525311"), ("lease: 4s", "lease: 3999ms"),
            ("resume_window: 10s", "resume_window: 10001ms"),
            ("window: 262144", "window: 262143"), ("connections: 1", "connections: 0"),
            ("slots_per_worker: 4096", "slots_per_worker: 4097"),
            ("max_line_before_authentication: 1MiB", "max_line_before_authentication: 1048577"),
            ("heartbeat: 50ms", "heartbeat: 49ms"), ("unsent_bytes: 1MiB", "unsent_bytes: 1MB"),
        ]
    )
    func edges(good: String, bad: String) throws {
        _ = try limits(good)
        #expect(throws: CoordinatorConfigurationError.self) { try limits(bad) }
    }

    @Test("Reports all problems at once, each with its line and advice")
    func told() {
        let found = problems(
            """
            modles: {}
            limits:
              max_lien: 1MiB
              lease: 10
              connections: many
              window: 2kb
            """
        )
        #expect(found.count == 5)
        #expect(found[0].hasPrefix("line 1: modles: is not a field here. Did you mean \"models\"?"))
        #expect(
            found[1].hasPrefix(
                "line 3: limits: max_lien: is not a field here. Did you mean \"max_line\""
            )
        )
        #expect(found.contains { $0.hasPrefix("line 4: limits: lease: \"10\" has no unit.") })
        #expect(
            found.contains(
                "line 5: limits: connections: must be a whole number from 1 to 1000000."
            )
        )
        #expect(found.contains("line 6: limits: window: must be from 4KiB to 1GiB."))
    }

    @Test(
        "Refuses a text that is not a configuration",
        arguments: ["- a", "limits: 7", "limits: [1]", "a: b: c", "text", "limits: {lease: {}}"]
    )
    func refused(yaml: String) {
        #expect(problems(yaml).count == 1, "\(problems(yaml))")
    }

    @Test("Reports problems of the models and of the limits together, each once")
    func together() {
        let found = problems("models: {planner: {api: no}}\nlimits: {lease: 1}")
        #expect(found.count == 2, "\(found)")
    }
}
