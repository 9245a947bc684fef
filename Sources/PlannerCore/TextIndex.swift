// Searches short texts by their words.

/// Texts that can be ranked by how well they fit a query: BM25 (Robertson and Zaragoza, 2009) with
/// the usual parameters.
public struct TextIndex: Sendable {
    private var postings: [String: [(text: Int, count: Int)]] = [:]
    private var lengths: [Int] = []

    /// How soon further occurrences of a word in a text stop counting.
    private static let saturation = 1.2
    /// How much longer texts are discounted, from 0 to 1.
    private static let lengthWeight = 0.75

    /// An index of these texts, which are known by their positions.
    public init(_ texts: [String]) {
        for (position, text) in texts.enumerated() {
            var counts: [String: Int] = [:]
            let words = TextIndex.words(in: text)
            for word in words { counts[word, default: 0] += 1 }
            lengths.append(words.count)
            for (word, count) in counts { postings[word, default: []].append((position, count)) }
        }
    }

    /// The positions of the texts that have a word of the query, the best first; equal ones keep
    /// their order.
    public func ranked(_ query: String) -> [Int] {
        let meanLength = max(1, Double(lengths.reduce(0, +)) / Double(max(1, lengths.count)))
        var scores: [Int: Double] = [:]
        for word in Set(TextIndex.words(in: query)).sorted() {
            guard let texts = postings[word] else { continue }
            let count = Double(texts.count)
            let rarity = Double(lengths.count) - count + 0.5
            let ratio = 1 + rarity / (count + 0.5)
            // The logarithm to the base 2, linear between its powers.
            let weight = Double(ratio.exponent) + ratio.significand - 1
            for (text, occurrences) in texts {
                let length = Double(lengths[text]) / meanLength
                let damping =
                    TextIndex.saturation
                    * (1 - TextIndex.lengthWeight + TextIndex.lengthWeight * length)
                let frequency = Double(occurrences)
                scores[text, default: 0] +=
                    weight * frequency * (TextIndex.saturation + 1) / (frequency + damping)
            }
        }
        return scores.keys.sorted {
            let (left, right) = (scores[$0] ?? 0, scores[$1] ?? 0)
            return left == right ? $0 < $1 : left > right
        }
    }

    /// The words of a text in small letters, without the s of a plural; names are split at capitals
    /// and underscores.
    static func words(in text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var wasSmall = false
        func end() {
            guard !word.isEmpty else { return }
            let isPlural = word.count > 3 && word.hasSuffix("s") && !word.hasSuffix("ss")
            words.append(isPlural ? String(word.dropLast()) : word)
            word = ""
        }
        for character in text {
            guard character.isLetter || character.isNumber else {
                end()
                wasSmall = false
                continue
            }
            if character.isUppercase, wasSmall { end() }
            word += character.lowercased()
            wasSmall = character.isLowercase
        }
        end()
        return words
    }
}
