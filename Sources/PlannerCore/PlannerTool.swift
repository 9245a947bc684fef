// The planner's description of a tool, as shown in prompts.

public import JSON
public import Plans

/// A tool as the prompt shows it.
public struct PlannerTool: Sendable, Hashable {
    /// The name under which plans call it.
    public var name: String
    /// What it does, in words.
    public var description: String
    /// The JSON Schema of its arguments.
    public var parameters: RawJSON
    /// The JSON Schema of its output, if it says something of it.
    public var outputSchema: RawJSON?
    /// Whether two equal calls of it may become one.
    public var mayBeRepeated: Bool
    /// Goals that it helps to reach, with the calls that reach them.
    public var examples: [PlanExample]

    /// A tool of that name.
    public init(
        name: String,
        description: String,
        parameters: RawJSON,
        outputSchema: RawJSON? = nil,
        mayBeRepeated: Bool = false,
        examples: [PlanExample] = []
    ) {
        self.mayBeRepeated = mayBeRepeated
        self.examples = examples
        self.name = name
        self.description = description
        self.parameters = parameters
        self.outputSchema = outputSchema
    }
}
