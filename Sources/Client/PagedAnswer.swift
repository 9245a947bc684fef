// Combines the pages of one answer. Not here: asking for them.
internal import JSON
internal import Wire

/// An answer that arrives in pages: a list, or an object with one list in it.
struct PagedAnswer {
    private var pages: [RawJSON] = []

    /// The fields of objects that hold a list.
    private static let lists = [
        ExplanationDocument.list.description, StoryDocument.list.description,
        LogDocument.list.description, ConversationPage.list.description,
    ]

    /// How many entries have arrived.
    private(set) var count = 0

    mutating func add(_ page: RawJSON) {
        elements(of: page)?.forEachElement { _ in count += 1 }
        pages.append(page)
    }

    /// All pages as one answer.
    var whole: RawJSON {
        guard let first = pages.first, pages.count > 1 else { return pages.first ?? .null }
        guard first.kind == .object else { return joined }
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        first.forEachField { name, value in
            writer.key(escaping: name)
            writer.raw(Self.lists.contains(name) ? joined : value)
        }
        writer.endObject()
        return RawJSON(trusted: writer.bytes[...])
    }

    private func elements(of page: RawJSON) -> RawJSON? {
        guard page.kind == .object else { return page }
        return Self.lists.lazy.compactMap { page.value(at: [.key($0)]) }.first
    }

    private var joined: RawJSON {
        var writer = JSONWriter(reserving: pages.reduce(16) { $0 + $1.count })
        writer.beginArray()
        for page in pages { elements(of: page)?.forEachElement { writer.raw($0) } }
        writer.endArray()
        return RawJSON(trusted: writer.bytes[...])
    }
}
