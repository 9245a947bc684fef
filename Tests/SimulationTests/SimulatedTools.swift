// The tools of every simulation: quick and slow, repeatable and not, limited, and one with a schema.

import JSON
import Wire

enum SimulatedTools {
    static let descriptions: [ToolDescription] = [
        ToolDescription(name: "quick", description: "", isIdempotent: true, maxAttempts: 3),
        ToolDescription(
            name: "work",
            description: "",
            isIdempotent: true,
            timeoutMilliseconds: 800,
            maxAttempts: 2
        ),
        ToolDescription(name: "once", description: "", maxAttempts: 2),
        ToolDescription(
            name: "single",
            description: "",
            timeoutMilliseconds: 1_500,
            concurrency: 1
        ),
        ToolDescription(
            name: "typed",
            description: "",
            parameters: RawJSON(trusted: Array(schema.utf8)[...]),
            isIdempotent: true,
            maxAttempts: 2
        ),
    ]

    /// The tools, one of which may need approval.
    static func descriptions(approved: String?) -> [ToolDescription] {
        descriptions.map { tool in
            var tool = tool
            tool.needsApproval = tool.name == approved
            return tool
        }
    }

    private static let schema =
        #"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#

    /// Mostly the quick ones.
    static let mix = ["quick", "quick", "work", "work", "work", "once", "single", "typed"]

    private static let idempotent = Set(descriptions.filter(\.isIdempotent).map(\.name))

    static func isIdempotent(_ name: String) -> Bool { idempotent.contains(name) }
}
