// The version of SQLite, for reports.
internal import CSQLite

package enum SQLiteLibrary {
    /// The version of SQLite, such as 3.40.1.
    package static var version: String { String(cString: weft_sqlite_version()) }
}
