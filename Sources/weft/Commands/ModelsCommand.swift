// `weft models check`: one small call to each configured model. The results of a call are in
// ModelCheck.
internal import ArgumentParser
internal import Configuration
internal import Console
internal import Coordinator
internal import FoundationEssentials
internal import JSON
internal import LanguageModels
internal import PlannerCore
internal import UVLoop

struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "Checks the configured language models.",
        subcommands: [ModelsCheckCommand.self]
    )
}

struct ModelsCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Calls each configured model once and says what works.",
        discussion: """
            A model works if it can be reached and replies to what it is asked, to the end. \
            Whether it streams, keeps to a schema or a grammar and reports its usage is said too, \
            but does not make it fail: plans are read from any text. The exit code is 0 if all \
            models work, 1 if one does not, 2 for a configuration that cannot be used. The calls \
            cost a few tokens. Example:

              weft models check --config weft.yaml
            """
    )

    @OptionGroup var file: ConfigurationFile
    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let configuration = try file.read().models
        guard configuration.planner != nil || configuration.joiner != nil else {
            throw CommandFailure(.usage, "\(try file.path()) names no model.")
        }
        var checks: [(name: String, check: ModelCheck)] = []
        try Session.run { session in
            let models = try Self.models(of: configuration, session)
            // Grammars are tried even if the file does not ask for them.
            let trying = configuration.tryingGrammars
            let bound = try Self.models(of: trying, session)
            var open: (any ModelCall)?
            session.onEnd = { then in
                models.close()
                bound.close()
                then()
            }
            // A program that is called must not be left running.
            session.onInterrupt = {
                session.end(CommandFailure(.interrupted))
                open?.cancel()
            }
            var waiting = [
                (
                    "planner", configuration.planner.flatMap { _ in models.planner },
                    trying.planner.flatMap { _ in bound.planner }
                ),
                (
                    "joiner", configuration.joiner.flatMap { _ in models.joiner },
                    trying.joiner.flatMap { _ in bound.joiner }
                ),
            ]
            func next() {
                guard !waiting.isEmpty else { return session.end() }
                let (name, model, bound) = waiting.removeFirst()
                guard let model else { return next() }
                let start = session.loop.nowNanoseconds
                var check = ModelCheck()
                open = model.call(ModelCheck.request) { event in
                    let time = Double(session.loop.nowNanoseconds - start) / 1e6
                    check.handle(event, milliseconds: time)
                    guard check.hasEnded else { return }
                    // Cancelled by an interrupt: no further calls.
                    if check.failure?.code == .cancelled { return checks.append((name, check)) }
                    guard check.works, let bound else {
                        checks.append((name, check))
                        return next()
                    }
                    open = bound.call(ModelCheck.boundRequest) { event in
                        guard check.handleBound(event) else { return }
                        checks.append((name, check))
                        if !check.isInterrupted { next() }
                    }
                }
            }
            next()
        }
        show(checks)
        guard checks.allSatisfy(\.check.works) else { throw CommandFailure(.failed) }
    }

    private static func models(
        of configuration: ModelConfiguration,
        _ session: Session
    ) throws(CommandFailure) -> ModelCatalogue {
        do throws(ModelConfigurationError) {
            return try ModelCatalogue.make(
                configuration,
                loop: session.loop,
                environment: ProcessInfo.processInfo.environment
            )
        } catch {
            throw CommandFailure(.usage, error.problems.map { "error: \($0)" })
        }
    }

    private func show(_ checks: [(name: String, check: ModelCheck)]) {
        let printer = Printer()
        guard json else {
            for (name, check) in checks {
                printer.lines(["\(name) \(check.works ? "works" : "does not work")"])
                printer.pairs(check.lines.map { ("  \($0.name)", $0.value) })
            }
            return
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("works", checks.allSatisfy(\.check.works))
        writer.key("models")
        writer.beginArray()
        for (name, check) in checks { check.encode(as: name, into: &writer) }
        writer.endArray()
        writer.endObject()
        writer.newline()
        Output.standard.writeNow(writer.bytes)
    }
}
