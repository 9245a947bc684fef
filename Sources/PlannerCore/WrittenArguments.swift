// What is wrong with the arguments of a call before the outputs they refer to are there. Shared by
// all who check plans: the planner, the coordinator, the command.

public import JSON
internal import Plans
public import Schemas

extension Schema {
    /// What is wrong with arguments as they are written in a plan.
    ///
    /// A value that holds a reference may become anything, so nothing is said about it; names that
    /// are missing or too many, and all other values, are known already.
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
