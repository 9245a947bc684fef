// The form of the command line: the commands, their options and arguments, read from the parser's
// own description. Not here: whether an argument is valid (CommandLineCheck).
internal import ArgumentParser
internal import Console
internal import JSON

/// A command with its options and subcommands.
struct CommandShape {
    /// An option or flag.
    struct Option {
        /// The names as written: `--plan`, `-q`.
        var names: [String]
        /// Whether the next argument is its value.
        var takesValue: Bool
        /// The words that its value can be; empty if it can be any text.
        var words: [String] = []
    }

    /// An argument without a name.
    struct Positional {
        var name: String
        var isRepeating: Bool
        /// The words it can be; empty if it can be any text.
        var words: [String]
    }

    /// The words of the command: `weft bench all`.
    var path: String
    var options: [Option]
    var positionals: [Positional]
    /// By their last word.
    var subcommands: [(name: String, shape: CommandShape)]
    /// The default subcommand.
    var defaultSubcommand: String?

    /// The complete command line of `weft`.
    static let weft: CommandShape? = {
        guard let tree = try? JSONValue(parsing: Array(Weft._dumpHelp().utf8)),
            let command = tree["command"]
        else { return nil }
        return CommandShape(command, path: command.text("commandName"))
    }()

    /// Reads a command of the description.
    init(_ command: JSONValue, path: String) {
        self.path = path
        options = []
        positionals = []
        for argument in command["arguments"]?.arrayValue ?? [] {
            if argument.text("kind") == "positional" {
                positionals.append(
                    Positional(
                        name: argument.text("valueName"),
                        isRepeating: argument["isRepeating"]?.boolValue ?? false,
                        words: argument.texts("allValues")
                    )
                )
                continue
            }
            let names = (argument["names"]?.arrayValue ?? [])
                .map { ($0.text("kind") == "long" ? "--" : "-") + $0.text("name") }
            options.append(
                Option(
                    names: names,
                    takesValue: argument.text("kind") == "option",
                    words: argument.texts("allValues")
                )
            )
        }
        // The parser has these without describing them.
        options.append(Option(names: ["--help", "-h"], takesValue: false))
        options.append(Option(names: ["--version"], takesValue: false))
        defaultSubcommand = command["defaultSubcommand"]?.stringValue
        subcommands = (command["subcommands"]?.arrayValue ?? [])
            .map { subcommand in
                let name = subcommand.text("commandName")
                return (name, CommandShape(subcommand, path: "\(path) \(name)"))
            }
    }

    func option(named name: String) -> Option? { options.first { $0.names.contains(name) } }

    func subcommand(named name: String) -> CommandShape? {
        subcommands.first { $0.name == name }?.shape
    }

    /// The command named by the first arguments; the parser allows no options before a subcommand.
    func command(in arguments: [String]) -> CommandShape {
        var command = self
        for argument in arguments {
            guard let next = command.subcommand(named: argument) else { break }
            command = next
        }
        guard let name = command.defaultSubcommand else { return command }
        return command.subcommand(named: name) ?? command
    }

    /// The commands below this one, and itself, that have an option.
    func paths(having option: String) -> [String] {
        (self.option(named: option) != nil ? [path] : [])
            + subcommands.flatMap { $0.shape.paths(having: option) }
    }
}
