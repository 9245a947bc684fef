// What a launch says while it goes on, with what each line is about.

/// A line for people.
public struct LaunchLine: Sendable, Equatable {
    /// The line, which names what it is about.
    public var text: String
    /// The group that it is about, if it is one.
    public var group: String?
    /// The worker that it is about, if it is one.
    public var member: String?
    /// Where that is, or the place that it is about.
    public var site: String?
    /// Whether something went wrong.
    public var isTrouble: Bool

    /// Describes a line.
    public init(
        text: String,
        group: String? = nil,
        member: String? = nil,
        site: String? = nil,
        isTrouble: Bool = false
    ) {
        self.text = text
        self.group = group
        self.member = member
        self.site = site
        self.isTrouble = isTrouble
    }
}
