// Every command that a launch runs for a Slurm cluster, and the scripts of its batches. Pure: words
// in, words out. Not here: in which order they run (SlurmSite).
internal import Tools

/// The commands for the batches of one group.
struct SlurmCommands {
    let entry: SlurmEntry
    /// The name of all batches.
    ///
    /// It has a random part, so that the batches of a launch are found without their numbers.
    let name: String
    /// The folder of the site, which all nodes of the cluster see.
    let folder: String

    /// A worker without its coordinator ends after this time: nothing else ends the workers of a
    /// launch that was killed.
    private static let exitAfter = "60s"

    /// Copies the program, and a manifest with its files.
    func preparation(_ program: String, _ tools: ToolPackage?) -> [String] {
        var script = """
            umask 077
            command -v sbatch > /dev/null || { echo 'sbatch was not found; \
            is Slurm installed here?' >&2; exit 1; }
            mkdir -p \(ShellWords.quoted(folder + "/tools")) || exit 1
            cp \(ShellWords.line([program, folder + "/weft"])) || exit 1
            """
        if let tools {
            script += "\n" + tools.script(into: ["tar", "-xf", "-", "-C", folder + "/tools"])
        }
        return ["/bin/sh", "-c", script]
    }

    var removal: [String] { ["rm", "-rf", folder] }

    /// The file with a worker's join line.
    func joinFile(_ worker: String) -> String { "\(folder)/\(worker).join" }

    /// The file that a worker's outputs go to.
    func log(_ worker: String) -> String { "\(folder)/\(worker).log" }

    /// How many seconds before its time limit a batch gets the signal to drain.
    private var margin: Int64 { min(60, (entry.time?.components.seconds ?? 240) / 4) }

    /// Submits a batch, whose script comes over standard input; prints its number.
    func submission(_ plan: MemberPlan) -> [String] {
        var words = [
            "sbatch", "--parsable", "--no-requeue", "--nodes=1", "--ntasks=1", "--exclusive",
            "--job-name=\(name)", "--comment=\(plan.name)", "--output=\(log(plan.name))",
            // Without B: the signal goes to the worker, which drains.
            "--signal=TERM@\(margin)", "--export=ALL",
        ]
        if let partition = entry.partition { words.append("--partition=\(partition)") }
        if let time = entry.time {
            let minutes = (time.components.seconds + 59) / 60
            words.append("--time=\(minutes)")
        }
        return words + entry.options
    }

    /// The script of a batch: it removes the join line before its worker starts.
    func script(_ plan: MemberPlan) -> String {
        let manifest = plan.group.manifest?.path.split(separator: "/").last.map {
            "\(folder)/tools/\($0)"
        }
        let words =
            plan.arguments(manifest: manifest, endsWithInput: false)
            + ["--exit-after", Self.exitAfter]
        let variables = plan.group.environment.map { "\($0.key)=\($0.value)" }
        let file = ShellWords.quoted(joinFile(plan.name))
        let worker =
            ["srun", "--kill-on-bad-exit=0"] + (variables.isEmpty ? [] : ["env"] + variables)
            + ["\(folder)/weft"] + words
        return """
            #!/bin/sh
            exec < \(file) || exit 1
            rm -f \(file)
            exec \(ShellWords.line(worker))

            """
    }

    /// Asks for the states of all batches; not by number, because that fails as a whole when Slurm
    /// has forgotten one of them.
    var query: [String] {
        [
            "squeue", "--noheader", "--states=all", "--format=%i|%T|%r", "--me", "--name=\(name)",
        ]
    }

    /// Asks how a batch ended.
    func description(of batch: String) -> [String] {
        ["scontrol", "--oneliner", "show", "job", batch]
    }

    /// Lets the worker of a batch drain: a signal that only a step gets, so the worker must be there.
    func drain(_ batch: String) -> [String] { ["scancel", "--signal=TERM", batch] }

    /// Ends a batch unless it has begun.
    func withdraw(_ batch: String) -> [String] { ["scancel", "--state=PENDING", batch] }

    /// Ends a batch.
    func cancel(_ batch: String) -> [String] { ["scancel", batch] }

    /// Ends all batches by their name, because one may have no number yet.
    var cancelAll: [String] { ["scancel", "--me", "--name=\(name)"] }

    /// All commands for these workers, for people.
    func steps(_ preparation: [String], _ plans: [MemberPlan]) -> [SiteStep] {
        var steps: [SiteStep] = [("before workers start", ShellWords.line(preparation))]
        for plan in plans {
            let batch = ShellWords.line(submission(plan)) + " <<'END'\n" + script(plan) + "END"
            steps.append(("to start \(plan.name)", batch))
        }
        return steps + [
            ("every 2 s while batches wait or run", ShellWords.line(query)),
            ("when a batch has failed", ShellWords.line(description(of: "NUMBER"))),
            ("to withdraw a batch that waits", ShellWords.line(withdraw("NUMBER"))),
            ("to let the worker of a batch drain", ShellWords.line(drain("NUMBER"))),
            ("to end a batch at once", ShellWords.line(cancel("NUMBER"))),
            ("in the end", ShellWords.line(removal)),
            ("by the next launch, if this one is killed", ShellWords.line(cancelAll)),
        ]
    }
}
