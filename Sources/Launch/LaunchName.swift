// Names of launches and their groups: they become names of folders, containers and workers, and stand in
// scripts, so that few signs are allowed.

/// What a launch or a group may be called.
public enum LaunchName {
    /// The rule in words, for messages.
    public static let rule = "1 to 32 of A-Z, a-z, 0-9, _ and -, beginning with a letter or digit"

    /// Whether the text may be a name.
    public static func isValid(_ text: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: false
            }
        }
        guard (1...32).contains(text.utf8.count), let first = text.utf8.first, isPlain(first) else {
            return false
        }
        return text.utf8.allSatisfy { isPlain($0) || $0 == 0x5F || $0 == 0x2D }
    }

    /// A name made of another text, such as a file's.
    static func make(of text: some StringProtocol) -> String {
        let clean = text.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
            .drop { $0 == "-" }
        let name = String(clean.prefix(32))
        return name.isEmpty ? "launch" : name
    }
}
