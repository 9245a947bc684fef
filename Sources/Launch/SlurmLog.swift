// What the log of a batch tells about its worker.

struct SlurmLog {
    /// What the worker told last of its coordinator.
    enum Connection: Equatable {
        /// The worker has told nothing yet: it may not have started.
        case unknown
        case ready(slots: Int?)
        case waiting(String)
    }

    private(set) var connection = Connection.unknown
    /// The last line for people.
    private(set) var lastLine: String?

    init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline).map(String.init) {
            if let word = WorkerWord(line) {
                switch word {
                case .ready(let slots): connection = .ready(slots: slots)
                case .waiting(let reason): connection = .waiting(reason)
                // In a batch it means that its time is almost over.
                case .signalled: break
                }
            } else if line.contains(where: { !$0.isWhitespace }) {
                lastLine = line
            }
        }
    }

    /// What the worker told last; unknown also if there is no log.
    static func connection(in path: String) -> Connection {
        PrivateFile.text(of: path).map { SlurmLog($0).connection } ?? .unknown
    }

    /// The exit status in what scontrol prints of a batch; a signal counts as 1.
    static func exitStatus(in description: String) -> Int {
        for word in description.split(separator: " ") {
            guard let value = String(word).suffix(after: "ExitCode=") else { continue }
            let parts = value.split(separator: ":").compactMap { Int($0) }
            if let status = parts.first, status != 0 { return status }
        }
        return 1
    }
}
