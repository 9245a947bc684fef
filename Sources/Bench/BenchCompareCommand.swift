// `weft bench compare`: two files of `weft bench all` side by side.

internal import ArgumentParser
internal import Console
internal import FoundationEssentials
internal import JSON
internal import OrderedCollections

struct BenchCompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Shows two files of weft bench all side by side.",
        discussion: """
            The ratio is the second file's figure over the first one's. Shapes and figures that \
            only one of them has, or that differ in their number of nodes, are left out.
            """
    )

    @Argument(help: "The file to compare with, such as that of an earlier version.")
    var before: String
    @Argument(help: "The file to compare.")
    var after: String
    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let comparison = BenchComparison(try Self.read(before), try Self.read(after))
        if json {
            var writer = JSONWriter()
            comparison.encode(into: &writer)
            writer.newline()
            Output.standard.writeNow(writer.bytes)
        } else {
            let printer = Printer()
            printer.pairs([
                ("first", "\(before): \(comparison.origins.before)"),
                ("second", "\(after): \(comparison.origins.after)"),
            ])
            printer.table(comparison.table)
        }
    }

    private static func read(_ path: String) throws -> JSONValue {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(.usage, "\(path) cannot be read.")
        }
        guard let document = try? JSONValue(parsing: Array(data)),
            document["shapes"]?.arrayValue != nil
        else {
            throw CommandFailure(
                .usage,
                "\(path) was not written by weft bench all: it has no list of shapes."
            )
        }
        return document
    }
}

/// Two records of figures, matched by shape and name.
struct BenchComparison {
    struct Row {
        var shape: String
        var figure: String
        var before: Double
        var after: Double

        /// Nil when there is nothing to divide by.
        var ratio: Double? {
            before == 0 ? nil : (after / before * 1_000).rounded() / 1_000
        }
    }

    private(set) var rows: [Row] = []
    private(set) var origins: (before: String, after: String)

    /// Fields that describe a shape and are not figures.
    private static let descriptions = ["shape", "nodes", "workers", "slots", "cores"]

    init(_ before: JSONValue, _ after: JSONValue) {
        origins = (Self.origin(of: before), Self.origin(of: after))
        let others = after["shapes"]?.arrayValue ?? []
        for shape in before["shapes"]?.arrayValue ?? [] {
            let name = shape.text("shape")
            guard let other = others.first(where: { $0.text("shape") == name }),
                shape["nodes"] == other["nodes"]
            else { continue }
            for (figure, value) in shape.objectValue ?? [:] {
                guard !Self.descriptions.contains(figure), let value = value.doubleValue,
                    let otherValue = other[figure]?.doubleValue
                else { continue }
                rows.append(Row(shape: name, figure: figure, before: value, after: otherValue))
            }
        }
    }

    private static func origin(of record: JSONValue) -> String {
        "\(record.text("date")), \(record.number("cores")) cores, \(record.text("processor"))"
    }

    func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("before", origins.before)
        writer.field("after", origins.after)
        writer.key("figures")
        writer.beginArray()
        for row in rows {
            writer.beginObject()
            writer.field("shape", row.shape)
            writer.field("figure", row.figure)
            writer.field("before", row.before)
            writer.field("after", row.after)
            writer.field("ratio", row.ratio)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    var table: TextTable {
        var table = TextTable([
            .init(title: "SHAPE"), .init(title: "FIGURE"), .init(title: "FIRST", isNumeric: true),
            .init(title: "SECOND", isNumeric: true), .init(title: "RATIO", isNumeric: true),
        ])
        for row in rows {
            table.add([
                .init(row.shape), .init(row.figure), .init(BenchFigures.text(row.before)),
                .init(BenchFigures.text(row.after)), .init(row.ratio.map { "\($0)" } ?? ""),
            ])
        }
        return table
    }
}
