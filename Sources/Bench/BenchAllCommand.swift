// `weft bench all`: every shape several times, and a file of the medians.

internal import ArgumentParser
internal import Console
internal import FoundationEssentials
internal import Glibc
internal import JSON

struct BenchAllCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all",
        abstract: "Measures every shape several times and keeps the medians.",
        discussion: """
            Takes about three minutes. The file names date and machine; two of them are put side \
            by side by weft bench compare.
            """
    )

    @Option(help: "How many times each shape is measured.")
    var rounds = 3
    @Flag(help: "A small size of each shape, only to check that everything works.")
    var quick = false
    @Option(help: ArgumentHelp("Write the JSON document to a file.", valueName: "file"))
    var out: String?
    @Flag(help: "Print the JSON document.")
    var json = false

    func validate() throws {
        guard (1...99).contains(rounds) else {
            throw ValidationError("--rounds must be from 1 to 99.")
        }
    }

    func run() throws {
        try checkOut()
        var record = BenchRecord.ofThisMachine(rounds: rounds, isQuick: quick)
        for shape in BenchShape.allCases {
            var figures: [BenchFigures] = []
            for round in 1...rounds {
                if isatty(STDERR_FILENO) == 1 {
                    Shell.tell("\(shape.rawValue), round \(round) of \(rounds) …")
                }
                figures.append(try BenchRunner.measure(settings(of: shape)))
            }
            if let medians = BenchFigures.medians(of: figures) { record.shapes.append(medians) }
        }
        var writer = JSONWriter()
        record.encode(into: &writer)
        writer.newline()
        if let out { try write(writer.bytes, to: out) }
        guard !json else {
            Output.standard.writeNow(writer.bytes)
            return
        }
        let printer = Printer()
        for shape in record.shapes {
            printer.pairs(shape.lines)
            printer.lines([""])
        }
    }

    private func settings(of shape: BenchShape) -> BenchRunner.Settings {
        BenchRunner.Settings(
            shape: shape,
            nodes: quick ? min(shape.defaultNodes / 10, 100) : shape.defaultNodes,
            workers: 2,
            slots: shape.defaultSlots,
            idleTime: quick ? .milliseconds(300) : .seconds(6)
        )
    }

    /// Checks before minutes of measuring whether the results can be written.
    private func checkOut() throws {
        guard let out else { return }
        let descriptor = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.cannotWrite(out, .usage) }
        close(descriptor)
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { throw Self.cannotWrite(path, .usage) }
        let output = Output(descriptor: descriptor)
        guard output.writeNow(bytes), output.closed() else {
            throw Self.cannotWrite(path, .failed)
        }
    }
}

extension BenchAllCommand {
    private static func cannotWrite(_ path: String, _ status: ExitStatus) -> CommandFailure {
        CommandFailure(status, "\(path) cannot be written: \(Output.lastReason()).")
    }
}

/// The figures of all shapes, with when and where they were measured.
struct BenchRecord {
    var date: String
    var cores: Int
    var processor: String
    /// The load of the machine, over the minute before.
    var load: Double
    var rounds: Int
    var isQuick: Bool
    var shapes: [BenchFigures] = []

    static func ofThisMachine(rounds: Int, isQuick: Bool) -> BenchRecord {
        var load = [0.0]
        getloadavg(&load, 1)
        let contents = FileManager.default.contents(atPath: "/proc/cpuinfo") ?? Data()
        let model = String(decoding: contents, as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix("model name") }?
            .split(separator: ":").last
        return BenchRecord(
            date: Date().formatted(.iso8601),
            cores: ProcessInfo.processInfo.activeProcessorCount,
            processor: model.map { $0.drop { $0 == " " } }.map(String.init) ?? "unknown",
            load: load[0],
            rounds: rounds,
            isQuick: isQuick
        )
    }

    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("date", date)
        writer.field("software", WeftlineVersion.software)
        writer.field("cores", cores)
        writer.field("processor", processor)
        writer.field("load", (load * 100).rounded() / 100)
        writer.field("rounds", rounds)
        writer.field("quick", isQuick)
        writer.key("shapes")
        writer.beginArray()
        for shape in shapes { shape.encode(into: &writer) }
        writer.endArray()
        writer.endObject()
    }
}
