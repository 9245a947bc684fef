// Every limit on a plan, in one place.

/// The limits of a plan.
public enum PlanLimits {
    /// Nodes in a plan.
    public static let nodes = 2_000_000
    /// Dependencies of one node, declared and by reference together.
    public static let dependenciesPerNode = 10_000
    /// Edges in a plan.
    public static let edges = 50_000_000
    /// Bytes of a tool's name.
    public static let toolName = 128
    /// Bytes of a node's arguments as written.
    public static let argumentBytes = 16 << 20
    /// Bytes of a node's arguments after the outputs were put in.
    public static let resolvedArgumentBytes = 256 << 20
    /// Bytes of outputs that the references of one node may scan.
    public static let resolutionWork = 256 << 20
    /// Bytes of a node, or of any other top-level value of a plan document.
    public static let nodeBytes = 32 << 20
    /// Bytes of a join instruction.
    public static let joinInstruction = 16 << 10
    /// Labels that a node may require.
    public static let labels = 64
    /// Bytes of a label's name, and of its value.
    public static let labelBytes = 256
    /// Milliseconds that a node's timeout may be.
    public static let timeoutMilliseconds = 1...86_400_000
    /// Attempts that a node may ask for.
    public static let maxAttempts = 1...100
    /// Problems reported at once; further ones are counted.
    public static let problemsReported = 100
}
