// Finds the name that was probably meant by one that does not exist.

/// Names that were probably meant.
public enum Suggestions {
    /// ` Did you mean "x"?` for the closest of the known names, or nothing if none is close.
    public static func sentence(for name: String, among known: [String]) -> String {
        let distances = known.map { (name: $0, distance: editDistance(name, $0)) }
        guard let closest = distances.min(by: { $0.distance < $1.distance }),
            closest.distance <= max(1, min(name.count, closest.name.count) / 3)
        else { return "" }
        return " Did you mean \"\(closest.name)\"?"
    }
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
