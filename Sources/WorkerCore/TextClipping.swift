// Texts for people, cut so that they fit into a line.
internal import Core

extension String {
    /// The text, cut to at most that many bytes between two characters.
    func clipped(to bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        let end = utf8.index(utf8.startIndex, offsetBy: bytes)
        return String(self[..<index(atOrBefore: end)])
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
    /// The failure with texts that fit into a line.
    func clipped(to bytes: Int) -> Failure {
        guard message.utf8.count > bytes || (stderrTail?.utf8.count ?? 0) > bytes else {
            return self
        }
        var clipped = self
        clipped.message = message.clipped(to: bytes)
        clipped.stderrTail = stderrTail?.clippedTail(to: bytes)
        return clipped
    }
}
