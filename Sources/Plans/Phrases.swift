// Small pieces of the sentences of problems and failures, and a set of ids in order.

import Core
import JSON

/// The ordinal of n, counted from 1: 1st, 2nd, 3rd, 4th, 11th.
func ordinal(_ number: Int) -> String {
    let suffix =
        switch (number % 100, number % 10) {
        case (11...13, _): "th"
        case (_, 1): "st"
        case (_, 2): "nd"
        case (_, 3): "rd"
        default: "th"
        }
    return "\(number)\(suffix)"
}

/// Text from an untrusted author, cut to a length for a sentence.
func shortened(_ text: String) -> String {
    text.count <= 80 ? text : text.prefix(79) + "…"
}

/// Text from an untrusted author, quoted for a sentence.
func quoted(_ text: String) -> String {
    "\"\(shortened(text))\""
}

extension JSONKind {
    /// The kind, worded for a sentence.
    var phrase: String {
        switch self {
        case .object: "an object"
        case .array: "a list"
        case .string: "a string"
        case .number: "a number"
        case .bool: "true or false"
        case .null: "null"
        }
    }
}

/// Ids in order of arrival, without repetition.
///
/// A few ids are compared one by one; many are kept in a set.
struct DistinctIDs {
    private(set) var ids: [NodeID] = []
    private var set: Set<NodeID> = []

    private static let few = 12

    /// Adds an id; returns whether it is new.
    @discardableResult
    mutating func insert(_ id: NodeID) -> Bool {
        if ids.count < DistinctIDs.few {
            if ids.contains(id) { return false }
        } else {
            if ids.count == DistinctIDs.few { set = Set(ids) }
            if !set.insert(id).inserted { return false }
        }
        ids.append(id)
        return true
    }
}
