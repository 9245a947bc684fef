// Reads JSON as it arrives: bytes in, split anywhere; values out. The reader finds where values
// begin and end; RawJSON decides whether one is valid. The types of events and faults are in
// JSONReader+Events.swift.

/// An incremental reader of one JSON document.
///
/// Pass a piece of text to ``push(_:)``, call ``next()`` until it returns nil, then push the next
/// piece. Objects and arrays are delivered member by member as far as ``delivery`` says; any other
/// value is delivered whole, with its last byte. Time is proportional to the bytes; memory is that
/// of one value that spans several pieces.
public struct JSONReader: Sendable {
    private enum Place: Sendable {
        case root, firstKey, key, colon, value, afterField, firstElement, element, afterElement, end
        /// In a key or value that is delivered whole.
        case inside(ValueBoundary)
        /// In a string that is delivered part by part.
        case inText(ValueBoundary, StringDecoder)
    }

    /// How the next value is delivered; after that `whole` again.
    public var delivery: Delivery
    private let root: Root
    private let isLenient: Bool
    private let largestValue: Int

    private var place: Place
    /// What is expected within the open value.
    private var openPlace = Expectation.value
    private var containers: [Container] = []
    /// The part of the open value that was in earlier pieces.
    private var held: [UInt8] = []

    private var piece: ArraySlice<UInt8> = []
    private var index = 0
    private var valueIndex = 0
    /// The position where the piece begins.
    private var pieceStart = TextPosition()
    /// The position where the open value begins, if that is in an earlier piece.
    private var heldStart: TextPosition?

    /// A strict reader at the start of a document.
    ///
    /// A value of more than `largestValue` bytes that is delivered whole is a fault.
    public init(
        _ root: Root,
        delivery: Delivery = .members,
        largestValue: Int = .max
    ) {
        self.root = root
        self.delivery = delivery
        self.largestValue = largestValue
        isLenient = false
        place = .root
    }

    /// A lenient reader of an object or array whose opening bracket has been read.
    ///
    /// Commas may be missing between elements, and extra ones are accepted. Nothing is read after
    /// the bracket that closes the container.
    public init(lenientlyInside container: Container) {
        root = .anyValue
        delivery = .whole
        largestValue = .max
        isLenient = true
        containers = [container]
        place = container == .object ? .firstKey : .firstElement
    }

    /// The part of the last piece that has not been read.
    public var unread: ArraySlice<UInt8> { piece[index...] }

    /// How many bytes have been read.
    public var bytesRead: Int { pieceStart.offset + index - piece.startIndex }

    /// Whether the document is complete.
    public var isAtEnd: Bool {
        if case .end = place { true } else { false }
    }

    /// Whether the text read so far ends within a key or a value that is delivered whole.
    public var isInsideValue: Bool {
        if case .inside = place { true } else { false }
    }

    /// The position after the last byte that was read.
    public var position: TextPosition {
        pieceStart.advanced(over: piece[..<index])
    }

    /// The position where the last key, value, or opening bracket begins.
    public var valuePosition: TextPosition {
        heldStart ?? pieceStart.advanced(over: piece[..<valueIndex])
    }

    /// The offset of ``valuePosition``, which costs less than its line.
    public var valueOffset: Int {
        heldStart?.offset ?? pieceStart.offset + valueIndex - piece.startIndex
    }

    /// The part of the open value that has been read.
    public var openValue: ArraySlice<UInt8> { isInsideValue ? held[...] : [] }

    /// Adds the next piece of the document; the previous one must have been read completely.
    public mutating func push(_ piece: ArraySlice<UInt8>) {
        precondition(index == self.piece.endIndex, "the previous piece is not read completely")
        endPiece()
        self.piece = piece
        index = piece.startIndex
        valueIndex = index
    }

    /// The next event; nil at the end of the piece, and at the end of a lenient reader's document.
    ///
    /// - Throws: The fault. The faulty byte is not read: ``unread`` begins with it.
    public mutating func next() throws(Fault) -> Event? {
        while index < piece.endIndex {
            switch place {
            case .inside(var boundary):
                return try readValue(&boundary)
            case .inText(var boundary, var decoder):
                return readText(&boundary, &decoder)
            case .end where isLenient:
                return nil
            default:
                let byte = piece[index]
                if Byte.isSpace(byte) {
                    index += 1
                } else if let event = try step(byte) {
                    return event
                }
            }
        }
        endPiece()
        return nil
    }

    /// Releases a piece that has been read.
    private mutating func endPiece() {
        pieceStart = position
        piece = []
        index = 0
        valueIndex = 0
    }

    /// Ends the document.
    ///
    /// - Throws: A fault if something is missing. A document that is only a number or word needs a
    ///   space after it to be complete.
    public func finish() throws(Fault) {
        if !isAtEnd { throw fault(.unexpected(nil)) }
    }

    // MARK: - Between values

    /// Reads a byte between values.
    private mutating func step(_ byte: UInt8) throws(Fault) -> Event? {
        switch (place, byte) {
        case (.firstKey, Byte.quote), (.key, Byte.quote):
            begin(byte)
        case (.firstKey, Byte.closeBrace), (.afterField, Byte.closeBrace):
            return close(.endObject)
        case (.firstElement, Byte.closeBracket), (.afterElement, Byte.closeBracket):
            return close(.endArray)
        case (.colon, Byte.colon):
            move(to: .value)
        case (.afterField, Byte.comma):
            move(to: .key)
        case (.afterElement, Byte.comma):
            move(to: .element)
        case (.root, _) where root == .object && byte != Byte.openBrace:
            throw fault(.unexpected(byte))
        case (.root, _), (.value, _), (.firstElement, _), (.element, _):
            return try stepToValue(byte)
        default:
            return try stepLeniently(byte)
        }
        return nil
    }

    /// Reads the first byte of a value.
    private mutating func stepToValue(_ byte: UInt8) throws(Fault) -> Event? {
        switch byte {
        case Byte.comma, Byte.colon, Byte.closeBrace, Byte.closeBracket:
            return try stepLeniently(byte)
        case Byte.openBrace where delivery == .fields || delivery == .members:
            return try open(.object, .beginObject)
        case Byte.openBracket where delivery == .elements || delivery == .members:
            return try open(.array, .beginArray)
        default:
            begin(byte)
            return nil
        }
    }

    /// Skips a byte that is not allowed there, if a lenient reader can ignore it.
    private mutating func stepLeniently(_ byte: UInt8) throws(Fault) -> Event? {
        guard isLenient else { throw fault(.unexpected(byte)) }
        switch (place, byte) {
        case (.firstKey, Byte.comma), (.key, Byte.comma):
            move(to: .key)
        case (.firstElement, Byte.comma), (.element, Byte.comma):
            move(to: .element)
        case (.key, Byte.closeBrace):
            return close(.endObject)
        case (.element, Byte.closeBracket):
            return close(.endArray)
        case (.afterElement, _) where byte != Byte.colon && byte != Byte.closeBrace:
            place = .element
        default:
            throw fault(.unexpected(byte))
        }
        return nil
    }

    private mutating func move(to place: Place) {
        self.place = place
        index += 1
    }

    private mutating func open(_ container: Container, _ event: Event) throws(Fault) -> Event {
        // An empty innermost array or object does not count as a level; validation is exact.
        guard containers.count <= JSONLimits.depth else { throw fault(.tooDeep) }
        containers.append(container)
        valueIndex = index
        heldStart = nil
        // If the whole document is delivered member by member, so are all its members.
        if delivery != .members { delivery = .whole }
        move(to: container == .object ? .firstKey : .firstElement)
        return event
    }

    private mutating func close(_ event: Event) -> Event {
        containers.removeLast()
        index += 1
        place = placeBehindValue
        return event
    }

    private var placeBehindValue: Place {
        switch containers.last {
        case .object: .afterField
        case .array: .afterElement
        case nil: .end
        }
    }

    // MARK: - Values

    private mutating func begin(_ byte: UInt8) {
        openPlace = expectation
        valueIndex = index
        heldStart = nil
        // For a reader that wants valid values, deeper ones are a fault; an empty innermost array
        // or object does not count as a level.
        let boundary = ValueBoundary(
            first: byte,
            deepest: isLenient ? .max : JSONLimits.depth + 1
        )
        if byte == Byte.quote, delivery == .text, openPlace.isValue {
            place = .inText(boundary, StringDecoder())
        } else {
            place = .inside(boundary)
        }
        if delivery != .members, openPlace.isValue { delivery = .whole }
    }

    private mutating func readValue(_ boundary: inout ValueBoundary) throws(Fault) -> Event? {
        switch boundary.search(piece, from: index) {
        case .tooDeep(let bracket):
            index = bracket
            throw fault(.tooDeep)
        case .open:
            if held.isEmpty { heldStart = pieceStart.advanced(over: piece[..<valueIndex]) }
            held.append(contentsOf: piece[(held.isEmpty ? valueIndex : index)...])
            index = piece.endIndex
            place = .inside(boundary)
            guard held.count <= largestValue else { throw fault(.tooLarge) }
            return nil
        case .end(let end):
            var text = piece[(held.isEmpty ? valueIndex : index)..<end]
            guard held.count + text.count <= largestValue else { throw fault(.tooLarge) }
            if !held.isEmpty {
                text = (held + text)[...]
                held = []
            }
            index = end
            place = openPlace.isValue ? placeBehindValue : .colon
            return openPlace.isValue ? .value(text) : .key(text)
        }
    }

    private mutating func readText(
        _ boundary: inout ValueBoundary,
        _ decoder: inout StringDecoder
    ) -> Event {
        var text: [UInt8] = []
        // The opening quote is not part of the string.
        let start = index == valueIndex && heldStart == nil ? index + 1 : index
        if case .end(let end) = boundary.search(piece, from: index) {
            decoder.decode(piece[start..<end - 1], into: &text)
            decoder.finish(into: &text)
            index = end
            place = placeBehindValue
            return .text(text, isLast: true)
        }
        decoder.decode(piece[start...], into: &text)
        if heldStart == nil { heldStart = pieceStart.advanced(over: piece[..<valueIndex]) }
        index = piece.endIndex
        place = .inText(boundary, decoder)
        return .text(text, isLast: false)
    }
}

// MARK: - Faults

extension JSONReader {
    private func fault(_ reason: Fault.Reason) -> Fault {
        Fault(reason: reason, expected: expectation, position: position)
    }

    private var expectation: Expectation {
        switch place {
        case .root: root == .object ? .object : .value
        case .firstKey: .keyOrEnd
        case .key: .key
        case .colon: .colon
        case .value: .value
        case .afterField: .commaOrObjectEnd
        case .firstElement: .elementOrEnd
        case .element: .element
        case .afterElement: .commaOrArrayEnd
        case .inside, .inText: openPlace.isValue ? .restOfValue : .restOfKey
        case .end: .end
        }
    }
}
