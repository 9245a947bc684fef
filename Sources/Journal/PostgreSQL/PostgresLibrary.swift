// The version of libpq, for reports.
internal import CPostgreSQL

package enum PostgresLibrary {
    /// The version of libpq, such as 15.18; nil if this host has none that is new enough.
    ///
    /// Loads the library.
    package static var version: String? {
        let version = weft_pg_version()
        return version > 0 ? "\(version / 10_000).\(version % 10_000)" : nil
    }
}
