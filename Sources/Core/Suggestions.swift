// Finds the name that was probably meant by an unknown one.

/// Names that were probably meant.
public enum Suggestions {
    /// ` Did you mean "x"?` for the closest of the known names, or nothing if none is close.
    public static func sentence(for name: String, among known: [String]) -> String {
        closest(to: name, among: known).map { " Did you mean \"\($0)\"?" } ?? ""
    }

    /// The known name with the most similar spelling, else the only one that begins with this text.
    public static func closest(to name: String, among known: [String]) -> String? {
        let distances = known.map { (name: $0, distance: editDistance(name, $0)) }
        if let closest = distances.min(by: { $0.distance < $1.distance }),
            closest.distance <= max(1, min(name.count, closest.name.count) / 3)
        {
            return closest.name
        }
        let longer = known.filter { $0.lowercased().hasPrefix(name.lowercased()) }
        return longer.count == 1 && name.count >= shortestBeginning ? longer[0] : nil
    }

    /// The fewest letters that count as the beginning of another name.
    private static let shortestBeginning = 3
}

/// How many letters have to be inserted, removed, replaced or swapped with their neighbour.
func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.lowercased().prefix(64))
    let right = Array(right.lowercased().prefix(64))
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in 0..<left.count {
        var current = [row + 1]
        for column in 0..<right.count {
            let cost = left[row] == right[column] ? 0 : 1
            var best = min(current[column] + 1, last[column + 1] + 1, last[column] + cost)
            if row > 0, column > 0, left[row] == right[column - 1],
                left[row - 1] == right[column]
            {
                best = min(best, beforeLast[column - 1] + 1)
            }
            current.append(best)
        }
        (beforeLast, last) = (last, current)
    }
    return last[right.count]
}
