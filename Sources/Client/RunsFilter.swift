// Which runs a list is to have.
public import Wire

/// Which runs are asked for; nil in all fields asks for every run.
public struct RunsFilter: Sendable, Equatable {
    /// Only those that stand so.
    public var status: RunStatus?
    /// Only those with this label.
    public var label: String?
    /// Only those accepted since then, in milliseconds of Unix time.
    public var since: Int?

    /// Asks for runs.
    public init(status: RunStatus? = nil, label: String? = nil, since: Int? = nil) {
        self.status = status
        self.label = label
        self.since = since
    }
}
