// What a launch reads of Slurm: options of sbatch, and the logs of batches.
import Testing

@testable import Launch

@Suite("Slurm")
struct SlurmTests {
    @Test(
        "Options that the launch depends on are refused, also when they are shortened",
        arguments: [
            ("--array=1-3", "--array"), ("--wrap", "--wrap"), ("--outp=x", "--output"),
            ("--requeue", "--requeue"), ("--parsable", "--parsable"), ("-Mall", "--clusters"),
            ("-a", "--array"), ("-Ho", "--output"), ("-J", "--job-name"), ("-W", "--wait"),
        ]
    )
    func refused(_ word: String, _ option: String) {
        #expect(SlurmOptions.refusedOption(in: word) == option)
    }

    @Test(
        "Other options are allowed",
        arguments: [
            "--mem=1G", "-A", "project", "--account=a", "--no-requeue", "--time=5", "-H",
            "--gres=gpu:1", "--wait-all-nodes=1", "--nodelist=a", "-w", "-Aproject",
        ]
    )
    func allowed(_ word: String) {
        #expect(SlurmOptions.refusedOption(in: word) == nil)
    }

    @Test("The last word of a worker counts, and people get the last line for them")
    func log() {
        #expect(SlurmLog("").connection == .unknown)
        #expect(SlurmLog("srun: hello\n").connection == .unknown)
        let log = SlurmLog("weft-worker waiting refused\nerror: odd\nweft-worker ready 4\n")
        #expect(log.connection == .ready(slots: 4))
        #expect(log.lastLine == "error: odd")
        let lost = SlurmLog(
            "weft-worker ready\nweft-worker waiting it is gone\nweft-worker signalled\n"
        )
        #expect(lost.connection == .waiting("it is gone"))
        #expect(lost.lastLine == nil)
    }

    @Test("The exit status of a batch is taken from its description; a signal counts as 1")
    func exitStatus() {
        #expect(SlurmLog.exitStatus(in: "JobId=7 ExitCode=2:0 Nodes=1") == 2)
        #expect(SlurmLog.exitStatus(in: "JobId=7 ExitCode=0:9 Nodes=1") == 1)
        #expect(SlurmLog.exitStatus(in: "") == 1)
    }
}
