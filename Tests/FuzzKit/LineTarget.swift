// The bytes of a connection: split into lines like a simple model does, for any split of the bytes;
// lines that are messages stay the same when they are written again.

import JSON
import Plans
import TestKit
import Wire

func tryLines(_ bytes: [UInt8]) throws {
    var generator = generator(for: bytes)
    for maximumLine in [16, Limits().maxLineBeforeAuthentication] {
        let expected = model(bytes, maximumLine)
        let whole = try cut([bytes[...]], maximumLine)
        try demand(whole == expected, "\(whole) in one piece, not \(expected)")
        let split = try cut(pieces(of: bytes, using: &generator), maximumLine)
        try demand(split == expected, "\(split) in pieces, not \(expected)")
    }
    for line in model(bytes, Limits().maxLine).lines {
        try tryMessage(line[...])
        try tryValue(line[...])
    }
}

private struct Cut: Equatable {
    var lines: [[UInt8]] = []
    var isTooLong = false
}

/// The lines of the whole text.
private func model(_ bytes: [UInt8], _ maximumLine: Int) -> Cut {
    var cut = Cut()
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (place, line) in lines.enumerated() {
        let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        guard text.count <= maximumLine else {
            cut.isTooLong = true
            return cut
        }
        if place < lines.count - 1, !text.isEmpty { cut.lines.append(Array(text)) }
    }
    return cut
}

private func cut(_ pieces: [ArraySlice<UInt8>], _ maximumLine: Int) throws -> Cut {
    var cut = Cut()
    var reader = LineReader(maximumLine: maximumLine)
    for piece in pieces {
        reader.feed(Array(piece))
        do {
            while let line = try reader.next() { cut.lines.append(Array(line)) }
        } catch {
            try demand(error.code == .lineTooLong, "\(error)")
            cut.isTooLong = true
            let again = (try? reader.next()) == nil
            try demand(again && reader.hasPartialLine, "reads on behind a line that is too long")
            return cut
        }
    }
    return cut
}

/// A line that is a message stays the same when it is written again.
private func tryMessage(_ line: ArraySlice<UInt8>) throws {
    let message: Message
    do {
        message = try Message(decoding: line)
    } catch {
        let codes: [ErrorCode] = [.badJSON, .badMessage, .unknownType, .authFailed]
        try demand(codes.contains(error.code), "\(error)")
        try demand(!error.message.isEmpty, "an error without a sentence")
        return
    }
    guard let written = message.asWritten else { return }
    let text = WireTrip.line(message)
    try demand(!text.contains(UInt8(ascii: "\n")), "a line feed within a line")
    let again: Message
    do {
        again = try Message(decoding: text[...])
    } catch {
        throw Disagreement("\(error) in \(String(decoding: text, as: UTF8.self))")
    }
    try demand(again == written, "\(again) is not \(message)")
    try demand(WireTrip.line(again) == text, "written in two ways: \(message)")
}

extension Message {
    /// The message without what only its reader adds; nil if a part of it could not be read, so
    /// that it cannot be written again.
    fileprivate var asWritten: Message? {
        switch self {
        case .register(var register):
            register.unreadable = []
            return .register(register)
        case .offer(var offer):
            offer.unreadable = []
            return .offer(offer)
        case .chunk(let chunk): return chunk.isUnreadable ? nil : self
        case .submit(let submit): return submit.unreadable.isEmpty ? self : nil
        case .nodes(let nodes): return nodes.unreadable.isEmpty ? self : nil
        default: return self
        }
    }
}

/// Both readers of JSON agree, and a written value reads back as the same value.
private func tryValue(_ line: ArraySlice<UInt8>) throws {
    guard let raw = try? RawJSON(validating: line) else {
        let value = try? JSONValue(parsing: line)
        try demand(value == nil, "a value of what is no JSON")
        return
    }
    let value = JSONValue(raw)
    let other = try JSONValue(parsing: line)
    try demand(other == value, "two readers, two values")
    let written = RawJSON(value)
    let again = try JSONValue(parsing: written.bytes)
    try demand(again == value, "\(written.text) is not \(raw.text)")
}
