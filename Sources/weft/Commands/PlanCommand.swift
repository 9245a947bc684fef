// `weft plan`: checks and draws a plan without running it.
internal import ArgumentParser
internal import JSON
internal import Plans
internal import Tools

struct PlanCommand: ParsableCommand {
    /// The forms a plan can be printed in.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case dot
        case mermaid
        case json
    }

    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Checks a plan, or draws it.",
        discussion: """
            Every problem at once, also tool names and arguments when the manifest is given:

              weft plan --check plan.json --tools tools.yaml

            A picture by Graphviz, and the plan in its normal form:

              weft plan --check plan.json --format dot | dot -Tsvg > plan.svg
              weft plan --check plan.json --format json
            """
    )

    @Option(help: ArgumentHelp("The plan to check; - for standard input.", valueName: "file"))
    var check: String
    @Option(help: ArgumentHelp("The manifest of the tools it may use.", valueName: "tools.yaml"))
    var tools: String?
    @Option(help: "Print the plan as dot, mermaid or json if it has no errors.")
    var format: Format?
    @Flag(help: "Print {\"valid\",\"nodes\",\"problems\"} as JSON.")
    var json = false

    func validate() throws {
        if json, format != nil {
            throw ValidationError("--json prints problems and --format the plan; choose one.")
        }
    }

    func run() throws {
        var file = try PlanFile.read(check)
        if let tools {
            do throws(ManifestError) {
                file.check(against: try Manifest.load(path: tools))
            } catch {
                throw CommandFailure(error)
            }
        }
        if json {
            Output.standard.writeNow(file.problems.document(nodes: file.nodeCount))
        } else {
            CommandFailure(.usage, file.problems.map(\.line)).report()
        }
        guard file.isValid else { throw CommandFailure(.usage) }
        if let format {
            Output.standard.writeNow(Self.text(of: file, as: format))
        } else if !json {
            Output.standard.writeNow(
                "The plan is good: \(Text.count(file.nodeCount, "node")).\n"
            )
        }
    }

    private static func text(of file: PlanFile, as format: Format) -> [UInt8] {
        let document = PlanDocument.read(file.bytes).document
        switch format {
        case .dot: return Array(PlanDrawing.dot(document).utf8)
        case .mermaid: return Array(PlanDrawing.mermaid(document).utf8)
        case .json:
            var writer = JSONWriter(reserving: file.bytes.count)
            document.encode(into: &writer)
            writer.newline()
            return writer.bytes
        }
    }
}
