// The suite of all tests with real processes: they run one after the other, because they measure
// time and share two cores.
import Testing

@Suite("Real processes", .serialized)
enum Integration {}

/// A node of a plan, as text.
func node(_ id: String, _ tool: String, _ args: String = "{}", _ more: String = "") -> String {
    "{\"id\":\"\(id)\",\"tool_name\":\"\(tool)\",\"args\":\(args)\(more)}"
}
