// The version of simdjson, for reports.
internal import CSimdJSON

package enum JSONLibrary {
    /// The version of simdjson, such as 1.2.3.
    package static var version: String { String(cString: weft_simdjson_version()) }
}
