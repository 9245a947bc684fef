// What can be wrong with a journal, each with a sentence that says what to do.

/// Why a journal cannot be opened, read or written.
public struct JournalError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of trouble it is.
    public enum Kind: String, Sendable {
        /// The disk is full. Nothing was written; trying again helps when there is room.
        case full
        /// The file is damaged.
        case damaged
        /// A newer program wrote the file.
        case newerSchema
        /// The disk or the system failed. What was not confirmed may or may not be in the file.
        case failed
        /// The database cannot be reached; trying again may help.
        case unreachable
        /// Another coordinator leads, or may lead: nothing that this one says counts any more.
        case superseded
    }

    /// What kind of trouble it is.
    public var kind: Kind
    /// What is wrong, and what to do.
    public var message: String
    /// What is wrong, in a few words.
    let detail: String

    /// Describes trouble.
    public init(_ kind: Kind, _ message: String) {
        self.init(kind, message, detail: message)
    }

    init(_ kind: Kind, _ message: String, detail: String) {
        self.kind = kind
        self.message = message
        self.detail = detail
    }

    /// What is wrong, and what to do.
    public var description: String { message }

    static func damaged(_ path: String, _ what: String) -> JournalError {
        JournalError(
            .damaged,
            "The journal \(path) is damaged: \(what). \"weft journal check\" says what can be read, "
                + "\"weft journal repair\" keeps it.",
            detail: what
        )
    }
}
