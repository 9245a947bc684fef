// The version of libcurl, for reports.
internal import CCurl

package enum HTTPLibrary {
    /// The version of libcurl, such as 7.88.1; nil if this host has none.
    ///
    /// Loads the library.
    package static var version: String? { weft_curl_version().map { String(cString: $0) } }
}
