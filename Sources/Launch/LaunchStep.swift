// The commands of a launch for people who want to see them before they run.

/// A command that a launch would run; it has no secret.
public struct LaunchStep: Sendable, Equatable {
    /// Where its workers are, or what it is for.
    public var site: String
    /// When it would run.
    public var when: String
    /// The command, as a shell takes it.
    public var command: String

    /// Describes a command.
    public init(site: String, when: String, command: String) {
        self.site = site
        self.when = when
        self.command = command
    }
}

/// A command of one site, and when it runs.
typealias SiteStep = (when: String, command: String)
