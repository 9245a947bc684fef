// Lines and columns of a byte in a text, counted as editors count them.

internal import CSimdJSON

/// A position in a text.
public struct TextPosition: Sendable, Hashable {
    /// In bytes, from 0.
    public private(set) var offset = 0
    /// From 1.
    public private(set) var line = 1
    /// In Unicode characters (scalars), from 1.
    public private(set) var column = 1

    /// The start of a text.
    public init() {}

    /// The position after these bytes, which follow this position.
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
