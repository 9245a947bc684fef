// Explains the wall times of many runs together, for `weft analyse --since`. Not here: the sum
// (RunsAnalysis), that of a single run (AnalyseCommand).
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Reports
internal import Wire

/// Asks for the facts of runs, one run after the other, and prints their sum.
final class AnalysisOfRuns {
    /// Runs that are analysed at most, the newest.
    private static let maximumRuns = 1000
    /// Runs and tools that are listed.
    private static let listed = 10

    private let client: LastingClient
    private var analysis = RunsAnalysis()
    private let then: (Result<RunsAnalysis, ClientError>) -> Void

    private init(
        _ client: LastingClient,
        then: @escaping (Result<RunsAnalysis, ClientError>) -> Void
    ) {
        self.client = client
        self.then = then
    }

    /// Asks about the runs that pass a filter and sums them up.
    static func ask(
        _ filter: RunsFilter,
        _ options: CoordinatorClient.Options,
        _ reconnecting: Duration
    ) throws -> RunsAnalysis {
        var analysis = RunsAnalysis()
        try Session.run { session in
            session.connect(options, reconnecting: reconnecting) { client in
                AnalysisOfRuns(client) { result in
                    switch result {
                    case .success(let sum):
                        analysis = sum
                        session.end()
                    case .failure(let error): session.end(CommandFailure(error))
                    }
                }
                .start(filter)
            }
        }
        return analysis
    }

    private func start(_ filter: RunsFilter) {
        client.get(.runs, limit: Self.maximumRuns, runs: filter) { [self] result in
            do {
                let runs = try RunDocument.list(decoding: try result.get())
                if runs.count == Self.maximumRuns {
                    Shell.tell("Only the newest \(Self.maximumRuns) runs are analysed.")
                }
                askOn(runs.map(\.run)[...])
            } catch let error as WireError {
                then(.failure(.unreadable(error)))
            } catch let error as ClientError {
                then(.failure(error))
            } catch {
                preconditionFailure("nothing else is thrown: \(error)")
            }
        }
    }

    private func askOn(_ runs: ArraySlice<RunID>) {
        guard let run = runs.first else { return then(.success(analysis)) }
        let wants: FactsRequest.Wants = [.dependencies, .attempts, .criticalStories]
        FactsRequest.ask(client, run, wants) { [self] result in
            switch result {
            case .success(let facts): analysis.add(facts)
            // The coordinator keeps only so many that have ended.
            case .failure(let error) where error.code == .unknownRun: break
            case .failure(let error): return then(.failure(error))
            }
            askOn(runs.dropFirst())
        }
    }

    // MARK: - Printing

    static func show(_ analysis: RunsAnalysis, json: Bool) {
        let printer = Printer()
        if json { return printer.json(analysis.document) }
        let runs = analysis.runs
        guard !runs.isEmpty else { return printer.lines(["No such runs are kept."]) }
        let counts = RunStatus.allCases.map { ($0, analysis.count($0)) }.filter { $0.1 > 0 }
            .map { "\($0.1) \($0.0.rawValue)" }
        printer.lines([
            "\(Text.count(runs.count, "run")): \(counts.joined(separator: ", ")); "
                + Text.count(analysis.nodes, "node"),
            "",
        ])
        let models = analysis.modelTime > 0 ? analysis.modelTime : nil
        printer.table(AnalyseCommand.sum(analysis.parts, models, "of all runs together"))
        let which = runs.count > listed ? ", the slowest \(listed)" : ""
        printer.lines(["", "Runs\(which):"])
        printer.table(table(ofRuns: runs))
        let tools = analysis.tools
        guard !tools.isEmpty else { return }
        let dearest = tools.count > listed ? ", the \(listed) that took most time" : ""
        printer.lines(["", "Tools\(dearest):"])
        printer.table(table(ofTools: tools))
    }

    private static func table(ofRuns runs: [RunsAnalysis.Entry]) -> TextTable {
        var table = TextTable([
            .init(title: "RUN"), .init(title: "STATUS"), .init(title: "NODES", isNumeric: true),
            .init(title: "WALL", isNumeric: true), .init(title: "TOOLS", isNumeric: true),
            .init(title: "SLOTS", isNumeric: true), .init(title: "REST", isNumeric: true),
            .init(title: "LABEL", isElastic: true),
        ])
        for run in runs.prefix(listed) {
            let parts = run.parts
            table.add([
                .init(run.run.text), .state(run.status.rawValue), .init("\(run.nodes)"),
                .init(Text.duration(microseconds: parts.sum)),
                .init(Text.duration(microseconds: parts.tools)),
                .init(Text.duration(microseconds: parts.slots)),
                .init(Text.duration(microseconds: parts.sum - parts.tools - parts.slots)),
                .init(run.label ?? ""),
            ])
        }
        return table
    }

    private static func table(ofTools tools: [RunsAnalysis.Tool]) -> TextTable {
        var table = TextTable([
            .init(title: "TOOL"), .init(title: "NODES", isNumeric: true),
            .init(title: "ATTEMPTS", isNumeric: true), .init(title: "FAILED", isNumeric: true),
            .init(title: "WORKED", isNumeric: true), .init(title: "CRITICAL", isNumeric: true),
            .init(title: "SLOTS", isNumeric: true),
        ])
        for tool in tools.prefix(listed) {
            table.add([
                .init(tool.name), .init("\(tool.nodes)"), .init("\(tool.attempts)"),
                .init("\(tool.failed)", tool.failed > 0 ? .red : nil),
                .init(Text.duration(microseconds: tool.work)),
                .init(Text.duration(microseconds: tool.critical)),
                .init(Text.duration(microseconds: tool.slots)),
            ])
        }
        return table
    }
}

@available(*, unavailable)
extension AnalysisOfRuns: Sendable {}
