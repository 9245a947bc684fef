// Unknown arguments are reported with a suggestion, for every command.
import Testing

@testable import weft

@Suite("The check of the command line")
struct CommandLineTests {
    private static let shape = known(CommandShape.weft)

    /// Every command that has no subcommands.
    private static let commands: [CommandShape] = {
        func leaves(_ shape: CommandShape) -> [CommandShape] {
            shape.subcommands.isEmpty ? [shape] : shape.subcommands.flatMap { leaves($0.shape) }
        }
        return leaves(shape).filter { $0.path != "weft help" }
    }()

    private func problem(_ line: String, wantsHelp: Bool = false) -> String? {
        let arguments = line.split(separator: " ").map(String.init)
        return CommandLineCheck(Self.shape, checksOptions: !wantsHelp) { path in
            ["plan.json", "../plan.json", "tools.yaml", "README"].contains(path)
                ? .file : path == "Sources" ? .folder : nil
        }
        .problem(in: arguments)?.sentence
    }

    @Test(
        "Reports a misspelled option or command and suggests the right one",
        arguments: [
            ("run --wrokers 3 --plan x", "weft run has no option --wrokers", "--workers"),
            ("run --paln x", "weft run has no option --paln", "--plan"),
            ("run --paln=x", "weft run has no option --paln", "--plan"),
            ("run -plan x", "weft run has no option -plan", "--plan"),
            ("run --diag --plan x", "weft run has no option --diag", "--diagnostics"),
            ("plan --chekc x", "weft plan has no option --chekc", "--check"),
            ("plan --check x --fromat dot", "weft plan has no option --fromat", "--format"),
            ("worker --tool x", "weft worker has no option --tool", "--tools"),
            ("show r1 --jsno", "weft show has no option --jsno", "--json"),
            ("rnu", "weft has no command \"rnu\"", "run"),
            ("rnu --plan x", "weft has no command \"rnu\"", "run"),
            ("help rnu", "weft has no command \"rnu\"", "run"),
            ("help models chekc", "weft models has no command \"chekc\"", "check"),
            ("models chekc", "weft models has no command \"chekc\"", "check"),
            ("config chek --config x", "weft config has no command \"chek\"", "check"),
            ("keys lst", "weft keys has no command \"lst\"", "list"),
            ("keys rotat worker", "weft keys has no command \"rotat\"", "rotate"),
            ("plans lst", "weft plans has no command \"lst\"", "list"),
            ("bench chian", "weft bench has no command or shape \"chian\"", "chain"),
            ("bench compair a b", "weft bench has no command or shape \"compair\"", "compare"),
            ("bench chain --node 3", "weft bench plan has no option --node", "--nodes"),
            ("show r1 --status faild", "--status cannot be \"faild\"", "failed"),
            ("plan --check x --format=dto", "--format cannot be \"dto\"", "dot"),
            ("run x --strategy stream", "--strategy cannot be \"stream\"", "streamed"),
            ("--verison", "weft has no option --verison", "--version"),
        ]
    )
    func misspelt(line: String, sentence: String, meant: String) {
        #expect(problem(line) == "\(sentence). Did you mean \"\(meant)\"?")
    }

    @Test("Reads a negative number as the value of its option")
    func negative() {
        #expect(problem("run --slots -1 --plan x") == #"--slots cannot be "-1"."#)
        #expect(problem("show r1 --limit -0.5") == #"--limit cannot be "-0.5"."#)
        #expect(problem("run -1 --plan x") == "weft run has no option -1.")
    }

    @Test("Suggests every option of every command when two of its letters are swapped")
    func everyOption() throws {
        for command in Self.commands {
            for name in command.options.flatMap(\.names) where name.count > 5 {
                var letters = Array(name)
                let end = letters.count - 1
                guard letters[end] != letters[end - 1] else { continue }
                letters.swapAt(end, end - 1)
                let line = "\(command.path.dropFirst(5)) \(String(letters)) 3"
                let sentence = try #require(problem(line), "\(line)")
                #expect(sentence.hasPrefix("\(command.path) has no option"), "\(sentence)")
                #expect(sentence.hasSuffix("Did you mean \"\(name)\"?"), "\(sentence)")
            }
        }
    }

    @Test("Suggests every command when its first two letters are swapped")
    func everyCommand() {
        for (name, _) in Self.shape.subcommands where !name.hasPrefix("bench-") {
            var letters = Array(name)
            letters.swapAt(0, 1)
            for line in [String(letters), "help \(String(letters))", "\(String(letters)) --help"] {
                let sentence = problem(line, wantsHelp: line.contains("help"))
                #expect(sentence?.hasSuffix("Did you mean \"\(name)\"?") == true, "\(line)")
            }
        }
    }

    @Test("Accepts correct arguments and the values of options")
    func right() {
        for line in [
            "", "run --plan x --tools y --workers 3", "run --plan - --json", "run What-is-this",
            "run --plan=x --slots=3", "run Sources --config weft.yaml", "help run", "help",
            "worker -q --tools x", "coordinator -v", "bench chain --nodes 3", "bench all",
            "bench compare a b", "models check", "run -- --paln", "--version", "-h",
            "watch r1", "show r1 n1", "--generate-completion-script bash",
            "cancel r1 --reason tools.yaml", "bench",
        ] {
            #expect(problem(line) == nil, "\(line)")
        }
        #expect(problem("run --paln x --help", wantsHelp: true) == nil)
    }

    @Test("Commands and a wish for help are not looked up, as none is unknown")
    func onlyHelp() {
        func asks(_ line: String) -> Bool {
            Weft.asksOnlyForHelp(line.split(separator: " ").map(String.init))
        }
        for line in ["", "--help", "-h", "--version", "run --help", "bench all -h"] {
            #expect(asks(line), "\(line)")
            #expect(problem(line, wantsHelp: true) == nil, "\(line)")
        }
        for line in [
            "rnu --help", "--hepl", "run --plan --help", "run --version", "bench alll -h",
            "help run",
        ] {
            #expect(!asks(line), "\(line)")
        }
    }

    @Test(
        "Suggests the option for a file given instead of a goal",
        arguments: [
            ("run ../plan.json", "\"../plan.json\" is a file; did you mean --plan ../plan.json?"),
            ("run README", "\"README\" is a file; did you mean --plan README?"),
            ("plan plan.json", "\"plan.json\" is a file; did you mean --check plan.json?"),
            ("worker tools.yaml", "\"tools.yaml\" is a file; did you mean --tools tools.yaml?"),
            ("run tools.yaml", "\"tools.yaml\" is a file; did you mean --tools tools.yaml?"),
            ("plan.json", "\"plan.json\" is a file; did you mean weft run --plan plan.json?"),
            (
                "run plna.json",
                "\"plna.json\" looks like a file, but there is none of that name; "
                    + "did you mean --plan plna.json?"
            ),
            (
                "models check weft.yaml",
                "\"weft.yaml\" looks like a file, but there is none of that name; "
                    + "did you mean --config weft.yaml?"
            ),
        ]
    )
    func files(line: String, sentence: String) {
        #expect(problem(line) == sentence)
    }

    @Test("Reports extra words and options of other commands")
    func misplaced() {
        #expect(problem("status now") == "weft status has no place for the argument \"now\".")
        #expect(
            problem("run how long is it")
                == "weft run has no place for the argument \"long\". A goal of several words is "
                + "written in quotes."
        )
        #expect(
            problem("watch r1 --exit-after 3s")
                == "weft watch has no option --exit-after. It is an option of weft worker."
        )
        #expect(
            problem("help run now", wantsHelp: true)
                == "weft run has no commands of its own, such as \"now\"."
        )
        #expect(problem("status --zzz") == "weft status has no option --zzz.")
        #expect(
            problem("xyzzy")?.hasPrefix("weft has no command \"xyzzy\". There are run, ") == true
        )
    }
}
