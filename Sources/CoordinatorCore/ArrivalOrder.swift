// A list in the order of arrival from which any element can be removed without a walk over the
// others: for what there may be thousands of (connections, workers, runs, watchers).

import Core

/// What can be in an order of arrival: something with a name of its own.
protocol Arrival: Sendable {
    associatedtype Key: Hashable & Sendable
    /// The name; no two entries of an order of arrival have the same.
    var arrivalKey: Key { get }
}

/// Entries in the order of arrival; adding, finding and removing take constant time on average.
struct ArrivalOrder<Element: Arrival>: Sendable, Sequence {
    /// Entries that were taken out leave a gap until the gaps are many.
    private var places: [Element?] = []
    /// Where each entry is; kept only when a search would take longer.
    private var positions: [Element.Key: Int] = [:]
    private(set) var count = 0

    /// As many places are searched one by one.
    private static var fewPlaces: Int { 8 }

    var isEmpty: Bool { count == 0 }

    func contains(_ key: Element.Key) -> Bool { position(of: key) != nil }

    subscript(key: Element.Key) -> Element? { position(of: key).flatMap { places[$0] } }

    /// Adds an entry at the end; one of the same name is taken out before.
    mutating func append(_ element: Element) {
        remove(element.arrivalKey)
        places.append(element)
        count += 1
        if places.count > Self.fewPlaces {
            if positions.isEmpty {
                indexAll()
            } else {
                positions[element.arrivalKey] = places.count - 1
            }
        }
    }

    /// Takes an entry out; nothing happens if it is not there.
    mutating func remove(_ key: Element.Key) {
        guard let position = position(of: key) else { return }
        places[position] = nil
        positions[key] = nil
        count -= 1
        if places.count > 2 * count + Self.fewPlaces { closeGaps() }
    }

    mutating func removeAll() { self = ArrivalOrder() }

    private func position(of key: Element.Key) -> Int? {
        guard places.count <= Self.fewPlaces else { return positions[key] }
        return places.firstIndex { $0?.arrivalKey == key }
    }

    private mutating func closeGaps() {
        places.removeAll { $0 == nil }
        positions.removeAll(keepingCapacity: true)
        if places.count > Self.fewPlaces { indexAll() }
    }

    private mutating func indexAll() {
        for (position, element) in places.enumerated() {
            if let element { positions[element.arrivalKey] = position }
        }
    }

    // MARK: - Walking, in the order of arrival

    /// Walks an order of arrival from one end to the other.
    struct Iterator: IteratorProtocol {
        fileprivate let places: [Element?]
        fileprivate var position: Int
        fileprivate let step: Int

        mutating func next() -> Element? {
            while places.indices.contains(position) {
                defer { position += step }
                if let element = places[position] { return element }
            }
            return nil
        }
    }

    func makeIterator() -> Iterator { Iterator(places: places, position: 0, step: 1) }

    /// The entries with the newest one first, made as they are asked for.
    var newestFirst: some Sequence<Element> {
        IteratorSequence(Iterator(places: places, position: places.count - 1, step: -1))
    }
}

extension ConnectionID: Arrival {
    var arrivalKey: ConnectionID { self }
}

extension WorkerID: Arrival {
    var arrivalKey: WorkerID { self }
}

extension RunID: Arrival {
    var arrivalKey: RunID { self }
}
