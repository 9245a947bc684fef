// The planner's description of a tool, as shown in prompts.

public import JSON

/// A tool as the prompt shows it.
public struct PlannerTool: Sendable, Hashable {
    /// The name under which plans call it.
    public var name: String
    /// What it does, in words.
    public var description: String
    /// The JSON Schema of its arguments.
    public var parameters: RawJSON

    /// A tool of that name.
    public init(name: String, description: String, parameters: RawJSON) {
        self.name = name
        self.description = description
        self.parameters = parameters
    }
}
