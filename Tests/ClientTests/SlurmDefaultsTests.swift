// What a worker takes from the variables of Slurm.
import Testing

@testable import weft

@Suite("Defaults from Slurm")
struct SlurmDefaultsTests {
    @Test("In a batch name, host and slots are those of Slurm")
    func batch() {
        let defaults = SlurmDefaults([
            "SLURM_JOB_ID": "17", "SLURM_PROCID": "3", "SLURMD_NODENAME": "node-a",
            "SLURM_CPUS_ON_NODE": "64",
        ])
        #expect(defaults.name == "slurm-17-3")
        #expect(defaults.host == "node-a")
        #expect(defaults.slots == 64)
        let given = SlurmDefaults([
            "SLURM_JOB_ID": "17", "SLURM_CPUS_ON_NODE": "64", "SLURM_CPUS_PER_TASK": "8",
        ])
        #expect(given.name == "slurm-17-0")
        #expect(given.slots == 8)
    }

    @Test("Outside of a batch, and with numbers that make no sense, there are none")
    func outside() {
        let none = SlurmDefaults(["SLURM_CPUS_ON_NODE": "64"])
        #expect(none.name == nil && none.host == nil && none.slots == nil)
        #expect(SlurmDefaults(["SLURM_JOB_ID": "1", "SLURM_CPUS_ON_NODE": "x"]).slots == nil)
        #expect(SlurmDefaults(["SLURM_JOB_ID": "1", "SLURM_CPUS_ON_NODE": "0"]).slots == nil)
        #expect(SlurmDefaults(["SLURM_JOB_ID": "a b"]).name == nil)
    }
}
