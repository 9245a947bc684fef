// The configuration file of a coordinator: which models there are, and the limits. Not here:
// reading the models (LanguageModels), reading the limits (LimitsReader).
public import Configuration
public import LanguageModels
internal import PlannerCore
public import Plans
public import Wire
internal import YAML

/// The content of a coordinator's configuration file.
///
///     models:
///       planner: {api: openai, model: …, key_env: OPENAI_API_KEY}
///     limits: {max_line: 4MiB, lease: 30s, connections: 20000}
///     plans:
///       - goal: How warm is it in the capital of Peru?
///         calls: ['capital("Peru")', 'temperature("$1")']
///
/// With `remember_plans: true` planners are also shown plans that reached their goals before.
/// Planners are shown the `plans` whose tools there are, as good examples.
/// The names under `limits` are those of the table of limits in the protocol document. Sizes may
/// have a unit, durations must have one.
public struct CoordinatorConfiguration: Sendable, Equatable {
    /// The language models.
    public var models = ModelConfiguration()
    /// The limits, with defaults for those that are not in the file.
    public var limits = Limits()
    /// Goals with plans that reach them, which planners are shown.
    public var plans: [PlanExample] = []
    /// Whether the plans of goals that were reached are remembered without being asked.
    public var remembersPlans = false

    /// The defaults.
    public init() {}

    /// Reads a configuration file.
    ///
    /// - Parameters:
    ///   - yaml: The text of the file.
    ///   - path: Its path, for the paths in it.
    /// - Returns: The configuration.
    /// - Throws: All problems at once.
    public static func parse(
        yaml: String,
        path: String
    ) throws(CoordinatorConfigurationError) -> CoordinatorConfiguration {
        var configuration = CoordinatorConfiguration()
        var problems: [FileProblem] = []
        do throws(ModelConfigurationError) {
            configuration.models = try ModelConfiguration.parse(yaml: yaml, path: path)
        } catch {
            problems = error.problems
        }
        // A file that is not YAML or has no fields was just reported.
        let root = (try? YAMLNode.parse(yaml))?.mapping
        if let root {
            var top = TopReader()
            top.checkNames(root, ["models", "limits", "plans", "remember_plans"])
            var limits = LimitsReader()
            limits.read(root["limits"])
            configuration.limits = limits.limits
            configuration.plans = top.readPlans(root)
            configuration.remembersPlans = top.bool(root, "remember_plans") ?? false
            problems = top.problems + problems + limits.problems
        }
        guard problems.isEmpty else { throw CoordinatorConfigurationError(problems: problems) }
        return configuration
    }

    /// The limits that differ from the defaults, by their names in the file.
    public var changedLimits: [(name: String, value: String)] {
        LimitsReader.differences(from: Limits(), to: limits)
    }

    /// Finds all problems of a configuration file: those of its text, keys that are missing, and
    /// recordings and programs that cannot be used.
    ///
    /// No model is called.
    public static func problems(
        yaml: String,
        path: String,
        environment: [String: String]
    ) -> [FileProblem] {
        let outside = ModelConfiguration.problems(
            yaml: yaml,
            path: path,
            environment: environment
        )
        do throws(CoordinatorConfigurationError) {
            _ = try parse(yaml: yaml, path: path)
            return outside
        } catch {
            return error.problems + outside.filter { !error.problems.contains($0) }
        }
    }
}

/// The error for an invalid configuration file, with all its problems.
public struct CoordinatorConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The problems; at least one.
    public var problems: [FileProblem]

    /// One line for each problem.
    public var description: String { problems.map { "\($0)" }.joined(separator: "\n") }
}

/// Reads the names of the sections.
private struct TopReader: FieldReading {
    var problems: [FileProblem] = []

    /// The example plans; which tools there are is known only when a goal comes.
    mutating func readPlans(_ root: YAMLNode.Mapping) -> [PlanExample] {
        examples(root, "plans").map { written in
            let example = PlanExample(goal: written.goal, calls: written.calls)
            for call in written.calls where !PlanExample.isCall(call) {
                report(
                    written.node,
                    field: "calls",
                    "has \(call), which is not a call such as search(\"tea\")."
                )
            }
            return example
        }
    }

    mutating func report(_ node: YAMLNode?, field: String?, _ message: String) {
        problems.append(FileProblem(line: node?.line, field: field, message: message))
    }
}
