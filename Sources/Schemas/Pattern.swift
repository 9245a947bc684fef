// Regular expressions of schemas, matched in time linear in the text. A backtracking engine can
// take exponential time for a pattern such as (a+)+$; here all ways through the pattern are
// followed in parallel, one code point at a time. Parsing is in PatternParser.swift.

/// A regular expression with the syntax of ECMAScript, without lookaround and backreferences.
struct Pattern: Sendable {
    let source: String
    private let program: [PatternInstruction]

    /// The memory of a check of the pattern: its instructions, with repetitions expanded.
    var size: Int { program.count }

    /// Compiles a pattern into at most that many instructions.
    init(
        _ source: String,
        limit: Int = PatternAssembler.instructionsLimit
    ) throws(PatternError) {
        self.source = source
        var parser = PatternParser(source)
        program = try PatternAssembler.assemble(try parser.parse(), limit: limit)
    }

    /// Whether the pattern is found anywhere in the text; nil when `steps` are used up.
    ///
    /// Each instruction costs a step, and so does each part of a class that is compared with a code
    /// point.
    func isFound(in text: String, steps: inout Int) -> Bool? {
        steps -= program.count
        var current = PatternThreads(count: program.count)
        var next = PatternThreads(count: program.count)
        var previous: Unicode.Scalar?
        var scalars = text.unicodeScalars.makeIterator()
        var scalar = scalars.next()
        while true {
            // The search is unanchored: a new attempt starts at each position.
            let place = PatternPlace(before: previous, after: scalar)
            if current.add(0, of: program, at: place, steps: &steps) { return true }
            steps -= 1
            if steps < 0 { return nil }
            guard let read = scalar else { return false }
            scalar = scalars.next()
            let behind = PatternPlace(before: read, after: scalar)
            next.removeAll()
            for position in current.waiting {
                guard case .read(let set) = program[position] else { continue }
                steps -= set.weight
                guard set.contains(read) else { continue }
                if next.add(position + 1, of: program, at: behind, steps: &steps) { return true }
            }
            swap(&current, &next)
            previous = read
        }
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

    func holds(at place: PatternPlace) -> Bool {
        switch self {
        case .start: place.before == nil
        case .end: place.after == nil
        case .wordBoundary: place.isWordBoundary
        case .noWordBoundary: !place.isWordBoundary
        }
    }
}

/// A position between two code points of a text.
struct PatternPlace {
    var before: Unicode.Scalar?
    var after: Unicode.Scalar?

    var isWordBoundary: Bool {
        let word = ScalarSet.word
        return before.map(word.contains) ?? false != after.map(word.contains) ?? false
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
                if assertion.holds(at: place) { pending.append(position + 1) }
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
    /// An empty repetition leaves no instruction, but its loop must still end.
    private var visits = 0

    private init(limit: Int) {
        self.limit = limit
    }

    static func assemble(
        _ tree: PatternTree,
        limit: Int
    ) throws(PatternError) -> [PatternInstruction] {
        var assembler = PatternAssembler(limit: limit)
        try assembler.add(tree)
        try assembler.append(.found)
        return assembler.program
    }

    private mutating func append(_ instruction: PatternInstruction) throws(PatternError) {
        guard program.count < limit else { throw Self.tooLong }
        program.append(instruction)
    }

    private mutating func add(_ tree: PatternTree) throws(PatternError) {
        visits += 1
        guard visits <= 10 * limit else { throw Self.tooLong }
        switch tree {
        case .set(let set): try append(.read(set))
        case .assertion(let assertion): try append(.check(assertion))
        case .sequence(let parts):
            for part in parts { try add(part) }
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
