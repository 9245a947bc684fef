// Regular expressions of schemas, matched in time linear in the text. A backtracking engine can
// take exponential time for a pattern such as (a+)+$; here all ways through the pattern are
// followed in parallel, one code point at a time. A lookahead is followed again from each place that
// asks for it, and costs its steps each time. Parsing is in PatternParser.swift.

/// A regular expression with the syntax of ECMAScript, without backreferences.
struct Pattern: Sendable {
    let source: String
    private let program: [PatternInstruction]

    /// The memory of a check of the pattern: its instructions, with repetitions expanded.
    let size: Int

    /// Compiles a pattern into at most that many instructions.
    init(
        _ source: String,
        limit: Int = PatternAssembler.instructionsLimit
    ) throws(PatternError) {
        self.source = source
        var parser = PatternParser(source)
        let tree = try parser.parse()
        (program, size) = try PatternAssembler.assemble(tree, limit: limit)
    }

    /// Whether the pattern is found anywhere in the text; nil when `steps` are used up.
    ///
    /// Each instruction costs a step, and so does each part of a class that is compared with a code
    /// point.
    func isFound(in text: String, steps: inout Int) -> Bool? {
        let text = text.unicodeScalars
        let place = PatternPlace(text: text, index: text.startIndex)
        let found = PatternSearch(program: program).isFound(from: place, steps: &steps)
        return steps < 0 ? nil : found
    }
}

/// One way through a text with a program.
private struct PatternSearch {
    let program: [PatternInstruction]
    /// Whether it must begin at the first place.
    var isAnchored = false
    /// Whether it goes from the end of the text to its start.
    var isBackward = false

    /// Whether the program is found; what it says when the steps are used up means nothing.
    func isFound(from start: PatternPlace, steps: inout Int) -> Bool {
        steps -= program.count
        var current = PatternThreads(count: program.count)
        var next = PatternThreads(count: program.count)
        var place = start
        if current.add(0, of: program, at: place, steps: &steps) { return true }
        while steps >= 0, let read = isBackward ? place.before : place.after {
            place.move(isBackward: isBackward)
            next.removeAll()
            steps -= 1
            for position in current.waiting {
                guard case .read(let set) = program[position] else { continue }
                steps -= set.weight
                guard set.contains(read) else { continue }
                if next.add(position + 1, of: program, at: place, steps: &steps) { return true }
            }
            // An unanchored search begins again at each place.
            if !isAnchored, next.add(0, of: program, at: place, steps: &steps) { return true }
            if isAnchored, next.waiting.isEmpty { return false }
            swap(&current, &next)
        }
        return false
    }
}

/// Why a pattern cannot be used.
struct PatternError: Error {
    /// What is wrong, as part of a sentence.
    var message: String
}

/// One step of a compiled pattern.
enum PatternInstruction: Sendable {
    case read(ScalarSet)
    case check(PatternAssertion)
    case jump(Int)
    case fork(Int, Int)
    case found
}

/// Conditions on a position between two code points.
enum PatternAssertion: Sendable {
    case start, end, wordBoundary, noWordBoundary
    case look(PatternLook)

    fileprivate func holds(at place: PatternPlace, steps: inout Int) -> Bool {
        switch self {
        case .start: return place.before == nil
        case .end: return place.after == nil
        case .wordBoundary: return place.isWordBoundary
        case .noWordBoundary: return !place.isWordBoundary
        case .look(let look):
            guard steps >= 0 else { return false }
            var search = PatternSearch(program: look.program)
            search.isAnchored = true
            search.isBackward = look.isBackward
            return search.isFound(from: place, steps: &steps) != look.isNegative
        }
    }
}

/// A lookahead or lookbehind: what must, or must not, follow or precede a place.
struct PatternLook: Sendable {
    var program: [PatternInstruction]
    var isBackward: Bool
    var isNegative: Bool
}

/// A position between two code points of a text.
private struct PatternPlace {
    let text: String.UnicodeScalarView
    private var index: String.Index
    private(set) var before: Unicode.Scalar?
    private(set) var after: Unicode.Scalar?

    /// The start of a text.
    init(text: String.UnicodeScalarView, index: String.Index) {
        self.text = text
        self.index = index
        after = index < text.endIndex ? text[index] : nil
    }

    var isWordBoundary: Bool {
        let word = ScalarSet.word
        return before.map(word.contains) ?? false != after.map(word.contains) ?? false
    }

    /// Goes on by one code point, which must be there.
    mutating func move(isBackward: Bool) {
        if isBackward {
            index = text.index(before: index)
            after = before
            before = index > text.startIndex ? text[text.index(before: index)] : nil
        } else {
            index = text.index(after: index)
            before = after
            after = index < text.endIndex ? text[index] : nil
        }
    }
}

/// The instructions that wait for the next code point.
private struct PatternThreads {
    private(set) var waiting: [Int] = []
    /// The round in which an instruction was last visited; with it the list need not be cleared.
    private var visits: [Int]
    private var round = 1
    private var pending: [Int] = []

    init(count: Int) {
        visits = [Int](repeating: 0, count: count)
    }

    mutating func removeAll() {
        waiting.removeAll(keepingCapacity: true)
        round += 1
    }

    /// Follows the steps that need no code point; true when the pattern is found.
    mutating func add(
        _ start: Int,
        of program: [PatternInstruction],
        at place: PatternPlace,
        steps: inout Int
    ) -> Bool {
        pending.append(start)
        while let position = pending.popLast() {
            steps -= 1
            if visits[position] == round { continue }
            visits[position] = round
            switch program[position] {
            case .read: waiting.append(position)
            case .check(let assertion):
                if assertion.holds(at: place, steps: &steps) { pending.append(position + 1) }
            case .jump(let target): pending.append(target)
            case .fork(let first, let second):
                pending.append(second)
                pending.append(first)
            case .found:
                pending.removeAll()
                return true
            }
        }
        return false
    }
}

/// Turns a parsed pattern into instructions.
struct PatternAssembler {
    /// The largest number of instructions, with repetitions expanded.
    static let instructionsLimit = 5000

    private static let tooLong = PatternError(
        message: "it is too long when its repetitions are expanded"
    )

    private let limit: Int
    private var program: [PatternInstruction] = []
    /// Instructions of lookaheads and lookbehinds, which are programs of their own.
    private var size = 0
    /// An empty repetition leaves no instruction, but its loop must still end.
    private var visits = 0
    /// Whether the program reads from the end to the start.
    private var isBackward = false

    private init(limit: Int) {
        self.limit = limit
    }

    /// The instructions for a pattern, and how many they are with those of its lookaheads.
    static func assemble(
        _ tree: PatternTree,
        limit: Int
    ) throws(PatternError) -> ([PatternInstruction], size: Int) {
        var assembler = PatternAssembler(limit: limit)
        try assembler.add(tree)
        try assembler.append(.found)
        return (assembler.program, assembler.size)
    }

    private mutating func append(_ instruction: PatternInstruction) throws(PatternError) {
        guard size < limit else { throw Self.tooLong }
        program.append(instruction)
        size += 1
    }

    private mutating func add(_ tree: PatternTree) throws(PatternError) {
        visits += 1
        guard visits <= 10 * limit else { throw Self.tooLong }
        switch tree {
        case .set(let set): try append(.read(set))
        case .assertion(let assertion): try append(.check(assertion))
        case .sequence(let parts):
            for part in isBackward ? parts.reversed() : parts { try add(part) }
        case .look(let part, let isBackward, let isNegative):
            try add(look: part, isBackward: isBackward, isNegative: isNegative)
        case .choice(let alternatives): try add(alternatives: alternatives[...])
        case .repetition(let part, let minimum, let maximum):
            for _ in 0..<minimum { try add(part) }
            if let maximum {
                try add(part, upTo: maximum - minimum)
            } else {
                let fork = program.count
                try append(.fork(0, 0))
                try add(part)
                try append(.jump(fork))
                program[fork] = .fork(fork + 1, program.count)
            }
        }
    }

    private mutating func add(
        look part: PatternTree,
        isBackward: Bool,
        isNegative: Bool
    ) throws(PatternError) {
        let outer = (program, self.isBackward)
        (program, self.isBackward) = ([], isBackward)
        try add(part)
        try append(.found)
        let look = PatternLook(
            program: program,
            isBackward: isBackward,
            isNegative: isNegative
        )
        (program, self.isBackward) = outer
        try append(.check(.look(look)))
    }

    private mutating func add(_ part: PatternTree, upTo times: Int) throws(PatternError) {
        var forks: [Int] = []
        for _ in 0..<times {
            forks.append(program.count)
            try append(.fork(0, 0))
            try add(part)
        }
        for fork in forks { program[fork] = .fork(fork + 1, program.count) }
    }

    private mutating func add(
        alternatives: ArraySlice<PatternTree>
    ) throws(PatternError) {
        var jumps: [Int] = []
        for (position, alternative) in alternatives.enumerated() {
            let fork = program.count
            let isLast = position == alternatives.count - 1
            if !isLast { try append(.fork(0, 0)) }
            try add(alternative)
            if isLast { break }
            jumps.append(program.count)
            try append(.jump(0))
            program[fork] = .fork(fork + 1, program.count)
        }
        for jump in jumps { program[jump] = .jump(program.count) }
    }
}
