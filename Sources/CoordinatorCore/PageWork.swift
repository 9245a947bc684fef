// How much work a question may cost. Lists are answered in pages, and a page ends when the work for
// it is used up, however little came out: a question never holds the loop.

/// The work of one page of an answer, in steps of about half a microsecond.
struct PageWork {
    private var left: Int

    /// Work for one page, or for several that make up the share of a turn.
    init(turns pages: Int = 1) { left = 4_000 * pages }

    var isUsedUp: Bool { left <= 0 }

    /// Counts something that was read.
    mutating func look(_ steps: Int = 1) { left -= steps }

    /// Counts what was written.
    mutating func write(bytes: Int) { left -= 1 + bytes >> 8 }
}
