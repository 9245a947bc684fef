// Which options of sbatch a file of hosts may not give, because the launch depends on them. Pure.

enum SlurmOptions {
    /// The long names, each with the letter that means the same.
    private static let refused: [(name: String, letter: Character?)] = [
        ("array", "a"), ("clusters", "M"), ("cluster", nil), ("error", "e"), ("job-name", "J"),
        ("nodes", "N"), ("ntasks", "n"), ("ntasks-per-node", nil), ("output", "o"),
        ("parsable", nil), ("requeue", nil), ("signal", nil), ("test-only", nil), ("wait", "W"),
        ("wrap", nil),
    ]
    /// Letters that have no value, so that another letter may follow in the same word.
    private static let switches: Set<Character> = [
        "H", "I", "K", "O", "Q", "V", "h", "k", "s", "v",
    ]

    /// The option that a word gives although the launch sets it; nil if the word is allowed.
    ///
    /// As for sbatch, a long name may be shortened.
    static func refusedOption(in word: String) -> String? {
        if word == ":" { return ":" }
        guard word.hasPrefix("-") else { return nil }
        if word.hasPrefix("--") {
            let name = word.dropFirst(2).prefix { $0 != "=" }
            guard !name.isEmpty else { return nil }
            return refused.first { $0.name.hasPrefix(name) }.map { "--\($0.name)" }
        }
        guard let letter = word.dropFirst().first(where: { !switches.contains($0) }) else {
            return nil
        }
        return refused.first { $0.letter == letter }.map { "--\($0.name)" }
    }
}
