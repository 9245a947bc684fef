// Several coordinators in one text, as workers take them.
internal import ArgumentParser
internal import Client
internal import FoundationEssentials

/// The coordinators of a worker: the first one, and those that it tries after it.
struct CoordinatorList {
    /// The first one, as written; nil if none was named.
    let first: String?
    private let others: [String]
    private let source: String

    /// Takes the flag, or WEFT_COORDINATOR.
    init(flag: String?) {
        source = flag == nil ? "WEFT_COORDINATOR" : "--coordinator"
        let text = flag ?? ProcessInfo.processInfo.environment["WEFT_COORDINATOR"] ?? ""
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        first = text.isEmpty ? flag : names.first
        others = Array(names.dropFirst())
    }

    /// The others, read.
    func alternatives() throws -> [(host: String, port: Int)] {
        try others.map { name in
            do throws(EndpointError) {
                let endpoint = try Endpoint.parse(name)
                return (endpoint.host, endpoint.port)
            } catch {
                throw ValidationError("\(source): \(error)")
            }
        }
    }
}
