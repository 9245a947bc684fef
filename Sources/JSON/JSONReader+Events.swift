// What a JSON reader hands out, how it is asked to, and where a text stops being JSON.

extension JSONReader {
    /// What is in the text.
    public enum Event: Sendable, Equatable {
        case beginObject, endObject, beginArray, endArray
        /// The key of a field, with its quotes; not validated.
        case key(ArraySlice<UInt8>)
        /// A whole value; its brackets match in number, more is not validated. A value within one
        /// piece shares its buffer.
        case value(ArraySlice<UInt8>)
        /// What the next part of a string stands for, in UTF-8 that may break off within a
        /// character; the last part ends the string.
        case text([UInt8], isLast: Bool)
    }

    /// How a value is handed out.
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

    /// What can stand at a place of a document.
    public enum Expectation: Sendable, Equatable {
        case object, value, keyOrEnd, key, colon, commaOrObjectEnd
        case elementOrEnd, element, commaOrArrayEnd
        /// More of the key, or of the value, that is open.
        case restOfKey, restOfValue
        /// Nothing but white space.
        case end

        var isValue: Bool { self != .key && self != .keyOrEnd }
    }

    /// Where a text stops being a JSON document.
    public struct Fault: Error, Sendable, Equatable {
        /// What is wrong there.
        public enum Reason: Sendable, Equatable {
            /// This byte cannot be there; nil stands for the end of the text.
            case unexpected(UInt8?)
            /// A value nests deeper than `JSONLimits.depth`.
            case tooDeep
            /// A value is larger than it may be.
            case tooLarge
        }

        /// What is wrong.
        public var reason: Reason
        /// What may stand there.
        public var expected: Expectation
        /// Where that is.
        public var position: TextPosition
    }
}
