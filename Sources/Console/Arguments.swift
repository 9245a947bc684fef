// Values on the command line: ids of runs and nodes, choices of the protocol, durations.
public import ArgumentParser
internal import Configuration
package import Core
package import Plans
public import Transport
public import Wire

extension JoinKind: ExpressibleByArgument {}
extension PlanningStrategy: ExpressibleByArgument {}
extension MissingToolPolicy: ExpressibleByArgument {}
extension NodeStatus: ExpressibleByArgument {}
extension Role: ExpressibleByArgument {}
extension TLSPolicy: ExpressibleByArgument {}
extension PlanFormat: ExpressibleByArgument {}
extension ModelFailurePolicy: ExpressibleByArgument {}

/// Reads a run's id.
package func runID(_ text: String) throws -> RunID {
    guard let run = RunID(text) else {
        throw ValidationError("It is no run's id: these have 1 to 15 of a-z, 0-9 and -.")
    }
    return run
}

/// Reads a node's id.
package func nodeID(_ text: String) throws -> NodeID {
    guard let node = NodeID(text) else {
        throw ValidationError("It is no node's id: these have 1 to 64 of A-Z, a-z, 0-9, _ and -.")
    }
    return node
}

/// Reads a duration such as `30s`, longer than nothing.
package func positiveDuration(_ text: String) throws -> Duration {
    let duration = try duration(text)
    guard duration > .zero else { throw ValidationError("It must be more than 0.") }
    return duration
}

/// Reads a duration such as `30s`, or nothing, `0s`.
package func duration(_ text: String) throws -> Duration {
    do throws(QuantityError) {
        return try Quantities.parseDuration(text)
    } catch {
        throw ValidationError(error.message)
    }
}
