// The grammar of regular expressions in ECMAScript: choices, sequences, repetitions, groups,
// classes, escapes, lookahead and lookbehind. Backreferences are refused by name: they cannot be
// matched in bounded time.

/// A parsed pattern.
indirect enum PatternTree {
    case set(ScalarSet)
    case assertion(PatternAssertion)
    case look(PatternTree, isBackward: Bool, isNegative: Bool)
    case sequence([PatternTree])
    case choice([PatternTree])
    case repetition(PatternTree, minimum: Int, maximum: Int?)
}

struct PatternParser {
    /// How deep groups may nest.
    private static let depthLimit = 50
    /// The largest count in braces.
    private static let countLimit = 1000

    private let source: [Unicode.Scalar]
    private var index = 0
    private var depth = 0

    init(_ source: String) {
        self.source = Array(source.unicodeScalars)
    }

    mutating func parse() throws(PatternError) -> PatternTree {
        let tree = try choice()
        if index < source.count { throw PatternError(message: "a ) closes nothing") }
        return tree
    }

    private var next: Unicode.Scalar? { index < source.count ? source[index] : nil }

    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        index += 1
        return true
    }

    private mutating func requireNext(_ complaint: String) throws(PatternError) -> Unicode.Scalar {
        guard let scalar = next else { throw PatternError(message: complaint) }
        index += 1
        return scalar
    }

    // MARK: - Structure

    private mutating func choice() throws(PatternError) -> PatternTree {
        var alternatives = [try sequence()]
        while skip("|") { alternatives.append(try sequence()) }
        return alternatives.count == 1 ? alternatives[0] : .choice(alternatives)
    }

    private mutating func sequence() throws(PatternError) -> PatternTree {
        var parts: [PatternTree] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            parts.append(try repetition(of: try atom()))
        }
        return .sequence(parts)
    }

    private mutating func repetition(of part: PatternTree) throws(PatternError) -> PatternTree {
        let bounds: (minimum: Int, maximum: Int?)
        switch next {
        case "*": bounds = (0, nil)
        case "+": bounds = (1, nil)
        case "?": bounds = (0, 1)
        case "{" where isCountAhead: bounds = try counts()
        default: return part
        }
        index += 1
        // A lazy repetition finds the same texts.
        _ = skip("?")
        if let next, next == "*" || next == "+" || next == "?" || next == "{" && isCountAhead {
            throw PatternError(message: "a repetition is repeated")
        }
        switch part {
        case .assertion, .look: throw PatternError(message: "an assertion is repeated")
        default: break
        }
        return .repetition(part, minimum: bounds.minimum, maximum: bounds.maximum)
    }

    /// Whether the next brace begins a count; otherwise it is a literal brace.
    private var isCountAhead: Bool {
        guard index + 1 < source.count, ScalarSet.digit.contains(source[index + 1]) else {
            return false
        }
        let rest = source[(index + 1)...].prefix { $0 == "," || ScalarSet.digit.contains($0) }
        return rest.endIndex < source.count && source[rest.endIndex] == "}"
    }

    /// Reads `{2`, `{2,` or `{2,3`; the caller reads the closing brace.
    private mutating func counts() throws(PatternError) -> (Int, Int?) {
        index += 1
        let minimum = try count()
        var maximum: Int? = minimum
        if skip(",") { maximum = next == "}" ? nil : try count() }
        guard next == "}" else { throw PatternError(message: "a { has no }") }
        if let maximum, maximum < minimum {
            throw PatternError(message: "the counts of a repetition are in the wrong order")
        }
        return (minimum, maximum)
    }

    private mutating func count() throws(PatternError) -> Int {
        var digits = ""
        while let scalar = next, ScalarSet.digit.contains(scalar) {
            digits.unicodeScalars.append(scalar)
            index += 1
        }
        if digits.isEmpty { throw PatternError(message: "a count has no number") }
        guard let value = Int(digits), value <= Self.countLimit else {
            throw PatternError(message: "a count is larger than \(Self.countLimit)")
        }
        return value
    }

    private mutating func atom() throws(PatternError) -> PatternTree {
        switch try requireNext("it ends too early") {
        case "(": return try group()
        case "[": return .set(try set())
        case ".": return .set(.notLineEnd)
        case "^": return .assertion(.start)
        case "$": return .assertion(.end)
        case "\\":
            if skip("b") { return .assertion(.wordBoundary) }
            if skip("B") { return .assertion(.noWordBoundary) }
            return .set(try escape())
        case let scalar where "*+?".unicodeScalars.contains(scalar):
            throw PatternError(message: "a \(scalar) has nothing before it to repeat")
        case let scalar: return .set(.single(scalar))
        }
    }

    private mutating func group() throws(PatternError) -> PatternTree {
        let look = skip("?") ? try groupKind() : nil
        depth += 1
        guard depth <= Self.depthLimit else {
            throw PatternError(message: "its groups nest deeper than \(Self.depthLimit)")
        }
        let tree = try choice()
        depth -= 1
        guard skip(")") else { throw PatternError(message: "a ( has no )") }
        guard let look else { return tree }
        return .look(tree, isBackward: look.isBackward, isNegative: look.isNegative)
    }

    /// Reads what follows `(?`; nil for a group that only groups.
    private mutating func groupKind() throws(PatternError) -> (
        isBackward: Bool, isNegative: Bool
    )? {
        switch try requireNext("a group is not complete") {
        case ":": return nil
        case "=": return (false, false)
        case "!": return (false, true)
        case "<":
            if skip("=") { return (true, false) }
            if skip("!") { return (true, true) }
            while try requireNext("a group's name has no >") != ">" {}
            return nil
        default: throw PatternError(message: "a kind of group is not known")
        }
    }

    // MARK: - Sets

    private mutating func set() throws(PatternError) -> ScalarSet {
        var result = ScalarSet()
        let isInverted = skip("^")
        while !skip("]") {
            let first = try member()
            guard next == "-", index + 1 < source.count, source[index + 1] != "]" else {
                result.formUnion(first)
                continue
            }
            index += 1
            let last = try member()
            guard let low = first.onlyMember, let high = last.onlyMember else {
                // Next to a class, as in [\w-.], the hyphen is a literal hyphen.
                for part in [first, last, .single("-")] { result.formUnion(part) }
                continue
            }
            guard low <= high else {
                throw PatternError(message: "a range is in the wrong order")
            }
            result.ranges.append(low...high)
        }
        result.isInverted = isInverted
        return result
    }

    private mutating func member() throws(PatternError) -> ScalarSet {
        let scalar = try requireNext("a [ has no ]")
        guard scalar == "\\" else { return .single(scalar) }
        if skip("b") { return .single("\u{8}") }
        return try escape()
    }

    /// Reads the part after a backslash.
    private mutating func escape() throws(PatternError) -> ScalarSet {
        let scalar = try requireNext("it ends with a backslash")
        switch scalar {
        case "d": return .digit
        case "D": return ScalarSet.digit.inverted
        case "w": return .word
        case "W": return ScalarSet.word.inverted
        case "s": return .space
        case "S": return ScalarSet.space.inverted
        case "p": return try category()
        case "P": return try category().inverted
        case "t": return .single("\t")
        case "n": return .single("\n")
        case "r": return .single("\r")
        case "f": return .single("\u{C}")
        case "v": return .single("\u{B}")
        case "0": return .single("\0")
        case "x": return try codePoint(hexadecimal(digits: 2))
        case "u": return try unicodeEscape()
        case "c":
            let letter = try requireNext("a \\c is not complete")
            return try codePoint(letter.value % 32)
        case "1"..."9", "k":
            throw PatternError(message: "backreferences are not supported")
        case let letter where letter.properties.isAlphabetic:
            throw PatternError(message: "the escape \\\(letter) is not known")
        default: return .single(scalar)
        }
    }

    private mutating func category() throws(PatternError) -> ScalarSet {
        guard skip("{") else { throw PatternError(message: "a \\p has no {") }
        var name = ""
        while !skip("}") { name.unicodeScalars.append(try requireNext("a \\p{ has no }")) }
        guard let category = UnicodeCategory(name) else {
            throw PatternError(message: "the property \(name) is not supported")
        }
        return ScalarSet(categories: [category])
    }

    private mutating func unicodeEscape() throws(PatternError) -> ScalarSet {
        if skip("{") {
            var value: UInt32 = 0
            while !skip("}") {
                value = value << 4 | (try hexadecimal(digits: 1))
                if value > 0x10FFFF { throw PatternError(message: "a code point is too large") }
            }
            return try codePoint(value)
        }
        let first = try hexadecimal(digits: 4)
        guard 0xD800..<0xDC00 ~= first, skip("\\"), skip("u") else { return try codePoint(first) }
        let second = try hexadecimal(digits: 4)
        guard 0xDC00..<0xE000 ~= second else {
            throw PatternError(message: "a surrogate is not part of a pair")
        }
        return try codePoint(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    }

    private mutating func hexadecimal(digits: Int) throws(PatternError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<digits {
            let scalar = try requireNext("a hexadecimal escape is not complete")
            guard scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw PatternError(message: "a hexadecimal escape is not complete")
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private func codePoint(_ value: UInt32) throws(PatternError) -> ScalarSet {
        guard let scalar = Unicode.Scalar(value) else {
            throw PatternError(message: "a surrogate is not part of a pair")
        }
        return .single(scalar)
    }
}

extension ScalarSet {
    /// The code point of a set that has exactly one.
    fileprivate var onlyMember: UInt32? {
        guard ranges.count == 1, categories.isEmpty, complements.isEmpty, !isInverted,
            ranges[0].count == 1
        else { return nil }
        return ranges[0].lowerBound
    }
}
