// The version of OpenSSL, for reports.
internal import COpenSSL

package enum CryptoLibrary {
    /// The version of OpenSSL, such as 1.2.3.
    package static var version: String { String(cString: weft_openssl_version()) }
}
