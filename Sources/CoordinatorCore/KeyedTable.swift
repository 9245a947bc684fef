// A dictionary of large elements that are changed where they stand, and which knows in which order
// they came. What the elements are is not its business.

/// Elements by key.
///
/// A dictionary moves an element out and in again for each change of one of its fields; connections
/// and sessions are large and change with each message.
struct KeyedTable<Key: Arrival & Hashable, Element: Sendable>: Sendable where Key.Key == Key {
    private var slots: [Key: Int] = [:]
    private var elements: [Element?] = []
    private var vacancies: [Int] = []
    /// The keys in the order in which their elements came; dictionaries are never walked.
    private(set) var keys = ArrivalOrder<Key>()

    var count: Int { slots.count }
    var isEmpty: Bool { slots.isEmpty }

    subscript(key: Key) -> Element? {
        @inline(__always)
        get {
            guard let slot = slots[key] else { return nil }
            return elements[slot]
        }
        @inline(__always)
        _modify {
            let known = slots[key]
            let slot = known ?? vacantSlot()
            defer { noteChange(of: key, at: slot, wasKnown: known != nil) }
            yield &elements[slot]
        }
    }

    /// Reads or changes an element where it stands; what is read by the subscript is copied whole.
    @discardableResult
    @inline(__always)
    mutating func inPlace<Value>(_ key: Key, _ body: (inout Element) -> Value) -> Value? {
        guard let slot = slots[key] else { return nil }
        // The only way to an optional's element that does not copy it; the slot of a key is full.
        // swift-format-ignore: NeverForceUnwrap
        return body(&elements[slot]!)
    }

    mutating func removeValue(forKey key: Key) -> Element? {
        let element = self[key]
        self[key] = nil
        return element
    }

    private mutating func vacantSlot() -> Int {
        if let slot = vacancies.popLast() { return slot }
        elements.append(nil)
        return elements.count - 1
    }

    @inline(__always)
    private mutating func noteChange(of key: Key, at slot: Int, wasKnown: Bool) {
        let isKnown = elements[slot] != nil
        // Mostly a field of an element that stays.
        if wasKnown && isKnown { return }
        if isKnown {
            slots[key] = slot
            keys.append(key)
        } else {
            slots[key] = nil
            vacancies.append(slot)
            keys.remove(key)
        }
    }
}
