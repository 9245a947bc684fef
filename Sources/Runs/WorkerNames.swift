// The names of the workers that had attempts of a run, each once, so that nodes name them by number.

/// Names by number, from 1 in the order in which the run met them; 0 has no name.
public struct WorkerNames: Sendable, Hashable {
    private var names: [String] = []
    private var numbers: [String: Int32] = [:]

    /// The name of a number; empty for 0.
    public subscript(number: Int32) -> String {
        number > 0 ? names[Int(number) - 1] : ""
    }

    /// The number of a name, which gets one if it has none.
    mutating func number(of name: String) -> Int32 {
        // Few workers are found faster by a look than by a hash.
        if names.count <= 4 {
            if let index = names.firstIndex(of: name) { return Int32(index + 1) }
        } else if let number = numbers[name] {
            return number
        }
        names.append(name)
        numbers[name] = Int32(names.count)
        return Int32(names.count)
    }

    /// What the names take in memory, about.
    var bytes: Int { 96 * names.count }
}
