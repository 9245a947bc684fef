// Lines and columns: where a byte of a text is, told the way that editors tell it.

internal import CSimdJSON

/// A place in a text.
public struct TextPosition: Sendable, Hashable {
    /// In bytes, from 0.
    public private(set) var offset = 0
    /// From 1.
    public private(set) var line = 1
    /// In Unicode characters (scalars), from 1.
    public private(set) var column = 1

    /// The start of a text.
    public init() {}

    /// The place behind these bytes, which follow this place.
    public func advanced(over bytes: ArraySlice<UInt8>) -> TextPosition {
        var lines = 0
        var characters = 0
        bytes.withContiguousStorageIfAvailable {
            weft_text_lines($0.baseAddress, $0.count, &lines, &characters)
        }
        var position = self
        position.offset += bytes.count
        position.line += lines
        position.column = (lines == 0 ? column : 1) + characters
        return position
    }
}
