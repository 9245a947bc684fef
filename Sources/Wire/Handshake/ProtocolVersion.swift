// The versions of the protocol this build speaks.

/// The versions of the protocol.
///
/// To raise the version: 1. add the number to `supported` and make it `current`; 2. give the mac of
/// the new version its own label and put the offered versions under it, so that nobody can remove
/// one on the way; 3. keep reading version `current - 1` for one release; 4. describe the
/// difference in the section "Versions" of the protocol document.
public enum ProtocolVersion {
    /// The newest version.
    public static let current = 1
    /// All versions, newest first.
    public static let supported = [1]

    /// What a person can do when two sides have no version in common.
    static let advice =
        "Use programs of the same version on both sides; `weft version` shows what one speaks."
}
