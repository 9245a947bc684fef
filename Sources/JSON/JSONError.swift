// Why a text is not acceptable JSON, and the limits.

internal import CSimdJSON

/// The limits for every JSON text.
public enum JSONLimits {
    /// How deep arrays and objects may nest, the outermost one counted; an empty innermost one does
    /// not count.
    public static let depth = 64
    /// How deep a value may nest that is sent inside messages, which add levels around it.
    ///
    /// Arguments and outputs have this limit, so that every document that contains them stays
    /// within `depth`.
    public static let payloadDepth = 56
    /// How many top-level fields a message may have.
    public static let messageFields = 64
}

/// Why a text was refused as JSON.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of refusal; the raw values are stable.
    public enum Code: String, Sendable {
        /// Nothing but whitespace.
        case empty
        /// Not UTF-8.
        case notUTF8
        /// Not JSON.
        case syntax
        /// Nested deeper than `JSONLimits.depth`.
        case tooDeep
        /// Two fields of a message with the same key.
        case duplicateKey
        /// A message that is not an object.
        case notAnObject
        /// A message with more than `JSONLimits.messageFields` fields.
        case tooManyFields
    }

    /// The kind of refusal.
    public var code: Code
    /// What is wrong, as a sentence for a person.
    public var message: String

    /// Makes an error of the given kind.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

extension JSONError {
    /// Throws the error for the shim's status, unless the text was accepted.
    static func check(_ status: weft_json_status) throws(JSONError) {
        if status != WEFT_JSON_VALID { throw JSONError(status) }
    }

    private init(_ status: weft_json_status) {
        switch status {
        case WEFT_JSON_EMPTY:
            self.init(code: .empty, message: "The text is empty.")
        case WEFT_JSON_BYTE_ORDER_MARK:
            self.init(code: .syntax, message: "The text starts with a byte order mark.")
        case WEFT_JSON_NOT_UTF8:
            self.init(code: .notUTF8, message: "The text is not valid UTF-8.")
        case WEFT_JSON_UNCLOSED_STRING:
            self.init(code: .syntax, message: "A string is not closed.")
        case WEFT_JSON_CONTROL_CHARACTER:
            self.init(
                code: .syntax,
                message: "A string holds a control character that should be escaped."
            )
        case WEFT_JSON_BAD_ESCAPE:
            self.init(code: .syntax, message: "A string holds an unknown escape.")
        case WEFT_JSON_BAD_LITERAL:
            self.init(code: .syntax, message: "A word is neither true, false nor null.")
        case WEFT_JSON_BAD_NUMBER:
            self.init(code: .syntax, message: "A number is not written as JSON requires.")
        case WEFT_JSON_TOO_DEEP:
            self.init(
                code: .tooDeep,
                message: "Arrays and objects nest deeper than \(JSONLimits.depth) levels."
            )
        case WEFT_JSON_NOT_AN_OBJECT:
            self.init(code: .notAnObject, message: "The text is not a JSON object.")
        case WEFT_JSON_DUPLICATE_KEY:
            self.init(code: .duplicateKey, message: "Two fields have the same key.")
        case WEFT_JSON_TOO_MANY_FIELDS:
            self.init(
                code: .tooManyFields,
                message: "The object has more than \(JSONLimits.messageFields) fields."
            )
        case WEFT_JSON_TOO_LARGE:
            self.init(code: .syntax, message: "The text is longer than 4 GiB.")
        case WEFT_JSON_OUT_OF_MEMORY:
            self.init(code: .syntax, message: "There is not enough memory to read the text.")
        default:
            self.init(
                code: .syntax,
                message: "The text is not JSON: its brackets, commas or colons are wrong."
            )
        }
    }
}
