// The version of libuv, for reports.
internal import CLibuv

package enum UVLibrary {
    /// The version of libuv, such as 1.2.3.
    package static var version: String { String(cString: uv_version_string()) }
}
