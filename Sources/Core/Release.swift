// The version of this software.

/// The release that this is.
public enum Release {
    /// Its version, as semver.org defines them.
    public static let version = "0.1.0"
}
