// How a launch tells a coordinator of itself: launch.

/// The state of a launch, whenever it has changed.
public struct LaunchReport: Sendable, Equatable {
    /// The launch.
    package var launch: LaunchDocument

    /// Makes the message of its field.
    package init(_ launch: LaunchDocument) {
        self.launch = launch
    }
}
