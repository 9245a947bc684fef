// The log of the journal as bytes: one frame for each batch, with a checksum over its place, its count
// and its records, as rows of the real journal have it. Frames are modelled; records are in their real
// form.

import Core
import JSON
import Runs

@testable import CoordinatorCore

/// The newest batches on a disk, the last of which may be there in part, or changed.
struct SimulatedDisk {
    /// Why the log cannot be used.
    struct Damage: Error, CustomStringConvertible {
        var description: String
    }

    private(set) var bytes: [UInt8] = []
    /// Where each frame begins.
    private var starts: [Int] = []
    /// The number of the first frame; others follow.
    private let first: Int

    private static let mark: [UInt8] = [1, 0x57, 0x41, 0x4C]
    private static let headerSize = 24

    init(first: Int) { self.first = first }

    // MARK: - Writing

    /// Writes a batch, or as many bytes of it as `fraction` of 1,000 says.
    mutating func append(_ records: [NewRecord], permille: Int = 1_000) {
        let body = Self.lines(of: records)
        let number = first + starts.count
        starts.append(bytes.count)
        var frame = Self.mark
        Self.write(UInt64(number), 4, to: &frame)
        Self.write(UInt64(records.count), 4, to: &frame)
        Self.write(UInt64(body.count), 4, to: &frame)
        Self.write(Self.checksum(of: body[...], number, records.count, body.count), 8, to: &frame)
        frame += body
        bytes += permille < 1_000 ? frame.prefix(frame.count * permille / 1_000) : frame[...]
    }

    /// Changes one bit of a frame, chosen by a number.
    mutating func flip(_ choice: Int, ofFrame frame: Int) {
        let end = frame + 1 < starts.count ? starts[frame + 1] : bytes.count
        let bit = choice % ((end - starts[frame]) * 8)
        bytes[starts[frame] + bit / 8] ^= 1 << UInt8(bit % 8)
    }

    /// The records, one a line.
    static func lines(of records: [NewRecord]) -> [UInt8] {
        var lines: [UInt8] = []
        for record in records {
            switch record {
            case .run(let run, let record): add("R", run.text, record.document, to: &lines)
            case .summary(let run, let document): add("S", run.text, document, to: &lines)
            case .worker(let name, let document): add("W", name, document, to: &lines)
            case .workerLeft(let name): add("L", name, .null, to: &lines)
            }
        }
        return lines
    }

    private static func add(
        _ kind: String,
        _ name: String,
        _ document: RawJSON,
        to lines: inout [UInt8]
    ) {
        lines += Array("\(kind)\(name) ".utf8)
        lines += document.bytes
        lines.append(UInt8(ascii: "\n"))
    }

    private static func write(_ number: UInt64, _ size: Int, to bytes: inout [UInt8]) {
        for index in 0..<size { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * index))) }
    }

    private static func checksum(of body: ArraySlice<UInt8>, _ numbers: Int...) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for number in numbers {
            for index in 0..<8 { add(UInt8(truncatingIfNeeded: number >> (8 * index))) }
        }
        for byte in body { add(byte) }
        return hash
    }

    // MARK: - Reading

    /// All whole batches; what does not fit ends the log, unless another batch follows it.
    func read() throws(Damage) -> [[NewRecord]] {
        var found: [[NewRecord]] = []
        var offset = 0
        while offset < bytes.count {
            let number = first + found.count
            guard let frame = frame(at: offset, number) else {
                let rest = (offset + 1)..<max(bytes.count - Self.headerSize, offset + 1)
                let isFollowed = rest.contains { offset in
                    bytes[offset] == Self.mark[0] && self.frame(at: offset, nil) != nil
                }
                guard !isFollowed else {
                    throw Damage(description: "batch \(number) is broken, and not the last one")
                }
                return found
            }
            found.append(try Self.decode(bytes[frame.body], frame.count))
            offset = frame.body.upperBound
        }
        return found
    }

    /// A frame with this number, or any, whose checksum fits; nil if there is none.
    private func frame(at start: Int, _ wanted: Int?) -> (body: Range<Int>, count: Int)? {
        let begin = start + Self.headerSize
        guard begin <= bytes.count, bytes[start..<start + 4].elementsEqual(Self.mark) else {
            return nil
        }
        func number(_ offset: Int, _ size: Int) -> UInt64 {
            (0..<size).reduce(0) { $0 | UInt64(bytes[start + offset + $1]) << UInt64(8 * $1) }
        }
        let (place, count, size) = (Int(number(4, 4)), Int(number(8, 4)), Int(number(12, 4)))
        // A frame that broke off is one whose checksum does not fit.
        let body = begin..<min(begin + size, bytes.count)
        guard place == wanted ?? place,
            Self.checksum(of: bytes[body], place, count, size) == number(16, 8)
        else { return nil }
        return (body, count)
    }

    private static func decode(
        _ body: ArraySlice<UInt8>,
        _ count: Int
    ) throws(Damage) -> [NewRecord] {
        var records: [NewRecord] = []
        for line in body.split(separator: UInt8(ascii: "\n")) {
            guard let space = line.firstIndex(of: UInt8(ascii: " ")), let kind = line.first,
                let document = try? RawJSON(validating: line[(space + 1)...])
            else { throw Damage(description: "a line is none") }
            let name = String(decoding: line[(line.startIndex + 1)..<space], as: UTF8.self)
            switch (kind, RunID(name)) {
            case (UInt8(ascii: "R"), let run?):
                guard let record = try? RunRecord(decoding: document) else {
                    throw Damage(description: "a record of \(run) cannot be read")
                }
                records.append(.run(run, record))
            case (UInt8(ascii: "S"), let run?): records.append(.summary(run, document))
            case (UInt8(ascii: "W"), _): records.append(.worker(name: name, document))
            case (UInt8(ascii: "L"), _): records.append(.workerLeft(name: name))
            default: throw Damage(description: "a line is of no kind")
            }
        }
        guard records.count == count else {
            throw Damage(description: "a batch has \(records.count) records instead of \(count)")
        }
        return records
    }
}

extension SimulatedCluster {
    /// How many batches are read after a crash: those that were confirmed, and some that were not.
    ///
    /// The write under way may have broken off, or have left a changed bit.
    func countAfterCrash() -> Int {
        let written = journal.writtenCount
        if isShared {
            // The database writes each batch or none.
            let isCut = now < journal.cutUntil
            let sent = isCut ? journal.sentCount : journal.batches.count
            return draw.int(written...max(sent, written))
        }
        let whole = draw.int(written...journal.batches.count)
        guard draw.permille(600) else { return whole }
        let first = max(written - 2, 0)
        var disk = SimulatedDisk(first: first)
        for batch in journal.batches[first..<whole] { disk.append(batch.records) }
        var expected = whole
        if whole < journal.batches.count, whole == written || draw.permille(500) {
            faults.note(.tornWrite)
            disk.append(journal.batches[whole].records, permille: draw.int(0...999))
        } else if whole > written {
            faults.note(.flippedBit)
            disk.flip(draw.int(0...1 << 30), ofFrame: whole - 1 - first)
            expected -= 1
        } else {
            return whole
        }
        do {
            let read = try disk.read().map(SimulatedDisk.lines)
            let written = journal.batches[first..<expected].map(\.records)
            let wanted = written.map(SimulatedDisk.lines)
            if read != wanted { broken("the last write broke off, and other records were read") }
        } catch {
            broken("the last write broke off, and the journal is refused: \(error)")
        }
        // What follows it must be whole, or it may have been the last one.
        if expected > first + 1 { spoil(disk, draw.int(0...expected - first - 2)) }
        return expected
    }

    /// A changed bit before the last batch is never taken for the end of the log.
    private func spoil(_ disk: SimulatedDisk, _ frame: Int) {
        faults.note(.journalRefused)
        var spoilt = disk
        spoilt.flip(draw.int(0...1 << 30), ofFrame: frame)
        if let read = try? spoilt.read() {
            broken("a bit was changed in the middle, and \(read.count) batches were read")
        }
    }
}
