// Every argument of every command with a wrong value: the error is one sentence that names it.
import ArgumentParser
import Testing

@testable import Console
@testable import weft

@Suite("Errors for wrong arguments")
struct UsageErrorTests {
    private static let shape = known(CommandShape.weft)

    /// Every command that has no subcommands.
    private static let commands: [CommandShape] = {
        func leaves(_ shape: CommandShape) -> [CommandShape] {
            shape.subcommands.isEmpty ? [shape] : shape.subcommands.flatMap { leaves($0.shape) }
        }
        return leaves(shape).filter { $0.path != "weft help" }
    }()

    /// The error of a command line; nil if the parser accepts it.
    private func problem(_ arguments: [String]) -> UsageError? {
        do {
            _ = try Weft.parseAsRoot(arguments)
            return nil
        } catch {
            return UsageError(
                message: Weft.message(for: error),
                arguments: arguments,
                shape: Self.shape
            )
        }
    }

    private func words(of path: String) -> [String] {
        path.split(separator: " ").dropFirst().map(String.init)
    }

    @Test(
        "The sentence lists the possible values",
        arguments: [
            ("run --plan", "--plan needs a value: <file>."),
            ("run --workers many", #"--workers cannot be "many": it must be a whole number."#),
            ("run --json=7", #"--json takes no value, but was given "7"."#),
            (
                "run --join all",
                "--join all is neither concat, json, llm or tool:NAME nor a file with a join line."
            ),
            (
                "run --timeout 5",
                #"--timeout: "5" has no unit. Write a duration with its unit: 500ms, 10s, 2m, 1h or 7d."#
            ),
            ("plan --format 7", #"--format cannot be "7". It can be dot, mermaid or json."#),
            ("show", "weft show needs an argument: <run>."),
            (
                "show AAA_",
                #"<run> cannot be "AAA_": it is no run's id: these have 1 to 15 of a-z, 0-9 and -."#
            ),
            ("bench compile", "weft bench compile needs --shape <shape>."),
            ("run", "Say what to run: --plan FILE, or a goal in quotes."),
        ]
    )
    func sentences(line: String, sentence: String) throws {
        let arguments = line.split(separator: " ").map(String.init)
        let error = try #require(problem(arguments))
        #expect(error.sentence == sentence)
        let command = arguments[0] == "bench" ? "weft bench compile" : "weft \(arguments[0])"
        #expect(error.failure.lines == ["error: \(sentence)", "See \(command) --help."])
    }

    @Test("Names every option without its value, and every flag with one, in one sentence")
    func everyOption() throws {
        for command in Self.commands {
            for option in command.options {
                for name in option.names where !["--help", "-h", "--version"].contains(name) {
                    let argument = option.takesValue ? name : "\(name)=7"
                    let error = try #require(problem(words(of: command.path) + [argument]))
                    let phrase = option.takesValue ? "needs a value: <" : "takes no value, but"
                    #expect(error.sentence.hasPrefix("\(name) \(phrase)"), "\(error.sentence)")
                    #expect(error.command == command.path)
                    check(error)
                }
            }
        }
    }

    @Test("Names every option with an invalid value in one sentence")
    func everyValue() throws {
        for command in Self.commands {
            for option in command.options where option.takesValue {
                let name = try #require(option.names.last)
                guard let error = problem(words(of: command.path) + [name, "%%"]) else { continue }
                check(error)
                if error.sentence.contains("%%") {
                    #expect(error.sentence.contains(name), "\(error.sentence)")
                } else {
                    // The value is valid, and something else is missing.
                    #expect(option.words.isEmpty, "\(name): \(error.sentence)")
                }
            }
        }
    }

    private func check(_ error: UsageError) {
        let sentence = error.sentence
        #expect(!sentence.contains("\n"), "\(sentence)")
        #expect(sentence.hasSuffix("."), "\(sentence)")
        for words in ["Help:", "Usage:", "Please provide", "is invalid for", "Missing"] {
            #expect(!sentence.contains(words), "\(sentence)")
        }
    }
}
