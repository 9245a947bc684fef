// Texts for people, cut so that they fit into a line.

extension String {
    /// The text, cut to at most that many bytes between two characters.
    public func clipped(to bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        let end = utf8.index(utf8.startIndex, offsetBy: bytes)
        return String(self[..<index(atOrBefore: end)])
    }

    /// The text in pieces of at most so many bytes, at least four, cut between characters.
    public func pieces(of bytes: Int) -> [String] {
        guard utf8.count > bytes else { return isEmpty ? [] : [self] }
        var pieces: [String] = []
        var start = startIndex
        while start < endIndex {
            let limit = utf8.index(start, offsetBy: max(bytes, 4), limitedBy: endIndex)
            let end = limit.map(index(atOrBefore:)) ?? endIndex
            pieces.append(String(self[start..<end]))
            start = end
        }
        return pieces
    }

    /// The end of the text, cut likewise.
    fileprivate func clippedTail(to bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        let start = utf8.index(utf8.endIndex, offsetBy: -bytes)
        let boundary = index(atOrBefore: start)
        return String(self[(boundary == start ? start : index(after: boundary))...])
    }

    private func index(atOrBefore position: Index) -> Index {
        var scalars = position
        while scalars.samePosition(in: unicodeScalars) == nil {
            scalars = utf8.index(before: scalars)
        }
        return scalars
    }
}

extension Failure {
    /// The failure with its message and the end of its standard error cut to so many bytes each.
    public func clipped(to bytes: Int) -> Failure {
        guard message.utf8.count > bytes || (stderrTail?.utf8.count ?? 0) > bytes else {
            return self
        }
        var clipped = self
        clipped.message = message.clipped(to: bytes)
        clipped.stderrTail = stderrTail?.clippedTail(to: bytes)
        return clipped
    }
}
