// Checks the arguments of a call before the outputs they refer to are known. Shared by the planner,
// the coordinator and the command.

public import JSON
internal import Plans
public import Schemas

extension Schema {
    /// The problems of arguments as they are written in a plan.
    ///
    /// A value with a reference may become anything, so it is not checked; missing or extra names,
    /// and all other values, are checked.
    public func problems(ofWritten arguments: RawJSON) -> [SchemaProblem] {
        guard !acceptsEverything else { return [] }
        let value = JSONValue(arguments)
        let hasReferences = ArgumentTemplate(compiling: arguments).hasReferences
        return problems(of: value).filter { problem in
            guard hasReferences, let part = value.part(at: problem.pointer) else { return true }
            return !ArgumentTemplate(compiling: RawJSON(part)).hasReferences
        }
    }
}
