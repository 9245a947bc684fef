// What a worker knows of itself when Slurm started it.
internal import FoundationEssentials
internal import Wire

/// The defaults of a worker inside a batch of Slurm; all nil outside.
struct SlurmDefaults {
    /// Unique among the workers of a cluster: the number of the batch, and of the process in it.
    let name: String?
    /// The name of the host as Slurm knows it.
    let host: String?
    /// The processors that were given to the process.
    let slots: Int?

    init(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard let batch = environment["SLURM_JOB_ID"], !batch.isEmpty else {
            (name, host, slots) = (nil, nil, nil)
            return
        }
        let name = "slurm-\(batch)-\(environment["SLURM_PROCID"] ?? "0")"
        self.name = PeerName.isValid(name) ? name : nil
        host = environment["SLURMD_NODENAME"]
        let count = environment["SLURM_CPUS_PER_TASK"] ?? environment["SLURM_CPUS_ON_NODE"]
        let slots = count.flatMap(Int.init) ?? 0
        self.slots = (1...Limits.largestSlots).contains(slots) ? slots : nil
    }
}
