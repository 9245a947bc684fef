// The version of libyaml, for reports.
internal import CYAML

package enum YAMLLibrary {
    /// The version of libyaml, such as 1.2.3.
    package static var version: String { String(cString: weft_yaml_version()) }
}
