// The launches that tell of themselves, with what is kept of each. Not here: how they tell it
// (CoordinatorMachine+Launches.swift).

internal import Core
internal import Wire

/// The launches of a coordinator, in the order in which they came.
///
/// One is known as long as its connection lasts, and for a while after that: a short break changes
/// nothing but its state.
struct Launches: Sendable {
    /// How many there may be.
    static let most = 100
    /// Bytes that all may have.
    static let mostBytes = 4 << 20
    /// Bytes that one may have.
    static let mostBytesOfOne = 256 << 10
    /// Groups and workers that one may have.
    static let mostParts = 1_000
    /// How long one is kept whose connection broke.
    static let afterlife = Duration.seconds(60)

    /// A launch, and from where it is known.
    struct Entry: Sendable {
        var document: LaunchDocument
        var bytes: Int
        /// The identity that told it; no other one can take its place.
        var identity: String?
        var toldAt: Instant
        /// The connection that tells of it; nil when that broke.
        var connection: ConnectionID?
        /// Until when it is kept without a connection, on the judging clock.
        var end: Instant?

        func isSame(as other: Entry) -> Bool {
            identity == other.identity && document.name == other.document.name
                && document.host == other.document.host && document.pid == other.document.pid
        }
    }

    private(set) var entries: [Entry] = []
    /// Bytes of all of them.
    private(set) var bytes = 0
    /// When the next one that is gone is forgotten, on the judging clock.
    private(set) var nextEnd: Instant?

    var isEmpty: Bool { entries.isEmpty }

    /// Keeps what a launch tells of itself, in place of what it told before; says what is wrong if it
    /// does not.
    mutating func keep(_ entry: Entry) -> String? {
        guard max(entry.document.groups.count, entry.document.members.count) <= Self.mostParts
        else {
            return "it tells of more than \(Self.mostParts) groups or workers. Count the others in "
                + "more"
        }
        guard entry.bytes <= Self.mostBytesOfOne else {
            return "it has \(entry.bytes) bytes, and may have at most \(Self.mostBytesOfOne)"
        }
        // It may be back on another connection, and a connection tells of one launch.
        let earlier = entries.indices.filter {
            entries[$0].connection == entry.connection || entries[$0].isSame(as: entry)
        }
        var room = Self.mostBytes - bytes + earlier.reduce(0) { $0 + entries[$1].bytes }
        var places = Self.most - entries.count + earlier.count
        // Those that are gone make room.
        var leaving = earlier
        for place in entries.indices where room < entry.bytes || places < 1 {
            guard entries[place].end != nil, !earlier.contains(place) else { continue }
            leaving.append(place)
            room += entries[place].bytes
            places += 1
        }
        guard room >= entry.bytes, places > 0 else {
            return "there are \(entries.count) launches with \(bytes) bytes, and at most "
                + "\(Self.most) with \(Self.mostBytes) are kept. End one of them"
        }
        let place = earlier.first.map { first in first - leaving.count { $0 < first } }
        for place in leaving.sorted().reversed() { remove(at: place) }
        bytes += entry.bytes
        entries.insert(entry, at: place ?? entries.count)
        noteEnd()
        return nil
    }

    /// The launch of a connection has ended.
    mutating func end(of connection: ConnectionID) {
        guard let place = place(of: connection) else { return }
        remove(at: place)
        noteEnd()
    }

    /// The connection of a launch broke.
    mutating func lose(_ connection: ConnectionID, until end: Instant) {
        guard let place = place(of: connection) else { return }
        entries[place].connection = nil
        entries[place].end = end
        noteEnd()
    }

    /// Forgets launches that have not come back in time.
    mutating func forgetGone(at time: Instant) {
        guard let nextEnd, nextEnd <= time else { return }
        for (place, entry) in entries.enumerated().reversed() {
            if let end = entry.end, end <= time { remove(at: place) }
        }
        noteEnd()
    }

    private func place(of connection: ConnectionID) -> Int? {
        entries.isEmpty ? nil : entries.firstIndex { $0.connection == connection }
    }

    private mutating func remove(at place: Int) { bytes -= entries.remove(at: place).bytes }

    private mutating func noteEnd() { nextEnd = entries.compactMap(\.end).min() }

    // MARK: - Checks

    func validate() throws(InvariantViolation) {
        guard bytes == entries.reduce(0, { $0 + $1.bytes }), bytes <= Self.mostBytes,
            entries.count <= Self.most
        else { throw InvariantViolation("launches have other bytes than \(bytes)") }
        guard nextEnd == entries.compactMap(\.end).min(),
            entries.allSatisfy({ ($0.end == nil) == ($0.connection != nil) })
        else { throw InvariantViolation("a launch is gone and has no end, or the other way round") }
    }
}

extension LaunchDocument {
    /// About as many bytes as it has in memory.
    var heldBytes: Int {
        let ofGroups = groups.reduce(0) { $0 + $1.name.utf8.count + 128 }
        let ofMembers = members.reduce(0) { sum, member in
            sum + member.name.utf8.count + member.group.utf8.count + member.site.utf8.count
                + (member.note?.utf8.count ?? 0) + 128
        }
        return name.utf8.count + host.utf8.count + 128 + ofGroups + ofMembers
    }
}
