// What a JSON reader returns, the ways to deliver a value, and faults of a text.

extension JSONReader {
    /// An event of the text.
    public enum Event: Sendable, Equatable {
        case beginObject, endObject, beginArray, endArray
        /// The key of a field, with its quotes; not validated.
        case key(ArraySlice<UInt8>)
        /// A whole value; the number of its brackets matches, more is not validated. A value within
        /// one piece shares its buffer.
        case value(ArraySlice<UInt8>)
        /// The next part of a decoded string, in UTF-8 that may end within a character; the last
        /// part ends the string.
        case text([UInt8], isLast: Bool)
    }

    /// How a value is delivered.
    public enum Delivery: Sendable {
        /// As one value.
        case whole
        /// An object field by field; anything else whole.
        case fields
        /// An array element by element; anything else whole.
        case elements
        /// Objects and arrays member by member.
        case members
        /// A string decoded part by part; anything else whole.
        case text
    }

    /// What the document may begin with.
    public enum Root: Sendable {
        case object, anyValue
    }

    /// An array or object that is open.
    public enum Container: Sendable {
        case object, array
    }

    /// What is allowed at a position of a document.
    public enum Expectation: Sendable, Equatable {
        case object, value, keyOrEnd, key, colon, commaOrObjectEnd
        case elementOrEnd, element, commaOrArrayEnd
        /// More of the open key or value.
        case restOfKey, restOfValue
        /// Only white space.
        case end

        var isValue: Bool { self != .key && self != .keyOrEnd }
    }

    /// Where a text is not a JSON document.
    public struct Fault: Error, Sendable, Equatable {
        /// What is wrong there.
        public enum Reason: Sendable, Equatable {
            /// This byte is not allowed there; nil means the end of the text.
            case unexpected(UInt8?)
            /// A value nests deeper than `JSONLimits.depth`.
            case tooDeep
            /// A value is larger than it may be.
            case tooLarge
        }

        /// What is wrong.
        public var reason: Reason
        /// What is allowed there.
        public var expected: Expectation
        /// Where that is.
        public var position: TextPosition
    }
}
