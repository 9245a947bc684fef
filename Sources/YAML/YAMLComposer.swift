// Makes a tree of the pieces of a text: puts values together, replaces aliases, finds keys that are
// given twice, and stops at the limits.

extension YAMLNode {
    /// Reads a text with one document.
    ///
    /// - Parameter text: The text.
    /// - Returns: The value of the document; nil if the text is empty.
    /// - Throws: The first thing that is wrong: the text is not YAML, a key is given twice, an alias
    ///   has no anchor before it, there is a second document, or a limit is exceeded.
    public static func parse(_ text: String) throws(YAMLError) -> YAMLNode? {
        var composer = try YAMLComposer(text)
        return try composer.compose()
    }
}

private struct YAMLComposer {
    /// A value, and what it counts against the limits.
    struct Composed {
        var node: YAMLNode
        /// The number of values in it, itself counted.
        var values = 1
        /// How many sequences and mappings lie inside each other at most.
        var depth = 0
    }

    private let events: YAMLEvents
    private var anchors: [String: Composed] = [:]
    /// The values so far, with those of aliases.
    private var values = 0

    init(_ text: String) throws(YAMLError) {
        guard text.utf8.count <= YAMLLimits.textBytes else {
            throw YAMLError(
                line: nil,
                message: "The file has more than \(YAMLLimits.textBytes >> 20) MiB."
                    + " Split it into smaller ones."
            )
        }
        events = try YAMLEvents(text)
    }

    mutating func compose() throws(YAMLError) -> YAMLNode? {
        guard case .document = try events.next().kind else { return nil }
        let node = try value(events.next(), depth: 0).node
        let event = try events.next()
        guard case .end = event.kind else {
            throw YAMLError(
                line: event.line,
                invalid: "another document begins here, and a file may hold only one"
            )
        }
        return node
    }

    /// The value that starts with the event; `depth` sequences and mappings are around it.
    private mutating func value(
        _ event: YAMLEvents.Event,
        depth: Int
    ) throws(YAMLError) -> Composed {
        if case .alias(let name) = event.kind { return try alias(name, event, depth: depth) }
        try count(1, event)
        let composed: Composed
        switch event.kind {
        case .scalar(let scalar):
            composed = Composed(node: node(.scalar(scalar), event))
        case .sequence:
            composed = try sequence(event, depth: depth + 1)
        default:
            composed = try mapping(event, depth: depth + 1)
        }
        if let anchor = event.anchor { anchors[anchor] = composed }
        return composed
    }

    private mutating func alias(
        _ name: String,
        _ event: YAMLEvents.Event,
        depth: Int
    ) throws(YAMLError) -> Composed {
        guard let composed = anchors[name] else {
            throw YAMLError(line: event.line, invalid: "found undefined alias")
        }
        try count(composed.values, event)
        try checkDepth(depth + composed.depth, event)
        return composed
    }

    private mutating func sequence(
        _ start: YAMLEvents.Event,
        depth: Int
    ) throws(YAMLError) -> Composed {
        try checkDepth(depth, start)
        var whole = Composed(node: node(.sequence([]), start), depth: 1)
        var elements: [YAMLNode] = []
        while let element = try next(in: &whole, depth: depth) { elements.append(element) }
        whole.node.content = .sequence(elements)
        return whole
    }

    private mutating func mapping(
        _ start: YAMLEvents.Event,
        depth: Int
    ) throws(YAMLError) -> Composed {
        try checkDepth(depth, start)
        var whole = Composed(node: node(.mapping(YAMLNode.Mapping()), start), depth: 1)
        var pairs: [(key: YAMLNode, value: YAMLNode)] = []
        while let key = try next(in: &whole, depth: depth),
            let value = try next(in: &whole, depth: depth)
        {
            pairs.append((key, value))
        }
        try checkKeys(pairs.map(\.key))
        whole.node.content = .mapping(YAMLNode.Mapping(pairs))
        return whole
    }

    /// The next value of a sequence or mapping; nil at its end.
    private mutating func next(
        in whole: inout Composed,
        depth: Int
    ) throws(YAMLError) -> YAMLNode? {
        let event = try events.next()
        if case .close = event.kind { return nil }
        let part = try value(event, depth: depth)
        whole.values += part.values
        whole.depth = max(whole.depth, part.depth + 1)
        return part.node
    }

    private func node(_ content: YAMLNode.Content, _ event: YAMLEvents.Event) -> YAMLNode {
        YAMLNode(content, line: event.line, column: event.column)
    }

    // MARK: - Checks

    /// Keys that are not scalars are refused by every reader, so they are not compared.
    private func checkKeys(_ keys: [YAMLNode]) throws(YAMLError) {
        var lines: [String: Int] = [:]
        var repeated: Set<String> = []
        for key in keys {
            guard let name = key.scalar?.string else { continue }
            if lines[name] == nil { lines[name] = key.line } else { repeated.insert(name) }
        }
        let names = repeated.sorted()
        guard let first = names.first else { return }
        throw YAMLError(
            line: lines[first],
            invalid: "\(names.joined(separator: ", ")) is given twice"
        )
    }

    private mutating func count(_ more: Int, _ event: YAMLEvents.Event) throws(YAMLError) {
        values += more
        guard values <= YAMLLimits.values else {
            throw YAMLError(
                line: event.line,
                message: "The file has more than \(YAMLLimits.values) values, each counted as often"
                    + " as an alias repeats it. Make it smaller, or use fewer aliases."
            )
        }
    }

    private func checkDepth(_ depth: Int, _ event: YAMLEvents.Event) throws(YAMLError) {
        guard depth <= YAMLLimits.depth else {
            throw YAMLError(
                line: event.line,
                message: "The file nests deeper than \(YAMLLimits.depth) levels. Make it flatter."
            )
        }
    }
}
