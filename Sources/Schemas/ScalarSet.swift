// Sets of code points, as described by the classes of a regular expression.

/// A set of code points.
struct ScalarSet: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var categories: [UnicodeCategory] = []
    /// Sets whose members are excluded; `\D` inside a class.
    var complements: [ScalarSet] = []
    var isInverted = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        let isListed =
            ranges.contains { $0.contains(scalar.value) }
            || categories.contains { $0.contains(scalar) }
            || complements.contains { !$0.contains(scalar) }
        return isListed != isInverted
    }

    /// The largest number of comparisons to find out whether it contains a code point.
    var weight: Int {
        ranges.count + 4 * categories.count + complements.reduce(0) { $0 + $1.weight }
    }

    var inverted: ScalarSet {
        var copy = self
        copy.isInverted.toggle()
        return copy
    }

    mutating func formUnion(_ other: ScalarSet) {
        if other.isInverted {
            complements.append(other.inverted)
        } else {
            ranges += other.ranges
            categories += other.categories
            complements += other.complements
        }
    }

    static func single(_ scalar: Unicode.Scalar) -> ScalarSet {
        ScalarSet(ranges: [scalar.value...scalar.value])
    }

    /// The digits, `\d`.
    static let digit = ScalarSet(ranges: [0x30...0x39])
    /// The word characters, `\w`.
    static let word = ScalarSet(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    /// White space and line ends, `\s`.
    static let space = ScalarSet(ranges: [
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029,
        0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])
    /// Everything but line ends, `.` in a pattern.
    static let notLineEnd = ScalarSet(
        ranges: [0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029],
        isInverted: true
    )
}

/// The set for `\p{...}`: a general category of Unicode or a group of them.
struct UnicodeCategory: Sendable {
    private let code: String

    private static let codes: Set<String> = [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No",
        "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So",
        "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn",
    ]
    private static let longNames = [
        "Letter": "L", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Mark": "M",
        "Number": "N", "Decimal_Number": "Nd", "digit": "Nd", "Punctuation": "P", "Symbol": "S",
        "Separator": "Z", "Other": "C",
    ]

    init?(_ name: String) {
        let code = Self.longNames[name] ?? name
        guard Self.codes.contains(code) else { return nil }
        self.code = code
    }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        Self.code(of: scalar.properties.generalCategory).hasPrefix(code)
    }

    private static func code(of category: Unicode.GeneralCategory) -> String {
        switch category {
        case .uppercaseLetter: "Lu"
        case .lowercaseLetter: "Ll"
        case .titlecaseLetter: "Lt"
        case .modifierLetter: "Lm"
        case .otherLetter: "Lo"
        case .nonspacingMark: "Mn"
        case .spacingMark: "Mc"
        case .enclosingMark: "Me"
        case .decimalNumber: "Nd"
        case .letterNumber: "Nl"
        case .otherNumber: "No"
        case .connectorPunctuation: "Pc"
        case .dashPunctuation: "Pd"
        case .openPunctuation: "Ps"
        case .closePunctuation: "Pe"
        case .initialPunctuation: "Pi"
        case .finalPunctuation: "Pf"
        case .otherPunctuation: "Po"
        case .mathSymbol: "Sm"
        case .currencySymbol: "Sc"
        case .modifierSymbol: "Sk"
        case .otherSymbol: "So"
        case .spaceSeparator: "Zs"
        case .lineSeparator: "Zl"
        case .paragraphSeparator: "Zp"
        case .control: "Cc"
        case .format: "Cf"
        case .surrogate: "Cs"
        case .privateUse: "Co"
        case .unassigned: "Cn"
        @unknown default: "Cn"
        }
    }
}
